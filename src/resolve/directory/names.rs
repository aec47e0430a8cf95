//! Finding an entity by its name: its key, or its full path.

use crate::pipeline::EntityId;
use crate::resolve::entities::EntityError;

use super::Directory;
use super::letter_case::{LetterCase, letter_cases};

impl Directory {
    /// The key of the entity of this name.
    ///
    /// # Errors
    /// Where there is none, or something that is no entity.
    pub(crate) fn find(&self, wanted: &str) -> Result<&EntityId, EntityError> {
        let keys: Vec<EntityId> = self.keys_of(wanted).collect();
        let mut known = keys
            .iter()
            .filter_map(|key| self.records.get_key_value(key));
        if let Some((id, _)) = known.next() {
            return Ok(id);
        }
        // What is no entity's key may be a path.
        let mut other = keys.iter().any(|key| self.others.contains(key));
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
                let mut ids: Vec<&EntityId> = current
                    .chain(former)
                    .filter(|(_, path)| is_wanted(path))
                    .map(|(id, _)| id)
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                other |= ids.iter().any(|id| self.others.contains(*id));
                ids.retain(|id| self.records.contains_key(*id));
                if let Some(id) = self.only(wanted, &ids)? {
                    return Ok(id);
                }
            }
        }
        // Entities without a path of their own are found by their ancestors' parts.
        let mut by_parts: Vec<&EntityId> = self
            .records
            .keys()
            .filter(|id| self.full_path(id) == wanted)
            .collect();
        by_parts.sort_unstable();
        match self.only(wanted, &by_parts)? {
            Some(id) => Ok(id),
            None if other => Err(self.not_an_entity(wanted)),
            None => Err(self.unknown(wanted)),
        }
    }

    /// The keys that a name may be, the likeliest first.
    pub(crate) fn keys_of(&self, name: &str) -> impl Iterator<Item = EntityId> {
        let trimmed = name.trim_matches('/');
        let names = [Some(name), Some(trimmed).filter(|trimmed| *trimmed != name)];
        let form = self.form;
        names
            .into_iter()
            .flatten()
            .filter_map(move |name| form.of_user(name))
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
                    .map(|id| id.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    fn unknown(&self, wanted: &str) -> EntityError {
        EntityError::Unknown {
            kind: self.entity.kind.clone(),
            wanted: wanted.to_owned(),
            hint: self.hint(wanted),
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
            wanted: wanted.to_owned(),
            table: self.entity.table.clone(),
            condition: condition.unwrap_or_default(),
        }
    }

    /// The full paths that look most like the wanted one.
    fn hint(&self, wanted: &str) -> String {
        let mut near: Vec<(usize, String)> = self
            .records
            .keys()
            .map(|id| self.full_path(id))
            .map(|path| (distance(wanted, &path), path))
            .collect();
        near.sort();
        near.truncate(3);
        if near.is_empty() {
            return "; it holds none at all".to_owned();
        }
        let names: Vec<String> = near.into_iter().map(|(_, path)| path).collect();
        format!("\n  the nearest paths are: {}", names.join(", "))
    }
}

fn same_ignoring_case(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
}

/// Edit distance of two paths, of which at most the first 255 characters count: small where one was mistyped.
fn distance(a: &str, b: &str) -> usize {
    let start = |path: &str| path.chars().take(255).collect::<String>();
    strsim::levenshtein(&start(a), &start(b))
}
