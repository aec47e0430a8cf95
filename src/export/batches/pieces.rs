//! Content on its way into files: cut into pieces, compressed on the pool, handed on in order.

use super::{BatchError, Batches, Compressed};
use crate::output::{Done, FileId, GzipLevel, Message, PIECE, Piece, deflate};
use crate::pipeline::Form;

impl Batches<'_> {
    /// Adds content to a file: whole pieces go to the pool, the rest waits for more.
    pub(super) fn append(&mut self, file: FileId, content: &[u8]) -> Result<(), BatchError> {
        let mut rest = content;
        while self.open_file.content.len() + rest.len() >= PIECE {
            let (fill, behind) = rest.split_at(PIECE - self.open_file.content.len());
            let empty = Vec::with_capacity(PIECE);
            let mut piece = std::mem::replace(&mut self.open_file.content, empty);
            piece.extend_from_slice(fill);
            rest = behind;
            self.compress(file, piece, None)?;
        }
        self.open_file.content.extend_from_slice(rest);
        Ok(())
    }

    /// Gives a piece to the pool; `done` goes with the last one of a file.
    pub(super) fn compress(
        &mut self,
        file: FileId,
        content: Vec<u8>,
        done: Option<Done>,
    ) -> Result<(), BatchError> {
        let done = done.map(Box::new);
        if !self.sink.wants_content() {
            let piece = Piece::counted(content.len() as u64);
            return self.take_compressed(Compressed::Piece(file, piece, done));
        }
        let level = self.level_of(file);
        let oldest = self
            .compressions
            .give(move || Compressed::Piece(file, deflate(&content, level), done));
        self.take_oldest(oldest)
    }

    /// Bundles are compressed in themselves, and so are most other files.
    fn level_of(&self, file: FileId) -> GzipLevel {
        match self.resolved.plan.relations[file.relation].form {
            Form::Lines | Form::Single | Form::Object => self.options.gzip_level,
            Form::Archive(archive) if archive.holds_many() => GzipLevel::FASTEST,
            Form::Archive(_) => GzipLevel::STORED,
        }
    }

    /// Says that a file failed, behind what the pool still has of its pieces.
    pub(super) fn fail_behind_pieces(
        &mut self,
        file: FileId,
        error: String,
    ) -> Result<(), BatchError> {
        if !self.sink.wants_content() {
            return self.take_compressed(Compressed::Failed(file, error));
        }
        let oldest = self
            .compressions
            .give(move || Compressed::Failed(file, error));
        self.take_oldest(oldest)
    }

    /// Hands on what came back of the jobs, which are in order.
    fn take_oldest(&mut self, oldest: Option<Compressed>) -> Result<(), BatchError> {
        match oldest {
            Some(compressed) => self.take_compressed(compressed),
            None => Ok(()),
        }
    }

    pub(super) fn take_compressed(&mut self, compressed: Compressed) -> Result<(), BatchError> {
        match compressed {
            Compressed::Piece(file, piece, done) => {
                self.send(Message::Piece(file, piece))?;
                match done {
                    Some(done) => self.send(Message::Done(file, done)),
                    None => Ok(()),
                }
            }
            Compressed::Failed(file, error) => self.send(Message::Failed(file, error)),
        }
    }
}
