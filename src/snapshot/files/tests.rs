//! What a tar, a folder and a stream have in common is tested over all of them.

mod behind;
mod damage;
mod forms;
mod gnu_tar;

use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::snapshot::open_files;
use crate::snapshot::spec::Spec;

/// A name and its content.
type File<'a> = (&'a str, &'a [u8]);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A header of GNU's form, with a name in front of it if it is long.
fn header(kind: tar::EntryType, name: &str, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if name.len() > 100 {
        let long = format!("{name}\0");
        bytes = header(
            tar::EntryType::GNULongName,
            "././@LongLink",
            long.len() as u64,
        );
        bytes.extend(padded(long.as_bytes()));
    }
    let mut header = tar::Header::new_gnu();
    let start = &name.as_bytes()[..name.len().min(100)];
    // By hand, because the crate's setters drop a leading `./` and refuse `..`.
    header.as_old_mut().name[..start.len()].copy_from_slice(start);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o600);
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    bytes
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut padded = content.to_vec();
    padded.resize(content.len().next_multiple_of(512), 0);
    padded
}

/// A regular file's header and content.
fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(tar::EntryType::Regular, name, content.len() as u64);
    bytes.extend(padded(content));
    bytes
}

/// A tar of regular files, with its end.
fn tar(files: &[File]) -> Vec<u8> {
    let members = files.iter().map(|(name, content)| member(name, content));
    let mut bytes: Vec<u8> = members.flatten().collect();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// All of a file.
fn content(files: &dyn BackupFiles, name: &str) -> Vec<u8> {
    let size = files.size_of(name).unwrap().expect(name);
    read(files.open(name, 0..size).unwrap())
}

fn read(mut reader: Box<dyn Read + Send>) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Wants everything.
struct All;

impl Wanted for All {
    fn member(&self, _: &str) -> bool {
        true
    }

    fn inner(&self, _: InnerArchive, _: &str) -> bool {
        true
    }

    fn archives(&self) -> Vec<InnerArchive> {
        InnerArchive::ALL.to_vec()
    }
}

const DATABASE: File = ("db/database.sql.gz", b"not looked into");

/// A backup in one of the forms, in a folder that goes with it.
struct Put {
    folder: tempfile::TempDir,
    source: Box<dyn Fn() -> FileSource>,
}

impl Put {
    fn new(folder: tempfile::TempDir, path: PathBuf) -> Put {
        let spec = Spec::Path(path);
        let source = Box::new(move || open_files(&spec, None).unwrap());
        Put { folder, source }
    }

    fn gather(&self) -> Gathered {
        let never = AtomicBool::new(false);
        let temp = self.folder.path();
        (self.source)().gather(&All, temp, &never).unwrap()
    }
}

fn as_file(tar: &[u8]) -> Put {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1_gitlab_backup.tar");
    fs::write(&path, tar).unwrap();
    Put::new(folder, path)
}

fn as_pipe(tar: &[u8]) -> Put {
    let tar = tar.to_vec();
    Put {
        folder: tempfile::tempdir().unwrap(),
        source: Box::new(move || {
            let bytes = Box::new(Cursor::new(tar.clone()));
            FileSource::Behind(Behind::unread(bytes))
        }),
    }
}

/// A tar in every form that a tar has.
fn tars(tar: &[u8]) -> [(&'static str, Put); 3] {
    [
        ("tar", as_file(tar)),
        ("compressed tar", as_file(&gzip(tar))),
        ("pipe", as_pipe(tar)),
    ]
}

fn as_folder(files: &[File]) -> Put {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files.iter().filter(|(name, _)| !name.ends_with('/')) {
        let path = folder.path().join(name.trim_start_matches("./"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let path = folder.path().to_owned();
    Put::new(folder, path)
}

/// The same files in every form.
fn forms(files: &[File]) -> Vec<(&'static str, Put)> {
    let mut forms = vec![("folder", as_folder(files))];
    forms.extend(tars(&tar(files)));
    forms
}

/// What a lookup says of a name.
fn said(gathered: &Gathered, name: &str) -> String {
    match gathered.files().unwrap().size_of(name) {
        Ok(size) => format!("{size:?}"),
        Err(error) => error.to_string(),
    }
}
