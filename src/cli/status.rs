//! `relexport status`: how far an export is, as GitLab's status endpoint tells it.

use std::fmt::Write;

use crate::output::{
    BatchStatus, Contents, EntityEntry, Location, Manifest, Partial, RelationEntry, Status,
};
use crate::visible::visible;

use super::args::StatusArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::stdout;
use super::table::{Align, Table};

/// Runs the command.
pub(crate) fn run(args: &StatusArgs, console: &Console) -> Result<Exit, Failure> {
    let store = args.dir.store()?;
    let manifest = store.manifest()?;
    tell_which(&args.dir, &*store, console);
    let is_named = args.group.is_some() || args.project.is_some();
    let is_one = is_named || args.relation.is_some() || args.json;
    if manifest.entities.len() > 1 && !is_one {
        stdout::print(&all_text(&manifest))?;
        return Ok(match manifest.status {
            Status::Failed => Exit::Failed,
            Status::Started | Status::Finished => Exit::Success,
        });
    }
    let wanted = match (&args.group, &args.project) {
        (Some(group), _) => Some((group.as_str(), false)),
        (None, Some(project)) => Some((project.as_str(), true)),
        (None, None) => None,
    };
    let entity = entity(&manifest, wanted)?;
    let relations = entity.map_or(&[][..], |entity| &entity.relations);
    let mut failed = manifest.status == Status::Failed;
    match &args.relation {
        Some(name) => {
            let relation = relation(relations, name)?;
            // What was found to be wrong with the whole is wrong with each relation.
            failed = relation.status == Status::Failed || manifest.error.is_some();
            if args.json {
                stdout::print_compact(&relation.without_files())?;
            } else {
                stdout::print(&batches_text(relation))?;
            }
            tell_unreliable(&manifest);
            tell_partial(&Partial::of_relations([relation]));
        }
        None if args.json => {
            let answer: Vec<RelationEntry> =
                relations.iter().map(RelationEntry::without_files).collect();
            stdout::print_compact(&answer)?;
            match manifest.entities.is_empty() {
                true => tell_nothing_there(&manifest),
                false => tell_unreliable(&manifest),
            }
            tell_partial(&partial_of(&manifest, entity));
        }
        None => stdout::print(&text(&manifest, entity))?,
    }
    Ok(match failed {
        true => Exit::Failed,
        false => Exit::Success,
    })
}

/// Says which export of several is meant.
pub(super) fn tell_which(named: &Location, contents: &dyn Contents, console: &Console) {
    let found = contents.shown("");
    if found != named.shown() {
        console.info(
            &format!("the newest export is {found}"),
            serde_json::json!({"export": found}),
        );
    }
}

/// Says beside an answer that has no place for it what is partial.
fn tell_partial(partial: &Partial) {
    for line in partial.lines() {
        tracing::warn!("{line}");
    }
}

/// Says beside an answer that has no place for it what is wrong with the whole export.
fn tell_unreliable(manifest: &Manifest) {
    if let Some(error) = &manifest.error {
        tracing::warn!("not to be relied on: {}", visible(error));
    }
}

/// Says beside an empty answer why it is empty.
fn tell_nothing_there(manifest: &Manifest) {
    let error = manifest.error.iter().map(|error| format!(": {error}"));
    tracing::warn!("{}{}", nothing_there(manifest), error.collect::<String>());
}

/// What has become of an export that does not know its groups.
fn nothing_there(manifest: &Manifest) -> &'static str {
    match manifest.status {
        Status::Started => "started; the snapshot is still being read",
        Status::Failed => "failed before its groups were found",
        Status::Finished => "finished without any group",
    }
}

/// The entity that is asked for by its name, of those that lie within others or of those that do not; `None` where the
/// export does not know its entities yet.
fn entity<'m>(
    manifest: &'m Manifest,
    wanted: Option<(&str, bool)>,
) -> Result<Option<&'m EntityEntry>, Failure> {
    let listed = || {
        let entities = manifest.entities.iter();
        let names: Vec<String> = entities
            .map(|entity| {
                let id = visible(&entity.id.to_string());
                format!("{} ({id})", visible(&entity.full_path))
            })
            .collect();
        names.join(", ")
    };
    let Some((wanted, is_inner)) = wanted else {
        return match &manifest.entities[..] {
            [] => Ok(None),
            [entity] => Ok(Some(entity)),
            _ => Err(Failure::usage(format!(
                "cannot show one status: the export holds several {}\n  choose one with --group{}: {}",
                several(manifest),
                match manifest.entities.iter().any(is_within) {
                    true => " or --project",
                    false => "",
                },
                listed()
            ))),
        };
    };
    let path = wanted.trim_matches('/');
    let by = |is_meant: &dyn Fn(&str) -> bool| {
        let is_meant =
            |entity: &&EntityEntry| is_meant(&entity.id.to_string()) || is_meant(&entity.full_path);
        let mut entities = manifest.entities.iter();
        entities.find(|entity| is_within(entity) == is_inner && is_meant(entity))
    };
    let small = path.to_lowercase();
    let found = by(&|name| name == wanted)
        .or_else(|| by(&|name| name == path))
        .or_else(|| by(&|name| name.to_lowercase() == small));
    match found {
        Some(entity) => Ok(Some(entity)),
        None if manifest.entities.is_empty() => Err(Failure::usage(format!(
            "cannot find {wanted} in the export: {}\n  {}",
            nothing_there(manifest),
            match manifest.status {
                Status::Started => "ask again when the snapshot has been read",
                Status::Failed | Status::Finished => "without --group the reason is told",
            }
        ))),
        None => Err(Failure::usage(format!(
            "cannot find {wanted}: the export does not hold it\n  it holds {}",
            listed()
        ))),
    }
}

/// True for an entity that lies within others.
fn is_within(entity: &EntityEntry) -> bool {
    entity.parent_id.is_some()
}

/// What the entities of an export are called.
fn several(manifest: &Manifest) -> &'static str {
    let mut entities = manifest.entities.iter();
    match entities.any(is_within) {
        true => "groups and projects",
        false => "groups",
    }
}

fn relation<'m>(relations: &'m [RelationEntry], name: &str) -> Result<&'m RelationEntry, Failure> {
    let found = relations.iter().find(|relation| relation.relation == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = relations
            .iter()
            .map(|relation| relation.relation.as_str())
            .collect();
        Failure::usage(format!(
            "cannot find relation {name}: the export does not hold it\n  its relations are: {}",
            names.join(", ")
        ))
    })
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Started => "started",
        Status::Finished => "finished",
        Status::Failed => "failed",
    }
}

fn batch_status_name(status: BatchStatus) -> &'static str {
    match status {
        BatchStatus::Created => "created",
        BatchStatus::Started => "started",
        BatchStatus::Finished => "finished",
        BatchStatus::Failed => "failed",
    }
}

const COLUMNS: [(&str, Align); 6] = [
    ("RELATION", Align::Left),
    ("STATUS", Align::Left),
    ("OBJECTS", Align::Right),
    ("BATCHES", Align::Right),
    ("UPDATED", Align::Left),
    ("ERROR", Align::Left),
];

fn row(relation: &RelationEntry) -> [String; 6] {
    let batches = relation.batches.as_deref().unwrap_or_default();
    let finished = batches
        .iter()
        .filter(|batch| batch.status == BatchStatus::Finished)
        .count();
    [
        relation.relation.clone(),
        status_name(relation.status).to_owned(),
        relation.total_objects_count.to_string(),
        match relation.batched {
            true => format!("{finished}/{}", relation.batches_count),
            false => "-".to_owned(),
        },
        relation.updated_at.clone(),
        relation.error.clone().unwrap_or_default(),
    ]
}

fn text(manifest: &Manifest, entity: Option<&EntityEntry>) -> String {
    let mut text = String::new();
    let status = status_name(manifest.status);
    // Writing to a string cannot fail.
    let _ = match entity {
        None => writeln!(text, "{}", nothing_there(manifest)),
        Some(entity) => writeln!(
            text,
            "{} ({}): {status}\n",
            visible(&entity.full_path),
            visible(&entity.id.to_string())
        ),
    };
    if let Some(error) = &manifest.error {
        let _ = writeln!(text, "not to be relied on: {}\n", visible(error));
    }
    if let Some(entity) = entity {
        text.push_str(&relations_text(entity));
    }
    text.push_str(&partial_text(&partial_of(manifest, entity)));
    text
}

/// All groups of an export, one below the other.
fn all_text(manifest: &Manifest) -> String {
    let status = status_name(manifest.status);
    let (count, several) = (manifest.entities.len(), several(manifest));
    let mut text = format!("{count} {several}: {status}\n");
    if let Some(error) = &manifest.error {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "not to be relied on: {}", visible(error));
    }
    for entity in &manifest.entities {
        let (path, id) = (visible(&entity.full_path), visible(&entity.id.to_string()));
        let _ = writeln!(text, "\n{path} ({id})\n");
        text.push_str(&relations_text(entity));
    }
    text.push_str(&partial_text(&Partial::of(manifest)));
    text
}

/// What is partial of an export, as far as an entity of it is concerned.
fn partial_of(manifest: &Manifest, entity: Option<&EntityEntry>) -> Partial {
    match entity {
        Some(entity) => Partial::of(&manifest.only(|it| it.prefix == entity.prefix)),
        None => Partial::of(manifest),
    }
}

/// What is partial, below the tables.
fn partial_text(partial: &Partial) -> String {
    let lines = partial.lines().map(|line| format!("{line}\n"));
    match lines.collect::<String>() {
        lines if lines.is_empty() => lines,
        lines => format!("\n{lines}"),
    }
}

/// The relations of a group.
fn relations_text(entity: &EntityEntry) -> String {
    let mut table = Table::new(&COLUMNS);
    for relation in &entity.relations {
        table.row(row(relation));
    }
    table.text()
}

/// A relation, and its batches where it has some.
fn batches_text(relation: &RelationEntry) -> String {
    let mut table = Table::new(&COLUMNS);
    table.row(row(relation));
    let mut text = table.text();
    if let Some(batches) = relation.batches.as_deref().filter(|all| !all.is_empty()) {
        let mut table = Table::new(&[
            ("BATCH", Align::Right),
            ("STATUS", Align::Left),
            ("OBJECTS", Align::Right),
            ("UPDATED", Align::Left),
            ("ERROR", Align::Left),
        ]);
        for batch in batches {
            table.row([
                batch.batch_number.to_string(),
                batch_status_name(batch.status).to_owned(),
                batch.objects_count.to_string(),
                batch.updated_at.clone(),
                batch.error.clone().unwrap_or_default(),
            ]);
        }
        text.push('\n');
        text.push_str(&table.text());
    }
    text
}
