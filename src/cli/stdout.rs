//! Standard output, where only results go.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::interrupt::{PRINTED_AT_ONCE, has_room};
use crate::visible::{visible_json, visible_lines};

/// Prints a result. A reader that has gone away (`relexport groups … | head`) has got what it wanted.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(visible_lines(text).as_bytes())
}

/// Prints JSON in one line.
pub(crate) fn print_compact(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value).map_err(|error| Failure::new(Exit::Output, error))?;
    print_json_text(json)
}

/// Prints what is JSON already.
pub(crate) fn print_json_text(mut json: String) -> Result<(), Failure> {
    json.push('\n');
    print_bytes(visible_json(json).as_bytes())
}

/// As [`print`], of bytes that are this program's own.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for piece in bytes.chunks(PRINTED_AT_ONCE) {
        if !has_room(&out) {
            return Err(Failure::new(
                Exit::Interrupted,
                anyhow::anyhow!("interrupted while nobody took what is printed"),
            ));
        }
        match out.write_all(piece).and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(cannot_write(&error)),
        }
    }
    Ok(())
}

/// What is told of a result that is lost.
pub(crate) fn cannot_write(error: &std::io::Error) -> Failure {
    let text = format!("cannot write to standard output: {error}");
    Failure::new(Exit::Output, anyhow::anyhow!(text))
}

/// Prints JSON over several lines.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json =
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(Exit::Output, error))?;
    print_json_text(json)
}
