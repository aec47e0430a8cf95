//! GitLab backups: a tar (or the same tree as a folder) with `db/database.sql.gz` in it.
//!
//! `gitlab-backup` writes `backup_information.yml`, then `db/`, then repositories, uploads and more, which may
//! be a thousand times larger than the database: a tar is read no further than `db/`. An instance may have several
//! databases (`db/ci_database.sql.gz`, …), which all define all tables; those that tables are said to belong to are read
//! with the main one, the others never. A dump is a plain one however it is compressed: `.gz` stays in its name even
//! where `COMPRESS_CMD` was set.

mod folder;
mod search;
mod spool;
mod tar_file;

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::snapshot::codec::compression::decoder;
use crate::snapshot::codec::read_errors::{cut_off, read_error};
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::{Event, Sink, TableFilter};
use crate::snapshot::files::{BackupInfo, Behind, INFORMATION};
use crate::snapshot::kind::plain::PlainDump;
use crate::snapshot::kind::plain::several::{OtherDump, SeveralDumps};
use crate::snapshot::place::Place;
use crate::snapshot::routing::Routing;
use crate::snapshot::source::StreamSource;
use crate::snapshot::table_name::TableName;
use crate::visible::visible;
use spool::{Unpacked, UnreadTar};

/// The main database's dump. The second name is what an administrator gets who unpacked the first.
const DATABASES: [&str; 2] = ["db/database.sql.gz", "db/database.sql"];

/// What the names of other databases' dumps end with, behind the databases' own names.
const OTHER_DATABASES: [&str; 2] = ["_database.sql.gz", "_database.sql"];

/// Which databases of a backup are read.
#[derive(Debug, Clone, Copy)]
pub struct BackupOptions<'a> {
    /// Which tables belong to another database than the main one.
    pub routing: &'a Routing,
    /// The tables that the run needs; `None` means all.
    pub needed: Option<&'a BTreeSet<TableName>>,
    /// Where dumps are kept that come out of a pipe too early.
    pub temp_dir: &'a Path,
}

impl BackupOptions<'_> {
    /// False for a database of which no table is needed, as far as its name says: only its definitions will be read.
    fn is_read(&self, database: &str) -> bool {
        let mut tables = self.routing.tables_of(database);
        self.needed
            .is_none_or(|needed| tables.any(|table| needed.contains(table)))
    }
}

/// An opened GitLab backup: its databases' dumps, positioned at their beginnings.
pub struct Backup {
    dumps: Dumps,
    /// What the user named the snapshot by.
    source: String,
    /// Bytes of the dumps that will be read as the backup holds them, compressed.
    size: u64,
    info: BackupInfo,
    routing: Routing,
    needed: Option<BTreeSet<TableName>>,
    /// What of the databases is not read, or may be missing.
    warnings: BTreeSet<String>,
    /// Where the rest of a tar will be that comes once.
    behind: Option<Behind>,
}

/// Where the dumps of the databases are.
enum Dumps {
    Opened(OpenedDumps),
    /// In a tar that comes out of a pipe, which is read up to the first of them.
    InTar(Box<UnreadTar>),
}

/// The dumps of a main database and of others.
struct OpenedDumps {
    main: PlainDump,
    others: Vec<OtherDump>,
}

impl Backup {
    fn new(source: &str, dumps: Dumps, options: &BackupOptions<'_>) -> Self {
        Backup {
            dumps,
            source: source.to_owned(),
            size: 0,
            info: BackupInfo::default(),
            routing: options.routing.clone(),
            needed: options.needed.cloned(),
            warnings: BTreeSet::new(),
            behind: None,
        }
    }

    /// The files behind the databases, of a tar that comes once and is given away only here. `again` is where it can be
    /// read a second time.
    pub(in crate::snapshot) fn take_behind(&mut self, again: Option<&Place>) -> Option<Behind> {
        self.behind.take().map(|behind| behind.or_again(again))
    }

    /// Bytes of the databases' dumps that will be read as the backup holds them, compressed.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl StreamSource for Backup {
    fn read(self: Box<Self>, wanted: TableFilter<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let Backup {
            dumps,
            source,
            info,
            routing,
            needed,
            warnings,
            ..
        } = *self;
        let unpacked = match dumps {
            Dumps::Opened(dumps) => Unpacked {
                dumps,
                info,
                warnings,
            },
            Dumps::InTar(tar) => tar.open(&source, &routing)?,
        };
        let Unpacked {
            dumps: OpenedDumps { main, others },
            info,
            warnings,
        } = unpacked;
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        let mut sink = |event| -> ControlFlow<()> {
            match event {
                Event::Catalog(catalog, mut facts) => {
                    facts.gitlab_version = info.gitlab_version.clone().or(facts.gitlab_version);
                    facts.taken_at = facts.taken_at.or_else(|| info.taken_at.clone());
                    facts.warnings.extend(warnings.iter().cloned());
                    sink(Event::Catalog(catalog, facts))
                }
                event => sink(event),
            }
        };
        match others.is_empty() {
            true => Box::new(main).read(wanted, &mut sink),
            false => {
                let several = SeveralDumps::new(main, others, &routing, needed.as_ref());
                Box::new(several).read(wanted, &mut sink)
            }
        }
    }
}

/// What is to be said of a file in `db/` that is not read; `None` for one that is, and for what lies elsewhere.
fn unread(member: &str, routing: &Routing) -> Option<String> {
    let name = member.strip_prefix("db/")?;
    if DATABASES.contains(&member) {
        return None;
    }
    match other_database(member) {
        Some(database) if routing.knows(database) => None,
        Some(_) => Some(format!(
            "{} is not read, because the pipeline does not say which tables belong to that database (databases): \
             all tables are taken from the main one, where rows of some may be out of date",
            visible(member)
        )),
        None if name.is_empty() || name.contains('/') => None,
        None => Some(format!(
            "{} is not read: if it is a database's dump, give it the name that gitlab-backup gives it (db/ci_database.sql.gz), \
             whatever it is compressed with",
            visible(member)
        )),
    }
}

/// A dump whose bytes are those of a member. `taken` counts them, before decompression.
fn dump(
    bytes: impl Read + Send + 'static,
    source: &str,
    member: &str,
    taken: Arc<AtomicU64>,
) -> Result<PlainDump, SnapshotError> {
    let sql = decoder(Box::new(bytes), taken).map_err(|error| read_error(place(member), error))?;
    Ok(PlainDump::new(sql, source, Some(member.to_owned())))
}

/// The dump of a database that may have been there, in a tar that ends where dumps stand.
fn cut_away(database: &str) -> OtherDump {
    let member = other_member(database);
    let reason = "the tar is cut off or damaged among the databases, where this one may have been";
    OtherDump {
        dump: Err(cut_off(place(&member), reason)),
        database: database.to_owned(),
    }
}

/// That a database's dump may have been behind the files of a tar that is cut off there.
fn may_be_cut_away(database: &str) -> String {
    format!(
        "{} may have been in the part of the tar that is cut off or damaged: rows of its tables are taken from the main \
         database, where they may be out of date",
        other_member(database)
    )
}

/// The names that a database's dump may have.
fn members_of(database: &str) -> [String; 2] {
    OTHER_DATABASES.map(|end| format!("db/{database}{end}"))
}

/// The name of a database's dump as `gitlab-backup` writes it.
fn other_member(database: &str) -> String {
    format!("db/{database}{}", OTHER_DATABASES[0])
}

/// The database whose dump has such a name: `None` for the main one, and for other files.
fn other_database(member: &str) -> Option<&str> {
    let name = member.strip_prefix("db/")?;
    let database = OTHER_DATABASES
        .iter()
        .find_map(|end| name.strip_suffix(end))?;
    (!database.is_empty() && !database.contains('/')).then_some(database)
}

/// True for a member that only a GitLab backup has.
pub(crate) fn is_of_backup(name: &str) -> bool {
    DATABASES.contains(&name) || INFORMATION.contains(&name) || name.starts_with("db/")
}

fn place(member: &str) -> Position {
    Position {
        member: Some(member.to_owned()),
        ..Position::default()
    }
}

#[cfg(test)]
mod tests;
