//! How a path is looked for, as regards the case of its letters.

use crate::pipeline::PathLookup;

/// Whether paths that differ in the case of letters are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::resolve) enum LetterCase {
    Counts,
    Ignored,
}

impl LetterCase {
    /// How a path is looked for in a column of the entities' own table, in the order in which that is tried.
    pub(in crate::resolve) const OWN: [LetterCase; 2] = [LetterCase::Counts, LetterCase::Ignored];
}

/// How a path is looked for in a lookup table, in the order in which that is tried.
pub(in crate::resolve) fn letter_cases(lookup: &PathLookup) -> &'static [LetterCase] {
    match lookup.former {
        true => &[LetterCase::Ignored],
        false => &[LetterCase::Counts, LetterCase::Ignored],
    }
}

pub(super) fn same_ignoring_case(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
}
