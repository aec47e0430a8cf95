//! The databases that a snapshot is made of: which belong to it beside the main one, and what is taken from each.

use std::collections::BTreeSet;
use std::io;

use sha2::{Digest, Sha256};

use crate::hex;
use crate::snapshot::routing::Routing;
use crate::snapshot::spec::Spec;
use crate::snapshot::table_name::TableName;

/// What is read of which database.
#[derive(Debug, Clone, Default)]
pub struct Databases {
    /// Which tables belong to another database than the main one.
    pub routing: Routing,
    /// The tables that the run needs, where that is known: a database that owns none of them need not be read. `None`
    /// means all.
    pub needed: Option<BTreeSet<TableName>>,
    /// Databases that are snapshots of their own. Those that lie in the main one, as in a GitLab backup, need not be named.
    pub others: Vec<OtherDatabase>,
}

/// A database that is a snapshot of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherDatabase {
    /// By which the routing names it.
    pub name: String,
    pub snapshot: Spec,
}

impl Databases {
    /// True if all can be opened again and again, `main` being the main one.
    pub(crate) fn can_be_read_again(&self, main: &Spec) -> bool {
        let others = self.others.iter().map(|other| &other.snapshot);
        others.chain([main]).all(Spec::can_be_read_again)
    }

    /// As [`Spec::fingerprint`], of all of them.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn fingerprint(&self, main: &Spec) -> io::Result<Option<String>> {
        let of_main = main.fingerprint()?;
        if self.others.is_empty() {
            return Ok(of_main);
        }
        let Some(of_main) = of_main else {
            return Ok(None);
        };
        let mut digest = Sha256::new();
        digest.update(of_main);
        for other in &self.others {
            let Some(of_other) = other.snapshot.fingerprint()? else {
                return Ok(None);
            };
            // A name holds no NUL, and all fingerprints are of one length.
            digest.update([0]);
            digest.update(&other.name);
            digest.update([0]);
            digest.update(of_other);
        }
        Ok(Some(hex::encode(&digest.finalize())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_makes_another_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, name).unwrap();
            Spec::Path(path)
        };
        let (main, ci, sec) = (file("main"), file("ci"), file("sec"));
        let with = |others: &[(&str, &Spec)]| {
            let others = others.iter().map(|(name, snapshot)| OtherDatabase {
                name: (*name).to_owned(),
                snapshot: (*snapshot).clone(),
            });
            let databases = Databases {
                others: others.collect(),
                ..Databases::default()
            };
            databases.fingerprint(&main).unwrap()
        };
        assert_eq!(with(&[]), main.fingerprint().unwrap());
        let seen = [
            with(&[]),
            with(&[("ci", &ci)]),
            with(&[("ci", &sec)]),
            with(&[("sec", &ci)]),
            with(&[("ci", &ci), ("sec", &sec)]),
        ];
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
        assert!(seen.iter().all(Option::is_some));
        assert_eq!(with(&[("ci", &Spec::StandardInput)]), None);
    }
}
