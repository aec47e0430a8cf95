//! The files of an archive of uploads or LFS objects: found in the backup, held against their checksums, and packed.

use std::collections::HashSet;
use std::io::{self, Read};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::export::batches::{BatchError, Batches};
use crate::export::files::{AtHand, LfsRow, TarMember, UploadRow, lfs_archive, upload_member};
use crate::hex;
use crate::output::{DamagedFile, Done, FileId, MissingFile, SkippedRow};
use crate::pipeline::EntityId;
use crate::snapshot::InnerArchive;

/// Tables whose rows name files.
pub(super) const UPLOADS: &str = "uploads";
pub(super) const LFS_OBJECTS: &str = "lfs_objects";

/// A member of an archive, and where its content is.
enum Content {
    /// In an archive of the backup, by this path.
    Inner(InnerArchive, String),
    Bytes(Vec<u8>),
}

/// What an archive will hold.
pub(super) struct Contents {
    members: Vec<(TarMember, Content)>,
    /// What the manifest will say of it.
    done: Done,
}

/// A file that a row names, and where it may lie.
pub(super) struct Sought {
    table: &'static str,
    key: i64,
    name: String,
    archive: InnerArchive,
    paths: Vec<String>,
    /// Bytes, as the row says; a number below zero is that of no file.
    size: Option<i64>,
    /// SHA-256 of the content.
    checksum: Option<String>,
    /// Content of another checksum is left out.
    must_match: bool,
}

/// Where a file is, with its bytes, if it is there, and whether its checksum is right.
type Checked = (Option<(String, u64)>, bool);

impl Batches<'_> {
    pub(super) fn sought_uploads(
        &self,
        entity: usize,
        rows: &[UploadRow],
        done: Done,
    ) -> (Vec<Sought>, Contents) {
        let full_path = &self.resolved.entities[entity].full_path;
        let mut contents = Contents {
            members: Vec::new(),
            done,
        };
        let mut sought = Vec::new();
        for row in rows {
            match upload_member(row, full_path) {
                Ok(member) => sought.push(Sought {
                    table: UPLOADS,
                    key: row.id,
                    name: member.name,
                    archive: InnerArchive::Uploads,
                    paths: member.paths,
                    size: row.size,
                    checksum: row.checksum.clone().filter(|it| !it.is_empty()),
                    must_match: false,
                }),
                Err(reason) => contents.done.notes.damaged_files.note(DamagedFile {
                    table: UPLOADS.to_owned(),
                    key: Some(EntityId::Integer(row.id)),
                    path: match self.redacted_paths.is_any() {
                        true => String::new(),
                        false => row.path.clone().unwrap_or_default(),
                    },
                    reason: reason.to_owned(),
                    is_written: false,
                }),
            }
        }
        (sought, contents)
    }

    pub(super) fn sought_objects(
        &self,
        entity: usize,
        rows: &[LfsRow],
        done: Done,
    ) -> Result<(Vec<Sought>, Contents), String> {
        let EntityId::Integer(project) = self.resolved.entities[entity].id else {
            return Err("the project's key is no number".to_owned());
        };
        let archive = lfs_archive(rows, project);
        let (name, map) = archive.map;
        let size = map.len() as u64;
        let map = (TarMember { name, size }, Content::Bytes(map.into_bytes()));
        let mut contents = Contents {
            members: vec![map],
            done,
        };
        let mut sought = Vec::new();
        for (object, row) in archive.objects.into_iter().zip(rows) {
            match object {
                Some((name, path)) => sought.push(Sought {
                    table: LFS_OBJECTS,
                    key: row.id,
                    name,
                    archive: InnerArchive::Lfs,
                    paths: vec![path],
                    size: row.size,
                    checksum: Some(row.oid.clone()),
                    must_match: true,
                }),
                // No file can have it for its name.
                None => contents.done.notes.damaged_files.note(DamagedFile {
                    table: LFS_OBJECTS.to_owned(),
                    key: Some(EntityId::Integer(row.id)),
                    path: String::new(),
                    reason: "its oid is no SHA-256 in hexadecimal digits".to_owned(),
                    is_written: false,
                }),
            }
        }
        Ok((sought, contents))
    }

    /// Writes a file with what was sought, in its order, and behind it what is in the contents already.
    pub(super) fn write_files(
        &mut self,
        file: FileId,
        rows: u64,
        found: Result<(Vec<Sought>, Contents), String>,
    ) -> Result<(), BatchError> {
        let (sought, mut contents) = match found {
            Ok(found) => found,
            Err(reason) => return self.fail_archive(file, rows, reason),
        };
        if !self.sink.wants_content() {
            let sizes = sought.iter().filter_map(|it| u64::try_from(it.size?).ok());
            let bytes = sizes.sum();
            return self.count_archive(file, contents.done, rows, bytes);
        }
        let behind = std::mem::take(&mut contents.members);
        if let Err(reason) = self.find(sought, &mut contents)? {
            return self.fail_archive(file, rows, reason);
        }
        contents.members.extend(behind);
        self.write_archive(file, rows, contents)
    }

    /// Finds the files, and compares their checksums; the inner error is why it is not known which are there.
    fn find(
        &mut self,
        sought: Vec<Sought>,
        contents: &mut Contents,
    ) -> Result<Result<(), String>, BatchError> {
        let Some(at_hand) = self.at_hand.clone() else {
            return Ok(Err("the backup's files were not read".to_owned()));
        };
        let place = |sought: &Sought| {
            let mut paths = sought.paths.iter();
            paths.find_map(|path| Some((path.clone(), at_hand.inner_size(sought.archive, path)?)))
        };
        let checked: Vec<io::Result<Checked>> = self.pool.install(|| {
            let sought = sought.par_iter();
            sought
                .map(|sought| {
                    let Some((path, size)) = place(sought) else {
                        return Ok((None, true));
                    };
                    let is_right = match &sought.checksum {
                        Some(checksum) => {
                            let found = sha256(&at_hand, sought.archive, &path)?;
                            found.eq_ignore_ascii_case(checksum)
                        }
                        // GitLab has none of large files, and of old ones.
                        None => sought
                            .size
                            .is_none_or(|of_row| u64::try_from(of_row) == Ok(size)),
                    };
                    Ok((Some((path, size)), is_right))
                })
                .collect()
        });
        let mut names = HashSet::new();
        for (sought, checked) in sought.into_iter().zip(checked) {
            let (found, is_right) = checked.map_err(BatchError::Temp)?;
            // Of a damaged archive only what has a checksum is known to be what it was.
            let is_sure = found.is_some() && sought.checksum.is_some();
            if !is_sure
                && !self.options.keep_going
                && let Some(damage) = at_hand.damage(sought.archive)
            {
                return Ok(Err(format!(
                    "table {}, primary key {}: {damage}",
                    sought.table, sought.key
                )));
            }
            let Some((path, size)) = found else {
                // What the archive lost may have been there: under `keep_going`, which is asked for above, it is left out.
                if let Some(damage) = at_hand.damage(sought.archive) {
                    contents.done.leave_out(SkippedRow {
                        table: sought.table.to_owned(),
                        key: Some(EntityId::Integer(sought.key)),
                        column: None,
                        reason: damage,
                    });
                    continue;
                }
                let likeliest = sought.paths.first();
                let path = likeliest.map(|path| self.told_path(&sought, path));
                contents.done.notes.missing_files.note(MissingFile {
                    table: sought.table.to_owned(),
                    key: Some(EntityId::Integer(sought.key)),
                    path: path.unwrap_or_default(),
                });
                continue;
            };
            let is_new = names.insert(sought.name.clone());
            let reason = match (is_right, is_new) {
                (true, true) => None,
                (false, _) if sought.checksum.is_none() => {
                    Some("its size is another one than its row says")
                }
                (false, _) => Some("its SHA-256 is another one than its row says"),
                (true, false) => Some("another row has a file of the same name"),
            };
            let is_written = is_new && (is_right || !sought.must_match);
            if let Some(reason) = reason {
                contents.done.notes.damaged_files.note(DamagedFile {
                    table: sought.table.to_owned(),
                    key: Some(EntityId::Integer(sought.key)),
                    path: self.told_path(&sought, &path),
                    reason: reason.to_owned(),
                    is_written,
                });
            }
            if is_written {
                let member = TarMember {
                    name: sought.name,
                    size,
                };
                let content = Content::Inner(sought.archive, path);
                contents.members.push((member, content));
            }
        }
        Ok(Ok(()))
    }

    /// A file's path in the backup, which may begin with that of its project; where such paths are redacted, the file's name in
    /// the archive.
    fn told_path(&self, sought: &Sought, path: &str) -> String {
        match self.redacted_paths.is_any() {
            true => sought.name.clone(),
            false => path.to_owned(),
        }
    }

    /// Writes an archive's members, of so many rows.
    fn write_archive(
        &mut self,
        file: FileId,
        rows: u64,
        contents: Contents,
    ) -> Result<(), BatchError> {
        let Contents { members, done } = contents;
        let mut bytes = 0;
        self.begin_tar(file)?;
        for (member, content) in members {
            bytes += member.size;
            match content {
                Content::Bytes(content) => {
                    self.member(file, &member, &mut content.as_slice())?;
                }
                Content::Inner(archive, path) => {
                    let at_hand = self.at_hand.as_ref();
                    let opened = at_hand.map(|at_hand| at_hand.open_inner(archive, &path));
                    let opened = opened.transpose().map_err(BatchError::Temp)?.flatten();
                    let mut opened = opened.ok_or_else(gone)?;
                    self.member(file, &member, &mut opened)?;
                }
            }
        }
        self.end_tar(file, done)?;
        self.tell_rendered(file, rows, bytes);
        Ok(())
    }
}

/// A file that was in the temp folder, and is no more.
fn gone() -> BatchError {
    BatchError::Temp(io::Error::other(
        "a file of the backup that was kept is gone",
    ))
}

/// The SHA-256 of a file, in lower-case hexadecimal digits.
fn sha256(at_hand: &AtHand, archive: InnerArchive, path: &str) -> io::Result<String> {
    let mut sha256 = Sha256::new();
    let opened = at_hand.open_inner(archive, path)?;
    let mut opened = opened.ok_or_else(|| io::Error::other("a file that was kept is gone"))?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match opened.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(&sha256.finalize())),
            Ok(count) => sha256.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
