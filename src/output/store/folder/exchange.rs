//! A folder that is complete takes its place, and what lay there before goes: in one step where the file system can,
//! else in two, with what it takes to put the old one back.
//!
//! ```text
//! .<name>.relexport-new-<random>   is being filled; or, exchanged already, the old one that is being removed
//! .<name>.relexport-old-<random>   the old one between two renames
//! ```
//!
//! All of these lie beside the folder, and are written only by who holds the lock of its name (`claim.rs`). So
//! whoever has taken the lock may remove what is left of others: they are dead.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::anchor::Anchor;
use super::atomic::{folder_of, sync_folder};
use crate::hex;
use crate::io_error::at;

/// What a folder beside the place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    New,
    Old,
}

impl Beside {
    /// How the names of such folders begin.
    fn prefix(self, place: &Path) -> OsString {
        let kind = match self {
            Beside::New => "new",
            Beside::Old => "old",
        };
        hidden(place, &format!("relexport-{kind}-"))
    }
}

/// Bytes of a name that are used in others: with what they add, it must not be longer than a name can be (255).
const NAMED: usize = 200;

/// The name of something that belongs to a place and lies beside it: `.<name>.<what>`. Of a long name it has the
/// beginning, and a checksum that tells it from others which begin so.
pub(super) fn hidden(place: &Path, what: &str) -> OsString {
    let mut name = OsString::from(".");
    let of = place.file_name().unwrap_or_default().as_bytes();
    match of.get(..NAMED) {
        Some(beginning) => {
            let digest = hex::encode(&Sha256::digest(of));
            name.push(OsStr::from_bytes(beginning));
            name.push(format!("-{}", &digest[..16]));
        }
        None => name.push(OsStr::from_bytes(of)),
    }
    name.push(".");
    name.push(what);
    name
}

/// Makes a folder beside a place, with a name that nobody else has.
pub(super) fn new_beside(place: &Path) -> io::Result<PathBuf> {
    let parent = folder_of(place);
    let folder = tempfile::Builder::new()
        .prefix(&Beside::New.prefix(place))
        .rand_bytes(12)
        // What the umask leaves of it, as for every other folder.
        .permissions(Permissions::from_mode(0o777))
        .tempdir_in(parent)
        .map_err(at(parent))?;
    Ok(folder.keep())
}

/// Makes sure, before hours of work, that `place` can be moved: a folder from a lower layer of an overlay file system,
/// as containers have, cannot, nor can another user's in a folder such as `/tmp`. It is asked to take the name of
/// `work`, which holds a file then, so that the answer is never yes.
///
/// # Errors
/// Where it cannot be moved. What some file system answers beside that is left to [`put`].
pub(super) fn check_movable(work: &Path, place: &Path) -> io::Result<()> {
    let file = work.join("probe");
    if File::create(&file).is_err() {
        // Nothing can be written there, which the first file tells.
        return Ok(());
    }
    let moved = fs::rename(place, work);
    match moved {
        Ok(()) => back(work, place),
        Err(_) => fs::remove_file(&file)?,
    }
    match moved.map_err(|error| (error.raw_os_error().map(Errno::from_raw_os_error), error)) {
        Err((Some(Errno::XDEV | Errno::BUSY | Errno::PERM), error)) => Err(error),
        _ => Ok(()),
    }
}

/// Gives `work` the name `place`. `old` is what lies there, if anything; it is removed when the new one is in place.
///
/// # Errors
/// Those of the file system; then both folders are where they were, as far as the file system allows it.
pub(super) fn put(work: &Path, place: &Path, old: Option<&Anchor>) -> io::Result<()> {
    let sync = || sync_folder(folder_of(place));
    let Some(old) = old else {
        fs::rename(work, place).map_err(at(place))?;
        return sync().inspect_err(|_| back(place, work));
    };
    old.check()?;
    let removed = match swap(work, place) {
        Swapped::Yes => {
            sync().inspect_err(|_| drop(swap(work, place)))?;
            work.to_owned()
        }
        Swapped::No(error) => return Err(at(place)(error)),
        Swapped::Unsupported => {
            let aside = move_aside(place)?;
            let moved = fs::rename(work, place).map_err(at(place));
            moved.inspect_err(|_| back(&aside, place))?;
            sync().inspect_err(|_| {
                back(place, work);
                back(&aside, place);
            })?;
            aside
        }
    };
    if let Err(error) = fs::remove_dir_all(&removed) {
        // The new one is in its place; the next run tries again.
        tracing::warn!("cannot remove {}: {error}", removed.display());
    }
    Ok(())
}

/// Takes a step back after an error, which says more than a second one would.
fn back(from: &Path, to: &Path) {
    if let Err(error) = fs::rename(from, to) {
        tracing::warn!(
            "cannot move {} back to {}: {error}",
            from.display(),
            to.display()
        );
    }
}

/// The first of two renames: from here on until the second one, nothing has the name.
fn move_aside(place: &Path) -> io::Result<PathBuf> {
    let parent = folder_of(place);
    let free = tempfile::Builder::new()
        .prefix(&Beside::Old.prefix(place))
        .rand_bytes(12)
        .tempdir_in(parent)
        .map_err(at(parent))?;
    // An empty folder is replaced by a rename.
    let aside = free.keep();
    match fs::rename(place, &aside) {
        Ok(()) => Ok(aside),
        Err(error) => {
            // It is empty, and nobody's.
            let _ = fs::remove_dir(&aside);
            Err(at(place)(error))
        }
    }
}

enum Swapped {
    Yes,
    No(io::Error),
    /// This system or file system cannot.
    Unsupported,
}

/// Exchanges the names of two folders in one step.
#[cfg(target_os = "linux")]
fn swap(one: &Path, other: &Path) -> Swapped {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Swapped::Yes,
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Swapped::Unsupported,
        Err(error) => Swapped::No(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn swap(_one: &Path, _other: &Path) -> Swapped {
    Swapped::Unsupported
}

/// Puts right what dead runs left beside a place: an old folder that has no successor gets its name back, everything
/// else is removed. What a living run has locked is left alone. Only for who holds the lock of the name.
pub(super) fn clear(place: &Path) {
    if let Err(error) = clear_beside(place) {
        tracing::warn!(
            "cannot look for what earlier runs left beside {}: {error}",
            place.display()
        );
    }
}

fn clear_beside(place: &Path) -> io::Result<()> {
    let is_missing =
        || fs::symlink_metadata(place).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    for left in left_beside(place, Beside::Old)? {
        if is_missing() && fs::read_dir(&left)?.next().is_some() {
            fs::rename(&left, place)?;
            sync_folder(folder_of(place))?;
            tracing::warn!(
                "{} is back: an earlier run ended while it replaced it",
                place.display()
            );
        } else {
            remove(&left);
        }
    }
    for left in left_beside(place, Beside::New)? {
        remove(&left);
    }
    Ok(())
}

/// Folders beside a place that belong to no living run.
fn left_beside(place: &Path, kind: Beside) -> io::Result<Vec<PathBuf>> {
    let prefix = kind.prefix(place);
    let mut left = Vec::new();
    for entry in fs::read_dir(folder_of(place))? {
        let entry = entry?;
        let is_ours = entry.file_name().as_bytes().starts_with(prefix.as_bytes());
        if is_ours && entry.file_type()?.is_dir() {
            left.push(entry.path());
        }
    }
    left.sort();
    Ok(left)
}

fn remove(left: &Path) {
    let removed = File::open(left).and_then(|folder| {
        // A second look: the run that fills a folder holds it, too.
        flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
        fs::remove_dir_all(left)
    });
    match removed {
        Ok(()) => tracing::info!("removed {}, which an earlier run left", left.display()),
        Err(error) => tracing::warn!(
            "cannot remove {}, which an earlier run left: {error}",
            left.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::store::folder::names;

    fn folder(path: &Path, file: &str) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join(file), "").unwrap();
    }

    #[test]
    fn the_old_folder_goes_when_the_new_one_is_in_place() {
        let temp = tempfile::tempdir().unwrap();
        let place = temp.path().join("out");
        folder(&place, "old");
        let work = new_beside(&place).unwrap();
        folder(&work, "new");
        put(&work, &place, Some(&Anchor::new(&place).unwrap())).unwrap();
        assert_eq!(names(&place), ["new"]);
        assert_eq!(names(temp.path()), ["out"]);
    }

    #[test]
    fn a_run_that_died_between_two_renames_gives_the_old_folder_back() {
        let temp = tempfile::tempdir().unwrap();
        let place = temp.path().join("out");
        folder(&place, "old");
        folder(&new_beside(&place).unwrap(), "new");
        move_aside(&place).unwrap();
        assert!(!place.exists());
        clear(&place);
        assert_eq!(names(&place), ["old"]);
        assert_eq!(names(temp.path()), ["out"]);
    }

    #[test]
    fn a_run_that_died_before_it_removed_the_old_folder_leaves_the_new_one() {
        let temp = tempfile::tempdir().unwrap();
        let place = temp.path().join("out");
        folder(&place, "old");
        move_aside(&place).unwrap();
        folder(&place, "new");
        clear(&place);
        assert_eq!(names(&place), ["new"]);
        assert_eq!(names(temp.path()), ["out"]);
    }

    #[test]
    fn folders_of_other_names_and_of_living_runs_are_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let place = temp.path().join("out");
        folder(&place, "old");
        folder(&temp.path().join(".out2.relexport-new-abc"), "x");
        folder(&temp.path().join(".out.new-1"), "x");
        let living = new_beside(&place).unwrap();
        let held = Anchor::new(&living).unwrap();
        assert!(held.lock());
        let before = names(temp.path());
        clear(&place);
        assert_eq!(names(temp.path()), before);
        drop(held);
        clear(&place);
        assert_eq!(names(temp.path()).len(), before.len() - 1);
    }

    #[test]
    fn a_folder_that_took_the_old_ones_name_is_not_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let place = temp.path().join("out");
        folder(&place, "old");
        let old = Anchor::new(&place).unwrap();
        fs::rename(&place, temp.path().join("elsewhere")).unwrap();
        folder(&place, "thesis.txt");
        let work = new_beside(&place).unwrap();
        assert!(put(&work, &place, Some(&old)).is_err());
        assert_eq!(names(&place), ["thesis.txt"]);
        assert!(work.exists());
    }

    #[test]
    fn asking_whether_a_folder_can_be_moved_moves_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let place = temp.path().join("out");
        folder(&place, "old");
        let work = new_beside(&place).unwrap();
        check_movable(&work, &place).unwrap();
        assert_eq!(names(&place), ["old"]);
        assert_eq!(names(&work), [""; 0]);
    }

    #[test]
    fn names_beside_a_long_name_are_no_longer_than_names_can_be_and_differ() {
        let hidden = |name: String| hidden(Path::new(&name), "relexport-lock");
        let (one, other) = (
            hidden("n".repeat(255)),
            hidden(format!("{}m", "n".repeat(254))),
        );
        assert_ne!(one, other);
        assert!(one.len() < 243, "{one:?}");
        assert_eq!(hidden("out".to_owned()), ".out.relexport-lock");
    }

    #[test]
    fn the_new_folder_has_the_rights_of_every_other_one() {
        let temp = tempfile::tempdir().unwrap();
        let usual = temp.path().join("usual");
        fs::create_dir(&usual).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let work = new_beside(&temp.path().join("out")).unwrap();
        assert_eq!(mode(&work), mode(&usual));
    }
}
