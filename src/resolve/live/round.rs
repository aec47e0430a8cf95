//! Rounds: as many top-level rows of a relation, with everything below them, as are fetched together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::resolve::keys::{Key, KeyShape};
use crate::resolve::plan::PlanNode;
use crate::resolve::store::{Entry, RowStore};

/// Top-level rows of a relation's first rounds, before it is known how large its rows are.
const FIRST: usize = 100;
/// Top-level rows of a round at the most.
pub(super) const MOST: usize = 1000;
/// Bytes of rows and index that a round should take.
const ROUND: usize = 4 << 20;
/// Bytes at which a round is given up and cut in two, unless it has one top-level row only.
pub(super) const TOO_LARGE: usize = 4 * ROUND;

/// What has been fetched.
pub enum Fetched {
    Round(Round),
    /// A relation of an entity cannot be had at all, in the server's words.
    Refused {
        relation: usize,
        entity: usize,
        error: String,
    },
}

/// Some top-level rows of a relation, with everything below them.
pub struct Round {
    pub relation: usize,
    /// The rounds of an entity's relation follow one another.
    pub parts: Vec<RoundPart>,
    /// Or why they cannot be had, in the server's words.
    pub rows: Result<Arc<RowStore>, String>,
}

/// Some top-level rows of one entity.
#[derive(Debug, Clone)]
pub struct RoundPart {
    pub entity: usize,
    /// How many top-level rows the entity has in all.
    pub total: usize,
    /// True for the first part of the entity's relation.
    pub first: bool,
    /// The primary keys of these, in order.
    pub ids: Vec<Key>,
    /// These are all rows of the entity, without keys and in no order; how many there are is not known before.
    pub whole: bool,
}

impl RoundPart {
    /// The rows of the part, in order; `shape` is that of the table's key.
    pub fn entries(&self, node: &PlanNode, shape: &KeyShape, store: &RowStore) -> Vec<Entry> {
        let Some(hop) = node.last_hops().next() else {
            return Vec::new();
        };
        let keys = self.ids.iter().filter_map(|id| shape.index(id));
        keys.flat_map(|key| store.found(hop, key)).collect()
    }
}

/// How large the rounds of a relation have been.
#[derive(Default)]
pub(super) struct RoundSize {
    planned: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl RoundSize {
    /// So many top-level rows will be loaded, beside those that were said before.
    pub(crate) fn plan(&self, rows: usize) {
        self.planned.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Top-level rows that are still to be loaded.
    pub(crate) fn ahead(&self) -> u64 {
        let loaded = self.rows.load(Ordering::Relaxed);
        self.planned.load(Ordering::Relaxed).saturating_sub(loaded)
    }

    /// A round of so many top-level rows has been loaded.
    pub(crate) fn add(&self, rows: usize, bytes: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Top-level rows that a round should have.
    pub(crate) fn round(&self) -> usize {
        let rows = self.rows.load(Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        match rows {
            0 => FIRST,
            _ => usize::try_from(ROUND as u64 * rows / bytes.max(1))
                .unwrap_or(MOST)
                .clamp(1, MOST),
        }
    }
}

/// Cuts a round in two with as many top-level rows each.
pub(super) fn halves(parts: Vec<RoundPart>) -> (Vec<RoundPart>, Vec<RoundPart>) {
    let rows: usize = parts.iter().map(|part| part.ids.len()).sum();
    let mut left = rows / 2;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for mut part in parts {
        if !second.is_empty() || left == 0 {
            second.push(part);
        } else if part.ids.len() <= left {
            left -= part.ids.len();
            first.push(part);
        } else {
            let behind = part.ids.split_off(left);
            left = 0;
            second.push(RoundPart {
                first: false,
                ids: behind,
                ..part
            });
            first.push(part);
        }
    }
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_keep_the_order_and_lose_nothing() {
        let part = |entity: usize, first: bool, ids: &[i64]| RoundPart {
            entity,
            total: 9,
            first,
            ids: ids.iter().copied().map(Key::Integer).collect(),
            whole: false,
        };
        let shown = |parts: &[RoundPart]| -> Vec<(usize, bool, Vec<i64>)> {
            let ids = |part: &RoundPart| {
                let ids = part.ids.iter().map(|id| match id {
                    Key::Integer(id) => *id,
                    Key::Text(_) => panic!("{id:?}"),
                });
                ids.collect()
            };
            let shown = |part: &RoundPart| (part.entity, part.first, ids(part));
            parts.iter().map(shown).collect()
        };
        let parts = vec![
            part(0, false, &[1]),
            part(1, true, &[]),
            part(2, true, &[2, 3, 4]),
            part(3, true, &[]),
            part(4, true, &[5]),
        ];
        let (first, second) = halves(parts);
        assert_eq!(
            shown(&first),
            [(0, false, vec![1]), (1, true, vec![]), (2, true, vec![2])]
        );
        assert_eq!(
            shown(&second),
            [
                (2, false, vec![3, 4]),
                (3, true, vec![]),
                (4, true, vec![5])
            ]
        );
    }

    #[test]
    fn rounds_have_as_many_rows_as_fit() {
        let size = RoundSize::default();
        assert_eq!(size.round(), FIRST);
        size.add(100, 100 * 8192);
        assert_eq!(size.round(), ROUND / 8192);
        size.add(1, 1 << 40);
        assert_eq!(size.round(), 1);
        let small = RoundSize::default();
        small.add(100, 100);
        assert_eq!(small.round(), MOST);
    }
}
