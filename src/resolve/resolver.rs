//! The resolver's state: which hops are done, which rows are kept, which wait.
//!
//! It is fed by a driver (one for streams, one for tables that can be opened at will) with what the
//! snapshot says, in whatever order, and never reads a snapshot itself. A slot is *sealed* when every
//! hop that feeds it is done; a hop is *done* when its slot is sealed and its table has gone by and no row of it
//! waits any more. While a table goes by, hops whose slot is sealed are decided at once; the rows of the
//! others are staged.

mod settle;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use foldhash::fast::FixedState;
use rayon::ThreadPool;

use crate::fan_out::FanOut;
use crate::pipeline::Entity;
use crate::snapshot::{Block, BlockHead, Catalog, RowForm, TableName};
use crate::timings::Phase;

use super::entities::{Choice, Directory, EntityError, EntityInfo};
use super::error::ResolveError;
use super::keys::{KeySet, Keys};
use super::live::Live;
use super::plan::{Hop, HopId, Plan, PlanTable, SlotId, SlotSource, TableId};
use super::scan::{BadRow, HopToScan, Scanned, Scanner};
use super::stage::{self, Stage};
use super::store::{Entry, RowAt, RowStore};

/// Bad rows of a table that are described; the others are only counted.
const DESCRIBED: usize = 100;

/// Limits and places that resolving keeps to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of memory for kept rows and their index.
    pub memory: usize,
    pub temp_dir: PathBuf,
}

/// What is wrong with a table's data, as far as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Something that makes all of the table's rows doubtful.
    pub broken: Option<String>,
    /// Rows that cannot be used, described up to a number.
    pub bad_rows: Vec<BadRow>,
    pub bad_count: u64,
}

impl Trouble {
    fn is_none(&self) -> bool {
        self.broken.is_none() && self.bad_count == 0
    }

    /// What is wrong, with the place of the first bad row.
    fn says(&self, table: &TableName) -> Option<String> {
        match (&self.broken, self.bad_rows.first()) {
            (Some(reason), _) => Some(format!("table {table}: {reason}")),
            (None, Some(bad)) => Some(format!(
                "table {table}, row {} (byte {}): {}",
                bad.row, bad.offset, bad.reason
            )),
            (None, None) if self.bad_count > 0 => {
                Some(format!("table {table} has rows that cannot be read"))
            }
            (None, None) => None,
        }
    }
}

#[derive(Default)]
struct TableState {
    seen: bool,
    gone: bool,
    scanner: Option<(Arc<BlockHead>, Arc<Scanner>)>,
    /// Hops whose rows are staged; decided when the table's data begins, for all of it.
    staged_hops: Option<Vec<HopId>>,
    stage: Option<Stage>,
    /// Blocks of the stage so far.
    stage_blocks: usize,
    /// Rows of the stage that were kept before, by block and place in it: a row that several passes find is kept once.
    kept_of_stage: HashMap<(usize, usize), RowAt, FixedState>,
    /// Tables of this one's tree whose data the snapshot does not hold.
    without_data: BTreeSet<TableName>,
    /// Layout columns that no part of the data has.
    absent: Option<BTreeSet<usize>>,
    /// Layout columns that a part with rows lacks.
    lacking: BTreeSet<usize>,
    trouble: Trouble,
    rows: u64,
}

enum SlotState {
    Open(Keys),
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

/// What a job of the pool gives back.
struct Job {
    /// Whose rows it scanned.
    table: TableId,
    scanned: Scanned,
    packed: Vec<u8>,
    /// The rows were a block of the stage.
    stage: Option<StageBlock>,
}

/// A block of a table's stage.
#[derive(Clone, Copy)]
struct StageBlock {
    number: usize,
    /// Its rows stay staged, for hops that are decided later.
    stays: bool,
}

/// The rows of one snapshot that a plan needs, while they are being found.
pub(super) struct Resolver {
    pub plan: Arc<Plan>,
    catalog: Arc<Catalog>,
    choice: Choice,
    directory: Directory,
    tables: Vec<TableState>,
    hop_done: Vec<bool>,
    slots: Vec<SlotState>,
    store: RowStore,
    limits: Limits,
    staged_bytes: u64,
    fan_out: FanOut<std::io::Result<Job>>,
    entities: Option<Vec<EntityInfo>>,
    /// A table without data is taken as an empty one.
    allow_missing: bool,
    /// Whether a table that went by may be taken as complete before the snapshot's end.
    seal_early: bool,
    at_end: bool,
}

/// Where the rows of a plan's relations are.
pub enum Rows {
    /// All of them were kept.
    Kept(Arc<RowStore>),
    /// They are asked for batch by batch.
    Live(Live),
}

/// What resolving leaves: everything that rendering needs.
pub struct Resolved {
    pub plan: Arc<Plan>,
    pub rows: Rows,
    pub entities: Vec<EntityInfo>,
    /// By table.
    pub troubles: BTreeMap<TableId, Trouble>,
    /// Layout columns that the data of a table does not have.
    pub absent: BTreeMap<TableId, BTreeSet<usize>>,
    /// Tables of the plan that did not come to their end, because the snapshot was cut off before.
    pub incomplete: BTreeSet<TableId>,
    /// Tables of which no data went by: a snapshot that does not hold it, or a partitioned table without partitions.
    pub unseen: BTreeSet<TableId>,
    /// Tables that the catalog has, but whose data, or that of partitions of theirs, the snapshot does not hold, with the
    /// names of what is missing.
    pub without_data: BTreeMap<TableId, BTreeSet<TableName>>,
    /// Bytes of temp files: staged rows and rows moved out of memory.
    pub temp_bytes: u64,
}

impl Resolved {
    /// True where a table that says who the entities are was cut off.
    pub fn entities_incomplete(&self) -> bool {
        let mut incomplete = self.incomplete.iter();
        incomplete.any(|table| self.plan.tables[*table].observed)
    }
}

impl Resolver {
    pub fn new(
        plan: Plan,
        catalog: Arc<Catalog>,
        entity: &Entity,
        choice: Choice,
        limits: Limits,
        pool: Arc<ThreadPool>,
    ) -> Self {
        let plan = Arc::new(plan);
        let window = pool.current_num_threads() * 2;
        // Where rows of every entity are candidates, most of what is kept will not be wanted: memory
        // is better left to other things.
        let rows_in_memory = match choice {
            Choice::Named { .. } if choice.keys().is_none() => limits.memory / 2,
            Choice::Named { .. } | Choice::All => limits.memory,
        };
        Resolver {
            directory: Directory::new(entity),
            tables: plan.tables.iter().map(|_| TableState::default()).collect(),
            hop_done: vec![false; plan.hops.len()],
            slots: plan
                .slots
                .iter()
                .map(|_| SlotState::Open(Keys::default()))
                .collect(),
            store: RowStore::new(plan.hops.len(), rows_in_memory, &limits.temp_dir),
            fan_out: FanOut::new(pool, window, Phase::Scan),
            entities: None,
            allow_missing: false,
            seal_early: true,
            at_end: false,
            staged_bytes: 0,
            plan,
            catalog,
            choice,
            limits,
        }
    }

    /// Takes tables without data as empty ones.
    pub fn allow_missing(&mut self) {
        self.allow_missing = true;
    }

    /// Takes a table as complete only at the snapshot's end: for a snapshot whose tables stand in several places.
    pub fn seal_late(&mut self) {
        self.seal_early = false;
    }

    /// Seals the entity slots as far as they are known before any row: with the keys that the user named, or, where
    /// `candidates` says that rows may go by before the entities are known, with every key.
    pub fn begin(&mut self, candidates: bool) {
        let keys = match self.choice.keys() {
            Some(keys) => Some(KeySet::Only(keys.into_iter().collect())),
            None if candidates || self.choice == Choice::All => Some(KeySet::Any),
            None => None,
        };
        let root = matches!(keys, Some(KeySet::Any)).then(|| Arc::new(KeySet::Any));
        let keys = keys.map(Arc::new);
        for (slot, source) in self.plan.slots.iter().enumerate() {
            let known = match source {
                SlotSource::EntityKey => &keys,
                SlotSource::EntityRoot => &root,
                SlotSource::Rows { .. } | SlotSource::Collected { .. } => &None,
            };
            if let Some(keys) = known {
                self.slots[slot] = SlotState::Sealed(Arc::clone(keys));
            }
        }
    }

    /// The table of the plan that these rows belong to.
    pub fn table(&self, name: &TableName) -> Option<TableId> {
        self.plan
            .tables
            .iter()
            .position(|table| table.name == *name)
    }

    /// True where no row of the table needs to wait for another table: the keys of every hop onto it are known, or
    /// come from rows of its own (a parent in the same table).
    pub fn is_ready(&self, table: TableId) -> bool {
        self.hops_of(table).all(|hop| {
            let slot = self.plan.hops[hop].slot;
            let sources = self.plan.slots[slot].hops();
            let own = |source: &HopId| self.plan.hops[*source].table == table;
            self.slots[slot].sealed().is_some() || !sources.is_empty() && sources.iter().all(own)
        })
    }

    /// True where the keys of some hop onto the table are known.
    pub fn is_begun(&self, table: TableId) -> bool {
        self.hops_of(table)
            .any(|hop| self.slots[self.plan.hops[hop].slot].sealed().is_some())
    }

    /// Number of hops onto the table whose keys are not known yet.
    pub fn open_hops(&self, table: TableId) -> usize {
        self.hops_of(table)
            .filter(|hop| self.slots[self.plan.hops[*hop].slot].sealed().is_none())
            .count()
    }

    fn hops_of(&self, table: TableId) -> impl Iterator<Item = HopId> + '_ {
        (0..self.plan.hops.len()).filter(move |hop| self.plan.hops[*hop].table == table)
    }

    /// Data of a table begins.
    ///
    /// # Errors
    /// [`ResolveError::Reappeared`] where rows were decided as if the table had been complete before.
    pub fn begin_table(
        &mut self,
        table: TableId,
        head: &Arc<BlockHead>,
    ) -> Result<(), ResolveError> {
        if self.tables[table].gone {
            // Who the entities are was decided without these rows.
            let decided = self.plan.tables[table].observed && self.entities.is_some();
            let used = |(slot, source): (SlotId, &SlotSource)| {
                self.slots[slot].sealed().is_some()
                    && source
                        .hops()
                        .iter()
                        .any(|hop| self.plan.hops[*hop].table == table)
            };
            if decided || self.plan.slots.iter().enumerate().any(used) {
                return Err(ResolveError::Reappeared {
                    table: self.plan.tables[table].name.to_string(),
                });
            }
            for hop in self.hops_of(table).collect::<Vec<_>>() {
                self.hop_done[hop] = false;
            }
            self.tables[table].gone = false;
        }
        self.tables[table].seen = true;
        if self.tables[table].staged_hops.is_none() {
            let open = self
                .hops_of(table)
                .filter(|hop| self.slots[self.plan.hops[*hop].slot].sealed().is_none())
                .collect();
            self.tables[table].staged_hops = Some(open);
        }
        let scanner = self
            .scanner(table, head, Pass::Snapshot)
            .and_then(|scanner| match scanner.unlinked() {
                // Who the entities are must be known before anything else, so this cannot wait for other parts of the data.
                Some(column) if self.plan.tables[table].observed => Err(no_column(column)),
                _ => Ok(scanner),
            });
        match scanner {
            Ok(scanner) => {
                let absent: BTreeSet<usize> = scanner.absent().collect();
                let state = &mut self.tables[table];
                match &mut state.absent {
                    // Of a file nobody knows why it lacks a column.
                    Some(columns) if head.form == RowForm::Csv && *columns != absent => {
                        state.trouble.broken =
                            Some("parts of the table's data have different columns".to_owned());
                    }
                    Some(columns) => columns.retain(|column| absent.contains(column)),
                    first => *first = Some(absent),
                }
                state.scanner = Some((Arc::clone(head), Arc::new(scanner)));
            }
            Err(reason) => {
                self.tables[table].trouble.broken.get_or_insert(reason);
                self.tables[table].scanner = None;
            }
        }
        Ok(())
    }

    fn scanner(&self, table: TableId, head: &BlockHead, pass: Pass) -> Result<Scanner, String> {
        let plan = &self.plan;
        let staged = self.tables[table]
            .staged_hops
            .as_deref()
            .unwrap_or_default();
        let hops = self
            .hops_of(table)
            .filter_map(|id| {
                let hop = &plan.hops[id];
                let sealed = self.slots[hop.slot].sealed().cloned();
                let keys = match pass {
                    Pass::Snapshot => sealed.filter(|_| !staged.contains(&id)),
                    // What was staged is looked at for the staged hops only, and only for those that can be decided.
                    Pass::Stage => Some(sealed.filter(|_| staged.contains(&id))?),
                };
                Some(HopToScan {
                    hop: id,
                    child: &hop.child,
                    filter: &hop.filter,
                    keys,
                    feeds: plan.feeds(id),
                })
            })
            .collect();
        let definition = self
            .catalog
            .with_columns_below(&plan.tables[table].name)
            .ok_or_else(|| "the snapshot has no definition of the table".to_owned())?;
        let observed = plan.tables[table].observed && pass == Pass::Snapshot;
        Scanner::new(&plan.tables[table], &definition, head, hops, observed)
    }

    /// Takes rows of a table whose data has begun. Returns soon; the pool does the work.
    ///
    /// # Errors
    /// Where temp files cannot be written, or the entity directory finds a row that it cannot read.
    pub fn rows(&mut self, table: TableId, block: Block) -> Result<(), ResolveError> {
        let Some((head, scanner)) = &self.tables[table].scanner else {
            return Ok(());
        };
        // Parts of a table may be read at the same time under heads of their own.
        let scanner = if Arc::ptr_eq(head, &block.head) || **head == *block.head {
            Arc::clone(scanner)
        } else {
            match self.scanner(table, &block.head, Pass::Snapshot) {
                Ok(scanner) => Arc::new(scanner),
                Err(reason) => {
                    self.tables[table].trouble.broken.get_or_insert(reason);
                    return Ok(());
                }
            }
        };
        self.tables[table].lacking.extend(scanner.absent());
        let oldest = self.fan_out.give(move || {
            let mut scanned = scanner.scan(&block);
            let packed = pack(&mut scanned);
            Ok(Job {
                table,
                scanned,
                packed,
                stage: None,
            })
        });
        self.take(oldest)?;
        while let Some(ready) = self.fan_out.take_ready() {
            self.take(Some(ready))?;
        }
        Ok(())
    }

    /// Waits until every block that was given has been scanned.
    fn drain(&mut self) -> Result<(), ResolveError> {
        while let Some(result) = self.fan_out.take() {
            self.take(Some(result))?;
        }
        Ok(())
    }

    fn take(&mut self, result: Option<std::io::Result<Job>>) -> Result<(), ResolveError> {
        let Some(result) = result else { return Ok(()) };
        let Job {
            table,
            scanned,
            packed,
            stage,
        } = result?;
        let kept_before = &mut self.tables[table].kept_of_stage;
        let mut places = Vec::with_capacity(scanned.ranges.len());
        for (range, start) in scanned.ranges.iter().zip(&scanned.starts) {
            let staged = stage.map(|block| (block.number, *start));
            let before = staged.and_then(|staged| kept_before.get(&staged).copied());
            let at = match before {
                Some(at) => at,
                None => self.store.push(&scanned.kept[range.clone()])?,
            };
            if let (Some(staged), true) = (staged, stage.is_some_and(|block| block.stays)) {
                kept_before.insert(staged, at);
            }
            places.push(at);
        }
        for found in &scanned.found {
            self.store.enter(
                found.hop,
                Entry {
                    key: found.key,
                    id: found.id,
                    at: places[found.row],
                },
            );
        }
        for (slot, key) in &scanned.fed {
            if let SlotState::Open(keys) = &mut self.slots[*slot] {
                keys.insert(*key);
            }
        }
        let state = &mut self.tables[table];
        state.rows += scanned.rows;
        if !packed.is_empty() {
            let stage = match &mut state.stage {
                Some(stage) => stage,
                empty => empty.insert(Stage::new(&self.limits.temp_dir)?),
            };
            stage.push(&packed)?;
            self.staged_bytes += packed.len() as u64;
            let number = state.stage_blocks;
            state.stage_blocks += 1;
            for (kept, start) in &scanned.kept_and_staged {
                state.kept_of_stage.insert((number, *start), places[*kept]);
            }
        }
        if !scanned.observed.is_empty() {
            self.directory.observe(
                &self.plan.tables[table],
                &scanned.observed,
                &scanned.observed_places,
            )?;
        }
        let described = &mut state.trouble.bad_rows;
        described.extend(
            scanned
                .bad
                .into_iter()
                .take(DESCRIBED.saturating_sub(described.len())),
        );
        state.trouble.bad_count += scanned.bad_rows;
        Ok(())
    }

    /// The data of a table cannot be read: what is made of it fails.
    pub fn table_broken(&mut self, table: TableId, reason: String) {
        self.tables[table].trouble.broken.get_or_insert(reason);
    }

    /// The data of a table, or of a partition of it, is not in the snapshot.
    pub fn table_without_data(&mut self, table: TableId, name: TableName) {
        self.tables[table].without_data.insert(name);
    }

    /// The data of a table has gone by in a stream: what depends on it may be decided, unless more of it may
    /// come, as it may for a table with partitions or children.
    ///
    /// # Errors
    /// As [`Resolver::rows`]; also where a wanted entity turns out not to exist.
    pub fn table_left(&mut self, table: TableId) -> Result<(), ResolveError> {
        match self.seal_early && !self.plan.tables[table].in_parts {
            true => self.table_gone(table),
            false => self.drain(),
        }
    }

    /// All data of a table has gone by: what depends on it is decided.
    ///
    /// # Errors
    /// As [`Resolver::table_left`].
    pub fn table_gone(&mut self, table: TableId) -> Result<(), ResolveError> {
        self.drain()?;
        self.tables[table].gone = true;
        self.settle()
    }

    /// The snapshot has been read to its end.
    ///
    /// # Errors
    /// As [`Resolver::table_gone`].
    pub fn finish(mut self, cut_off: bool) -> Result<Resolved, ResolveError> {
        self.drain()?;
        let incomplete: BTreeSet<TableId> = match cut_off {
            true => (0..self.tables.len())
                .filter(|table| !self.tables[*table].gone)
                .collect(),
            false => BTreeSet::new(),
        };
        self.at_end = true;
        for state in &mut self.tables {
            state.gone = true;
        }
        self.settle()?;
        let entities = self.entities()?;
        let (mut unseen, mut without_data) = (BTreeSet::new(), BTreeMap::new());
        let mut troubles = BTreeMap::new();
        let mut absent = BTreeMap::new();
        for (id, state) in self.tables.iter_mut().enumerate() {
            if !state.seen {
                unseen.insert(id);
            }
            if !state.without_data.is_empty() {
                without_data.insert(id, std::mem::take(&mut state.without_data));
            }
            let needed = self.plan.hops.iter().filter(|hop| hop.table == id);
            if let Some(reason) = unlinked(&self.plan.tables[id], state, needed) {
                state.trouble.broken.get_or_insert(reason);
            }
            if let Some(reason) = filled_in(&self.plan.tables[id], state, &self.catalog) {
                state.trouble.broken.get_or_insert(reason);
            }
            if !state.trouble.is_none() {
                troubles.insert(id, std::mem::take(&mut state.trouble));
            }
            if let Some(columns) = state.absent.take().filter(|columns| !columns.is_empty()) {
                absent.insert(id, columns);
            }
        }
        self.store.sort(Some(self.fan_out.pool()));
        Ok(Resolved {
            temp_bytes: self.staged_bytes + self.store.spilled(),
            plan: self.plan,
            rows: Rows::Kept(Arc::new(self.store)),
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
    /// Where one does not exist.
    pub fn entities(&mut self) -> Result<Vec<EntityInfo>, ResolveError> {
        if let Some(entities) = &self.entities {
            return Ok(entities.clone());
        }
        // A row that cannot be read may be that of an entity that is wanted, or say that another one has its path.
        if let Some(error) = self.doubtful_entities() {
            return Err(error.into());
        }
        let entities = self.directory.choose(&self.choice)?;
        if let Some(keys) = self.choice.keys() {
            let ids: Vec<i64> = entities.iter().map(|entity| entity.id).collect();
            if ids.iter().any(|id| !keys.contains(id)) {
                // Rows have been kept by what was taken for a key.
                return Err(ResolveError::FoundByPath { ids });
            }
        }
        Ok(self.entities.insert(entities).clone())
    }

    /// True where every table of the plan has gone by.
    pub fn is_through(&self) -> bool {
        self.tables.iter().all(|table| table.gone)
    }

    /// Why it is not sure who the entities are: something of the tables that say so cannot be read, or is not there.
    fn doubtful_entities(&self) -> Option<EntityError> {
        let tables = self.plan.tables.iter().zip(&self.tables);
        let mut observed = tables.filter(|(table, _)| table.observed);
        observed.find_map(|(table, state)| {
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

    fn observed_gone(&self) -> bool {
        let mut observed = self
            .plan
            .tables
            .iter()
            .zip(&self.tables)
            .filter(|(table, _)| table.observed);
        observed.all(|(_, state)| state.gone)
    }
}

fn no_column(column: &str) -> String {
    format!("the data has no column {column}, which is needed to find rows")
}

/// Where no part of a table's data has a column by which its rows are found.
fn unlinked<'a>(
    table: &PlanTable,
    state: &TableState,
    hops: impl Iterator<Item = &'a Hop>,
) -> Option<String> {
    let absent = state.absent.as_ref()?;
    let is_absent = |column: &&str| {
        let place = table.layout.iter().position(|other| other.name == **column);
        place.is_some_and(|place| absent.contains(&place))
    };
    let columns = hops.flat_map(|hop| {
        let tested = hop.filter.iter().map(|condition| condition.column.as_str());
        tested.chain([hop.child.as_str()])
    });
    columns.into_iter().find(is_absent).map(no_column)
}

/// Where some parts of a table's data lack a column that others have, the database fills it in: with NULL, unless the table
/// states a default, which is not known here.
fn filled_in(table: &PlanTable, state: &TableState, catalog: &Catalog) -> Option<String> {
    let absent = state.absent.as_ref()?;
    let column = state
        .lacking
        .difference(absent)
        .map(|column| &table.layout[*column].name)
        .find(|column| catalog.has_default(&table.name, column))?;
    Some(format!(
        "some of its data has no column {column}, and the database would fill in the column's default; \
         restore the dump into a server, and export from that"
    ))
}

/// Says that the data of a table, or of its partition `missing`, is not there.
pub fn without_data(table: &TableName, missing: &TableName) -> String {
    let partition = match missing == table {
        true => String::new(),
        false => format!(" of its partition {missing}"),
    };
    format!(
        "table {table} is defined, but the snapshot does not hold the data{partition}: dump it with its data, or take it \
         as empty with --allow-missing"
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Snapshot,
    Stage,
}

/// Packs the staged rows of a scan and drops the unpacked ones.
fn pack(scanned: &mut Scanned) -> Vec<u8> {
    let staged = std::mem::take(&mut scanned.staged);
    if staged.is_empty() {
        Vec::new()
    } else {
        stage::pack(&staged)
    }
}
