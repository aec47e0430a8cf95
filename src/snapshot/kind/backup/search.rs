//! The way to the databases in a tar, member by member.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::{DATABASES, other_database, unread};
use crate::snapshot::codec::read_errors::{damaged, read_error};
use crate::snapshot::codec::tar_members::{Member, Members};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::files::{BackupInfo, INFORMATION, INFORMATION_LIMIT};
use crate::snapshot::kind::archive::is_of_archive;
use crate::snapshot::place::is_of_source;
use crate::snapshot::routing::Routing;

/// What a member of a tar is good for.
pub(super) enum Found {
    /// The main database's dump.
    Main(Member),
    /// The dump of another database that is to be read.
    OtherDatabase(String, Member),
    Other(Member),
}

impl Found {
    /// Where the member ends in the tar, in bytes.
    pub(super) fn end(&self) -> u64 {
        let (Found::Main(member) | Found::OtherDatabase(_, member) | Found::Other(member)) = self;
        member.offset.saturating_add(member.size)
    }
}

/// What was found so far on the way to the databases.
pub(super) struct Search {
    routing: Routing,
    pub(super) info: Option<BackupInfo>,
    /// The member looked at last, for errors.
    last: Option<String>,
    /// True if a member showed that this is a GitLab backup.
    is_backup: bool,
    /// A member that looks like a file of pg_dump -Fd.
    of_archive: Option<String>,
    /// What of the databases is not read, or may be missing.
    pub(super) warnings: BTreeSet<String>,
    /// The main database's dump has come.
    main_seen: bool,
    /// Other databases whose dumps have come.
    others_seen: BTreeSet<String>,
    /// And something behind it that does not lie beside it: no more dumps are to be expected.
    pub(super) is_past: bool,
}

impl Search {
    pub(super) fn new(routing: &Routing) -> Self {
        Search {
            routing: routing.clone(),
            info: None,
            last: None,
            is_backup: false,
            of_archive: None,
            warnings: BTreeSet::new(),
            main_seen: false,
            others_seen: BTreeSet::new(),
            is_past: false,
        }
    }

    /// Notes that this is a backup, whatever is in it.
    pub(super) fn is_backup(&mut self) {
        self.is_backup = true;
    }

    /// Steps to the next member, and reads it if it is the backup's information.
    ///
    /// # Errors
    /// The tar is damaged, or holds the main database in a form that is not read.
    pub(super) fn next<R: Read>(
        &mut self,
        members: &mut Members<R>,
    ) -> Result<Option<Found>, SnapshotError> {
        let Some(member) = members.next().map_err(|error| self.tar_error(error))? else {
            return Ok(None);
        };
        let name = member.name.as_str();
        self.is_backup |= name == "db" || name.starts_with("db/");
        if !self.is_backup && self.of_archive.is_none() && is_of_archive(name) {
            self.of_archive = Some(name.to_owned());
        }
        self.last = Some(member.name.clone());
        if DATABASES.contains(&name) {
            check_file(&member)?;
            if self.main_seen {
                self.warnings.insert(comes_again(name));
            }
            self.main_seen = true;
            return Ok(Some(Found::Main(member)));
        }
        if let Some(database) = other_database(name)
            && self.routing.databases().contains(database)
        {
            if !self.others_seen.insert(database.to_owned()) {
                self.warnings.insert(comes_again(name));
            }
            return Ok(Some(Found::OtherDatabase(database.to_owned(), member)));
        }
        if !member.is_folder() {
            self.warnings.extend(unread(name, &self.routing));
        }
        let is_information = INFORMATION.contains(&name);
        self.is_past |=
            self.main_seen && !is_information && name != "db" && !name.starts_with("db/");
        if is_information && self.info.is_none() {
            self.is_backup = true;
            if member.size <= INFORMATION_LIMIT {
                let content = members.content(member.size, INFORMATION_LIMIT);
                self.info = Some(BackupInfo::parse(
                    &content.map_err(|error| self.tar_error(error))?,
                ));
            }
        }
        Ok(Some(Found::Other(member)))
    }

    /// The tar itself does not go on as it should.
    pub(super) fn tar_error(&self, error: io::Error) -> SnapshotError {
        let place = Position {
            member: self.last.clone(),
            ..Position::default()
        };
        if is_of_source(&error) {
            return read_error(place, error);
        }
        damaged(
            place,
            format!("the tar is cut off or damaged before the database: {error}"),
        )
    }

    pub(super) fn no_database(&self, source: &str) -> SnapshotError {
        let missing = DATABASES[0];
        if self.is_backup {
            return SnapshotError::Unsupported {
                what: format!("GitLab backup {source}"),
                reason: format!(
                    "it holds no {missing}: it was made with SKIP=db, or is cut off; \
                     take a backup with the database, or name a dump made by pg_dump"
                ),
            };
        }
        let reason = match &self.of_archive {
            Some(member) => format!(
                "the tar holds {member}, as a folder of pg_dump -Fd does, but behind other files: \
                 unpack it and name that folder"
            ),
            None => format!(
                "a tar was found, but neither {missing} nor {} in it, nor toc.dat of pg_dump: \
                 unpack it and name what it holds",
                INFORMATION[0]
            ),
        };
        SnapshotError::NotASnapshot {
            path: source.to_owned(),
            reason,
        }
    }
}

/// That a dump is not the first one of its database.
fn comes_again(name: &str) -> String {
    format!(
        "{name} comes behind another dump of the same database in the tar, and is not read: leave only one of them in it"
    )
}

/// Makes sure that a dump is a regular file.
pub(super) fn check_file(member: &Member) -> Result<(), SnapshotError> {
    match member.is_file() {
        true => Ok(()),
        false => Err(SnapshotError::Unsupported {
            what: member.name.clone(),
            reason: "it is a link or a sparse file in the tar; \
                     make the tar again with the database as a regular file"
                .to_owned(),
        }),
    }
}
