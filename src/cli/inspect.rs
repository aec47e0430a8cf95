//! `relexport inspect`: what a snapshot is and holds.

mod files;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::export::{ExportObserver, version_by_tables};
use crate::pipeline::Pipeline;
use crate::resolve::{EntityCount, EntityCounter, Selection, missing_indexes, plan, with_entities};
use crate::snapshot::{
    Access, Block, Catalog, Onlooker, Snapshot, SnapshotFacts, Survey, TableName, open_with, survey,
};
use crate::visible::visible;

use super::args::InspectArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::kinds::{all_kinds, pipelines_of};
use super::progress::Progress;
use super::setup;
use super::stdout;
use super::table::{Align, Table};
use files::Files;

/// What is printed as JSON.
#[derive(Serialize)]
struct Inspection {
    kind: &'static str,
    source: String,
    /// Bytes on disk.
    size: Option<u64>,
    server_version: Option<String>,
    dump_version: Option<String>,
    gitlab_version: Option<String>,
    /// The oldest GitLab whose tables these can be.
    gitlab_version_by_tables: Option<&'static str>,
    taken_at: Option<String>,
    /// How far the log of a live server was.
    #[serde(skip_serializing_if = "Option::is_none")]
    lsn: Option<String>,
    /// Rows and bytes are by a live server's statistics.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
    /// How many entities each pipeline would find, by its name, as far as the snapshot has a table of them; `null` if the number is
    /// not known.
    entities: BTreeMap<String, Option<u64>>,
    tables: Vec<TableEntry>,
    /// Columns that the pipeline finds rows by, without an index that helps a live server to do so.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_indexes: Option<Vec<IndexEntry>>,
    /// The files of a GitLab backup beside its databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Files>,
    /// Why the tables are not all of the snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A table; `null` where the snapshot defines it and holds no data for it.
#[derive(Serialize)]
struct TableEntry {
    table: String,
    rows: Option<u64>,
    bytes: Option<u64>,
}

/// A column without an index.
#[derive(Serialize)]
struct IndexEntry {
    table: String,
    column: String,
}

/// The columns without an index of a live server; `None` for other snapshots, or where the pipeline does not fit.
fn missing(pipelines: &[&Pipeline], snapshot: &Snapshot) -> Option<Vec<IndexEntry>> {
    let Access::Keyed(source) = &snapshot.access else {
        return None;
    };
    let catalog = source.catalog();
    let pipelines = with_entities(pipelines, &catalog);
    let plan = plan(&pipelines, &Selection::default(), &catalog).ok()?;
    let missing = missing_indexes(&plan, source.as_ref()).into_iter();
    let entries = missing.map(|(table, column)| IndexEntry {
        table: table.to_string(),
        column,
    });
    Some(entries.collect())
}

/// Counts entities while the tables go by, and shows which.
struct Watch<'a> {
    progress: Progress,
    counter: EntityCounter<'a>,
}

impl Onlooker for Watch<'_> {
    fn catalog(&mut self, catalog: &Arc<Catalog>, facts: &SnapshotFacts) {
        self.counter.know(catalog, facts);
    }

    fn rows(&mut self, block: &Block) {
        self.counter.take(block);
    }

    fn table(&mut self, table: &TableName) {
        self.progress.table(&table.to_string());
    }
}

/// Runs the command. What could be read is printed, even where the rest is damaged.
pub(crate) fn run(args: &InspectArgs, console: &Console) -> Result<Exit, Failure> {
    let kinds = all_kinds(&args.pipeline)?;
    let pipelines = pipelines_of(&kinds);
    let options = setup::open_options(&args.server, Some(1), &pipelines, console)?;
    let snapshot = open_with(&args.snapshot, &options)?;
    let missing_indexes = missing(&pipelines, &snapshot);
    let files = Files::of(&snapshot.files);
    let estimated = matches!(snapshot.access, Access::Keyed(_));
    let mut watch = Watch {
        progress: Progress::new(console),
        counter: EntityCounter::new(&pipelines),
    };
    watch
        .progress
        .reading(snapshot.size, snapshot.progress.clone());
    if let Access::Keyed(source) = &snapshot.access {
        watch.counter.ask(source.as_ref());
    }
    let (kind, source, size) = (snapshot.kind, snapshot.source.clone(), snapshot.size);
    let readers = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = watch.counter.tables();
    let found = survey(snapshot, readers, wanted, &mut watch);
    watch.progress.finish();
    let Survey {
        facts,
        catalog,
        tables,
        damage,
        error,
        ..
    } = found;
    // Rows are counted, not read: damage in one is told, and keeps nothing from being said.
    for damage in &damage {
        tracing::warn!("{damage}");
    }
    let counts = watch.counter.finish(|table| {
        let has_data = tables.get(table).is_some_and(Option::is_some);
        // Of a table in several parts one may be among those that were not read.
        estimated || has_data && (error.is_none() || !catalog.has_children(table))
    });
    for EntityCount { kind, count, .. } in &counts {
        if let Err(reason) = count {
            tracing::warn!("{} cannot be counted: {reason}", several(kind));
        }
    }
    let inspection = Inspection {
        kind: kind.name(),
        source,
        size,
        server_version: facts.server_version,
        dump_version: facts.dump_version,
        gitlab_version: facts.gitlab_version,
        gitlab_version_by_tables: version_by_tables(&catalog),
        taken_at: facts.taken_at,
        lsn: facts.lsn,
        estimated,
        entities: counts
            .iter()
            .map(|count| (count.pipeline.clone(), count.count.as_ref().ok().copied()))
            .collect(),
        tables: tables
            .into_iter()
            .map(|(name, size)| TableEntry {
                table: name.to_string(),
                rows: size.map(|size| size.rows),
                bytes: size.map(|size| size.bytes),
            })
            .collect(),
        missing_indexes,
        files,
        error: error.as_ref().map(ToString::to_string),
    };
    if args.json {
        stdout::print_json(&inspection)?;
    } else {
        stdout::print(&text(&inspection, &counts))?;
    }
    match error {
        Some(error) => Err(Failure::from(error).of(&args.snapshot)),
        None => Ok(Exit::Success),
    }
}

/// What several entities of a kind are called.
fn several(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

fn text(inspection: &Inspection, counts: &[EntityCount]) -> String {
    let gitlab = match (
        &inspection.gitlab_version,
        inspection.gitlab_version_by_tables,
    ) {
        (Some(version), _) => Some(version.clone()),
        (None, Some(version)) => Some(format!("{version} or later, by its tables")),
        (None, None) => None,
    };
    let facts = [
        ("kind", Some(inspection.kind.to_owned())),
        ("source", Some(inspection.source.clone())),
        (
            "size",
            inspection.size.map(|size| HumanBytes(size).to_string()),
        ),
        ("server version", inspection.server_version.clone()),
        ("dump version", inspection.dump_version.clone()),
        ("GitLab version", gitlab),
        ("taken at", inspection.taken_at.clone()),
    ];
    // What other snapshots cannot have is no line of theirs.
    let of_servers = inspection.lsn.clone().map(|lsn| ("LSN", Some(lsn)));
    let mut text = String::new();
    for (name, value) in facts.into_iter().chain(of_servers) {
        let value = value.map_or("not known".to_owned(), |value| visible(&value));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:15} {value}");
    }
    for EntityCount { kind, count, .. } in counts {
        let shown = match count {
            Ok(count) => HumanCount(*count).to_string(),
            Err(_) => "not known".to_owned(),
        };
        let _ = writeln!(text, "{:15} {shown}", several(kind));
    }
    let (rows, bytes, nothing) = match inspection.estimated {
        true => ("ROWS, ABOUT", "ON DISK, ABOUT", "not known"),
        false => ("ROWS", "BYTES", "no data"),
    };
    let mut table = Table::new(&[
        ("TABLE", Align::Left),
        (rows, Align::Right),
        (bytes, Align::Right),
    ]);
    for entry in &inspection.tables {
        let shown = |value: Option<String>| value.unwrap_or_else(|| nothing.to_owned());
        table.row([
            entry.table.clone(),
            shown(entry.rows.map(|rows| HumanCount(rows).to_string())),
            shown(entry.bytes.map(|bytes| HumanBytes(bytes).to_string())),
        ]);
    }
    let _ = write!(text, "\n{}", table.text());
    if let Some(files) = &inspection.files {
        let _ = write!(text, "\n{}", files.text());
    }
    if let Some(missing) = inspection
        .missing_indexes
        .as_ref()
        .filter(|missing| !missing.is_empty())
    {
        let mut table = Table::new(&[
            ("TABLE", Align::Left),
            ("COLUMN WITHOUT INDEX", Align::Left),
        ]);
        for entry in missing {
            table.row([entry.table.clone(), entry.column.clone()]);
        }
        let _ = write!(text, "\n{}", table.text());
    }
    text
}
