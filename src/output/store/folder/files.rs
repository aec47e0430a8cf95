//! The files of a store's folder, by their names.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::OFlags;

use super::anchor::Anchor;
use super::atomic::{PartFile, make_folders, part_of};
use super::lock::INSIDE;
use crate::io_error::at;
use crate::output::layout;
use crate::output::manifest;
use crate::output::store::claim::{NewFile, Written};
use crate::output::store::contents::{Listed, NoFile, StoredFile};

/// The path of a file. The name may be from anywhere, so each part of it must be the plain name of a file.
pub(super) fn path(root: &Path, name: &str) -> io::Result<PathBuf> {
    match name.split('/').all(layout::is_name) {
        true => Ok(root.join(name)),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name:?} is no name of a file in an export"),
        )),
    }
}

pub(super) fn shown(root: &Path, name: &str) -> String {
    match name.is_empty() {
        true => root.display().to_string(),
        false => root.join(name).display().to_string(),
    }
}

/// Opens a file. A link is not followed, since what the program wrote is none; only the manifest may be one, for people who
/// keep manifests elsewhere.
pub(super) fn read(root: &Path, name: &str) -> io::Result<Arc<dyn StoredFile>> {
    let path = path(root, name)?;
    let (found, flags) = match name == manifest::FILE_NAME {
        true => (fs::metadata(&path)?, OFlags::empty()),
        false => (fs::symlink_metadata(&path)?, OFlags::NOFOLLOW),
    };
    // A pipe would wait for a writer, so it must not even be opened.
    if !found.is_file() {
        return Err(NoFile.into());
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let found = file.metadata()?;
    Ok(Arc::new(FolderFile {
        length: found.len(),
        modified: found.modified(),
        file,
    }))
}

pub(super) fn length(root: &Path, name: &str) -> io::Result<u64> {
    let found = fs::symlink_metadata(path(root, name)?)?;
    match found.is_file() {
        true => Ok(found.len()),
        false => Err(NoFile.into()),
    }
}

pub(super) fn list(root: &Path, folder: &str) -> io::Result<Vec<Listed>> {
    let path = match folder.is_empty() {
        true => root.to_owned(),
        false => path(root, folder)?,
    };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        // The store's own: a run that was killed may have left its lock, and a commit its plan.
        if folder.is_empty() && (name == INSIDE || name == layout::PLAN_FOLDER) {
            continue;
        }
        listed.push(Listed {
            name: name.to_string_lossy().into_owned(),
            is_folder: entry.file_type()?.is_dir(),
        });
    }
    Ok(listed)
}

/// Begins a file in a folder that is held; the folders above the file are made.
pub(super) fn write(root: &Path, name: &str, anchor: &Arc<Anchor>) -> io::Result<Box<dyn NewFile>> {
    let path = path(root, name)?;
    anchor.check()?;
    if let Some(folder) = Path::new(name).parent() {
        make_folders(root, folder)?;
    }
    Ok(Box::new(NewFolderFile {
        part: PartFile::create(&path)?,
        anchor: Arc::clone(anchor),
    }))
}

pub(super) fn remove(root: &Path, name: &str) -> io::Result<()> {
    let path = path(root, name)?;
    fs::remove_file(&path).map_err(at(&path))
}

/// Removes the files of these folders that are not kept, and the halves of files that stand directly in the root.
pub(super) fn sweep(
    root: &Path,
    folders: &[String],
    keep: &dyn Fn(&str) -> bool,
) -> io::Result<()> {
    for folder in folders {
        sweep_folder(&path(root, folder)?, folder, keep)?;
    }
    let own = [
        layout::METADATA,
        layout::SEALED_METADATA,
        manifest::FILE_NAME,
    ];
    for name in own {
        match fs::remove_file(part_of(&root.join(name))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn sweep_folder(folder: &Path, name: &str, keep: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let below = entry.file_name();
        // A name that is not UTF-8 is none of this program.
        let below = below.to_str().map(|below| format!("{name}/{below}"));
        // A link is removed, never followed.
        if entry.file_type()?.is_dir() {
            sweep_folder(&entry.path(), below.as_deref().unwrap_or_default(), keep)?;
        } else if !below.as_deref().is_some_and(keep) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A file that is open for reading.
struct FolderFile {
    file: File,
    length: u64,
    modified: io::Result<SystemTime>,
}

impl StoredFile for FolderFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn modified(&self) -> io::Result<SystemTime> {
        match &self.modified {
            Ok(modified) => Ok(*modified),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }
}

/// A file that is being written.
struct NewFolderFile {
    part: PartFile,
    anchor: Arc<Anchor>,
}

impl NewFile for NewFolderFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.part.write(bytes)
    }

    fn commit(self: Box<Self>) -> io::Result<Written> {
        self.anchor.check()?;
        let (bytes, sha256) = self.part.commit()?;
        Ok(Written { bytes, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::store::contents::is_no_file;

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("out");
        fs::create_dir(&root).unwrap();
        fs::write(temp.path().join("thesis.txt"), "years of work").unwrap();
        for name in [
            "../thesis.txt",
            "/etc/passwd",
            ".",
            "",
            "a//b",
            "a/../../thesis.txt",
        ] {
            let refused = |error: io::Error| error.kind() == io::ErrorKind::InvalidInput;
            assert!(read(&root, name).err().is_some_and(refused), "{name:?}");
            assert!(length(&root, name).err().is_some_and(refused), "{name:?}");
            assert!(remove(&root, name).err().is_some_and(refused), "{name:?}");
        }
        assert!(list(&root, "..").is_err());
        assert!(temp.path().join("thesis.txt").exists());
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("file"), "abc").unwrap();
        fs::create_dir(temp.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("file", temp.path().join("link")).unwrap();
        for name in ["folder", "link"] {
            let error = read(temp.path(), name).err().unwrap();
            assert!(is_no_file(&error), "{name}: {error}");
            assert!(is_no_file(&length(temp.path(), name).unwrap_err()));
        }
        let missing = read(temp.path(), "missing").err().unwrap();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert_eq!(length(temp.path(), "file").unwrap(), 3);
    }

    #[test]
    fn a_manifest_that_is_kept_elsewhere_is_read() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("out");
        fs::create_dir(&root).unwrap();
        let link = root.join(manifest::FILE_NAME);
        std::os::unix::fs::symlink("../elsewhere", &link).unwrap();
        let missing = read(&root, manifest::FILE_NAME).err().unwrap();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        fs::write(temp.path().join("elsewhere"), "abc").unwrap();
        assert_eq!(read(&root, manifest::FILE_NAME).unwrap().length(), 3);
        fs::remove_file(temp.path().join("elsewhere")).unwrap();
        fs::create_dir(temp.path().join("elsewhere")).unwrap();
        assert!(is_no_file(&read(&root, manifest::FILE_NAME).err().unwrap()));
    }

    #[test]
    fn an_open_file_is_read_in_parts_and_after_it_was_removed() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("file"), "0123456789").unwrap();
        let file = read(temp.path(), "file").unwrap();
        remove(temp.path(), "file").unwrap();
        let mut part = [0; 4];
        file.read_exact_at(&mut part, 3).unwrap();
        assert_eq!(&part, b"3456");
        let error = file.read_exact_at(&mut part, 7).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
