//! Full paths, and what is found by them: exactly, else whatever the case of their letters.

use std::collections::HashMap;

/// Positions by full path.
#[derive(Debug, Default)]
pub(super) struct Paths {
    exact: HashMap<Box<str>, usize>,
    /// By the path in small letters, where that is another text.
    small: HashMap<Box<str>, usize>,
}

impl Paths {
    /// Notes whose path this is. Of several with one path, which only damage can bring about, the first one counts.
    pub(super) fn insert(&mut self, path: &str, at: usize) {
        self.exact.entry(path.into()).or_insert(at);
        let small = path.to_lowercase();
        if small != path {
            self.small.entry(small.into()).or_insert(at);
        }
    }

    /// Whose path this is: exactly this one, else one that differs in the case of letters only; of several of these the
    /// first, as an export takes it.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        let exact = self.exact.get(path).copied();
        exact.or_else(|| {
            let small = path.to_lowercase();
            let both = [
                self.exact.get(small.as_str()),
                self.small.get(small.as_str()),
            ];
            both.into_iter().flatten().min().copied()
        })
    }
}

/// The number that an `:id` of an address is: digits, with a `-` before them or not. Anything else is a path.
///
/// `Some(None)` stands for a number that no row can have.
pub(super) fn number(id_or_path: &str) -> Option<Option<i64>> {
    let digits = id_or_path.strip_prefix('-').unwrap_or(id_or_path);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| id_or_path.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_paths_go_before_others() {
        let mut paths = Paths::default();
        for (at, path) in ["Acme/App", "acme/app", "Acme/App", "ÄRGER/x", "b/C"]
            .into_iter()
            .enumerate()
        {
            paths.insert(path, at);
        }
        for (path, found) in [
            ("Acme/App", Some(0)),
            ("acme/app", Some(1)),
            ("ACME/APP", Some(0)),
            ("ärger/X", Some(3)),
            ("B/c", Some(4)),
            ("b/c/", None),
            ("", None),
        ] {
            assert_eq!(paths.find(path), found, "{path}");
        }
    }

    #[test]
    fn digits_are_a_number() {
        assert_eq!(number("71"), Some(Some(71)));
        assert_eq!(number("-71"), Some(Some(-71)));
        assert_eq!(number("99999999999999999999"), Some(None));
        for path in ["", "-", "7a", "7/1", "+7", "٣"] {
            assert_eq!(number(path), None, "{path}");
        }
    }
}
