//! Cutting an export into tasks of like cost. Pure: tables with their sizes in, tasks out.
//!
//! What a task costs is what it reads, keeps and makes. Reading a table of an archive is reading all of it, whoever needs
//! which rows: relations that share large tables are the cheaper together, and a relation that is cut into ranges of its
//! batches, or of its entities, is read and kept once more by each of them. Only what is made of it is divided. So there
//! is a price on every cut, and how high it is depends on how much of the tables is exported at all.
//!
//! Cuts are tried with one bound after the other on what a task may cost. Of all of them that one is taken of which the
//! product is least of the largest task and of all tasks together: the first is how long the export takes if there are
//! workers enough, the second what it costs, and how long it takes if there is only one.

use std::cmp::Reverse;
use std::ops::Range;

use crate::export::share::Part;
use crate::resolve::ALL_ROWS;

/// What is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    pub relations: &'a [RelationCost],
    /// Bytes, by table.
    pub sizes: &'a [u64],
    /// The tables that every task reads.
    pub always: &'a [usize],
    /// Ranges of a relation's batches can be made without reading what belongs to the others.
    pub in_parts: bool,
}

/// A relation of all entities of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelationCost {
    /// By position in [`Work::sizes`].
    pub tables: Vec<usize>,
    /// It can be cut into ranges of batches.
    pub batched: bool,
    /// The positions of its entities.
    pub entities: Range<usize>,
    /// How much of its tables becomes records, of [`ALL_ROWS`].
    pub share: u64,
}

/// Relations that are made together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Positions, in order.
    pub relations: Vec<usize>,
    pub entities: Range<usize>,
    pub part: Option<Part>,
    pub cost: u64,
}

/// What keeping the rows of a byte of a table costs, as many times as reading it. Measured by `benches/workers/run`'s
/// instance: merge requests, pipelines and issues of 30 projects of 400, and of all.
const KEEPING: u64 = 1;

/// What making records of it costs, with compression.
const MAKING: u64 = 9;

/// Bytes that are read in the time in which a task begins, and do not count: what is small is cut into as many as are wanted.
const AS_NOTHING: u64 = 1 << 20;

/// How much of what the cheaper of two groups costs must be saved by putting them together: a task of its own, which can be
/// made by another worker, is worth that.
const WORTH: i128 = 16;

/// Groups that are held against one another, pair by pair and for each bound: of more, that would take longer than it wins.
const MOST_GROUPS: usize = 48;

/// By which part of itself each bound is lower than that before.
const LOWER: u64 = 10;

/// Bounds that are tried between the last that could be kept and the first that could not.
const BETWEEN: u32 = 8;

/// Cuts into at most `tasks` pieces.
pub(super) fn cut(work: Work<'_>, tasks: usize) -> Vec<Piece> {
    let tasks = u32::try_from(tasks.max(1)).unwrap_or(u32::MAX);
    let relations = 0..work.relations.len();
    let alone = at_most(
        MOST_GROUPS,
        work,
        relations
            .map(|relation| Group::of(work, relation))
            .collect(),
    );
    let together = alone.iter().cloned();
    let Some(whole) = together.reduce(|one, other| one.with(work, &other)) else {
        return Vec::new();
    };
    let mut kept = whole.cost.of_piece(1);
    let mut best = vec![(whole, 1)];
    let mut is_kept = |bound: u64| {
        let cut = within(work, &alone, bound, tasks);
        let is_kept = cut.is_some();
        if let Some(cut) = cut.filter(|cut| price(cut) < price(&best)) {
            best = cut;
        }
        is_kept
    };
    let mut refused = kept;
    while refused > 0 && is_kept(refused) {
        kept = refused;
        // If only relations are counted, the bound is a small number.
        refused = kept - (kept / LOWER).max(1);
    }
    for _ in 0..BETWEEN {
        let middle = refused.midpoint(kept);
        match is_kept(middle) {
            true => kept = middle,
            false => refused = middle,
        }
    }
    let groups = best.iter();
    groups
        .flat_map(|(group, pieces)| group.pieces(work, *pieces))
        .collect()
}

/// At most so many groups: the cheapest are put together, if there are such with one that is cut in the same way.
fn at_most(most: usize, work: Work<'_>, mut groups: Vec<Group>) -> Vec<Group> {
    while groups.len() > most {
        groups.sort_by_key(|group| {
            let first = group.relations.first().copied();
            (Reverse(group.cost.of_piece(1)), first)
        });
        let Some(cheapest) = groups.pop() else {
            break;
        };
        let is_alike = |other: &Group| cheapest.extent.is_cut_like(work, &other.extent);
        let next = groups.iter().rposition(is_alike);
        let next = next.unwrap_or(groups.len() - 1);
        groups[next] = groups[next].with(work, &cheapest);
    }
    groups.sort_by_key(|group| group.relations.first().copied());
    groups
}

/// Groups, and into how many pieces each is cut.
type Cut = Vec<(Group, u32)>;

/// What is to be as low as it can be.
fn price(cut: &Cut) -> u128 {
    let costs = cut.iter();
    let costs = costs.map(|(group, pieces)| (group.cost.of_piece(*pieces), *pieces));
    let largest = costs.clone().map(|(cost, _)| cost).max();
    let all: u128 = costs
        .map(|(cost, pieces)| u128::from(cost) * u128::from(pieces))
        .sum();
    u128::from(largest.unwrap_or_default()).saturating_mul(all)
}

fn count(cut: &Cut) -> u64 {
    cut.iter().map(|(_, pieces)| u64::from(*pieces)).sum()
}

/// A cut of which no task costs more than the bound, if one is found.
fn within(work: Work<'_>, alone: &[Group], bound: u64, tasks: u32) -> Option<Cut> {
    let mut cut: Cut = Vec::with_capacity(alone.len());
    for group in alone {
        cut.push((group.clone(), group.cost.pieces_within(bound, tasks)?));
    }
    while let Some(Union { one, other, pieces }) = next_union(work, &cut, bound, tasks) {
        let (group, _) = cut.remove(other);
        cut[one] = (cut[one].0.with(work, &group), pieces);
    }
    cut.sort_by_key(|(group, _)| group.relations.first().copied());
    (count(&cut) <= u64::from(tasks)).then_some(cut)
}

/// Two groups that are to be one.
struct Union {
    /// Stands before the other.
    one: usize,
    other: usize,
    pieces: u32,
}

/// Those two that gain most by being together, if that is worth it, or while there are too many tasks.
fn next_union(work: Work<'_>, cut: &Cut, bound: u64, tasks: u32) -> Option<Union> {
    let are_too_many = count(cut) > u64::from(tasks);
    let mut best: Option<((i128, Reverse<u64>), Union)> = None;
    for (other, (second, of_second)) in cut.iter().enumerate() {
        for (one, (first, of_first)) in cut[..other].iter().enumerate() {
            let cost = first.cost_with(work, second);
            let Some(pieces) = cost.pieces_within(bound, tasks) else {
                continue;
            };
            let (before, behind) = (first.cost.of_all(*of_first), second.cost.of_all(*of_second));
            let saved = before + behind - cost.of_all(pieces);
            let is_worth = saved > 0 && saved >= before.min(behind) / WORTH;
            let is_needed = are_too_many && pieces < of_first.saturating_add(*of_second);
            let gain = (saved, Reverse(cost.of_piece(pieces)));
            if (is_worth || is_needed) && best.as_ref().is_none_or(|(most, _)| gain > *most) {
                best = Some((gain, Union { one, other, pieces }));
            }
        }
    }
    best.map(|(_, union)| union)
}

/// What relations cost together.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// Of each piece, into however many they are cut.
    fixed: u64,
    /// What is divided among them.
    divided: u64,
    most_pieces: u64,
}

impl Cost {
    fn of_piece(self, pieces: u32) -> u64 {
        self.fixed
            .saturating_add(self.divided / u64::from(pieces.max(1)))
    }

    fn of_all(self, pieces: u32) -> i128 {
        i128::from(self.of_piece(pieces)) * i128::from(pieces)
    }

    /// How many pieces it takes that none costs more than the bound, if that can be.
    fn pieces_within(self, bound: u64, tasks: u32) -> Option<u32> {
        let room = bound.checked_sub(self.fixed)?;
        let pieces = match self.divided <= room {
            true => 1,
            false => self.divided.checked_div(room)?.saturating_add(1),
        };
        let pieces = u32::try_from(pieces).ok()?;
        (u64::from(pieces) <= self.most_pieces && pieces <= tasks).then_some(pieces)
    }
}

/// What relations are, as far as that says into what they can be cut.
#[derive(Debug, Clone)]
struct Extent {
    relations: u64,
    /// Those of them that can be cut into ranges of batches.
    batched: u64,
    entities: Range<usize>,
    /// All of them are relations of all these entities.
    is_even: bool,
}

impl Extent {
    fn with(&self, other: &Extent) -> Extent {
        let (start, end) = (other.entities.start, other.entities.end);
        Extent {
            relations: self.relations + other.relations,
            batched: self.batched + other.batched,
            entities: self.entities.start.min(start)..self.entities.end.max(end),
            is_even: self.is_even && other.is_even && self.entities == other.entities,
        }
    }

    /// Whether ranges of batches are what they are cut into; else it is ranges of entities.
    fn is_in_parts(&self, work: Work<'_>) -> bool {
        work.in_parts && self.batched == self.relations
    }

    /// Whether both together can be cut as each can.
    fn is_cut_like(&self, work: Work<'_>, other: &Extent) -> bool {
        self.is_in_parts(work) == other.is_in_parts(work) && self.entities == other.entities
    }

    fn most_pieces(&self, work: Work<'_>) -> u64 {
        // One entity may be nearly all: what can be cut finer is not bound to what cannot.
        let is_bound = work.in_parts && self.batched > 0 || !self.is_even;
        match self.is_in_parts(work) {
            true => u64::MAX,
            false if is_bound => 1,
            false => (self.entities.len() as u64).max(1),
        }
    }
}

/// What relations cost that read these tables, and make records of so many bytes of them.
fn cost(work: Work<'_>, tables: impl Iterator<Item = bool>, made: u64, extent: &Extent) -> Cost {
    let read = work.sizes.iter().zip(tables);
    let read = read
        .filter(|(_, is_read)| *is_read)
        .map(|(size, _)| size.saturating_sub(AS_NOTHING))
        .fold(0, u64::saturating_add);
    let kept = made.saturating_sub(AS_NOTHING).saturating_mul(KEEPING);
    Cost {
        fixed: read
            .saturating_add(kept)
            // One for each relation, so that relations of tables without a size are spread, too.
            .saturating_add(extent.relations),
        divided: made.saturating_mul(MAKING),
        most_pieces: extent.most_pieces(work),
    }
}

/// Relations that are made together.
#[derive(Debug, Clone)]
struct Group {
    /// In order.
    relations: Vec<usize>,
    /// Whether each table is read.
    tables: Vec<bool>,
    /// Bytes of tables that become records.
    made: u64,
    extent: Extent,
    cost: Cost,
}

impl Group {
    fn of(work: Work<'_>, relation: usize) -> Group {
        let own = &work.relations[relation];
        let mut tables = vec![false; work.sizes.len()];
        let mut made = 0u64;
        for table in &own.tables {
            tables[*table] = true;
            // Each of those that read it makes records of other rows.
            let all = work.relations.iter();
            let readers = all.filter(|it| it.tables.contains(table)).count() as u64;
            let records = work.sizes[*table].saturating_mul(own.share.min(ALL_ROWS)) / ALL_ROWS;
            made = made.saturating_add(records / readers.max(1));
        }
        for table in work.always {
            tables[*table] = true;
        }
        let extent = Extent {
            relations: 1,
            batched: u64::from(own.batched),
            entities: own.entities.clone(),
            is_even: true,
        };
        Group {
            relations: vec![relation],
            cost: cost(work, tables.iter().copied(), made, &extent),
            tables,
            made,
            extent,
        }
    }

    fn with(&self, work: Work<'_>, other: &Group) -> Group {
        let mut relations = [self.relations.as_slice(), &other.relations].concat();
        relations.sort_unstable();
        Group {
            relations,
            tables: self.tables_with(other).collect(),
            made: self.made.saturating_add(other.made),
            extent: self.extent.with(&other.extent),
            cost: self.cost_with(work, other),
        }
    }

    fn tables_with<'g>(&'g self, other: &'g Group) -> impl Iterator<Item = bool> + 'g {
        let tables = self.tables.iter().zip(&other.tables);
        tables.map(|(one, other)| *one || *other)
    }

    /// What the two cost as one.
    fn cost_with(&self, work: Work<'_>, other: &Group) -> Cost {
        let made = self.made.saturating_add(other.made);
        let extent = self.extent.with(&other.extent);
        cost(work, self.tables_with(other), made, &extent)
    }

    fn pieces(&self, work: Work<'_>, of: u32) -> Vec<Piece> {
        let all = &self.extent.entities;
        let piece = |entities: Range<usize>, part: Option<Part>| Piece {
            relations: self.relations.clone(),
            entities,
            part,
            cost: self.cost.of_piece(of),
        };
        if of <= 1 {
            return vec![piece(all.clone(), None)];
        }
        let pieces = (0..of).map(|index| match self.extent.is_in_parts(work) {
            true => piece(all.clone(), Some(Part { index, of })),
            false => {
                // Ranges of entities are cut as those of batches are.
                let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
                let range = Part { index, of }.batches(count, 0);
                let range = range.start as usize..range.end as usize;
                piece(all.start + range.start..all.start + range.end, None)
            }
        });
        pieces.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(tables: &[usize], batched: bool, entities: Range<usize>) -> RelationCost {
        RelationCost {
            tables: tables.to_vec(),
            batched,
            entities,
            share: ALL_ROWS,
        }
    }

    type Shown = (Vec<usize>, Range<usize>, Option<(u32, u32)>);

    fn shown(pieces: &[Piece]) -> Vec<Shown> {
        let pieces = pieces.iter();
        pieces
            .map(|piece| {
                let part = piece.part.map(|part| (part.index, part.of));
                (piece.relations.clone(), piece.entities.clone(), part)
            })
            .collect()
    }

    #[test]
    fn relations_of_the_same_tables_stay_together_and_the_rest_is_spread() {
        // Issues and merge requests share notes; labels and boards are small.
        let relations = [
            relation(&[0, 3], true, 0..1),
            relation(&[1, 3], true, 0..1),
            relation(&[2], false, 0..1),
            relation(&[4], false, 0..1),
        ];
        let work = Work {
            relations: &relations,
            sizes: &[100, 100, 700, 500, 10],
            always: &[],
            in_parts: false,
        };
        assert_eq!(shown(&cut(work, 1)), [(vec![0, 1, 2, 3], 0..1, None)]);
        assert_eq!(
            shown(&cut(work, 2)),
            [(vec![0, 1, 3], 0..1, None), (vec![2], 0..1, None)]
        );
        let all = cut(work, 100);
        assert_eq!(all.len(), 4, "{all:?}");
    }

    #[test]
    fn of_very_many_relations_small_ones_are_put_together_first() {
        let count = 300;
        let relations: Vec<RelationCost> = (0..count)
            .map(|table| relation(&[table], table % 3 > 0, 0..4))
            .collect();
        let mut sizes: Vec<u64> = (0..count as u64).map(|size| size << 14).collect();
        sizes[7] = 1 << 40;
        let work = Work {
            relations: &relations,
            sizes: &sizes,
            always: &[],
            in_parts: true,
        };
        let pieces = cut(work, 16);
        assert!(pieces.len() <= 16, "{}", pieces.len());
        let mut made: Vec<usize> = Vec::new();
        for piece in &pieces {
            // What is in parts is made by each of them.
            if piece.part.is_none_or(|part| part.index == 0) {
                made.extend(&piece.relations);
            }
        }
        made.sort_unstable();
        assert!(made.into_iter().eq(0..count));
        let large = pieces.iter().filter(|it| it.relations.contains(&7));
        assert!(large.clone().count() > 4, "{:?}", shown(&pieces));
        for piece in large {
            assert_eq!(piece.relations, [7]);
        }
    }

    #[test]
    fn what_is_too_large_is_cut_into_ranges_of_batches_or_entities() {
        let relations = [relation(&[0], true, 0..10), relation(&[1], false, 2..5)];
        let work = Work {
            relations: &relations,
            sizes: &[1000, 900],
            always: &[],
            in_parts: true,
        };
        assert_eq!(
            shown(&cut(work, 5)),
            [
                (vec![0], 0..10, Some((0, 3))),
                (vec![0], 0..10, Some((1, 3))),
                (vec![0], 0..10, Some((2, 3))),
                (vec![1], 2..3, None),
                (vec![1], 3..5, None),
            ]
        );
        let without_parts = Work {
            in_parts: false,
            ..work
        };
        let entities: Vec<Range<usize>> = cut(without_parts, 4)
            .into_iter()
            .map(|piece| piece.entities)
            .collect();
        assert_eq!(entities, [0..5, 5..10, 2..3, 3..5]);
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn how_much_is_exported_decides_whether_a_table_is_read_twice() {
        // Issues and merge requests, which share notes, and boards.
        let relations = |share: u64| {
            let tables: [&[usize]; 3] = [&[0, 3], &[1, 3], &[2]];
            tables.map(|tables| RelationCost {
                share,
                ..relation(tables, false, 0..1)
            })
        };
        let sizes = [100, 100, 500, 600].map(|size| size * MIB);
        let cut_of = |share: u64| {
            let relations = relations(share);
            let work = Work {
                relations: &relations,
                sizes: &sizes,
                always: &[],
                in_parts: true,
            };
            let pieces = cut(work, 16).into_iter();
            pieces.map(|piece| piece.relations).collect::<Vec<_>>()
        };
        assert_eq!(cut_of(ALL_ROWS / 100), [vec![0, 1], vec![2]]);
        assert_eq!(cut_of(ALL_ROWS), [vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn what_cannot_be_cut_does_not_keep_whole_what_can() {
        let relations = [relation(&[0], true, 0..1), relation(&[1], false, 0..1)];
        let work = Work {
            relations: &relations,
            sizes: &[1000 * MIB, 10 * MIB, 50 * MIB],
            always: &[2],
            in_parts: true,
        };
        let parts = |of| (0..of).map(move |index| (vec![0], 0..1, Some((index, of))));
        let mut expected: Vec<Shown> = parts(4).collect();
        expected.push((vec![1], 0..1, None));
        // A fifth part would cost more than it wins: each reads the tables anew.
        for tasks in [5, 100] {
            assert_eq!(shown(&cut(work, tasks)), expected);
        }
        let little = relations.clone().map(|relation| RelationCost {
            share: ALL_ROWS / 20,
            ..relation
        });
        let work = Work {
            relations: &little,
            ..work
        };
        assert_eq!(shown(&cut(work, 100)), [(vec![0, 1], 0..1, None)]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_nor_made_twice(
            tables in proptest::collection::vec(proptest::collection::vec(0usize..6, 0..4), 1..12),
            sizes in proptest::collection::vec(0u64..1 << 40, 6),
            batched in proptest::collection::vec(proptest::bool::ANY, 12),
            entities in 1usize..20,
            tasks in 1usize..60,
            in_parts in proptest::bool::ANY,
        ) {
            let relations: Vec<RelationCost> = tables
                .iter()
                .zip(batched)
                .map(|(tables, batched)| relation(tables, batched, 0..entities))
                .collect();
            let work = Work { relations: &relations, sizes: &sizes, always: &[0], in_parts };
            let pieces = cut(work, tasks);
            proptest::prop_assert!(pieces.len() <= tasks);
            // Each relation of each entity: either once, or each of its parts once.
            for relation in 0..relations.len() {
                for entity in 0..entities {
                    let mut own: Vec<Option<Part>> = pieces
                        .iter()
                        .filter(|piece| piece.relations.contains(&relation) && piece.entities.contains(&entity))
                        .map(|piece| piece.part)
                        .collect();
                    own.sort_by_key(|part| part.map(|part| part.index));
                    let of = own.len() as u32;
                    let expected: Vec<Option<Part>> = match own.first() {
                        Some(None) => vec![None],
                        _ => (0..of.max(1)).map(|index| Some(Part { index, of })).collect(),
                    };
                    proptest::prop_assert_eq!(own, expected);
                }
            }
        }
    }
}
