//! Whether an export counts, and if not, why.

use std::fmt;
use std::io;

use crate::civil::UtcTime;
use crate::output::manifest::{Manifest, Status};

/// Whether an export is to be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportState {
    /// It is finished, and every file is there at its size.
    Whole,
    /// A guard found that it may lack rows: what it said.
    Suspect(Vec<String>),
    /// It is being written, or its run died.
    Unfinished,
    /// It came to its end, but not all of it is there: why, if its manifest says that it is finished.
    Failed(Option<String>),
    /// Its manifest says that it is finished, but it is not what the manifest says.
    Damaged(String),
}

impl fmt::Display for ExportState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportState::Whole => out.write_str("finished"),
            ExportState::Suspect(reasons) => write!(out, "suspect: {}", reasons.join("; ")),
            ExportState::Unfinished => out.write_str("unfinished"),
            ExportState::Failed(None) => out.write_str("failed"),
            ExportState::Failed(Some(reason)) => write!(out, "failed: {reason}"),
            ExportState::Damaged(reason) => write!(out, "damaged: {reason}"),
        }
    }
}

/// The state of an export, by its manifest and the sizes of the files that are there.
pub fn state_of(manifest: &Manifest, length: impl Fn(&str) -> io::Result<u64>) -> ExportState {
    match manifest.status {
        Status::Started => return ExportState::Unfinished,
        Status::Failed => return ExportState::Failed(None),
        Status::Finished => {}
    }
    if let Some(reason) = damage(manifest, length) {
        return ExportState::Damaged(reason);
    }
    // A run that left rows out has failed, whatever it wrote.
    let skipped: u64 = manifest.skipped_rows().iter().map(|(_, rows)| rows).sum();
    if skipped > 0 {
        let rows = if skipped == 1 { "row was" } else { "rows were" };
        return ExportState::Failed(Some(format!("{skipped} {rows} left out")));
    }
    match manifest.suspect.is_empty() {
        true => ExportState::Whole,
        false => ExportState::Suspect(manifest.suspect.clone()),
    }
}

/// The first thing that is not as the manifest says.
fn damage(manifest: &Manifest, length: impl Fn(&str) -> io::Result<u64>) -> Option<String> {
    if let Some(error) = &manifest.error {
        return Some(error.clone());
    }
    if UtcTime::parse(&manifest.started_at).is_none() {
        return Some("its manifest does not say when it was begun".to_owned());
    }
    let relations = manifest
        .entities
        .iter()
        .flat_map(|entity| &entity.relations);
    let mut all = relations.clone();
    if let Some(relation) = all.find(|relation| relation.status != Status::Finished) {
        return Some(format!("{} is not finished", relation.relation));
    }
    let files = relations.flat_map(|relation| relation.files());
    let files = files.map(|entry| (entry.file.as_str(), Some(entry.bytes)));
    for (file, bytes) in files.chain([(manifest.metadata_name(), None)]) {
        match length(file) {
            Ok(found) if bytes.is_none_or(|bytes| bytes == found) => {}
            Ok(found) => {
                let bytes = bytes.unwrap_or_default();
                return Some(format!("{file} has {found} bytes, not {bytes}"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Some(format!("{file} is missing"));
            }
            Err(error) => return Some(format!("{file} cannot be looked at: {error}")),
        }
    }
    None
}
