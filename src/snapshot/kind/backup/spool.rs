//! A backup's tar that comes out of a pipe: nothing of it comes twice.
//!
//! If several databases are read, the definitions of all have to be known before rows of one can be used. So the dumps that
//! come before the last are kept in temp files, compressed as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::search::{Found, Search, check_file};
use super::{Backup, BackupOptions, Dumps, OpenedDumps, cut_away, dump, members_of, place};
use crate::io_error::at;
use crate::snapshot::codec::read_errors::read_error;
use crate::snapshot::codec::tar_members::Member;
use crate::snapshot::codec::whole_member::WholeMember;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::files::{BackupInfo, Lent};
use crate::snapshot::kind::plain::PlainDump;
use crate::snapshot::kind::plain::several::OtherDump;
use crate::snapshot::place::is_of_source;
use crate::snapshot::routing::Routing;

/// A tar that has been read up to the first database's dump.
pub(super) struct UnreadTar {
    search: Search,
    lent: Lent,
    first: Found,
    temp_dir: PathBuf,
}

/// A database's dump, as far as it is known while a tar goes by.
type MaybeDump = Result<PlainDump, SnapshotError>;

impl Backup {
    /// Reads a tar, decompressed, up to the beginning of the first database. Backup information that stands behind
    /// the last one is not seen.
    ///
    /// # Errors
    /// As [`Backup::from_tar_file`].
    pub fn from_tar_stream(
        tar: Box<dyn Read + Send>,
        source: &str,
        options: &BackupOptions<'_>,
    ) -> Result<Self, SnapshotError> {
        let mut search = Search::new(options.routing);
        let mut lent = Lent::new(tar);
        let behind = lent.behind();
        let first = loop {
            match search.next(&mut lent.tar.members)? {
                Some(found @ (Found::Main(_) | Found::OtherDatabase(..))) => break found,
                Some(Found::Other(member)) => lent.tar.pass(&member),
                None => return Err(search.no_database(source)),
            }
        };
        lent.tar.info = search.info.clone();
        let tar = UnreadTar {
            search,
            lent,
            first,
            temp_dir: options.temp_dir.to_owned(),
        };
        let mut backup = Backup::new(source, Dumps::InTar(Box::new(tar)), options);
        backup.behind = Some(behind);
        Ok(backup)
    }
}

/// What a tar turns out to hold.
pub(super) struct Unpacked {
    pub(super) dumps: OpenedDumps,
    pub(super) info: BackupInfo,
    /// What of the databases is not read, or may be missing.
    pub(super) warnings: BTreeSet<String>,
}

impl UnreadTar {
    /// Goes on to the last of the databases, which is read out of the tar itself.
    ///
    /// # Errors
    /// There is no main database, or the temp folder cannot be written.
    pub(super) fn open(self, source: &str, routing: &Routing) -> Result<Unpacked, SnapshotError> {
        let UnreadTar {
            mut search,
            mut lent,
            first,
            temp_dir,
        } = self;
        lent.begin();
        let expected = routing.databases();
        let mut main: Option<MaybeDump> = None;
        let mut others: BTreeMap<String, MaybeDump> = BTreeMap::new();
        let (mut next, mut is_cut) = (Some(first), false);
        while let Some(found) = next {
            let (database, member) = match found {
                Found::Main(member) if main.is_none() => (None, member),
                Found::OtherDatabase(database, member) if !others.contains_key(&database) => {
                    (Some(database), member)
                }
                // Nothing of the same name is read twice.
                Found::Main(member) | Found::OtherDatabase(_, member) | Found::Other(member) => {
                    if search.is_past {
                        // Rows of a database that comes now are taken from the main one.
                        let late = expected.iter().filter(|name| !others.contains_key(**name));
                        lent.tar.too_late = late.flat_map(|name| members_of(name)).collect();
                        lent.tar.put_back(member);
                        break;
                    }
                    lent.tar.pass(&member);
                    (next, is_cut) = step(&mut search, &mut lent, main.is_some())?;
                    continue;
                }
            };
            lent.tar.pass(&member);
            let come = usize::from(main.is_some()) + others.len() + 1;
            let is_last = come == expected.len() + 1;
            let dump = match check_file(&member) {
                Err(error) => Err(error),
                Ok(()) if is_last => {
                    lent.tar.info = search.info.clone();
                    let bytes = WholeMember::new(lent, member.size);
                    let dump = dump(bytes, source, &member.name, Arc::default());
                    put(database, dump, &mut main, &mut others);
                    break;
                }
                Ok(()) => {
                    let file = spool(&mut lent, &member, &temp_dir)?;
                    // The compressed bytes were counted where the tar is read.
                    let bytes = WholeMember::new(file, member.size);
                    dump(bytes, source, &member.name, Arc::default())
                }
            };
            put(database, dump, &mut main, &mut others);
            (next, is_cut) = step(&mut search, &mut lent, main.is_some())?;
        }
        let Some(main) = main else {
            return Err(search.no_database(source));
        };
        let missing = expected.into_iter().filter(|_| is_cut && !search.is_past);
        let missing: Vec<OtherDump> = missing
            .filter(|database| !others.contains_key(*database))
            .map(cut_away)
            .collect();
        let found = others
            .into_iter()
            .map(|(database, dump)| OtherDump { database, dump });
        Ok(Unpacked {
            dumps: OpenedDumps {
                main: main?,
                others: found.chain(missing).collect(),
            },
            info: search.info.unwrap_or_default(),
            warnings: search.warnings,
        })
    }
}

fn put(
    database: Option<String>,
    dump: MaybeDump,
    main: &mut Option<MaybeDump>,
    others: &mut BTreeMap<String, MaybeDump>,
) {
    match database {
        None => *main = Some(dump),
        Some(database) => _ = others.insert(database, dump),
    }
}

/// The next member, and whether the tar ends where it should not. That is an error only before the main database.
fn step(
    search: &mut Search,
    lent: &mut Lent,
    has_main: bool,
) -> Result<(Option<Found>, bool), SnapshotError> {
    let found = search.next(&mut lent.tar.members);
    lent.tar.info = search.info.clone();
    match found {
        // A copy that ended at a boundary of members lacks the zeros that end a tar.
        Ok(None) => Ok((None, !lent.tar.members.has_ended())),
        Ok(found) => Ok((found, false)),
        Err(error) if !has_main => Err(error),
        Err(error @ (SnapshotError::Io { .. } | SnapshotError::Bucket(_))) => Err(error),
        Err(error) => {
            tracing::warn!("the tar is read no further than its main database: {error}");
            lent.tar.is_broken(&error);
            Ok((None, true))
        }
    }
}

/// Keeps a member in a temp file, as far as it comes: who reads it finds out what is missing.
fn spool(lent: &mut Lent, member: &Member, temp_dir: &Path) -> Result<File, SnapshotError> {
    let failed = |error| SnapshotError::Temp(at(temp_dir)(error));
    let mut file = tempfile::tempfile_in(temp_dir).map_err(failed)?;
    let mut body = lent.tar.members.body(member.size);
    let mut buffer = vec![0; 256 << 10];
    loop {
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => file.write_all(&buffer[..count]).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_of_source(&error) => {
                return Err(read_error(place(&member.name), error));
            }
            // The tar ends here, or cannot be decompressed any further.
            Err(error) => {
                tracing::warn!("{}: {error}", member.name);
                break;
            }
        }
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}
