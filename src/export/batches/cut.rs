//! Where a relation's rows go: which file the next row belongs to, and where files end.

use super::trouble::UnreadRows;
use crate::output::{BatchNumber, FileForm, FileId};

/// The files of a relation, as its top-level rows are cut into them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Files {
    #[default]
    One,
    /// One for each so many rows; never 0.
    Each(usize),
    /// Each ends before the row at its position; the last one behind all rows.
    Until(Vec<usize>),
}

impl Files {
    /// Cuts rows of these bytes into files of at most `size` rows and `bytes` bytes; a larger row has a file of its own.
    pub(super) fn by_bytes(rows: &[u64], size: usize, bytes: u64) -> Files {
        let mut ends = Vec::new();
        let (mut number, mut filled) = (0, 0);
        for (at, row) in rows.iter().enumerate() {
            if number > 0 && (number == size || filled + row > bytes) {
                ends.push(at);
                (number, filled) = (0, 0);
            }
            number += 1;
            filled += row;
        }
        if number > 0 {
            ends.push(rows.len());
        }
        Files::Until(ends)
    }

    pub(super) fn is_batched(&self) -> bool {
        *self != Files::One
    }

    /// How many files so many rows make; `None` if they are not cut into batches.
    pub(super) fn count(&self, rows: usize) -> Option<usize> {
        match self {
            Files::One => None,
            Files::Each(size) => Some(rows.div_ceil(*size)),
            Files::Until(ends) => Some(ends.len()),
        }
    }

    /// How many of so many rows each file has, in order.
    pub(super) fn lengths(&self, rows: usize) -> Vec<usize> {
        let mut lengths = Vec::new();
        let mut given = 0;
        while given < rows {
            let room = self.room(given, rows);
            lengths.push(room);
            given += room;
        }
        lengths
    }

    /// The position of the file of the row behind these.
    fn position(&self, given: usize) -> Option<usize> {
        match self {
            Files::One => None,
            Files::Each(size) => Some(given / size),
            Files::Until(ends) => Some(ends.partition_point(|end| *end <= given)),
        }
    }

    /// The rows that the file of the row behind these has room for, of so many in all.
    fn room(&self, given: usize, total: usize) -> usize {
        let left = total - given;
        match self {
            Files::One => left,
            Files::Each(size) => left.min(size - given % size),
            Files::Until(ends) => {
                let end = ends.iter().find(|end| **end > given);
                end.map_or(left, |end| left.min(end - given))
            }
        }
    }

    /// True if a file ends behind so many rows.
    fn ends_behind(&self, given: usize) -> bool {
        match self {
            Files::One => false,
            Files::Each(size) => given.is_multiple_of(*size),
            Files::Until(ends) => ends.binary_search(&given).is_ok(),
        }
    }
}

/// A relation of an entity while its rows are cut into files and jobs.
#[derive(Default)]
pub(super) struct Cut {
    pub entity: usize,
    pub relation: usize,
    /// Top-level rows in all, and those that have been given to jobs.
    pub total: usize,
    pub given: usize,
    pub files: Files,
    pub form: FileForm,
    /// Top-level rows that have come back rendered, and their bytes.
    pub rendered: (u64, u64),
    /// The rest of the rows cannot be had.
    pub refused: bool,
    /// Bad rows that have not been listed yet.
    pub unread: UnreadRows,
}

impl Cut {
    /// The file of the next row.
    pub(crate) fn file(&self) -> FileId {
        FileId {
            entity: self.entity,
            relation: self.relation,
            // That there are not too many batches has been checked.
            batch: self.files.position(self.given).and_then(BatchNumber::at),
            form: self.form,
        }
    }

    /// The file of a relation that is not cut into batches, or has no rows.
    pub(crate) fn only_file(&self) -> FileId {
        FileId {
            batch: None,
            ..self.file()
        }
    }

    /// Rows that the file of the next row has room for.
    pub(crate) fn room(&self) -> usize {
        self.files.room(self.given, self.total)
    }

    /// True where the rows given so far end a file.
    pub(crate) fn is_at_end(&self) -> bool {
        self.given == self.total || self.files.ends_behind(self.given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_at_whichever_limit_comes_first() {
        let cut = |rows: &[u64], size: usize, bytes: u64| {
            Files::by_bytes(rows, size, bytes).lengths(rows.len())
        };
        assert_eq!(cut(&[], 10, 100), [0; 0]);
        assert_eq!(cut(&[40, 60, 1], 10, 100), [2, 1], "full to the byte");
        assert_eq!(cut(&[40, 61, 1], 10, 100), [1, 2]);
        assert_eq!(cut(&[1, 1, 1, 1, 1], 2, 100), [2, 2, 1], "by rows");
        assert_eq!(
            cut(&[500, 1, 500, 500], 10, 100),
            [1, 1, 1, 1],
            "larger than a batch"
        );
        assert_eq!(cut(&[0, 0, 0], 10, 100), [3]);
    }

    #[test]
    fn files_say_where_rows_belong() {
        for (files, positions) in [
            (Files::One, [None, None, None, None, None]),
            (
                Files::Each(2),
                [Some(0), Some(0), Some(1), Some(1), Some(2)],
            ),
            (
                Files::Until(vec![1, 4, 5]),
                [Some(0), Some(1), Some(1), Some(1), Some(2)],
            ),
        ] {
            let found = [0, 1, 2, 3, 4].map(|given| files.position(given));
            assert_eq!(found, positions, "{files:?}");
            let lengths = files.lengths(5);
            assert_eq!(lengths.iter().sum::<usize>(), 5, "{files:?}");
            assert_eq!(files.count(5).unwrap_or(1), lengths.len(), "{files:?}");
        }
    }
}
