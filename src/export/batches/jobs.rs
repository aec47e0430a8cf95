//! A relation's top-level rows on their way to the pool: which file each of them belongs to, and how many make a job.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cut::{Cut, Files};
use super::trouble::{UnreadRows, unread_rows};
use super::{Batch, BatchError, Batches};
use crate::export::render::{BadValue, Rendered};
use crate::output::{FileId, Message};
use crate::pipeline::Form;
use crate::resolve::{Entry, RowStore};

/// Top-level rows that one job renders at the most: what bounds the memory of a batch that is under way, since its
/// content goes on in pieces.
pub(super) const SLICE: usize = 200;

/// Bytes that one job is to render, as far as the rows before tell: some pieces of output, for each thread that renders.
const SLICE_BYTES: u64 = 2 << 20;

/// Rows that a job renders while no row before them tells how large they are.
const FIRST_SLICE: u64 = 16;

impl Batches<'_> {
    /// A relation of an entity begins, with so many top-level rows. What is said of rows after that is of its rows.
    pub(super) fn begin(
        &mut self,
        entity: usize,
        relation: usize,
        total: usize,
    ) -> Result<(), BatchError> {
        let files = self.files_by_size(relation);
        self.begin_files(entity, relation, total, files)
    }

    /// A relation of an entity begins, whose rows are cut into these files.
    pub(super) fn begin_files(
        &mut self,
        entity: usize,
        relation: usize,
        total: usize,
        files: Files,
    ) -> Result<(), BatchError> {
        self.begin_cut(entity, relation, total, files)?;
        self.tell_batches()?;
        if total == 0 && self.is_elsewhere(self.cut.only_file()) {
            return self.tell_elsewhere(entity, relation);
        }
        if total == 0 {
            // A one-object relation without its row is an empty file, too, unless something stands for the row.
            let planned = &self.resolved.plan.relations[relation];
            let without_row = planned.without_row.clone().unwrap_or_default();
            let mut rendered = Rendered {
                objects: u64::from(!without_row.is_empty()),
                content: without_row.into_bytes(),
                ..Rendered::default()
            };
            std::mem::take(&mut self.cut.unread).list_in(&mut rendered);
            self.give(self.cut.only_file(), true, 0, || Ok(rendered))?;
        }
        Ok(())
    }

    /// What is said of rows from here on is of this relation's rows.
    pub(super) fn begin_cut(
        &mut self,
        entity: usize,
        relation: usize,
        total: usize,
        files: Files,
    ) -> Result<(), BatchError> {
        let planned = &self.resolved.plan.relations[relation];
        self.observer.relation(entity, &planned.name, total as u64);
        // Under --keep-going, rows that could not even be split are listed with each relation that might have had them.
        let unread = unread_rows(self.resolved, planned);
        // A row of the records' table was read, too. Whose it is nobody knows, so that it counts for each that it may be of.
        let count = total as u64 + unread.records;
        self.cut = Cut {
            entity,
            relation,
            total,
            given: 0,
            files,
            form: planned.form.into(),
            rendered: (0, 0),
            refused: false,
            unread,
        };
        self.send(Message::Rows {
            entity,
            relation,
            count,
        })
    }

    /// Says how many batches there are of the relation, if it is cut into some.
    pub(super) fn tell_batches(&mut self) -> Result<(), BatchError> {
        let (entity, relation) = (self.cut.entity, self.cut.relation);
        let Some(count) = self.cut.files.count(self.cut.total) else {
            return Ok(());
        };
        let count = u32::try_from(count).map_err(|_| {
            let name = &self.resolved.plan.relations[relation].name;
            BatchError::Plan(format!("{name} would have too many batches"))
        })?;
        let own = match self.share.part {
            Some(part) => part.batches(count, entity),
            None => 0..count,
        };
        self.send(Message::Batches {
            entity,
            relation,
            count,
            own,
        })
    }

    /// The object of a relation of maxima.
    pub(super) fn maxima(&mut self, store: &Arc<RowStore>) -> Result<(), BatchError> {
        let (file, relation) = (self.cut.file(), self.cut.relation);
        let entity = self.resolved.entities[self.cut.entity].clone();
        let (renderer, store) = (Arc::clone(&self.renderer), Arc::clone(store));
        let unread = std::mem::take(&mut self.cut.unread);
        self.give(file, true, 1, move || {
            let mut rendered = renderer.maxima(&store, relation, &entity)?;
            unread.list_in(&mut rendered);
            Ok(rendered)
        })
    }

    /// The next top-level rows of the relation, cut into jobs.
    pub(super) fn rows(
        &mut self,
        store: &Arc<RowStore>,
        entries: &[Entry],
    ) -> Result<(), BatchError> {
        let relation = self.cut.relation;
        let lines = self.resolved.plan.relations[relation].form == Form::Lines;
        let mut rest = entries;
        while !rest.is_empty() && !self.cut.refused {
            let file = self.cut.file();
            let (rows, behind) = rest.split_at(self.cut.room().min(self.slice()).min(rest.len()));
            rest = behind;
            self.cut.given += rows.len();
            let is_elsewhere = self.is_elsewhere(file);
            if is_elsewhere {
                // Whoever makes the first batch tells of rows that could not be split.
                self.cut.unread = UnreadRows::default();
            }
            if is_elsewhere || self.is_done_with(file) {
                self.observer.rendered(
                    file.entity,
                    &self.resolved.plan.relations[relation].name,
                    rows.len() as u64,
                    0,
                );
                continue;
            }
            let resident = self
                .renderer
                .load(store, relation, rows)
                .map_err(BatchError::Temp)?;
            let (renderer, rows) = (Arc::clone(&self.renderer), rows.to_vec());
            let unread = std::mem::take(&mut self.cut.unread);
            let ends_file = self.cut.is_at_end();
            self.give(file, ends_file, rows.len() as u64, move || {
                let mut rendered = renderer.render(relation, &rows, &resident, lines)?;
                unread.list_in(&mut rendered);
                Ok(rendered)
            })?;
        }
        Ok(())
    }

    /// Top-level rows of the next job: fewer where those before were large.
    fn slice(&self) -> usize {
        let (rows, bytes) = self.cut.rendered;
        let slice = match rows {
            0 => FIRST_SLICE,
            rows => SLICE_BYTES / (bytes / rows).max(1),
        };
        // It is at most SLICE.
        (slice.clamp(1, SLICE as u64)) as usize
    }

    /// The rest of the relation's rows cannot be had: every file that would hold some of them fails.
    pub(super) fn refused(&mut self, error: &str) -> Result<(), BatchError> {
        if self.cut.refused || self.cut.given == self.cut.total {
            return Ok(());
        }
        self.cut.refused = true;
        loop {
            let (file, error) = (self.cut.file(), error.to_owned());
            self.cut.given += self.cut.room();
            if !self.is_elsewhere(file) {
                self.give_failed(file, error)?;
            }
            if self.cut.given >= self.cut.total {
                return Ok(());
            }
        }
    }

    fn give_failed(&mut self, file: FileId, error: String) -> Result<(), BatchError> {
        self.give_job(move || Batch {
            file,
            last: true,
            rows: 0,
            outcome: Err(error),
        })
    }

    fn give(
        &mut self,
        file: FileId,
        last: bool,
        rows: u64,
        render: impl FnOnce() -> Result<Rendered, BadValue> + Send + 'static,
    ) -> Result<(), BatchError> {
        self.give_job(move || Batch {
            file,
            last,
            rows,
            outcome: render().map_err(|bad| bad.to_string()),
        })
    }

    fn give_job(&mut self, job: impl FnOnce() -> Batch + Send + 'static) -> Result<(), BatchError> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(BatchError::Interrupted);
        }
        match self.renders.give(job) {
            Some(batch) => self.take_batch(batch),
            None => Ok(()),
        }
    }

    /// True for a file of an earlier run whose records need not even be looked at.
    fn is_done_with(&self, file: FileId) -> bool {
        let is_counted = self.counted_anew.contains(&(file.entity, file.relation));
        !(self.collects || is_counted)
            && self
                .finished
                .contains(&(file.entity, file.relation, file.batch))
    }
}
