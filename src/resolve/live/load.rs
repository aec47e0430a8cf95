//! Loading a round: some top-level rows with everything below them, by one query per hop.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::AtomicBool;

use foldhash::fast::FixedState;

use crate::resolve::plan::{
    HopId, PlanMaximum, PlanNested, PlanNode, PlanRelation, ReachedFrom, SlotId, TableId,
};
use crate::resolve::scan::Scanned;
use crate::resolve::store::{Entry, RowStore};
use crate::snapshot::{Event, Fields, Predicate, Query};

use super::ask::{AskFailure, Asker, KEYS, Purpose};
use super::requests::EntityRequest;
use super::shelf::Shelf;

/// What a round's rows came to.
pub(super) enum Loaded {
    Rows(RowStore),
    /// They take more memory than was allowed: ask for fewer at a time.
    TooLarge,
}

/// A round that is being loaded.
struct RoundLoad<'a> {
    asker: &'a Asker<'a>,
    interrupted: &'a AtomicBool,
    store: RowStore,
    /// Keys that the rows so far have fed.
    slots: HashMap<SlotId, Vec<i64>, FixedState>,
    shelf: &'a Shelf,
    limit: usize,
    too_large: bool,
}

impl Asker<'_> {
    /// A store for a round.
    pub(crate) fn store(&self) -> RowStore {
        // Nothing is moved out: a round is cut so that it fits.
        RowStore::new(self.plan.hops.len(), usize::MAX, std::path::Path::new(""))
    }

    /// Loads the top-level rows of these keys (sorted, each once), with all that nests below them.
    ///
    /// # Errors
    /// Purpose [`Asker::read`].
    pub(crate) fn round(
        &self,
        relation: &PlanRelation,
        node: &PlanNode,
        ids: &[i64],
        limit: usize,
        shelf: &Shelf,
        interrupted: &AtomicBool,
    ) -> Result<Loaded, AskFailure> {
        let mut load = RoundLoad {
            asker: self,
            interrupted,
            store: self.store(),
            slots: HashMap::default(),
            shelf,
            limit,
            too_large: false,
        };
        let Some(top) = node.top_hop() else {
            return Ok(Loaded::Rows(load.store));
        };
        let table = &self.plan.tables[node.table];
        let key = table.key_name();
        load.ask(
            node.table,
            vec![Predicate::AnyOf(key, ids)],
            &Purpose::HopByPrimaryKey(top),
            None,
        )?;
        let mut got: Vec<i64> = load.store.all(top).iter().map(|entry| entry.id).collect();
        got.sort_unstable();
        if got.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(AskFailure::Relation(format!(
                "table {}: two rows have the same {key}, by which rows are asked for; name a unique column as the table's key, \
                 or export from a snapshot of the server (`relexport snapshot take`)",
                table.name
            )));
        }
        if got != ids && !load.too_large {
            return Err(AskFailure::Relation(format!(
                "table {}: the server gave keys of rows, but not their rows",
                table.name
            )));
        }
        let is_top = |hop: &HopId| node.reach.iter().any(|reach| reach.hop == *hop) || *hop == top;
        for hop in relation.hops.iter().copied().filter(|hop| !is_top(hop)) {
            if load.too_large {
                return Ok(Loaded::TooLarge);
            }
            load.hop(hop)?;
        }
        if load.too_large {
            return Ok(Loaded::TooLarge);
        }
        load.unite(node)?;
        load.store.sort(None);
        Ok(Loaded::Rows(load.store))
    }

    /// Asks for the maxima of some entities, and makes of each answer a row in which nothing else stands.
    ///
    /// # Errors
    /// Purpose [`Asker::read`].
    pub(crate) fn maxima(
        &self,
        maxima: &[PlanMaximum],
        entities: &[EntityRequest],
        interrupted: &AtomicBool,
    ) -> Result<RowStore, AskFailure> {
        let mut store = self.store();
        for maximum in maxima {
            let hop = &self.plan.hops[maximum.hop];
            let table = &self.plan.tables[hop.table];
            let column = maximum.column.as_str();
            if self.catalog.is_generated(&table.name, column) {
                continue;
            }
            let from = match self.plan.is_of_root(maximum.hop) {
                true => ReachedFrom::EntityRoot,
                false => ReachedFrom::EntityKey,
            };
            let keys = entities.iter().flat_map(|request| request.keys(&from));
            let mut keys: Vec<i64> = keys.copied().collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let query = Query {
                    table: &table.name,
                    fields: Fields::Maxima(vec![column]),
                    predicates: hop.predicates(std::slice::from_ref(&key)),
                };
                let mut largest = Vec::new();
                self.read(&query, interrupted, &mut |event| {
                    if let Event::Rows(block) = event {
                        largest.extend_from_slice(block.bytes());
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
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
                store.enter(maximum.hop, Entry { key, id: 0, at });
            }
        }
        store.sort(None);
        Ok(store)
    }
}

impl RoundLoad<'_> {
    /// Makes rows below a node that several links led to one row each.
    fn unite(&mut self, node: &PlanNode) -> Result<(), AskFailure> {
        for nested in &node.nested {
            let PlanNested::Node(child) = nested else {
                continue;
            };
            let hops: Vec<HopId> = child.reach.iter().map(|reach| reach.hop).collect();
            if child.through.is_none() && hops.len() > 1 && !self.store.unite(&hops) {
                let table = &self.asker.plan.tables[child.table];
                return Err(AskFailure::Relation(format!(
                    "table {}: two rows have the same {}, by which rows of several links are told apart",
                    table.name,
                    table.key_name()
                )));
            }
            self.unite(child)?;
        }
        Ok(())
    }

    /// Asks for the rows that a hop finds by the keys that the hops before it have fed.
    fn hop(&mut self, id: HopId) -> Result<(), AskFailure> {
        let hop = &self.asker.plan.hops[id];
        let Some(keys) = self.slots.get_mut(&hop.slot) else {
            return Ok(());
        };
        keys.sort_unstable();
        keys.dedup();
        let mut keys = keys.clone();
        let table = &self.asker.plan.tables[hop.table];
        // What others belong to, many belong to.
        let is_shared = hop.child == table.key_name() && hop.filter.is_empty();
        if is_shared {
            let known = self.shelf.take(hop.table, &mut keys);
            let scanned = self.asker.known(hop.table, &Purpose::Hop(id), known)?;
            if self.take(&scanned)?.is_break() {
                return Ok(());
            }
        }
        for keys in keys.chunks(KEYS) {
            if self.too_large {
                return Ok(());
            }
            let shared = is_shared.then_some(keys);
            self.ask(hop.table, hop.predicates(keys), &Purpose::Hop(id), shared)?;
        }
        Ok(())
    }

    fn ask(
        &mut self,
        table: TableId,
        predicates: Vec<Predicate<'_>>,
        purpose: &Purpose,
        shared: Option<&[i64]>,
    ) -> Result<(), AskFailure> {
        let (asker, interrupted, shelf) = (self.asker, self.interrupted, self.shelf);
        let mut found: Vec<(i64, Vec<u8>)> = Vec::new();
        asker.rows(table, predicates, purpose, interrupted, &mut |scanned| {
            if shared.is_some() {
                let row = |range: &Range<usize>| scanned.kept[range.clone()].to_vec();
                let rows = scanned
                    .found
                    .iter()
                    .map(|it| (it.key, row(&scanned.ranges[it.row])));
                found.extend(rows);
            }
            self.take(&scanned)
        })?;
        if let Some(keys) = shared.filter(|_| !self.too_large) {
            shelf.put(
                table,
                keys,
                found.iter().map(|(key, row)| (*key, row.as_slice())),
            );
        }
        Ok(())
    }

    fn take(&mut self, scanned: &Scanned) -> Result<ControlFlow<()>, AskFailure> {
        let mut places = Vec::with_capacity(scanned.ranges.len());
        for range in &scanned.ranges {
            let at = self.store.push(&scanned.kept[range.clone()]);
            places.push(at.map_err(failed)?);
        }
        for found in &scanned.found {
            let (key, id, at) = (found.key, found.id, places[found.row]);
            self.store.enter(found.hop, Entry { key, id, at });
        }
        for (slot, key) in &scanned.fed {
            self.slots.entry(*slot).or_default().push(*key);
        }
        self.too_large = self.store.in_use() > self.limit;
        Ok(match self.too_large {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

fn failed(error: std::io::Error) -> AskFailure {
    AskFailure::Run(error.into())
}
