//! Signals. Ctrl-C: one shared flag, looked at wherever a run can stop cleanly.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

/// The flag that a first Ctrl-C sets. A second one ends the program at once; files that are not complete do not
/// have their final names then, either.
///
/// # Errors
/// Where the system refuses the handlers.
pub(crate) fn flag() -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(flag)
}

/// Makes an error of what would end the program: a file that grows beyond the limit of `ulimit -f`.
///
/// # Errors
/// Where the system refuses the handler.
pub(crate) fn survive_large_files() -> std::io::Result<()> {
    // A handler rather than ignoring: programs that are started get the system's own behaviour back.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map(drop)
}
