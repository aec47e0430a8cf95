//! `relexport plan`: an export, cut into tasks.

use std::ffi::OsString;
use std::io::ErrorKind;

use serde_json::json;

use super::args::{EncryptionArgs, GivenExport, PlanArgs, PlanCommand, PlanStatusArgs};
use super::console::Console;
use super::effects;
use super::exit::{Exit, Failure};
use super::interrupt;
use super::planned::export_args;
use super::progress::Progress;
use super::setup;
use super::stdout;
use crate::engine::listed;
use crate::output::layout::PLAN;
use crate::output::{Location, PLAN_FOLDER, SharedPlace, atomic};
use crate::plan::{self, MakeRequest, PlanFile};
use crate::snapshot::Spec;
use crate::visible::visible;

/// Options that say whom to export: a plan names entities by their keys.
const ENTITIES: [&str; 6] = [
    "group",
    "subgroups",
    "all-groups",
    "project",
    "with-projects",
    "all-projects",
];

/// Options that are of the machine that plans, and decide nothing of what is written.
const OF_MACHINE: [&str; 7] = [
    "snapshot",
    "threads",
    "memory-limit",
    "temp-dir",
    "metrics-file",
    "timings",
    "lock-wait",
];

/// Options whose values are paths: a worker may begin in another folder.
const PATHS: [&str; 7] = [
    "pipeline",
    "ci-snapshot",
    "sec-snapshot",
    "redact",
    "redact-key-file",
    "encrypt-to-file",
    "pg-bindir",
];

/// Runs the command.
pub(crate) fn run(args: &PlanArgs, console: &Console) -> Result<Exit, Failure> {
    match &args.command {
        Some(PlanCommand::Status(args)) => status(args),
        Some(PlanCommand::Schema) => stdout::print_json(&plan::schema()).map(|()| Exit::Success),
        None => make(args, console),
    }
}

fn make(args: &PlanArgs, console: &Console) -> Result<Exit, Failure> {
    // clap requires both unless a subcommand is named.
    let (Some(out), Some(tasks)) = (&args.out, args.tasks) else {
        return Err(Failure::usage(
            "cannot plan: it is not said where the export is to lie, nor how many tasks there may be\n  \
             name them by --out and --tasks",
        ));
    };
    let out = absolute(out);
    let mut all: Vec<OsString> = arguments(&args.given, |_| true);
    all.push(format!("--out={}", out.shown()).into());
    let export = export_args(&all)?;
    effects::check_job(&export)?;
    let EncryptionArgs {
        encrypt_to,
        encrypt_to_file,
    } = &export.encryption;
    if !encrypt_to.is_empty() || !encrypt_to_file.is_empty() {
        return Err(Failure::usage(
            "cannot plan an encrypted export: two workers that encrypt the same do not write the same bytes\n  \
             leave --encrypt-to out, and encrypt what was committed, or export on one machine",
        ));
    }
    let interrupted = interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?;
    let request = setup::request_until(&export, console, interrupted)?;
    let place = out.shared()?;
    place.begin_shared()?;
    let snapshot = shown_argument(&export.snapshot.snapshot, args.stage.is_some())?;
    let is_kept = |name: &str| !ENTITIES.contains(&name) && !OF_MACHINE.contains(&name);
    let mut kept = Vec::new();
    for argument in arguments(&args.given, is_kept) {
        kept.push(argument.into_string().map_err(|argument| {
            Failure::usage(format!(
                "cannot put {} into a plan: it is no text\n  rename the file",
                argument.to_string_lossy()
            ))
        })?);
    }
    let entities = &export.entities;
    if entities.all_groups || !entities.group.is_empty() {
        kept.push("--all-groups".to_owned());
    }
    if entities.all_projects || entities.with_projects || !entities.project.is_empty() {
        kept.push("--all-projects".to_owned());
    }
    let mut progress = Progress::new(console);
    let make = MakeRequest {
        export: &request,
        arguments: kept,
        snapshot,
        out: &out,
        tasks: tasks.get() as usize,
    };
    let made = match &args.stage {
        None => plan::make(&make, &*place, &mut progress),
        Some(stage) => {
            let mut taking = Progress::new(console);
            let stage = absolute(stage);
            plan::make_staged(&make, &stage, &*place, &mut taking, &mut progress)
        }
    };
    progress.finish();
    let plan = made.inspect_err(|_| leave_nothing(&out, &*place))?;
    plan::store(&plan, &*place)?;
    if let Some(path) = &args.output {
        let json = plan::json(&plan)?;
        atomic::replace(path, &json).map_err(|error| {
            Failure::new(
                Exit::Output,
                anyhow::anyhow!("cannot write the copy of the plan: {error}"),
            )
        })?;
    }
    if args.json {
        stdout::print_json(&plan)?;
    }
    tell(&plan, console);
    Ok(Exit::Success)
}

/// A plan came to nothing: takes away what was made for it, if no other plan lies there.
fn leave_nothing(out: &Location, place: &dyn SharedPlace) {
    let is_free = matches!(place.length(PLAN), Err(error) if error.kind() == ErrorKind::NotFound);
    if is_free
        && place.clear(PLAN_FOLDER).is_ok()
        && let Location::Folder(path) = out
        && let Err(error) = std::fs::remove_dir(path)
    {
        tracing::debug!("{}: {error}", path.display());
    }
}

/// Says what was planned.
fn tell(plan: &PlanFile, console: &Console) {
    for warning in &plan.manifest.warnings {
        tracing::warn!("{warning}");
    }
    let costs = plan.tasks.iter().map(|task| task.cost);
    let (most, sum) = (
        costs.clone().max().unwrap_or_default(),
        costs.fold(0, u64::saturating_add),
    );
    let share = match sum {
        0 => String::new(),
        sum => format!(
            ", the largest {:.0} % of the work",
            most as f64 * 100.0 / sum as f64
        ),
    };
    console.info(
        &format!(
            "{} tasks of {} entities{share}: make each with `relexport work --plan {out} --task N`, N from 0 to {}, or give workers \
             numbers (--index, --index-from), then `relexport commit --plan {out}`",
            plan.tasks.len(),
            plan.entities.len(),
            plan.tasks.len().saturating_sub(1),
            out = plan.out
        ),
        json!({"tasks": plan.tasks.len(), "entities": plan.entities.len(), "plan": plan.id}),
    );
}

/// The arguments of the options that were given, of those with certain names.
fn arguments(given: &GivenExport, is_kept: impl Fn(&str) -> bool) -> Vec<OsString> {
    let options = given
        .options()
        .iter()
        .filter(|option| is_kept(&option.name));
    options
        .flat_map(|option| {
            let is_path = PATHS.contains(&option.name.as_str());
            let arguments = option.arguments.iter();
            arguments.map(move |argument| match is_path {
                true => with_absolute(argument, &option.name),
                false => argument.clone(),
            })
        })
        .collect()
}

/// The argument with its path from the root on; an address stays as it is.
fn with_absolute(argument: &OsString, name: &str) -> OsString {
    let start = format!("--{name}=");
    let path = argument.to_str().and_then(|text| text.strip_prefix(&start));
    let path = path.filter(|path| !path.contains("://") && !path.starts_with("pgdata:"));
    match path.and_then(|path| std::path::absolute(path).ok()) {
        Some(path) => {
            let mut whole = OsString::from(start);
            whole.push(path);
            whole
        }
        None => argument.clone(),
    }
}

/// The place with its path from the root on.
fn absolute(out: &Location) -> Location {
    match out {
        Location::Folder(path) => {
            Location::Folder(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
        }
        Location::Bucket(_) => out.clone(),
    }
}

/// The snapshot as a plan names it: without a password, and with its path from the root on.
fn shown_argument(snapshot: &Spec, is_staged: bool) -> Result<String, Failure> {
    match snapshot {
        // Nobody reads it a second time.
        Spec::StandardInput | Spec::DataFolder(_) if is_staged => Ok(snapshot.shown()),
        Spec::StandardInput => Err(Failure::usage(
            "cannot plan with standard input: no worker can read it\n  name a file, or let --stage take it",
        )),
        Spec::DataFolder(_) => Err(Failure::usage(
            "cannot plan with a data folder: each task would copy it and start a server\n  \
             take a snapshot of it first (`relexport snapshot take`), or start one server and hold a snapshot of it",
        )),
        Spec::Path(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            Ok(path.display().to_string())
        }
        Spec::Bucket(_) => Ok(snapshot.argument()),
        Spec::Server(_) | Spec::OtherAddress(_) => {
            let argument = snapshot.argument();
            match Spec::take_password(&argument) {
                Some((without, _)) => Ok(without),
                None => Ok(argument),
            }
        }
    }
}

/// Says how far a plan is.
fn status(args: &PlanStatusArgs) -> Result<Exit, Failure> {
    let found = plan::find(&args.plan.plan)?;
    let Some(file) = &found.plan else {
        if args.json {
            stdout::print_json(&json!({"committed": true, "missing": []}))?;
        } else if !args.missing {
            stdout::print(&format!(
                "{}: committed, the export is complete\n",
                found.shown
            ))?;
        }
        return Ok(Exit::Success);
    };
    let progress = plan::progress(&*found.place, file)?;
    if args.json {
        stdout::print_json(&progress)?;
    } else if args.missing {
        let missing = listed(&progress.missing, args.list_as);
        if !missing.is_empty() {
            stdout::print(&format!("{missing}\n"))?;
        }
    } else {
        let mut text = format!("{} of {} tasks are done\n", progress.done, progress.tasks);
        if !progress.missing.is_empty() {
            text += &format!("missing: {}\n", listed(&progress.missing, args.list_as));
        }
        for failed in &progress.failed {
            let lines = failed.error.lines().map(visible);
            let error = lines.collect::<Vec<_>>().join("\n");
            text += &format!(
                "task {}: {} failed attempts, the last one at {}: {error}\n",
                failed.task, failed.attempts, failed.at
            );
        }
        if progress.missing.is_empty() {
            text += &format!(
                "nothing is missing: `relexport commit --plan {}`\n",
                found.shown
            );
        }
        stdout::print(&text)?;
    }
    Ok(match progress.missing.is_empty() {
        true => Exit::Success,
        false => Exit::Failed,
    })
}
