//! Logs: on standard error, as text or JSON lines.

use tracing_subscriber::EnvFilter;

use super::args::{GlobalArgs, LogFormat};
use super::console::Console;
use crate::advice::ADVICE;
use crate::environment::LOG_VARIABLE;

/// Starts logging as the arguments say, at level `usual` where they say nothing. `RELEXPORT_LOG` may refine it, in the form of tracing's filters.
pub(crate) fn start(args: &GlobalArgs, console: &Console, usual: &str) {
    let level = match (args.quiet, args.verbose) {
        (true, _) => format!("warn,{ADVICE}=error"),
        (false, 0) => usual.to_owned(),
        (false, 1) => "info".to_owned(),
        (false, _) => "debug".to_owned(),
    };
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let console = console.clone();
    let ansi = console.is_coloured();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || console.clone())
        .with_target(false)
        // It would tell of a log that cannot be written by eprintln!, which panics there.
        .log_internal_errors(false)
        .with_ansi(ansi);
    match args.log_format {
        LogFormat::Text => subscriber.without_time().init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
}
