//! Walking: every row that the trees of the chosen entities are made of, once, hop by hop.
//!
//! Nothing is nested and nothing is kept but keys. The rows come from where resolving left them: kept from a dump, or
//! asked of a server.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::atomic::AtomicBool;

use foldhash::fast::{FixedState, RandomState};

use super::entities::EntityInfo;
use super::error::ResolveError;
use super::interrupt::check_interrupted;
use super::keys::{CopyFields, Key, KeyRead, KeyShape, entity_index, entity_key};
use super::live::Live;
use super::plan::{HopId, IdVec, KindId, Plan, Slot, SlotId, SlotSource, TableId};
use super::resolved::{Resolved, RowSource};
use super::store::{RowAt, RowStore};
use crate::snapshot::codec::copy_text;

/// Takes a row: its table and its fields by the table's layout, in COPY text without a line end.
pub type TakeRow<'a> = &'a mut dyn FnMut(TableId, &[u8]) -> Result<(), ResolveError>;

/// Hands out the rows of all relations of some of the entities, those that records refer to included.
///
/// Memory holds where the rows are, some 16 bytes for each; of a server's rows their keys and hashes, some 60 bytes.
///
/// # Errors
/// `take`'s, those of reading, and the interruption of the run.
pub fn walk(
    resolved: &Resolved,
    entities: &[EntityInfo],
    interrupted: &AtomicBool,
    take: TakeRow<'_>,
) -> Result<(), ResolveError> {
    let plan = &*resolved.plan;
    let mut walk = Walk {
        plan,
        interrupted,
        keys: plan.slots.map(|slot| first_keys(slot, entities)),
        kept: HashSet::default(),
        asked: plan.tables.map(|_| HashMap::default()),
        take,
    };
    let others = of_other_schemas(plan, entities);
    let hops = plan.hops.ids().filter(|hop| !others.contains(hop));
    let mut open: Vec<HopId> = hops.collect();
    while !open.is_empty() {
        // A hop's keys are known when all hops that feed its slot are done.
        let fed = |hop: &HopId| {
            let sources = plan.slots[plan.hops[*hop].slot].source.hops();
            !sources.iter().any(|source| open.contains(source))
        };
        let (ready, waiting): (Vec<HopId>, Vec<HopId>) = open.iter().partition(|hop| fed(hop));
        if ready.is_empty() {
            return Err(ResolveError::Broken("the pipeline's links go in a circle"));
        }
        for hop in ready {
            walk.hop(hop, &resolved.rows)?;
        }
        open = waiting;
    }
    Ok(())
}

/// How many rows the hops right below an entity have found of it: a measure of how much there is of it, though not of what lies
/// further below. None of a server's rows is counted.
pub fn rows_right_below(resolved: &Resolved, entity: &EntityInfo) -> u64 {
    let RowSource::Kept(store) = &resolved.rows else {
        return 0;
    };
    let plan = &*resolved.plan;
    let hops = plan
        .hops
        .enumerate()
        .map(|(id, hop)| (id, &plan.slots[hop.slot]));
    let below = hops.filter(|(_, slot)| slot.source == SlotSource::EntityKey(entity.kind));
    let rows = below.map(|(hop, slot)| {
        let key = entity_index(&slot.shape, &entity.id);
        key.map_or(0, |key| store.found(hop, key).count() as u64)
    });
    rows.sum()
}

/// The keys that a slot has before any row is found.
fn first_keys(slot: &Slot, entities: &[EntityInfo]) -> Vec<Key> {
    let entities = |kind: KindId| entities.iter().filter(move |entity| entity.kind == kind);
    match &slot.source {
        SlotSource::EntityKey(kind) => entities(*kind)
            .filter_map(|it| entity_key(&slot.shape, &it.id))
            .collect(),
        SlotSource::EntityRoot(kind) => entities(*kind)
            .filter_map(|it| entity_key(&slot.shape, &it.root))
            .collect(),
        SlotSource::Everything => vec![Key::Integer(0)],
        SlotSource::Given { keys } => keys.clone(),
        SlotSource::Rows { .. } | SlotSource::Tree { .. } | SlotSource::Collected { .. } => {
            Vec::new()
        }
    }
}

/// The hops that need no key and find rows of none of these entities: those of other schemas.
fn of_other_schemas(plan: &Plan, entities: &[EntityInfo]) -> HashSet<HopId, FixedState> {
    let sets: BTreeSet<usize> = entities.iter().map(|entity| entity.set).collect();
    let relations = plan.sets.iter().enumerate();
    let relations = relations
        .filter(|(set, _)| !sets.contains(set))
        .flat_map(|(_, relations)| relations.clone());
    let hops = relations.flat_map(|relation| &plan.relations[relation].hops);
    let needs_no_key = |hop: &&HopId| {
        let slot = &plan.slots[plan.hops[**hop].slot];
        slot.source == SlotSource::Everything
    };
    hops.filter(needs_no_key).copied().collect()
}

struct Walk<'a> {
    plan: &'a Plan,
    interrupted: &'a AtomicBool,
    /// By slot.
    keys: IdVec<SlotId, Vec<Key>>,
    /// Where the kept rows are that have been handed out.
    kept: HashSet<RowAt, FixedState>,
    /// Rows of a server that have been handed out, by table: their ids and hashes.
    asked: IdVec<TableId, HashMap<(i64, u64), Copies, RandomState>>,
    take: TakeRow<'a>,
}

/// How often a row came by that looks the same. A hop finds a row once, and rows that are equal in all columns are found by
/// the same hops: so there are as many of them as one hop has found.
struct Copies {
    handed_out: u32,
    /// The hop that found it last, and how often.
    hop: HopId,
    found: u32,
}

impl Walk<'_> {
    fn hop(&mut self, hop: HopId, rows: &RowSource) -> Result<(), ResolveError> {
        let slot = self.plan.hops[hop].slot;
        let mut walked: HashSet<Key, FixedState> = HashSet::default();
        // The rows of a tree lead to others of it.
        loop {
            let mut keys = self.keys[slot].clone();
            keys.sort_unstable();
            keys.dedup();
            keys.retain(|key| !walked.contains(key));
            if keys.is_empty() {
                return Ok(());
            }
            match rows {
                RowSource::Kept(store) => self.kept(hop, &keys, store)?,
                RowSource::Live(live) => self.live(hop, &keys, live)?,
            }
            if !matches!(self.plan.slots[slot].source, SlotSource::Tree { .. }) {
                return Ok(());
            }
            walked.extend(keys);
        }
    }

    fn kept(&mut self, hop: HopId, keys: &[Key], store: &RowStore) -> Result<(), ResolveError> {
        let feeds = self.feeds(hop);
        let mut moved = Vec::new();
        for key in keys {
            check_interrupted(self.interrupted)?;
            let slot = &self.plan.slots[self.plan.hops[hop].slot];
            let Some(key) = slot.shape.index(key) else {
                continue;
            };
            for entry in store.found(hop, key) {
                let row = match store.get(entry.at) {
                    Some(row) => row,
                    None => {
                        moved.clear();
                        store.read(entry.at, &mut moved)?;
                        &moved
                    }
                };
                let is_new = self.kept.insert(entry.at);
                self.row(hop, &feeds, is_new, row)?;
            }
        }
        Ok(())
    }

    fn live(&mut self, hop: HopId, keys: &[Key], live: &Live) -> Result<(), ResolveError> {
        let feeds = self.feeds(hop);
        let table = self.plan.hops[hop].table;
        live.rows_of(hop, keys, self.interrupted, &mut |id, row| {
            let copies = &mut self.asked[table];
            let hash = copies.hasher().hash_one(row);
            let copies = copies.entry((id, hash)).or_insert(Copies {
                handed_out: 0,
                hop,
                found: 0,
            });
            if copies.hop != hop {
                (copies.hop, copies.found) = (hop, 0);
            }
            copies.found += 1;
            let is_new = copies.found > copies.handed_out;
            copies.handed_out += u32::from(is_new);
            self.row(hop, &feeds, is_new, row)
        })
    }

    /// The slots that rows of a hop feed, with the layout positions that they take.
    fn feeds(&self, hop: HopId) -> Vec<WalkFeed> {
        let table = &self.plan.tables[self.plan.hops[hop].table];
        let feeds = self.plan.feeds(hop).into_iter();
        feeds
            .filter_map(|feed| {
                let columns = feed.columns.iter().map(|column| table.column(column));
                Some(WalkFeed {
                    slot: feed.slot,
                    columns: columns.collect::<Option<_>>()?,
                    shape: feed.shape,
                })
            })
            .collect()
    }

    fn row(
        &mut self,
        hop: HopId,
        feeds: &[WalkFeed],
        is_new: bool,
        row: &[u8],
    ) -> Result<(), ResolveError> {
        let table = self.plan.hops[hop].table;
        let mut fields = Vec::new();
        copy_text::next_row(row, 0, &mut fields);
        let fields = CopyFields {
            bytes: row,
            fields: &fields,
        };
        for feed in feeds {
            match feed.shape.read_key(&fields, &feed.columns) {
                KeyRead::Is(key) => self.keys[feed.slot].push(key),
                // What is no value of its type fails the export's relation, here and there alike.
                KeyRead::Null | KeyRead::Wrong(_) => {}
            }
        }
        match is_new {
            true => (self.take)(table, row),
            false => Ok(()),
        }
    }
}

/// A slot that rows feed from these columns of their layout.
struct WalkFeed {
    slot: SlotId,
    columns: Vec<usize>,
    shape: KeyShape,
}
