//! Finding the rows: which rows of which tables a pipeline's tree needs, in one read of the snapshot.
//!
//! [`plan()`] lays the tree over the snapshot's catalog. [`resolve`] then drives a snapshot past a
//! resolver: a stream in the order in which it comes, a snapshot with random access level by level, so
//! that nothing has to wait. What comes out is [`Resolved`]: the kept rows, found again by hop and key.
//!
//! [`walk()`] goes through them row by row.
//!
//! This floor knows neither JSON nor output files.

mod entities;
mod error;
mod keys;
mod live;
mod plan;
mod resolver;
mod scan;
mod schedule;
mod stage;
mod store;
mod walk;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rayon::ThreadPool;

use crate::fault::caught;
use crate::pipeline::Pipeline;
use crate::snapshot::{
    Access, BlockHead, Catalog, Event, Holdings, Part as TablePart, Snapshot, SnapshotError,
    SnapshotFacts, StreamSource, TableName, TableSource,
};
use crate::timings::{self, Phase, Timings};

pub use entities::{Choice, EntityError, EntityInfo};
pub use error::ResolveError;
pub use keys::{KeySet, Keys};
pub use live::{Fetch, Fetched, Live, Of, Part, Round, TopKeys, Wanted, missing_indexes};
pub use plan::{
    HopId, LayoutColumn, Plan, PlanComputed, PlanMaximum, PlanNested, PlanNode, PlanRelation,
    PlanSource, PlanTable, Reach, Relations, Selection, SlotSource, TableId, Through,
    entity_tables, no_table, plan, undefined,
};
pub use resolver::{Limits, Resolved, Rows, Trouble, without_data};
pub use scan::{BadRow, Found, HopToScan, RowPlace, Scanned, Scanner, parse_integer};
pub use store::{Entry, RowAt, RowStore};
pub use walk::{TakeRow, walk};

use resolver::Resolver;
use schedule::Schedule;

/// Blocks between the reading thread and the resolver.
const EVENTS: usize = 4;

/// While nothing comes out of a pipe, how often to look whether the run is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is to be resolved, and with what means.
pub struct Request<'a> {
    pub pipeline: &'a Pipeline,
    pub selection: &'a Selection,
    pub choice: &'a Choice,
    pub limits: &'a Limits,
    pub pool: Arc<ThreadPool>,
    /// Set from outside to end the run early.
    pub interrupted: Arc<AtomicBool>,
    /// Take no table as complete before the snapshot's end. Slower: more rows wait. Needed where
    /// [`ResolveError::Reappeared`] was the answer without it.
    pub seal_late: bool,
    /// Take a table without data as an empty one. Else who needs it to find the entities gets an error; for the others
    /// [`Resolved::without_data`] says it.
    pub allow_missing: bool,
    /// Refuse a snapshot that lacks a table or column that the pipeline names.
    pub strict: bool,
    /// Read a stream only until the tables that are needed have gone by. What is damaged behind them is then not
    /// noticed, so this is for looking around and not for exports. All entities are then all that a snapshot knows of, also
    /// where it was taken without the rows of some: see [`SnapshotFacts::only`].
    pub stop_early: bool,
}

/// What a resolve run tells while it goes on.
pub trait Observer {
    /// The catalog is known and the plan is made.
    fn planned(&mut self, plan: &Plan, facts: &SnapshotFacts);
    /// The data of a table begins to go by.
    fn table(&mut self, name: &TableName);
}

/// What resolving a snapshot gives.
pub struct Outcome {
    pub resolved: Resolved,
    pub facts: SnapshotFacts,
    pub catalog: Arc<Catalog>,
    /// The snapshot ended too early, but some tables were complete by then.
    pub cut_off: Option<SnapshotError>,
    /// Tables of the pipeline whose data is there without their definition; the relations that need them fail.
    pub undefined: BTreeSet<String>,
}

/// Finds all rows that the request needs, in one read of the snapshot. Of a snapshot that finds rows itself only the
/// entities are asked for.
///
/// # Errors
/// Where the snapshot cannot be read or trusted, the entities are not there, or temp files cannot be written.
pub fn resolve(
    snapshot: Snapshot,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, ResolveError> {
    let outcome = match snapshot.access {
        Access::Stream(source) => resolve_stream(source, request, observer),
        Access::Tables(source) => resolve_tables(source.as_ref(), request, observer),
        Access::Keyed(source) => live::resolve_live(source, request, observer),
    }?;
    // What was taken for some entities looks whole for every other, too. Who only looks around sees whose rows are there.
    let is_list = request.stop_early && *request.choice == Choice::All;
    if !is_list
        && let Some(only) = &outcome.facts.only
        && let Some(other) = outcome
            .resolved
            .entities
            .iter()
            .find(|entity| !only.contains(&entity.id))
    {
        return Err(ResolveError::Limited {
            kind: request.pipeline.entity.kind.clone(),
            wanted: other.full_path.clone(),
        });
    }
    Ok(outcome)
}

/// Makes sure that a taken snapshot has what the pipeline needs: what was not taken would look empty.
fn check_taken(
    facts: &SnapshotFacts,
    plan: &Plan,
    holdings: &Holdings,
    pipeline: &Pipeline,
) -> Result<(), ResolveError> {
    let Some(other) = &facts.taken_for else {
        return Ok(());
    };
    let is_needed = |name: &&TableName| {
        let table = plan.tables.iter().position(|table| table.name == **name);
        table.is_some_and(|id| {
            plan.tables[id].observed || plan.hops.iter().any(|hop| hop.table == id)
        })
    };
    let lacks = match &facts.only {
        _ if other.sha256 == pipeline.sha256 => return Ok(()),
        // Nor does it have other columns, or rows that other links lead to.
        Some(_) => "holds only the rows that it needs".to_owned(),
        None => match holdings.without_data.iter().find(is_needed) {
            Some(table) => format!("lacks table {table}"),
            None => return Ok(()),
        },
    };
    Err(ResolveError::NotTaken {
        pipeline: other.name.clone(),
        lacks,
    })
}

/// Under `strict`, nothing that the pipeline names may be missing.
fn check_strict(request: &Request<'_>, plan: &Plan) -> Result<(), ResolveError> {
    let left_out = plan.left_out.iter();
    let left_out = left_out.map(|(relation, table)| no_table(relation, table));
    let lacks: Vec<String> = left_out.chain(plan.warnings.iter().cloned()).collect();
    match lacks.is_empty() || !request.strict {
        true => Ok(()),
        false => Err(ResolveError::Strict(lacks.join("\n  "))),
    }
}

fn check(interrupted: &AtomicBool) -> Result<(), ResolveError> {
    if interrupted.load(Ordering::Relaxed) {
        Err(ResolveError::Interrupted)
    } else {
        Ok(())
    }
}

fn start(
    request: &Request<'_>,
    catalog: &Arc<Catalog>,
    facts: &SnapshotFacts,
    candidates: bool,
    observer: &mut dyn Observer,
) -> Result<Resolver, ResolveError> {
    let plan = plan(request.pipeline, request.selection, catalog).map_err(ResolveError::Plan)?;
    check_strict(request, &plan)?;
    observer.planned(&plan, facts);
    let (choice, limits) = (request.choice.clone(), request.limits.clone());
    let pool = Arc::clone(&request.pool);
    let mut resolver = Resolver::new(
        plan,
        Arc::clone(catalog),
        &request.pipeline.entity,
        choice,
        limits,
        pool,
    );
    if request.seal_late {
        resolver.seal_late();
    }
    if request.allow_missing {
        resolver.allow_missing();
    }
    resolver.begin(candidates);
    Ok(resolver)
}

/// A stream goes by once, in its own order: what cannot be decided yet waits.
fn resolve_stream(
    source: Box<dyn StreamSource>,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, ResolveError> {
    let names = request.selection.tables(request.pipeline);
    let wanted = move |table: &TableName| table.schema == "public" && names.contains(&table.name);
    let (events, received) = bounded(EVENTS);
    let timings = timings::current();
    let reader = std::thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || {
            let _work = timings::work(timings.as_ref(), Phase::Scan);
            let mut sink = |event| forward(&events, event);
            source.read(&wanted, &mut sink)
        })
        .map_err(SnapshotError::Threads)?;
    // Where this fails nobody waits for the reader: it may be waiting itself, for a pipe into which nothing comes. It
    // stops at its next event, now that nobody listens.
    let driven = drive_stream(&received, request, observer)?;
    drop(received);
    let read =
        timings::waiting(|| reader.join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let Some(mut stream) = driven else {
        read?;
        return Err(ResolveError::Plan(
            "the snapshot holds no table at all".to_owned(),
        ));
    };
    let cut_off = match read {
        Ok(()) => None,
        Err(error @ SnapshotError::CutOff { .. }) => Some(error),
        Err(error) => return Err(error.into()),
    };
    if cut_off.is_none() || stream.ended {
        stream.leave()?;
    }
    let mut finished = stream.resolver.finish(cut_off.is_some());
    let mut undefined = BTreeSet::new();
    if let Ok(resolved) = &mut finished {
        undefined = fail_undefined(resolved, request, &stream.holdings)?;
    }
    let (resolved, cut_off) = match (finished, cut_off) {
        (Err(ResolveError::Entity(_)), Some(cut_off)) => return Err(cut_off.into()),
        // Who the entities are, and below whom, is not known for sure.
        (Ok(resolved), Some(cut_off)) if resolved.entities_incomplete() => {
            return Err(cut_off.into());
        }
        (finished, cut_off) => (finished?, cut_off),
    };
    Ok(Outcome {
        resolved,
        facts: stream.facts,
        catalog: stream.catalog,
        cut_off,
        undefined,
    })
}

fn forward(events: &Sender<Event>, event: Event) -> ControlFlow<()> {
    match timings::waiting(|| events.send(event).is_ok()) {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    }
}

/// A stream while it goes by.
struct StreamState {
    resolver: Resolver,
    facts: SnapshotFacts,
    catalog: Arc<Catalog>,
    /// The tables whose data goes by, and whether the data has ended so far.
    current: Vec<TableId>,
    ended: bool,
    /// The heads of data that begins; each of its tables has one.
    beginning: Vec<Arc<BlockHead>>,
    /// Known when the stream has ended.
    holdings: Holdings,
}

impl StreamState {
    /// The current tables are left behind: the snapshot has ended, or goes on with tables that are none of them.
    fn leave(&mut self) -> Result<(), ResolveError> {
        let tables = std::mem::take(&mut self.current);
        tables
            .into_iter()
            .try_for_each(|table| self.resolver.table_left(table))
    }

    /// All tables are told that the data belongs to whose beginning was told last.
    fn begin(&mut self, observer: &mut dyn Observer) -> Result<(), ResolveError> {
        if self.beginning.is_empty() {
            return Ok(());
        }
        let heads = std::mem::take(&mut self.beginning);
        let begun: Vec<(TableId, &Arc<BlockHead>)> = heads
            .iter()
            .filter_map(|head| Some((self.resolver.table(&head.table)?, head)))
            .collect();
        let tables: Vec<TableId> = begun.iter().map(|(table, _)| *table).collect();
        if self.current != tables {
            let (stay, left) = std::mem::take(&mut self.current)
                .into_iter()
                .partition(|table| tables.contains(table));
            self.current = left;
            self.leave()?;
            self.current = stay;
            if let Some(head) = heads.first() {
                observer.table(&head.table);
            }
        }
        for (table, head) in begun {
            self.resolver.begin_table(table, head)?;
        }
        self.current = tables;
        self.ended = false;
        Ok(())
    }
}

/// Notes which tables of the plan the snapshot holds no data of.
fn note_without_data(resolver: &mut Resolver, catalog: &Catalog, holdings: &Holdings) {
    for name in &holdings.without_data {
        for holder in catalog.holders(name) {
            if let Some(table) = resolver.table(&holder) {
                resolver.table_without_data(table, name.clone());
            }
        }
    }
}

/// Fails the relations that lack a table whose data is there without its definition: it is not a table that the
/// snapshot does not have.
///
/// # Errors
/// Where it is a table that says who the entities are.
fn fail_undefined(
    resolved: &mut Resolved,
    request: &Request<'_>,
    holdings: &Holdings,
) -> Result<BTreeSet<String>, ResolveError> {
    let needed = request.selection.tables(request.pipeline);
    let found = holdings.undefined.iter();
    let found = found.filter(|name| name.schema == "public" && needed.contains(&name.name));
    let names: BTreeSet<String> = found.map(|name| name.name.clone()).collect();
    let of_entities = entity_tables(&request.pipeline.entity);
    if let Some(name) = of_entities.intersection(&names).next() {
        return Err(ResolveError::Plan(undefined(name)));
    }
    if !names.is_empty() {
        // Nothing else holds the plan any more: the rows have been found.
        let plan = Arc::get_mut(&mut resolved.plan)
            .ok_or_else(|| ResolveError::Plan("the plan is still being used".to_owned()))?;
        plan.fail_undefined(request.pipeline, request.selection, &names);
    }
    Ok(names)
}

fn drive_stream(
    events: &Receiver<Event>,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Option<StreamState>, ResolveError> {
    let mut stream: Option<StreamState> = None;
    loop {
        let event = match timings::waiting(|| events.recv_timeout(LOOK_EVERY)) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        check(&request.interrupted)?;
        let Some(event) = event else { continue };
        match (event, &mut stream) {
            (Event::Catalog(catalog, facts), _) => {
                let resolver = start(request, &catalog, &facts, true, observer)?;
                stream = Some(StreamState {
                    resolver,
                    facts,
                    catalog,
                    current: Vec::new(),
                    ended: true,
                    beginning: Vec::new(),
                    holdings: Holdings::default(),
                });
            }
            (Event::Begin(head), Some(stream)) => stream.beginning.push(head),
            (Event::Rows(block), Some(stream)) => {
                stream.begin(observer)?;
                if let Some(table) = stream.resolver.table(&block.head.table) {
                    stream.resolver.rows(table, block)?;
                }
            }
            (Event::End(end), Some(stream)) => {
                stream.begin(observer)?;
                let table = stream.resolver.table(&end.table);
                if table.is_some_and(|table| stream.current.contains(&table)) {
                    stream.ended = true;
                } else if request.stop_early && stream.ended {
                    // Another table's data: that of the current ones is over.
                    stream.leave()?;
                    if stream.resolver.is_through() {
                        break;
                    }
                }
            }
            (Event::Keys(keys), Some(stream)) => {
                stream.catalog = Arc::new(stream.catalog.with_keys(keys));
            }
            (Event::Damage(damage), _) if request.stop_early => {
                tracing::warn!("{damage}; no row of that table is needed here");
            }
            (Event::Damage(damage), _) => return Err(damage.into()),
            (Event::Holdings(holdings), Some(stream)) => {
                note_without_data(&mut stream.resolver, &stream.catalog, &holdings);
                stream.facts.warnings.extend_from_slice(&holdings.warnings);
                stream.holdings = holdings;
            }
            (
                Event::Begin(_)
                | Event::Rows(_)
                | Event::End(_)
                | Event::Keys(_)
                | Event::Holdings(_),
                None,
            ) => {
                return Err(ResolveError::Plan(
                    "rows came before the catalog".to_owned(),
                ));
            }
        }
    }
    if let Some(stream) = &mut stream {
        stream.begin(observer)?;
    }
    Ok(stream)
}

/// What the readers of a snapshot with random access report.
enum Report {
    Event(TableId, Event),
    Done(TableId, Result<(), SnapshotError>),
}

/// Tables are opened level by level: first those that say who the entities are, then always those whose
/// parents are known, several at a time.
fn resolve_tables(
    source: &dyn TableSource,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, ResolveError> {
    let (catalog, facts) = (source.catalog(), source.facts());
    let holdings = source.holdings();
    let mut resolver = start(request, &catalog, &facts, false, observer)?;
    if !request.stop_early {
        check_taken(&facts, &resolver.plan, &holdings, request.pipeline)?;
    }
    note_without_data(&mut resolver, &catalog, &holdings);
    let plan = Arc::clone(&resolver.plan);
    let readers = request.pool.current_num_threads().max(1);
    let mut schedule = Schedule::new(&plan, source, readers);
    std::thread::scope(|scope| {
        let (reports, received) = bounded(EVENTS * readers);
        let (work, parts) = crossbeam_channel::unbounded::<(TableId, TablePart)>();
        for reader in 0..readers {
            let (reports, parts) = (reports.clone(), parts.clone());
            let timings = timings::current();
            std::thread::Builder::new()
                .name(format!("reader-{reader}"))
                .spawn_scoped(scope, move || {
                    read_parts(source, &parts, &reports, timings.as_ref());
                })
                .map_err(SnapshotError::Threads)?;
        }
        drop((reports, parts));
        loop {
            for table in schedule.next(&plan, &resolver) {
                observer.table(&plan.tables[table].name);
                let mut parts = source.parts(&plan.tables[table].name);
                if parts.is_empty() {
                    resolver.table_gone(table)?;
                    continue;
                }
                parts.sort_by_key(|part| std::cmp::Reverse(part.size));
                schedule.started(table, parts.len());
                for part in parts {
                    // The readers live as long as the channel does.
                    let _ = work.send((table, part));
                }
            }
            if !schedule.is_reading() {
                if schedule.is_through() {
                    break;
                }
                continue;
            }
            check(&request.interrupted)?;
            match timings::waiting(|| received.recv()) {
                Ok(Report::Event(table, Event::Begin(head))) => {
                    resolver.begin_table(table, &head)?
                }
                Ok(Report::Event(table, Event::Rows(block))) => resolver.rows(table, block)?,
                Ok(Report::Event(..)) => {}
                Ok(Report::Done(table, result)) => {
                    match result {
                        Ok(()) => {}
                        // Without the tables that say who the entities are there is nothing to export.
                        Err(error) if plan.tables[table].observed => return Err(error.into()),
                        Err(error) => resolver.table_broken(table, error.to_string()),
                    }
                    if schedule.ended(table) {
                        resolver.table_gone(table)?;
                    }
                }
                Err(_) => {
                    return Err(ResolveError::Plan(
                        "the readers of the snapshot ended early".to_owned(),
                    ));
                }
            }
        }
        drop((work, schedule, plan));
        let mut resolved = resolver.finish(false)?;
        let undefined = fail_undefined(&mut resolved, request, &holdings)?;
        Ok(Outcome {
            resolved,
            facts,
            catalog,
            cut_off: None,
            undefined,
        })
    })
}

/// One reading thread: reads parts until no more are given out.
fn read_parts(
    source: &dyn TableSource,
    parts: &Receiver<(TableId, TablePart)>,
    reports: &Sender<Report>,
    timings: Option<&Arc<Timings>>,
) {
    let _work = timings::work(timings, Phase::Scan);
    while let Ok((table, part)) = timings::waiting(|| parts.recv()) {
        let mut hand_on = |event| {
            let report = Report::Event(table, event);
            match timings::waiting(|| reports.send(report).is_ok()) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        // Who waits for the part's end would wait for ever if this thread just died.
        let result =
            caught(|| source.read(&part, &mut hand_on)).unwrap_or_else(|fault| Err(fault.into()));
        if !timings::waiting(|| reports.send(Report::Done(table, result)).is_ok()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
