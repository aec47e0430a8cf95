//! One export on many machines.
//!
//! ```text
//! plan ──► plan.json, at the destination ──► work, work, work … ──► commit ──► the export
//! ```
//!
//! A *plan* ([`PlanFile`]) says which entities and relations there will be, and cuts them into *tasks* of like cost ([`cut`]).
//! Whoever works makes one task: a share of the export ([`crate::export::Share`]), whose files get their final names at once,
//! and then a *record* of it ([`TaskRecord`]) which holds nothing that differs from one attempt to the next. So a task can be
//! made twice, at the same time, too: the same bytes come of it. Who commits ([`commit()`]) holds the records against the plan,
//! makes what is collected from the records of several tasks, and writes the manifest.
//!
//! Everything lies at the destination, in the folder [`PLAN_FOLDER`], which is gone when the export is complete.

mod commit;
mod cut;
mod error;
mod file;
mod make;
mod merge;
mod names;
mod progress;
mod record;
mod stage;
mod task_files;
mod work;

pub(crate) use commit::{Committed, clear, commit};
pub(crate) use error::PlanError;
pub use file::{PlanFile, PlannedEntity, PlannedRelations, Task, schema};
pub(crate) use make::{MakeRequest, make, store};
pub(crate) use names::{Found, find, is_committed};
pub(crate) use progress::{note_failure, progress};
pub use record::TaskRecord;
pub(crate) use stage::make_staged;
pub(crate) use work::{Done, work};

/// The bytes of `plan.json`.
///
/// # Errors
/// If it cannot be written down.
pub(crate) fn json(plan: &PlanFile) -> Result<Vec<u8>, PlanError> {
    let json = plan.to_json();
    json.map_err(|error| PlanError::write("the plan", error.into()))
}
