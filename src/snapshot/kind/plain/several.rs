//! Plain dumps of several databases as one stream.
//!
//! The definitions of all of them are read first, so that one catalog can be told before any row; then the rows of one
//! after the other, the main database's first, because most others are found by them. Meanwhile the dumps that come later
//! wait with a few chunks at hand.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::PlainDump;
use super::reader::Reader;
use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::chunks::{self, Chunk};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::{DatabaseEnd, DatabaseOutcome, Event, Sink, TableFilter};
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::ownership::{DatabaseIndex, MAIN, Ownership, unite_facts, unite_holdings};
use crate::snapshot::routing::Routing;
use crate::snapshot::source::StreamSource;
use crate::snapshot::stated_keys::StatedKeys;
use crate::snapshot::table_name::TableName;
use crate::timings;

/// The dump of another database than the main one.
pub(crate) struct OtherDump {
    pub(crate) database: String,
    /// Why there is none, if it is there but cannot be read at all.
    pub(crate) dump: Result<PlainDump, SnapshotError>,
}

/// Plain dumps of a main database and of others, read once.
pub(crate) struct SeveralDumps {
    main: PlainDump,
    others: Vec<OtherDump>,
    routing: Routing,
    /// The tables that the run needs; a database that owns none of them is read no further than its definitions. `None`
    /// means all.
    needed: Option<BTreeSet<TableName>>,
    /// What the user calls the snapshots, where each dump is one.
    snapshots: Option<Vec<String>>,
}

impl SeveralDumps {
    pub(crate) fn new(
        main: PlainDump,
        others: Vec<OtherDump>,
        routing: &Routing,
        needed: Option<&BTreeSet<TableName>>,
    ) -> Self {
        SeveralDumps {
            main,
            others,
            routing: routing.clone(),
            needed: needed.cloned(),
            snapshots: None,
        }
    }

    /// Each dump is a snapshot of its own, which the user calls so.
    pub(crate) fn of_snapshots(self, names: Vec<String>) -> Self {
        SeveralDumps {
            snapshots: Some(names),
            ..self
        }
    }
}

/// Events of a dump that nobody has taken yet: at the most those of one chunk.
type Queue = RefCell<VecDeque<Event>>;

/// A dump while it is read.
struct Dump<'a> {
    chunks: Receiver<Result<Chunk, SnapshotError>>,
    /// `None` when the dump has been read.
    reader: Option<Reader<'a>>,
    queue: &'a Queue,
    /// Why it could not be read to its end.
    error: Option<SnapshotError>,
}

impl<'a> Dump<'a> {
    fn new(
        dump: PlainDump,
        wanted: TableFilter<'a>,
        sink: Sink<'a>,
        queue: &'a Queue,
    ) -> Result<Self, SnapshotError> {
        let chunks = chunks::spawn(dump.reader, dump.origin.clone(), dump.chunk)?;
        Ok(Dump {
            chunks,
            reader: Some(Reader::new(dump.origin, wanted, sink)),
            queue,
            error: None,
        })
    }

    /// Goes through one chunk more, whose events come into the queue. False when there are none left.
    fn step(&mut self) -> bool {
        let Some(reader) = &mut self.reader else {
            return false;
        };
        let stepped = match timings::waiting(|| self.chunks.recv()) {
            Ok(Ok(chunk)) => reader.chunk(&chunk).map(|_| true),
            Ok(Err(error)) => Err(reader.place(error)),
            Err(_) => match self.reader.take() {
                Some(reader) => reader.finish().map(|()| false),
                None => Ok(false),
            },
        };
        stepped.unwrap_or_else(|error| {
            self.reader = None;
            self.error = Some(error);
            false
        })
    }

    /// Reads as far as the catalog; `None` where the dump ends before it is told, which the error says.
    fn head(&mut self) -> Option<(Arc<Catalog>, SnapshotFacts)> {
        loop {
            let more = self.step();
            let mut queue = self.queue.borrow_mut();
            let is_catalog = |event: &Event| matches!(event, Event::Catalog(..));
            let told = queue.iter().position(is_catalog);
            if let Some(Event::Catalog(catalog, facts)) =
                told.and_then(|position| queue.remove(position))
            {
                return Some((catalog, facts));
            }
            if !more {
                return None;
            }
        }
    }

    /// The next event. `None` when there are no more, for a good reason or a bad one.
    fn next(&mut self) -> Option<Event> {
        loop {
            let event = self.queue.borrow_mut().pop_front();
            if event.is_some() {
                return event;
            }
            if !self.step() {
                return self.queue.borrow_mut().pop_front();
            }
        }
    }
}

impl StreamSource for SeveralDumps {
    fn read(self: Box<Self>, wanted: TableFilter<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let SeveralDumps {
            main,
            others,
            routing,
            needed,
            snapshots,
        } = *self;
        let names = others.iter().map(|other| other.database.clone());
        let ownership = Ownership::new(names.collect(), &routing);
        let dumps: Vec<Result<PlainDump, SnapshotError>> = [Ok(main)]
            .into_iter()
            .chain(others.into_iter().map(|other| other.dump))
            .collect();
        let queues: Vec<Queue> = dumps.iter().map(|_| Queue::default()).collect();
        let filters: Vec<_> = (0..dumps.len())
            .map(|database| {
                let ownership = &ownership;
                move |table: &TableName| wanted(table) && ownership.may_own(database, table)
            })
            .collect();
        let mut sinks: Vec<_> = queues
            .iter()
            .map(|queue| {
                |event| {
                    queue.borrow_mut().push_back(event);
                    ControlFlow::Continue(())
                }
            })
            .collect();
        let mut begun = Vec::with_capacity(dumps.len());
        for (((dump, filter), queue), sink) in
            dumps.into_iter().zip(&filters).zip(&queues).zip(&mut sinks)
        {
            begun.push(dump.and_then(|dump| Dump::new(dump, filter, sink, queue)));
        }
        let merge = Merge {
            ownership: &ownership,
            needed,
            snapshots,
            sink,
        };
        merge.read(begun)
    }
}

/// What is read of all dumps, on its way to whoever takes it.
struct Merge<'a> {
    ownership: &'a Ownership,
    needed: Option<BTreeSet<TableName>>,
    snapshots: Option<Vec<String>>,
    sink: Sink<'a>,
}

/// What a dump stated and turned out to hold.
#[derive(Default)]
struct Said {
    keys: StatedKeys,
    holdings: Holdings,
}

impl Merge<'_> {
    fn read(mut self, dumps: Vec<Result<Dump<'_>, SnapshotError>>) -> Result<(), SnapshotError> {
        let (mut dumps, mut heads) = (dumps, Vec::with_capacity(2));
        for (database, dump) in dumps.iter_mut().enumerate() {
            let head = match dump {
                Ok(dump) => dump.head(),
                Err(_) => None,
            };
            if head.is_none() && database == MAIN {
                break;
            }
            heads.push(head);
        }
        let Some(Some(_)) = heads.first() else {
            // Nothing can be told of a snapshot without its main database.
            return match dumps.into_iter().next() {
                Some(Ok(Dump {
                    error: Some(error), ..
                })) => Err(error),
                Some(Err(error)) => Err(error),
                Some(Ok(_)) | None => Ok(()),
            };
        };
        let facts: Vec<SnapshotFacts> = heads
            .iter()
            .map(|head| {
                head.as_ref()
                    .map(|(_, facts)| facts.clone())
                    .unwrap_or_default()
            })
            .collect();
        let facts = unite_facts(self.ownership, &facts, self.snapshots.as_deref());
        let catalogs: Vec<Option<&Catalog>> = heads
            .iter()
            .map(|head| head.as_ref().map(|(catalog, _)| &**catalog))
            .collect();
        let catalog = Arc::new(self.ownership.unite(&catalogs)?);
        if (self.sink)(Event::Catalog(Arc::clone(&catalog), facts)).is_break() {
            return Ok(());
        }
        let mut said: Vec<Said> = heads
            .iter()
            .map(|head| Said {
                keys: head
                    .as_ref()
                    .map(|(catalog, _)| catalog.keys().clone())
                    .unwrap_or_default(),
                holdings: Holdings::default(),
            })
            .collect();
        let mut first = None;
        for (database, (dump, said)) in dumps.into_iter().zip(&mut said).enumerate() {
            let tables = self.ownership.tables(database);
            if database != MAIN && !self.is_needed(&tables) {
                continue;
            }
            let error = match dump {
                Ok(dump) => match self.database(database, dump, said) {
                    ControlFlow::Continue(error) => error,
                    ControlFlow::Break(()) => return Ok(()),
                },
                Err(error) => Some(error),
            };
            let outcome = match error {
                None => DatabaseOutcome::Whole(said.holdings.clone()),
                Some(error @ SnapshotError::CutOff { .. }) => {
                    let reason = error.to_string();
                    first.get_or_insert(error);
                    DatabaseOutcome::CutOff(reason)
                }
                // As much is in doubt as if it were the only one.
                Some(error) if database == MAIN => return Err(error),
                Some(error) => {
                    let reason = error.to_string();
                    first.get_or_insert(error);
                    DatabaseOutcome::Doubtful(reason)
                }
            };
            let tables = Arc::new(tables);
            if (self.sink)(Event::DatabaseEnd(DatabaseEnd { tables, outcome })).is_break() {
                return Ok(());
            }
        }
        self.end(&catalog, said, first)
    }

    fn is_needed(&self, tables: &BTreeSet<TableName>) -> bool {
        match &self.needed {
            Some(needed) => tables.iter().any(|table| needed.contains(table)),
            None => true,
        }
    }

    /// Hands on what comes of a database's own tables. `Break` if nobody wants more; else why its reading ended early.
    fn database(
        &mut self,
        database: DatabaseIndex,
        mut dump: Dump<'_>,
        said: &mut Said,
    ) -> ControlFlow<(), Option<SnapshotError>> {
        while let Some(event) = dump.next() {
            match event {
                Event::Keys(keys) => {
                    said.keys = keys;
                    continue;
                }
                Event::Holdings(holdings) => {
                    said.holdings = self.ownership.own_holdings(database, &holdings);
                    continue;
                }
                // A dump tells its catalog once, and is one database.
                Event::Catalog(..) | Event::DatabaseEnd(_) => continue,
                Event::Begin(head) if !self.ownership.owns(database, &head.table) => continue,
                Event::Rows(block) if !self.ownership.owns(database, &block.head.table) => continue,
                Event::End(end) if !self.ownership.owns(database, &end.table) => continue,
                // A row that was stepped over matters to the tables that are taken from here.
                Event::Damage(SnapshotError::TooLarge {
                    place,
                    reason,
                    mut tables,
                }) if !tables.is_empty() => {
                    tables.retain(|table| self.ownership.owns(database, table));
                    if !tables.is_empty() {
                        (self.sink)(Event::Damage(SnapshotError::TooLarge {
                            place,
                            reason,
                            tables,
                        }))?;
                    }
                }
                // Of a table that is not needed: but who wrote that may have written more.
                Event::Damage(damage) if database != MAIN => {
                    return ControlFlow::Continue(Some(damage));
                }
                event @ (Event::Begin(_) | Event::Rows(_) | Event::End(_) | Event::Damage(_)) => {
                    (self.sink)(event)?;
                }
            }
        }
        ControlFlow::Continue(dump.error)
    }

    /// Tells what is known at the end.
    fn end(
        self,
        catalog: &Catalog,
        said: Vec<Said>,
        first: Option<SnapshotError>,
    ) -> Result<(), SnapshotError> {
        let keys = said.iter().map(|said| &said.keys).enumerate();
        let keys = self.ownership.unite_keys(keys);
        if keys != *catalog.keys() && (self.sink)(Event::Keys(keys)).is_break() {
            return Ok(());
        }
        let holdings = unite_holdings(said.into_iter().map(|said| said.holdings));
        // The last event: whether the sink breaks makes no difference.
        let _ = (self.sink)(Event::Holdings(holdings));
        first.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests;
