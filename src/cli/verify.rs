//! `relexport verify`: whether an export folder is what its manifest says, and what a snapshot says.

mod against;

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use serde_json::json;

use crate::against::Report;
use crate::bucket::bucket_error;
use crate::export::ExportObserver;
use crate::output::encryption::Identities;
use crate::output::verify::{Verified, offline, verify};
use crate::output::{EntityEntry, Partial};
use crate::pipeline::{BUILTINS, Form, Pipeline};
use crate::visible::visible;

use super::args::VerifyArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::setup;
use super::status::tell_which;
use super::stdout;

/// What is printed as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    ok: bool,
    #[serde(flatten)]
    verified: &'a Verified,
    /// What of the export is partial, though nothing of it is wrong.
    partial: &'a Partial,
    /// What the comparison with a snapshot came to, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<&'a Report>,
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
    against::check(args)?;
    let store = args.dir.store()?;
    let manifest = store.manifest()?;
    tell_which(&args.dir, &*store, console);
    let identities = args.identity.as_deref().map(Identities::read);
    let identities = identities.transpose()?;
    if manifest.is_sealed() && identities.is_none() {
        console.info(
            "the files are encrypted: without --identity, what they hold is not looked at",
            json!({"encrypted_for": manifest.encrypted_for}),
        );
    }
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
    against::check_pipelines(args, &manifest, &known)?;
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
    progress.reading(
        Some(files.map(|file| file.bytes).fold(0, u64::saturating_add)),
        Arc::clone(&read),
    );
    let verified = verify(&*store, &manifest, &form, &read, identities.as_ref());
    progress.finish();
    let verified = verified.map_err(|error| {
        let shown = args.dir.shown();
        match bucket_error(&error) {
            // It says itself what to do.
            Some(of_bucket) => Failure::new(
                of_bucket.of_reading().cause().into(),
                anyhow::anyhow!("cannot list {shown}: {error}"),
            ),
            None => Failure::new(
                Exit::Snapshot,
                anyhow::anyhow!("cannot list {shown}: {error}\n  look at its permissions"),
            ),
        }
    })?;
    let mut verified = verified;
    if args.gitlab_offline {
        verified.problems.extend(offline(&*store, &manifest));
        verified.problems.sort();
    }
    let partial = Partial::of(&manifest);
    let report = against::run(
        args,
        console,
        &*store,
        &manifest,
        &known,
        identities.as_ref(),
    )?;
    let is_as_the_snapshot = report.as_ref().is_none_or(Report::is_right);
    let ok = verified.problems.is_empty() && is_as_the_snapshot;
    if args.json {
        stdout::print_json(&Answer {
            ok,
            verified: &verified,
            partial: &partial,
            against: report.as_ref(),
        })?;
    } else {
        stdout::print(&text(&verified, &partial, "objects", "the manifest"))?;
        if let Some(report) = &report {
            stdout::print(&against::text(report))?;
        }
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
pub(super) fn text(verified: &Verified, partial: &Partial, objects: &str, list: &str) -> String {
    let mut text = String::new();
    for problem in &verified.problems {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", visible(&problem.to_string()));
    }
    for line in partial.lines() {
        let _ = writeln!(text, "{line}");
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
