//! A source that fails, for tests: interrupted at every other call, or broken at one of them.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a source does after the call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It goes on as if nothing had been.
    GoesOn,
    /// It says that there is no more.
    Ends,
}

/// When a source fails.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Interrupted,
    At(usize, fn() -> io::Error, After),
}

/// Gives a few bytes a call, and counts the calls.
pub(crate) struct Faulty {
    bytes: Vec<u8>,
    given: usize,
    step: usize,
    fault: Fault,
    calls: Arc<AtomicUsize>,
    interrupted: bool,
}

/// Errors as disks, networks and other readers make them.
pub(crate) const ERRORS: [fn() -> io::Error; 4] = [
    || io::Error::from_raw_os_error(5),
    || ErrorKind::UnexpectedEof.into(),
    || ErrorKind::InvalidData.into(),
    || io::Error::other("it went away"),
];

impl Faulty {
    /// Every other call is interrupted by a signal.
    pub(crate) fn interrupted(bytes: &[u8], step: usize) -> Self {
        Faulty::new(bytes, step, Fault::Interrupted)
    }

    /// The call of that number, from 0, fails.
    pub(crate) fn failing(
        bytes: &[u8],
        step: usize,
        call: usize,
        error: fn() -> io::Error,
        after: After,
    ) -> Self {
        Faulty::new(bytes, step, Fault::At(call, error, after))
    }

    /// No call fails.
    pub(crate) fn sound(bytes: &[u8], step: usize) -> Self {
        Faulty::failing(bytes, step, usize::MAX, ERRORS[0], After::Ends)
    }

    fn new(bytes: &[u8], step: usize, fault: Fault) -> Self {
        Faulty {
            bytes: bytes.to_vec(),
            given: 0,
            step,
            fault,
            calls: Arc::default(),
            interrupted: false,
        }
    }

    /// The calls so far, to be asked when the source is given away.
    pub(crate) fn calls(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.calls)
    }
}

impl Read for Faulty {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::Interrupted => {
                self.interrupted = !self.interrupted;
                if self.interrupted {
                    return Err(ErrorKind::Interrupted.into());
                }
            }
            Fault::At(at, error, _) if call == at => return Err(error()),
            Fault::At(at, _, After::Ends) if call > at => return Ok(0),
            Fault::At(..) => {}
        }
        let rest = &self.bytes[self.given..];
        let count = rest.len().min(buffer.len()).min(self.step);
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}
