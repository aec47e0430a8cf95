//! Relations of files: the archives that GitLab makes of a backup's files, batch by batch.
//!
//! Their rows are rendered like others, and say which files are meant: `gather` asks the backup for all of them. `packed`
//! finds and packs uploads and LFS objects; bundles of repositories are handed on here. `tar` writes the archives.

mod gather;
mod packed;
mod tar;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cut::Files;
use super::files::skipped_row;
use super::{BatchError, Batches};
use crate::export::files::{
    BundleOf, LfsRow, NamedRow, ProjectRow, RepositoryError, TarMember, UploadRow,
};
use crate::output::{Done, FileId, Message, MissingFile, Piece};
use crate::pipeline::{Archive, EntityId};
use crate::resolve::{Entry, RowStore};
use crate::snapshot::InnerArchive;

use packed::{LFS_OBJECTS, UPLOADS};

const PROJECTS: &str = "projects";

impl Batches<'_> {
    /// The archives of a relation of files of an entity.
    pub(super) fn archives(
        &mut self,
        store: &Arc<RowStore>,
        entity: usize,
        relation: usize,
        archive: Archive,
        entries: &[Entry],
    ) -> Result<(), BatchError> {
        let total = entries.len();
        let files = match self.batch_size(relation) {
            Some(size) => Files::Each(size),
            None => Files::One,
        };
        let lengths = files.lengths(total);
        // The open file is another relation's until all of its rows have come back.
        self.take_batches()?;
        self.begin_cut(entity, relation, total, files)?;
        let unread = &self.cut.unread;
        let done = Done {
            skipped_count: unread.count(),
            skipped_nested_count: unread.count() - unread.records,
            skipped: unread.described.iter().map(skipped_row).collect(),
            ..Done::default()
        };
        if total == 0 {
            return self.no_files(entity, relation, done);
        }
        if let Some(mut without) = self.without_archive(store, relation, archive, entries)? {
            without.append(done);
            return self.no_files(entity, relation, without);
        }
        self.tell_batches()?;
        let mut unread = Some(done);
        let mut rest = entries;
        for length in lengths {
            let file = self.cut.file();
            let (rows, behind) = rest.split_at(length);
            rest = behind;
            self.cut.given += length;
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(BatchError::Interrupted);
            }
            if self
                .finished
                .contains(&(file.entity, file.relation, file.batch))
            {
                self.tell_rendered(file, length as u64, 0);
                continue;
            }
            let unread = unread.take().unwrap_or_default();
            match archive {
                Archive::Uploads => {
                    let found = self.rows_of::<UploadRow>(store, relation, rows)?;
                    let found = found.map(|(rows, mut done)| {
                        done.append(unread);
                        self.sought_uploads(entity, &rows, done)
                    });
                    self.write_files(file, length as u64, found)?;
                }
                Archive::LfsObjects => {
                    let found = self.rows_of::<LfsRow>(store, relation, rows)?;
                    let found = found.and_then(|(rows, mut done)| {
                        done.append(unread);
                        self.sought_objects(entity, &rows, done)
                    });
                    self.write_files(file, length as u64, found)?;
                }
                Archive::Repository | Archive::Design => {
                    let found = self.rows_of::<ProjectRow>(store, relation, rows)?;
                    let found = found.map(|(rows, mut done)| {
                        done.append(unread);
                        (rows, done)
                    });
                    self.write_bundle(file, archive, found)?;
                }
            }
        }
        Ok(())
    }

    /// What was noted of the rows of a relation whose whole archive the backup does not have; `None` if it has it.
    fn without_archive(
        &mut self,
        store: &Arc<RowStore>,
        relation: usize,
        archive: Archive,
        entries: &[Entry],
    ) -> Result<Option<Done>, BatchError> {
        let (inner, table) = match archive {
            Archive::Uploads => (InnerArchive::Uploads, UPLOADS),
            Archive::LfsObjects => (InnerArchive::Lfs, LFS_OBJECTS),
            Archive::Repository | Archive::Design => return Ok(None),
        };
        let at_hand = self.at_hand.as_ref();
        if at_hand.is_none_or(|at_hand| !at_hand.is_absent(inner)) {
            return Ok(None);
        }
        let [member, _] = inner.members();
        let Ok((rows, mut done)) = self.rows_of::<NamedRow>(store, relation, entries)? else {
            // Rows that cannot be read fail the relation.
            return Ok(None);
        };
        for row in rows {
            done.notes.missing_files.note(MissingFile {
                table: table.to_owned(),
                key: Some(EntityId::Integer(row.id)),
                // What uploads of old versions are called begins with the path of their project.
                path: match self.redacted_paths.is_any() {
                    true => member.to_owned(),
                    false => format!("{member}: {}", row.name.unwrap_or_default()),
                },
            });
        }
        Ok(Some(done))
    }

    /// A relation of files that has none.
    pub(super) fn no_files(
        &mut self,
        entity: usize,
        relation: usize,
        done: Done,
    ) -> Result<(), BatchError> {
        self.send(Message::NoFiles {
            entity,
            relation,
            done: Box::new(done),
        })
    }

    /// The archive with a bundle.
    fn write_bundle(
        &mut self,
        file: FileId,
        archive: Archive,
        rows: Result<(Vec<ProjectRow>, Done), String>,
    ) -> Result<(), BatchError> {
        let (rows, mut done) = match rows {
            Ok(found) => found,
            Err(reason) => return self.fail_archive(file, 1, reason),
        };
        let (Some(row), Some(at_hand)) = (rows.into_iter().next(), self.at_hand.clone()) else {
            let reason = "the project's row was left out, so that its repository is not known";
            return self.fail_archive(file, 1, reason.to_owned());
        };
        let which = bundle_of(archive);
        let name = match which {
            BundleOf::Project => "./repository.bundle",
            BundleOf::Design => "./design.bundle",
        };
        if !self.sink.wants_content() {
            return match at_hand.bundle_size(row.id, which) {
                Ok(Some(size)) => self.count_archive(file, done, 1, size),
                Ok(None) => self.no_files(file.entity, file.relation, done),
                Err(error) => self.fail_archive(file, 1, error.to_string()),
            };
        }
        let bundle = match at_hand.bundle(row.id, which) {
            Ok(Some(bundle)) => bundle,
            Ok(None) => {
                if at_hand.may_be_lost(&row, which) {
                    done.notes.missing_files.note(MissingFile {
                        table: PROJECTS.to_owned(),
                        key: Some(EntityId::Integer(row.id)),
                        path: at_hand.repository_path(row.id, which),
                    });
                }
                return self.no_files(file.entity, file.relation, done);
            }
            Err(RepositoryError::Interrupted) => {
                return Err(BatchError::Interrupted);
            }
            Err(RepositoryError::Folder(error)) => return Err(BatchError::Temp(error)),
            Err(error) => return self.fail_archive(file, 1, error.to_string()),
        };
        let (size, content) = (bundle.size(), bundle.open());
        let mut content = match content {
            Ok(content) => content,
            Err(error) => return self.fail_archive(file, 1, error.to_string()),
        };
        let member = TarMember {
            name: name.to_owned(),
            size,
        };
        self.begin_tar(file)?;
        if let Err(reason) = self.try_member(file, &member, &mut content)? {
            return self.fail_archive(file, 1, reason);
        }
        self.end_tar(file, done)?;
        self.tell_rendered(file, 1, size);
        Ok(())
    }

    /// An archive fails.
    pub(super) fn fail_archive(
        &mut self,
        file: FileId,
        rows: u64,
        reason: String,
    ) -> Result<(), BatchError> {
        self.tell_rendered(file, rows, 0);
        self.fail_file(file, self.redacted_paths.told(reason))
    }

    pub(super) fn tell_rendered(&mut self, file: FileId, rows: u64, bytes: u64) {
        let name = &self.resolved.plan.relations[file.relation].name;
        self.observer.rendered(file.entity, name, rows, bytes);
    }

    /// Counts an archive in place of writing it.
    pub(super) fn count_archive(
        &mut self,
        file: FileId,
        done: Done,
        rows: u64,
        bytes: u64,
    ) -> Result<(), BatchError> {
        self.send(Message::Piece(file, Piece::counted(bytes)))?;
        self.send(Message::Done(file, Box::new(done)))?;
        self.tell_rendered(file, rows, bytes);
        Ok(())
    }
}

pub(super) fn bundle_of(archive: Archive) -> BundleOf {
    match archive {
        Archive::Design => BundleOf::Design,
        Archive::Repository | Archive::Uploads | Archive::LfsObjects => BundleOf::Project,
    }
}
