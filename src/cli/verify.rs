//! `relexport verify`: whether an export folder is what its manifest says.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::export::ExportObserver;
use crate::output::verify::{Verified, verify};
use crate::output::{Contents, EntityEntry, FolderStore};
use crate::pipeline::{BUILTINS, Form, Pipeline};
use crate::visible::visible;

use super::args::VerifyArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::setup;
use super::status::left_out;
use super::stdout;

/// What is printed as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    ok: bool,
    #[serde(flatten)]
    verified: &'a Verified,
}

/// Runs the command.
pub(crate) fn run(args: &VerifyArgs, console: &Console) -> Result<Exit, Failure> {
    let pipelines = match args.pipeline.as_slice() {
        [] => {
            let names = BUILTINS.iter().map(|(name, _)| name);
            names
                .filter_map(|name| Pipeline::builtin_named(name))
                .collect()
        }
        files => {
            let pipelines = files.iter().map(|file| setup::load_pipeline(file));
            pipelines.collect::<Result<Vec<_>, _>>()?
        }
    };
    let store = FolderStore::new(&args.dir);
    let manifest = store.manifest()?;
    setup::start_shared_pool()?;
    let made_by = manifest.pipelines();
    let is_known = |pipeline: &Pipeline| made_by.iter().any(|it| it.sha256 == pipeline.sha256);
    let mut given = pipelines.iter();
    if !args.pipeline.is_empty()
        && let Some(other) = given.find(|pipeline| !is_known(pipeline))
    {
        return Err(Failure::usage(format!(
            "cannot verify by pipeline {}: the export was made by another one\n  \
             name that one, or none: then only the forms of files are not checked",
            other.name
        )));
    }
    let known: Vec<&Pipeline> = pipelines.iter().filter(|it| is_known(it)).collect();
    let form = |entity: &EntityEntry, relation: &str| {
        let mut known = known.iter();
        let pipeline = known.find(|pipeline| pipeline.entity.kind == entity.kind)?;
        form(pipeline, relation)
    };
    let mut progress = Progress::new(console);
    let read: Arc<AtomicU64> = Arc::default();
    let files = manifest
        .entities
        .iter()
        .flat_map(|entity| &entity.relations)
        .flat_map(|relation| relation.files());
    progress.reading(Some(files.map(|file| file.bytes).sum()), Arc::clone(&read));
    let verified = verify(&store, &manifest, &form, &read);
    progress.finish();
    let verified = verified.map_err(|error| {
        let shown = args.dir.display();
        Failure::new(
            Exit::Snapshot,
            anyhow::anyhow!("cannot list the folder {shown}: {error}\n  look at its permissions"),
        )
    })?;
    let ok = verified.problems.is_empty();
    if args.json {
        stdout::print_json(&Answer {
            ok,
            verified: &verified,
        })?;
    } else {
        stdout::print(&text(&verified, "objects", "the manifest"))?;
    }
    Ok(if ok { Exit::Success } else { Exit::Failed })
}

/// The form of a relation's file.
fn form(pipeline: &Pipeline, relation: &str) -> Option<Form> {
    let mut relations = pipeline.relations.iter();
    relations
        .find(|known| known.name == relation)
        .map(|known| known.form)
}

/// What was found, for people: `objects` are what the files hold, and `list` says what they should be.
pub(super) fn text(verified: &Verified, objects: &str, list: &str) -> String {
    let mut text = String::new();
    for problem in &verified.problems {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", visible(&problem.to_string()));
    }
    if verified.skipped_rows > 0 {
        let rows = left_out(verified.skipped_rows);
        let _ = writeln!(text, "{rows}; the manifest lists them by relation");
    }
    let result = match verified.problems.len() {
        0 => format!("everything is as {list} says"),
        1 => "1 problem".to_owned(),
        count => format!("{} problems", HumanCount(count as u64)),
    };
    let _ = writeln!(
        text,
        "{} files, {} {objects}, {}: {result}",
        HumanCount(verified.files),
        HumanCount(verified.objects),
        HumanBytes(verified.bytes)
    );
    text
}
