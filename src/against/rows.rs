//! Finding the rows of all spots: read every table again and again, until no row is added.
//!
//! A spot's rows are looked for when those above it are known. So a pass over the snapshot goes one level deeper than the
//! one before it, and one more for each level of rows that stand in rows of their own table.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::AtomicU64;

use crate::pipeline::EntityId;
use crate::snapshot::codec::copy_text::CopyRows;
use crate::snapshot::codec::csv_text;
use crate::snapshot::{Block, RowForm, TableName};

use super::AgainstError;
use super::row::{Fields, Head, Row, RowText};
use super::source::Source;
use super::spots::{Above, MadeOf, Spots, To, Way};
use crate::salt::{Key, Salt};

/// A pipeline's spots with their rows, and the entities that they belong to.
pub(super) struct Laid<'m> {
    pub(super) spots: Spots,
    pub(super) found: Vec<Found>,
    /// Positions in the manifest, with what each entity is.
    pub(super) entities: Vec<Entity<'m>>,
    /// The name of the pipeline.
    pub(super) pipeline: String,
}

/// An entity of the manifest.
pub(super) struct Entity<'m> {
    pub(super) entry: &'m crate::output::EntityEntry,
    pub(super) id: &'m EntityId,
    /// The text of the key of its root ancestor, where a link is to that.
    pub(super) root: Option<Vec<u8>>,
}

impl Entity<'_> {
    /// The key that a way from the entity looks for.
    pub(super) fn key(&self, to: &To, salt: Salt) -> Option<Key> {
        let id = self.id.to_string();
        let (form, text) = match to {
            To::EntityKey(form) => (form, id.as_bytes()),
            To::EntityRoot(form) => (form, self.root.as_deref()?),
            To::Everything | To::Out(_) | To::Collected(_) => return None,
        };
        Some(salt.key(&[form.canonical(text)?.into_owned()]))
    }
}

/// The rows of a spot.
#[derive(Default)]
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    /// For each way, which rows have a key.
    pub(super) index: Vec<HashMap<Key, Vec<u32>>>,
    /// All rows, of a way to everything.
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    /// Rows of a tree: the keys that were asked for, and how many rows' keys those are.
    Below {
        asked: HashSet<Key>,
        rows: usize,
    },
    Done,
}

impl Found {
    /// Positions of the rows that a way leads to by a key; of none, all.
    pub(super) fn by(&self, way: usize, key: Option<Key>) -> &[u32] {
        let found = self.index.get(way).zip(key);
        found
            .and_then(|(index, key)| index.get(&key))
            .map_or(&[], Vec::as_slice)
    }
}

/// The key of the rows that a way to everything leads to.
pub(super) const EVERYTHING: Key = 0;

/// What one spot looks for in a pass.
struct Search {
    laid: usize,
    spot: usize,
    /// For each way, the keys that are wanted; `None` for a way that is not looked at in this pass.
    wanted: Vec<Option<HashSet<Key>>>,
}

/// Finds the rows of all spots.
pub(super) fn find(
    source: &mut Source,
    laid: &mut [Laid<'_>],
    salt: Salt,
    read: &AtomicU64,
) -> Result<(), AgainstError> {
    for one in laid.iter_mut() {
        one.found = one.spots.spots.iter().map(|_| Found::default()).collect();
    }
    loop {
        let mut by_table: BTreeMap<TableName, Vec<Search>> = BTreeMap::new();
        for (at, one) in laid.iter_mut().enumerate() {
            for search in one.searches(at, salt) {
                let table = one.spots.spots[search.spot].table.clone();
                by_table.entry(table).or_default().push(search);
            }
        }
        if by_table.is_empty() {
            return Ok(());
        }
        let tables: BTreeSet<TableName> = by_table.keys().cloned().collect();
        source.read(&tables, read, &mut |block| {
            let searches = by_table.get(&block.head.table);
            take(laid, searches.map_or(&[], Vec::as_slice), block, salt)
        })?;
    }
}

impl Laid<'_> {
    /// What is looked for next. Spots that need no other look are done then.
    fn searches(&mut self, laid: usize, salt: Salt) -> Vec<Search> {
        let mut searches = Vec::new();
        let was_done: Vec<bool> = self
            .found
            .iter()
            .map(|it| matches!(it.state, State::Done))
            .collect();
        // The pass before this one has found the rows of those that were looked for.
        for spot in 0..self.found.len() {
            if was_done[spot] {
                continue;
            }
            let search = match &self.found[spot].state {
                State::Done => None,
                State::Waiting => self.first(spot, &was_done, salt),
                State::Below { .. } => self.below(spot),
            };
            searches.extend(search.map(|wanted| Search { laid, spot, wanted }));
        }
        // A spot that is done may let others begin, with keys of which there are none.
        match searches.is_empty() && was_done != self.done() {
            true => self.searches(laid, salt),
            false => searches,
        }
    }

    fn done(&self) -> Vec<bool> {
        self.found
            .iter()
            .map(|it| matches!(it.state, State::Done))
            .collect()
    }

    /// The first search of a spot, once the rows above it are known.
    fn first(
        &mut self,
        spot: usize,
        done: &[bool],
        salt: Salt,
    ) -> Option<Vec<Option<HashSet<Key>>>> {
        let it = &self.spots.spots[spot];
        let is_ready =
            match it.above {
                Above::Entity => true,
                Above::Spot(above) => {
                    let overlay = self.spots.spots[above].overlay.as_ref();
                    // What lies over the rows above has keys, too.
                    let over = overlay.and_then(|overlay| {
                        let nested = &self.spots.spots[above].nested[overlay.nested];
                        (!nested.chain.contains(&spot)).then(|| nested.chain.last().copied())?
                    });
                    done[above] && over.is_none_or(|over| done[over])
                }
                Above::Collected => {
                    let collected = self.spots.relations.iter().filter_map(|relation| {
                        match &relation.made_of {
                            MadeOf::Collected(chain) => chain.first(),
                            _ => None,
                        }
                    });
                    let first: Vec<usize> = collected.copied().collect();
                    (0..done.len()).all(|other| done[other] || self.is_below(other, &first))
                }
            };
        if !is_ready {
            return None;
        }
        let ways = &it.ways;
        let has_tree = it.tree.is_some();
        let own_ways = ways.len() - usize::from(has_tree);
        let wanted: Vec<Option<HashSet<Key>>> = ways
            .iter()
            .enumerate()
            .map(|(at, way)| (at < own_ways).then(|| self.wanted(it.above, way, salt)))
            .collect();
        let found = &mut self.found[spot];
        found.index = ways.iter().map(|_| HashMap::new()).collect();
        found.state = match has_tree {
            true => State::Below {
                asked: HashSet::new(),
                rows: 0,
            },
            false => State::Done,
        };
        let is_any = wanted.iter().flatten().any(|keys| !keys.is_empty());
        is_any.then_some(wanted)
    }

    /// True if a spot is one of these or hangs on one of them.
    fn is_below(&self, spot: usize, first: &[usize]) -> bool {
        let mut spot = spot;
        loop {
            if first.contains(&spot) {
                return true;
            }
            match self.spots.spots[spot].above {
                Above::Spot(above) => spot = above,
                Above::Entity | Above::Collected => return false,
            }
        }
    }

    /// The keys that a way leads to.
    fn wanted(&self, above: Above, way: &Way, salt: Salt) -> HashSet<Key> {
        match &way.to {
            To::Everything => HashSet::from([EVERYTHING]),
            To::EntityKey(_) | To::EntityRoot(_) => {
                let keys = self.entities.iter();
                keys.filter_map(|entity| entity.key(&way.to, salt))
                    .collect()
            }
            To::Out(out) => {
                let Above::Spot(above) = above else {
                    return HashSet::new();
                };
                let mut keys = self.outs(above, *out);
                let overlay = self.spots.spots[above].overlay.as_ref();
                if let Some((overlay, over)) = overlay.and_then(|it| Some((it, it.outs.get(out)?)))
                {
                    let nested = &self.spots.spots[above].nested[overlay.nested];
                    keys.extend(
                        nested
                            .chain
                            .last()
                            .into_iter()
                            .flat_map(|spot| self.outs(*spot, *over)),
                    );
                }
                keys
            }
            To::Collected(relation) => {
                let rows = self.found.iter().flat_map(|found| &found.rows);
                let more = rows.filter_map(|row| row.more.as_ref());
                let collected = more.flat_map(|more| &more.collected);
                let own = collected.filter(|(of, _)| of == relation);
                own.map(|(_, key)| *key).collect()
            }
        }
    }

    fn outs(&self, spot: usize, out: usize) -> HashSet<Key> {
        let rows = self.found[spot].rows.iter();
        rows.filter_map(|row| row.outs[out]).collect()
    }

    /// The rows below those of a tree that were found last; `None` once there are none.
    fn below(&mut self, spot: usize) -> Option<Vec<Option<HashSet<Key>>>> {
        let ways = &self.spots.spots[spot].ways;
        let Some(To::Out(out)) = ways.last().map(|way| &way.to) else {
            self.found[spot].state = State::Done;
            return None;
        };
        let Found { rows, state, .. } = &mut self.found[spot];
        let State::Below { asked, rows: known } = state else {
            return None;
        };
        let new = rows[*known..].iter().filter_map(|row| row.outs[*out]);
        let new: HashSet<Key> = new.filter(|key| asked.insert(*key)).collect();
        *known = rows.len();
        if new.is_empty() {
            *state = State::Done;
            return None;
        }
        let mut wanted: Vec<Option<HashSet<Key>>> = ways.iter().map(|_| None).collect();
        if let Some(last) = wanted.last_mut() {
            *last = Some(new);
        }
        Some(wanted)
    }
}

/// Keeps the rows of a block that are looked for.
fn take(
    laid: &mut [Laid<'_>],
    searches: &[Search],
    block: &Block,
    salt: Salt,
) -> Result<(), AgainstError> {
    each_row(block, &mut |row| {
        let mut searches = searches.iter();
        searches.try_for_each(|search| laid[search.laid].keep(search, row, salt))
    })
}

/// Hands out the rows of a block.
pub(super) fn each_row(
    block: &Block,
    take: &mut dyn FnMut(&RowText<'_>) -> Result<(), AgainstError>,
) -> Result<(), AgainstError> {
    let head = Head::new(&block.head);
    let bytes = block.bytes();
    let mut number = block.first_row;
    let bad = |row: u64, reason: String| AgainstError::Row {
        table: block.head.table.to_string(),
        row,
        reason,
    };
    let mut one = |row: &RowText<'_>| {
        number += 1;
        match row.len() == block.head.columns.len() {
            true => take(row),
            false => Err(bad(number, format!("it has {} fields", row.len()))),
        }
    };
    match block.head.form {
        RowForm::CopyText => {
            let mut rows = CopyRows::new(bytes);
            let mut fields = Vec::new();
            while rows.next_row(&mut fields).is_some() {
                one(&RowText {
                    head: &head,
                    bytes,
                    fields: Fields::Copy(&fields),
                })?;
            }
        }
        RowForm::Csv => {
            let (mut at, mut fields, mut before) = (0, Vec::new(), block.first_row);
            while at < bytes.len() {
                before += 1;
                let next = csv_text::next_row(bytes, at, &mut fields);
                at = next.map_err(|error| bad(before, error.to_string()))?;
                one(&RowText {
                    head: &head,
                    bytes,
                    fields: Fields::Csv(&fields),
                })?;
            }
        }
    }
    Ok(())
}

impl Laid<'_> {
    /// Keeps a row at a spot, if one of its ways leads to it.
    fn keep(&mut self, search: &Search, row: &RowText<'_>, salt: Salt) -> Result<(), AgainstError> {
        let spot = &self.spots.spots[search.spot];
        let mut found_by = Vec::new();
        for (at, (way, wanted)) in spot.ways.iter().zip(&search.wanted).enumerate() {
            let Some(wanted) = wanted else {
                continue;
            };
            let key = match way.own.as_slice() {
                [] => Some(EVERYTHING),
                own => row.key(own, salt),
            };
            let passes = |way: &Way| {
                let mut tests = way.filter.iter();
                tests.all(|test| test.passes(row.value(&test.column).as_deref()))
            };
            if let Some(key) = key.filter(|key| wanted.contains(key))
                && passes(way)
            {
                found_by.push((at, key));
            }
        }
        if found_by.is_empty() {
            return Ok(());
        }
        let found = &mut self.found[search.spot];
        let at = u32::try_from(found.rows.len()).map_err(|_| AgainstError::TooMany)?;
        for (way, key) in found_by {
            found.index[way].entry(key).or_default().push(at);
        }
        found.rows.push(row.kept(spot, salt));
        Ok(())
    }
}
