//! The staging of a table: the hops whose keys are not known yet, and the rows that wait for them.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use foldhash::fast::FixedState;

use crate::resolve::plan::HopId;
use crate::resolve::stage::{Stage, StagedRows};
use crate::resolve::store::RowAt;

/// A block of a table's stage.
#[derive(Clone, Copy)]
pub(super) struct StagedBlock {
    /// From 0, in the order in which the blocks were staged.
    pub number: usize,
    /// Its rows stay staged, for hops that are decided later.
    pub stays: bool,
}

/// Hops that wait, and rows that wait with them. A table none of whose hops had to wait has an empty one.
#[derive(Default)]
pub(super) struct Staging {
    /// The hops onto the table whose keys were not known when its data began, and that are not decided yet. They are fixed
    /// when the data begins, so that one pass over the stage decides all rows by a hop.
    waiting: Vec<HopId>,
    stage: Option<Stage>,
    /// Blocks of the stage so far.
    blocks: usize,
    /// Rows of the stage that were kept before, by block and place in it: a row that several passes find is kept once.
    kept: HashMap<(usize, usize), RowAt, FixedState>,
}

impl Staging {
    /// The table's data begins, and these hops cannot be decided yet.
    pub(crate) fn begin(&mut self, waiting: Vec<HopId>) {
        self.waiting = waiting;
    }

    pub(crate) fn waits(&self, hop: HopId) -> bool {
        self.waiting.contains(&hop)
    }

    /// The hops that wait.
    pub(crate) fn waiting(&self) -> &[HopId] {
        &self.waiting
    }

    /// Adds a block of rows and says its number.
    ///
    /// # Errors
    /// If the temp file cannot be written.
    pub(crate) fn push(&mut self, rows: &StagedRows, temp_dir: &Path) -> io::Result<usize> {
        let stage = match &mut self.stage {
            Some(stage) => stage,
            empty => empty.insert(Stage::new(temp_dir)?),
        };
        stage.push(rows)?;
        self.blocks += 1;
        Ok(self.blocks - 1)
    }

    /// Where a row of the stage was kept, if it was.
    pub(crate) fn kept(&self, block: usize, start: usize) -> Option<RowAt> {
        self.kept.get(&(block, start)).copied()
    }

    /// A row of the stage has been kept.
    pub(crate) fn note_kept(&mut self, block: usize, start: usize, at: RowAt) {
        self.kept.insert((block, start), at);
    }

    /// Takes the staged rows out, to be decided.
    pub(crate) fn take_stage(&mut self) -> Option<Stage> {
        self.stage.take()
    }

    /// The rows have been decided for all hops but these, for which they stay.
    pub(crate) fn decided(&mut self, stage: Option<Stage>, later: Vec<HopId>) {
        match later.is_empty() {
            true => self.kept = HashMap::default(),
            false => self.stage = stage,
        }
        self.waiting = later;
    }
}
