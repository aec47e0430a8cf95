//! The root ancestors of entities, where a relation is linked to that one.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;

use crate::pipeline::Pipeline;

use super::AgainstError;
use super::rows::{Laid, each_row};
use super::source::Source;
use super::spots::To;

/// What a row of the entities' table says of its ancestors.
struct Place {
    /// The first of the keys from the root on.
    root: Option<Vec<u8>>,
    parent: Option<Vec<u8>>,
}

/// Finds the root ancestors of all entities, by as many passes as there are levels that only the parents tell.
pub(super) fn find(
    source: &mut Source,
    pipelines: &[&Pipeline],
    laid: &mut [Laid<'_>],
    read: &AtomicU64,
) -> Result<(), AgainstError> {
    for one in laid.iter_mut().filter(|one| one.needs_roots()) {
        let pipeline = pipelines
            .iter()
            .find(|pipeline| pipeline.name == one.pipeline);
        let Some(entity) = pipeline.map(|pipeline| &pipeline.entity) else {
            continue;
        };
        let catalog = std::sync::Arc::clone(&source.catalog);
        let table = pipeline.and_then(|it| {
            it.names_of(&entity.table)
                .find(|name| catalog.table(name).is_some())
        });
        let Some(table) = table.cloned() else {
            continue;
        };
        let key = match (&entity.key, pipeline, catalog.table(&table)) {
            (Some(key), ..) => key.clone(),
            (None, Some(pipeline), Some(found)) => {
                let key = pipeline
                    .key_of(&entity.table)
                    .columns(found, catalog.keys());
                key.into_iter().next().unwrap_or_default()
            }
            (None, ..) => continue,
        };
        let mut places: HashMap<Vec<u8>, Place> = HashMap::new();
        let ids = one
            .entities
            .iter()
            .map(|entity| entity.id.to_string().into_bytes());
        let mut wanted: BTreeSet<Vec<u8>> = ids.collect();
        while !wanted.is_empty() {
            let tables = BTreeSet::from([table.clone()]);
            source.read(&tables, read, &mut |block| {
                each_row(block, &mut |row| {
                    let own = row.value(&key).map(|key| key.into_owned());
                    if let Some(own) = own.filter(|own| wanted.contains(own)) {
                        let column = |name: &Option<String>| {
                            let value = row.value(name.as_deref()?)?;
                            Some(value.into_owned())
                        };
                        let place = Place {
                            root: column(&entity.ancestors).and_then(|keys| first_of(&keys)),
                            parent: column(&entity.parent),
                        };
                        places.insert(own, place);
                    }
                    Ok(())
                })
            })?;
            let parents = places.values().filter(|place| place.root.is_none());
            let parents = parents.filter_map(|place| place.parent.clone());
            // A key that was looked for in vain is not looked for again.
            let next = parents.filter(|key| !places.contains_key(key) && !wanted.contains(key));
            wanted = next.collect();
        }
        for entity in &mut one.entities {
            entity.root = root_of(entity.id.to_string().into_bytes(), &places);
        }
    }
    Ok(())
}

/// The first element of an array.
fn first_of(array: &[u8]) -> Option<Vec<u8>> {
    let inner = array.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let first = inner.split(|byte| *byte == b',').next()?;
    (!first.is_empty()).then(|| first.to_vec())
}

/// Walks up from a key.
fn root_of(key: Vec<u8>, places: &HashMap<Vec<u8>, Place>) -> Option<Vec<u8>> {
    let mut key = key;
    // More steps than there are rows would be a circle.
    for _ in 0..=places.len() {
        let place = places.get(&key)?;
        match (&place.root, &place.parent) {
            (Some(root), _) => return Some(root.clone()),
            (None, None) => return Some(key),
            (None, Some(parent)) => key = parent.clone(),
        }
    }
    None
}

impl Laid<'_> {
    fn needs_roots(&self) -> bool {
        let ways = self.spots.spots.iter().flat_map(|spot| &spot.ways);
        ways.into_iter()
            .any(|way| matches!(way.to, To::EntityRoot(_)))
    }
}
