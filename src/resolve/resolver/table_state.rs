//! A table of the plan while the snapshot goes by.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::resolve::resolved::Trouble;
use crate::resolve::scan::Scanner;
use crate::snapshot::{BlockHead, TableName};

use super::coverage::Coverage;
use super::staging::Staging;

/// How much of a table's data has gone by.
#[derive(Default)]
pub(super) enum Progress {
    /// None so far.
    #[default]
    Awaited,
    /// Some, and more may come. The scanner is that of the newest head; there is none if rows under that head cannot be
    /// used, which the table's trouble tells.
    Reading(Option<(Arc<BlockHead>, Arc<Scanner>)>),
    /// All of it.
    Read,
    /// There is none: the snapshot holds no data of the table.
    Empty,
}

/// What is known of a table.
#[derive(Default)]
pub(super) struct TableState {
    pub progress: Progress,
    pub staging: Staging,
    pub coverage: Coverage,
    /// Tables of this one's tree whose data the snapshot does not hold.
    pub without_data: BTreeSet<TableName>,
    pub trouble: Trouble,
}

impl TableState {
    /// True if some of its data has gone by.
    pub(crate) fn is_seen(&self) -> bool {
        matches!(self.progress, Progress::Reading(_) | Progress::Read)
    }

    /// True if no more of its data will come.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.progress, Progress::Read | Progress::Empty)
    }

    /// No more of its data will come.
    pub(crate) fn close(&mut self) {
        self.progress = match self.progress {
            Progress::Awaited | Progress::Empty => Progress::Empty,
            Progress::Reading(_) | Progress::Read => Progress::Read,
        };
    }

    /// All of its rows are doubtful; the first reason is kept.
    pub(crate) fn broken(&mut self, reason: String) {
        self.trouble.broken.get_or_insert(reason);
    }
}
