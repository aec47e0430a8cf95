//! The end: who the entities are, and what is left when the snapshot has been read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::resolve::entities::{EntityError, EntityInfo};
use crate::resolve::error::ResolveError;
use crate::resolve::plan::PlanTable;
use crate::resolve::resolved::{Resolved, RowSource, without_data};

use super::Resolver;
use super::table_state::TableState;

impl Resolver {
    /// The snapshot has been read to its end.
    ///
    /// # Errors
    /// As [`Resolver::table_gone`].
    pub(crate) fn finish(mut self) -> Result<Resolved, ResolveError> {
        self.drain()?;
        let incomplete = std::mem::take(&mut self.cut_off);
        self.at_end = true;
        for state in self.tables.as_mut_slice() {
            state.close();
        }
        self.settle()?;
        let entities = self.entities()?;
        let (mut unseen, mut without_data) = (BTreeSet::new(), BTreeMap::new());
        let mut troubles = BTreeMap::new();
        let mut absent = BTreeMap::new();
        for table in self.plan.tables.ids() {
            let (planned, state) = (&self.plan.tables[table], &mut self.tables[table]);
            if !state.is_seen() {
                unseen.insert(table);
            }
            if !state.without_data.is_empty() {
                without_data.insert(table, std::mem::take(&mut state.without_data));
            }
            let hops = self.plan.hops_onto(table).map(|hop| &self.plan.hops[hop]);
            if let Some(reason) = state.coverage.unlinked(planned, hops) {
                state.broken(reason);
            }
            if let Some(reason) = state.coverage.filled_in(planned, &self.catalog) {
                state.broken(reason);
            }
            if !state.trouble.is_none() {
                troubles.insert(table, std::mem::take(&mut state.trouble));
            }
            let columns = state
                .coverage
                .absent()
                .filter(|columns| !columns.is_empty());
            if let Some(columns) = columns {
                absent.insert(table, columns.clone());
            }
        }
        self.store.sort(Some(self.fan_out.pool()));
        Ok(Resolved {
            temp_bytes: self.staged_bytes + self.store.spilled(),
            plan: self.plan,
            rows: RowSource::Kept(Arc::new(self.store)),
            entities,
            troubles,
            absent,
            incomplete,
            unseen,
            without_data,
        })
    }

    /// The chosen entities, once the tables that say who they are have gone by.
    ///
    /// # Errors
    /// If one does not exist.
    pub(crate) fn entities(&mut self) -> Result<Vec<EntityInfo>, ResolveError> {
        if let Some(entities) = &self.entities {
            return Ok(entities.clone());
        }
        // A row that cannot be read may be that of an entity that is wanted, or say that another one has its path.
        if let Some(error) = self.doubtful_entities() {
            return Err(error.into());
        }
        let entities = self.directory.choose(&self.choice)?;
        let key = self.plan.entity_key.as_ref();
        if let Some(keys) = key.and_then(|key| self.choice.keys(key))
            && entities.iter().any(|entity| !keys.contains(&entity.key))
        {
            // Rows have been kept by what was taken for a key.
            let ids = entities.into_iter().map(|entity| entity.id).collect();
            return Err(ResolveError::FoundByPath { ids });
        }
        Ok(self.entities.insert(entities).clone())
    }

    /// Why it is not sure who the entities are: something of the tables that say so cannot be read, or is not there.
    fn doubtful_entities(&self) -> Option<EntityError> {
        self.observed().find_map(|(table, state)| {
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

    /// True if every table that says who the entities are has gone by.
    pub(super) fn observed_gone(&self) -> bool {
        self.observed().all(|(_, state)| state.is_gone())
    }

    /// The tables that say who the entities are.
    fn observed(&self) -> impl Iterator<Item = (&PlanTable, &TableState)> {
        let tables = self.plan.tables.iter().zip(&self.tables);
        tables.filter(|(table, _)| table.observed)
    }
}
