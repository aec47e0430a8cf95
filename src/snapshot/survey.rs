//! A survey: what a snapshot says of itself, and how many rows and bytes each of its tables has.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::snapshot::block::Block;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::drive::{PartReaders, PartReport, Stopped, drive_stream, part_readers};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::{DatabaseOutcome, Event};
use crate::snapshot::facts::{Holdings, SnapshotFacts, TableSize};
use crate::snapshot::source::{Access, Snapshot, StreamSource, TablePart, TableSource};
use crate::snapshot::table_name::TableName;

/// What a snapshot holds, as far as it was read.
#[derive(Debug, Default)]
pub struct Survey {
    pub facts: SnapshotFacts,
    pub catalog: Arc<Catalog>,
    /// Every table of the catalog but partitions, each with the rows that stand below it; `None` where there is no data for it. Of a live
    /// server sizes are estimates, and bytes are those of its files; `None` is what it has no statistics of.
    pub tables: BTreeMap<TableName, Option<TableSize>>,
    /// Damaged rows that did not keep the rest from being read: the first of each table.
    pub damage: Vec<SnapshotError>,
    /// Why the rest could not be read.
    pub error: Option<SnapshotError>,
    /// Tables of databases that could not be read to their end.
    unread: BTreeSet<TableName>,
}

impl Survey {
    fn take(&mut self, event: Event) {
        match event {
            Event::Catalog(catalog, facts) => {
                self.facts = facts;
                self.know(catalog);
            }
            Event::End(end) => {
                let size = self
                    .tables
                    .entry(end.table)
                    .or_default()
                    .get_or_insert_default();
                size.rows += end.rows;
                size.bytes += end.bytes;
            }
            Event::Keys(keys) => self.catalog = Arc::new(self.catalog.with_keys(keys)),
            Event::Damage(damage) => self.damage.push(damage),
            Event::Holdings(holdings) => {
                let catalog = Arc::clone(&self.catalog);
                let missing: BTreeSet<TableName> = holdings
                    .without_data
                    .iter()
                    .flat_map(|name| catalog.holders(name))
                    .chain(std::mem::take(&mut self.unread))
                    .collect();
                // A table that left no trace in the dump is an empty one.
                for (table, size) in &mut self.tables {
                    if !missing.contains(table) {
                        size.get_or_insert_default();
                    }
                }
            }
            Event::DatabaseEnd(end) => match end.outcome {
                DatabaseOutcome::Whole(_) => {}
                DatabaseOutcome::CutOff(_) | DatabaseOutcome::Doubtful(_) => {
                    self.unread.extend(end.tables.iter().cloned());
                }
            },
            Event::Begin(_) | Event::Rows(_) => {}
        }
    }

    fn know(&mut self, catalog: Arc<Catalog>) {
        for table in catalog.tables() {
            if !catalog.is_partition(&table.name) {
                self.tables.entry(table.name.clone()).or_default();
            }
        }
        self.catalog = catalog;
    }
}

/// Looks on while a snapshot is surveyed.
pub trait Onlooker {
    /// What the snapshot says of its tables and of itself is known. Comes before any row, of live servers not at all.
    fn catalog(&mut self, catalog: &Arc<Catalog>, facts: &SnapshotFacts);
    /// Rows of a table that the onlooker wants.
    fn rows(&mut self, block: &Block);
    /// Data of a table has gone by.
    fn table(&mut self, table: &TableName);
}

/// Reads all of a snapshot; of a live server nothing is read but its statistics. `onlooker` is shown the rows of the tables
/// in `wanted`; `readers` threads read where tables can be opened one by one.
pub fn survey(
    snapshot: Snapshot,
    readers: usize,
    wanted: BTreeSet<TableName>,
    onlooker: &mut dyn Onlooker,
) -> Survey {
    let mut survey = Survey::default();
    let read = match snapshot.access {
        Access::Stream(source) => {
            let is_wanted = move |table: &TableName| wanted.contains(table);
            read_stream(source, is_wanted, |event| {
                show(&event, onlooker);
                survey.take(event);
            })
        }
        Access::Tables(source) => {
            survey_tables(&source.into(), readers, wanted, &mut survey, onlooker)
        }
        Access::Keyed(source) => {
            survey.facts = source.facts();
            survey.know(source.catalog());
            for (table, size) in &mut survey.tables {
                *size = source.estimate(table);
            }
            // Statistics are of the rows that there were.
            for table in source.holdings().without_data {
                if let Some(size) = survey.tables.get_mut(&table) {
                    *size = None;
                }
            }
            Ok(())
        }
    };
    survey.error = read.err();
    survey
}

fn show(event: &Event, onlooker: &mut dyn Onlooker) {
    match event {
        Event::Catalog(catalog, facts) => onlooker.catalog(catalog, facts),
        Event::Rows(block) => onlooker.rows(block),
        Event::End(end) => onlooker.table(&end.table),
        Event::Keys(_)
        | Event::Begin(_)
        | Event::Damage(_)
        | Event::DatabaseEnd(_)
        | Event::Holdings(_) => {}
    }
}

/// Reads a stream to its end, and hands out the rows of tables that are wanted.
fn read_stream(
    source: Box<dyn StreamSource>,
    wanted: impl Fn(&TableName) -> bool + Send + Sync + 'static,
    mut take: impl FnMut(Event),
) -> Result<(), SnapshotError> {
    let driven = drive_stream(source, wanted, &NEVER, |event| {
        take(event);
        Ok::<_, Infallible>(ControlFlow::Continue(()))
    });
    driven.unwrap_or_else(|stopped| Err(stopped_by(stopped)))
}

/// No file is written that a signal could leave unfinished, so its default action will do.
static NEVER: AtomicBool = AtomicBool::new(false);

fn stopped_by(stopped: Stopped<Infallible>) -> SnapshotError {
    match stopped {
        Stopped::Interrupted => SnapshotError::Interrupted,
        Stopped::Threads(error) => *error,
        Stopped::Taker(never) => match never {},
    }
}

fn survey_tables(
    source: &Arc<dyn TableSource>,
    count: usize,
    wanted: BTreeSet<TableName>,
    survey: &mut Survey,
    onlooker: &mut dyn Onlooker,
) -> Result<(), SnapshotError> {
    survey.facts = source.facts();
    survey.know(source.catalog());
    onlooker.catalog(&survey.catalog, &survey.facts);
    let mut parts: Vec<TablePart> = survey
        .tables
        .keys()
        .flat_map(|table| source.parts(table))
        .collect();
    // The largest first, so that none is left alone at the end.
    parts.sort_by_key(|part| std::cmp::Reverse(part.size));
    let is_taken = move |event: &Event| match event {
        Event::End(_) => true,
        Event::Rows(block) => wanted.contains(&block.head.table),
        Event::Catalog(..)
        | Event::Keys(_)
        | Event::Begin(_)
        | Event::Damage(_)
        | Event::DatabaseEnd(_)
        | Event::Holdings(_) => false,
    };
    let mut readers: PartReaders<()> = part_readers(Arc::clone(source), count, is_taken)?;
    for part in parts {
        readers.give(((), part));
    }
    readers.no_more();
    let mut first = Ok(());
    loop {
        let taken = readers.next(&NEVER, |report| {
            match report {
                PartReport::Event((), event) => {
                    show(&event, onlooker);
                    survey.take(event);
                }
                PartReport::End((), Err(error)) if first.is_ok() => first = Err(error),
                PartReport::End((), _) => {}
            }
            Ok::<_, Infallible>(())
        });
        if taken.map_err(stopped_by)?.is_none() {
            return first;
        }
    }
}

/// What a snapshot says of its tables and of itself.
#[derive(Debug, Default)]
pub struct Definitions {
    pub catalog: Arc<Catalog>,
    pub facts: SnapshotFacts,
    /// Where definitions and data do not match. Of a stream that could not be read to its end it is not known.
    pub holdings: Holdings,
    /// Why a stream could not be read to its end. Keys that it states there are missing then.
    pub error: Option<SnapshotError>,
}

/// Reads no rows. A stream is read to its end, because plain dumps state primary keys behind their rows.
///
/// # Errors
/// Where the snapshot cannot be read as far as its catalog.
pub fn read_definitions(snapshot: Snapshot) -> Result<Definitions, SnapshotError> {
    let (catalog, facts, holdings) = match snapshot.access {
        Access::Tables(source) => (source.catalog(), source.facts(), source.holdings()),
        Access::Keyed(source) => (source.catalog(), source.facts(), source.holdings()),
        Access::Stream(source) => return definitions_of_stream(source),
    };
    Ok(Definitions {
        catalog,
        facts,
        holdings,
        error: None,
    })
}

/// Reads the definitions of tables, as far as they are known before the first row: a stream is read no further.
///
/// # Errors
/// Where the snapshot cannot be read as far as its catalog.
pub fn read_catalog(snapshot: Snapshot) -> Result<(Arc<Catalog>, SnapshotFacts), SnapshotError> {
    let source = match snapshot.access {
        Access::Tables(source) => return Ok((source.catalog(), source.facts())),
        Access::Keyed(source) => return Ok((source.catalog(), source.facts())),
        Access::Stream(source) => source,
    };
    let mut known = None;
    let driven = drive_stream(
        source,
        |_| false,
        &NEVER,
        |event| {
            Ok::<_, Infallible>(match event {
                Event::Catalog(catalog, facts) => {
                    known = Some((catalog, facts));
                    ControlFlow::Break(())
                }
                Event::Begin(_)
                | Event::Rows(_)
                | Event::End(_)
                | Event::Keys(_)
                | Event::Damage(_)
                | Event::DatabaseEnd(_)
                | Event::Holdings(_) => ControlFlow::Continue(()),
            })
        },
    );
    match (
        known,
        driven.unwrap_or_else(|stopped| Err(stopped_by(stopped))),
    ) {
        (Some(known), _) => Ok(known),
        (None, Err(error)) => Err(error),
        // It has no table at all.
        (None, Ok(())) => Ok(Default::default()),
    }
}

fn definitions_of_stream(source: Box<dyn StreamSource>) -> Result<Definitions, SnapshotError> {
    let mut known = None;
    let read = read_stream(
        source,
        |_| false,
        |event| {
            match (event, &mut known) {
                (Event::Catalog(catalog, facts), known) => {
                    *known = Some(Definitions {
                        catalog,
                        facts,
                        ..Definitions::default()
                    });
                }
                (Event::Keys(keys), Some(known)) => {
                    known.catalog = Arc::new(known.catalog.with_keys(keys));
                }
                // Definitions are what they are, whatever a row is like.
                (Event::Damage(damage), _) => tracing::warn!("{damage}"),
                (Event::Holdings(holdings), Some(known)) => known.holdings = holdings,
                // No rows are wanted.
                (Event::Keys(_) | Event::Holdings(_), None)
                | (
                    // How a database ended is told again at the stream's end.
                    Event::Begin(_) | Event::Rows(_) | Event::End(_) | Event::DatabaseEnd(_),
                    _,
                ) => {}
            }
        },
    );
    match (known, read) {
        (Some(known), read) => Ok(Definitions {
            error: read.err(),
            ..known
        }),
        (None, Err(error)) => Err(error),
        // It has no table at all.
        (None, Ok(())) => Ok(Definitions::default()),
    }
}
