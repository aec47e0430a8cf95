//! SQL text as dumps hold it: where statements end, and the tokens of one.
//!
//! The end of a statement is found by the rules of psql, which is what restores plain dumps
//! (`psqlscan.l`): a semicolon outside quotes, comments and parentheses, and outside the body of a
//! routine that is written as `BEGIN ATOMIC … END`. A backslash outside of quotes and comments is never SQL: with it
//! a command of psql begins.

mod literal;
mod token;

pub(crate) use literal::{continued, dollar_quoted, unicode, unquote};
pub(crate) use token::{Token, tokens};

/// Where [`Scanner::scan`] stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// After the semicolon that ends the statement.
    Statement,
    /// After the word `VALUES`, or after the statement if it has none.
    Values,
    /// After a parenthesis that closes the outermost open one, or after the statement.
    Tuple,
    /// After the comment that is open.
    Comment,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Code,
    /// In `'…'`; with backslash escapes in `E'…'`.
    Quoted {
        escapes: bool,
    },
    /// After `E'…'`: a quote behind a line end continues it, escapes and all.
    AfterEscapes {
        line_end: bool,
    },
    /// In `"…"`.
    Name,
    Comment {
        depth: u32,
    },
    /// In a string between two of these tags, dollars included.
    Dollar(Vec<u8>),
}

/// Finds the ends of statements in a text that comes in pieces. Pieces must end at line ends.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    mode: Mode,
    parens: u32,
    /// How many of `BEGIN` and `CASE` are open in a routine's body.
    begins: u32,
    /// The first words of the statement, by what they are for a routine's definition.
    words: Vec<RoutineWord>,
    /// True after `SET standard_conforming_strings = off`: plain strings then have escapes too.
    pub(crate) escapes_everywhere: bool,
    /// The last stop was at a command of psql inside of the statement: its backslash is the last byte before the place.
    pub(crate) at_command: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RoutineWord {
    Create,
    Or,
    Replace,
    Routine,
    Other,
}

/// Bytes that can be stepped over in code.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < 256 {
        if is_word_byte(byte as u8) {
            plain[byte] = false;
        }
        byte += 1;
    }
    let others = b"'\"$();-/\\";
    let mut index = 0;
    while index < others.len() {
        plain[others[index] as usize] = false;
        index += 1;
    }
    plain
};

/// True for what a name or number may be made of. `$` may stand in a name, but not at its start.
const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn word_end(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start..];
    start
        + rest
            .iter()
            .position(|&byte| !is_word_byte(byte) && byte != b'$')
            .unwrap_or(rest.len())
}

/// The tag that begins a dollar-quoted string here, dollars included.
fn dollar_tag(bytes: &[u8]) -> Option<&[u8]> {
    let end = 1 + bytes[1..].iter().position(|&byte| !is_word_byte(byte))?;
    (bytes[end] == b'$' && !bytes[1].is_ascii_digit()).then(|| &bytes[..=end])
}

/// Where a comment `-- …` ends: at its line's end, which for PostgreSQL is a CR, too.
fn line_comment_end(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start..];
    start + memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())
}

/// The position of the first byte from `place` on that is neither white space nor in a comment. A comment that does
/// not end goes to the end of `bytes`.
pub(crate) fn skip_blank(bytes: &[u8], mut place: usize) -> usize {
    while let Some(byte) = bytes.get(place) {
        let rest = &bytes[place..];
        if byte.is_ascii_whitespace() {
            place += 1;
        } else if rest.starts_with(b"--") {
            place = line_comment_end(bytes, place);
        } else if rest.starts_with(b"/*") {
            let mut scanner = Scanner::default();
            scanner.open_comment();
            place = scanner
                .scan(bytes, place + 2, Stop::Comment)
                .unwrap_or(bytes.len());
        } else {
            break;
        }
    }
    place
}

impl Scanner {
    /// True between statements, and where no string or comment is open.
    pub(crate) fn is_in_code(&self) -> bool {
        self.mode == Mode::Code
    }

    /// A comment `/* … */` has begun before the place from which is scanned next.
    pub(crate) fn open_comment(&mut self) {
        self.mode = Mode::Comment { depth: 1 };
    }

    /// The statement is over, whatever is open in it.
    pub(crate) fn leave_statement(&mut self) {
        *self = Scanner {
            escapes_everywhere: self.escapes_everywhere,
            ..Scanner::default()
        };
    }

    /// Looks for `stop` from `start` on. Gives the position after it, or `None` where `bytes` end before;
    /// the search then goes on with the next piece.
    pub(crate) fn scan(&mut self, bytes: &[u8], start: usize, stop: Stop) -> Option<usize> {
        let mut place = start;
        while place < bytes.len() {
            match &mut self.mode {
                Mode::Code => {
                    let byte = bytes[place];
                    if PLAIN[usize::from(byte)] {
                        place += 1;
                        continue;
                    }
                    if let Some(end) = self.code(bytes, &mut place, stop) {
                        return Some(end);
                    }
                }
                Mode::Quoted { escapes: false } => place = self.close(bytes, place, b'\''),
                Mode::Quoted { escapes: true } => {
                    let found = memchr::memchr2(b'\'', b'\\', &bytes[place..]);
                    place = match found.map(|found| place + found) {
                        None => bytes.len(),
                        Some(found)
                            if bytes[found] == b'\\' || bytes.get(found + 1) == Some(&b'\'') =>
                        {
                            found + 2
                        }
                        Some(found) => {
                            self.mode = Mode::AfterEscapes { line_end: false };
                            found + 1
                        }
                    };
                }
                Mode::AfterEscapes { line_end } => {
                    let rest = &bytes[place..];
                    if rest[0].is_ascii_whitespace() {
                        *line_end |= matches!(rest[0], b'\n' | b'\r');
                        place += 1;
                    } else if rest.starts_with(b"--") {
                        place = line_comment_end(bytes, place);
                    } else if rest[0] == b'\'' && *line_end {
                        self.mode = Mode::Quoted { escapes: true };
                        place += 1;
                    } else {
                        self.mode = Mode::Code;
                    }
                }
                Mode::Name => place = self.close(bytes, place, b'"'),
                Mode::Comment { depth } => {
                    let found = memchr::memchr2(b'*', b'/', &bytes[place..]);
                    place = found.map_or(bytes.len(), |found| place + found);
                    if bytes[place..].starts_with(b"*/") {
                        *depth -= 1;
                        place += 2;
                        if *depth == 0 {
                            self.mode = Mode::Code;
                            if stop == Stop::Comment {
                                return Some(place);
                            }
                        }
                    } else if bytes[place..].starts_with(b"/*") {
                        *depth += 1;
                        place += 2;
                    } else {
                        place += 1;
                    }
                }
                Mode::Dollar(tag) => match memchr::memmem::find(&bytes[place..], tag) {
                    Some(found) => {
                        place += found + tag.len();
                        self.mode = Mode::Code;
                    }
                    None => place = bytes.len(),
                },
            }
        }
        None
    }

    /// Goes to the end of a quoted thing. A doubled quote ends one and begins the next, which comes to the same.
    fn close(&mut self, bytes: &[u8], place: usize, quote: u8) -> usize {
        match memchr::memchr(quote, &bytes[place..]) {
            Some(found) => {
                self.mode = Mode::Code;
                place + found + 1
            }
            None => bytes.len(),
        }
    }

    /// One step in code, at a byte that means something.
    fn code(&mut self, bytes: &[u8], place: &mut usize, stop: Stop) -> Option<usize> {
        let rest = &bytes[*place..];
        let mut length = 1;
        self.at_command = false;
        match rest[0] {
            b'\'' => {
                self.mode = Mode::Quoted {
                    escapes: self.escapes_everywhere,
                }
            }
            b'"' => self.mode = Mode::Name,
            b'(' => self.parens += 1,
            b')' => {
                self.parens = self.parens.saturating_sub(1);
                if self.parens == 0 && stop == Stop::Tuple {
                    return Some(*place + 1);
                }
            }
            b';' if self.parens == 0 && self.begins == 0 => {
                self.words.clear();
                return Some(*place + 1);
            }
            b'\\' => {
                self.at_command = true;
                return Some(*place + 1);
            }
            b'-' if rest.starts_with(b"--") => {
                length = line_comment_end(bytes, *place) - *place;
            }
            b'/' if rest.starts_with(b"/*") => {
                self.mode = Mode::Comment { depth: 1 };
                length = 2;
            }
            b'$' => {
                if let Some(tag) = dollar_tag(rest) {
                    length = tag.len();
                    self.mode = Mode::Dollar(tag.to_vec());
                }
            }
            byte if is_word_byte(byte) => {
                let end = word_end(bytes, *place);
                let word = &bytes[*place..end];
                length = word.len();
                if stop == Stop::Values && self.parens == 0 && word.eq_ignore_ascii_case(b"values")
                {
                    return Some(end);
                }
                if word.eq_ignore_ascii_case(b"e") && bytes.get(end) == Some(&b'\'') {
                    self.mode = Mode::Quoted { escapes: true };
                    length += 1;
                } else if stop == Stop::Statement {
                    self.routine_word(word);
                }
            }
            _ => {}
        }
        *place += length;
        None
    }

    fn routine_word(&mut self, word: &[u8]) {
        use RoutineWord::{Create, Or, Other, Replace, Routine};
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if self.words.len() < 4 {
            self.words.push(match () {
                () if is("create") => Create,
                () if is("or") => Or,
                () if is("replace") => Replace,
                () if is("function") || is("procedure") => Routine,
                () => Other,
            });
        }
        let routine = matches!(
            self.words[..],
            [Create, Routine, ..] | [Create, Or, Replace, Routine]
        );
        if !routine || self.parens > 0 {
            return;
        }
        if is("begin") || (is("case") && self.begins > 0) {
            self.begins += 1;
        } else if is("end") {
            self.begins = self.begins.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
