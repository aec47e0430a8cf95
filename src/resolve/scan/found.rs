//! What a scan of a block found.

use std::ops::Range;

use crate::resolve::keys::{IndexKey, Key};
use crate::resolve::plan::{HopId, SlotId};
use crate::snapshot::{Block, ZERO_BYTE};

/// How many bad rows of a block are described, as many as of a relation; the others are only counted.
const DESCRIBED: usize = 100;

/// Where a row stands in its table's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowPosition {
    /// Number of the row, from 1.
    pub row: u64,
    /// Where the row starts, in bytes of the decompressed source.
    pub offset: u64,
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Number of the row in its table's data, from 1.
    pub row: u64,
    /// Where the row starts, in bytes of the decompressed source.
    pub offset: u64,
    pub reason: String,
}

/// What a scan of a block found.
#[derive(Debug, Default)]
pub struct Scanned {
    pub rows: u64,
    /// Kept rows one after the other, without line ends.
    pub kept: Vec<u8>,
    /// Ranges of `kept`, one per kept row.
    pub ranges: Vec<Range<usize>>,
    pub found: Vec<FoundRow>,
    pub fed: Vec<(SlotId, i64)>,
    /// The same, of keys that are no integers.
    pub fed_wide: Vec<(SlotId, u128)>,
    /// The same as texts, where these are wanted.
    pub fed_texts: Vec<(SlotId, Key)>,
    /// Of rows below others in a tree: the slot, the key of the row above, and the row's own.
    pub below: Vec<(SlotId, IndexKey, IndexKey)>,
    /// Rows that must wait, each ended by LF.
    pub staged: Vec<u8>,
    /// Of rows that were kept and wait, too: the position in `ranges`, and where the row begins in `staged`.
    pub kept_and_staged: Vec<(usize, usize)>,
    /// Where each kept row begins in the block.
    pub starts: Vec<usize>,
    /// Rows for the entity directory, each ended by LF.
    pub observed: Vec<u8>,
    /// Where the rows for the directory stand.
    pub observed_positions: Vec<RowPosition>,
    pub bad: Vec<BadRow>,
    pub bad_rows: u64,
    /// The row behind which nobody knows where rows begin. Those behind it in the block were not looked at, so that the table
    /// cannot be used.
    pub broken: Option<BadRow>,
}

/// A hop found a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRow {
    pub hop: HopId,
    pub key: IndexKey,
    /// The row's own key if that is a lone integer; else a number that rows are ordered by as far as it goes.
    pub id: i64,
    /// Position in [`Scanned::ranges`].
    pub row: usize,
}

/// How much has been fed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fed {
    integers: usize,
    wide: usize,
    texts: usize,
}

impl Scanned {
    pub(super) fn bad(&mut self, block: &Block, at: usize, reason: String) {
        self.bad_rows += 1;
        if self.bad.len() < DESCRIBED {
            self.bad.push(self.bad_row(block, at, reason));
        }
    }

    /// Notes that quotes stand wrongly in the row that is being scanned, from a place in the block on.
    pub(super) fn broken(&mut self, block: &Block, at: usize, reason: String) {
        self.broken = Some(self.bad_row(block, at, reason));
    }

    /// Notes that something wrote over the block, if a zero byte stands in it: what is gone may have been the ends of rows.
    pub(super) fn note_zero_byte(&mut self, block: &Block) {
        self.broken = block.zero_byte().map(|(row, offset)| BadRow {
            row,
            offset,
            reason: ZERO_BYTE.to_owned(),
        });
    }

    fn bad_row(&self, block: &Block, at: usize, reason: String) -> BadRow {
        let RowPosition { row, offset } = self.position(block, at);
        BadRow {
            row,
            offset,
            reason,
        }
    }

    /// A row that cannot be used, if there is one.
    pub(in crate::resolve) fn unusable(&self) -> Option<&BadRow> {
        self.broken.as_ref().or(self.bad.first())
    }

    /// Takes back what was found and fed by a row that turns out to be of no use.
    pub(super) fn take_back(&mut self, found: usize, fed: Fed) {
        self.found.truncate(found);
        self.fed.truncate(fed.integers);
        self.fed_wide.truncate(fed.wide);
        self.fed_texts.truncate(fed.texts);
    }

    /// How much has been fed so far.
    pub(super) fn fed_so_far(&self) -> Fed {
        Fed {
            integers: self.fed.len(),
            wide: self.fed_wide.len(),
            texts: self.fed_texts.len(),
        }
    }

    /// The position of the row that is being scanned.
    pub(super) fn position(&self, block: &Block, at: usize) -> RowPosition {
        RowPosition {
            row: block.first_row + self.rows,
            offset: block.offset_of(at),
        }
    }
}
