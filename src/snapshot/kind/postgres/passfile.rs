//! The password file (`~/.pgpass`): lines of `host:port:database:user:password`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The password of the first line that fits; `None` where none does, or the file is not there or may not be used.
///
/// A file that others may read is not used, as in libpq; that is logged, for it is the usual reason why a
/// password is not found.
pub(super) fn find(path: &Path, wanted: [&str; 4]) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() {
        tracing::warn!("the password file {} is no plain file", path.display());
        return None;
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(
            "the password file {} can be read by others, so it is not used; chmod 0600 it",
            path.display()
        );
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| password(line, wanted))
}

/// The password of a line that fits.
fn password(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    for wanted in wanted {
        let (field, behind, is_star) = field(rest);
        if !is_star && field != wanted {
            return None;
        }
        rest = behind?;
    }
    // The password goes on to the line's end, colons too.
    let (mut password, mut letters) = (String::new(), rest.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => password.extend(letters.next()),
            letter => password.push(letter),
        }
    }
    Some(password).filter(|password| !password.is_empty())
}

/// The first field of a line, what is behind its colon, and whether it is a `*` for anything.
fn field(line: &str) -> (String, Option<&str>, bool) {
    let mut field = String::new();
    let mut letters = line.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            ':' => return (field, Some(&line[place + 1..]), line.starts_with("*:")),
            '\\' => field.extend(letters.next().map(|(_, letter)| letter)),
            letter => field.push(letter),
        }
    }
    (field, None, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_by_field_star_and_escape() {
        let wanted = ["db.example", "5432", "git:lab", "me"];
        let cases = [
            ("db.example:5432:git\\:lab:me:pw", Some("pw")),
            ("*:*:*:*:p:w\\\\x\\:", Some("p:w\\x:")),
            ("*:5432:*:me:pw", Some("pw")),
            ("\\*:5432:*:me:pw", None),
            ("other:*:*:*:pw", None),
            ("*:*:*:you:pw", None),
            ("#*:*:*:*:pw", None),
            ("*:*:*:*:", None),
            ("*:*:*:*", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(password(line, wanted).as_deref(), expected, "{line}");
        }
    }
}
