//! The resolver's state: which hops are done, which rows are kept, which wait.
//!
//! It is fed by a driver (one for streams, one for tables that can be opened at will) with what the
//! snapshot says, in whatever order, and never reads a snapshot itself. A slot is *sealed* when every
//! hop that feeds it is done; a hop is *done* when its slot is sealed and its table has gone by and no row of it
//! waits any more. While a table goes by, hops whose slot is sealed are decided at once; the rows of the
//! others are staged.

mod chosen;
mod coverage;
mod finish;
mod job;
mod rows;
mod settle;
mod staging;
mod table_state;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::fan_out::FanOut;
use crate::key::KeyForm;
use crate::snapshot::{BlockHead, Catalog, TableName};
use crate::timings::Phase;

use super::directory::Directories;
use super::entities::{Choice, EntityInfo};
use super::error::ResolveError;
use super::keys::{IndexKey, KeySet, KeyShape, OpenKeys, entity_index};
use super::plan::{HopId, IdVec, KindId, Plan, Slot, SlotId, SlotSource, TableId};
use super::request::{Limits, Request};
use super::scan::{HeadError, HopToScan, ScanFor, Scanner};
use super::store::RowStore;
use chosen::KindState;
use job::Job;
use table_state::{Progress, TableState};

/// Where the keys of a slot stand.
enum SlotState {
    /// More may come.
    Open(OpenKeys),
    /// These are all.
    Sealed(Arc<KeySet>),
}

impl SlotState {
    fn sealed(&self) -> Option<&Arc<KeySet>> {
        match self {
            SlotState::Sealed(keys) => Some(keys),
            SlotState::Open(_) => None,
        }
    }
}

/// The rows of one snapshot that a plan needs, while they are being found.
pub(super) struct Resolver {
    pub plan: Arc<Plan>,
    catalog: Arc<Catalog>,
    kinds: IdVec<KindId, KindState>,
    directories: Directories,
    tables: IdVec<TableId, TableState>,
    hop_done: IdVec<HopId, bool>,
    slots: IdVec<SlotId, SlotState>,
    /// Of slots of trees: the key of a row that others may be above, and the row's own.
    below: HashMap<SlotId, Vec<(IndexKey, IndexKey)>>,
    store: RowStore,
    limits: Limits,
    staged_bytes: u64,
    /// Bytes of blocks that were given while a hop onto their table had to wait.
    may_wait: u64,
    fan_out: FanOut<std::io::Result<Job>>,
    /// A table without data is taken as an empty one.
    allow_missing: bool,
    /// Tables of which more might have come if the snapshot had not been cut off.
    cut_off: BTreeMap<TableId, Option<String>>,
    /// Whether a table that went by may be taken as complete before the snapshot's end.
    seal_early: bool,
    at_end: bool,
}

impl Resolver {
    pub(crate) fn new(plan: Plan, catalog: Arc<Catalog>, request: &Request<'_>) -> Self {
        let plan = Arc::new(plan);
        let (pool, limits) = (Arc::clone(&request.pool), request.limits.clone());
        let window = pool.current_num_threads() * 2;
        let states = plan.kinds.iter().zip(request.kinds);
        let kinds: IdVec<KindId, KindState> = states
            .map(|(planned, kind)| KindState::new(planned, kind.choice.clone()))
            .collect();
        // If rows of every entity are candidates, most of what is kept will not be wanted: memory
        // is better left to other things.
        let is_by_path = |kind: &KindState| {
            matches!(kind.choice, Choice::Named { .. }) && !kind.is_schemas && kind.named.is_none()
        };
        let rows_in_memory = match kinds.iter().any(is_by_path) {
            true => limits.memory / 2,
            false => limits.memory,
        };
        let entities = request.kinds.iter().map(|kind| &kind.pipeline.entity);
        Resolver {
            directories: Directories::new(entities, &plan, request.stop_early),
            kinds,
            tables: plan.tables.map(|_| TableState::default()),
            hop_done: plan.hops.map(|_| false),
            slots: plan.slots.map(|_| SlotState::Open(OpenKeys::default())),
            below: HashMap::new(),
            store: RowStore::new(
                plan.hops.iter().map(|hop| hop.shape.is_integer()),
                rows_in_memory,
                &limits.temp_dir,
            ),
            fan_out: FanOut::new(pool, window, Phase::Scan),
            allow_missing: request.allow_missing,
            cut_off: BTreeMap::new(),
            seal_early: !request.seal_late,
            at_end: false,
            staged_bytes: 0,
            may_wait: 0,
            plan,
            catalog,
            limits,
        }
    }

    /// Says who the entities of a kind are, which rows do not.
    pub(crate) fn choose(&mut self, kind: KindId, entities: Vec<EntityInfo>) {
        self.kinds[kind].known = Some(entities);
    }

    /// Seals the entity slots as far as they are known before any row: with the keys that the user named, or, if
    /// `candidates` says that rows may go by before the entities are known, with every key of a kind whose entities may be
    /// few among the rows that link to them.
    pub(crate) fn begin(&mut self, candidates: bool) {
        for (slot, planned) in self.plan.slots.enumerate() {
            let known = match &planned.source {
                SlotSource::Everything => Some(KeySet::Any),
                SlotSource::Given { keys } => {
                    let keys = keys.iter().filter_map(|key| planned.shape.index(key));
                    Some(KeySet::of(keys.collect(), planned.shape.is_integer()))
                }
                SlotSource::EntityKey(kind) => match &self.kinds[*kind].named {
                    // How the snapshot writes them only their rows say.
                    Some(_) if self.depends_on_letters(*kind, &planned.shape) => None,
                    Some(names) => {
                        let keys = names
                            .iter()
                            .filter_map(|name| entity_index(&planned.shape, name));
                        Some(KeySet::of(keys.collect(), planned.shape.is_integer()))
                    }
                    None => self.is_every(*kind, candidates).then_some(KeySet::Any),
                },
                SlotSource::EntityRoot(kind) => {
                    let is_every =
                        self.kinds[*kind].named.is_none() && self.is_every(*kind, candidates);
                    is_every.then_some(KeySet::Any)
                }
                SlotSource::Rows { .. }
                | SlotSource::Tree { .. }
                | SlotSource::Collected { .. } => None,
            };
            if let Some(keys) = known {
                self.slots[slot] = SlotState::Sealed(Arc::new(keys));
            }
        }
    }

    /// True if keys of entities that are equal lead to different rows by this shape: those of citext, in which case does not
    /// count, beside a text.
    fn depends_on_letters(&self, kind: KindId, shape: &KeyShape) -> bool {
        let form = self.plan.kinds[kind].key.as_ref().map(|key| key.form);
        form == Some(KeyForm::Folded) && shape.forms() != [KeyForm::Folded]
    }

    /// The table of the plan that these rows belong to.
    pub(crate) fn table(&self, name: &TableName) -> Option<TableId> {
        self.plan.table(name)
    }

    /// The keys of a hop, once they are known.
    fn keys_of(&self, hop: HopId) -> Option<&Arc<KeySet>> {
        self.slots[self.plan.hops[hop].slot].sealed()
    }

    /// True if no row of the table needs to wait for another table: the keys of every hop onto it are known, or
    /// come from rows of its own (a parent in the same table).
    pub(crate) fn is_ready(&self, table: TableId) -> bool {
        self.plan.hops_onto(table).all(|hop| {
            let sources = self.plan.slots[self.plan.hops[hop].slot].source.hops();
            let own = |source: &HopId| self.plan.hops[*source].table == table;
            self.keys_of(hop).is_some() || !sources.is_empty() && sources.iter().all(own)
        })
    }

    /// True if the keys of some hop onto the table are known.
    pub(crate) fn is_begun(&self, table: TableId) -> bool {
        let mut hops = self.plan.hops_onto(table);
        hops.any(|hop| self.keys_of(hop).is_some())
    }

    /// Number of hops onto the table whose keys are not known yet.
    pub(crate) fn open_hops(&self, table: TableId) -> usize {
        let hops = self.plan.hops_onto(table);
        hops.filter(|hop| self.keys_of(*hop).is_none()).count()
    }

    /// True if every table of the plan has gone by.
    pub(crate) fn is_through(&self) -> bool {
        self.tables.iter().all(TableState::is_gone)
    }

    /// Data of a table begins.
    ///
    /// # Errors
    /// [`ResolveError::Reappeared`] if rows were decided as if the table had been complete before.
    pub(crate) fn begin_table(
        &mut self,
        table: TableId,
        head: &Arc<BlockHead>,
    ) -> Result<(), ResolveError> {
        if self.tables[table].is_gone() {
            self.reopen(table)?;
        }
        if !self.tables[table].is_seen() {
            let hops = self.plan.hops_onto(table);
            let open = hops.filter(|hop| self.keys_of(*hop).is_none());
            let open = open.collect();
            self.tables[table].staging.begin(open);
        }
        let scanner = self
            .scanner(table, head, Pass::Snapshot)
            .and_then(|scanner| match scanner.unlinked() {
                // Who the entities are must be known before anything else, so this cannot wait for other parts of the data.
                Some(column) if self.plan.tables[table].is_observed() => {
                    Err(HeadError::NoColumn(column.to_owned()))
                }
                Some(_) | None => Ok(scanner),
            });
        let state = &mut self.tables[table];
        let current = match scanner {
            Ok(scanner) => {
                if !state.coverage.begin(head.form, scanner.absent().collect()) {
                    state.trouble.broken =
                        Some("parts of the table's data have different columns".to_owned());
                }
                Some((Arc::clone(head), Arc::new(scanner)))
            }
            Err(error) => {
                state.broken(error.to_string());
                None
            }
        };
        state.progress = Progress::Reading(current);
        Ok(())
    }

    /// More data comes of a table that was thought to have gone by.
    fn reopen(&mut self, table: TableId) -> Result<(), ResolveError> {
        // Who the entities are was decided without these rows.
        let decided = self.is_decided_by(table);
        let is_of_table = |hop: &HopId| self.plan.hops[*hop].table == table;
        let used = |(slot, planned): (SlotId, &Slot)| {
            self.slots[slot].sealed().is_some() && planned.source.hops().iter().any(is_of_table)
        };
        if decided || self.plan.slots.enumerate().any(used) {
            return Err(ResolveError::Reappeared {
                table: self.plan.tables[table].name.to_string(),
            });
        }
        for hop in self.plan.hops_onto(table) {
            self.hop_done[hop] = false;
        }
        Ok(())
    }

    /// What is to be done with rows of a table under a head.
    fn scanner(&self, table: TableId, head: &BlockHead, pass: Pass) -> Result<Scanner, HeadError> {
        let plan = &self.plan;
        let staging = &self.tables[table].staging;
        let hops = plan.hops_onto(table).filter_map(|id| {
            let hop = &plan.hops[id];
            let sealed = self.keys_of(id).cloned();
            let keys = match pass {
                Pass::Snapshot => sealed.filter(|_| !staging.waits(id)),
                // What was staged is looked at for the staged hops only, and only for those that can be decided.
                Pass::Stage => Some(sealed.filter(|_| staging.waits(id))?),
            };
            let source = &plan.slots[hop.slot].source;
            Some(HopToScan {
                hop: id,
                child: hop.child.iter().map(String::as_str).collect(),
                shape: hop.shape.clone(),
                tests: &hop.tests,
                keys,
                feeds: plan.feeds(id),
                own_slot: matches!(source, SlotSource::Tree { .. }).then_some(hop.slot),
            })
        });
        let definition = self
            .catalog
            .with_columns_below(&plan.tables[table].name)
            .ok_or(HeadError::NoDefinition)?;
        let purpose = ScanFor {
            observed: plan.tables[table].is_observed() && pass == Pass::Snapshot,
            texts: false,
        };
        Scanner::new(
            &plan.tables[table],
            &definition,
            head,
            hops.collect(),
            purpose,
        )
    }

    /// The data of a table cannot be read: what is made of it fails.
    pub(crate) fn table_broken(&mut self, table: TableId, reason: String) {
        self.tables[table].broken(reason);
    }

    /// The data of a table, or of a partition of it, is not in the snapshot.
    pub(crate) fn table_without_data(&mut self, table: TableId, name: TableName) {
        self.tables[table].without_data.insert(name);
    }

    /// The data of a table has gone by in a stream: what depends on it may be decided, unless more of it may
    /// come, as it may for a table with partitions or children.
    ///
    /// # Errors
    /// As [`Resolver::rows`]; also if a wanted entity turns out not to exist.
    pub(crate) fn table_left(&mut self, table: TableId) -> Result<(), ResolveError> {
        match self.seal_early && !self.plan.tables[table].in_parts {
            true => self.table_gone(table),
            false => self.drain(),
        }
    }

    /// All data of a table has gone by: what depends on it is decided.
    ///
    /// # Errors
    /// As [`Resolver::table_left`].
    pub(crate) fn table_gone(&mut self, table: TableId) -> Result<(), ResolveError> {
        self.tables_gone(&[table])
    }

    /// As [`Resolver::table_gone`], of several tables.
    ///
    /// # Errors
    /// As [`Resolver::table_left`].
    pub(crate) fn tables_gone(&mut self, tables: &[TableId]) -> Result<(), ResolveError> {
        self.drain()?;
        for table in tables {
            self.tables[*table].close();
        }
        self.settle()
    }

    /// Of those of these tables that have not gone by, no more comes: the snapshot, or one of its databases, is cut off;
    /// for this reason, if it is not that of the whole snapshot.
    pub(crate) fn cut_off(
        &mut self,
        tables: impl IntoIterator<Item = TableId>,
        reason: Option<&str>,
    ) {
        let tables = tables.into_iter();
        let open = tables.filter(|table| !self.tables[*table].is_gone());
        self.cut_off
            .extend(open.map(|table| (table, reason.map(str::to_owned))));
    }

    /// True if a table that says who the entities are was cut off.
    pub(crate) fn entities_cut_off(&self) -> bool {
        self.cut_off.keys().any(|table| self.says_entities(*table))
    }

    /// True for a table that says who the entities are.
    pub(crate) fn says_entities(&self, table: TableId) -> bool {
        self.plan.tables[table].is_observed()
    }
}

/// What goes past a scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Snapshot,
    Stage,
}
