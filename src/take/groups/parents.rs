//! Who is above whom among the entities that are written.

use std::collections::HashMap;

use super::super::TakeError;
use super::LEVELS;
use crate::pipeline::Entity;
use crate::resolve::{
    CopyFields, EntityInfo, IndexKey, KeyRead, KeyShape, KindChoice, KindId, Plan, TableId,
    entity_index,
};
use crate::snapshot::codec::copy_text;
use crate::visible::visible;

/// Who is above whom among the entities that are written.
pub(super) struct Parents {
    kind: KindId,
    table: Option<TableId>,
    key: usize,
    parent: Option<usize>,
    /// How both compare.
    shape: KeyShape,
    of: HashMap<IndexKey, IndexKey>,
}

impl Parents {
    /// Of all kinds.
    pub(super) fn all(kinds: &[KindChoice], plan: &Plan) -> Vec<Parents> {
        let kinds = plan.kinds.ids().zip(kinds);
        let parents = kinds.map(|(id, kind)| Parents::new(id, &kind.pipeline.entity, plan));
        parents.collect()
    }

    fn new(kind: KindId, entity: &Entity, plan: &Plan) -> Parents {
        let table = plan.table(&entity.table);
        let column = |column: &str| plan.tables[table?].column(column);
        let key = plan.kinds[kind].key.as_ref();
        Parents {
            kind,
            table,
            key: key.and_then(|key| column(&key.column)).unwrap_or_default(),
            parent: entity.parent.as_deref().and_then(column),
            shape: KeyShape::new(key.map(|key| key.form)),
            of: HashMap::new(),
        }
    }

    /// Looks at a row that is written.
    pub(super) fn note(&mut self, table: TableId, row: &[u8]) {
        let (Some(parent), true) = (self.parent, self.table == Some(table)) else {
            return;
        };
        let mut fields = Vec::new();
        copy_text::next_row(row, 0, &mut fields);
        let fields = CopyFields {
            bytes: row,
            fields: &fields,
        };
        let read = |column: usize| self.shape.read(&fields, &[column]);
        if let (KeyRead::Is(key), KeyRead::Is(parent)) = (read(self.key), read(parent)) {
            self.of.insert(key, parent);
        }
    }

    /// Makes sure that no ancestor was too far up to be followed to.
    pub(super) fn check(&self, entities: &[EntityInfo]) -> Result<(), TakeError> {
        let own = entities.iter().filter(|entity| entity.kind == self.kind);
        for entity in own {
            let (mut current, mut levels) = (entity_index(&self.shape, &entity.id), 0);
            while let Some(parent) = current.and_then(|key| self.of.get(&key)) {
                (current, levels) = (Some(*parent), levels + 1);
                if levels >= LEVELS {
                    return Err(TakeError::Plan(format!(
                        "{} has {LEVELS} levels or more above it, and not as many are followed\n  take whole tables",
                        visible(&entity.full_path)
                    )));
                }
            }
        }
        Ok(())
    }
}
