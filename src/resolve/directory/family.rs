//! Who is above and below whom.

use std::collections::BTreeSet;

use crate::pipeline::EntityId;

use super::{Directory, Record};

impl Directory {
    /// The path that something says of a row, entity or not: what the first column of its row says that has a value, else the
    /// first lookup that knows it.
    pub(super) fn stated_path(&self, id: &EntityId) -> Option<&str> {
        let mut own = self.own_paths.iter();
        if let Some(path) = own.find_map(|own| own.values.get(id)) {
            return Some(path);
        }
        let lookups = self.entity.paths.iter().zip(&self.paths);
        let mut current = lookups.filter(|(lookup, _)| !lookup.former);
        current.find_map(|(_, paths)| paths.get(id).map(AsRef::as_ref))
    }

    /// The parts of a row's path and of those above it in the table, joined by `/`, with the key of what the topmost lies
    /// within.
    pub(super) fn parts<'a>(&'a self, id: &'a EntityId) -> (String, Option<&'a EntityId>) {
        let (mut parts, mut within) = (Vec::<&str>::new(), None);
        let others = self.other_rows.as_ref();
        if let Some(other) = others.and_then(|others| others.get(id)) {
            parts.push(&other.segment);
            if let Some(parent) = &other.parent {
                self.walk_up(parent, |_, record| parts.push(&record.segment));
            }
        }
        self.walk_up(id, |_, record| {
            parts.push(&record.segment);
            within = record.within.as_ref();
        });
        parts.reverse();
        (parts.join("/"), within)
    }

    /// The topmost entity above one.
    pub(crate) fn root<'a>(&'a self, id: &'a EntityId) -> &'a EntityId {
        if let Some(root) = self
            .records
            .get(id)
            .and_then(|record| record.ancestors.first())
        {
            return root;
        }
        let mut root = id;
        self.walk_up(id, |id, _| root = id);
        root
    }

    pub(super) fn descendants(&self, of: &EntityId) -> BTreeSet<&EntityId> {
        let is_below = |id: &EntityId, record: &Record| {
            if record.ancestors.is_empty() {
                let mut below = false;
                self.walk_up(id, |ancestor, _| below |= ancestor == of);
                below
            } else {
                record.ancestors.contains(of)
            }
        };
        self.records
            .iter()
            .filter(|(id, record)| *id != of && is_below(id, record))
            .map(|(id, _)| id)
            .collect()
    }

    /// Entities right below these.
    pub(crate) fn below(&self, parents: &BTreeSet<EntityId>) -> BTreeSet<EntityId> {
        self.records
            .iter()
            .filter(|(_, record)| {
                let parent = record.parent.as_ref();
                parent.is_some_and(|parent| parents.contains(parent))
            })
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// The nearest ancestors that have not been seen, of entities whose path or root has to be found by walking up.
    pub(crate) fn missing_above(&self) -> BTreeSet<EntityId> {
        let walks =
            |id: &EntityId, record: &Record| record.ancestors.is_empty() || !self.has_path(id);
        let mut missing = BTreeSet::new();
        for (id, _) in self.records.iter().filter(|(id, record)| walks(id, record)) {
            let mut top = None;
            self.walk_up(id, |_, record| top = record.parent.as_ref());
            let unseen = top.filter(|top| !self.records.contains_key(*top));
            missing.extend(unseen.cloned());
        }
        missing.retain(|id| !self.others.contains(id));
        missing
    }

    /// Visits an entity and its ancestors, nearest first.
    pub(super) fn walk_up<'a>(
        &'a self,
        id: &'a EntityId,
        mut visit: impl FnMut(&'a EntityId, &'a Record),
    ) {
        let mut current = Some(id);
        // A hostile snapshot may have parents in a circle.
        let mut seen = BTreeSet::new();
        while let Some(id) = current.filter(|id| seen.insert(*id)) {
            let Some(record) = self.records.get(id) else {
                return;
            };
            visit(id, record);
            current = record.parent.as_ref();
        }
    }
}
