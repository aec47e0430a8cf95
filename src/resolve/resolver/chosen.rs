//! Who the entities are: chosen kind by kind, as soon as the tables that say so have gone by.

use crate::pipeline::EntityId;
use crate::resolve::directory::{Chosen, Entities};
use crate::resolve::entities::{Choice, EntityError, EntityInfo};
use crate::resolve::error::ResolveError;
use crate::resolve::plan::{EntityKey, KindId, PlanKind, TableId};
use crate::resolve::resolved::without_data;

use super::Resolver;

/// A kind of entity while the snapshot goes by.
pub(super) struct KindState {
    pub choice: Choice,
    /// The keys that the user named, if each name can be a key.
    pub named: Option<Vec<EntityId>>,
    /// The entities are schemas.
    pub is_schemas: bool,
    /// Who was chosen, once that is known.
    pub chosen: Option<Chosen>,
    /// What is known of them, if no row had to say it.
    pub known: Option<Vec<EntityInfo>>,
}

impl KindState {
    pub(super) fn new(planned: &PlanKind, choice: Choice) -> KindState {
        let named = planned.key.as_ref();
        KindState {
            named: named.and_then(|key| choice.keys(key)),
            is_schemas: planned.key.is_none(),
            choice,
            chosen: None,
            known: None,
        }
    }
}

impl Resolver {
    /// True if rows of every entity of a kind are kept until it is known who is chosen. Of entities that lie within others
    /// there may be many more than chosen ones, and most of a database may be theirs: their rows wait in a temp file, unless
    /// what they lie within is chosen as a whole.
    pub(super) fn is_every(&self, kind: KindId, candidates: bool) -> bool {
        let choice = &self.kinds[kind].choice;
        match (choice, self.outer(kind)) {
            (Choice::All, _) => true,
            (Choice::Within { .. }, Some(outer)) => {
                candidates && self.kinds[outer].choice == Choice::All
            }
            (Choice::Named { .. }, Some(_)) => false,
            (Choice::Named { .. } | Choice::Within { .. }, None) => candidates,
        }
    }

    /// The kind that a kind's entities lie within.
    fn outer(&self, kind: KindId) -> Option<KindId> {
        let within = self.key(kind)?.within.as_ref()?;
        Some(within.kind)
    }

    fn key(&self, kind: KindId) -> Option<&EntityKey> {
        self.plan.kinds[kind].key.as_ref()
    }

    /// Chooses the entities of every kind for which that can be done by now.
    ///
    /// # Errors
    /// If a wanted entity does not exist.
    pub(super) fn choose_entities(&mut self) -> Result<(), ResolveError> {
        // Each kind stands behind the one that it lies within.
        for kind in self.plan.kinds.ids() {
            let state = &self.kinds[kind];
            if state.is_schemas || state.chosen.is_some() {
                continue;
            }
            let outer = self.outer(kind);
            let is_known = outer.is_none_or(|outer| self.kinds[outer].chosen.is_some());
            let deciding = self.deciding(kind);
            let is_through = |table: &TableId| self.tables[*table].is_gone();
            if !is_known || !deciding.iter().all(is_through) {
                continue;
            }
            // A row that cannot be read may be that of an entity that is wanted, or say that another one has its path.
            if let Some(error) = self.doubtful(&deciding) {
                return Err(error.into());
            }
            let outer = outer.and_then(|outer| self.kinds[outer].chosen.as_ref());
            let outer = outer.map(|outer| outer.keys.as_slice()).unwrap_or_default();
            let chosen = self.directories.choose(kind, &state.choice, outer)?;
            if let Some(named) = &state.named
                && chosen.keys.iter().any(|key| !named.contains(key))
            {
                // Rows have been kept by what was taken for a key.
                let keys = chosen.keys.iter();
                let ids = keys.map(|key| self.directories.info(kind, key, 0).id);
                return Err(ResolveError::FoundByPath {
                    kind,
                    ids: ids.collect(),
                });
            }
            self.kinds[kind].chosen = Some(chosen);
        }
        Ok(())
    }

    /// The tables that have to have gone by before a kind's entities are chosen.
    fn deciding(&self, kind: KindId) -> Vec<TableId> {
        let mut kinds = vec![kind];
        if self.kinds[kind].choice.names().is_empty() {
            // Nobody's path matters: what stands in the table of the entities says it all.
            let name = self.directories.of(kind).table();
            return self.plan.table(name).into_iter().collect();
        }
        // A path may be made of those of what an entity lies within.
        let mut inner = kind;
        while let Some(outer) = self.outer(inner) {
            kinds.push(outer);
            inner = outer;
        }
        self.observed_by(|observer| kinds.contains(&observer))
    }

    /// The tables that say who the entities are, of some kinds.
    fn observed_by(&self, of: impl Fn(KindId) -> bool) -> Vec<TableId> {
        let tables = self.plan.tables.enumerate();
        let observed = tables.filter(|(_, table)| table.observed_by.iter().any(|kind| of(*kind)));
        observed.map(|(table, _)| table).collect()
    }

    /// True if who the entities are was decided as if all of a table had gone by.
    pub(super) fn is_decided_by(&self, table: TableId) -> bool {
        let is_decided = |kind: KindId| {
            self.kinds[kind].chosen.is_some() && self.deciding(kind).contains(&table)
        };
        self.plan.kinds.ids().any(is_decided)
    }

    /// Why it is not sure who the entities are: something of these tables cannot be read, or is not there.
    fn doubtful(&self, tables: &[TableId]) -> Option<EntityError> {
        tables.iter().find_map(|id| {
            let (table, state) = (&self.plan.tables[*id], &self.tables[*id]);
            let damage = state.trouble.says(&table.name).map(|reason| {
                format!("{reason}; this table says which ones there are, so that none is sure\n  copy or dump it again")
            });
            let missing = || {
                let missing = state.without_data.first().filter(|_| !self.allow_missing)?;
                Some(without_data(&table.name, missing))
            };
            let reason = damage.or_else(missing)?;
            Some(EntityError::BadRow { reason })
        })
    }

    /// The chosen entities, when every table that says something of them has gone by.
    ///
    /// # Errors
    /// If it is not sure who they are.
    pub(super) fn entities(&mut self) -> Result<Entities, ResolveError> {
        self.choose_entities()?;
        if let Some(error) = self.doubtful(&self.observed_by(|_| true)) {
            return Err(error.into());
        }
        let mut entities = Entities::default();
        for (kind, planned) in self.plan.kinds.enumerate() {
            let state = &self.kinds[kind];
            if let Some(known) = &state.known {
                entities.infos.extend(known.iter().cloned());
            }
            if let Some(chosen) = &state.chosen {
                // Paths may have come since.
                self.directories.check(kind, &state.choice, &chosen.keys)?;
                entities.add(&self.directories, kind, chosen, planned.sets.start);
            }
        }
        Ok(entities)
    }
}
