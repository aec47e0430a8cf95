//! From a plan to the request of its export, on the machine that works.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::FromArgMatches;

use super::args::{ExportArgs, HereArgs};
use super::console::Console;
use super::exit::Failure;
use super::options::export_command;
use super::setup;
use crate::export::ExportRequest;
use crate::plan::PlanFile;

/// The arguments of an export, parsed.
///
/// # Errors
/// Wrong usage.
pub(super) fn export_args(arguments: &[OsString]) -> Result<ExportArgs, Failure> {
    let parsed = export_command()
        .try_get_matches_from(arguments)
        .and_then(|matches| ExportArgs::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        Failure::usage(text)
    })
}

/// The request of the export that a plan is of.
///
/// # Errors
/// Wrong usage, as far as this machine can be the reason of it: a file that is not there, say.
pub(super) fn request(
    plan: &PlanFile,
    here: &HereArgs,
    interrupted: &Arc<AtomicBool>,
    console: &Console,
) -> Result<ExportRequest, Failure> {
    let mut arguments: Vec<OsString> = plan.arguments.iter().map(OsString::from).collect();
    let snapshot = match &here.snapshot {
        Some(snapshot) => snapshot.argument(),
        None => plan.snapshot.clone(),
    };
    arguments.push(format!("--snapshot={snapshot}").into());
    arguments.push(format!("--out={}", plan.out).into());
    arguments.push(format!("--memory-limit={}", here.memory_limit).into());
    if let Some(threads) = here.threads {
        arguments.push(format!("--threads={threads}").into());
    }
    if let Some(folder) = &here.temp_dir {
        let mut argument = OsString::from("--temp-dir=");
        argument.push(folder);
        arguments.push(argument);
    }
    let args = export_args(&arguments)?;
    setup::request_until(&args, console, Arc::clone(interrupted))
}
