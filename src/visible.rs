//! Text from a snapshot on a terminal.

/// Text from a snapshot as it may be shown on a terminal: control characters are escaped, so that a name cannot
/// move the cursor or end a line.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            // Marks that change the direction of what follows are no better than control characters.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(letter.escape_unicode());
            }
            letter if letter.is_control() => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            visible("a\u{1b}[2Jb\n\u{202e}ü"),
            "a\\u{1b}[2Jb\\n\\u{202e}ü"
        );
    }
}
