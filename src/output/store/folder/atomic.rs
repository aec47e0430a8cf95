//! Files that appear under their final name only when they are complete.
//!
//! A file is written beside its final name, synced, renamed, and its folder is synced: whatever dies, there is
//! the whole file or none.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::anchor::Identity;
use crate::hex;
use crate::io_error::at;
use crate::timings;

/// Bytes after which the system is asked to bring what was written to the disk.
const WRITTEN_OUT: u64 = 8 << 20;

/// Stands at the end of names that are not final.
pub(super) const PART: &str = ".part";

/// A file that is being written. Dropped before [`PartFile::commit`], it is removed.
pub struct PartFile {
    file: File,
    part: PathBuf,
    path: PathBuf,
    sha256: Sha256,
    length: u64,
    /// Bytes that the system was asked to bring to the disk.
    written_out: u64,
    committed: bool,
}

impl PartFile {
    /// Begins the file. Its folder must be there: one that is made anew would hide that the right one was removed.
    ///
    /// # Errors
    /// Those of the file system. As all errors of this module, they name the path.
    pub fn create(path: &Path) -> io::Result<Self> {
        let part = part_of(path);
        let file = File::create(&part).map_err(at(&part))?;
        Ok(Self::of(file, part, path))
    }

    /// Begins the file under a name that is not there yet, in any folder of the same file system.
    ///
    /// # Errors
    /// As [`PartFile::create`].
    pub(super) fn create_as(part: PathBuf, path: &Path) -> io::Result<Self> {
        let file = File::create_new(&part).map_err(at(&part))?;
        Ok(Self::of(file, part, path))
    }

    fn of(file: File, part: PathBuf, path: &Path) -> Self {
        PartFile {
            file,
            part,
            path: path.to_owned(),
            sha256: Sha256::new(),
            length: 0,
            written_out: 0,
            committed: false,
        }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// Those of the file system, a full disk among them.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timings::waiting(|| self.file.write_all(bytes)).map_err(at(&self.part))?;
        self.sha256.update(bytes);
        self.length += bytes.len() as u64;
        if self.length - self.written_out >= WRITTEN_OUT {
            write_out(&self.file, self.written_out..self.length);
            self.written_out = self.length;
        }
        Ok(())
    }

    /// Syncs the file and gives it its final name. Returns its length and the SHA-256 in lower-case hex.
    ///
    /// # Errors
    /// Those of the file system; the file is then not there under its final name, or cannot be relied on to stay.
    pub fn commit(mut self) -> io::Result<(u64, String)> {
        timings::waiting(|| self.file.sync_all()).map_err(at(&self.part))?;
        fs::rename(&self.part, &self.path).map_err(at(&self.path))?;
        self.committed = true;
        sync_folder(folder_of(&self.path))?;
        let digest = std::mem::take(&mut self.sha256).finalize();
        Ok((self.length, hex::encode(&digest)))
    }

    /// Syncs the file and gives it its final name, unless something has that name already: then it is false, and nothing
    /// is left of this file.
    ///
    /// # Errors
    /// As [`PartFile::commit`].
    pub(super) fn commit_new(self) -> io::Result<bool> {
        self.commit_new_by(&NEW_NAMES)
    }

    /// As [`PartFile::commit_new`], by the first of these ways that the file system knows.
    fn commit_new_by(mut self, ways: &[NewName]) -> io::Result<bool> {
        timings::waiting(|| self.file.sync_all()).map_err(at(&self.part))?;
        let mut named = None;
        for way in ways {
            named = way.give(&self.part, &self.path).map_err(at(&self.path))?;
            if named.is_some() {
                break;
            }
        }
        // Of a link the first name still has to go.
        self.committed = named == Some(true) && fs::symlink_metadata(&self.part).is_err();
        // Also if it was another's: what that one wrote is relied on from now on.
        sync_folder(folder_of(&self.path))?;
        match named {
            Some(is_new) => Ok(is_new),
            None => Err(at(&self.path)(io::ErrorKind::Unsupported.into())),
        }
    }
}

/// A way to give a file a name that nothing else may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NewName {
    /// A second name for it: the only way that NFS knows.
    Link,
    /// A rename that replaces nothing: on file systems without links.
    Rename,
    /// A look, and then a rename: two who do it at the same moment may both believe that they were alone.
    LookFirst,
}

/// In the order in which they are tried.
const NEW_NAMES: [NewName; 3] = [NewName::Link, NewName::Rename, NewName::LookFirst];

impl NewName {
    /// False if something has the name already; `None` if the file system does not know this way.
    fn give(self, part: &Path, path: &Path) -> io::Result<Option<bool>> {
        match self {
            NewName::Link => match fs::hard_link(part, path) {
                Ok(()) => Ok(Some(true)),
                // Over a network the answer to the first try may have been lost, and this is the one to the second.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Ok(Some(Identity::of_path(part)? == Identity::of_path(path)?))
                }
                Err(error) if is_unknown(&error) => Ok(None),
                Err(error) => Err(error),
            },
            NewName::Rename => match rename_new(part, path) {
                Ok(()) => Ok(Some(true)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Some(false)),
                Err(error) if is_unknown(&error) => Ok(None),
                Err(error) => Err(error),
            },
            NewName::LookFirst => {
                static TELL: Once = Once::new();
                TELL.call_once(|| {
                    tracing::warn!(
                        "{}: the file system cannot refuse a name that is taken; see to it that no two runs \
                         plan an export for the same place at the same moment",
                        path.display()
                    );
                });
                match fs::symlink_metadata(path) {
                    Ok(_) => Ok(Some(false)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        fs::rename(part, path).map(|()| Some(true))
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }
}

/// True if a file system says by this error that it has no such call.
fn is_unknown(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw_os_error),
        Some(
            Errno::PERM | Errno::NOTSUP | Errno::NOSYS | Errno::INVAL | Errno::MLINK | Errno::XDEV
        )
    )
}

#[cfg(target_os = "linux")]
fn rename_new(part: &Path, path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, part, CWD, path, RenameFlags::NOREPLACE)?)
}

#[cfg(not(target_os = "linux"))]
fn rename_new(_part: &Path, _path: &Path) -> io::Result<()> {
    Err(Errno::NOSYS.into())
}

/// Has the system begin to bring these bytes of a file to the disk, while more is made: else the disk is idle until the end, and
/// then waited for. Who waits for it, and learns what went wrong, is the sync at the end.
#[cfg(target_os = "linux")]
fn write_out(file: &File, bytes: Range<u64>) {
    let length = std::num::NonZeroU64::new(bytes.end - bytes.start);
    // To say that pages are not needed begins their writing (posix_fadvise(2)). It is an advice: where it is not taken, nothing
    // is lost.
    let _ = rustix::fs::fadvise(file, bytes.start, length, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn write_out(_: &File, _: Range<u64>) {}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing more can be done about a file that cannot be removed; it does not have a final name.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Replaces a file as a whole: readers see the old one or the new one.
///
/// # Errors
/// Those of the file system.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = PartFile::create(path)?;
    file.write(bytes)?;
    file.commit().map(|_| ())
}

/// As [`replace`], of a file that everybody may read, whatever the process's mask says.
///
/// # Errors
/// As [`replace`].
pub fn replace_for_all(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = PartFile::create(path)?;
    file.write(bytes)?;
    let mode = fs::Permissions::from_mode(0o644);
    file.file.set_permissions(mode).map_err(at(&file.part))?;
    file.commit().map(|_| ())
}

/// The name under which a file is written until it is complete.
pub fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(PART);
    path.with_file_name(name)
}

/// Makes renames in a folder last.
///
/// # Errors
/// Those of the file system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    timings::waiting(|| File::open(folder)?.sync_all()).map_err(at(folder))
}

/// Makes those folders of `path` that are missing below `root`, which must be there, and makes their names last.
///
/// # Errors
/// Those of the file system.
pub fn make_folders(root: &Path, path: &Path) -> io::Result<()> {
    let mut folder = root.to_owned();
    for name in path.components() {
        let above = folder.clone();
        folder.push(name);
        match fs::create_dir(&folder) {
            Ok(()) => sync_folder(&above)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(&folder)(error)),
        }
    }
    Ok(())
}

/// The folder that a path lies in; the current one for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_not_committed_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.gz");
        let mut file = PartFile::create(&path).unwrap();
        file.write(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_large_file_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.gz");
        let mut file = PartFile::create(&path).unwrap();
        let mut expected = Vec::new();
        for number in 0..30u8 {
            let bytes = vec![number; 1_000_003];
            file.write(&bytes).unwrap();
            expected.extend_from_slice(&bytes);
        }
        let (length, digest) = file.commit().unwrap();
        assert!(fs::read(&path).unwrap() == expected);
        assert_eq!(length, expected.len() as u64);
        assert_eq!(digest, hex::encode(&Sha256::digest(&expected)));
    }

    #[test]
    fn a_folder_that_is_gone_is_not_made_again_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("out");
        make_folders(folder.path(), Path::new("out/group_1/labels")).unwrap();
        make_folders(folder.path(), Path::new("out/group_1/labels")).unwrap();
        assert!(root.join("group_1/labels").is_dir());
        fs::remove_dir_all(&root).unwrap();
        let error = make_folders(&root, Path::new("group_1")).unwrap_err();
        assert!(error.to_string().contains("out/group_1: "), "{error}");
        let Err(error) = PartFile::create(&root.join("manifest.json")) else {
            panic!("its folder is not there");
        };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(
            error.to_string().contains("out/manifest.json.part: "),
            "{error}"
        );
        assert!(!root.exists());
    }

    #[test]
    fn a_name_is_given_once_on_every_file_system() {
        for way in NEW_NAMES {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("task.json");
            let put = |part: &str, bytes: &[u8]| {
                let mut file = PartFile::create_as(folder.path().join(part), &path).unwrap();
                file.write(bytes).unwrap();
                file.commit_new_by(&[way]).unwrap()
            };
            assert!(put("a", b"first"), "{way:?}");
            assert!(!put("b", b"second"), "{way:?}");
            assert_eq!(fs::read(&path).unwrap(), b"first", "{way:?}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{way:?}");
        }
    }

    #[test]
    fn a_link_whose_answer_was_lost_is_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.json");
        let file = PartFile::create_as(folder.path().join("a"), &path).unwrap();
        fs::hard_link(folder.path().join("a"), &path).unwrap();
        assert!(file.commit_new().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_committed_file_has_its_name_length_and_checksum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gz");
        let mut file = PartFile::create(&path).unwrap();
        file.write(b"ab").unwrap();
        file.write(b"c").unwrap();
        let (length, sha256) = file.commit().unwrap();
        assert_eq!(length, 3);
        // The example of FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
