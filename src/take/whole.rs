//! Whole tables: of a stream in one read, else several tables at a time.
//!
//! No thread that reads is waited for without an end where the run is interrupted: one may be waiting for a pipe or a
//! server itself.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rayon::ThreadPool;

use crate::fault::caught;
use crate::snapshot::drive::{Readers, Stopped, drive_stream};
use crate::snapshot::{
    Access, Catalog, DescribedTable, Event, Fields, Holdings, KeyedSource, Query, Snapshot,
    SnapshotError, SnapshotFacts, StreamSource, TableName, TableSource,
};

use super::files::{Files, StopReason};
use super::tables::{TakenTables, check_holdings, check_names, needed, wanted};
use super::{TakeError, TakeObserver, TakeRequest};

/// Blocks of one table on the pool, where several tables are read at a time.
const WINDOW: usize = 3;

/// How long reading threads may take to end after an interruption, before their files are taken away.
const GRACE: Duration = Duration::from_secs(2);

/// Writes the tables of a source that the pipeline needs.
pub(super) fn tables(
    request: &TakeRequest,
    source: Snapshot,
    folder: &Path,
    observer: &mut dyn TakeObserver,
) -> Result<TakenTables, TakeError> {
    let (source, threads): (Arc<dyn Tables>, usize) = match source.access {
        Access::Stream(source) => return stream(request, source, folder, observer),
        Access::Tables(source) => (Arc::new(Opened(source)), request.pool.current_num_threads()),
        Access::Keyed(source) => {
            let connections = source.connections();
            (Arc::new(Asked(source)), connections)
        }
    };
    let (catalog, facts) = source.known();
    let holdings = source.holdings();
    let tables = parallel(request, source, &catalog, folder, threads, observer)?;
    check_holdings(request, &catalog, &holdings, &tables)?;
    Ok(TakenTables {
        catalog,
        only: facts.only.clone(),
        facts,
        tables,
    })
}

/// Takes events as a source's sink does.
type Sink<'a> = dyn FnMut(Event) -> ControlFlow<()> + 'a;

/// Where any table can be read at any time.
trait Tables: Send + Sync {
    fn known(&self) -> (Arc<Catalog>, SnapshotFacts);
    /// Where definitions and data do not match.
    fn holdings(&self) -> Holdings;
    /// A measure of how long a table takes.
    fn size(&self, table: &TableName) -> u64;
    /// Reads all of a table.
    fn read(&self, table: &TableName, sink: &mut Sink<'_>) -> Result<(), SnapshotError>;
}

struct Opened(Box<dyn TableSource>);

impl Tables for Opened {
    fn known(&self) -> (Arc<Catalog>, SnapshotFacts) {
        (self.0.catalog(), self.0.facts())
    }

    fn holdings(&self) -> Holdings {
        self.0.holdings()
    }

    fn size(&self, table: &TableName) -> u64 {
        self.0.parts(table).iter().map(|part| part.size).sum()
    }

    fn read(&self, table: &TableName, sink: &mut Sink<'_>) -> Result<(), SnapshotError> {
        for part in self.0.parts(table) {
            let mut flow = ControlFlow::Continue(());
            self.0.read(&part, &mut |event| {
                flow = sink(event);
                flow
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

struct Asked(Box<dyn KeyedSource>);

impl Tables for Asked {
    fn known(&self) -> (Arc<Catalog>, SnapshotFacts) {
        (self.0.catalog(), self.0.facts())
    }

    fn holdings(&self) -> Holdings {
        self.0.holdings()
    }

    fn size(&self, table: &TableName) -> u64 {
        self.0.estimate(table).map_or(0, |size| size.bytes)
    }

    fn read(&self, table: &TableName, sink: &mut Sink<'_>) -> Result<(), SnapshotError> {
        let catalog = self.0.catalog();
        // One that is not taken is known not to be there; an empty one is not.
        if !catalog.has_children(table) && self.0.holdings().without_data.contains(table) {
            return Ok(());
        }
        let definition = catalog.table(table).into_iter();
        let columns = definition
            .flat_map(|definition| &definition.columns)
            .map(|column| column.name.as_str())
            .filter(|column| !catalog.is_generated(table, column))
            .collect();
        let query = Query {
            table,
            fields: Fields::Columns(columns),
            predicates: Vec::new(),
        };
        self.0.read(&query, &mut |event| sink(event))
    }
}

/// Takes one event of a table's data.
fn put(files: &mut Files, event: Event) -> Result<(), StopReason> {
    match event {
        Event::Begin(head) => files.begin(&head),
        Event::Rows(block) => files.rows(block),
        Event::Damage(damage) => Err(damage.into()),
        // If a database cannot be read to its end, the stream ends with an error.
        Event::Catalog(..)
        | Event::Keys(_)
        | Event::End(_)
        | Event::DatabaseEnd(_)
        | Event::Holdings(_) => Ok(()),
    }
}

/// What the threads that read tables share.
struct Shared {
    source: Arc<dyn Tables>,
    catalog: Arc<Catalog>,
    pool: Arc<ThreadPool>,
    folder: PathBuf,
    interrupted: Arc<AtomicBool>,
    /// Set where one table cannot be taken, so that the others end, too.
    failed: AtomicBool,
}

impl Shared {
    fn ended(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
    }

    fn table(&self, table: &TableName) -> Result<Vec<DescribedTable>, StopReason> {
        let mut files = Files::new(&self.folder, &self.catalog, &self.pool, WINDOW);
        let mut stop = None;
        let read = self.source.read(table, &mut |event| {
            let put = match self.ended() {
                true => Err(StopReason::CalledOff),
                false => put(&mut files, event),
            };
            match put {
                Ok(()) => ControlFlow::Continue(()),
                Err(reason) => {
                    stop = Some(reason);
                    ControlFlow::Break(())
                }
            }
        });
        match stop {
            Some(stop) => Err(stop),
            None => {
                read?;
                files.finish()
            }
        }
    }
}

/// What a thread that reads tables reports.
enum Report {
    Begun(TableName),
    Done(Result<Vec<DescribedTable>, StopReason>),
}

/// Reads tables on several plain threads, the largest first.
fn parallel(
    request: &TakeRequest,
    source: Arc<dyn Tables>,
    catalog: &Arc<Catalog>,
    folder: &Path,
    threads: usize,
    observer: &mut dyn TakeObserver,
) -> Result<Vec<DescribedTable>, TakeError> {
    let mut tables = needed(&request.kinds, catalog);
    check_names(&tables)?;
    tables.sort_by_cached_key(|table| std::cmp::Reverse(source.size(table)));
    let shared = Shared {
        source,
        catalog: Arc::clone(catalog),
        pool: Arc::clone(&request.pool),
        folder: folder.to_owned(),
        interrupted: Arc::clone(&request.interrupted),
        failed: AtomicBool::new(false),
    };
    let mut readers = Readers::start(threads, move |table: TableName, reports| {
        if shared.ended() {
            return ControlFlow::Break(());
        }
        reports.send(Report::Begun(table.clone()))?;
        // A table whose thread just died would be missing without a word.
        let result = caught(|| shared.table(&table))
            .unwrap_or_else(|fault| Err(SnapshotError::from(fault).into()));
        if result.is_err() {
            shared.failed.store(true, Ordering::Relaxed);
        }
        reports.send(Report::Done(result))
    })
    .map_err(|error| TakeError::Open(Box::new(error)))?;
    for table in tables {
        readers.give(table);
    }
    readers.no_more();
    let (mut described, mut first) = (Vec::new(), None);
    loop {
        let taken = readers.next(&request.interrupted, |report| {
            match report {
                Report::Begun(table) => observer.table(&table),
                Report::Done(Ok(files)) => described.extend(files),
                Report::Done(Err(stop)) => {
                    first = first.take().or_else(|| stop.error(&request.from));
                }
            }
            Ok(())
        });
        match taken {
            Ok(Some(())) => {}
            Ok(None) => break,
            Err(Stopped::Interrupted) => {
                readers.wait(GRACE);
                return Err(TakeError::Interrupted);
            }
            Err(Stopped::Threads(error)) => return Err(read_error(request, *error)),
            Err(Stopped::Taker(error)) => return Err(error),
        }
    }
    match first {
        Some(error) => Err(error),
        None => Ok(described),
    }
}

fn read_error(request: &TakeRequest, error: SnapshotError) -> TakeError {
    let stop = StopReason::from(error);
    stop.error(&request.from).unwrap_or(TakeError::Interrupted)
}

/// What is known of a stream while its tables are taken.
struct Streamed {
    catalog: Arc<Catalog>,
    facts: SnapshotFacts,
    files: Files,
    holdings: Holdings,
}

/// Takes the tables of a stream while it goes by.
fn stream(
    request: &TakeRequest,
    source: Box<dyn StreamSource>,
    folder: &Path,
    observer: &mut dyn TakeObserver,
) -> Result<TakenTables, TakeError> {
    let names = wanted(&request.kinds);
    let is_wanted = move |table: &TableName| names.contains(table);
    let error = |stop: StopReason| stop.error(&request.from).unwrap_or(TakeError::Interrupted);
    let window = WINDOW * request.pool.current_num_threads();
    let mut streamed: Option<Streamed> = None;
    let read = drive_stream(source, is_wanted, &request.interrupted, |event| {
        match (event, &mut streamed) {
            (Event::Catalog(catalog, facts), streamed) => {
                check_names(&needed(&request.kinds, &catalog))?;
                let files = Files::new(folder, &catalog, &request.pool, window);
                *streamed = Some(Streamed {
                    catalog,
                    facts,
                    files,
                    holdings: Holdings::default(),
                });
            }
            (Event::Keys(keys), Some(streamed)) => {
                streamed.catalog = Arc::new(streamed.catalog.with_keys(keys));
            }
            (Event::Holdings(told), Some(streamed)) => {
                let catalog = &streamed.catalog;
                let missing = |table: &TableName| {
                    told.without_data
                        .iter()
                        .any(|it| catalog.holders(it).contains(table))
                };
                // A table that left no trace in the dump is an empty one.
                for table in needed(&request.kinds, catalog) {
                    if !missing(&table) {
                        streamed.files.begin_empty(&table).map_err(error)?;
                    }
                }
                streamed.holdings = told;
            }
            (event, Some(streamed)) => {
                if let Event::Begin(head) = &event {
                    observer.table(&head.table);
                }
                put(&mut streamed.files, event).map_err(error)?;
            }
            // Nothing comes before the catalog.
            (_, None) => {}
        }
        Ok(ControlFlow::Continue(()))
    });
    let read = read.map_err(|stopped| match stopped {
        Stopped::Interrupted => TakeError::Interrupted,
        Stopped::Threads(source) => read_error(request, *source),
        Stopped::Taker(error) => error,
    })?;
    read.map_err(|source| error(source.into()))?;
    let Some(Streamed {
        catalog,
        facts,
        files,
        holdings,
    }) = streamed
    else {
        return Err(TakeError::Plan(
            "the snapshot holds no table at all".to_owned(),
        ));
    };
    let tables = files.finish().map_err(error)?;
    check_holdings(request, &catalog, &holdings, &tables)?;
    Ok(TakenTables {
        catalog,
        only: facts.only.clone(),
        facts,
        tables,
    })
}
