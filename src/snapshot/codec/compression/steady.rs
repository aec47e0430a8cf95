//! Reads that cannot be mistaken: an interruption is no error, and an error is never an end.
//!
//! Decoders differ in what they do after an error of their source: some begin anew, some say that the stream has
//! ended. Whoever asks them again would take fewer bytes for all. So what stands below and above a decoder is
//! wrapped here.

use std::io::{self, BufRead, ErrorKind, Read};

use super::window::WindowTooLarge;
use crate::snapshot::place::{ObjectError, WaitError};

/// Tries an interrupted read again, and goes on to fail where a read has failed once.
pub(super) struct Steady<R> {
    source: R,
    failed: Option<Failed>,
}

/// What is needed to tell an error once more.
struct Failed {
    code: Option<i32>,
    object: Option<ObjectError>,
    wait: Option<WaitError>,
    window: Option<WindowTooLarge>,
    kind: ErrorKind,
    message: String,
}

impl Failed {
    fn error(&self) -> io::Error {
        match (self.code, &self.object, self.wait, self.window) {
            (Some(code), ..) => io::Error::from_raw_os_error(code),
            (None, Some(object), ..) => object.of_reading(),
            (None, None, Some(wait), _) => wait.of_reading(),
            (None, None, None, Some(window)) => window.error(),
            (None, None, None, None) => io::Error::new(self.kind, self.message.clone()),
        }
    }
}

impl<R> Steady<R> {
    pub(super) fn new(source: R) -> Self {
        Steady {
            source,
            failed: None,
        }
    }

    fn check(&self) -> io::Result<()> {
        match &self.failed {
            Some(failed) => Err(failed.error()),
            None => Ok(()),
        }
    }

    fn remember(&mut self, error: io::Error) -> io::Error {
        self.failed = Some(Failed {
            code: error.raw_os_error(),
            object: ObjectError::within(&error).cloned(),
            wait: WaitError::within(&error),
            window: WindowTooLarge::within(&error),
            kind: error.kind(),
            message: error.to_string(),
        });
        error
    }
}

impl<R: Read> Read for Steady<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        loop {
            match self.source.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.remember(error)),
                Ok(count) => return Ok(count),
            }
        }
    }
}

impl<R: BufRead> BufRead for Steady<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        loop {
            match self.source.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.remember(error)),
                Ok([]) => return Ok(&[]),
                Ok(_) => break,
            }
        }
        // The borrow checker does not let the bytes out of the loop. They are in the buffer: nothing is read here.
        self.source.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.source.consume(count);
    }
}
