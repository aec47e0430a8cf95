//! Making an index of names that come in any order, without all of them in memory at once as they come.

use std::cmp::Ordering;
use std::mem;
use std::ops::Range;

use super::{Entry, Index, Walk};
use crate::snapshot::files::names::Counted;

/// Bytes of names that are sorted at once.
const CHUNK: usize = 8 << 20;

/// Takes members in the order of the tar.
#[derive(Debug, Default)]
pub(in crate::snapshot::files) struct Builder {
    names: Vec<u8>,
    chunk: Vec<(Range<usize>, Entry)>,
    /// What has been sorted, in the order in which it came. Each was made of twice as much as the next, or more.
    runs: Vec<Index>,
    /// Members whose names came again.
    replaced: Counted,
}

impl Builder {
    /// Adds a member. If its name has come before, this one counts.
    pub(in crate::snapshot::files) fn push(&mut self, name: &str, entry: Entry) {
        let start = self.names.len();
        self.names.extend_from_slice(name.as_bytes());
        self.chunk.push((start..self.names.len(), entry));
        if self.names.len() >= CHUNK {
            self.sort();
        }
    }

    /// The names that were added, in no order; those that came again may come twice.
    pub(in crate::snapshot::files) fn names(&self) -> impl Iterator<Item = String> {
        let at_hand = self
            .chunk
            .iter()
            .map(|(range, _)| &self.names[range.clone()]);
        let at_hand = at_hand.map(|name| String::from_utf8_lossy(name).into_owned());
        let sorted = self.runs.iter().flat_map(|run| run.with_prefix(""));
        at_hand.chain(sorted.map(|(name, _)| name))
    }

    /// The index, and the members that are not in it because their names came again.
    pub(in crate::snapshot::files) fn finish(mut self) -> (Index, Counted) {
        self.sort();
        while self.runs.len() > 1 {
            self.merge_last();
        }
        let mut index = self.runs.pop().unwrap_or_default();
        index.bytes.shrink_to_fit();
        (index, self.replaced)
    }

    /// Makes a run of the names at hand.
    fn sort(&mut self) {
        let (names, mut chunk) = (mem::take(&mut self.names), mem::take(&mut self.chunk));
        // It is stable: of equal names the one that came last stands last.
        chunk.sort_by(|(one, _), (other, _)| names[one.clone()].cmp(&names[other.clone()]));
        let mut run = Index::default();
        let mut last: &[u8] = &[];
        let mut chunk = chunk.into_iter().peekable();
        while let Some((range, entry)) = chunk.next() {
            let name = &names[range];
            let again = chunk.peek();
            if again.is_some_and(|(range, _)| names[range.clone()] == *name) {
                self.replaced.add(&String::from_utf8_lossy(name));
                continue;
            }
            run.push(last, name, entry);
            last = name;
        }
        self.runs.push(run);
        while let [.., one, other] = self.runs.as_slice()
            && one.count < 2 * other.count
        {
            self.merge_last();
        }
    }

    /// Makes one of the last two runs.
    fn merge_last(&mut self) {
        let (Some(later), Some(earlier)) = (self.runs.pop(), self.runs.pop()) else {
            return;
        };
        let mut merged = Index::default();
        let mut last = Vec::new();
        let mut add = |walk: &Walk<'_>, entry| {
            merged.push(&last, &walk.name, entry);
            last.clone_from(&walk.name);
        };
        let (mut one, mut other) = (earlier.walk(0), later.walk(0));
        let (mut of_one, mut of_other) = (one.next(), other.next());
        loop {
            let order = match (of_one, of_other) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), Some(_)) => one.name.cmp(&other.name),
            };
            match (order, of_one, of_other) {
                (Ordering::Less, Some(entry), _) => {
                    add(&one, entry);
                    of_one = one.next();
                }
                (Ordering::Greater, _, Some(entry)) => {
                    add(&other, entry);
                    of_other = other.next();
                }
                _ => {
                    self.replaced.add(&one.text());
                    of_one = one.next();
                }
            }
        }
        self.runs.push(merged);
    }
}
