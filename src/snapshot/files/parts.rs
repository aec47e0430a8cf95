//! The parts of a backup and their sizes, for whoever wants to know what is in it.

use std::collections::BTreeMap;

use super::{BackupFiles, INFORMATION};
use crate::snapshot::error::SnapshotError;

/// The parts that GitLab's backups are made of, by what their members' names begin with, and what they are called.
const KNOWN: [(&str, &str); 12] = [
    ("db", "databases"),
    ("repositories", "repositories"),
    ("uploads", "uploads"),
    ("builds", "builds"),
    ("artifacts", "artifacts"),
    ("pages", "pages"),
    ("lfs", "lfs"),
    ("terraform_state", "terraform_state"),
    ("registry", "registry"),
    ("packages", "packages"),
    ("ci_secure_files", "ci_secure_files"),
    ("external_diffs", "external_diffs"),
];

/// Unknown parts that are told apart; what comes after so many is one.
const MOST_UNKNOWN: usize = 50;

/// What further unknown parts are called together.
const REST: &str = "(others)";

/// A part of a backup: everything at its top level whose name begins alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupPart {
    /// `databases`, `repositories`, `uploads`, …; of an unknown part the name that it has in the backup.
    pub name: String,
    /// False for a part that GitLab's backups do not have.
    pub is_known: bool,
    /// The regular files in it, as the backup holds them: an archive is one.
    pub files: u64,
    /// How many of them are bundles of repositories.
    pub bundles: u64,
    /// The bytes of its files, as the backup holds them.
    pub bytes: u64,
}

impl BackupPart {
    fn add(&mut self, name: &str, size: u64) {
        self.files += 1;
        self.bundles += u64::from(name.ends_with(".bundle"));
        self.bytes = self.bytes.saturating_add(size);
    }
}

/// The parts of a backup: the known ones in GitLab's order, then the unknown ones by name. The second value says why there
/// may be more, in a backup that is cut off or damaged.
///
/// # Errors
/// The backup cannot be read at all.
pub fn backup_parts(
    files: &dyn BackupFiles,
) -> Result<(Vec<BackupPart>, Option<String>), SnapshotError> {
    let mut known = KNOWN.map(|(_, name)| BackupPart {
        name: name.to_owned(),
        is_known: true,
        ..BackupPart::default()
    });
    let mut unknown: BTreeMap<String, BackupPart> = BTreeMap::new();
    let broken = files.visit(&mut |name, size| {
        let top = name.split('/').next().unwrap_or_default();
        if INFORMATION.contains(&name) {
            return;
        }
        let stem = [".tar.gz", ".tar"]
            .iter()
            .find_map(|end| top.strip_suffix(end));
        let position = KNOWN
            .iter()
            .position(|(start, _)| *start == stem.unwrap_or(top));
        match position {
            Some(position) => known[position].add(name, size),
            None => {
                let has_room = unknown.contains_key(top) || unknown.len() < MOST_UNKNOWN;
                let part = if has_room { top } else { REST };
                unknown.entry(part.to_owned()).or_default().add(name, size);
            }
        }
    })?;
    let unknown = unknown
        .into_iter()
        .map(|(name, part)| BackupPart { name, ..part });
    let known = known.into_iter().filter(|part| part.files > 0);
    Ok((known.chain(unknown).collect(), broken))
}
