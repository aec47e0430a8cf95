//! Logs: on standard error, as text or JSON lines.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::args::{GlobalArgs, LogFormat};
use super::console::Console;
use crate::advice::ADVICE;
use crate::environment::LOG_VARIABLE;
use crate::visible::visible;

/// What the modules of this program are below.
const OWN_CRATE: &str = env!("CARGO_CRATE_NAME");

/// Starts logging as the arguments say, at level `usual` where they say nothing. `RELEXPORT_LOG` has the last word, in the form
/// of tracing's filters. One that cannot be meant counts as not set, and is warned of: it would silence every warning.
pub(crate) fn start(args: &GlobalArgs, console: &Console, usual: &str) {
    let level = match (args.quiet, args.verbose) {
        (true, _) => format!("warn,{ADVICE}=error"),
        (false, 0) => usual.to_owned(),
        (false, 1) => "info".to_owned(),
        (false, _) => "debug".to_owned(),
    };
    let stated = stated_filter();
    let (filter, wrong) = match stated.as_deref().map(filter) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(wrong)) => (EnvFilter::new(level), Some(wrong)),
        None => (EnvFilter::new(level), None),
    };
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
    if let Some(wrong) = wrong {
        tracing::warn!(
            "{LOG_VARIABLE} counts as not set: {wrong}; its levels are off, error, warn, info, debug and trace, \
             or those of modules, such as warn,relexport=debug"
        );
    }
}

/// What `RELEXPORT_LOG` says, unless it is not set, or empty.
pub(crate) fn stated_filter() -> Option<String> {
    let stated = std::env::var_os(LOG_VARIABLE)?;
    let stated = stated.to_string_lossy().trim().to_owned();
    (!stated.is_empty()).then_some(stated)
}

/// The filter that a text is, or why it is none. A word alone that is no level would be a module, of which everything is
/// logged, and of all others nothing: here it has to be one of this program's.
fn filter(text: &str) -> Result<EnvFilter, String> {
    let parts = || text.split(',').map(str::trim);
    for part in parts().filter(|part| !part.is_empty()) {
        let is_word = !part.contains(['=', '[']);
        let module = part.split("::").next().unwrap_or_default();
        if is_word && module != OWN_CRATE && part.parse::<LevelFilter>().is_err() {
            return Err(format!("\"{}\" is no level", visible(part)));
        }
    }
    EnvFilter::builder()
        .parse(parts().collect::<Vec<_>>().join(","))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_levels_and_modules() {
        for text in [
            "warn",
            "WARN",
            "off",
            "3",
            "relexport",
            "relexport::jobs",
            "info,rustls=off",
            "warn, relexport=debug",
            "relexport[span]=trace",
        ] {
            assert!(filter(text).is_ok(), "{text}");
        }
        for (text, wrong) in [
            ("warning", "\"warning\" is no level"),
            ("warn,relexport_jobs", "\"relexport_jobs\" is no level"),
            ("warn,,loud", "\"loud\" is no level"),
            ("relexport=loud", "error parsing level filter"),
        ] {
            let told = filter(text).unwrap_err();
            assert!(told.starts_with(wrong), "{text}: {told}");
        }
    }
}
