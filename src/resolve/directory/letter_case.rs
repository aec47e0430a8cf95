//! How a path is looked for, as regards the case of its letters.

use crate::pipeline::PathLookup;

/// Whether paths that differ in the case of letters are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::resolve) enum LetterCase {
    Counts,
    Ignored,
}

/// How a path is looked for in a lookup table, in the order in which that is tried.
pub(in crate::resolve) fn letter_cases(lookup: &PathLookup) -> &'static [LetterCase] {
    match lookup.former {
        true => &[LetterCase::Ignored],
        false => &[LetterCase::Counts, LetterCase::Ignored],
    }
}
