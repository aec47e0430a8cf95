//! What an export came to.

use crate::output::{Manifest, Status};
use crate::resolve::LeftOutRelation;

/// What an export came to.
#[derive(Debug)]
pub struct ExportReport {
    pub manifest: Manifest,
    /// What messages call the place that holds it.
    pub place: String,
    /// An older export that stays in its place, because this one is not complete.
    pub older_stays: bool,
    /// Relations that the snapshot has no table for.
    pub left_out: Vec<LeftOutRelation>,
}

impl ExportReport {
    /// Rows that were left out under `keep_going`; a row counts for each relation that might have had it.
    pub fn skipped_rows(&self) -> u64 {
        let entities = &self.manifest.entities;
        let relations = entities.iter().flat_map(|entity| &entity.relations);
        relations.map(|relation| relation.skipped_count).sum()
    }

    /// True where everything is finished.
    pub fn is_complete(&self) -> bool {
        self.manifest.status == Status::Finished
    }
}
