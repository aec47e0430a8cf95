//! Names that stand for many: patterns of full paths, such as `acme/**`.

use glob::{MatchOptions, Pattern};

/// `*` stays within a part of a path, and a part may begin with a dot.
const OPTIONS: MatchOptions = MatchOptions {
    // Both are lowered before: the crate knows the letters of ASCII alone.
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// A pattern of full paths. `*` is any text within a part of a path, `?` any character, `[ab]` one of these; `**` in a part's
/// place is any number of parts, so that `acme/**` is everything below `acme`, and not `acme` itself. The case of letters does
/// not count, as it does not for GitLab.
#[derive(Debug, Clone)]
pub struct NamePattern(Pattern);

impl NamePattern {
    /// The pattern that a name is; `None` for the name of one entity.
    ///
    /// # Errors
    /// Why it is none, though it has the characters of one.
    pub fn read(name: &str) -> Result<Option<NamePattern>, String> {
        if !name.contains(['*', '?', '[']) {
            return Ok(None);
        }
        let path = name.trim_matches('/').to_lowercase();
        match Pattern::new(&path) {
            Ok(pattern) => Ok(Some(NamePattern(pattern))),
            Err(error) => Err(format!(
                "the pattern {name} cannot be understood ({error}); write acme/* for what is in acme, acme/** for all that is \
                 below it"
            )),
        }
    }

    /// As [`NamePattern::read`]; what cannot be read is a name.
    pub(super) fn of(name: &str) -> Option<NamePattern> {
        NamePattern::read(name).ok().flatten()
    }

    /// True for a full path that it stands for.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.matches_with(&path.to_lowercase(), OPTIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_these_paths_and_no_others() {
        let paths = [
            "acme",
            "acme/app",
            "acme/Platform",
            "acme/Platform/app",
            "acme/platform/deep/app",
            "acme-two",
            "acme-two/app",
            "bücher/Ähren",
        ];
        let cases: [(&str, &[&str]); 12] = [
            // What is below it, not the group itself.
            ("acme/**", &paths[1..5]),
            ("/ACME/**/", &paths[1..5]),
            ("acme/*", &paths[1..3]),
            ("acme/*/app", &paths[3..4]),
            (
                "acme/**/app",
                &["acme/app", "acme/Platform/app", "acme/platform/deep/app"],
            ),
            ("*", &["acme", "acme-two"]),
            ("**", &paths),
            ("acme*/app", &["acme/app", "acme-two/app"]),
            ("acme/plat????", &paths[2..3]),
            ("acme/[ap]*", &paths[1..3]),
            ("BÜCHER/ä*", &paths[7..]),
            ("acme/**/nothing", &[]),
        ];
        for (text, expected) in cases {
            let pattern = NamePattern::of(text).unwrap();
            let found: Vec<&str> = paths
                .into_iter()
                .filter(|path| pattern.matches(path))
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn names_are_no_patterns_and_bad_patterns_are_told() {
        for name in ["acme/platform", "4351", "a.b-c_d", ""] {
            assert!(NamePattern::read(name).unwrap().is_none(), "{name}");
        }
        for bad in ["acme/***", "acme/a**", "acme/[ab"] {
            let error = NamePattern::read(bad).unwrap_err();
            assert!(error.contains(bad) && error.contains("acme/**"), "{error}");
            assert!(NamePattern::of(bad).is_none());
        }
    }
}
