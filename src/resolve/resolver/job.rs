//! Jobs of the pool: what the scan of a block gives back.

use crate::resolve::plan::TableId;
use crate::resolve::scan::Scanned;
use crate::resolve::stage::StagedRows;

use super::staging::StagedBlock;

/// What a job of the pool gives back.
pub(super) struct Job {
    /// Whose rows it scanned.
    pub table: TableId,
    pub scanned: Scanned,
    pub waiting: StagedRows,
    /// The rows were a block of the stage.
    pub staged: Option<StagedBlock>,
}
