//! What the records of an entity must be, by the rows of the spots: their sums, and what they hold.

use std::collections::{BTreeSet, HashSet};

use crate::pipeline::Pick;

use super::row::Row;
use super::rows::{EVERYTHING, Entity, Laid};
use super::spots::{Made, Make, Nested, Spot, To};
use crate::json_text as json;
use crate::salt::{Key, Salt, Sum};

/// Rows of a tree that may stand in one another; an export refuses more.
const MOST_LEVELS: usize = 1000;

/// Rows that the manifest says were left out: tables, and keys as people see them.
pub(super) type LeftOut<'m> = HashSet<(&'m str, String)>;

/// Counts what belongs to records.
pub(super) struct Counter<'l> {
    pub(super) laid: &'l Laid<'l>,
    pub(super) salt: Salt,
    pub(super) left_out: &'l LeftOut<'l>,
    /// Rows that stand above the current one, each with its spot.
    pub(super) above: Vec<(usize, u32)>,
    /// Rows that were come by.
    pub(super) rows: u64,
    /// Rows below which nothing was counted, since it cannot be told which rows those are.
    pub(super) unclear: u64,
}

/// What stands under a nested key of a row.
pub(super) enum Below {
    Rows(Vec<u32>),
    /// A text in place of a row.
    Instead(Sum),
    /// The record without a row.
    WithoutRow,
}

impl<'l> Counter<'l> {
    pub(super) fn new(laid: &'l Laid<'l>, salt: Salt, left_out: &'l LeftOut<'l>) -> Counter<'l> {
        Counter {
            laid,
            salt,
            left_out,
            above: Vec::new(),
            rows: 0,
            unclear: 0,
        }
    }

    pub(super) fn spot(&self, spot: usize) -> &'l Spot {
        &self.laid.spots.spots[spot]
    }

    pub(super) fn row(&self, spot: usize, row: u32) -> &'l Row {
        &self.laid.found[spot].rows[row as usize]
    }

    /// The rows at the end of a chain that belong to an entity.
    pub(super) fn of_entity(&self, chain: &[usize], entity: &Entity<'_>) -> Vec<u32> {
        let Some((first, others)) = chain.split_first() else {
            return Vec::new();
        };
        let mut rows = BTreeSet::new();
        for (at, way) in self.spot(*first).ways.iter().enumerate() {
            let key = match way.to {
                To::Everything => Some(EVERYTHING),
                // The way from row to row of a tree.
                To::Out(_) => continue,
                _ => entity.key(&way.to, self.salt),
            };
            rows.extend(self.laid.found[*first].by(at, key));
        }
        self.along(*first, rows, others)
    }

    /// The rows at the end of a chain whose first rows have one of these keys.
    pub(super) fn of_keys(&self, chain: &[usize], keys: &HashSet<Key>) -> Vec<u32> {
        let Some((first, others)) = chain.split_first() else {
            return Vec::new();
        };
        let found = &self.laid.found[*first];
        let rows = keys.iter().flat_map(|key| found.by(0, Some(*key)));
        self.along(*first, rows.copied().collect(), others)
    }

    /// From rows of a spot along a chain. A row that several ways lead to counts once.
    fn along(&self, first: usize, rows: BTreeSet<u32>, chain: &[usize]) -> Vec<u32> {
        let (mut spot, mut rows) = (first, rows);
        for next in chain {
            let mut reached = BTreeSet::new();
            for row in rows {
                let row = self.row(spot, row);
                reached.extend(self.reached(*next, |out| row.outs[out]));
            }
            (spot, rows) = (*next, reached);
        }
        let is_left_out = |row: &u32| self.is_left_out(spot, *row);
        rows.into_iter().filter(|row| !is_left_out(row)).collect()
    }

    fn is_left_out(&self, spot: usize, row: u32) -> bool {
        if self.left_out.is_empty() {
            return false;
        }
        let label = self.row(spot, row).label.as_deref();
        let table = self.spot(spot).table.to_string();
        label.is_some_and(|label| self.left_out.contains(&(table.as_str(), label.to_owned())))
    }

    /// The rows of a spot that the keys of a row above lead to.
    fn reached(&self, spot: usize, out: impl Fn(usize) -> Option<Key>) -> Vec<u32> {
        let it = self.spot(spot);
        let own_ways = it.ways.len() - usize::from(it.tree.is_some());
        let ways = it.ways.iter().take(own_ways).enumerate();
        let rows = ways.flat_map(|(at, way)| {
            let key = match way.to {
                To::Out(position) => out(position),
                _ => None,
            };
            self.laid.found[spot].by(at, key)
        });
        rows.copied().collect()
    }

    /// The row whose columns lie over those of a row.
    fn over(&self, spot: usize, row: u32) -> Option<(usize, u32)> {
        let overlay = self.spot(spot).overlay.as_ref()?;
        let nested = &self.spot(spot).nested[overlay.nested];
        let kept = self.row(spot, row);
        let rows = self.gather(nested, |out| kept.outs[out], (spot, row));
        let over = *nested.chain.last()?;
        Some((over, *self.in_order(over, rows, nested.pick).first()?))
    }

    /// The rows of a nested key, in no order.
    fn gather(
        &self,
        nested: &Nested,
        out: impl Fn(usize) -> Option<Key>,
        parent: (usize, u32),
    ) -> Vec<u32> {
        let Some((first, others)) = nested.chain.split_first() else {
            return Vec::new();
        };
        let rows: BTreeSet<u32> = self.reached(*first, out).into_iter().collect();
        let mut rows = self.along(*first, rows, others);
        if let Some(last) = nested.chain.last()
            && !self.spot(*last).matching.is_empty()
        {
            rows.retain(|row| self.matches(*last, *row, parent));
        }
        rows
    }

    /// True if what must hold between a row and those above does.
    fn matches(&self, spot: usize, row: u32, parent: (usize, u32)) -> bool {
        let outs = &self.row(spot, row).outs;
        self.spot(spot).matching.iter().all(|it| {
            for (own, above, theirs) in &it.equals {
                let mut rows = self.above.iter().rev().chain([&parent]);
                let above = match *above == parent.0 {
                    true => Some(&parent),
                    false => rows.find(|(spot, _)| spot == above),
                };
                let wanted = above.and_then(|(spot, row)| self.row(*spot, *row).outs[*theirs]);
                if let Some(wanted) = wanted {
                    return outs[*own] == Some(wanted);
                }
            }
            false
        })
    }

    /// Rows in the order of a spot of which one row counts, that one first.
    fn in_order(&self, spot: usize, mut rows: Vec<u32>, pick: Pick) -> Vec<u32> {
        let order = |row: &u32| self.row(spot, *row).more.as_ref().map(|more| &more.order);
        rows.sort_by(|one, other| order(one).cmp(&order(other)));
        if pick == Pick::Last {
            rows.reverse();
        }
        rows
    }

    /// The one of several rows that counts. `None` beside rows: it cannot be told which one.
    pub(super) fn picked(&mut self, spot: usize, rows: Vec<u32>, pick: Pick) -> Option<u32> {
        let rows = self.in_order(spot, rows, pick);
        let order = |row: u32| self.row(spot, row).more.as_ref().map(|more| &more.order);
        if let [first, second, ..] = rows.as_slice()
            && order(*first) == order(*second)
        {
            self.unclear += 1;
        }
        rows.first().copied()
    }

    /// What stands under each nested key of a row, in the order of the keys; behind them what stands under the key of a tree.
    pub(super) fn below(&mut self, spot: usize, row: u32) -> Vec<Below> {
        let it = self.spot(spot);
        let kept = self.row(spot, row);
        let over = self.over(spot, row);
        let mut below = Vec::new();
        for (at, nested) in it.nested.iter().enumerate() {
            let is_over = it
                .overlay
                .as_ref()
                .is_some_and(|overlay| overlay.nested == at);
            let out = |position: usize| match (&it.overlay, over) {
                (Some(overlay), Some((spot, row))) if !is_over => match overlay.outs.get(&position)
                {
                    Some(theirs) => self.row(spot, row).outs[*theirs],
                    None => kept.outs[position],
                },
                _ => kept.outs[position],
            };
            let mut instead = kept.more.iter().flat_map(|more| &more.instead);
            if let Some((_, sum)) = instead.find(|(nested, _)| *nested == at) {
                below.push(Below::Instead(*sum));
                continue;
            }
            let rows = self.gather(nested, out, (spot, row));
            below.push(match (nested.many, nested.chain.last()) {
                (true, _) | (false, None) => Below::Rows(rows),
                (false, Some(spot)) => {
                    let picked = self.picked(*spot, rows, nested.pick);
                    match picked {
                        None if nested.has_without_row => Below::WithoutRow,
                        picked => Below::Rows(picked.into_iter().collect()),
                    }
                }
            });
        }
        if it.tree.is_some() {
            let way = it.ways.len() - 1;
            let key = match it.ways[way].to {
                To::Out(out) => kept.outs[out],
                _ => None,
            };
            let rows = self.laid.found[spot].by(way, key).to_vec();
            let rows = rows.into_iter().filter(|row| !self.is_left_out(spot, *row));
            below.push(Below::Rows(rows.collect()));
        }
        below
    }

    /// The sum of a row's own fields, those that other rows give included, and the bits of each.
    pub(super) fn own(&self, spot: usize, row: u32) -> (Sum, Vec<u16>) {
        let it = self.spot(spot);
        let kept = self.row(spot, row);
        let (mut sum, mut bits) = (kept.own, kept.bits.to_vec());
        for (at, field) in it.fields.iter().enumerate() {
            let Made::By(Make::Lookup {
                spot: other,
                without_row,
                ..
            }) = &field.made
            else {
                continue;
            };
            let rows = self.reached(*other, |out| kept.outs[out]);
            let text = match rows.first().map(|row| self.row(*other, *row).own) {
                Some(text) if text != crate::salt::ABSENT => text,
                _ => self.salt.text(&field.normal(&json::canonical(without_row))),
            };
            let own = self.salt.at("field", at, text);
            sum = sum.wrapping_add(own);
            bits[at] = own as u16;
        }
        if let (Some(overlay), Some((over, over_row))) = (&it.overlay, self.over(spot, row)) {
            let under = kept.more.iter().flat_map(|more| &more.under);
            let over = self
                .row(over, over_row)
                .more
                .iter()
                .flat_map(|more| &more.over);
            for ((field, under), over) in overlay.fields.iter().zip(under).zip(over) {
                sum = sum.wrapping_sub(*under).wrapping_add(*over);
                bits[*field] = *over as u16;
            }
        }
        (sum, bits)
    }

    /// The sum of a record: its own fields and all that is nested in it.
    pub(super) fn total(&mut self, spot: usize, row: u32) -> Sum {
        self.rows += 1;
        if self.above.len() > MOST_LEVELS {
            self.unclear += 1;
            return 0;
        }
        let (mut sum, _) = self.own(spot, row);
        let below = self.below(spot, row);
        self.above.push((spot, row));
        for (at, below) in below.into_iter().enumerate() {
            let it = self.spot(spot);
            let (many, child) = match it.nested.get(at) {
                Some(nested) => (nested.many, nested.chain.last().copied()),
                None => (true, Some(spot)),
            };
            if many {
                sum = sum.wrapping_add(self.salt.at("many", at, 0));
            }
            match (below, child) {
                (Below::Instead(text), _) => {
                    sum = sum.wrapping_add(self.salt.at("nested", at, text));
                }
                (Below::WithoutRow, Some(child)) => {
                    let total = self.without_row(child);
                    sum = sum.wrapping_add(self.salt.at("nested", at, total));
                }
                (Below::Rows(rows), Some(child)) => {
                    for row in rows {
                        let total = self.total(child, row);
                        sum = sum.wrapping_add(self.salt.at("nested", at, total));
                    }
                }
                (Below::Rows(_) | Below::WithoutRow, None) => {}
            }
        }
        self.above.pop();
        self.salt.at("record", 0, sum)
    }

    /// The sum of the record that stands where there is no row.
    pub(super) fn without_row(&self, spot: usize) -> Sum {
        let it = self.spot(spot);
        let mut sum: Sum = 0;
        for (at, field) in it.fields.iter().enumerate() {
            if let Made::By(_) = field.made {
                let texts = it.without_row.as_ref();
                let text = texts.and_then(|texts| texts.get(&field.name));
                let text = text.map_or_else(|| "null".to_owned(), |text| json::canonical(text));
                let text = self.salt.text(&field.normal(&text));
                sum = sum.wrapping_add(self.salt.at("field", at, text));
            }
        }
        for (at, nested) in it.nested.iter().enumerate() {
            if nested.many {
                sum = sum.wrapping_add(self.salt.at("many", at, 0));
            }
        }
        self.salt.at("record", 0, sum)
    }

    /// Gathers what a record and all that is nested in it refer to.
    pub(super) fn collect(
        &mut self,
        spot: usize,
        row: u32,
        relation: usize,
        keys: &mut HashSet<Key>,
    ) {
        if self.above.len() > MOST_LEVELS {
            self.unclear += 1;
            return;
        }
        let more = self.row(spot, row).more.iter();
        let collected = more.flat_map(|more| &more.collected);
        keys.extend(
            collected
                .filter(|(of, _)| *of == relation)
                .map(|(_, key)| *key),
        );
        let below = self.below(spot, row);
        self.above.push((spot, row));
        for (at, below) in below.into_iter().enumerate() {
            let nested = self.spot(spot).nested.get(at);
            let child = nested.map_or(Some(spot), |nested| nested.chain.last().copied());
            if let (Below::Rows(rows), Some(child)) = (below, child) {
                for row in rows {
                    self.collect(child, row, relation, keys);
                }
            }
        }
        self.above.pop();
    }
}
