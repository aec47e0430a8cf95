//! Encodings other than UTF-8: text of dumps becomes UTF-8 before anybody looks at it.
//!
//! pg_dump writes in the encoding of its session and says so (`SET client_encoding`, in archives the entry
//! ENCODING). In some encodings the second byte of a character may be a backslash, so rows are split
//! after the conversion only. A line end is never part of a character, so whole lines can be converted one by one.
//!
//! A byte that is no character in its encoding becomes [`NO_CHARACTER`], which is never valid in UTF-8. So it fails the row
//! that holds it, at the place where the row is rendered, and no other row.

mod charsets;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use charsets::{CHARSETS, COUNT, Patch};

/// What a byte becomes that is no character in its encoding.
pub(crate) const NO_CHARACTER: u8 = 0xff;

/// Bytes between two marks by which places are found again.
const STRETCH: usize = 512;

/// The encoding of a dump's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    /// UTF-8, which is not converted. Also SQL_ASCII, which says nothing of the bytes beyond ASCII: whoever
    /// needs them as text sees whether they are UTF-8.
    #[default]
    Utf8,
    /// Index of [`CHARSETS`].
    Other(usize),
}

/// An encoding that is converted.
struct Charset {
    /// PostgreSQL's name and its other ones, without underscores where it leaves them out itself.
    names: &'static [&'static str],
    form: Form,
    library: &'static encoding_rs::Encoding,
    /// Where PostgreSQL's table differs from the library's.
    patches: &'static [Patch],
}

/// How many bytes a character has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One.
    Single,
    /// One or two. The second may be one of ASCII from 0x40 on.
    Double,
    /// One of ASCII, or two from 0xa1 on.
    Euc,
    /// As `Euc`; also 0x8e and a byte, and 0x8f and two bytes.
    EucJp,
    /// As `Double`, or four, of which the second and fourth are digits.
    Gb18030,
}

/// The characters of an encoding; 0 where there is none.
struct Tables {
    form: Form,
    library: &'static encoding_rs::Encoding,
    patches: &'static [Patch],
    singles: Vec<u32>,
    /// By both bytes. Empty where there are none.
    doubles: Vec<u32>,
    /// By the two bytes behind 0x8f.
    triples: Vec<u32>,
}

impl Encoding {
    /// The encoding of a name that PostgreSQL knows, written as it may be (`latin1`, `ISO 8859-1`). `None` where
    /// nothing converts it.
    pub(crate) fn named(name: &str) -> Option<Encoding> {
        let plain = |name: &str| -> String {
            let letters = name.chars().filter(char::is_ascii_alphanumeric);
            letters.map(|letter| letter.to_ascii_uppercase()).collect()
        };
        let name = plain(name);
        if ["UTF8", "UNICODE", "SQLASCII"].contains(&name.as_str()) {
            return Some(Encoding::Utf8);
        }
        let has_name = |charset: &Charset| charset.names.iter().any(|known| plain(known) == name);
        CHARSETS.iter().position(has_name).map(Encoding::Other)
    }

    /// A text in UTF-8.
    pub(crate) fn text(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self.tables().filter(|_| !bytes.is_ascii()) {
            None => Cow::Borrowed(bytes),
            Some(tables) => {
                let mut text = Vec::with_capacity(bytes.len() * 2);
                tables.convert(bytes, usize::MAX, &mut text);
                Cow::Owned(text)
            }
        }
    }

    /// Whole lines of a buffer in UTF-8, and where they come from; `None` where they are UTF-8 already. `offset` is where
    /// the buffer begins in the decompressed source.
    pub(crate) fn lines(
        self,
        buffer: &Arc<Vec<u8>>,
        range: Range<usize>,
        offset: u64,
    ) -> Option<(Vec<u8>, Converted)> {
        let tables = self.tables()?;
        match buffer[range.clone()].is_ascii() {
            true => None,
            false => Some(tables.lines(buffer, range, offset)),
        }
    }

    /// Made when they are first needed, and then kept.
    fn tables(self) -> Option<&'static Tables> {
        static TABLES: [OnceLock<Tables>; COUNT] = [const { OnceLock::new() }; COUNT];
        match self {
            Encoding::Utf8 => None,
            Encoding::Other(index) => {
                Some(TABLES[index].get_or_init(|| Tables::new(&CHARSETS[index])))
            }
        }
    }
}

/// Where the text of a chunk or block comes from, so that messages can name places in the snapshot.
#[derive(Debug)]
pub struct Converted {
    encoding: &'static Tables,
    raw: Arc<Vec<u8>>,
    /// Where the buffer begins in the decompressed source.
    offset: u64,
    /// Positions in the text and, beside them, in `raw`, every [`STRETCH`] bytes or so.
    marks: Vec<(usize, usize)>,
}

impl Converted {
    /// Where a position of the text stands in the decompressed source, in bytes from its start.
    pub(crate) fn offset_of(&self, place: usize) -> u64 {
        let next = self.marks.partition_point(|(text, _)| *text <= place);
        let (text, raw) = self.marks[next.saturating_sub(1)];
        let mut walked = Vec::new();
        let length = self
            .encoding
            .convert(&self.raw[raw..], place - text, &mut walked);
        self.offset + (raw + length) as u64
    }
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.library.name())
    }
}

impl Tables {
    fn new(charset: &Charset) -> Self {
        let mut tables = Tables {
            form: charset.form,
            library: charset.library,
            patches: charset.patches,
            singles: (0..0x100)
                .map(|byte| if byte < 0x80 { byte } else { 0 })
                .collect(),
            doubles: Vec::new(),
            triples: Vec::new(),
        };
        let least = match charset.form {
            Form::Single => 0x100,
            Form::Double | Form::Gb18030 => 0x40,
            Form::Euc | Form::EucJp => 0xa1,
        };
        if !matches!(charset.form, Form::Euc | Form::EucJp) {
            for byte in 0x80..=0xff {
                tables.singles[usize::from(byte)] = tables.look_up(&[byte]);
            }
        }
        if charset.form != Form::Single {
            tables.doubles = vec![0; 0x1_0000];
            for code in 0x8000..=0xffff_u16 {
                let [first, second] = code.to_be_bytes();
                let is_lead = match charset.form {
                    Form::Euc => first >= 0xa1,
                    Form::EucJp => first >= 0xa1 || first == 0x8e,
                    _ => tables.singles[usize::from(first)] == 0,
                };
                if is_lead && u16::from(second) >= least {
                    tables.doubles[usize::from(code)] = tables.look_up(&[first, second]);
                }
            }
        }
        if charset.form == Form::EucJp {
            tables.triples = vec![0; 0x1_0000];
            for code in 0xa1a1..=0xfefe_u16 {
                let [second, third] = code.to_be_bytes();
                if third >= 0xa1 {
                    tables.triples[usize::from(code)] = tables.look_up(&[0x8f, second, third]);
                }
            }
        }
        tables
    }

    /// The character of these bytes, 0 where they are none.
    fn look_up(&self, bytes: &[u8]) -> u32 {
        let code = bytes
            .iter()
            .fold(0, |code, byte| code << 8 | u32::from(*byte));
        let patch = self
            .patches
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&code));
        if let Some((first, _, character)) = patch {
            return match character {
                0 => 0,
                character => character + (code - first),
            };
        }
        let decoded = self
            .library
            .decode_without_bom_handling_and_without_replacement(bytes);
        let mut characters = decoded.as_deref().unwrap_or_default().chars();
        match (characters.next(), characters.next()) {
            (Some(only), None) => u32::from(only),
            _ => 0,
        }
    }

    /// Converts a part of a buffer, which ends with a line, and notes where things come from.
    fn lines(
        &'static self,
        buffer: &Arc<Vec<u8>>,
        range: Range<usize>,
        offset: u64,
    ) -> (Vec<u8>, Converted) {
        let mut text = Vec::with_capacity(range.len() + range.len() / 2);
        let mut marks = Vec::with_capacity(range.len() / STRETCH + 1);
        let mut raw = range.start;
        while raw < range.end {
            marks.push((text.len(), raw));
            raw += self.convert(&buffer[raw..range.end], STRETCH, &mut text);
        }
        let converted = Converted {
            encoding: self,
            raw: Arc::clone(buffer),
            offset,
            marks,
        };
        (text, converted)
    }

    /// Appends text of at least `most` bytes, or all that there is, and gives how many bytes it came from.
    fn convert(&self, bytes: &[u8], most: usize, text: &mut Vec<u8>) -> usize {
        let begin = text.len();
        let mut place = 0;
        while place < bytes.len() {
            let room = most.saturating_sub(text.len() - begin);
            if room == 0 {
                break;
            }
            let rest = &bytes[place..];
            let rest = &rest[..rest.len().min(room)];
            let plain = encoding_rs::Encoding::ascii_valid_up_to(rest);
            if plain > 0 {
                text.extend_from_slice(&rest[..plain]);
                place += plain;
                continue;
            }
            let (character, length) = self.character(&bytes[place..]);
            match char::from_u32(character).filter(|character| *character != '\0') {
                Some(character) => {
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                None => text.extend(std::iter::repeat_n(NO_CHARACTER, length)),
            }
            place += length;
        }
        place
    }

    /// The character that `bytes`, which begin with one beyond ASCII, begin with, and how many bytes it has. 0 where it is
    /// none: the bytes are then those that would be one by the encoding's form.
    fn character(&self, bytes: &[u8]) -> (u32, usize) {
        let first = bytes[0];
        let single = self.singles[usize::from(first)];
        if single != 0 || self.form == Form::Single {
            return (single, 1);
        }
        let Some(&second) = bytes.get(1) else {
            return (0, 1);
        };
        if self.form == Form::EucJp && first == 0x8f {
            return match bytes.get(2) {
                Some(third) if second >= 0xa1 && *third >= 0xa1 => (
                    self.triples[usize::from(u16::from_be_bytes([second, *third]))],
                    3,
                ),
                _ => (0, 1),
            };
        }
        if self.form == Form::Gb18030 && second.is_ascii_digit() {
            return match bytes.get(2..4) {
                Some([0x81..=0xfe, b'0'..=b'9']) => (self.look_up(&bytes[..4]), 4),
                _ => (0, 1),
            };
        }
        let is_trail = match self.form {
            Form::Euc | Form::EucJp => second >= 0xa1,
            _ => second >= 0x40,
        };
        match is_trail && first > 0x80 {
            true => (
                self.doubles[usize::from(u16::from_be_bytes([first, second]))],
                2,
            ),
            false => (0, 1),
        }
    }
}

#[cfg(test)]
mod tests;
