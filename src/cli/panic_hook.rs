//! What is told when this program has a fault.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;

use serde_json::json;

use super::args::LogFormat;
use super::console::fault_line;

/// From now on a panic is one line on standard error, in the form of all others. `RUST_BACKTRACE=1` adds where it came from.
pub(crate) fn install(format: LogFormat) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or_else(
            || "an unknown place".to_owned(),
            |at| format!("{}:{}", at.file(), at.line()),
        );
        let text = format!(
            "a fault in this program at {place}{}",
            reason(panic.payload())
        );
        let mut line = fault_line(format, &text, json!({"place": place}));
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            line.push_str(&format!("{backtrace}\n"));
        }
        // Neither through the log nor past the bars: whoever panicked may hold their locks.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }));
}

/// Why, where that is a constant text. Texts that are put together may hold a cell's value.
fn reason(payload: &(dyn Any + Send)) -> String {
    match payload.downcast_ref::<&'static str>() {
        Some(reason) => format!(": {reason}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_constant_texts_are_told() {
        assert_eq!(reason(&"a constant"), ": a constant");
        assert_eq!(reason(&"the value of a cell".to_owned()), "");
    }
}
