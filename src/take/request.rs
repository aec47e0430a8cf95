//! What is asked for when a snapshot is taken.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rayon::ThreadPool;

use super::TakeError;
use super::tables::wanted;
use crate::resolve::{KindChoice, Limits};
use crate::snapshot;
use crate::snapshot::{OpenOptions, Snapshot, Spec, TableName};

/// What is to be taken, from where, to where.
pub struct TakeRequest {
    pub from: Spec,
    pub open: OpenOptions,
    pub out: PathBuf,
    /// Replace a snapshot that is there already.
    pub force: bool,
    /// How long another run that holds the place is waited for.
    pub lock_wait: Duration,
    /// The kinds of entity, each behind the one that its entities lie within, if there is such.
    pub kinds: Vec<KindChoice>,
    /// Only rows of the chosen entities, rather than whole tables.
    pub limited: bool,
    pub limits: Limits,
    pub pool: Arc<ThreadPool>,
    /// Set from outside to end the run early.
    pub interrupted: Arc<AtomicBool>,
}

impl TakeRequest {
    /// Opens the source, of which only what the pipelines need will be read.
    pub(super) fn open_source(&self) -> Result<Snapshot, TakeError> {
        let tables = wanted(&self.kinds).known();
        snapshot::open_with(&self.from, &self.open.needing(tables))
            .map_err(|error| TakeError::Open(Box::new(error)))
    }

    /// The names of the pipelines, for messages.
    pub(super) fn pipelines(&self) -> String {
        let names = self.kinds.iter().map(|kind| kind.pipeline.name.as_str());
        let names: Vec<&str> = names.collect();
        match names.as_slice() {
            [name] => format!("pipeline {name}"),
            names => format!("pipelines {}", names.join(", ")),
        }
    }

    /// An error if the run is to end early.
    pub(super) fn check_interrupted(&self) -> Result<(), TakeError> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(TakeError::Interrupted),
            false => Ok(()),
        }
    }
}

/// Told how far the taking is.
pub trait TakeObserver {
    /// The source is about to be read: so many bytes, and how many have been read so far.
    fn reading(&mut self, size: Option<u64>, read: Arc<AtomicU64>);
    /// The data of a table goes by.
    fn table(&mut self, name: &TableName);
}
