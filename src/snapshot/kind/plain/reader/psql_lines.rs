//! Commands of psql, between statements and inside of them.

use super::super::psql::PsqlLine;
use super::*;

impl Reader<'_> {
    /// Takes a line that begins with a backslash.
    pub(super) fn psql_line(&mut self, chunk: &Chunk, place: usize) -> Result<Step, SnapshotError> {
        let rest = &chunk.bytes()[place..];
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        self.pending.clear();
        self.pending_offset = chunk.offset_of(place);
        // What follows may be read on a condition, in another database, or not at all.
        if self.end_run().is_none() {
            return Ok(Step::Stopped);
        }
        let name: Vec<u8> = line[1..]
            .iter()
            .copied()
            .take_while(u8::is_ascii_alphabetic)
            .collect();
        let shown = || {
            self.at(&format!(
                "psql's command \\{}",
                String::from_utf8_lossy(&name)
            ))
        };
        match PsqlLine::read(line) {
            PsqlLine::Connect(arguments) => self.databases.connect(arguments),
            PsqlLine::Copy(arguments) => {
                let statement = [b"COPY ", arguments, b";"].concat();
                return self.begin_copy(chunk, &statement, place + end);
            }
            PsqlLine::Encoding(encoding) => {
                let encoding = encoding.strip_prefix(b"'").unwrap_or(encoding);
                let encoding = encoding.strip_suffix(b"'").unwrap_or(encoding);
                self.ddl
                    .set_encoding(&String::from_utf8_lossy(encoding))
                    .map_err(|fault| fault.at(self.origin.member.clone(), self.pending_offset))?;
            }
            PsqlLine::If => self.changes.conditions += 1,
            PsqlLine::EndIf => {
                self.changes.conditions = self.changes.conditions.saturating_sub(1);
            }
            PsqlLine::Autocommit(on) => self.changes.transaction.set_autocommit(on),
            PsqlLine::Quit => self.changes.quit = true,
            PsqlLine::Refused(reason) => return Err(self.unsupported(&shown(), reason)),
            PsqlLine::Other => {
                self.frame.comment(line);
            }
        }
        Ok(Step::At(place + end))
    }

    /// A command of psql stands in a statement: one that sends it off ends it as a semicolon does. `end` is behind the
    /// backslash. Gives the statement's text, and the end of the line.
    pub(super) fn psql_end<'c>(
        &mut self,
        chunk: &'c Chunk,
        place: usize,
        end: usize,
    ) -> Result<(Text<'c>, usize), SnapshotError> {
        let rest = &chunk.bytes()[end..];
        let letters = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let sends = [&b"g"[..], b"gx", b"gset", b"gdesc"].contains(&&rest[..letters]);
        if !(sends && matches!(self.state, State::Statement)) {
            return Err(self.unsupported(
                &self.at("a statement with a command of psql inside"),
                "only psql knows what comes of it; restore the dump into a server, and export from that",
            ));
        }
        self.scanner.leave_statement();
        self.keep(&chunk.bytes()[place..end - 1])?;
        self.pending.push(b';');
        let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        Ok((
            Text::Pending(std::mem::take(&mut self.pending)),
            end + line_end,
        ))
    }
}
