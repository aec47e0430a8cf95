//! How much of the tables of a snapshot belongs to the entities of a run, as the first rows of each tell.
//!
//! A database is read as a whole, whoever is wanted of it, and what is made of it may be next to nothing, or all. Who cuts
//! work wants to know that before it is done, and roughly is enough.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::snapshot::{Block, BlockHead, Catalog, Event, TableName, TablePart, TableSource};

use super::entities::EntityInfo;
use super::keys::{KeySet, entity_index};
use super::plan::{HopId, Plan, PlanRelation, SlotSource, TableId};
use super::scan::{HopToScan, ScanFor, Scanner};

/// Bytes of rows that are looked at of a part of a table.
const LOOKED_AT: usize = 512 << 10;

/// Parts of a table that are looked at: the largest.
const PARTS: usize = 3;

/// Of all bytes, the part of which a relation's tables have to have more for it to be worth a look.
const WORTH: u64 = 200;

/// A share that is everything.
pub const ALL_ROWS: u64 = 1000;

/// Of each relation of a plan, how much of the rows that its way begins with is of these entities, [`ALL_ROWS`] being
/// all. A relation is taken for whole if that is not known, or it is small.
pub fn shares(
    plan: &Plan,
    entities: &[EntityInfo],
    source: &dyn TableSource,
    sizes: &BTreeMap<TableName, u64>,
) -> Vec<u64> {
    let size = |table: &TableId| sizes.get(&plan.tables[*table].name).copied();
    // What a snapshot says of its sizes may be anything.
    let all = sizes.values().copied().fold(0, u64::saturating_add);
    let is_large = |relation: &PlanRelation| {
        let own = relation.tables.iter().filter_map(size);
        own.fold(0, u64::saturating_add) > all / WORTH
    };
    let mut samples: BTreeMap<TableId, Sample> = BTreeMap::new();
    let relations = plan.relations.iter();
    let shares = relations.map(|relation| {
        let first = first_hops(plan, relation);
        if first.is_empty() || !is_large(relation) {
            return ALL_ROWS;
        }
        let tables: BTreeSet<TableId> = first.iter().map(|hop| plan.hops[*hop].table).collect();
        let (mut found, mut bytes) = (0.0, 0.0);
        for table in tables {
            let sample = samples
                .entry(table)
                .or_insert_with(|| Sample::of(plan, table, entities, source));
            if sample.is_unknown {
                return ALL_ROWS;
            }
            found += sample.found(&first);
            bytes += sample.bytes();
        }
        match bytes > 0.0 {
            // Between 0 and 1.
            true => (found / bytes * ALL_ROWS as f64) as u64,
            // There are no rows.
            false => 0,
        }
    });
    shares.collect()
}

/// The hops that lead from the entities to rows; none if rows of everybody are wanted.
fn first_hops(plan: &Plan, relation: &PlanRelation) -> HashSet<HopId> {
    let is_first = |hop: &HopId| {
        let source = &plan.slots[plan.hops[*hop].slot].source;
        matches!(source, SlotSource::EntityKey(_) | SlotSource::EntityRoot(_))
    };
    relation.hops.iter().copied().filter(is_first).collect()
}

/// What the first rows of a table's parts tell.
#[derive(Debug, Default)]
struct Sample {
    /// Of those that have rows.
    parts: Vec<PartSample>,
    /// Nothing can be told of some part.
    is_unknown: bool,
}

/// What the first rows of a part of a table tell.
#[derive(Debug)]
struct PartSample {
    size: u64,
    rows: u64,
    /// The hops by which each row was found that is of the entities.
    found: Vec<Vec<HopId>>,
}

impl Sample {
    fn of(
        plan: &Plan,
        table: TableId,
        entities: &[EntityInfo],
        source: &dyn TableSource,
    ) -> Sample {
        let mut parts = source.parts(&plan.tables[table].name);
        parts.sort_by_key(|part| (std::cmp::Reverse(part.size), part.index));
        parts.truncate(PARTS);
        let catalog = source.catalog();
        let look =
            |part: &TablePart| PartSample::of(plan, (table, entities), source, &catalog, part);
        let looked: Option<Vec<PartSample>> = parts.iter().map(look).collect();
        let mut sample = Sample {
            is_unknown: looked.is_none(),
            parts: looked.unwrap_or_default(),
        };
        sample.parts.retain(|part| part.rows > 0);
        sample
    }

    fn bytes(&self) -> f64 {
        self.parts.iter().map(|part| part.size as f64).sum()
    }

    fn found(&self, hops: &HashSet<HopId>) -> f64 {
        let parts = self.parts.iter();
        let found = parts.map(|part| {
            let found = part.found.iter();
            let found = found
                .filter(|by| by.iter().any(|hop| hops.contains(hop)))
                .count();
            part.size as f64 * found as f64 / part.rows as f64
        });
        found.sum()
    }
}

impl PartSample {
    /// `None` if nothing can be told of its rows. What is wrong with them is told by whoever reads all of them.
    fn of(
        plan: &Plan,
        (table, entities): (TableId, &[EntityInfo]),
        source: &dyn TableSource,
        catalog: &Catalog,
        part: &TablePart,
    ) -> Option<PartSample> {
        let mut sample = PartSample {
            size: part.size,
            rows: 0,
            found: Vec::new(),
        };
        let mut scanner: Option<Scanner> = None;
        let mut seen = 0;
        let mut is_known = true;
        let read = source.read(part, &mut |event| match event {
            Event::Begin(head) => {
                scanner = scanner_of(plan, (table, entities), catalog, &head);
                ControlFlow::Continue(())
            }
            Event::Rows(block) => {
                let Some(scanner) = &scanner else {
                    is_known = false;
                    return ControlFlow::Break(());
                };
                seen += block.bytes().len();
                sample.take(scanner, &block);
                match seen < LOOKED_AT {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            }
            // Damage is told by whoever reads all of the table.
            Event::Catalog(..)
            | Event::Keys(_)
            | Event::End(_)
            | Event::Damage(_)
            | Event::DatabaseEnd(_)
            | Event::Holdings(_) => ControlFlow::Continue(()),
        });
        read.ok().filter(|()| is_known).map(|()| sample)
    }

    fn take(&mut self, scanner: &Scanner, block: &Block) {
        let scanned = scanner.scan(block);
        self.rows += scanned.rows;
        let mut by_row: BTreeMap<usize, Vec<HopId>> = BTreeMap::new();
        for found in &scanned.found {
            by_row.entry(found.row).or_default().push(found.hop);
        }
        self.found.extend(by_row.into_values());
    }
}

/// What finds rows of the entities in a table's data.
fn scanner_of(
    plan: &Plan,
    (table, entities): (TableId, &[EntityInfo]),
    catalog: &Catalog,
    head: &Arc<BlockHead>,
) -> Option<Scanner> {
    let hops = plan.hops_onto(table).filter_map(|id| {
        let hop = &plan.hops[id];
        let slot = &plan.slots[hop.slot];
        let (kind, is_root) = match slot.source {
            SlotSource::EntityKey(kind) => (kind, false),
            SlotSource::EntityRoot(kind) => (kind, true),
            SlotSource::Everything
            | SlotSource::Rows { .. }
            | SlotSource::Tree { .. }
            | SlotSource::Collected { .. }
            | SlotSource::Given { .. } => return None,
        };
        let own = entities.iter().filter(|entity| entity.kind == kind);
        let keys = own.filter_map(|entity| {
            let key = match is_root {
                true => &entity.root,
                false => &entity.id,
            };
            entity_index(&slot.shape, key)
        });
        Some(HopToScan {
            hop: id,
            child: hop.child.iter().map(String::as_str).collect(),
            shape: hop.shape.clone(),
            tests: &hop.tests,
            keys: Some(Arc::new(KeySet::of(
                keys.collect(),
                slot.shape.is_integer(),
            ))),
            feeds: Vec::new(),
            own_slot: None,
        })
    });
    let definition = catalog.table(&head.table)?;
    let purpose = ScanFor::default();
    Scanner::new(
        &plan.tables[table],
        definition,
        head,
        hops.collect(),
        purpose,
    )
    .ok()
}
