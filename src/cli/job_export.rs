//! From a job to the arguments of its export: what its file says, under what stronger places say.

use std::ffi::OsString;

use clap::{Command, FromArgMatches};

use super::args::{ExportArgs, GivenExport};
use super::exit::Failure;
use super::options::{export_command, option_name};
use crate::jobs::{Job, SnapshotChoice};
use crate::snapshot::Spec;

/// The arguments of an export that a job makes, and what has to be told of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JobArguments {
    /// Without the name of the command.
    pub(crate) arguments: Vec<OsString>,
    /// Options of the file that are left out, since they cannot stand beside a stronger one.
    pub(crate) warnings: Vec<String>,
}

/// Lets jobs read the snapshot that is given, if one is.
///
/// # Errors
/// If it is the standard input, of which nothing is left for a second job, or a second try.
pub(crate) fn read_given<'j>(
    jobs: impl IntoIterator<Item = &'j mut Job>,
    given: &GivenExport,
) -> Result<(), Failure> {
    let Some(text) = given.value("snapshot") else {
        return Ok(());
    };
    let spec = Spec::from(&*text.to_string_lossy());
    if spec == Spec::StandardInput {
        return Err(Failure::usage(
            "a job cannot read standard input\n  name a file, a folder or a server, or use `relexport export`",
        ));
    }
    for job in jobs {
        job.snapshot = SnapshotChoice::Named(spec.clone());
    }
    Ok(())
}

/// Puts the arguments of a job's export of a snapshot together. An option that is `given` takes the place of the file's, and
/// also of those that it cannot stand beside; that of the snapshot is `snapshot`'s ([`read_given`]).
pub(crate) fn job_arguments(
    job: &Job,
    given: &GivenExport,
    snapshot: &Spec,
    out: &str,
) -> JobArguments {
    let command = export_command();
    let (mut arguments, mut warnings) = (Vec::new(), Vec::new());
    for argument in &job.export {
        let Some(name) = option_name(argument) else {
            arguments.push(argument.clone());
            continue;
        };
        let mut stronger = given.options().iter();
        if stronger.clone().any(|option| option.name == name) {
            continue;
        }
        let rival = stronger
            .find(|option| !option.arguments.is_empty() && exclude(&command, &option.name, &name));
        match rival {
            Some(rival) => warnings.push(format!(
                "`{name}` of job {} has no effect beside --{}",
                job.name, rival.name
            )),
            None => arguments.push(argument.clone()),
        }
    }
    let others = given
        .options()
        .iter()
        .filter(|option| option.name != "snapshot");
    arguments.extend(others.flat_map(|option| option.arguments.clone()));
    arguments.push(format!("--snapshot={}", snapshot.argument()).into());
    arguments.push(format!("--out={out}").into());
    warnings.dedup();
    JobArguments {
        arguments,
        warnings,
    }
}

/// The export that a job makes.
///
/// # Errors
/// If an option that is given asks for another one, or cannot stand beside another one that is given.
pub(crate) fn job_export(
    job: &Job,
    given: &GivenExport,
    snapshot: &Spec,
    out: &str,
) -> Result<ExportArgs, Failure> {
    let JobArguments {
        arguments,
        warnings,
    } = job_arguments(job, given, snapshot, out);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let parsed = export_command()
        .try_get_matches_from(arguments)
        .and_then(|matches| ExportArgs::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let text = error.render().to_string();
        let text = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Failure::usage(format!(
            "cannot run job {}: {text}\n  see `relexport config show {}`, and the options beside it",
            job.name, job.name
        ))
    })
}

/// True for two options that cannot stand beside one another.
pub(crate) fn exclude(command: &Command, one: &str, other: &str) -> bool {
    let find = |name: &str| {
        command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(name))
    };
    let (Some(one), Some(other)) = (find(one), find(other)) else {
        return false;
    };
    let names = |of: &clap::Arg, id: &clap::Id| {
        command
            .get_arg_conflicts_with(of)
            .iter()
            .any(|rival| rival.get_id() == id)
    };
    names(one, other.get_id()) || names(other, one.get_id())
}
