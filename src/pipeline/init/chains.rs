//! The ways from tables to the entity, along foreign keys.
//!
//! Ways are looked for by their length. Once a table has one that every row has (each column on it is NOT NULL), longer ones
//! find no row that has no owner yet, and are not followed, unless every way is wanted. No way passes a table twice, nor
//! the entity's own table, behind which other entities stand.

use super::graph::{Graph, TableIndex};

/// The most tables on a way.
const LONGEST: usize = 12;

/// The most ways of a table. Dense schemas have so many that nobody would read them.
const MOST: usize = 12;

/// A way from a table to the entity: each step is a table and one of its groups. The last one leads to the entity.
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) steps: Vec<(TableIndex, usize)>,
    /// Joins between the table's rows and the entity's key.
    length: usize,
    /// Every row of the table has this way.
    total: bool,
}

/// The ways of one table, the shortest first.
#[derive(Default)]
pub(super) struct Ways {
    pub(super) chains: Vec<Chain>,
    /// Ways that were found and are too many.
    pub(super) omitted: usize,
    /// Every row of the table has one of them.
    pub(super) total: bool,
}

/// The ways of all tables. The entity's own table has none.
pub(super) fn ways(graph: &Graph<'_>, every_way: bool) -> Vec<Ways> {
    let mut ways: Vec<Ways> = Vec::new();
    ways.resize_with(graph.tables.len(), Ways::default);
    for length in 1..=LONGEST {
        let mut found = Vec::new();
        for table in (0..graph.tables.len()).filter(|table| *table != graph.entity) {
            if every_way || !ways[table].total {
                let chains = candidates(graph, &ways, table, length);
                if !chains.is_empty() {
                    found.push((table, chains));
                }
            }
        }
        for (table, mut chains) in found {
            let total = chains.iter().position(|chain| chain.total);
            if let (Some(total), false) = (total, every_way) {
                chains = vec![chains.swap_remove(total)];
            }
            let ways = &mut ways[table];
            let room = MOST.saturating_sub(ways.chains.len());
            ways.omitted += chains.len().saturating_sub(room);
            ways.total |= total.is_some() && room > 0;
            ways.chains.extend(chains.into_iter().take(room));
        }
    }
    ways
}

/// The ways of that length, by the names of the tables on them.
fn candidates(graph: &Graph<'_>, ways: &[Ways], table: TableIndex, length: usize) -> Vec<Chain> {
    let mut chains = Vec::new();
    for (place, group) in graph.tables[table].groups.iter().enumerate() {
        let step = (table, place);
        if group.to == graph.entity {
            // By another column than the key, the entity's own rows are one join more.
            if length == if group.by_key { 1 } else { 2 } {
                chains.push(Chain {
                    steps: vec![step],
                    length,
                    total: group.is_total(),
                });
            }
            continue;
        }
        let above = ways[group.to].chains.iter();
        let above = above.filter(|chain| chain.length + 1 == length);
        for chain in above.filter(|chain| chain.steps.iter().all(|(other, _)| *other != table)) {
            let mut steps = vec![step];
            steps.extend(&chain.steps);
            chains.push(Chain {
                steps,
                length,
                total: group.is_total() && chain.total,
            });
        }
    }
    chains
}
