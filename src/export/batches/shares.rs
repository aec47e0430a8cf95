//! What of an export is made elsewhere: batches of other parts, and relations that are collected from the records of several
//! shares.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{BatchError, Batches};
use crate::export::share::{CollectedShare, Part, ReferringColumn};
use crate::output::{DanglingReference, FileId, Message};
use crate::resolve::Key;

/// What a run's share means for its batches.
#[derive(Debug, Default)]
pub(in crate::export) struct BatchShare {
    pub part: Option<Part>,
    /// Relations that are collected are not made, but what they would be made of is told.
    pub tells: bool,
    /// What others have told, by entity and relation.
    pub given: HashMap<(usize, usize), Vec<ReferringColumn>>,
}

impl BatchShare {
    /// Of a run's share; `position` tells an entity and a relation of it by the entity's folder and the relation's name.
    pub(in crate::export) fn new(
        part: Option<Part>,
        collected: &CollectedShare,
        position: impl Fn(&str, &str) -> Option<(usize, usize)>,
    ) -> Self {
        let mut given = HashMap::new();
        if let CollectedShare::Given(references) = collected {
            for it in references {
                // Who is not exported by this run is by another.
                if let Some(place) = position(&it.prefix, &it.relation) {
                    given.insert(place, it.columns.clone());
                }
            }
        }
        BatchShare {
            part,
            tells: matches!(collected, CollectedShare::Told),
            given,
        }
    }
}

/// What the records of a run refer to, by entity and relation of the plan.
pub(in crate::export) type Told = BTreeMap<(usize, usize), Vec<ReferringColumn>>;

impl Batches<'_> {
    /// True for a file of another part.
    pub(super) fn is_elsewhere(&self, file: FileId) -> bool {
        let Some(part) = self.share.part else {
            return false;
        };
        match file.batch {
            // The only file of a relation without rows.
            None => part.index > 0,
            Some(batch) => {
                let count = self.cut.files.count(self.cut.total).unwrap_or_default();
                // That there are not too many batches has been checked.
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                let batches = part.batches(count, self.cut.entity);
                !(batches.start as usize..batches.end as usize).contains(&batch.position())
            }
        }
    }

    /// A relation of an entity, of which this run makes nothing.
    pub(super) fn tell_elsewhere(
        &mut self,
        entity: usize,
        relation: usize,
    ) -> Result<(), BatchError> {
        self.send(Message::Elsewhere { entity, relation })
    }

    /// The keys of a collected relation that the entity's records refer to, sorted.
    pub(super) fn collected_keys(&self, entity: usize, relation: usize) -> Vec<Key> {
        let own = self.collected.get(&(entity, relation)).into_iter();
        let own = own.flat_map(BTreeMap::keys).map(|(key, _)| key);
        let given = self.share.given.get(&(entity, relation)).into_iter();
        let given = given.flatten().flat_map(|column| column.keys.keys());
        let keys: BTreeSet<&Key> = own.chain(given).collect();
        keys.into_iter().cloned().collect()
    }

    /// What is noted of references to a collected relation whose keys have no row.
    pub(super) fn dangling_to(
        &self,
        entity: usize,
        relation: usize,
        unfound: &BTreeSet<Key>,
    ) -> Vec<DanglingReference> {
        let mut counts = BTreeMap::new();
        let own = self.collected.get(&(entity, relation)).into_iter();
        for ((key, from), count) in own.flatten() {
            if unfound.contains(key) {
                *counts.entry(*from).or_default() += count;
            }
        }
        let own = counts
            .into_iter()
            .map(|(from, count)| self.renderer.dangling(from, count));
        let given = self.share.given.get(&(entity, relation)).into_iter();
        let given = given
            .flatten()
            .filter_map(|column| column.dangling(|key| unfound.contains(key)));
        own.chain(given).collect()
    }

    /// What the records that were written refer to.
    pub(super) fn told(&self) -> Told {
        let mut told = Told::new();
        if !self.share.tells {
            return told;
        }
        for (place, keys) in &self.collected {
            let columns: &mut Vec<ReferringColumn> = told.entry(*place).or_default();
            for ((key, from), count) in keys {
                let DanglingReference {
                    table, column, to, ..
                } = self.renderer.dangling(*from, 0);
                let same = |it: &&mut ReferringColumn| it.table == table && it.column == column;
                match columns.iter_mut().find(same) {
                    Some(known) => {
                        known.keys.insert(key.clone(), *count);
                    }
                    None => columns.push(ReferringColumn {
                        keys: BTreeMap::from([(key.clone(), *count)]),
                        table,
                        column,
                        to,
                    }),
                }
            }
            columns.sort_by(|one, other| {
                (&one.table, &one.column).cmp(&(&other.table, &other.column))
            });
        }
        told
    }
}
