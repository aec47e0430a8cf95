//! Open files: how many connections there can be without taking from exports what they need.
//!
//! A system lets a process open only so many files. If connections took all of them, an export would fail at its next one. So
//! connections have a share of their own, and who comes when it is used up waits outside.

use std::fs::File;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open as soon as the server is: six of the runtime, the listener, the snapshot and the list of groups.
const AT_THE_START: usize = 9;

/// Files of a connection: its socket, and what is sent through it.
const OF_A_CONNECTION: u64 = 2;

/// Files that connections leave to the server, and to programs of git.
const OF_THE_SERVER: u64 = 128;

/// Files that connections leave to each export.
const OF_AN_EXPORT: u64 = 128;

/// Makes sure that the process may open as many files as a server needs before it can answer anybody. Some of them tokio
/// takes for granted: without them it panics.
///
/// # Errors
/// Those of the system.
pub(crate) fn check() -> io::Result<()> {
    let opened = (0..AT_THE_START).map(|_| File::open("/dev/null"));
    opened.collect::<io::Result<Vec<_>>>().map(drop)
}

/// How many connections there may be of those that are wanted, beside so many exports. Raises the process's own limit of open
/// files for them, as far as the system allows.
pub(crate) fn connections(wanted: usize, exports: usize) -> usize {
    let left = OF_THE_SERVER + OF_AN_EXPORT * exports as u64;
    let needed = wanted as u64 * OF_A_CONNECTION + left;
    let limit = raised(needed);
    let room = room(limit, left).min(wanted);
    if room < wanted {
        tracing::warn!(
            "{room} connections at the same time rather than {wanted}: exports need the other files of {} \
             that may be open; raise the limit (ulimit -n) to {needed}, or lower --max-connections",
            limit.unwrap_or_default()
        );
    }
    room
}

/// The limit of open files, raised if it is lower than what is needed; `None` if there is none.
fn raised(needed: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current?;
    let possible = maximum.map_or(needed, |maximum| needed.min(maximum));
    if possible <= current {
        return Some(current);
    }
    let raised = Rlimit {
        current: Some(possible),
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => Some(possible),
        Err(error) => {
            tracing::debug!("the limit of open files stays at {current}: {error}");
            Some(current)
        }
    }
}

/// Connections that a limit has room for. Of a low one they get a half.
fn room(limit: Option<u64>, left: u64) -> usize {
    let Some(limit) = limit else {
        return usize::MAX;
    };
    let share = limit - left.min(limit / 2);
    usize::try_from(share / OF_A_CONNECTION)
        .unwrap_or(usize::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_exports() {
        for (limit, left, expected) in [
            (None, 256, usize::MAX),
            (Some(4352), 256, 2048),
            (Some(1024), 256, 384),
            // Of few files, half.
            (Some(256), 256, 64),
            (Some(20), 256, 5),
            (Some(1), 256, 1),
        ] {
            assert_eq!(room(limit, left), expected, "{limit:?}");
        }
    }
}
