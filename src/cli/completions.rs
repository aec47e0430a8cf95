//! `relexport completions`: scripts that make shells complete the arguments.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::exit::{Exit, Failure};
use super::stdout;

/// Runs the command.
pub(crate) fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "relexport", &mut script);
    stdout::print_bytes(&script)?;
    Ok(Exit::Success)
}
