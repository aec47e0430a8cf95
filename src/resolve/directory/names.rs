//! Finding an entity by its name: its key, or its full path.

use crate::resolve::entities::EntityError;

use super::Directory;
use super::letter_case::{LetterCase, letter_cases};

impl Directory {
    /// The key of the entity of this name.
    ///
    /// # Errors
    /// Where there is none, or something that is no entity.
    pub(crate) fn find(&self, wanted: &str) -> Result<i64, EntityError> {
        let wanted = wanted.trim_matches('/');
        if let Ok(id) = wanted.parse::<i64>()
            && self.records.contains_key(&id)
        {
            return Ok(id);
        }
        // A number that is no entity's key may be a path.
        let mut other = wanted
            .parse()
            .is_ok_and(|id: i64| self.others.contains(&id));
        for (position, lookup) in self.entity.paths.iter().enumerate() {
            for case in letter_cases(lookup) {
                let is_wanted = |path: &str| match case {
                    LetterCase::Counts => path == wanted,
                    LetterCase::Ignored => same_ignoring_case(path, wanted),
                };
                let current = self.paths[position].iter();
                let current = current.map(|(id, path)| (*id, path));
                let former = self.more_paths[position]
                    .iter()
                    .map(|(id, path)| (*id, path));
                let mut ids: Vec<i64> = current
                    .chain(former)
                    .filter(|(_, path)| is_wanted(path))
                    .map(|(id, _)| id)
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                other |= ids.iter().any(|id| self.others.contains(id));
                ids.retain(|id| self.records.contains_key(id));
                if let Some(id) = self.only(wanted, &ids)? {
                    return Ok(id);
                }
            }
        }
        // Entities without a path of their own are found by their ancestors' parts.
        let mut by_parts: Vec<i64> = self
            .records
            .keys()
            .copied()
            .filter(|id| self.full_path(*id) == wanted)
            .collect();
        by_parts.sort_unstable();
        match self.only(wanted, &by_parts)? {
            Some(id) => Ok(id),
            None if other => Err(self.not_an_entity(wanted)),
            None => Err(self.unknown(wanted)),
        }
    }

    /// The one of these entities, if there is one.
    ///
    /// # Errors
    /// Where there are several: one of them would be another's.
    fn only(&self, wanted: &str, ids: &[i64]) -> Result<Option<i64>, EntityError> {
        match ids {
            [] => Ok(None),
            [id] => Ok(Some(*id)),
            several => Err(EntityError::Ambiguous {
                kind: self.entity.kind.clone(),
                wanted: wanted.to_owned(),
                count: several.len(),
                ids: several
                    .iter()
                    .map(i64::to_string)
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
            .map(|id| self.full_path(*id))
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
