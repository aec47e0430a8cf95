//! Finding an entity by its name: its key, or its full path.

use crate::pipeline::EntityId;
use crate::resolve::entities::{EntityError, entity_id};
use crate::resolve::plan::KindId;
use crate::visible::visible;

use super::letter_case::{LetterCase, letter_cases, same_ignoring_case};
use super::{Directories, Directory};

impl Directories {
    /// The key of the entity of this name.
    ///
    /// # Errors
    /// Where there is none, or something that is no entity.
    pub(crate) fn find(&self, kind: KindId, wanted: &str) -> Result<&EntityId, EntityError> {
        let mut other = false;
        match self.look_up(kind, wanted, &mut other)? {
            Some(id) => Ok(id),
            None if other => Err(self.of(kind).not_an_entity(wanted.trim_matches('/'))),
            None => Err(self.unknown(kind, wanted.trim_matches('/'))),
        }
    }

    /// The key of the entity of this name, if there is one. `other` becomes true if it names something that is none.
    ///
    /// # Errors
    /// Where it names several.
    pub(super) fn look_up(
        &self,
        kind: KindId,
        wanted: &str,
        other: &mut bool,
    ) -> Result<Option<&EntityId>, EntityError> {
        let directory = self.of(kind);
        if let Some(id) = directory.find_stated(wanted, other)? {
            return Ok(Some(id));
        }
        let wanted = wanted.trim_matches('/');
        // Entities without a path of their own are found by their ancestors' parts.
        let mut by_parts: Vec<&EntityId> = directory
            .records
            .keys()
            .filter(|id| self.full_path(kind, id) == wanted)
            .collect();
        by_parts.sort_unstable();
        directory.only(wanted, &by_parts)
    }

    fn unknown(&self, kind: KindId, wanted: &str) -> EntityError {
        EntityError::Unknown {
            kind: self.of(kind).entity.kind.clone(),
            wanted: wanted.to_owned(),
            hint: self.hint(kind, wanted),
        }
    }

    /// The full paths that look most like the wanted one.
    fn hint(&self, kind: KindId, wanted: &str) -> String {
        let directory = self.of(kind);
        let mut near: Vec<(usize, String)> = directory
            .records
            .keys()
            .map(|id| self.full_path(kind, id))
            .map(|path| (distance(wanted, &path), path))
            .collect();
        near.sort();
        near.truncate(3);
        if near.is_empty() {
            return "; it holds none at all".to_owned();
        }
        let names: Vec<String> = near.iter().map(|(_, path)| visible(path)).collect();
        let list = match directory.within {
            Some(_) => format!("; `{}` lists all", directory.list()),
            None => String::new(),
        };
        format!("\n  the nearest paths are: {}{list}", names.join(", "))
    }
}

impl Directory {
    /// The key of the entity whose key, or a path that something states, is this name. `other` becomes true if there is a row
    /// of it that is no entity.
    ///
    /// # Errors
    /// As [`Directory::only`].
    fn find_stated(
        &self,
        wanted: &str,
        other: &mut bool,
    ) -> Result<Option<&EntityId>, EntityError> {
        let keys: Vec<EntityId> = self.keys_of(wanted).collect();
        let mut known = keys
            .iter()
            .filter_map(|key| self.records.get_key_value(key));
        if let Some((id, _)) = known.next() {
            return Ok(Some(id));
        }
        // What is no entity's key may be a path.
        *other = keys.iter().any(|key| self.others.contains(key));
        for own in &self.own_paths {
            for case in LetterCase::OWN {
                let named = spellings(wanted).flat_map(|name| own.named(name, case));
                if let Some(id) = self.only_entity(wanted, named.collect(), other)? {
                    return Ok(Some(id));
                }
            }
        }
        let wanted = wanted.trim_matches('/');
        for (position, lookup) in self.entity.paths.iter().enumerate() {
            for case in letter_cases(lookup) {
                let is_wanted = |path: &str| match case {
                    LetterCase::Counts => path == wanted,
                    LetterCase::Ignored => same_ignoring_case(path, wanted),
                };
                let current = self.paths[position].iter();
                let former = self.more_paths[position]
                    .iter()
                    .map(|(id, path)| (id, path));
                let ids = current
                    .chain(former)
                    .filter(|(_, path)| is_wanted(path))
                    .map(|(id, _)| id);
                if let Some(id) = self.only_entity(wanted, ids.collect(), other)? {
                    return Ok(Some(id));
                }
            }
        }
        Ok(None)
    }

    /// The command that lists entities of the kind.
    fn list(&self) -> &'static str {
        match self.within {
            Some(_) => "relexport groups --projects",
            None => "relexport groups",
        }
    }

    /// The keys that a name may be, the likeliest first.
    pub(crate) fn keys_of(&self, name: &str) -> impl Iterator<Item = EntityId> {
        let form = self.form;
        spellings(name).filter_map(move |name| entity_id(form, name))
    }

    /// The one entity among these rows, if there is one. `other` becomes true if there are rows that are no entities.
    ///
    /// # Errors
    /// As [`Directory::only`].
    fn only_entity<'a>(
        &self,
        wanted: &str,
        mut ids: Vec<&'a EntityId>,
        other: &mut bool,
    ) -> Result<Option<&'a EntityId>, EntityError> {
        ids.sort_unstable();
        ids.dedup();
        *other |= ids.iter().any(|id| self.others.contains(*id));
        ids.retain(|id| self.records.contains_key(*id));
        self.only(wanted, &ids)
    }

    /// The one of these entities, if there is one.
    ///
    /// # Errors
    /// Where there are several: one of them would be another's.
    fn only<'a>(
        &self,
        wanted: &str,
        ids: &[&'a EntityId],
    ) -> Result<Option<&'a EntityId>, EntityError> {
        match ids {
            [] => Ok(None),
            [id] => Ok(Some(*id)),
            several => Err(EntityError::Ambiguous {
                kind: self.entity.kind.clone(),
                wanted: wanted.to_owned(),
                count: several.len(),
                ids: several
                    .iter()
                    .map(|id| visible(&self.written(id).to_string()))
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    /// Nobody's path is like a pattern.
    pub(super) fn no_match(&self, pattern: &str) -> EntityError {
        EntityError::NoMatch {
            kind: self.entity.kind.clone(),
            list: self.list(),
            pattern: pattern.to_owned(),
        }
    }

    fn not_an_entity(&self, wanted: &str) -> EntityError {
        let condition = self
            .entity
            .filter
            .first()
            .map(|condition| format!("the right {}", condition.column));
        EntityError::NotAnEntity {
            kind: self.entity.kind.clone(),
            list: self.list(),
            wanted: wanted.to_owned(),
            table: self.entity.table.to_string(),
            condition: condition.unwrap_or_default(),
        }
    }
}

/// A name as it is, and without the slashes around it.
pub(in crate::resolve) fn spellings(name: &str) -> impl Iterator<Item = &str> {
    let trimmed = name.trim_matches('/');
    let trimmed = Some(trimmed).filter(|trimmed| *trimmed != name);
    [name].into_iter().chain(trimmed)
}

/// Edit distance of two paths, of which at most the first 255 characters count: small where one was mistyped.
fn distance(a: &str, b: &str) -> usize {
    let start = |path: &str| path.chars().take(255).collect::<String>();
    strsim::levenshtein(&start(a), &start(b))
}
