//! A backup's tar that comes once: out of a pipe, or out of a compressed file.
//!
//! Whoever reads rows has it first, up to the databases. When they let go of it, by coming to the end of the last
//! database or by giving up, the rest is left in a [`Behind`] for whoever wants files.

use std::io::{self, Read};
use std::mem;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::BackupInfo;
use super::contents::{Broken, Collector, cut_off, more_behind, stopped, stopped_at};
use super::index::{Entry, Sort};
use super::spool::check;
use crate::snapshot::codec::compression::decoder;
use crate::snapshot::codec::tar_members::{Member, Members};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::place::Place;

/// While rows are being read, how often to look whether the run is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Bytes that come in their order.
type Bytes = Box<dyn Read + Send>;

/// A tar that goes by.
pub(in crate::snapshot) struct PassingTar {
    pub(in crate::snapshot) members: Members<Bytes>,
    /// A member whose header has come, and whose content comes next.
    next: Option<Member>,
    has_ended: bool,
    /// What has gone by, and was not kept.
    pub(super) passed: Collector,
    /// Why it goes no further, if it should.
    pub(super) broken: Option<Broken>,
    /// Members that should have come before: what is in them was taken from another place by now.
    pub(in crate::snapshot) too_late: Vec<String>,
    /// What the backup says of itself, if that has gone by.
    pub(in crate::snapshot) info: Option<BackupInfo>,
}

impl PassingTar {
    pub(in crate::snapshot) fn new(bytes: Bytes) -> Self {
        PassingTar {
            members: Members::of_stream(bytes),
            next: None,
            has_ended: false,
            passed: Collector::default(),
            broken: None,
            too_late: Vec::new(),
            info: None,
        }
    }

    /// Notes that a member goes by.
    pub(in crate::snapshot) fn pass(&mut self, member: &Member) {
        if let Some((name, sort)) = self.passed.name(member) {
            let sort = match sort {
                Sort::File => Sort::Gone,
                sort => sort,
            };
            let (offset, size) = (0, member.size);
            self.passed.add(&name, Entry { sort, offset, size });
        }
    }

    /// Gives a member back whose content has not been read.
    pub(in crate::snapshot) fn put_back(&mut self, member: Member) {
        self.next = Some(member);
    }

    /// Notes that the tar goes no further than it has been read, and why if it does not just end.
    pub(super) fn has_stopped(&mut self, error: Option<&io::Error>) {
        let position = self.members.position();
        self.broken = Some(match error {
            Some(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                stopped_at(position, error)
            }
            Some(_) | None => cut_off(position),
        });
    }

    /// Notes that the tar cannot be read any further, as who reads rows has found.
    pub(in crate::snapshot) fn is_broken(&mut self, why: &SnapshotError) {
        let position = self.members.next_header();
        self.broken = Some(Broken::damaged(format!(
            "the tar cannot be read on from byte {position} ({why})"
        )));
    }

    /// The next member; `None` where the tar ends, for a good reason or a bad one.
    pub(super) fn next(&mut self) -> Option<Member> {
        if let Some(member) = self.next.take() {
            return Some(member);
        }
        if self.has_ended || self.broken.is_some() {
            return None;
        }
        match self.members.next() {
            Ok(Some(member)) if self.too_late.contains(&member.name) => {
                let name = &member.name;
                self.broken = Some(Broken::damaged(format!(
                    "{name} stands behind other files in the tar, so rows of its tables were looked for in the main database: \
                     name the tar as a file that is not compressed, or pack it with db/ in front"
                )));
            }
            Ok(Some(member)) => return Some(member),
            Ok(None) if self.members.has_ended() => {
                self.has_ended = true;
                let end = self.members.position();
                self.broken = match self.members.is_all() {
                    Ok(true) => None,
                    Ok(false) => Some(more_behind(end)),
                    Err(error) => {
                        let says = format!("the end of the tar is damaged: {error}");
                        Some(Broken::by(says, &error))
                    }
                };
            }
            Ok(None) => self.has_stopped(None),
            Err(error) => self.broken = Some(stopped(&self.members, &error)),
        }
        None
    }
}

/// A passing tar in the hands of whoever reads rows. What is left of it when this is dropped, files are taken from.
pub(in crate::snapshot) struct Lent {
    pub(in crate::snapshot) tar: PassingTar,
    left: Arc<Left>,
}

impl Lent {
    pub(in crate::snapshot) fn new(bytes: Bytes) -> Self {
        Lent {
            tar: PassingTar::new(bytes),
            left: Arc::default(),
        }
    }

    /// The rest of the tar, once this has been dropped.
    pub(in crate::snapshot) fn behind(&self) -> Behind {
        Behind {
            left: Arc::clone(&self.left),
            again: None,
        }
    }

    /// Notes that rows are being read: this will be dropped in a while.
    pub(in crate::snapshot) fn begin(&self) {
        self.left.set(State::Reading);
    }
}

/// The content of the member that came last, and what follows it.
impl Read for Lent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tar.members.read_on(buffer)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let none = PassingTar::new(Box::new(io::empty()));
        let tar = mem::replace(&mut self.tar, none);
        self.left.set(State::Left(Box::new(tar)));
    }
}

/// Where a tar is left.
#[derive(Default)]
struct Left {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
enum State {
    /// Nobody has begun to read rows.
    #[default]
    Unread,
    /// Rows are being read.
    Reading,
    Left(Box<PassingTar>),
    Taken,
}

impl Left {
    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.changed.notify_all();
    }
}

/// The files of a backup that comes once, behind its databases.
pub struct Behind {
    left: Arc<Left>,
    /// The file that it comes from, if it can be read again.
    again: Option<Place>,
}

impl Behind {
    /// A tar of which nothing has been read.
    pub fn unread(bytes: Box<dyn Read + Send>) -> Self {
        // What is lent is given back at once.
        Lent::new(bytes).behind()
    }

    /// A compressed tar on disk.
    pub(in crate::snapshot) fn in_file(place: &Place) -> Self {
        let left = Left::default();
        left.set(State::Taken);
        Behind {
            left: Arc::new(left),
            again: Some(place.clone()),
        }
    }

    /// The same of a tar that can be read a second time, from a file.
    pub(in crate::snapshot) fn or_again(self, place: Option<&Place>) -> Self {
        Behind {
            again: place.cloned(),
            ..self
        }
    }

    /// Takes what is left of the tar, or all of it if it can be read again and `misses` says that something has gone by.
    /// Waits until whoever reads rows has let go of it.
    ///
    /// # Errors
    /// Nobody has begun to read rows, the file cannot be read again, or the run was interrupted.
    pub(super) fn take(
        self,
        misses: impl Fn(&PassingTar) -> bool,
        interrupted: &AtomicBool,
    ) -> Result<PassingTar, SnapshotError> {
        let left = match &self.again {
            // What is read at the same time need not be waited for.
            Some(_) => self.left_now(),
            None => self.wait(interrupted)?,
        };
        match (left, &self.again) {
            (Some(tar), None) => Ok(tar),
            (Some(tar), Some(_)) if !misses(&tar) => Ok(tar),
            (left, Some(place)) => {
                let file = place.open().map_err(|error| place.failed(error))?;
                let bytes = decoder(Box::new(file), Arc::default());
                let bytes = bytes.map_err(|error| place.failed(error))?;
                Ok(PassingTar {
                    too_late: left.map(|tar| tar.too_late).unwrap_or_default(),
                    ..PassingTar::new(bytes)
                })
            }
            (None, None) => Err(SnapshotError::Unsupported {
                what: "the files of a backup from standard input".to_owned(),
                reason: "they come behind its rows, which nobody has read".to_owned(),
            }),
        }
    }

    fn left_now(&self) -> Option<PassingTar> {
        let mut state = self
            .left
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match mem::replace(&mut *state, State::Taken) {
            State::Left(tar) => Some(*tar),
            other => {
                *state = other;
                None
            }
        }
    }

    fn wait(&self, interrupted: &AtomicBool) -> Result<Option<PassingTar>, SnapshotError> {
        let mut state = self
            .left
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while matches!(*state, State::Reading) {
            check(interrupted)?;
            let waited = self.left.changed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        Ok(self.left_now())
    }
}
