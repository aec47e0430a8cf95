//! The keys of a relation's top-level rows, for many entities by one query per hop.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use crate::resolve::keys::parse_integer;
use crate::resolve::plan::{HopId, PlanNode};
use crate::snapshot::codec::copy_text;
use crate::snapshot::{Event, Fields, Query};

use super::ask::{AskFailure, Asker, KEYS};
use super::requests::EntityRequest;

/// What a hop found: the key it was found by, and a column of the row. Sorted, each pair once.
struct KeyPairs(Vec<(i64, i64)>);

impl KeyPairs {
    fn of(&self, key: i64) -> impl Iterator<Item = i64> + '_ {
        let from = self.0.partition_point(|pair| pair.0 < key);
        let found = self.0[from..].iter().take_while(move |pair| pair.0 == key);
        found.map(|pair| pair.1)
    }
}

impl Asker<'_> {
    /// The primary keys of a node's top-level rows, sorted, for each of these.
    ///
    /// # Errors
    /// As [`Asker::read`].
    pub(crate) fn top_level(
        &self,
        node: &PlanNode,
        entities: &[EntityRequest],
        interrupted: &AtomicBool,
    ) -> Result<Vec<Vec<i64>>, AskFailure> {
        let mut found = Vec::new();
        for reach in &node.reach {
            let keys = entities
                .iter()
                .flat_map(|request| request.keys(&reach.from));
            let table = &self.plan.tables[self.plan.hops[reach.hop].table];
            // Rows of a join table are known by what they lead to.
            let column = match &node.through {
                Some(through) => through.to.as_str(),
                None => table.key_name(),
            };
            found.push(self.pairs(reach.hop, keys.copied().collect(), column, interrupted)?);
        }
        let behind = match &node.through {
            None => None,
            Some(through) => {
                let keys = found.iter().flat_map(|pairs| &pairs.0).map(|pair| pair.1);
                let key = self.plan.tables[node.table].key_name();
                Some(self.pairs(through.hop, keys.collect(), key, interrupted)?)
            }
        };
        let ids = |request: &EntityRequest| {
            let mut ids = Vec::new();
            for (reach, pairs) in node.reach.iter().zip(&found) {
                for key in request.keys(&reach.from) {
                    match &behind {
                        None => ids.extend(pairs.of(*key)),
                        Some(behind) => ids.extend(pairs.of(*key).flat_map(|to| behind.of(to))),
                    }
                }
            }
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        Ok(entities.iter().map(ids).collect())
    }

    /// The rows that a hop finds by these keys: pairs of the key and of a column. Rows in which the column
    /// is NULL lead nowhere; a primary key that is NULL is an error.
    fn pairs(
        &self,
        hop: HopId,
        mut keys: Vec<i64>,
        column: &str,
        interrupted: &AtomicBool,
    ) -> Result<KeyPairs, AskFailure> {
        keys.sort_unstable();
        keys.dedup();
        let hop = &self.plan.hops[hop];
        let table = &self.plan.tables[hop.table];
        let may_be_null = column != table.key_name();
        let mut columns = vec![hop.child.as_str(), column];
        columns.dedup();
        let mut pairs = Vec::new();
        for keys in keys.chunks(KEYS) {
            let query = Query {
                table: &table.name,
                fields: Fields::Columns(columns.clone()),
                predicates: hop.predicates(keys),
            };
            self.read(&query, interrupted, &mut |event| {
                let Event::Rows(block) = event else {
                    return Ok(ControlFlow::Continue(()));
                };
                let bytes = block.bytes();
                let mut rows = copy_text::CopyRows::new(bytes);
                let mut fields = Vec::new();
                while rows.next_row(&mut fields).is_some() {
                    let field = |position: usize| fields.get(position).map(|at| &bytes[at.clone()]);
                    let value = field(columns.len() - 1);
                    match (
                        field(0).and_then(parse_integer),
                        value.and_then(parse_integer),
                    ) {
                        (Some(key), Some(value)) => pairs.push((key, value)),
                        _ if value == Some(b"\\N") && may_be_null => {}
                        _ => {
                            return Err(AskFailure::Relation(format!(
                                "table {}: column {column} is no integer, but it is the primary key",
                                table.name
                            )));
                        }
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        pairs.sort_unstable();
        pairs.dedup();
        Ok(KeyPairs(pairs))
    }
}
