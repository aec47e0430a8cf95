//! The program: from its arguments to its exit code.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use serde_json::json;

use super::args::{Cli, Command, LogFormat};
use super::console::Console;
use super::environment::{Parsed, Variables};
use super::exit::{Exit, Failure};
use super::{
    bench, commit, completions, config, diff, doctor, dry_run, effects, environment, export,
    forget, groups, hide, inspect, interrupt, jobs, logging, man, panic_hook, pipeline, plan,
    redaction, serve, snapshot, status, stdout, token, verify, work,
};
use crate::fault::{Fault, caught};
use crate::interruption;

/// Runs the program with the process's arguments and returns its exit code.
pub fn main() -> ExitCode {
    hide::hide_password();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let variables = Variables::of_process();
    let parsed = environment::parse(Cli::command(), &arguments, &variables).and_then(|parsed| {
        let cli = Cli::from_arg_matches(&parsed.matches);
        cli.map(|cli| (cli, parsed))
            .map_err(|error| error.format(&mut Cli::command()))
    });
    let (cli, Parsed { matches, warnings }) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return not_understood(&error, &arguments, &variables),
    };
    let console = Console::new(&cli.global);
    // Of a server and of jobs the log is what they tell; other commands tell by what they print.
    let usual = match cli.command {
        Command::Serve(_) | Command::Run(_) => "info",
        _ => "warn",
    };
    logging::start(&cli.global, &console, usual);
    panic_hook::install(console.format());
    for warning in warnings
        .into_iter()
        .chain(variables.unknown(&Cli::command()))
    {
        tracing::warn!("{warning}");
    }
    if let Err(error) = interrupt::survive_large_files() {
        tracing::debug!("a limit on the size of files ends the program: {error}");
    }
    match caught(|| effects::tell(&cli, &matches).and_then(|()| run(&cli, &console))) {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(mut failure)) => {
            // What could not be read of its settings was given up at a signal.
            if failure.exit == Exit::Usage && interruption::is_signalled() {
                failure.exit = Exit::Interrupted;
            }
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
        Command::Plan(args) => plan::run(args, console),
        Command::Work(args) => work::run(args, console),
        Command::Commit(args) => commit::run(args, console),
        Command::Bench(args) => bench::run(args, console),
        Command::Groups(args) => groups::run(args, console),
        Command::Inspect(args) => inspect::run(args, console),
        Command::Serve(args) => serve::run(args, console),
        Command::Token(command) => token::run(command, console),
        Command::Status(args) => status::run(args, console),
        Command::Verify(args) => verify::run(args, console),
        Command::Diff(args) => diff::run(args, console),
        Command::Forget(args) => forget::run(args),
        Command::Doctor(args) => doctor::run(args, console),
        Command::Snapshot(command) => snapshot::run(command, console),
        Command::Pipeline(command) => pipeline::run(command, console),
        Command::Config(command) => config::run(command, console),
        Command::Run(args) => jobs::run(args, console),
        Command::Jobs(args) => jobs::list(args),
        Command::Redact(command) => redaction::run(command, console),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// The arguments are wrong, or ask for help: clap says it, and knows the exit code (2 for wrong usage).
fn not_understood(error: &clap::Error, arguments: &[OsString], variables: &Variables) -> ExitCode {
    if error.use_stderr() && asks_for_json(arguments, variables) {
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

/// Looks for `--log-format json` in arguments that clap could not take as a whole, and in the variables.
fn asks_for_json(arguments: &[OsString], variables: &Variables) -> bool {
    let is_in_one = |argument: &OsString| argument == "--log-format=json";
    let is_in_two = |pair: &[OsString]| pair[0] == "--log-format" && pair[1] == "json";
    arguments.iter().any(is_in_one)
        || arguments.windows(2).any(is_in_two)
        || variables
            .of_option("log-format")
            .is_some_and(|format| format == "json")
}
