//! What one piece of a snapshot may take in memory, however large the snapshot says that it is.
//!
//! Memory belongs to the process, and so do these: an option of a command sets them before anything is read, and that of a
//! job for as long as the job runs, since jobs run one after another. Whoever decodes asks here.

use std::sync::atomic::{AtomicU64, Ordering};

/// As `zstd -d` has it without `--long=31`. `zstd --ultra -22`, `pg_dump -Z zstd:level=22,long` and `xz -9` need no more.
pub(crate) const DEFAULT_WINDOW: u64 = 128 << 20;

/// GitLab's largest rows have some MiB. PostgreSQL's own bound is 1 GiB, and pg_dump fails with rows of half of that if
/// they hold bytea.
pub(crate) const DEFAULT_ROW: u64 = 256 << 20;

static WINDOW: AtomicU64 = AtomicU64::new(DEFAULT_WINDOW);
static ROW: AtomicU64 = AtomicU64::new(DEFAULT_ROW);

/// The bounds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes that a decoder may look back, which it keeps in memory.
    pub(crate) window: u64,
    /// Bytes of the text of a row, or of a statement of SQL.
    pub(crate) row: u64,
}

impl Bounds {
    /// Makes these the bounds of the process.
    pub(crate) fn set(self) {
        WINDOW.store(self.window, Ordering::Relaxed);
        ROW.store(self.row, Ordering::Relaxed);
    }
}

/// Bytes that a decoder may look back.
pub(crate) fn window() -> u64 {
    WINDOW.load(Ordering::Relaxed)
}

/// Bytes of the text of a row, or of a statement of SQL.
pub(crate) fn row() -> usize {
    usize::try_from(ROW.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
}

/// What is said of a row or statement that is longer than `bytes`; `what` is what is too long.
pub(crate) fn too_long(what: &str, bytes: usize) -> String {
    let bytes = bytes as u64;
    format!(
        "{what} is longer than {}; if it is meant to be, allow more with --max-row, such as --max-row {}",
        shown(bytes),
        shown((bytes * 4).max(1 << 30)),
    )
}

/// A size as it is given to an option.
pub(crate) fn shown(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS
        .iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_as_options_take_them() {
        for (bytes, expected) in [
            (128 << 20, "128MiB"),
            (2 << 30, "2GiB"),
            (3 << 29, "1536MiB"),
            (1000, "1000 bytes"),
            (0, "0 bytes"),
        ] {
            assert_eq!(shown(bytes), expected);
        }
    }
}
