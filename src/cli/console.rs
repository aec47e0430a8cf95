//! Standard error: progress, summaries and errors, as text or as JSON lines.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use serde_json::Value;

use super::args::{GlobalArgs, LogFormat};
use crate::output::now;

/// How a line on standard error is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Error,
}

/// Where everything goes that is no result. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Console {
    quiet: bool,
    format: LogFormat,
    bars: MultiProgress,
}

impl Console {
    pub(crate) fn new(args: &GlobalArgs) -> Self {
        Self::of(args.log_format, args.quiet)
    }

    /// A console for where the arguments are not known.
    pub(crate) fn of(format: LogFormat, quiet: bool) -> Self {
        let shows_bars = !quiet && format == LogFormat::Text && io::stderr().is_terminal();
        let target = match shows_bars {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Console {
            quiet,
            format,
            bars: MultiProgress::with_draw_target(target),
        }
    }

    pub(crate) fn format(&self) -> LogFormat {
        self.format
    }

    /// The bars, where a terminal shows some.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        (!self.bars.is_hidden()).then_some(&self.bars)
    }

    /// Tells what people may want to know: not in quiet runs. `fields` say the same to programs.
    pub(crate) fn info(&self, text: &str, fields: Value) {
        if !self.quiet {
            self.line(Level::Info, text, fields);
        }
    }

    /// Tells what went wrong.
    pub(crate) fn error(&self, text: &str, fields: Value) {
        self.line(Level::Error, text, fields);
    }

    fn line(&self, level: Level, text: &str, fields: Value) {
        let line = line(self.format, level, text, fields);
        // Never fails.
        let _ = self.clone().write_all(line.as_bytes());
    }
}

fn line(format: LogFormat, level: Level, text: &str, fields: Value) -> String {
    match format {
        LogFormat::Text if level == Level::Error => format!("error: {text}\n"),
        LogFormat::Text => format!("{text}\n"),
        LogFormat::Json => format!("{}\n", json_line(level, text, fields)),
    }
}

/// The line that tells of a fault of this program.
pub(super) fn fault_line(format: LogFormat, text: &str, fields: Value) -> String {
    line(format, Level::Error, text, fields)
}

/// A line of the same form as those of the log.
fn json_line(level: Level, text: &str, fields: Value) -> String {
    let level = match level {
        Level::Info => "INFO",
        Level::Error => "ERROR",
    };
    let line = Line {
        timestamp: now(),
        level,
        message: text,
        fields,
    };
    // Strings and plain values always serialize.
    serde_json::to_string(&line).unwrap_or_default()
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: &'a str,
    #[serde(flatten)]
    fields: Value,
}

/// Writes to standard error without breaking the bars. What cannot be written there is lost, because nobody is left
/// to tell it to: whether the work goes on is never decided by its log.
impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = match self.bars() {
            Some(bars) => bars.suspend(|| io::stderr().write_all(bytes)),
            None => io::stderr().write_all(bytes),
        };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
