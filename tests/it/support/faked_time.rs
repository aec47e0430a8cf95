//! Programs that run at another time, by Debian's libfaketime.

use std::fs;
use std::path::PathBuf;

/// Variables under which a program's clock begins at a time, such as `@2026-11-01 02:00:00`. Files keep their own times,
/// and waiting takes as long as it takes. `None` if the library is not there.
///
/// The program `faketime` is not used: it names semaphores by process ids, and finds those of dead ones in its way.
pub(crate) fn faked_time(at: &str) -> Option<[(&'static str, String); 4]> {
    let folders = fs::read_dir("/usr/lib").ok()?;
    let libraries = folders.filter_map(|folder| {
        let path = folder.ok()?.path().join("faketime/libfaketime.so.1");
        path.exists().then_some(path)
    });
    let library: PathBuf = libraries.into_iter().next()?;
    Some([
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", at.to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("NO_FAKE_STAT", "1".to_owned()),
    ])
}
