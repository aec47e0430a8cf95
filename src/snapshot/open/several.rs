//! Several snapshots, each of one database of the same application, opened as one.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{OpenOptions, Opened, open_one, unsupported};
use crate::snapshot::databases::{Databases, OtherDatabase};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::facts::Kind;
use crate::snapshot::files::FileSource;
use crate::snapshot::keyed::KeyedSource;
use crate::snapshot::kind::plain::PlainDump;
use crate::snapshot::kind::plain::several::{OtherDump, SeveralDumps};
use crate::snapshot::ownership::Ownership;
use crate::snapshot::routing::MAIN_DATABASE;
use crate::snapshot::several::{KeyedDatabases, TableDatabases};
use crate::snapshot::source::{Access, Snapshot, TableSource};
use crate::snapshot::spec::Spec;

/// Opens the main database and the others that the options name.
///
/// # Errors
/// One cannot be opened, or they are not of kinds that can be read together.
pub(super) fn open(main: &Spec, options: &OpenOptions) -> Result<Snapshot, SnapshotError> {
    let others = &options.databases.others;
    check(main, others, options)?;
    let progress: Arc<AtomicU64> = Arc::default();
    // Those that are named are not looked for in the main one.
    let alone = OpenOptions {
        databases: Databases::default(),
        ..options.clone()
    };
    let mut opened = vec![open_one(main, &alone, Arc::clone(&progress))?];
    for other in others {
        opened.push(open_one(&other.snapshot, &alone, Arc::clone(&progress))?);
    }
    let mut together = Together::default();
    for (opened, name) in opened.into_iter().zip(names(others)) {
        together.add(opened, name)?;
    }
    together.open(options, progress)
}

/// The names of all databases, the main one first.
fn names(others: &[OtherDatabase]) -> impl Iterator<Item = &str> {
    let others = others.iter().map(|other| other.name.as_str());
    [MAIN_DATABASE].into_iter().chain(others)
}

/// Refuses what cannot be read together, before anything is opened.
fn check(
    main: &Spec,
    others: &[OtherDatabase],
    options: &OpenOptions,
) -> Result<(), SnapshotError> {
    let specs = others.iter().map(|other| &other.snapshot).chain([main]);
    let count = |is: &dyn Fn(&Spec) -> bool| specs.clone().filter(|spec| is(spec)).count();
    if options.pg_snapshot.is_some() {
        return Err(unsupported(
            "a snapshot id with several databases",
            "an exported snapshot is one database's alone; leave out --pg-snapshot",
        ));
    }
    if count(&|spec| matches!(spec, Spec::DataFolder(_))) > 0 {
        return Err(unsupported(
            "a data folder as one of several databases",
            "start PostgreSQL on a copy of it, and name each of its databases by an address",
        ));
    }
    if count(&|spec| *spec == Spec::StandardInput) > 1 {
        return Err(unsupported(
            "several databases from standard input",
            "only one can come there; name files for the others",
        ));
    }
    Ok(())
}

/// What has been opened so far, all of it in one way.
#[derive(Default)]
struct Together {
    /// How the main database, and so all, are read.
    kind: Option<Kind>,
    sources: Vec<String>,
    size: Option<u64>,
    dumps: Vec<PlainDump>,
    tables: Vec<Box<dyn TableSource>>,
    keyed: Vec<Box<dyn KeyedSource>>,
}

impl Together {
    /// # Errors
    /// It is read in another way than those before it, or in one in which several cannot be.
    fn add(&mut self, opened: Opened, database: &str) -> Result<(), SnapshotError> {
        let mixed = |kind: Kind, first: Option<Kind>| {
            let reason = match first {
                Some(first) => format!(
                    "the main one is of kind {}; take all of them in the same way",
                    first.name()
                ),
                None if kind == Kind::GitlabBackup => "the databases that lie in a backup are read with it; \
                     name nothing else, or unpack it and name the dumps of all databases"
                    .to_owned(),
                None => "several are read as plain dumps, archives of pg_dump, CSV folders or servers; name those".to_owned(),
            };
            let what = format!(
                "database {database}, of kind {}, as one of several",
                kind.name()
            );
            unsupported(&what, &reason)
        };
        let (kind, source, size, first) = match opened {
            Opened::Plain(dump, named) => {
                self.dumps.push(dump);
                (Kind::Plain, named.source, named.size, self.dumps.len() == 1)
            }
            Opened::Other(snapshot) => {
                let first = match snapshot.access {
                    Access::Tables(source) => {
                        self.tables.push(source);
                        self.tables.len() == 1
                    }
                    Access::Keyed(source) => {
                        self.keyed.push(source);
                        self.keyed.len() == 1
                    }
                    Access::Stream(_) => return Err(mixed(snapshot.kind, None)),
                };
                (snapshot.kind, snapshot.source, snapshot.size, first)
            }
        };
        if first != self.sources.is_empty() {
            return Err(mixed(kind, self.kind));
        }
        self.size = match self.sources.is_empty() {
            true => size,
            false => self.size.zip(size).map(|(size, more)| size + more),
        };
        self.kind.get_or_insert(kind);
        self.sources.push(source);
        Ok(())
    }

    fn open(
        self,
        options: &OpenOptions,
        progress: Arc<AtomicU64>,
    ) -> Result<Snapshot, SnapshotError> {
        let Databases {
            routing,
            needed,
            others,
        } = &options.databases;
        let ownership = || {
            let names = others.iter().map(|other| other.name.clone());
            Ownership::new(names.collect(), routing)
        };
        let mut dumps = self.dumps.into_iter();
        let access = match dumps.next() {
            Some(main) => {
                let others = others.iter().zip(dumps).map(|(other, dump)| OtherDump {
                    database: other.name.clone(),
                    dump: Ok(dump),
                });
                let several = SeveralDumps::new(main, others.collect(), routing, needed.as_ref())
                    .of_snapshots(self.sources.clone());
                Access::Stream(Box::new(several))
            }
            None if self.keyed.is_empty() => {
                let several = TableDatabases::new(self.tables, &self.sources, ownership())?;
                Access::Tables(Box::new(several))
            }
            None => {
                let several = KeyedDatabases::new(self.keyed, &self.sources, ownership())?;
                Access::Keyed(Box::new(several))
            }
        };
        Ok(Snapshot {
            kind: self.kind.unwrap_or(Kind::Plain),
            source: self.sources.into_iter().next().unwrap_or_default(),
            size: self.size,
            progress,
            access,
            files: FileSource::None {
                why: "databases that are named one by one hold no repositories, uploads or other files; \
                      a GitLab backup does"
                    .to_owned(),
            },
        })
    }
}
