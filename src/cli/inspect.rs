//! `relexport inspect`: what a snapshot is and holds.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::export::{ExportObserver, version_by_tables};
use crate::snapshot::{self, Survey, survey};

use super::args::InspectArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::stdout;
use super::table::{Align, Table, visible};

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
    tables: Vec<TableEntry>,
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

/// Runs the command. What could be read is printed, even where the rest is damaged.
pub fn run(args: &InspectArgs, console: &Console) -> Result<Exit, Failure> {
    let snapshot = snapshot::open(&args.snapshot)?;
    let mut progress = Progress::new(console);
    progress.reading(snapshot.size, snapshot.progress.clone());
    let (kind, source, size) = (snapshot.kind, snapshot.source.clone(), snapshot.size);
    let readers = std::thread::available_parallelism().map_or(1, usize::from);
    let found = survey(snapshot, readers, &mut |table| {
        progress.table(&table.to_string());
    });
    progress.finish();
    let Survey {
        facts,
        catalog,
        tables,
        error,
    } = found;
    let inspection = Inspection {
        kind: kind.name(),
        source,
        size,
        server_version: facts.server_version,
        dump_version: facts.dump_version,
        gitlab_version: facts.gitlab_version,
        gitlab_version_by_tables: version_by_tables(&catalog),
        taken_at: facts.taken_at,
        tables: tables
            .into_iter()
            .map(|(name, size)| TableEntry {
                table: name.to_string(),
                rows: size.map(|size| size.rows),
                bytes: size.map(|size| size.bytes),
            })
            .collect(),
        error: error.as_ref().map(ToString::to_string),
    };
    if args.json {
        stdout::print_json(&inspection)?;
    } else {
        stdout::print(&text(&inspection))?;
    }
    match error {
        Some(error) => Err(Failure::from(error).of(&args.snapshot)),
        None => Ok(Exit::Success),
    }
}

fn text(inspection: &Inspection) -> String {
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
    let mut text = String::new();
    for (name, value) in facts {
        let value = value.map_or("not known".to_owned(), |value| visible(&value));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:15} {value}");
    }
    let mut table = Table::new(&[
        ("TABLE", Align::Left),
        ("ROWS", Align::Right),
        ("BYTES", Align::Right),
    ]);
    for entry in &inspection.tables {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "no data".to_owned());
        table.row([
            entry.table.clone(),
            shown(entry.rows.map(|rows| HumanCount(rows).to_string())),
            shown(entry.bytes.map(|bytes| HumanBytes(bytes).to_string())),
        ]);
    }
    let _ = write!(text, "\n{}", table.text());
    text
}
