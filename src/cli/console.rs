//! Standard error: progress, summaries and errors, as text or as JSON lines.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use serde_json::Value;

use super::args::{GlobalArgs, LogFormat};
use super::interrupt::{PRINTED_AT_ONCE, has_room};
use super::log_tail::LogTail;
use crate::output::now;
use crate::visible::{
    visible_coloured, visible_json, visible_lines, visible_message, without_colours,
};

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
    /// The log has colours.
    is_coloured: bool,
    bars: MultiProgress,
    tail: LogTail,
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
            is_coloured: format == LogFormat::Text && io::stderr().is_terminal(),
            bars: MultiProgress::with_draw_target(target),
            tail: LogTail::default(),
        }
    }

    pub(crate) fn format(&self) -> LogFormat {
        self.format
    }

    /// The end of what is written here.
    pub(crate) fn tail(&self) -> &LogTail {
        &self.tail
    }

    /// True if the log has colours.
    pub(crate) fn is_coloured(&self) -> bool {
        self.is_coloured
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

    /// A line of the log as it may be shown, whoever wrote what it says.
    fn shown(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\n');
        let text = line.unwrap_or(&text);
        let mut shown = match (self.format, self.is_coloured) {
            (LogFormat::Json, _) => visible_json(text.to_owned()),
            (LogFormat::Text, true) => visible_coloured(text),
            (LogFormat::Text, false) => visible_message(text),
        };
        if line.is_some() {
            shown.push('\n');
        }
        shown
    }

    fn line(&self, level: Level, text: &str, fields: Value) {
        let line = line(self.format, level, text, fields);
        self.tail.note(line.as_bytes());
        self.put(&line);
    }

    /// Writes what may be shown.
    fn put(&self, shown: &str) {
        let _ = match self.bars() {
            Some(bars) => bars.suspend(|| write(shown)),
            None => write(shown),
        };
    }
}

/// Writes to standard error; if nobody takes it, and the run is to end, not all of it.
fn write(shown: &str) -> io::Result<()> {
    for piece in shown.as_bytes().chunks(PRINTED_AT_ONCE) {
        if !has_room(io::stderr()) {
            return Ok(());
        }
        io::stderr().write_all(piece)?;
    }
    Ok(())
}

fn line(format: LogFormat, level: Level, text: &str, fields: Value) -> String {
    match format {
        LogFormat::Text if level == Level::Error => {
            format!("error: {}\n", visible_lines(text))
        }
        LogFormat::Text => format!("{}\n", visible_lines(text)),
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
    visible_json(serde_json::to_string(&line).unwrap_or_default())
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
        let shown = self.shown(bytes);
        // Whoever gets the end of the log may have no terminal.
        match self.is_coloured {
            true => self.tail.note(without_colours(&shown).as_bytes()),
            false => self.tail.note(shown.as_bytes()),
        }
        self.put(&shown);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
