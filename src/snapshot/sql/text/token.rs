//! Tokens of SQL text.

use super::*;

/// A token of a statement. Comments are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword or an unquoted name, in lower case; a number.
    Word(String),
    /// A quoted name.
    Name(String),
    /// The value of a string.
    Text(String),
    Symbol(u8),
}

impl Token {
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(found) if found == word)
    }
}

/// The tokens of a text. What is not UTF-8 is replaced; a string that does not end, ends with the text.
pub(crate) fn tokens(bytes: &[u8]) -> Vec<Token> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut tokens = Vec::new();
    let mut scanner = Scanner::default();
    let mut place = 0;
    while place < bytes.len() {
        let start = place;
        let byte = bytes[place];
        if byte.is_ascii_whitespace() {
            place += 1;
            continue;
        }
        // One step of the scanner opens a quoted thing, the loop goes to its end.
        scanner.code(bytes, &mut place, Stop::Statement);
        if start == place {
            place += 1;
        }
        if scanner.is_in_code() {
            match byte {
                b'-' | b'/' if place - start > 1 => {}
                _ if is_word_byte(byte) => {
                    tokens.push(Token::Word(text(&bytes[start..place]).to_ascii_lowercase()))
                }
                _ => tokens.push(Token::Symbol(byte)),
            }
            continue;
        }
        match std::mem::take(&mut scanner.mode) {
            Mode::Dollar(tag) => {
                let length = memchr::memmem::find(&bytes[place..], &tag);
                let end = length.map_or(bytes.len(), |length| place + length);
                tokens.push(Token::Text(text(&bytes[place..end])));
                place = (end + tag.len()).min(bytes.len());
            }
            mode @ Mode::Comment { .. } => {
                scanner.mode = mode;
                while place < bytes.len() && !scanner.is_in_code() {
                    place = scanner
                        .scan(bytes, place, Stop::Comment)
                        .unwrap_or(bytes.len());
                }
            }
            Mode::Name => {
                let (mut value, end) = unquote(bytes, place, b'"', false);
                // `U&"d\0061ta"`.
                if let [.., Token::Word(letter), Token::Symbol(b'&')] = &tokens[..]
                    && letter == "u"
                    && bytes[..start].ends_with(b"&")
                    && let Some(plain) = unicode(&value)
                {
                    value = plain;
                    tokens.truncate(tokens.len() - 2);
                }
                tokens.push(Token::Name(text(&value)));
                place = end;
            }
            mode => {
                let escapes = mode == Mode::Quoted { escapes: true };
                let (mut value, mut end) = unquote(bytes, place, b'\'', escapes);
                while let Some(next) = continued(bytes, end) {
                    let (more, after) = unquote(bytes, next, b'\'', escapes);
                    value.extend_from_slice(&more);
                    end = after;
                }
                tokens.push(Token::Text(text(&value)));
                place = end;
            }
        }
    }
    tokens
}
