//! The end: what is left when the snapshot has been read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::resolve::error::ResolveError;
use crate::resolve::plan::TableId;
use crate::resolve::resolved::{LackingColumn, RepeatedKeys, Resolved, RowSource};

use super::Resolver;

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
        let mut lacking = Vec::new();
        for table in self.plan.tables.ids() {
            let (planned, state) = (&self.plan.tables[table], &mut self.tables[table]);
            if !state.is_seen() {
                unseen.insert(table);
            }
            if !state.without_data.is_empty() {
                without_data.insert(table, std::mem::take(&mut state.without_data));
            }
            if let Some(reason) = state.coverage.unlinked(&self.plan, table, &self.catalog) {
                state.broken(reason);
            }
            let order = self.plan.order_columns(table).into_iter();
            if let Some(reason) = state.coverage.unsorted(planned, &self.catalog, order) {
                state.broken(reason);
            }
            if let Some(reason) = state.coverage.filled_in(planned, &self.catalog) {
                state.broken(reason);
            }
            if !state.trouble.is_none() {
                troubles.insert(table, std::mem::take(&mut state.trouble));
            }
            if let Some((names, instead)) = state.coverage.unexplained(planned, &self.catalog) {
                lacking.extend(names.iter().map(|name| LackingColumn {
                    table: planned.name.clone(),
                    column: (*name).to_owned(),
                    instead,
                }));
            }
            let columns = state.coverage.left_out(planned, &self.catalog);
            if !columns.is_empty() {
                absent.insert(table, columns);
            }
        }
        self.store.sort(Some(self.fan_out.pool()));
        let repeated = self.repeated();
        Ok(Resolved {
            temp_bytes: self.staged_bytes + self.store.spilled(),
            plan: self.plan,
            rows: RowSource::Kept(Arc::new(self.store)),
            entities: entities.infos,
            remarks: entities.remarks,
            troubles,
            absent,
            lacking,
            repeated,
            incomplete,
            unseen,
            without_data,
        })
    }

    /// Tables of which rows have the key of another row. Only keys of one integer are looked at, which the index holds.
    fn repeated(&self) -> Vec<RepeatedKeys> {
        let mut most: BTreeMap<TableId, u64> = BTreeMap::new();
        for (id, hop) in self.plan.hops.enumerate() {
            let rows = self.store.repeated(id);
            if rows > 0 {
                // What several hops found is the same rows.
                let known = most.entry(hop.table).or_default();
                *known = rows.max(*known);
            }
        }
        let named = most.into_iter().filter_map(|(table, rows)| {
            let planned = &self.plan.tables[table];
            let key = planned.integer_key().filter(|_| planned.ids_are_keys())?;
            Some(RepeatedKeys {
                table: planned.name.clone(),
                key: planned.layout[key].name.clone(),
                rows,
            })
        });
        named.collect()
    }
}
