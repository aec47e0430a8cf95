//! Conditions and keys, as a server is asked them.

use crate::pipeline::{Condition, Test};
use crate::resolve::plan::Hop;
use crate::snapshot::Predicate;

/// The conditions of a hop or of the entities, as a server is asked them.
pub(super) fn predicates(filter: &[Condition]) -> impl Iterator<Item = Predicate<'_>> {
    filter.iter().map(|condition| {
        let column = condition.column.as_str();
        match &condition.test {
            Test::In(texts) => Predicate::In(column, texts.iter().map(String::as_str).collect()),
            Test::Null => Predicate::Null(column),
            Test::NotNull => Predicate::NotNull(column),
            Test::Above(bound) => Predicate::Above(column, *bound),
            Test::Below(bound) => Predicate::Below(column, *bound),
        }
    })
}

impl Hop {
    /// What a server is asked for the rows of these keys.
    pub(super) fn predicates<'a>(&'a self, keys: &'a [i64]) -> Vec<Predicate<'a>> {
        let keys = Predicate::AnyOf(&self.child, keys);
        [keys].into_iter().chain(predicates(&self.filter)).collect()
    }
}
