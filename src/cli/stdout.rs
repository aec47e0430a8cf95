//! Standard output, where only results go.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use super::exit::{Exit, Failure};

/// Prints a result. A reader that has gone away (`relexport groups … | head`) has got what it wanted.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// As [`print`], of bytes.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(cannot_write(&error)),
        _ => Ok(()),
    }
}

/// What is told of a result that is lost.
pub(crate) fn cannot_write(error: &std::io::Error) -> Failure {
    let text = format!("cannot write to standard output: {error}");
    Failure::new(Exit::Output, anyhow::anyhow!(text))
}

/// Prints JSON over several lines.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut json =
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(Exit::Output, error))?;
    json.push('\n');
    print(&json)
}
