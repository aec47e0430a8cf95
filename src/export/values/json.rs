//! json and jsonb: the value itself, compact.
//!
//! White space between tokens goes, keys stay in stored order, number tokens stay as they are
//! written (a number of any length keeps all its digits), and strings are escaped anew by the rules
//! of [`super::text`]. A `json` column keeps the text that was put in, so it can hold double keys
//! and lone surrogates; both are kept.
//!
//! The reader keeps its place on an explicit stack of one byte a level: nesting costs no call stack
//! and has no limit but the field's length.

use super::ValueError;
use super::float::json_number_length;
use super::text::{escape, run_length};
use crate::hex;

/// Appends a JSON value.
///
/// # Errors
/// [`ValueError::InvalidJson`] and [`ValueError::InvalidUtf8`]; `out` may then hold a part of the value.
pub(super) fn write(text: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(ValueError::InvalidUtf8 {
            at: error.valid_up_to(),
        });
    }
    out.reserve(text.len());
    Compactor { text, at: 0, out }.write_value()
}

/// What may come next.
#[derive(Clone, Copy)]
enum Expect {
    Value,
    /// A value or the array's end.
    FirstValue,
    Key,
    /// A key or the object's end.
    FirstKey,
    /// A comma, the end of what is open, or the end of the text.
    Separator,
}

/// Copies tokens from valid UTF-8.
struct Compactor<'a> {
    text: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
}

impl Compactor<'_> {
    fn write_value(&mut self) -> Result<(), ValueError> {
        // The brackets that are still to come, innermost last.
        let mut open = Vec::new();
        let mut expect = Expect::Value;
        loop {
            self.skip_space();
            let Some(byte) = self.peek() else {
                let complete = matches!(expect, Expect::Separator) && open.is_empty();
                return if complete { Ok(()) } else { self.refuse() };
            };
            expect = match (expect, byte) {
                (Expect::Value | Expect::FirstValue, b'{') => {
                    self.copy(1);
                    open.push(b'}');
                    Expect::FirstKey
                }
                (Expect::Value | Expect::FirstValue, b'[') => {
                    self.copy(1);
                    open.push(b']');
                    Expect::FirstValue
                }
                (Expect::FirstValue | Expect::FirstKey | Expect::Separator, b']' | b'}')
                    if open.last() == Some(&byte) =>
                {
                    self.copy(1);
                    open.pop();
                    Expect::Separator
                }
                (Expect::Value | Expect::FirstValue, _) => {
                    self.write_scalar()?;
                    Expect::Separator
                }
                (Expect::Key | Expect::FirstKey, b'"') => {
                    self.write_string()?;
                    self.skip_space();
                    if self.peek() != Some(b':') {
                        return self.refuse();
                    }
                    self.copy(1);
                    Expect::Value
                }
                (Expect::Separator, b',') => {
                    let next = match open.last() {
                        Some(b'}') => Expect::Key,
                        Some(_) => Expect::Value,
                        None => return self.refuse(),
                    };
                    self.copy(1);
                    next
                }
                _ => return self.refuse(),
            };
        }
    }

    fn write_scalar(&mut self) -> Result<(), ValueError> {
        let rest = &self.text[self.at..];
        let length = match rest {
            [b'"', ..] => return self.write_string(),
            [b't', b'r', b'u', b'e', ..] | [b'n', b'u', b'l', b'l', ..] => 4,
            [b'f', b'a', b'l', b's', b'e', ..] => 5,
            _ => match json_number_length(rest) {
                Some(length) => length,
                None => return self.refuse(),
            },
        };
        self.copy(length);
        Ok(())
    }

    /// Copies a string; `at` is on its first quote.
    fn write_string(&mut self) -> Result<(), ValueError> {
        self.copy(1);
        loop {
            self.copy(run_length(&self.text[self.at..]));
            match self.text[self.at..] {
                [b'"', ..] => {
                    self.copy(1);
                    return Ok(());
                }
                [b'\\', b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.copy(2),
                [b'\\', b'/', ..] => {
                    self.out.push(b'/');
                    self.at += 2;
                }
                [b'\\', b'u', ..] => self.write_unicode_escape()?,
                // Control bytes must not stand raw in JSON.
                [] | [b'\\' | ..=0x1f, ..] => return self.refuse(),
                // U+2028 or U+2029, the only character of several bytes that a run stops at.
                [0xe2, ..] => {
                    escape(&self.text[self.at..self.at + 3], self.out);
                    self.at += 3;
                }
                [byte, ..] => {
                    escape(&[byte], self.out);
                    self.at += 1;
                }
            }
        }
    }

    /// Writes what `\uxxxx`, or a pair of them, stands for. A surrogate that has no partner stays
    /// an escape.
    fn write_unicode_escape(&mut self) -> Result<(), ValueError> {
        let Some(unit) = code_unit(&self.text[self.at..]) else {
            return self.refuse();
        };
        self.at += 6;
        let partner = match unit {
            0xd800..=0xdbff => {
                code_unit(&self.text[self.at..]).filter(|unit| (0xdc00..=0xdfff).contains(unit))
            }
            _ => None,
        };
        let units = [unit, partner.unwrap_or_default()];
        let units = &units[..1 + usize::from(partner.is_some())];
        for decoded in char::decode_utf16(units.iter().copied()) {
            match decoded {
                Ok(character) => escape(character.encode_utf8(&mut [0; 4]).as_bytes(), self.out),
                Err(_) => {
                    self.out.extend_from_slice(br"\u");
                    hex::push((unit >> 8) as u8, self.out);
                    hex::push((unit & 0xff) as u8, self.out);
                }
            }
        }
        if partner.is_some() {
            self.at += 6;
        }
        Ok(())
    }

    fn copy(&mut self, length: usize) {
        self.out
            .extend_from_slice(&self.text[self.at..self.at + length]);
        self.at += length;
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn refuse<T>(&self) -> Result<T, ValueError> {
        Err(ValueError::InvalidJson { at: self.at })
    }
}

/// The UTF-16 code unit of the `\uxxxx` that `text` begins with.
fn code_unit(text: &[u8]) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = text else {
        return None;
    };
    let digits = digits.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(unit << 4 | digit as u16)
    })
}

#[cfg(test)]
mod tests;
