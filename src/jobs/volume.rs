//! How much an export holds: rows and bytes by relation, as its manifest says.

use std::collections::BTreeMap;

use crate::output::{Manifest, RelationEntry, Status};

/// How much there is of a relation, over all entities of its kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RelationVolume {
    pub rows: u64,
    /// Of the compressed files.
    pub bytes: u64,
    /// Entities for which it is not finished.
    pub failed: u64,
}

/// How much there is of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    /// By kind of entity and relation: `group.labels`.
    pub relations: BTreeMap<String, RelationVolume>,
}

impl Volume {
    /// What a manifest says.
    pub(crate) fn of(manifest: &Manifest) -> Volume {
        let mut volume = Volume::default();
        for entity in &manifest.entities {
            let kind = entity.kind.to_lowercase();
            for relation in &entity.relations {
                let name = format!("{kind}.{}", relation.relation);
                volume.relations.entry(name).or_default().add(relation);
            }
        }
        volume
    }

    /// The rows of all relations.
    pub(crate) fn rows(&self) -> u64 {
        self.relations.values().map(|relation| relation.rows).sum()
    }

    /// The bytes of all compressed files.
    pub(crate) fn bytes(&self) -> u64 {
        self.relations.values().map(|relation| relation.bytes).sum()
    }

    /// Relations that are not finished; one counts for each entity.
    pub(crate) fn failed(&self) -> u64 {
        self.relations
            .values()
            .map(|relation| relation.failed)
            .sum()
    }
}

impl RelationVolume {
    fn add(&mut self, relation: &RelationEntry) {
        self.rows += relation.total_objects_count;
        self.bytes += relation.files().map(|file| file.bytes).sum::<u64>();
        self.failed += u64::from(relation.status != Status::Finished);
    }
}
