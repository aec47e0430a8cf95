//! Names as Rails writes them for people.

/// A name as Rails' `titleize` has it, without acronyms: `my-org` is `My Org`, `HTTPServer_id` is `Http Server`.
pub fn titleize(name: &str) -> String {
    capitalize(&humanize(&underscore(name)))
}

/// `underscore`: words in lower case between underscores.
fn underscore(name: &str) -> String {
    let is_telling = |c: char| c.is_ascii_uppercase() || c == '-';
    if !name.contains(is_telling) && !name.contains("::") {
        return name.to_owned();
    }
    let chars: Vec<char> = name.replace("::", "/").chars().collect();
    let mut words = String::with_capacity(name.len() + 4);
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| chars.get(before));
        let is_before = |wanted: fn(&char) -> bool| before.is_some_and(wanted);
        let after = chars.get(at + 1);
        let begins = c.is_ascii_uppercase()
            && (is_before(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
                || (is_before(char::is_ascii_uppercase)
                    && after.is_some_and(char::is_ascii_lowercase)));
        if begins {
            words.push('_');
        }
        words.push(if *c == '-' { '_' } else { *c });
    }
    words.to_lowercase()
}

/// `humanize`: spaces for underscores, no `_id` at the end, ASCII words in lower case but the first letter.
fn humanize(word: &str) -> String {
    let spaced = word.replace('_', " ");
    let spaced = spaced.trim_start_matches(['\0', '\t', '\n', '\x0b', '\x0c', '\r', ' ']);
    let kept = spaced.strip_suffix(" id").filter(|_| word.ends_with("_id"));
    let mut text = kept.unwrap_or(spaced).to_ascii_lowercase();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// ASCII letters that begin a word in upper case; one behind an apostrophe or a bracket does not, if a letter is before
/// that.
fn capitalize(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_ascii_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut before_last, mut last) = (None, None);
    let mut title = String::with_capacity(text.len());
    for c in text.chars() {
        let joined = matches!(last, Some('\'' | '’' | '`' | '(' | ')'))
            && before_last.is_some_and(is_ascii_word);
        let begins = c.is_ascii_lowercase() && !last.is_some_and(is_word) && !joined;
        title.push(if begins { c.to_ascii_uppercase() } else { c });
        (before_last, last) = (last, Some(c));
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_titles() {
        // Ruby 3.1 made these, with the methods of ActiveSupport 7.1.
        let cases = [
            ("", ""),
            ("my-org", "My Org"),
            ("my_project", "My Project"),
            ("MyProject", "My Project"),
            ("HTTPServer_id", "Http Server"),
            ("a-b--c", "A B  C"),
            ("_x", "X"),
            ("id", "Id"),
            ("x_id", "X"),
            ("it's-mine", "It's Mine"),
            ("x(y)", "X(y)"),
            ("(y)", "(Y)"),
            ("été", "été"),
            ("Été-Name", "été Name"),
            ("2nd-try", "2nd Try"),
            ("a.b", "A.B"),
            ("JSON-api", "Json Api"),
            ("x’s", "X’s"),
            ("a::B", "A/B"),
            ("ÄRGER-x", "ärger X"),
            ("ÄRGER x", "ärger X"),
            ("user_ID", "User"),
            ("-id", "Id"),
            ("v1B2", "V1 B2"),
            ("é'a", "é'A"),
            ("naïve-b", "Naïve B"),
            ("AbCD", "Ab Cd"),
            ("x  y", "X  Y"),
            ("ǅ-a", "ǆ A"),
        ];
        for (name, title) in cases {
            assert_eq!(titleize(name), title, "{name:?}");
        }
    }
}
