use std::ops::ControlFlow;
use std::sync::Arc;

use super::*;
use crate::pipeline::{Edition, Pipeline};
use crate::resolve::{Limits, Plan, Relations, ResolveError, Selection};
use crate::snapshot::{
    Catalog, Event, Holdings, Kind, Sink, SnapshotError, SnapshotFacts, StreamSource, TableName,
    TablePart, TableSource, open,
};

/// A folder of CSV files whose reader of one table dies.
struct Dying {
    tables: Box<dyn TableSource>,
    table: &'static str,
}

impl TableSource for Dying {
    fn catalog(&self) -> Arc<Catalog> {
        self.tables.catalog()
    }

    fn facts(&self) -> SnapshotFacts {
        self.tables.facts()
    }

    fn parts(&self, table: &TableName) -> Vec<TablePart> {
        self.tables.parts(table)
    }

    fn holdings(&self) -> Holdings {
        self.tables.holdings()
    }

    fn read(&self, part: &TablePart, sink: Sink<'_>) -> Result<(), SnapshotError> {
        match part.table.name == self.table {
            true => panic!("a test's own panic"),
            false => self.tables.read(part, sink),
        }
    }
}

/// A stream whose reader dies behind the catalog.
struct DyingStream(Arc<Catalog>);

impl StreamSource for DyingStream {
    fn read(
        self: Box<Self>,
        _: crate::snapshot::TableFilter<'_>,
        sink: Sink<'_>,
    ) -> Result<(), SnapshotError> {
        assert_eq!(
            sink(Event::Catalog(self.0, SnapshotFacts::default())),
            ControlFlow::Continue(())
        );
        panic!("a test's own panic")
    }
}

struct Quiet;

impl Observer for Quiet {
    fn planned(&mut self, _: &Plan, _: &SnapshotFacts) -> Result<(), ResolveError> {
        Ok(())
    }

    fn table(&mut self, _: &TableName) {}
}

fn tables() -> Box<dyn TableSource> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/csv");
    match open(&folder.into()).unwrap().access {
        Access::Tables(tables) => tables,
        _ => panic!("a folder of CSV files has tables"),
    }
}

fn resolve_access(access: Access) -> Result<Outcome, ResolveError> {
    let snapshot = Snapshot {
        kind: Kind::Csv,
        source: "csv".to_owned(),
        size: None,
        progress: Arc::default(),
        access,
        files: crate::snapshot::FileSource::None { why: String::new() },
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    let request = Request {
        kinds: &[KindChoice {
            pipeline: Pipeline::builtin(),
            choice: Choice::Named {
                names: vec!["4351".to_owned()],
                descendants: false,
            },
        }],
        selection: &Selection {
            relations: Relations::All,
            edition: Edition::Ee,
            files: false,
            ..Selection::default()
        },
        limits: &Limits {
            memory: 64 << 20,
            temp_dir: std::env::temp_dir(),
        },
        pool: Arc::new(pool.unwrap()),
        interrupted: Arc::default(),
        seal_late: false,
        allow_missing: false,
        strict: false,
        stop_early: false,
    };
    resolve(snapshot, &request, &mut Quiet)
}

#[test]
fn a_reader_that_dies_fails_what_needs_its_table() {
    for table in ["labels", "namespaces"] {
        let source = Dying {
            tables: tables(),
            table,
        };
        match (table, resolve_access(Access::Tables(Box::new(source)))) {
            ("labels", Ok(outcome)) => {
                let troubles = format!("{:?}", outcome.resolved.troubles);
                assert!(troubles.contains("a fault in this program"), "{troubles}");
            }
            ("namespaces", Err(error)) => {
                assert!(
                    error.to_string().contains("a fault in this program"),
                    "{error}"
                );
            }
            (_, Ok(_)) => panic!("{table} cannot be read, and nothing says so"),
            (_, Err(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn a_stream_whose_reader_dies_has_not_ended() {
    let stream = DyingStream(tables().catalog());
    let resolved =
        crate::fault::caught(|| resolve_access(Access::Stream(Box::new(stream))).is_ok());
    assert_ne!(resolved, Ok(true));
}
