//! `relexport diff`: what changed between two exports.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use indicatif::HumanCount;
use serde::Serialize;

use crate::diff::{ChangedRecord, Changes, RelationChanges, Request, Side, diff};
use crate::export::ExportObserver;
use crate::output::encryption::Identities;
use crate::output::{Manifest, Status};
use crate::pipeline::{BUILTINS, Pipeline};
use crate::visible::visible;

use super::args::DiffArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::status::tell_which;
use super::{interrupt, setup, stdout};

/// What is printed as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    same: bool,
    #[serde(flatten)]
    changes: &'a Changes,
}

/// Runs the command.
pub(crate) fn run(args: &DiffArgs, console: &Console) -> Result<Exit, Failure> {
    let mut pipelines: Vec<Pipeline> = Vec::new();
    for file in &args.pipeline {
        pipelines.push(setup::load_pipeline(file)?);
    }
    let built_in = BUILTINS.iter();
    pipelines.extend(built_in.filter_map(|(name, _)| Pipeline::builtin_named(name)));
    let (old_store, new_store) = (args.old.store()?, args.new.store()?);
    let (old, new) = (old_store.manifest()?, new_store.manifest()?);
    tell_which(&args.old, &*old_store, console);
    tell_which(&args.new, &*new_store, console);
    let identities = args.identity.as_deref().map(Identities::read);
    let identities = identities.transpose()?;
    for manifest in [&old, &new] {
        if manifest.is_sealed() && identities.is_none() {
            return Err(Failure::usage(
                "cannot compare what is encrypted\n  give the secret key of a recipient with --identity",
            ));
        }
    }
    let made_by = [old.pipelines(), new.pipelines()].concat();
    let known = pipelines.iter();
    let known: Vec<&Pipeline> = known
        .filter(|pipeline| made_by.iter().any(|entry| entry.sha256 == pipeline.sha256))
        .collect();
    let interrupted = interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?;
    let read: Arc<AtomicU64> = Arc::default();
    let mut progress = Progress::new(console);
    progress.reading(Some(size(&old) + size(&new)), Arc::clone(&read));
    let side = |manifest| Side {
        store: &*old_store,
        manifest,
        identities: identities.as_ref().filter(|_| manifest.is_sealed()),
    };
    let changes = diff(&Request {
        old: side(&old),
        new: Side {
            store: &*new_store,
            ..side(&new)
        },
        pipelines: &known,
        relations: &args.relation,
        with_values: args.values,
        interrupted: &interrupted,
        read: &read,
    });
    progress.finish();
    let changes = changes?;
    if changes.relations.is_empty() {
        return Err(Failure::usage(
            "cannot compare: neither export has such a relation\n  `relexport status` lists those that there are",
        ));
    }
    let same = changes.are_none();
    match args.json {
        true => stdout::print_json(&Answer {
            same,
            changes: &changes,
        })?,
        false => stdout::print(&text(&changes, [&old, &new]))?,
    }
    Ok(if same { Exit::Success } else { Exit::Failed })
}

/// Bytes of all files of an export.
fn size(manifest: &Manifest) -> u64 {
    let relations = manifest
        .entities
        .iter()
        .flat_map(|entity| &entity.relations);
    let files = relations.flat_map(|relation| relation.files());
    files.map(|file| file.bytes).fold(0, u64::saturating_add)
}

fn text(changes: &Changes, manifests: [&Manifest; 2]) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&visible(&line));
        text.push('\n');
    };
    for (manifest, which) in manifests.into_iter().zip(["first", "second"]) {
        if manifest.status != Status::Finished {
            line(format!("the {which} export is not complete"));
        }
    }
    for entity in &changes.removed_entities {
        line(format!("- {entity}"));
    }
    for entity in &changes.added_entities {
        line(format!("+ {entity}"));
    }
    let mut compared = 0;
    for relation in &changes.relations {
        if let Some(reason) = &relation.not_compared {
            line(format!(
                "{} {}: not compared: {reason}",
                relation.entity, relation.relation
            ));
            continue;
        }
        compared += relation.same + relation.added + relation.removed + relation.changed;
        if relation.are_none() {
            continue;
        }
        line(format!(
            "{} {}: {} added, {} removed, {} changed, {} as they were",
            relation.entity,
            relation.relation,
            HumanCount(relation.added),
            HumanCount(relation.removed),
            HumanCount(relation.changed),
            HumanCount(relation.same),
        ));
        for record in &relation.records {
            line(format!("  {}", one(record)));
        }
        let told = relation.records.len() as u64;
        let all = relation.added + relation.removed + relation.changed;
        if all > told {
            line(format!("  and {} more", HumanCount(all - told)));
        }
    }
    let sum = |of: fn(&RelationChanges) -> u64| HumanCount(changes.relations.iter().map(of).sum());
    line(match changes.are_none() {
        true => format!("{} records, and nothing changed", HumanCount(compared)),
        false => format!(
            "{} records: {} added, {} removed, {} changed",
            HumanCount(compared),
            sum(|it| it.added),
            sum(|it| it.removed),
            sum(|it| it.changed),
        ),
    });
    text
}

/// A record in one line.
fn one(record: &ChangedRecord) -> String {
    let mut text = record.kind.sign().to_string();
    let place = match record.line {
        0 => record.file.clone(),
        line => format!("line {line} of {}", record.file),
    };
    // Writing to a string cannot fail.
    let _ = match &record.key {
        Some(key) => write!(text, " {key}"),
        None => write!(text, " {place}"),
    };
    let columns = record.columns.iter().map(|column| {
        let sign = match column.kind {
            crate::diff::ChangeKind::Changed => String::new(),
            kind => kind.sign().to_string(),
        };
        let values = match (&column.old, &column.new) {
            (None, None) => String::new(),
            (old, new) => {
                let shown =
                    |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
                format!(" {} → {}", shown(old), shown(new))
            }
        };
        format!("{sign}{}{values}", column.path)
    });
    let mut columns: Vec<String> = columns.collect();
    if record.more_columns > 0 {
        columns.push(format!("and {} more", HumanCount(record.more_columns)));
    }
    if !columns.is_empty() {
        let _ = write!(text, ": {}", columns.join(", "));
    }
    text
}
