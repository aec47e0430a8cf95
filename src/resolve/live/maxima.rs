//! Loading the maxima of entities: the largest value of a column among rows that hops find.

use std::sync::atomic::AtomicBool;

use crate::key::KeyForm;
use crate::resolve::keys::Key;
use crate::resolve::plan::{HopId, PlanMaximum, Step};
use crate::resolve::store::{Entry, RowStore};
use crate::snapshot::{Fields, Query};

use super::ask::{AskFailure, Asker};
use super::load::{Bounds, RoundLoad, failed};
use super::requests::EntityRequest;
use super::rows::Live;

impl Asker<'_> {
    /// Asks for the maxima of some entities, and makes of each answer a row in which nothing else stands.
    ///
    /// # Errors
    /// As [`Asker::read`].
    pub(crate) fn maxima(
        &self,
        maxima: &[PlanMaximum],
        entities: &[EntityRequest],
        live: &Live,
        interrupted: &AtomicBool,
    ) -> Result<RowStore, AskFailure> {
        let mut store = self.store_of(live.limits.memory, &live.limits.temp_dir);
        for maximum in maxima {
            let Some((last, [])) = maximum.steps.split_last() else {
                store = self.load_maxima(maximum, entities, store, live, interrupted)?;
                continue;
            };
            let table = &self.plan.tables[last.table];
            let column = maximum.column.as_str();
            if self.catalog.is_generated(&table.name, column) {
                continue;
            }
            let ([reach], true) = (last.reach.as_slice(), self.server_orders(maximum, last)) else {
                store = self.load_maxima(maximum, entities, store, live, interrupted)?;
                continue;
            };
            let hop = &self.plan.hops[reach.hop];
            let keys = entities
                .iter()
                .flat_map(|request| request.keys(&reach.from, &reach.shape));
            let mut keys: Vec<Key> = keys.collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let question = hop.question(table, std::slice::from_ref(&key))?;
                let query = Query {
                    table: &table.name,
                    fields: Fields::Maximum(column),
                    predicates: hop.predicates(&question),
                };
                let largest = self.answer(&query, interrupted)?;
                let largest = largest.strip_suffix(b"\n").unwrap_or(&largest);
                let fields: Vec<&[u8]> = table
                    .layout
                    .iter()
                    .map(|kept| match kept.name == column && !largest.is_empty() {
                        true => largest,
                        false => b"\\N".as_slice(),
                    })
                    .collect();
                let at = store.push(&fields.join(&b'\t')).map_err(failed)?;
                if let Some(key) = reach.shape.index(&key) {
                    let entered = store.enter(reach.hop, key, Entry { id: 0, at });
                    entered.map_err(failed)?;
                }
            }
        }
        store.sort(None);
        Ok(store)
    }

    /// True if the server orders the values of a column as is meant by the largest of them.
    fn server_orders(&self, maximum: &PlanMaximum, last: &Step) -> bool {
        let table = &self.plan.tables[last.table];
        let mut layout = table.layout.iter();
        let column = layout.find(|column| column.name == maximum.column);
        let form = column.and_then(|column| column.form);
        form.and_then(KeyForm::of_bounds).is_some()
    }

    /// Loads all rows among which the largest value is looked for.
    fn load_maxima(
        &self,
        maximum: &PlanMaximum,
        entities: &[EntityRequest],
        store: RowStore,
        live: &Live,
        interrupted: &AtomicBool,
    ) -> Result<RowStore, AskFailure> {
        let reach = maximum.steps.iter().flat_map(|step| &step.reach);
        let hops: Vec<HopId> = reach.map(|reach| reach.hop).collect();
        let mut load = RoundLoad::new(self, live, interrupted, store, Bounds::NONE);
        load.slots = self.first_keys(&hops, entities);
        for hop in hops {
            load.hop(hop)?;
        }
        Ok(load.store)
    }
}
