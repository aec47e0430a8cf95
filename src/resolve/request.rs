//! What is asked of a snapshot, and what comes of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rayon::ThreadPool;

use crate::pipeline::Pipeline;
use crate::snapshot::{Catalog, SnapshotError, SnapshotFacts, TableName};

use super::entities::Choice;
use super::plan::{Plan, Selection};
use super::resolved::Resolved;

/// What is to be resolved, and with what means.
pub struct Request<'a> {
    pub pipeline: &'a Pipeline,
    pub selection: &'a Selection,
    pub choice: &'a Choice,
    pub limits: &'a Limits,
    pub pool: Arc<ThreadPool>,
    /// Set from outside to end the run early.
    pub interrupted: Arc<AtomicBool>,
    /// Take no table as complete before the snapshot's end. Slower: more rows wait. Needed where
    /// [`ResolveError::Reappeared`] was the answer without it.
    pub seal_late: bool,
    /// Take a table without data as an empty one. Else who needs it to find the entities gets an error; for the others
    /// [`Resolved::without_data`] says it.
    pub allow_missing: bool,
    /// Refuse a snapshot that lacks a table or column that the pipeline names.
    pub strict: bool,
    /// Read a stream only until the tables that are needed have gone by. What is damaged behind them is then not
    /// noticed, so this is for looking around and not for exports. All entities are then all that a snapshot knows of, also
    /// where it was taken without the rows of some: see [`SnapshotFacts::only`].
    pub stop_early: bool,
}

/// Limits and places that resolving keeps to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of memory for kept rows and their index.
    pub memory: usize,
    pub temp_dir: PathBuf,
}

/// What a resolve run tells while it goes on.
pub trait Observer {
    /// The catalog is known and the plan is made.
    fn planned(&mut self, plan: &Plan, facts: &SnapshotFacts);
    /// The data of a table begins to go by.
    fn table(&mut self, name: &TableName);
}

/// What resolving a snapshot gives.
pub struct Outcome {
    pub resolved: Resolved,
    pub facts: SnapshotFacts,
    pub catalog: Arc<Catalog>,
    /// The snapshot ended too early, but some tables were complete by then.
    pub cut_off: Option<SnapshotError>,
    /// Tables of the pipeline whose data is there without their definition; the relations that need them fail.
    pub undefined: BTreeSet<String>,
}
