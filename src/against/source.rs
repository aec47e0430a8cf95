//! Reading tables of a snapshot from their beginning to their end, as often as is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::snapshot::drive::{Readers, Stopped, drive_stream};
use crate::snapshot::{
    Access, Block, Catalog, Definitions, Event, Fields, KeyedSource, OpenOptions, Query, Snapshot,
    SnapshotError, Spec, StreamSource, TableName, TableSource, open_with, read_definitions,
};

use super::AgainstError;

/// A snapshot that is read several times.
pub(super) struct Source {
    spec: Spec,
    options: OpenOptions,
    interrupted: Arc<AtomicBool>,
    pub(super) catalog: Arc<Catalog>,
    /// Partitions whose rows may stand in the data of a table above them, and that table.
    pub(super) undivided: BTreeMap<TableName, TableName>,
    access: Rereadable,
    /// How often it was read.
    pub(super) passes: u64,
}

enum Rereadable {
    /// It is opened anew each time.
    Stream,
    Tables(Arc<dyn TableSource>),
    Keyed(Arc<dyn KeyedSource>),
}

impl Source {
    /// Opens a snapshot and reads its definitions: of a stream to its end, behind whose rows keys may be stated.
    pub(super) fn open(
        spec: &Spec,
        options: &OpenOptions,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Source, AgainstError> {
        let snapshot = open_with(spec, options)?;
        let (access, catalog, holdings) = match snapshot.access {
            Access::Tables(source) => {
                let (catalog, holdings) = (source.catalog(), source.holdings());
                (Rereadable::Tables(source.into()), catalog, holdings)
            }
            Access::Keyed(source) => {
                let (catalog, holdings) = (source.catalog(), source.holdings());
                (Rereadable::Keyed(source.into()), catalog, holdings)
            }
            Access::Stream(_) => {
                let definitions = read_definitions(snapshot)?;
                if let Some(error) = definitions.error {
                    return Err(AgainstError::from(error));
                }
                let Definitions {
                    catalog, holdings, ..
                } = definitions;
                (Rereadable::Stream, catalog, holdings)
            }
        };
        Ok(Source {
            spec: spec.clone(),
            options: options.clone(),
            interrupted: Arc::clone(interrupted),
            catalog,
            undivided: holdings.undivided.into_iter().collect(),
            access,
            passes: 0,
        })
    }

    /// Reads tables, and hands out their rows block by block.
    pub(super) fn read(
        &mut self,
        tables: &BTreeSet<TableName>,
        read: &AtomicU64,
        take: &mut dyn FnMut(&Block) -> Result<(), AgainstError>,
    ) -> Result<(), AgainstError> {
        self.passes += 1;
        match &self.access {
            Rereadable::Stream => {
                let source = stream_of(open_with(&self.spec, &self.options)?)?;
                let wanted = tables.clone();
                let driven = drive_stream(
                    source,
                    move |table| wanted.contains(table),
                    &self.interrupted,
                    |event| given(event, read, take).map(ControlFlow::Continue),
                );
                driven.map_err(stopped)??;
                Ok(())
            }
            Rereadable::Tables(source) => {
                let parts: Vec<_> = tables
                    .iter()
                    .flat_map(|table| source.parts(table))
                    .collect();
                let source = Arc::clone(source);
                drive(&self.interrupted, read, take, parts, move |part, sink| {
                    source.read(&part, sink)
                })
            }
            Rereadable::Keyed(source) => {
                let (source, catalog) = (Arc::clone(source), Arc::clone(&self.catalog));
                let tables: Vec<TableName> = tables.iter().cloned().collect();
                drive(&self.interrupted, read, take, tables, move |table, sink| {
                    let definition = catalog.table(&table).into_iter();
                    let columns = definition
                        .flat_map(|definition| &definition.columns)
                        .map(|column| column.name.as_str());
                    // Those that are generated, too: no record has them, but rows may be found by them.
                    let query = Query {
                        table: &table,
                        fields: Fields::Columns(columns.collect()),
                        predicates: Vec::new(),
                    };
                    source.read(&query, sink)
                })
            }
        }
    }
}

/// What a thread that reads tables reports.
enum Report {
    Event(Event),
    End(Result<(), SnapshotError>),
}

/// Reads one table after the other on a thread of its own, and hands out what comes.
fn drive<Job: Send + 'static>(
    interrupted: &AtomicBool,
    read: &AtomicU64,
    take: &mut dyn FnMut(&Block) -> Result<(), AgainstError>,
    jobs: Vec<Job>,
    work: impl Fn(Job, &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<(), SnapshotError>
    + Send
    + Sync
    + 'static,
) -> Result<(), AgainstError> {
    let mut readers = Readers::start(1, move |job, reports| {
        let end = work(job, &mut |event| reports.send(Report::Event(event)));
        reports.send(Report::End(end))
    })?;
    for job in jobs {
        readers.give(job);
    }
    readers.no_more();
    loop {
        let taken = readers.next(interrupted, |report| match report {
            Report::Event(event) => given(event, read, take),
            Report::End(end) => end.map_err(AgainstError::from),
        });
        if taken.map_err(stopped)?.is_none() {
            return Ok(());
        }
    }
}

/// Takes an event.
fn given(
    event: Event,
    read: &AtomicU64,
    take: &mut dyn FnMut(&Block) -> Result<(), AgainstError>,
) -> Result<(), AgainstError> {
    match event {
        Event::Rows(block) => {
            read.fetch_add(
                block.bytes().len() as u64,
                std::sync::atomic::Ordering::Relaxed,
            );
            block.check_zero_bytes()?;
            take(&block)
        }
        // A row that was stepped over would be missing without a word.
        Event::Damage(SnapshotError::TooLarge {
            place,
            reason,
            tables,
        }) if !tables.is_empty() => Err(AgainstError::from(SnapshotError::TooLarge {
            place,
            reason,
            tables,
        })),
        // Of a table that nothing is compared of.
        Event::Damage(damage) => {
            tracing::warn!("{damage}");
            Ok(())
        }
        // A database that cannot be read to its end ends the stream with an error. A table without data has no rows, and
        // then the files should have none.
        Event::Catalog(..)
        | Event::Keys(_)
        | Event::Begin(_)
        | Event::End(_)
        | Event::DatabaseEnd(_)
        | Event::Holdings(_) => Ok(()),
    }
}

fn stopped(stopped: Stopped<AgainstError>) -> AgainstError {
    match stopped {
        Stopped::Interrupted => AgainstError::Interrupted,
        Stopped::Threads(error) => AgainstError::from(*error),
        Stopped::Taker(error) => error,
    }
}

fn stream_of(snapshot: Snapshot) -> Result<Box<dyn StreamSource>, AgainstError> {
    match snapshot.access {
        Access::Stream(source) => Ok(source),
        // It was one when it was opened first.
        Access::Tables(_) | Access::Keyed(_) => Err(AgainstError::Replaced),
    }
}
