//! Who is above and below whom.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::FixedState;

use crate::pipeline::EntityId;

use super::{Directory, Map, Record};

/// Bytes of a path that is made of parts. GitLab's own end at 255, and 20 levels; of a chain of 100,000 groups the paths alone
/// would have 30 GB.
const LONGEST_PATH: usize = 1024;

/// Levels that are walked again for every entity. Where there are more, it is noted where they lead.
const DEEP: usize = 64;

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
    /// within. `None` if it lies so deep that they would be longer than [`LONGEST_PATH`].
    pub(super) fn parts<'a>(&'a self, id: &'a EntityId) -> Option<(String, Option<&'a EntityId>)> {
        let (mut parts, mut within) = (Parts::default(), None);
        let others = self.other_rows.as_ref();
        if let Some(other) = others.and_then(|others| others.get(id)) {
            parts.push(&other.segment)?;
            if let Some(parent) = &other.parent {
                self.walk_up(parent, |record| parts.push(&record.segment))?;
            }
        }
        self.walk_up(id, |record| {
            within = record.within();
            parts.push(&record.segment)
        })?;
        parts.parts.reverse();
        Some((parts.parts.join("/"), within))
    }

    /// The topmost entity above one.
    pub(crate) fn root<'a>(&'a self, id: &'a EntityId) -> &'a EntityId {
        let record = self.records.get(id);
        let stated = record.and_then(|record| record.ancestors.first());
        stated.unwrap_or_else(|| self.top(id))
    }

    /// The topmost entity above one by the parents that rows name. Of a circle, in a hostile snapshot, it is the first by key.
    fn top<'a>(&'a self, id: &'a EntityId) -> &'a EntityId {
        let mut top = id;
        for _ in 0..DEEP {
            match self.above(top) {
                Some(above) => top = above,
                None => return top,
            }
        }
        // From everybody to the top again and again, a chain would be walked by the square of its length.
        self.tops().get(top).map_or(top, |found| &found.id)
    }

    fn tops(&self) -> &Map<Top> {
        self.tops.get_or_init(|| self.all_tops())
    }

    /// The entity right above one, if both are there.
    fn above<'a>(&'a self, id: &EntityId) -> Option<&'a EntityId> {
        let parent = self.records.get(id)?.parent.as_ref()?;
        self.records.contains_key(parent).then_some(parent)
    }

    /// What is above every entity; each is walked over once.
    fn all_tops(&self) -> Map<Top> {
        let mut tops: Map<Top> = Map::default();
        let length = |id: &EntityId| {
            let record = self.records.get(id);
            record.map_or(0, |record| record.segment.len() + 1)
        };
        for id in self.records.keys() {
            let mut way: Vec<&EntityId> = Vec::new();
            let mut on_way: HashMap<&EntityId, usize, FixedState> = HashMap::default();
            let mut current = id;
            let mut top = loop {
                if let Some(top) = tops.get(current) {
                    break top.clone();
                }
                if let Some(start) = on_way.get(current) {
                    let circle = way.split_off(*start);
                    let first = circle.iter().min().map_or(current, |first| *first);
                    let top = Top {
                        id: first.clone(),
                        length: circle.iter().map(|id| length(id)).sum(),
                    };
                    tops.extend(circle.into_iter().map(|id| (id.clone(), top.clone())));
                    break top;
                }
                on_way.insert(current, way.len());
                way.push(current);
                match self.above(current) {
                    Some(above) => current = above,
                    None => {
                        break Top {
                            id: current.clone(),
                            length: 0,
                        };
                    }
                }
            };
            for id in way.into_iter().rev() {
                top.length += length(id);
                tops.insert(id.clone(), top.clone());
            }
        }
        tops
    }

    /// Entities whose rows name one of these among their ancestors, and others.
    pub(crate) fn stated_below<'a>(
        &'a self,
        above: &BTreeSet<EntityId>,
    ) -> impl Iterator<Item = &'a EntityId> {
        let records = self.records.iter();
        let is_below = |record: &Record| record.ancestors.iter().any(|it| above.contains(it));
        let below = records.filter(move |(_, record)| is_below(record));
        below.map(|(id, _)| id)
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
            let top = self.records.get(self.top(id));
            let above = top.and_then(|top| top.parent.as_ref());
            let unseen = above.filter(|above| !self.records.contains_key(*above));
            missing.extend(unseen.cloned());
        }
        missing.retain(|id| !self.others.contains(id));
        missing
    }

    /// Visits an entity and its ancestors, nearest first, until there is no other. `None` if `visit` has enough, or if it is
    /// known that it would.
    fn walk_up<'a>(
        &'a self,
        id: &'a EntityId,
        mut visit: impl FnMut(&'a Record) -> Option<()>,
    ) -> Option<()> {
        let (start, mut current) = (id, Some(id));
        // A hostile snapshot may have parents in a circle.
        let mut seen = BTreeSet::new();
        while let Some(id) = current.filter(|id| seen.insert(*id)) {
            let Some(record) = self.records.get(id) else {
                break;
            };
            let is_too_deep = || {
                let top = self.tops().get(start);
                top.is_some_and(|top| top.length > LONGEST_PATH)
            };
            if seen.len() == DEEP && is_too_deep() {
                return None;
            }
            visit(record)?;
            current = record.parent.as_ref();
        }
        Some(())
    }
}

/// What is above an entity.
#[derive(Clone)]
pub(super) struct Top {
    /// The topmost one.
    id: EntityId,
    /// Bytes of the parts of its path, each with a slash.
    length: usize,
}

/// The parts of a path, the last one first.
#[derive(Default)]
struct Parts<'a> {
    parts: Vec<&'a str>,
    length: usize,
}

impl<'a> Parts<'a> {
    fn push(&mut self, part: &'a str) -> Option<()> {
        self.length += part.len() + 1;
        self.parts.push(part);
        (self.length <= LONGEST_PATH).then_some(())
    }
}

/// What lies below an entity.
pub(super) struct Descendants<'a> {
    pub all: BTreeSet<&'a EntityId>,
    /// Those among them that do not lie there by both, their ancestors and their parents, though their rows name both.
    pub disputed: BTreeSet<&'a EntityId>,
}

/// Who is below whom, for questions about many.
pub(super) struct Family<'a> {
    directory: &'a Directory,
    /// By parent.
    below: HashMap<&'a EntityId, Vec<&'a EntityId>, FixedState>,
    /// By ancestor, those whose rows name their ancestors.
    stated: HashMap<&'a EntityId, Vec<&'a EntityId>, FixedState>,
    /// Those that were found below somebody: all below them was, too.
    walked: HashSet<&'a EntityId, FixedState>,
}

impl<'a> Family<'a> {
    pub(super) fn new(directory: &'a Directory) -> Self {
        let mut family = Family {
            directory,
            below: HashMap::default(),
            stated: HashMap::default(),
            walked: HashSet::default(),
        };
        for (id, record) in &directory.records {
            for ancestor in record.ancestors.iter().filter(|ancestor| *ancestor != id) {
                family.stated.entry(ancestor).or_default().push(id);
            }
            if let Some(parent) = &record.parent {
                family.below.entry(parent).or_default().push(id);
            }
        }
        family
    }

    /// The entities below one that were not found below another one before: by the ancestors that rows name, and by their
    /// parents. Where a row says one thing by its ancestors and another one by its parent, it lies below, too: whichever is
    /// out of date, nothing is missing.
    pub(super) fn descendants(&mut self, of: &EntityId) -> Descendants<'a> {
        let stated: BTreeSet<&EntityId> =
            self.stated.get(of).into_iter().flatten().copied().collect();
        let mut all = stated.clone();
        let mut disputed = BTreeSet::new();
        let mut open: Vec<&EntityId> = Vec::from_iter(stated.iter().copied());
        open.push(of);
        while let Some(above) = open.pop() {
            for id in self.below.get(above).into_iter().flatten() {
                if !self.walked.insert(id) {
                    continue;
                }
                open.push(id);
                if *id == of || stated.contains(id) {
                    continue;
                }
                all.insert(id);
                let record = self.directory.records.get(*id);
                if record.is_some_and(|record| !record.ancestors.is_empty()) {
                    disputed.insert(*id);
                }
            }
        }
        disputed.extend(stated.into_iter().filter(|id| !self.walked.contains(id)));
        Descendants { all, disputed }
    }
}
