//! What `relexport inspect` says of the files of a backup.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::cli::table::{Align, Table};
use crate::snapshot::{BackupInfo, FileSource, backup_parts};
use crate::visible::visible;

/// What a backup holds. Not all of it is looked at if the backup comes once.
#[derive(Serialize)]
pub(super) struct Files {
    backup_id: Option<String>,
    /// Repositories are those of an earlier backup and what came since.
    incremental: bool,
    /// Parts that were left out on purpose.
    skipped: Vec<String>,
    /// Repositories are in an object storage, and not in the backup.
    repositories_server_side: bool,
    /// `null` if the parts were not looked at.
    parts: Option<Vec<Part>>,
    /// Why there are no parts, or may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Part {
    part: String,
    /// False for a part that GitLab's backups do not have.
    known: bool,
    files: u64,
    bundles: u64,
    bytes: u64,
}

impl Files {
    /// The files of a snapshot; `None` for one that has none.
    pub(super) fn of(source: &FileSource) -> Option<Files> {
        let (info, parts, reason) = match source {
            FileSource::None { .. } => return None,
            FileSource::Behind(_) => {
                let reason = "they come behind the databases of a tar that can only be read in order: \
                              name an uncompressed file";
                (&BackupInfo::default(), None, Some(reason.to_owned()))
            }
            FileSource::Here(files) => match backup_parts(&**files) {
                Ok((parts, broken)) => (files.info(), Some(parts), broken),
                Err(error) => (files.info(), None, Some(error.to_string())),
            },
        };
        let parts = parts.map(|parts| {
            let parts = parts.into_iter().map(|part| Part {
                part: part.name,
                known: part.is_known,
                files: part.files,
                bundles: part.bundles,
                bytes: part.bytes,
            });
            parts.collect()
        });
        Some(Files {
            backup_id: info.backup_id.clone(),
            incremental: info.is_incremental(),
            skipped: info.skipped.clone(),
            repositories_server_side: info.repositories_server_side,
            parts,
            reason,
        })
    }

    /// The parts of a backup and their sizes.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(parts) = &self.parts {
            let mut table = Table::new(&[
                ("PART OF THE BACKUP", Align::Left),
                ("FILES", Align::Right),
                ("BUNDLES", Align::Right),
                ("BYTES", Align::Right),
            ]);
            for part in parts {
                let name = match part.known {
                    true => part.part.clone(),
                    false => format!("{} (unknown)", part.part),
                };
                let bundles = match part.part.as_str() {
                    "repositories" => HumanCount(part.bundles).to_string(),
                    _ => String::new(),
                };
                table.row([
                    name,
                    HumanCount(part.files).to_string(),
                    bundles,
                    HumanBytes(part.bytes).to_string(),
                ]);
            }
            text.push_str(&table.text());
        }
        let mut line = |what: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", visible(what));
        };
        if !self.skipped.is_empty() {
            line(&format!(
                "left out of the backup on purpose: {}",
                self.skipped.join(", ")
            ));
        }
        if self.repositories_server_side {
            line("repositories are in an object storage, and not in the backup");
        }
        if self.incremental {
            line("the backup is incremental: repositories are made of several bundles");
        }
        match (&self.reason, &self.parts) {
            (Some(reason), None) => line(&format!(
                "other parts of the backup are not looked at: {reason}"
            )),
            (Some(reason), Some(_)) => line(&format!("there may be more: {reason}")),
            (None, _) => {}
        }
        text
    }
}
