//! Jobs: exports that are made again and again, unattended, as files of configuration say.
//!
//! A job says what `relexport export` would be told (a snapshot, groups, options), where its exports lie, which of them
//! are kept, and who is told how it went. This floor knows the files and what a run of a job is. The arguments of the
//! program are the command line's, which hands in the list of its options.

mod choice;
pub(crate) mod clock;
pub mod config;
pub(crate) mod events;
pub(crate) mod guard;
pub(crate) mod history;
pub(crate) mod hooks;
mod job;
pub(crate) mod lock;
pub(crate) mod metrics;
pub(crate) mod outcome;
pub(crate) mod ping;
mod place;
pub(crate) mod redactor;
pub(crate) mod run_id;
pub(crate) mod runner;
mod secret;
pub(crate) mod state;
pub(crate) mod volume;

pub use choice::{ChoiceError, SnapshotChoice};
pub use job::{BrokenJob, Config, Guard, Hooks, Job, JobName, Mistake, Percent, Ping};
pub use metrics::{parse_metrics, write_metrics};
pub use secret::Secret;
