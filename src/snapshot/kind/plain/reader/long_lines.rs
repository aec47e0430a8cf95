//! Lines that are too long for one chunk, and rows and statements that are larger than the run allows.

use super::super::copy_block::Pieced;
use super::*;
use crate::snapshot::error::Position;

impl Reader<'_> {
    /// Takes a piece of a long line. Rows that nobody needs are stepped over, of any length; everything else is put together
    /// first.
    pub(super) fn piece(&mut self, chunk: &Chunk) -> Result<ControlFlow<()>, SnapshotError> {
        self.offset = chunk.offset + chunk.len as u64;
        let State::Copy(block) = &mut self.state else {
            return self.other_piece(chunk);
        };
        let member = self.origin.member.as_ref();
        match block.piece(&mut self.long, chunk, member, self.sink) {
            Pieced::More => Ok(ControlFlow::Continue(())),
            Pieced::Line(line) => self.lines(&line),
            Pieced::Stopped => Ok(ControlFlow::Break(())),
            Pieced::UnneededRow(row, offset) => {
                let table = Some(block.table.to_string());
                let reason = "the row has too few or too many columns";
                let damage = self.damaged(table, Some(row), offset, reason);
                Ok((self.sink)(Event::Damage(damage)))
            }
        }
    }

    /// As [`Reader::piece`], of a line outside of the rows of `COPY`.
    fn other_piece(&mut self, chunk: &Chunk) -> Result<ControlFlow<()>, SnapshotError> {
        let line = self.long.get_or_insert_with(|| LongLine::new(chunk, true));
        let (offset, length) = (line.offset(), line.length());
        if matches!(self.state, State::Noise) && length > NOISE {
            return Err(self.not_a_snapshot("it does not begin like a dump"));
        }
        if !line.push(chunk, bounds::row()) {
            return Err(self.too_long("the line", offset));
        }
        match (chunk.piece, self.long.take()) {
            (Piece::More, line) => self.long = line,
            (Piece::Lines | Piece::Last, line) => {
                if let Some(line) = line.and_then(LongLine::into_chunk) {
                    return self.lines(&line);
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What stands here is longer than the run allows.
    pub(super) fn too_long(&self, what: &str, offset: u64) -> SnapshotError {
        let (place, reason) = self.place_and_bound(what, offset);
        SnapshotError::TooLarge {
            place: Box::new(place),
            reason,
            tables: Vec::new(),
        }
    }

    fn place_and_bound(&self, what: &str, offset: u64) -> (Position, String) {
        let (table, row) = self.table_and_row();
        let place = Position {
            member: self.origin.member.clone(),
            table,
            row,
            offset: Some(offset),
            line: None,
        };
        (place, bounds::too_long(what, bounds::row()))
    }

    /// The row of an `INSERT` that is being read is longer than the run allows: the rest of it is stepped over.
    pub(super) fn row_too_long(&mut self) -> ControlFlow<()> {
        self.pending = Vec::new();
        self.over_bound = true;
        let (place, reason) = self.place_and_bound("the row", self.pending_offset);
        match &self.run {
            Some(run) => run.owners.too_large(place, reason, self.sink),
            None => ControlFlow::Continue(()),
        }
    }
}
