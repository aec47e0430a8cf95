//! Text from elsewhere (a snapshot, a server, a manifest, another program) as people and programs may be shown it.
//!
//! A name may hold anything: escape sequences that move the cursor, line ends that forge a line of a log, marks that turn
//! the direction of writing around. Whoever puts a name into a text uses [`visible`]. What leaves the program goes through
//! the other functions besides (`cli/stdout.rs`, `cli/console.rs`), so that nothing that was forgotten gets out.

/// Text from elsewhere as it may be shown in a line of text: control characters are escaped, so that a name cannot move the
/// cursor or end a line.
pub(crate) fn visible(text: &str) -> String {
    escaped(text, |_, _| false)
}

/// A text of several lines: as [`visible`], but for its line ends.
pub(crate) fn visible_lines(text: &str) -> String {
    escaped(text, |letter, _| letter == '\n')
}

/// A message, whose lines behind the first are set in by two blanks: every other line end was put there by a name.
pub(crate) fn visible_message(text: &str) -> String {
    escaped(text, |letter, rest| {
        letter == '\n' && rest.starts_with("  ")
    })
}

/// A line of a log as it is written by whoever colours it: its sequences for colours stay.
pub(crate) fn visible_coloured(text: &str) -> String {
    let mut pieces = text.split('\u{1b}');
    let mut shown = visible_message(pieces.next().unwrap_or_default());
    for piece in pieces {
        shown.push_str(match colour(piece) {
            Some(_) => "\u{1b}",
            None => "\\u{1b}",
        });
        shown.push_str(&visible_message(piece));
    }
    shown
}

/// JSON with the characters escaped that JSON itself lets through. They can stand in its texts alone.
pub(crate) fn visible_json(json: String) -> String {
    let is_shown = |letter: char| matches!(letter, '\n') || !is_hidden(letter);
    if json.chars().all(is_shown) {
        return json;
    }
    let mut shown = String::with_capacity(json.len());
    for letter in json.chars() {
        match is_shown(letter) {
            true => shown.push(letter),
            // All of them are in the first plane.
            false => shown.push_str(&format!("\\u{:04x}", u32::from(letter))),
        }
    }
    shown
}

/// A text in JSON's quotes, which are those of YAML and TOML, too.
pub(crate) fn visible_string(text: &str) -> String {
    visible_json(serde_json::Value::from(text).to_string())
}

/// A line of a log without its colours.
pub(crate) fn without_colours(text: &str) -> String {
    let mut pieces = text.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match colour(piece) {
            Some(behind) => plain.push_str(behind),
            None => {
                plain.push('\u{1b}');
                plain.push_str(piece);
            }
        }
    }
    plain
}

/// What stands behind the rest of a sequence for a colour, if this begins with one.
fn colour(text: &str) -> Option<&str> {
    let numbers = text.strip_prefix('[')?;
    numbers
        .trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ';')
        .strip_prefix('m')
}

fn escaped(text: &str, stays: impl Fn(char, &str) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        match letter {
            letter if !is_hidden(letter) => shown.push(letter),
            letter if stays(letter, &text[at + letter.len_utf8()..]) => shown.push(letter),
            letter if letter.is_control() => shown.extend(letter.escape_default()),
            letter => shown.extend(letter.escape_unicode()),
        }
    }
    shown
}

/// True for control characters (C0, DEL, C1), ends of lines and paragraphs, and marks that change the direction of what
/// follows.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2Jb\n\u{202e}ü\u{9b}1m\u{7f}\r\t\u{2028}";

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            visible(HOSTILE),
            "a\\u{1b}[2Jb\\n\\u{202e}ü\\u{9b}1m\\u{7f}\\r\\t\\u{2028}"
        );
    }

    #[test]
    fn line_ends_stay_where_a_text_has_its_own() {
        assert_eq!(visible_lines("a\nb\u{7}\n"), "a\nb\\u{7}\n");
        assert_eq!(
            visible_message("cannot read a\nerror: b\n  do this"),
            "cannot read a\\nerror: b\n  do this"
        );
    }

    #[test]
    fn colours_stay_and_no_other_sequence() {
        assert_eq!(
            visible_coloured("\u{1b}[33mWARN\u{1b}[0m a\u{1b}[2Jb\u{1b}]0;t\u{7}\u{1b}"),
            "\u{1b}[33mWARN\u{1b}[0m a\\u{1b}[2Jb\\u{1b}]0;t\\u{7}\\u{1b}"
        );
    }

    #[test]
    fn a_line_is_told_to_others_without_colours() {
        let line = "\u{1b}[33m WARN\u{1b}[0m \u{1b}[1;3ma\u{1b}[2Jb";
        assert_eq!(without_colours(line), " WARN a\u{1b}[2Jb");
    }

    #[test]
    fn a_text_in_quotes_is_yaml_and_toml() {
        assert_eq!(visible_string("a\"\u{9b}\n"), r#""a\"\u009b\n""#);
    }

    #[test]
    fn json_says_the_same_without_a_control_character() {
        let json = serde_json::to_string_pretty(&[HOSTILE]).unwrap();
        assert!(
            json.chars()
                .any(|letter| letter != '\n' && is_hidden(letter))
        );
        let shown = visible_json(json);
        assert!(
            shown
                .chars()
                .all(|letter| letter == '\n' || !is_hidden(letter))
        );
        let back: Vec<String> = serde_json::from_str(&shown).unwrap();
        assert_eq!(back, [HOSTILE]);
    }
}
