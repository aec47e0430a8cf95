//! The program: from its arguments to its exit code.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use serde_json::json;

use super::args::{Cli, Command, LogFormat};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::{
    bench, completions, dry_run, effects, export, groups, hide, inspect, interrupt, logging, man,
    panic_hook, pipeline, serve, snapshot, status, stdout, token, verify,
};
use crate::fault::{Fault, caught};

/// Runs the program with the process's arguments and returns its exit code.
pub fn main() -> ExitCode {
    hide::hide_password();
    let parsed = Cli::command().try_get_matches().and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches);
        cli.map(|cli| (cli, matches))
            .map_err(|error| error.format(&mut Cli::command()))
    });
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return not_understood(&error),
    };
    let console = Console::new(&cli.global);
    // A server's log is what it tells; other commands tell by what they print.
    let usual = match cli.command {
        Command::Serve(_) => "info",
        _ => "warn",
    };
    logging::start(&cli.global, &console, usual);
    panic_hook::install(console.format());
    if let Err(error) = interrupt::survive_large_files() {
        tracing::debug!("a limit on the size of files ends the program: {error}");
    }
    match caught(|| effects::tell(&cli, &matches).and_then(|()| run(&cli, &console))) {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(failure)) => {
            failure.print(&console);
            failure.exit.into()
        }
        // The hook has told it.
        Err(Fault) => Exit::Fault.into(),
    }
}

/// Runs the command that was asked for.
fn run(cli: &Cli, console: &Console) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Export(args) if args.dry_run => dry_run::run(args, console),
        Command::Export(args) => export::run(args, console),
        Command::Bench(args) => bench::run(args, console),
        Command::Groups(args) => groups::run(args, console),
        Command::Inspect(args) => inspect::run(args, console),
        Command::Serve(args) => serve::run(args, console),
        Command::Token(command) => token::run(command, console),
        Command::Status(args) => status::run(args),
        Command::Verify(args) => verify::run(args, console),
        Command::Snapshot(command) => snapshot::run(command, console),
        Command::Pipeline(command) => pipeline::run(command, console),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// The arguments are wrong, or ask for help: clap says it, and knows the exit code (2 for wrong usage).
fn not_understood(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && asks_for_json(std::env::args_os()) {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        Console::of(LogFormat::Json, false).error(text, json!({"exit_status": error.exit_code()}));
    } else if let Err(unprinted) = error.print()
        && !error.use_stderr()
        && unprinted.kind() != ErrorKind::BrokenPipe
    {
        let failure = stdout::cannot_write(&unprinted);
        failure.print(&Console::of(LogFormat::Text, false));
        return failure.exit.into();
    }
    u8::try_from(error.exit_code()).map_or(Exit::Usage.into(), ExitCode::from)
}

/// Looks for `--log-format json` in arguments that clap could not take as a whole.
fn asks_for_json(arguments: impl Iterator<Item = OsString>) -> bool {
    let arguments: Vec<OsString> = arguments.collect();
    arguments
        .iter()
        .any(|argument| argument == "--log-format=json")
        || arguments
            .windows(2)
            .any(|pair| pair[0] == "--log-format" && pair[1] == "json")
}
