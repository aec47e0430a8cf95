//! Names of exports in a bucket, as GitLab's offline transfer has them: `2026-04-16_19-39-00_export_k3bd81xz`.

use std::io;

use crate::output::now;

/// Letters of the part that is drawn.
const DRAWN: usize = 8;

/// What they are drawn from: 32, so that no letter is likelier than another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A name that no other run has.
///
/// # Errors
/// If the system gives no random numbers.
pub(super) fn draw() -> io::Result<String> {
    let mut random = [0; DRAWN];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let drawn: String = random
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        .collect();
    Ok(format!("{}_export_{drawn}", time_in_name(&now())))
}

/// `2026-04-16T19:39:00Z` as names have it.
fn time_in_name(time: &str) -> String {
    let seconds = time.get(..19).unwrap_or(time);
    seconds.replace('T', "_").replace(':', "-")
}

/// True for a name that [`draw`] may have given; their order is that of time.
pub(in crate::output) fn is_export_name(name: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00_00-00-00_export_xxxxxxxx";
    name.len() == FORM.len()
        && name.bytes().zip(FORM).all(|(letter, form)| match form {
            b'0' => letter.is_ascii_digit(),
            b'x' if letter.is_ascii_alphanumeric() => true,
            _ => letter == *form,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_gitlabs_and_is_known_again() {
        assert_eq!(
            time_in_name("2026-04-16T19:39:00.123Z"),
            "2026-04-16_19-39-00"
        );
        let name = draw().unwrap();
        assert!(is_export_name(&name), "{name}");
        assert_ne!(name, draw().unwrap());
    }

    #[test]
    fn other_names_are_none_of_an_export() {
        assert!(is_export_name("2026-04-16_19-39-00_export_Ab3dE7gh"));
        for name in [
            "",
            "latest.json",
            "2026-04-16_19-39-00_export_abcdefg",
            "2026-04-16_19-39-00_export_abcdefgh2",
            "2026-04-16_19-39-00-export_abcdefgh",
            "2026-04-16_19-39-xx_export_abcdefgh",
            "2026-04-16_19-39-00_export_abcdefg/",
        ] {
            assert!(!is_export_name(name), "{name}");
        }
    }
}
