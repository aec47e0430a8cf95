//! The writing thread: takes compressed pieces in order, makes files of them, and writes down what the ledger says.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::encryption::Recipients;
use super::gzip::{self, Piece};
use super::judge::Judge;
use super::ledger::{Done, FileId, Ledger, ReadFacts};
use super::manifest::{self, FileEntry, Manifest};
use super::metadata::metadata_file;
use super::noted::DanglingReference;
use super::now::now;
use super::store::{Files, NewFile, Written, is_no_file};
use crate::io_error::at;
use crate::timings::{self, Phase, Timings};

/// Pieces on their way to the store.
const PIECES: usize = 8;

/// While the run goes on the manifest is written at most this often. Tests look at every state of it.
const MANIFEST_EVERY: Duration = match cfg!(test) {
    true => Duration::ZERO,
    false => Duration::from_millis(250),
};

/// How many times longer than writing the manifest took the next time is waited for: with thousands of entities it has many
/// megabytes.
const MANIFEST_PAUSE: u32 = match cfg!(test) {
    true => 0,
    false => 10,
};

/// What the writing thread is told. Messages about one file come together and in order.
#[derive(Debug)]
pub enum Message {
    /// The snapshot has been read, and this is the content of the file that describes the whole export; `None` of a share,
    /// which is described with the others.
    Read {
        facts: Box<ReadFacts>,
        metadata: Option<Vec<u8>>,
    },
    /// A relation of an entity has this many rows in the snapshot.
    Rows {
        entity: usize,
        relation: usize,
        count: u64,
    },
    /// A relation will be cut into this many batches, of which those at its own positions are made here. Those that its entry
    /// says are finished stay so.
    Batches {
        entity: usize,
        relation: usize,
        count: u32,
        own: Range<u32>,
    },
    /// Nothing of a relation is made here.
    Elsewhere { entity: usize, relation: usize },
    /// References lead nowhere of records that a relation is collected from.
    Dangling {
        entity: usize,
        relation: usize,
        references: Vec<DanglingReference>,
    },
    /// A relation of files has none, and this is said of its rows.
    NoFiles {
        entity: usize,
        relation: usize,
        done: Box<Done>,
    },
    /// More of a file's content.
    Piece(FileId, Piece),
    /// The file's content has ended.
    Done(FileId, Box<Done>),
    /// The file will not be finished.
    Failed(FileId, String),
    /// A relation fails as a whole, before any file of it.
    RelationFailed {
        entity: usize,
        relation: usize,
        error: String,
    },
    /// More that the snapshot could not give, which showed only while files were written.
    Warnings(Vec<String>),
    /// Every file has ended: somebody says whether the export can be trusted.
    Judge(Judge),
    /// Everything has been said. If this does not come, the run ended early.
    End,
}

/// A running writing thread.
pub struct Writer {
    messages: Option<Sender<Message>>,
    thread: Option<std::thread::JoinHandle<io::Result<Manifest>>>,
}

impl Writer {
    /// Writes the first manifest and starts the thread. Files are encrypted for the recipients, if there are any.
    ///
    /// # Errors
    /// Those of the store.
    pub fn start(
        files: Arc<dyn Files>,
        ledger: Ledger,
        recipients: Option<Arc<Recipients>>,
    ) -> io::Result<Writer> {
        let (messages, received) = bounded(PIECES);
        let mut state = State {
            files,
            ledger,
            recipients,
            open: None,
            written: Instant::now(),
            took: Duration::ZERO,
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

    /// Hands over a message; waits while the store is behind.
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
struct OpenFile {
    id: FileId,
    file: Box<dyn NewFile>,
    name: String,
    crc: crc32fast::Hasher,
    length: u64,
}

struct State {
    files: Arc<dyn Files>,
    ledger: Ledger,
    recipients: Option<Arc<Recipients>>,
    open: Option<OpenFile>,
    /// When the manifest was written last, and how long that took.
    written: Instant,
    took: Duration,
    /// Of the run that is written.
    timings: Option<Arc<Timings>>,
}

impl State {
    fn run(mut self, messages: &Receiver<Message>) -> io::Result<Manifest> {
        let _work = timings::work(self.timings.as_ref(), Phase::Write);
        let messages = std::iter::from_fn(|| timings::waiting(|| messages.recv()).ok());
        let mut messages = messages;
        let taken = messages.try_for_each(|message| {
            let changed = self.take(message)?;
            let pause = MANIFEST_EVERY.max(self.took * MANIFEST_PAUSE);
            if changed && self.written.elapsed() >= pause {
                self.write_manifest()?;
            }
            Ok(())
        });
        // The file that did not get its end is removed, which may be the room that the manifest needs.
        self.open = None;
        if taken.is_err() {
            // Everything may have been said by then, but the run will be told to have failed.
            self.ledger.doubt();
        }
        let checked = match self.ledger.is_whole() {
            true => self.check_files(),
            false => Ok(()),
        };
        if checked.is_err() {
            self.ledger.doubt();
        }
        self.close();
        let written = self.write_manifest();
        if let Err(error) = &written {
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.make_room(),
                _ => self.take_back(),
            }
        }
        taken.and(checked).and(written)?;
        Ok(self.ledger.into_manifest())
    }

    /// The run is over.
    fn close(&mut self) {
        let timings = self.timings.as_ref().map(|timings| timings.so_far());
        self.ledger.close(timings, &now());
    }

    /// Makes sure, before anything is called finished, that what was written is still there.
    fn check_files(&self) -> io::Result<()> {
        let metadata = self.ledger.manifest().metadata.iter();
        for file in self.ledger.finished_files().chain(metadata) {
            let shown = || self.files.shown(&file.file);
            let what = match self.files.length(&file.file) {
                Ok(length) if length == file.bytes => continue,
                Ok(_) => "changed",
                Err(error) if error.kind() == io::ErrorKind::NotFound => "removed",
                Err(error) if is_no_file(&error) => "replaced",
                Err(error) => return Err(at(Path::new(&shown()))(error)),
            };
            return Err(io::Error::other(format!(
                "{}: the file was {what} after it was written",
                shown()
            )));
        }
        Ok(())
    }

    /// The last manifest may not last, though it may be seen.
    fn take_back(&mut self) {
        self.ledger.take_back();
        if let Err(error) = self.write_manifest() {
            // The first error is the one to tell.
            tracing::debug!("the manifest cannot be taken back: {error}");
        }
    }

    /// No room is left for the manifest, without which no finished file can be gone on with: the last ones are given
    /// up for it, twice as many each time.
    fn make_room(&mut self) {
        self.ledger.begin_to_give_up();
        let mut given_up = 0;
        for step in 0.. {
            let wanted = 1_usize << step;
            let gone = self.ledger.give_up(wanted);
            for file in &gone {
                if let Err(error) = self.files.remove(&file.file) {
                    tracing::debug!("cannot give {} up: {error}", file.file);
                }
            }
            given_up += gone.len();
            self.close();
            match self.write_manifest() {
                Ok(()) => {
                    tracing::warn!(
                        "no room for the manifest: {given_up} finished files were given up for it"
                    );
                    return;
                }
                // There was none left. The first error is the one to tell.
                Err(error) if gone.len() < wanted => {
                    tracing::debug!("no manifest can be written: {error}");
                    self.remove_manifest();
                    return;
                }
                Err(_) => {}
            }
        }
    }

    /// The manifest that is there names files that were given up.
    fn remove_manifest(&self) {
        if let Err(error) = self.files.remove(manifest::FILE_NAME) {
            tracing::debug!("the manifest cannot be removed: {error}");
        }
    }

    /// Takes a message; true if the manifest has changed by it.
    fn take(&mut self, message: Message) -> io::Result<bool> {
        match message {
            Message::Read { facts, metadata } => {
                if let Some(metadata) = metadata {
                    let (entry, metadata) = metadata_file(&metadata, self.recipients.as_deref())?;
                    self.files.replace(&entry.file, &metadata)?;
                    self.ledger.described(entry);
                }
                self.ledger.read(*facts);
                self.write_manifest()?;
            }
            Message::Rows {
                entity,
                relation,
                count,
            } => self.ledger.rows(entity, relation, count),
            Message::Batches {
                entity,
                relation,
                count,
                own,
            } => self.ledger.batches(entity, relation, count, own, &now()),
            Message::Elsewhere { entity, relation } => {
                self.ledger.elsewhere(entity, relation, &now());
            }
            Message::Dangling {
                entity,
                relation,
                references,
            } => self.ledger.dangling(entity, relation, references),
            Message::NoFiles {
                entity,
                relation,
                done,
            } => self.ledger.no_files(entity, relation, *done, &now()),
            Message::Warnings(warnings) => self.ledger.warn(warnings),
            Message::Judge(judge) => {
                let reasons = judge.judge(self.ledger.manifest());
                self.ledger.suspect(reasons);
            }
            Message::End => self.ledger.all_said(),
            Message::Piece(id, piece) => return self.piece(id, &piece),
            Message::Done(id, done) => self.done(id, *done)?,
            Message::Failed(id, error) => {
                self.open = None;
                self.ledger.failed(id, error, &now());
            }
            Message::RelationFailed {
                entity,
                relation,
                error,
            } => self.ledger.relation_failed(entity, relation, error, &now()),
        }
        Ok(true)
    }

    fn piece(&mut self, id: FileId, piece: &Piece) -> io::Result<bool> {
        let mut changed = false;
        let open = match self.open.take().filter(|open| open.id == id) {
            Some(open) => open,
            None => {
                changed = true;
                let name = self.ledger.file_name(id);
                let file = self.files.write(&name)?;
                let mut file = match &self.recipients {
                    Some(recipients) => recipients.sealed(file)?,
                    None => file,
                };
                file.write(&gzip::HEADER)?;
                self.ledger.started(id, &now());
                OpenFile {
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
        let Written { bytes, sha256 } = open.file.commit()?;
        let file = FileEntry {
            file: open.name,
            bytes,
            sha256,
        };
        self.ledger.finished(id, done, file, &now());
        Ok(())
    }

    fn write_manifest(&mut self) -> io::Result<()> {
        let began = Instant::now();
        self.files.put_manifest(self.ledger.manifest())?;
        self.written = Instant::now();
        self.took = self.written - began;
        Ok(())
    }
}
