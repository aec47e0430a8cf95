//! The command line: arguments, logs, progress, exit codes; one file per subcommand.

mod args;
mod bench;
mod completions;
mod console;
mod dry_run;
mod effects;
mod examples;
mod exit;
mod export;
mod groups;
mod hide;
mod inspect;
mod interrupt;
mod kinds;
mod logging;
mod man;
mod panic_hook;
mod pipeline;
mod progress;
mod run;
mod serve;
mod setup;
mod snapshot;
mod status;
mod stdout;
mod summary;
mod table;
mod token;
mod verify;

pub use args::{Cli, Command};
pub use exit::Exit;
pub use run::main;
