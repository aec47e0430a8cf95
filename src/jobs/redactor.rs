//! What may be told of a text that comes from elsewhere: no secret of a job, and nothing that moves a terminal's cursor.

use super::secret::{HIDDEN, Secret};

/// The shortest text that is looked for: a shorter one would be found in every other word.
const SHORTEST: usize = 4;

/// Takes a job's secrets out of texts.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    /// The longest first, so that one that holds another is taken out whole.
    secrets: Vec<String>,
}

impl Redactor {
    /// Knows these secrets. Of one with several lines, such as a private key, each line is one.
    pub(crate) fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Redactor {
        let texts = secrets.into_iter().map(Secret::expose);
        let lines = texts.flat_map(|text| std::iter::once(text).chain(text.lines()));
        let mut secrets: Vec<String> = lines
            .map(str::trim)
            .filter(|line| line.len() >= SHORTEST)
            .map(str::to_owned)
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Redactor { secrets }
    }

    /// A text without secrets, and without control characters but for line ends and tabs.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        without_control(&text)
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Redactor of {} secrets", self.secrets.len())
    }
}

/// Leaves out control characters, and the whole of what colours a text for a terminal.
fn without_control(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\n' | '\t' => clean.push(letter),
            // ECMA-48: parameters and intermediates up to a final byte.
            '\u{1b}' if letters.peek() == Some(&'[') => {
                letters.next();
                while letters.next_if(|next| (' '..='?').contains(next)).is_some() {}
                letters.next_if(|next| ('@'..='~').contains(next));
            }
            letter if letter.is_control() => {}
            letter => clean.push(letter),
        }
    }
    clean
}

/// The end of a text that has at most so many bytes; a line that is cut off is left out, unless there is no other.
pub(crate) fn end_of(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let begin = (text.len() - most..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    let end = &text[begin..];
    match end.split_once('\n') {
        Some((_, whole)) if !whole.is_empty() => whole,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_the_longest_first_and_line_by_line() {
        let secrets = ["hunter", "hunter22", "abc", "-----KEY\nMIIEow\n-----END"].map(Secret::new);
        let redactor = Redactor::new(&secrets);
        assert_eq!(
            redactor.clean("hunter22 hunter abc MIIEow\n"),
            "*** *** abc ***\n"
        );
        assert_eq!(format!("{redactor:?}"), "Redactor of 6 secrets");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        let clean =
            Redactor::default().clean("\u{1b}[1;31mred\u{1b}[0m\r\u{7}\u{9b}2J a\tb\n\u{1b}");
        assert_eq!(clean, "red2J a\tb\n");
    }

    #[test]
    fn the_end_of_a_text_begins_with_a_line() {
        for (text, most, end) in [
            ("one\ntwo\n", 100, "one\ntwo\n"),
            ("one\ntwo\n", 6, "two\n"),
            ("one\ntwo\n", 4, "two\n"),
            ("ääää", 3, "ä"),
            ("long line\n", 4, "ine\n"),
        ] {
            assert_eq!(end_of(text, most), end, "{text:?} {most}");
        }
    }
}
