//! What records refer to: keys in columns that a relation is made of.
//!
//! Nearly every row names somebody, so keys are noted as they come, an integer as one number that can be sorted quickly,
//! and are counted when a batch is complete.

use super::CollectedFrom;
use crate::resolve::{Key, Plan};

/// An integer's sign bit, turned over so that negative ones come first.
const SIGN: u64 = 1 << 63;

/// Keys that were referred to, each time. The column is a position among all that are collected.
#[derive(Debug, Default)]
pub(crate) struct Referred {
    /// The column above the integer.
    integers: Vec<u128>,
    others: Vec<(usize, Key)>,
}

impl Referred {
    /// Notes a key of a column.
    #[inline]
    pub(super) fn push(&mut self, column: usize, key: Key) {
        match key {
            Key::Integer(key) => {
                let key = key as u64 ^ SIGN;
                self.integers.push((column as u128) << 64 | u128::from(key));
            }
            Key::Text(_) => self.others.push((column, key)),
        }
    }

    /// How many there are, for [`Referred::truncate`].
    pub(super) fn len(&self) -> (usize, usize) {
        (self.integers.len(), self.others.len())
    }

    /// Forgets those behind the first so many.
    pub(super) fn truncate(&mut self, (integers, others): (usize, usize)) {
        self.integers.truncate(integers);
        self.others.truncate(others);
    }

    /// Each once, and how often it was noted. `columns` are all that are collected.
    pub(super) fn count(mut self, columns: &[CollectedFrom]) -> Vec<((CollectedFrom, Key), u64)> {
        self.integers.sort_unstable();
        self.others.sort_unstable();
        let integers = self.integers.chunk_by(|one, other| one == other);
        let integers = integers.map(|same| {
            let (column, key) = ((same[0] >> 64) as usize, same[0] as u64 ^ SIGN);
            (
                (columns[column], Key::Integer(key as i64)),
                same.len() as u64,
            )
        });
        let others = self.others.chunk_by(|one, other| one == other);
        let others = others.map(|same| {
            let (column, key) = &same[0];
            ((columns[*column], key.clone()), same.len() as u64)
        });
        integers.chain(others).collect()
    }
}

/// All columns of a plan whose values are collected.
pub(super) fn columns(plan: &Plan) -> Vec<CollectedFrom> {
    let columns = plan.tables.ids().flat_map(|table| {
        let collected = plan.tables[table].collected.iter();
        collected.map(move |column| CollectedFrom {
            relation: column.relation,
            table,
            column: column.column,
        })
    });
    columns.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::{Id, TableId};

    #[test]
    fn each_key_is_counted_by_its_column() {
        let plan_column = |column| CollectedFrom {
            relation: 3,
            table: TableId::at(1),
            column,
        };
        let columns = [plan_column(7), plan_column(2)];
        let text = |text: &str| Key::of(&[text]);
        let mut referred = Referred::default();
        for (column, key) in [
            (1, Key::Integer(5)),
            (0, Key::Integer(i64::MAX)),
            (0, text("b")),
            (0, Key::Integer(-5)),
            (0, Key::Integer(i64::MIN)),
            (1, text("b")),
            (1, Key::Integer(5)),
            (0, text("b")),
        ] {
            referred.push(column, key);
        }
        let mark = referred.len();
        referred.push(0, Key::Integer(9));
        referred.push(0, text("a"));
        referred.truncate(mark);
        assert_eq!(
            referred.count(&columns),
            [
                ((columns[0], Key::Integer(i64::MIN)), 1),
                ((columns[0], Key::Integer(-5)), 1),
                ((columns[0], Key::Integer(i64::MAX)), 1),
                ((columns[1], Key::Integer(5)), 2),
                ((columns[0], text("b")), 2),
                ((columns[1], text("b")), 1),
            ]
        );
    }
}
