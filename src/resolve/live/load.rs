//! Loading a round: some top-level rows with everything below them, by one query per hop.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use foldhash::fast::FixedState;

use crate::resolve::keys::{IndexKey, Key, KeyShape};
use crate::resolve::plan::{
    HopId, PlanNested, PlanNode, PlanRelation, ReachedFrom, SlotId, SlotSource, Step, TableId,
};
use crate::resolve::scan::Scanned;
use crate::resolve::store::{Entry, RowStore};
use crate::snapshot::Predicate;

use super::ask::{AskFailure, Asker, KEYS, Purpose};
use super::predicates::KeyQuestion;
use super::presence::{Extent, Presence};
use super::requests::EntityRequest;
use super::rows::Live;
use super::shelf::Shelf;

/// What a round's rows came to.
pub(super) enum Loaded {
    Rows(RowStore),
    /// They take more memory than was allowed: ask for fewer at a time.
    TooLarge,
}

/// What a round may take, and which part of a relation it is.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Of memory.
    pub bytes: usize,
    /// `None` if all of it is loaded at once.
    pub extent: Option<Extent>,
}

impl Bounds {
    /// Of what is loaded at once, however much it is.
    pub(super) const NONE: Bounds = Bounds {
        bytes: usize::MAX,
        extent: None,
    };
}

/// A round that is being loaded.
pub(super) struct RoundLoad<'a> {
    asker: &'a Asker<'a>,
    interrupted: &'a AtomicBool,
    pub(super) store: RowStore,
    /// Keys that the rows so far have fed.
    pub(super) slots: HashMap<SlotId, Vec<Key>, FixedState>,
    shelf: &'a Shelf,
    presence: &'a Presence,
    bounds: Bounds,
    /// Rows that have come.
    rows: u64,
    too_large: bool,
}

impl Asker<'_> {
    /// A store for a round without rows.
    pub(crate) fn store(&self) -> RowStore {
        self.store_of(usize::MAX, std::path::Path::new(""))
    }

    /// A store for a round, whose top-level rows are found by their own key, by this hop.
    fn store_of_round(&self, top: HopId, key: &KeyShape) -> RowStore {
        let hops = self.plan.hops.enumerate();
        let by_integers = hops.map(|(id, hop)| match id == top {
            true => key.is_integer(),
            false => hop.shape.is_integer(),
        });
        // Nothing is moved out: a round is cut so that it fits.
        RowStore::new(by_integers, usize::MAX, std::path::Path::new(""))
    }

    /// A store that moves rows out of memory beyond so many bytes.
    pub(super) fn store_of(&self, limit: usize, temp_dir: &std::path::Path) -> RowStore {
        let by_integers = self.plan.hops.iter().map(|hop| hop.shape.is_integer());
        RowStore::new(by_integers, limit, temp_dir)
    }

    /// Loads the top-level rows of these keys (sorted, each once), with all that nests below them.
    ///
    /// # Errors
    /// Purpose [`Asker::read`].
    pub(crate) fn round(
        &self,
        relation: &PlanRelation,
        node: &PlanNode,
        ids: &[Key],
        bounds: Bounds,
        live: &Live,
        interrupted: &AtomicBool,
    ) -> Result<Loaded, AskFailure> {
        let table = &self.plan.tables[node.table];
        let (Some(top), Some((columns, shape))) = (node.last_hops().next(), table.askable_key())
        else {
            // Whoever asks has made sure of both.
            return Err(AskFailure::relation(format!(
                "table {}: its rows have no key that they can be asked for by",
                table.name
            )));
        };
        let mut load = RoundLoad::new(
            self,
            live,
            interrupted,
            self.store_of_round(top, &shape),
            bounds,
        );
        let question = KeyQuestion::new(table, columns, &shape, ids)?;
        load.ask(
            node.table,
            question.predicate().into_iter().collect(),
            &Purpose::HopByPrimaryKey(top),
            None,
        )?;
        let mut got: Vec<IndexKey> = load.store.all(top).map(|(key, _)| key).collect();
        got.sort_unstable();
        if got.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(AskFailure::relation(format!(
                "table {}: two rows have the same {}, by which rows are asked for; name a unique column as the table's key, \
                 or export from a snapshot of the server (`relexport snapshot take`)",
                table.name,
                table.key_name()
            )));
        }
        let mut wanted: Vec<IndexKey> = ids.iter().filter_map(|id| shape.index(id)).collect();
        wanted.sort_unstable();
        if got != wanted && !load.too_large {
            return Err(AskFailure::relation(format!(
                "table {}: the server gave keys of rows, but not their rows",
                table.name
            )));
        }
        let steps = node.steps.iter().flat_map(|step| &step.reach);
        let is_top = |hop: &HopId| steps.clone().any(|reach| reach.hop == *hop);
        for hop in relation.hops.iter().copied().filter(|hop| !is_top(hop)) {
            if load.too_large {
                return Ok(Loaded::TooLarge);
            }
            load.hop(hop)?;
        }
        if load.too_large {
            return Ok(Loaded::TooLarge);
        }
        load.unite_below(node)?;
        load.store.sort(None);
        Ok(Loaded::Rows(load.store))
    }

    /// Loads all rows of a relation of an entity, by every hop of it: those of a table without a key cannot be asked for one
    /// by one. Beyond the limit they go to a temp file.
    ///
    /// # Errors
    /// Purpose [`Asker::read`].
    pub(crate) fn whole(
        &self,
        relation: &PlanRelation,
        node: &PlanNode,
        entity: &EntityRequest,
        live: &Live,
        interrupted: &AtomicBool,
    ) -> Result<RowStore, AskFailure> {
        let mut load = RoundLoad::new(
            self,
            live,
            interrupted,
            self.store_of(live.limits.memory, &live.limits.temp_dir),
            Bounds::NONE,
        );
        load.slots = self.first_keys(&relation.hops, std::slice::from_ref(entity));
        for hop in relation.hops.iter().copied() {
            load.hop(hop)?;
        }
        load.unite_steps(&node.steps)?;
        load.unite_below(node)?;
        load.store.sort(None);
        Ok(load.store)
    }

    /// The keys of entities, in the slots of these hops that are theirs.
    pub(super) fn first_keys(
        &self,
        hops: &[HopId],
        entities: &[EntityRequest],
    ) -> HashMap<SlotId, Vec<Key>, FixedState> {
        let mut slots: HashMap<SlotId, Vec<Key>, FixedState> = HashMap::default();
        for hop in hops {
            let slot = self.plan.hops[*hop].slot;
            let planned = &self.plan.slots[slot];
            let from = match &planned.source {
                SlotSource::EntityKey(_) => ReachedFrom::EntityKey,
                SlotSource::EntityRoot(_) => ReachedFrom::EntityRoot,
                SlotSource::Everything => ReachedFrom::Everything,
                SlotSource::Collected { .. } | SlotSource::Given { .. } => ReachedFrom::Collected,
                SlotSource::Rows { .. } | SlotSource::Tree { .. } => continue,
            };
            let keys = entities
                .iter()
                .flat_map(|request| request.keys(&from, &planned.shape));
            slots.entry(slot).or_insert_with(|| keys.collect());
        }
        slots
    }
}

impl<'a> RoundLoad<'a> {
    /// Rows that go into a store.
    pub(super) fn new(
        asker: &'a Asker<'a>,
        live: &'a Live,
        interrupted: &'a AtomicBool,
        store: RowStore,
        bounds: Bounds,
    ) -> Self {
        RoundLoad {
            asker,
            interrupted,
            store,
            slots: HashMap::default(),
            shelf: &live.shelf,
            presence: &live.presence,
            bounds,
            rows: 0,
            too_large: false,
        }
    }

    /// Makes rows below a node that several hops found one row each.
    fn unite_below(&mut self, node: &PlanNode) -> Result<(), AskFailure> {
        for nested in &node.nested {
            let PlanNested::Node(child) = nested else {
                continue;
            };
            self.unite_steps(&child.steps)?;
            self.unite_below(child)?;
        }
        Ok(())
    }

    /// Makes rows that several hops of a step found one row each. A row that comes behind several rows of a join table is one
    /// already: a hop asks for it once.
    fn unite_steps(&mut self, steps: &[Step]) -> Result<(), AskFailure> {
        for step in steps {
            let hops: Vec<HopId> = step.reach.iter().map(|reach| reach.hop).collect();
            let table = &self.asker.plan.tables[step.table];
            let by_key = table.integer_key().is_some();
            if hops.len() > 1 && !self.store.unite(&hops, by_key) {
                return Err(AskFailure::relation(format!(
                    "table {}: two rows have the same {}, by which rows of several links are told apart",
                    table.name,
                    table.key_name()
                )));
            }
        }
        Ok(())
    }

    /// Asks for the rows that a hop finds by the keys that the hops before it have fed; those of a tree again and again.
    pub(super) fn hop(&mut self, id: HopId) -> Result<(), AskFailure> {
        let slot = self.asker.plan.hops[id].slot;
        let is_tree = matches!(self.asker.plan.slots[slot].source, SlotSource::Tree { .. });
        let mut asked: HashSet<Key, FixedState> = HashSet::default();
        loop {
            let Some(keys) = self.slots.get_mut(&slot) else {
                return Ok(());
            };
            keys.sort_unstable();
            keys.dedup();
            let mut new = keys.clone();
            new.retain(|key| !asked.contains(key));
            if new.is_empty() && is_tree {
                return Ok(());
            }
            if is_tree {
                asked.extend(new.iter().cloned());
            }
            self.hop_by(id, new)?;
            if !is_tree || self.too_large {
                return Ok(());
            }
        }
    }

    fn hop_by(&mut self, id: HopId, mut keys: Vec<Key>) -> Result<(), AskFailure> {
        let hop = &self.asker.plan.hops[id];
        let table = &self.asker.plan.tables[hop.table];
        self.presence.retain(id, &mut keys);
        // What others belong to, many belong to.
        let key = table.askable_key();
        let is_shared = hop.filter.is_empty()
            && key.is_some_and(|(columns, shape)| hop.child == columns && hop.shape == shape);
        if is_shared {
            let known = self.shelf.take(hop.table, &mut keys);
            let scanned = self.asker.known(hop.table, &Purpose::Hop(id), known)?;
            if self.take(&scanned)?.is_break() {
                return Ok(());
            }
        }
        let before = self.rows;
        for keys in keys.chunks(KEYS) {
            if self.too_large {
                return Ok(());
            }
            let shared = is_shared.then_some((keys, &hop.shape));
            let question = hop.question(table, keys)?;
            let predicates = hop.predicates(&question);
            self.ask(hop.table, predicates, &Purpose::Hop(id), shared)?;
        }
        let vain = (keys.len() as u64).saturating_sub(self.rows - before);
        self.learn(id, vain)
    }

    /// Asks which keys a hop finds rows by at all, if that spares the server more than it costs.
    fn learn(&self, id: HopId, vain: u64) -> Result<(), AskFailure> {
        let hop = &self.asker.plan.hops[id];
        let table = &self.asker.plan.tables[hop.table];
        let (Some(extent), [column]) = (self.bounds.extent, hop.child.as_slice()) else {
            return Ok(());
        };
        let layout = table.layout.iter().find(|kept| kept.name == *column);
        let is_integer = layout.is_some_and(|column| column.sql_type.is_integer());
        let size = self.asker.source.estimate(&table.name);
        let (true, Some(size)) = (is_integer && hop.shape.is_integer(), size) else {
            return Ok(());
        };
        let Some(most) = self.presence.note(id, extent, vain, size.rows) else {
            return Ok(());
        };
        match self.asker.present(hop, column, most, self.interrupted) {
            Ok(filter) => filter
                .into_iter()
                .for_each(|filter| self.presence.keep(id, filter)),
            // Then they are asked for one by one.
            Err(AskFailure::Relation(refusal)) => {
                tracing::debug!("table {}: {}", table.name, refusal.reason);
            }
            Err(failure @ AskFailure::Run(_)) => return Err(failure),
        }
        Ok(())
    }

    fn ask(
        &mut self,
        table: TableId,
        predicates: Vec<Predicate<'_>>,
        purpose: &Purpose,
        shared: Option<(&[Key], &KeyShape)>,
    ) -> Result<(), AskFailure> {
        let (asker, interrupted, shelf) = (self.asker, self.interrupted, self.shelf);
        let mut found: HashMap<IndexKey, Vec<Vec<u8>>, FixedState> = HashMap::default();
        asker.rows(table, predicates, purpose, interrupted, &mut |scanned| {
            if shared.is_some() {
                for it in &scanned.found {
                    let row = scanned.kept[scanned.ranges[it.row].clone()].to_vec();
                    found.entry(it.key).or_default().push(row);
                }
            }
            self.take(&scanned)
        })?;
        if let Some((keys, shape)) = shared.filter(|_| !self.too_large) {
            let rows = keys.iter().flat_map(|key| {
                let rows = shape.index(key).and_then(|index| found.get(&index));
                let rows = rows.map(Vec::as_slice).unwrap_or_default();
                rows.iter().map(|row| (key.clone(), row.as_slice()))
            });
            shelf.put(table, keys, rows);
        }
        Ok(())
    }

    fn take(&mut self, scanned: &Scanned) -> Result<ControlFlow<()>, AskFailure> {
        self.rows += scanned.rows;
        let mut places = Vec::with_capacity(scanned.ranges.len());
        for range in &scanned.ranges {
            let at = self.store.push(&scanned.kept[range.clone()]);
            places.push(at.map_err(failed)?);
        }
        for found in &scanned.found {
            let (id, at) = (found.id, places[found.row]);
            let entered = self.store.enter(found.hop, found.key, Entry { id, at });
            entered.map_err(failed)?;
        }
        for (slot, key) in &scanned.fed_texts {
            self.slots.entry(*slot).or_default().push(key.clone());
        }
        self.too_large = self.store.in_use() > self.bounds.bytes;
        Ok(match self.too_large {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

pub(super) fn failed(error: std::io::Error) -> AskFailure {
    AskFailure::Run(error.into())
}
