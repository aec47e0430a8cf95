//! The root ancestors of entities, where a relation is linked to that one.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;

use crate::key::KeyForm;
use crate::pipeline::Pipeline;

use super::AgainstError;
use super::rows::{Entity, Laid, each_row};
use super::source::Source;
use super::spots::To;
use super::test::Test;

/// What a row of the entities' table says of its ancestors.
struct Place {
    /// Its key, as it is written.
    own: Vec<u8>,
    /// The first of the keys from the root on, as it is written.
    root: Option<Vec<u8>>,
    /// In the form that equal keys share.
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
        let definition = catalog.table(&table).into_iter();
        let tests: Vec<Test> = definition
            .flat_map(|table| {
                let filter = entity.filter.iter();
                filter.map(|condition| Test::new(condition, table, &catalog))
            })
            .collect();
        let column = catalog
            .table(&table)
            .and_then(|found| Some(found.column(&key)?.1));
        let form = column.and_then(|column| KeyForm::of(&column.sql_type, &catalog));
        let canonical = |key: Vec<u8>| match form.and_then(|form| form.canonical(&key)) {
            Some(canonical) => canonical.into_owned(),
            None => key,
        };
        let id_of = |entity: &Entity<'_>| canonical(entity.id.to_string().into_bytes());
        let mut places: HashMap<Vec<u8>, Place> = HashMap::new();
        // A key that was looked for in vain is not looked for again.
        let mut asked: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut wanted: BTreeSet<Vec<u8>> = one.entities.iter().map(id_of).collect();
        while !wanted.is_empty() {
            let tables = BTreeSet::from([table.clone()]);
            source.read(&tables, read, &mut |block| {
                each_row(block, &mut |row| {
                    let written = row.value(&key).map(|key| key.into_owned());
                    let own = written.clone().map(&canonical);
                    let passes = |test: &Test| test.passes(row.value(&test.column).as_deref());
                    // What is no entity is above nobody.
                    if let (Some(own), Some(written)) =
                        (own.filter(|own| wanted.contains(own)), written)
                        && tests.iter().all(passes)
                    {
                        let column = |name: &Option<String>| {
                            let value = row.value(name.as_deref()?)?;
                            Some(value.into_owned())
                        };
                        let place = Place {
                            own: written,
                            root: column(&entity.ancestors).and_then(|keys| first_of(&keys)),
                            parent: column(&entity.parent).map(&canonical),
                        };
                        places.insert(own, place);
                    }
                    Ok(())
                })
            })?;
            asked.append(&mut wanted);
            let tops = one.entities.iter().filter_map(|entity| {
                let id = id_of(entity);
                let walks = places.get(&id)?.root.is_none();
                top_of(id, &places).filter(|_| walks)
            });
            let above = tops.filter_map(|top| places.get(&top)?.parent.clone());
            wanted = above.filter(|key| !asked.contains(key)).collect();
        }
        for entity in &mut one.entities {
            let id = id_of(entity);
            let stated = places.get(&id).and_then(|place| place.root.clone());
            entity.root = stated.or_else(|| {
                let top = top_of(id, &places)?;
                Some(places.get(&top)?.own.clone())
            });
        }
    }
    Ok(())
}

/// The first element of an array.
fn first_of(array: &[u8]) -> Option<Vec<u8>> {
    let inner = array.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let Some(quoted) = inner.strip_prefix(b"\"") else {
        let first = inner.split(|byte| *byte == b',').next()?;
        return (!first.is_empty()).then(|| first.to_vec());
    };
    let (mut first, mut bytes) = (Vec::new(), quoted.iter());
    loop {
        match bytes.next()? {
            b'"' => return Some(first),
            b'\\' => first.push(*bytes.next()?),
            byte => first.push(*byte),
        }
    }
}

/// Walks up from a key by the parents that rows name, as long as there are such rows.
fn top_of(mut key: Vec<u8>, places: &HashMap<Vec<u8>, Place>) -> Option<Vec<u8>> {
    // More steps than there are rows would be a circle.
    for _ in 0..=places.len() {
        let parent = places.get(&key)?.parent.as_ref();
        match parent.filter(|parent| places.contains_key(*parent)) {
            Some(parent) => key = parent.clone(),
            None => return Some(key),
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
