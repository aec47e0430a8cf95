//! Where a relation's rows go: which file the next row belongs to, and where files end.

use crate::export::render::BadValue;
use crate::output::{BatchNumber, FileId};

/// A relation of an entity while its rows are cut into files and jobs.
#[derive(Default)]
pub(super) struct Cut {
    pub entity: usize,
    pub relation: usize,
    /// Top-level rows in all, and those that have been given to jobs.
    pub total: usize,
    pub given: usize,
    /// Rows of a file, where there is more than one.
    pub batch_size: Option<usize>,
    pub json: bool,
    /// Top-level rows that have come back rendered, and their bytes.
    pub rendered: (u64, u64),
    /// The rest of the rows cannot be had.
    pub refused: bool,
    /// Bad rows that have not been listed yet.
    pub unread: Vec<BadValue>,
    pub unlisted: u64,
}

impl Cut {
    /// The file of the next row.
    pub(crate) fn file(&self) -> FileId {
        FileId {
            entity: self.entity,
            relation: self.relation,
            // That there are not too many batches has been checked.
            batch: self
                .batch_size
                .and_then(|size| BatchNumber::at(self.given / size)),
            json: self.json,
        }
    }

    /// Rows that the file of the next row has room for.
    pub(crate) fn room(&self) -> usize {
        let left = self.total - self.given;
        match self.batch_size {
            Some(size) => left.min(size - self.given % size),
            None => left,
        }
    }

    /// True where the rows given so far end a file.
    pub(crate) fn is_at_end(&self) -> bool {
        self.given == self.total
            || self
                .batch_size
                .is_some_and(|size| self.given.is_multiple_of(size))
    }
}
