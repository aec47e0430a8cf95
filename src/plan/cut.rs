//! Cutting an export into tasks of like cost. Pure: tables with their sizes in, tasks out.
//!
//! What a task costs is taken to be the bytes of the tables that it reads, and as much again for what it makes of those that
//! only its own relations are made of. Relations that share large tables (notes, labels) are the cheaper together. A
//! relation that costs more than a task should is cut into ranges of its batches, or of its entities: each of them reads the
//! tables again, so that is done only while it makes the largest task smaller.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::export::share::Part;

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

/// Cuts into at most `tasks` pieces.
pub(super) fn cut(work: Work<'_>, tasks: usize) -> Vec<Piece> {
    let mut groups = group(work, tasks.max(1));
    while groups.iter().map(|group| group.pieces).sum::<u32>() < bounded(tasks) {
        let costs = groups.iter().map(|group| group.cost(work));
        let Some(largest) = costs
            .enumerate()
            .max_by_key(|(at, cost)| (*cost, usize::MAX - at))
        else {
            break;
        };
        let group = &mut groups[largest.0];
        let more = Group {
            pieces: group.pieces + 1,
            ..group.clone()
        };
        if group.most_pieces(work) <= group.pieces || more.cost(work) >= largest.1 {
            break;
        }
        *group = more;
    }
    groups.iter().flat_map(|group| group.pieces(work)).collect()
}

fn bounded(tasks: usize) -> u32 {
    u32::try_from(tasks).unwrap_or(u32::MAX)
}

/// Relations that read tables together, and into how many pieces they are cut.
#[derive(Debug, Clone)]
struct Group {
    relations: Vec<usize>,
    pieces: u32,
}

/// How much of what a relation costs alone it may add to others, so that a task of its own is not worth it.
const LITTLE: u64 = 16;

/// Puts relations together: the costliest first, each where it adds next to nothing, else into a group of its own, else where
/// the result is cheapest.
fn group(work: Work<'_>, tasks: usize) -> Vec<Group> {
    let mut order: Vec<usize> = (0..work.relations.len()).collect();
    let alone = |relation: usize| cost_of(work, &[relation], 1);
    order.sort_by_key(|relation| (Reverse(alone(*relation)), *relation));
    let mut groups: Vec<Group> = Vec::new();
    for relation in order {
        let with: Vec<(u64, u64)> = groups
            .iter()
            .map(|group| {
                let mut relations = group.relations.clone();
                relations.push(relation);
                let cost = cost_of(work, &relations, 1);
                (cost - group.cost(work), cost)
            })
            .collect();
        let least = (0..with.len()).min_by_key(|at| with[*at].0);
        let adds_little = |at: &usize| with[*at].0 <= alone(relation) / LITTLE;
        let is_full = groups.len() >= tasks;
        let cheapest = (0..with.len()).min_by_key(|at| with[*at].1);
        match least.filter(adds_little).or(cheapest.filter(|_| is_full)) {
            Some(at) => groups[at].relations.push(relation),
            None => groups.push(Group {
                relations: vec![relation],
                pieces: 1,
            }),
        }
    }
    for group in &mut groups {
        group.relations.sort_unstable();
    }
    groups.sort_by_key(|group| group.relations.first().copied());
    groups
}

/// What a piece of these relations costs, if they are cut into so many.
fn cost_of(work: Work<'_>, relations: &[usize], pieces: u32) -> u64 {
    let own: BTreeSet<usize> = relations
        .iter()
        .flat_map(|relation| work.relations[*relation].tables.iter().copied())
        .collect();
    let bytes = |tables: &mut dyn Iterator<Item = usize>| -> u64 {
        tables
            .map(|table| work.sizes[table])
            .fold(0, u64::saturating_add)
    };
    let made = bytes(&mut own.iter().copied());
    let always = work
        .always
        .iter()
        .copied()
        .filter(|table| !own.contains(table));
    // One for each relation, so that relations of tables without a size are spread, too.
    made.saturating_add(bytes(&mut { always }))
        .saturating_add(made / u64::from(pieces.max(1)))
        .saturating_add(relations.len() as u64)
}

impl Group {
    fn cost(&self, work: Work<'_>) -> u64 {
        cost_of(work, &self.relations, self.pieces)
    }

    /// Whether ranges of batches are what it is cut into; else it is ranges of entities.
    fn is_in_parts(&self, work: Work<'_>) -> bool {
        let mut relations = self.relations.iter();
        work.in_parts && relations.all(|relation| work.relations[*relation].batched)
    }

    fn entities(&self, work: Work<'_>) -> Range<usize> {
        let ranges = || {
            self.relations
                .iter()
                .map(|it| &work.relations[*it].entities)
        };
        let start = ranges().map(|range| range.start).min().unwrap_or_default();
        start..ranges().map(|range| range.end).max().unwrap_or_default()
    }

    fn most_pieces(&self, work: Work<'_>) -> u32 {
        match self.is_in_parts(work) {
            true => u32::MAX,
            false => bounded(self.entities(work).len()).max(1),
        }
    }

    fn pieces(&self, work: Work<'_>) -> Vec<Piece> {
        let all = self.entities(work);
        let cost = self.cost(work);
        let piece = |entities: Range<usize>, part: Option<Part>| Piece {
            relations: self.relations.clone(),
            entities,
            part,
            cost,
        };
        let of = self.pieces;
        if of <= 1 {
            return vec![piece(all, None)];
        }
        let pieces = (0..of).map(|index| match self.is_in_parts(work) {
            true => piece(all.clone(), Some(Part { index, of })),
            false => {
                // Ranges of entities are cut as those of batches are.
                let range = Part { index, of }.batches(bounded(all.len()), 0);
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
            [(vec![0, 1], 0..1, None), (vec![2, 3], 0..1, None)]
        );
        let all = cut(work, 100);
        assert_eq!(all.len(), 4, "{all:?}");
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
