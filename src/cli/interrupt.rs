//! Signals. Ctrl-C: one shared flag, looked at wherever a run can stop cleanly.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

use crate::interruption::{self, LOOK_EVERY};

/// The flag that a first Ctrl-C sets. A second one ends the program at once; files that are not complete do not
/// have their final names then, either.
///
/// # Errors
/// Where the system refuses the handlers.
pub(crate) fn flag() -> std::io::Result<Arc<AtomicBool>> {
    let flag = interruption::flag();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, interruption::signalled())?;
    }
    Ok(flag)
}

/// Bytes for which a pipe has room if it has any (Linux has PIPE_BUF so large).
pub(crate) const PRINTED_AT_ONCE: usize = 4096;

/// Waits until so many bytes can be printed without waiting. False if the run is to end while a reader takes nothing.
pub(crate) fn has_room(output: impl AsFd) -> bool {
    let look_every = Timespec {
        tv_sec: 0,
        tv_nsec: LOOK_EVERY.subsec_nanos().into(),
    };
    loop {
        let mut files = [PollFd::new(&output, PollFlags::OUT)];
        match poll(&mut files, Some(&look_every)) {
            Ok(0) if interruption::is_asked_for() => return false,
            Ok(0) | Err(Errno::INTR) => {}
            // What is wrong with it is told by writing.
            Ok(_) | Err(_) => return true,
        }
    }
}

/// Makes an error of what would end the program: a file that grows beyond the limit of `ulimit -f`.
///
/// # Errors
/// Where the system refuses the handler.
pub(crate) fn survive_large_files() -> std::io::Result<()> {
    // A handler rather than ignoring: programs that are started get the system's own behaviour back.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map(drop)
}
