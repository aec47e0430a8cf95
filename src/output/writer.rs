//! The writing thread: takes compressed pieces in order, makes files of them, and keeps the manifest true.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::anchor::Anchor;
use super::atomic::{self, PartFile};
use super::gzip::{self, Piece};
use super::layout;
use super::manifest::{
    self, BatchEntry, BatchStatus, EntityEntry, FileEntry, Manifest, RelationEntry, ResumeEntry,
    SkippedRow, Status,
};
use super::now;
use crate::io_error::at;
use crate::timings::{self, Phase, Timings};

/// Pieces on their way to the disk.
const PIECES: usize = 8;
/// While the run goes on the manifest is written at most this often.
const MANIFEST_EVERY: Duration = Duration::from_millis(250);
/// Rows left out that a relation's entry describes; the others are only counted.
const DESCRIBED: usize = 1000;

/// Names a file of the export by its place in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    /// Position in [`Manifest::entities`].
    pub entity: usize,
    /// Position in [`EntityEntry::relations`].
    pub relation: usize,
    /// Number of the batch, from 1; `None` for a relation's only file.
    pub batch: Option<u32>,
    /// One JSON object rather than NDJSON.
    pub json: bool,
}

/// What the writing thread is told. Messages about one file come together and in order.
#[derive(Debug)]
pub enum Message {
    /// Facts that are known only when the snapshot has been read.
    Known(Box<Known>),
    /// A relation will be cut into this many batches. Those that its entry says are finished stay so.
    Batches {
        entity: usize,
        relation: usize,
        count: u32,
    },
    /// More of a file's content.
    Piece(FileId, Piece),
    /// The file's content has ended.
    Done(FileId, Done),
    /// The file will not be finished.
    Failed(FileId, String),
    /// A relation fails as a whole, before any file of it.
    RelationFailed {
        entity: usize,
        relation: usize,
        error: String,
    },
    /// Everything has been said. Where this does not come, the run ended early.
    End,
}

/// Facts that are known only when the snapshot has been read.
#[derive(Debug)]
pub struct Known {
    pub entities: Vec<EntityEntry>,
    pub server_version: Option<String>,
    pub gitlab_version: Option<String>,
    pub taken_at: Option<String>,
    pub lsn: Option<String>,
    pub warnings: Vec<String>,
    /// Tables without data that were taken as empty.
    pub missing_tables: u64,
    /// Name and content of the file that describes the whole export.
    pub metadata: Vec<u8>,
    /// Why the whole export is not to be relied on, though single relations are.
    pub error: Option<String>,
}

/// How a file ended.
#[derive(Debug, Default)]
pub struct Done {
    pub objects: u64,
    pub skipped: Vec<SkippedRow>,
    pub skipped_count: u64,
}

/// A running writing thread.
pub struct Writer {
    messages: Option<Sender<Message>>,
    thread: Option<std::thread::JoinHandle<io::Result<Manifest>>>,
}

impl Writer {
    /// Writes the first manifest and starts the thread.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn start(folder: &Path, manifest: Manifest) -> io::Result<Writer> {
        let (messages, received) = bounded(PIECES);
        let mut state = State {
            folder: folder.to_owned(),
            anchor: Anchor::new(folder).map_err(at(folder))?,
            resume: manifest.resume.clone(),
            manifest,
            is_whole: false,
            open: None,
            written: Instant::now(),
            timings: timings::current(),
        };
        state.write_manifest()?;
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || state.run(&received))
            .map_err(|error| {
                io::Error::new(error.kind(), format!("cannot start a thread: {error}"))
            })?;
        Ok(Writer {
            messages: Some(messages),
            thread: Some(thread),
        })
    }

    /// Hands over a message; waits while the disk is behind.
    ///
    /// # Errors
    /// What the thread met: then nothing more will be written.
    pub fn send(&mut self, message: Message) -> io::Result<()> {
        let sent = self
            .messages
            .as_ref()
            .map(|messages| timings::waiting(|| messages.send(message)));
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(self
                .join()
                .err()
                .unwrap_or_else(|| io::Error::other("the writer has ended"))),
        }
    }

    /// The run has come to its end. Returns the manifest as it was written.
    ///
    /// # Errors
    /// What the thread met.
    pub fn finish(mut self) -> io::Result<Manifest> {
        self.send(Message::End)?;
        self.join()
    }

    /// The run ends early: what is not finished by now has failed, and the manifest, if it can still be written, says
    /// so without a time at which the export finished.
    pub fn abandon(mut self) {
        if let Err(error) = self.join() {
            tracing::debug!("the last manifest is not written: {error}");
        }
    }

    fn join(&mut self) -> io::Result<Manifest> {
        self.messages = None;
        match self.thread.take() {
            Some(thread) => timings::waiting(|| thread.join())
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => Err(io::Error::other("the writer has ended")),
        }
    }
}

/// A file that is being written.
struct Open {
    id: FileId,
    file: PartFile,
    name: String,
    crc: crc32fast::Hasher,
    length: u64,
}

struct State {
    folder: PathBuf,
    /// Of `folder`.
    anchor: Anchor,
    /// What another run needs to go on, should this one not end well.
    resume: Option<ResumeEntry>,
    manifest: Manifest,
    open: Option<Open>,
    written: Instant,
    /// Of the run that is written.
    timings: Option<Arc<Timings>>,
    /// Everything has been said.
    is_whole: bool,
}

impl State {
    fn run(mut self, messages: &Receiver<Message>) -> io::Result<Manifest> {
        let _work = timings::work(self.timings.as_ref(), Phase::Write);
        let messages = std::iter::from_fn(|| timings::waiting(|| messages.recv()).ok());
        let mut messages = messages;
        let taken = messages.try_for_each(|message| {
            let changed = self.take(message)?;
            if changed && self.written.elapsed() >= MANIFEST_EVERY {
                self.write_manifest()?;
            }
            Ok(())
        });
        // The file that did not get its end is removed, which may be the room that the manifest needs.
        self.open = None;
        let checked = match self.is_whole {
            true => self.check_files(),
            false => Ok(()),
        };
        self.is_whole &= checked.is_ok();
        self.end();
        let written = self.write_manifest();
        if let Err(error) = &written {
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.make_room(),
                _ => self.take_back(),
            }
        }
        taken.and(checked).and(written)?;
        Ok(self.manifest)
    }

    /// Makes sure, before anything is called finished, that what was written is still there.
    fn check_files(&self) -> io::Result<()> {
        let entities = self.manifest.entities.iter();
        for file in entities
            .flat_map(|entity| &entity.relations)
            .flat_map(RelationEntry::files)
        {
            let path = self.folder.join(&file.file);
            let found = std::fs::symlink_metadata(&path).map_err(at(&path))?;
            if !found.is_file() || found.len() != file.bytes {
                return Err(io::Error::other(format!(
                    "{}: the file was changed after it was written",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// The last manifest may not last, though it may be seen: it must not call finished what another run has to go
    /// on with.
    fn take_back(&mut self) {
        self.manifest.finished_at = None;
        if self.manifest.status == Status::Finished {
            self.manifest.status = Status::Failed;
            self.manifest.resume = self.resume.take();
        }
        if let Err(error) = self.write_manifest() {
            // The first error is the one to tell.
            tracing::debug!("the manifest cannot be taken back: {error}");
        }
    }

    /// No room is left for the manifest, without which no finished file can be gone on with: the last ones are given
    /// up for it, twice as many each time.
    fn make_room(&mut self) {
        self.is_whole = false;
        if self.manifest.resume.is_none() {
            self.manifest.resume = self.resume.take();
        }
        let mut given_up = 0;
        for step in 0.. {
            let mut wanted = 1_usize << step;
            for entity in self.manifest.entities.iter_mut().rev() {
                for entry in entity.relations.iter_mut().rev() {
                    let gone = give_up(&self.folder, entry, wanted);
                    wanted -= gone;
                    given_up += gone;
                }
            }
            self.end();
            match self.write_manifest() {
                Ok(()) => {
                    tracing::warn!(
                        "no room for the manifest: {given_up} finished files were given up for it"
                    );
                    return;
                }
                // There was none left. The first error is the one to tell.
                Err(error) if wanted > 0 => {
                    tracing::debug!("no manifest can be written: {error}");
                    return;
                }
                Err(_) => {}
            }
        }
    }

    /// Takes a message; true where it changed the manifest.
    fn take(&mut self, message: Message) -> io::Result<bool> {
        match message {
            Message::Known(known) => {
                self.anchor.check()?;
                let metadata = gzip::compress(&known.metadata, gzip::GzipLevel::default());
                atomic::replace(&self.folder.join(layout::METADATA), &metadata)?;
                self.manifest.entities = known.entities;
                self.manifest.snapshot.server_version = known.server_version;
                self.manifest.snapshot.gitlab_version = known.gitlab_version;
                self.manifest.snapshot.taken_at = known.taken_at;
                self.manifest.snapshot.lsn = known.lsn;
                self.manifest.warnings = known.warnings;
                self.manifest.missing_tables = known.missing_tables;
                self.manifest.error = known.error;
                self.write_manifest()?;
            }
            Message::Batches {
                entity,
                relation,
                count,
            } => {
                let at = now();
                let entry = self.relation(entity, relation);
                entry.batches_count = count;
                let kept = entry.batches.take().unwrap_or_default();
                let mut kept: BTreeMap<u32, BatchEntry> = kept
                    .into_iter()
                    .map(|batch| (batch.batch_number, batch))
                    .collect();
                let created = |batch_number| BatchEntry {
                    status: BatchStatus::Created,
                    batch_number,
                    objects_count: 0,
                    error: None,
                    updated_at: at.clone(),
                    file: None,
                };
                let batches = (1..=count)
                    .map(|number| kept.remove(&number).unwrap_or_else(|| created(number)));
                entry.batches = Some(batches.collect());
                settle_batches(entry);
            }
            Message::End => self.is_whole = true,
            Message::Piece(id, piece) => return self.piece(id, &piece),
            Message::Done(id, done) => self.done(id, done)?,
            Message::Failed(id, error) => {
                self.open = None;
                self.failed(id, error);
            }
            Message::RelationFailed {
                entity,
                relation,
                error,
            } => {
                let entry = self.relation(entity, relation);
                entry.status = Status::Failed;
                entry.error = Some(error);
                entry.updated_at = now();
            }
        }
        Ok(true)
    }

    fn relation(&mut self, entity: usize, relation: usize) -> &mut RelationEntry {
        &mut self.manifest.entities[entity].relations[relation]
    }

    fn batch(&mut self, id: FileId) -> Option<&mut BatchEntry> {
        let number = id.batch?;
        self.relation(id.entity, id.relation)
            .batches
            .as_mut()?
            .get_mut(number as usize - 1)
    }

    fn piece(&mut self, id: FileId, piece: &Piece) -> io::Result<bool> {
        let mut changed = false;
        let open = match self.open.take().filter(|open| open.id == id) {
            Some(open) => open,
            None => {
                changed = true;
                let entity = &self.manifest.entities[id.entity];
                let name = layout::file(
                    &entity.prefix,
                    &entity.relations[id.relation].relation,
                    id.json,
                    id.batch,
                );
                self.anchor.check()?;
                if let Some(folder) = Path::new(&name).parent() {
                    atomic::make_folders(&self.folder, folder)?;
                }
                let mut file = PartFile::create(&self.folder.join(&name))?;
                file.write(&gzip::HEADER)?;
                if let Some(batch) = self.batch(id) {
                    batch.status = BatchStatus::Started;
                    batch.updated_at = now();
                }
                Open {
                    id,
                    file,
                    name,
                    crc: crc32fast::Hasher::new(),
                    length: 0,
                }
            }
        };
        let open = self.open.insert(open);
        open.file.write(&piece.deflated)?;
        open.crc.combine(&piece.crc);
        open.length += piece.length;
        Ok(changed)
    }

    fn done(&mut self, id: FileId, done: Done) -> io::Result<()> {
        let Some(mut open) = self.open.take().filter(|open| open.id == id) else {
            return Err(io::Error::other("a file ended that was not begun"));
        };
        open.file
            .write(&gzip::trailer(open.crc.finalize(), open.length))?;
        self.anchor.check()?;
        let (bytes, sha256) = open.file.commit()?;
        let file = FileEntry {
            file: open.name,
            bytes,
            sha256,
        };
        let at = now();
        let entry = self.relation(id.entity, id.relation);
        entry.updated_at.clone_from(&at);
        entry.total_objects_count += done.objects;
        entry.skipped_count += done.skipped_count;
        let room = DESCRIBED.saturating_sub(entry.skipped.len());
        entry.skipped.extend(done.skipped.into_iter().take(room));
        match self.batch(id) {
            Some(batch) => {
                batch.status = BatchStatus::Finished;
                batch.objects_count = done.objects;
                batch.updated_at = at;
                batch.file = Some(file);
                settle_batches(self.relation(id.entity, id.relation));
            }
            None => {
                let entry = self.relation(id.entity, id.relation);
                entry.status = Status::Finished;
                entry.file = Some(file);
            }
        }
        Ok(())
    }

    fn failed(&mut self, id: FileId, error: String) {
        let at = now();
        match self.batch(id) {
            Some(batch) => {
                batch.status = BatchStatus::Failed;
                batch.error = Some(error.clone());
                batch.updated_at.clone_from(&at);
                let entry = self.relation(id.entity, id.relation);
                entry.error.get_or_insert(error);
                entry.updated_at = at;
                settle_batches(entry);
            }
            None => {
                let entry = self.relation(id.entity, id.relation);
                entry.status = Status::Failed;
                entry.error = Some(error);
                entry.updated_at = at;
            }
        }
    }

    /// The run is over: what has not ended by now never will.
    fn end(&mut self) {
        let at = now();
        let mut all_finished =
            self.is_whole && self.manifest.error.is_none() && !self.manifest.entities.is_empty();
        for entry in self
            .manifest
            .entities
            .iter_mut()
            .flat_map(|entity| &mut entity.relations)
        {
            if entry.status == Status::Started {
                entry.status = Status::Failed;
                entry
                    .error
                    .get_or_insert_with(|| "the export ended before this relation".to_owned());
                entry.updated_at.clone_from(&at);
                for batch in entry.batches.iter_mut().flatten() {
                    if matches!(batch.status, BatchStatus::Created | BatchStatus::Started) {
                        batch.status = BatchStatus::Failed;
                        batch
                            .error
                            .get_or_insert_with(|| "the export ended before this batch".to_owned());
                    }
                }
            }
            all_finished &= entry.status == Status::Finished;
        }
        self.manifest.status = if all_finished {
            Status::Finished
        } else {
            Status::Failed
        };
        if all_finished {
            self.manifest.resume = None;
        }
        self.manifest.finished_at = self.is_whole.then_some(at);
        self.manifest.timings = self.timings.as_ref().map(|timings| timings.so_far());
    }

    fn write_manifest(&mut self) -> io::Result<()> {
        self.anchor.check()?;
        manifest::write(&self.folder, &self.manifest)?;
        self.written = Instant::now();
        Ok(())
    }
}

/// Removes up to `most` files of a relation, the last ones first, and takes back what its entry says of them. Returns
/// how many.
fn give_up(folder: &Path, entry: &mut RelationEntry, most: usize) -> usize {
    let batches = entry.batches.iter_mut().flatten().rev();
    let mut given_up = 0;
    let mut remove = |file: &mut Option<FileEntry>| {
        let Some(gone) = file.take_if(|_| given_up < most) else {
            return false;
        };
        given_up += 1;
        if let Err(error) = std::fs::remove_file(folder.join(&gone.file)) {
            tracing::debug!("cannot give {} up: {error}", gone.file);
        }
        true
    };
    for batch in batches {
        if remove(&mut batch.file) {
            batch.status = BatchStatus::Started;
            entry.total_objects_count -= batch.objects_count;
            batch.objects_count = 0;
        }
    }
    if remove(&mut entry.file) {
        entry.total_objects_count = 0;
    }
    if given_up > 0 {
        // Ends as everything that was not finished.
        entry.status = Status::Started;
    }
    given_up
}

/// A relation ends when its last batch has.
fn settle_batches(entry: &mut RelationEntry) {
    let batches = entry.batches.as_deref().unwrap_or_default();
    let ended =
        |batch: &BatchEntry| matches!(batch.status, BatchStatus::Finished | BatchStatus::Failed);
    if batches.is_empty() || !batches.iter().all(ended) {
        return;
    }
    let failed = batches
        .iter()
        .any(|batch| batch.status == BatchStatus::Failed);
    entry.status = if failed {
        Status::Failed
    } else {
        Status::Finished
    };
}
