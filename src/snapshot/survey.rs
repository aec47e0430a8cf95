//! A survey: what a snapshot says of itself, and how many rows and bytes each of its tables has.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::snapshot::catalog::Catalog;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Event;
use crate::snapshot::facts::{SnapshotFacts, TableSize};
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
                    .collect();
                // A table that left no trace in the dump is an empty one.
                for (table, size) in &mut self.tables {
                    if !missing.contains(table) {
                        size.get_or_insert_default();
                    }
                }
            }
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

/// Reads all of a snapshot, handing out no row; of a live server nothing is read but its statistics. `at` is told the tables as they go by; `readers` threads read where
/// tables can be opened one by one.
pub fn survey(snapshot: Snapshot, readers: usize, at: &mut dyn FnMut(&TableName)) -> Survey {
    let mut survey = Survey::default();
    let read = match snapshot.access {
        Access::Stream(source) => source.read(&|_| false, &mut |event| {
            if let Event::End(end) = &event {
                at(&end.table);
            }
            survey.take(event);
            ControlFlow::Continue(())
        }),
        Access::Tables(source) => survey_tables(source.as_ref(), readers, &mut survey, at),
        Access::Keyed(source) => {
            survey.facts = source.facts();
            survey.know(source.catalog());
            for (table, size) in &mut survey.tables {
                *size = source.estimate(table);
            }
            Ok(())
        }
    };
    survey.error = read.err();
    survey
}

fn survey_tables(
    source: &dyn TableSource,
    readers: usize,
    survey: &mut Survey,
    at: &mut dyn FnMut(&TableName),
) -> Result<(), SnapshotError> {
    survey.facts = source.facts();
    survey.know(source.catalog());
    let mut parts: Vec<TablePart> = survey
        .tables
        .keys()
        .flat_map(|table| source.parts(table))
        .collect();
    // The largest first, so that none is left alone at the end.
    parts.sort_by_key(|part| std::cmp::Reverse(part.size));
    std::thread::scope(|scope| {
        let (work, taken) = crossbeam_channel::unbounded();
        for part in parts {
            // The channel lives as long as `taken` does.
            let _ = work.send(part);
        }
        drop(work);
        let (reports, received) = crossbeam_channel::unbounded();
        for reader in 0..readers.max(1) {
            let (taken, reports) = (taken.clone(), reports.clone());
            let thread = std::thread::Builder::new().name(format!("reader-{reader}"));
            let started = thread.spawn_scoped(scope, move || {
                for part in taken {
                    let mut end = None;
                    let read = source.read(&part, &mut |event| {
                        if let Event::End(_) = &event {
                            end = Some(event);
                        }
                        ControlFlow::Continue(())
                    });
                    if reports.send(read.map(|()| end)).is_err() {
                        return;
                    }
                }
            });
            started.map_err(SnapshotError::Threads)?;
        }
        drop((taken, reports));
        let mut first = Ok(());
        for report in received {
            match report {
                Ok(Some(event)) => {
                    if let Event::End(end) = &event {
                        at(&end.table);
                    }
                    survey.take(event);
                }
                Ok(None) => {}
                Err(error) if first.is_ok() => first = Err(error),
                Err(_) => {}
            }
        }
        first
    })
}

/// What a snapshot says of its tables and of itself.
#[derive(Debug, Default)]
pub struct Definitions {
    pub catalog: Arc<Catalog>,
    pub facts: SnapshotFacts,
    /// Why a stream could not be read to its end. Keys that it states there are missing then.
    pub error: Option<SnapshotError>,
}

/// Reads no rows. A stream is read to its end, because plain dumps state primary keys behind their rows.
///
/// # Errors
/// Where the snapshot cannot be read as far as its catalog.
pub fn read_definitions(snapshot: Snapshot) -> Result<Definitions, SnapshotError> {
    let (catalog, facts) = match snapshot.access {
        Access::Tables(source) => (source.catalog(), source.facts()),
        Access::Keyed(source) => (source.catalog(), source.facts()),
        Access::Stream(source) => return definitions_of_stream(source),
    };
    Ok(Definitions {
        catalog,
        facts,
        error: None,
    })
}

fn definitions_of_stream(source: Box<dyn StreamSource>) -> Result<Definitions, SnapshotError> {
    let mut known = None;
    let read = source.read(&|_| false, &mut |event| {
        match (event, &mut known) {
            (Event::Catalog(catalog, facts), known) => {
                *known = Some(Definitions {
                    catalog,
                    facts,
                    error: None,
                });
            }
            (Event::Keys(keys), Some(known)) => {
                known.catalog = Arc::new(known.catalog.with_keys(keys));
            }
            // Definitions are what they are, whatever a row is like.
            (Event::Damage(damage), _) => tracing::warn!("{damage}"),
            // No rows are wanted.
            (Event::Keys(_), None)
            | (Event::Begin(_) | Event::Rows(_) | Event::End(_) | Event::Holdings(_), _) => {}
        }
        ControlFlow::Continue(())
    });
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
