//! A backup's tar as a file: its databases are found by hopping from header to header.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::search::{Found, Search, check_file};
use super::{Backup, BackupOptions, Dumps, OpenedDumps, cut_away, dump, may_be_cut_away};
use crate::snapshot::codec::tar_members::{Member, Members};
use crate::snapshot::codec::whole_member::WholeMember;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::kind::plain::PlainDump;
use crate::snapshot::kind::plain::several::OtherDump;
use crate::snapshot::place::Place;

/// Headers that are looked at behind the database for the backup's information, and for other databases that no table is needed
/// of. `gitlab-backup` writes the one first and the others beside it; a tar with a million repositories is not searched for
/// them. It is for those of which tables are needed: what the main database has of these is out of date.
const HEADERS_AFTER_DATABASE: usize = 1000;

impl Backup {
    /// Opens an uncompressed tar by hopping from header to header, and each database's bytes in it by a file
    /// handle of their own. `taken` counts the bytes read of the databases, before decompression.
    ///
    /// # Errors
    /// The file cannot be read, is damaged before the main database, or holds none. Damage to another database shows when
    /// the backup is read.
    pub(crate) fn from_tar_file(
        place: &Place,
        source: &str,
        taken: Arc<AtomicU64>,
        options: &BackupOptions<'_>,
    ) -> Result<Self, SnapshotError> {
        let file = place.open().map_err(|error| place.failed(error))?;
        let length = file.size().map_err(|error| place.failed(error))?;
        let mut search = Search::new(options.routing);
        let mut members = Members::of_file(file);
        let expected = options.routing.databases();
        let needed: BTreeSet<&str> = expected
            .iter()
            .copied()
            .filter(|name| options.is_read(name))
            .collect();
        let mut headers_left = usize::MAX;
        let mut main: Option<Member> = None;
        let mut others: BTreeMap<String, Member> = BTreeMap::new();
        // The tar ends where it should not.
        let mut is_cut = false;
        loop {
            let all = main.is_some() && search.info.is_some() && others.len() == expected.len();
            if all && search.is_past {
                break;
            }
            if headers_left == 0 && needed.iter().all(|name| others.contains_key(*name)) {
                break;
            }
            let found = search.next(&mut members);
            if let Ok(Some(found)) = &found {
                // Seeking goes past the end of a file without a word.
                is_cut = found.end() > length;
            }
            match (found, &main) {
                (Ok(Some(Found::Main(member))), None) => {
                    main = Some(member);
                    headers_left = HEADERS_AFTER_DATABASE;
                }
                (Ok(Some(Found::OtherDatabase(database, member))), _) => {
                    others.entry(database).or_insert(member);
                }
                (Ok(Some(Found::Other(_))), None) if is_cut => {
                    return Err(search.tar_error(io::ErrorKind::UnexpectedEof.into()));
                }
                (Err(error), None) => return Err(error),
                (Ok(None), _) => {
                    // A copy that ended at a boundary of members lacks the zeros that end a tar.
                    is_cut = !members.has_ended();
                    break;
                }
                (Err(error @ (SnapshotError::Io { .. } | SnapshotError::Bucket(_))), _) => {
                    return Err(error);
                }
                // What is behind the databases is not needed.
                (Err(error), _) => {
                    tracing::warn!("{source} is read no further than its database: {error}");
                    is_cut = true;
                    break;
                }
                (Ok(Some(_)), _) => {}
            }
            headers_left = headers_left.saturating_sub(1);
        }
        let Some(main) = main else {
            return Err(search.no_database(source));
        };
        let open = |member: &Member| open_member(place, source, member, Arc::clone(&taken));
        let read = others
            .iter()
            .filter(|(database, _)| options.is_read(database));
        let size = main.size + read.map(|(_, member)| member.size).sum::<u64>();
        let missing = expected.iter().copied();
        let mut missing: Vec<&str> = missing
            .filter(|name| is_cut && !others.contains_key(*name))
            .collect();
        if search.is_past {
            // Behind files there is hardly ever one, so nothing fails for it.
            missing.retain(|name| needed.contains(name));
            search
                .warnings
                .extend(missing.drain(..).map(may_be_cut_away));
        }
        let found = others.iter().map(|(database, member)| OtherDump {
            dump: check_file(member).and_then(|()| open(member)),
            database: database.clone(),
        });
        let dumps = OpenedDumps {
            main: open(&main)?,
            others: found.chain(missing.into_iter().map(cut_away)).collect(),
        };
        let mut backup = Backup::new(source, Dumps::Opened(dumps), options);
        backup.size = size;
        backup.warnings = search.warnings;
        backup.info = search.info.unwrap_or_default();
        Ok(backup)
    }
}

/// A member's dump, by a handle of its own.
fn open_member(
    place: &Place,
    source: &str,
    member: &Member,
    taken: Arc<AtomicU64>,
) -> Result<PlainDump, SnapshotError> {
    let range = member.offset..member.offset.saturating_add(member.size);
    let file = place
        .open_range(range)
        .map_err(|error| place.failed(error))?;
    dump(
        WholeMember::new(file, member.size),
        source,
        &member.name,
        taken,
    )
}
