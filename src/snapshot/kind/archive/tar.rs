//! Archives in tars. pg_dump -Ft writes `toc.dat` first, then a member for each table's data, never compressed. The tar
//! of a folder that pg_dump -Fd wrote holds the same files in any order, compressed, and mostly in a folder.
//!
//! Names from a tar are only compared with each other: none becomes a path on disk, and nothing is unpacked.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::catalog::{Contents, TableData};
use super::directory::SUFFIXES;
use super::rows::read_rows;
use super::toc::{DataPlace, Format, Toc};
use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::chunks::Origin;
use crate::snapshot::codec::compression::{
    Compression, Counted, INPUT_BUFFER, decoder, decoder_of,
};
use crate::snapshot::codec::read_errors::{cut_off, damaged, read_error};
use crate::snapshot::codec::tar_members::{Member, Members};
use crate::snapshot::codec::whole_member::WholeMember;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::event::{Event, Sink, TableFilter};
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::owners::Owners;
use crate::snapshot::place::{Place, is_of_source};
use crate::snapshot::source::{StreamSource, TablePart, TableSource};
use crate::snapshot::table_name::TableName;

const TOC: &str = "toc.dat";

/// True for the name of a file that pg_dump -Fd writes, in whatever folder and however compressed.
pub(crate) fn is_of_archive(name: &str) -> bool {
    is_toc(name).is_some() || is_data(file_name(name))
}

/// True for the name of a TOC, in whatever folder and however compressed.
pub(crate) fn is_toc_of_archive(name: &str) -> bool {
    is_toc(name).is_some()
}

/// How a TOC of that name is compressed; `None` for another file.
fn is_toc(name: &str) -> Option<Compression> {
    let of = |(suffix, compression): (&str, Compression)| {
        (file_name(name).strip_suffix(suffix)? == TOC).then_some(compression)
    };
    SUFFIXES.into_iter().find_map(of)
}

/// True for a file with a table's data or with large objects.
fn is_data(file: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    SUFFIXES.iter().any(|(suffix, _)| {
        let Some(plain) = file.strip_suffix(suffix) else {
            return false;
        };
        match plain.strip_suffix(".dat") {
            Some(number) => is_number(number.strip_prefix("blob_").unwrap_or(number)),
            None => plain.starts_with("blobs") && plain.ends_with(".toc"),
        }
    })
}

fn file_name(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, file)| file)
}

/// What a tar's TOC says, and where in the tar it stands.
struct Found {
    contents: Contents,
    /// The folder that the archive's files are in, with a slash at its end; empty where they are in none.
    folder: String,
    /// True where files with data stand before the TOC. Of them nothing is known then.
    is_late: bool,
    /// True where this cannot be what pg_dump -Ft writes.
    is_folder: bool,
}

/// Goes on to the TOC and reads it. `once` tells that the tar cannot be read again, so that no data may stand before it.
fn find_contents<R: Read + Send>(
    members: &mut Members<R>,
    once: bool,
) -> Result<Found, SnapshotError> {
    let mut before = None;
    loop {
        let next = members.next().map_err(|error| tar_error(error, None))?;
        let Some(member) = next else {
            return Err(damaged(
                Position {
                    member: before,
                    ..Position::default()
                },
                "the tar holds no toc.dat, which every archive of pg_dump has: it is cut off, or not the whole folder",
            ));
        };
        let Some(compression) = is_toc(&member.name) else {
            if is_data(file_name(&member.name)) {
                if once {
                    return Err(late(&member.name));
                }
                before.get_or_insert(member.name);
            }
            continue;
        };
        if !member.is_file() {
            return Err(damaged(place(&member.name, None), NO_FILE));
        }
        let body = BufReader::with_capacity(INPUT_BUFFER, members.body(member.size));
        let reader = decoder_of(compression, body)
            .map_err(|error| read_error(place(&member.name, None), error))?;
        let mut reader = BufReader::with_capacity(INPUT_BUFFER, reader);
        let toc = Toc::read(&mut reader, Some(&member.name))?;
        if toc.header.format == Format::Custom {
            return Err(damaged(
                place(&member.name, None),
                "it is an archive in custom format, not a tar's table of contents",
            ));
        }
        let folder = member.name[..member.name.len() - file_name(&member.name).len()].to_owned();
        return Ok(Found {
            contents: Contents::new(toc, Some(&member.name))?,
            is_folder: before.is_some() || member.name != TOC,
            is_late: before.is_some(),
            folder,
        });
    }
}

fn late(member: &str) -> SnapshotError {
    SnapshotError::Unsupported {
        what: "the tar of a pg_dump folder".to_owned(),
        reason: format!(
            "{member} stands before the table of contents ({TOC}), which a stream shows only once: \
             save the tar to a file and name that, or unpack it and name the folder"
        ),
    }
}

fn place(member: &str, data: Option<&TableData>) -> Position {
    Position {
        member: Some(member.to_owned()),
        table: data.map(|data| data.table.to_string()),
        ..Position::default()
    }
}

/// The tar itself does not go on as it should, after the member `last`.
fn tar_error(error: io::Error, last: Option<&str>) -> SnapshotError {
    let place = Position {
        member: last.map(str::to_owned),
        ..Position::default()
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof if !is_of_source(&error) => {
            cut_off(place, "the tar is cut off, copy it again")
        }
        _ => read_error(place, error),
    }
}

fn missing(name: &str, data: &TableData) -> SnapshotError {
    cut_off(
        place(name, Some(data)),
        "the tar ends before the member with the table's data: it is cut off, copy it again",
    )
}

/// Which members of a tar hold the data of which entries.
struct Names<'c> {
    /// Indexes of the contents' data, by the names that the TOC has.
    by_name: HashMap<&'c str, usize>,
    folder: &'c str,
    toc_seen: bool,
}

impl<'c> Names<'c> {
    fn of(contents: &'c Contents, folder: &'c str, toc_seen: bool) -> Result<Self, SnapshotError> {
        let mut by_name = HashMap::new();
        for (index, data) in contents.data.iter().enumerate() {
            if let DataPlace::File(name) = &data.place
                && let Some(other) = by_name.insert(name.as_str(), index)
            {
                let reason = format!(
                    "the archive's TOC names the same member for table {}",
                    contents.data[other].table
                );
                return Err(damaged(place(name, Some(data)), reason));
            }
        }
        Ok(Names {
            by_name,
            folder,
            toc_seen,
        })
    }

    /// The data that a member holds, and how it is compressed; `None` for a member with something else.
    ///
    /// # Errors
    /// The member is a second TOC: the tar holds another archive, too.
    fn data(&mut self, member: &Member) -> Result<Option<(usize, Compression)>, SnapshotError> {
        // tar packs what it is told twice as a link to what it has already.
        let is_again = !member.is_file();
        let member = &member.name;
        if is_toc(member).is_some() && std::mem::replace(&mut self.toc_seen, true) && !is_again {
            return Err(SnapshotError::Unsupported {
                what: format!("a tar with two tables of contents ({member} is the second)"),
                reason: "it holds more than one archive of pg_dump: unpack it and name one folder"
                    .to_owned(),
            });
        }
        let Some(name) = member.strip_prefix(self.folder) else {
            return Ok(None);
        };
        Ok(SUFFIXES.iter().find_map(|(suffix, compression)| {
            let index = self.by_name.get(name.strip_suffix(suffix)?)?;
            Some((*index, *compression))
        }))
    }
}

fn doubled(member: &str, data: &TableData) -> SnapshotError {
    let reason = "the tar holds the member with the table's data twice";
    damaged(place(member, Some(data)), reason)
}

/// An archive in tar format, or the tar of one in directory format, that goes by once.
pub struct TarStream {
    tar: Box<dyn Read + Send>,
    source: String,
    again: Option<Again>,
}

/// A compressed tar that can be read once more from its beginning.
pub(crate) struct Again {
    pub(crate) place: Place,
    /// Counts the bytes read, from 0 again the second time.
    pub(crate) taken: Arc<AtomicU64>,
}

impl TarStream {
    /// Reads `tar`, which gives the archive from its first byte. Messages call the snapshot `source`. Where the table of
    /// contents stands behind data, the tar is read once more from `again`.
    pub(crate) fn new(
        tar: Box<dyn Read + Send>,
        source: impl Into<String>,
        again: Option<Again>,
    ) -> Self {
        TarStream {
            tar,
            source: source.into(),
            again,
        }
    }
}

fn members_of(tar: Box<dyn Read + Send>) -> Members<BufReader<Box<dyn Read + Send>>> {
    Members::of_stream(BufReader::with_capacity(INPUT_BUFFER, tar))
}

impl StreamSource for TarStream {
    fn read(self: Box<Self>, wanted: TableFilter<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let mut members = members_of(self.tar);
        let found = find_contents(&mut members, self.again.is_none())?;
        let contents = found.contents;
        let told = Event::Catalog(Arc::clone(&contents.catalog), contents.facts.clone());
        if sink(told).is_break() {
            return Ok(());
        }
        if found.is_late
            && let Some(Again { place, taken }) = self.again
        {
            taken.store(0, Ordering::Relaxed);
            let file = place.open().map_err(|error| place.failed(error))?;
            let tar = decoder(Box::new(file), taken).map_err(|error| tar_error(error, None))?;
            members = members_of(tar);
        }
        let mut names = Names::of(&contents, &found.folder, !found.is_late)?;
        let mut seen = vec![false; contents.data.len()];
        let mut last = format!("{}{TOC}", found.folder);
        loop {
            let next = members.next();
            let Some(member) = next.map_err(|error| tar_error(error, Some(&last)))? else {
                break;
            };
            last.clone_from(&member.name);
            let Some((index, compression)) = names.data(&member)? else {
                continue;
            };
            let data = &contents.data[index];
            if std::mem::replace(&mut seen[index], true) {
                if !member.is_file() {
                    continue;
                }
                return Err(doubled(&member.name, data));
            }
            if !member.is_file() {
                return Err(damaged(place(&member.name, Some(data)), NO_FILE));
            }
            let Some(owners) = contents.owners(data, wanted) else {
                continue;
            };
            let body = BufReader::with_capacity(INPUT_BUFFER, members.body(member.size));
            let reader = decoder_of(compression, body)
                .map_err(|error| read_error(place(&member.name, Some(data)), error))?;
            let origin = Origin {
                source: self.source.clone(),
                member: Some(member.name),
            };
            if read_rows(&contents, data, &owners, reader, origin, sink)?.is_break() {
                return Ok(());
            }
        }
        // What is behind the tar's end says nothing, but a compressed stream's checksum is there.
        io::copy(&mut members.into_inner(), &mut io::sink())
            .map_err(|error| tar_error(error, Some(&last)))?;
        // The first in the TOC, so that the message is always the same.
        let file = |data: &TableData| matches!(data.place, DataPlace::File(_));
        let absent = contents.data.iter().zip(seen);
        match absent.into_iter().find(|(data, seen)| !seen && file(data)) {
            Some((data, _)) => Err(missing(member_name(data), data)),
            None => {
                // The last event: whether the sink breaks makes no difference.
                let _ = sink(Event::Holdings(contents.holdings()));
                Ok(())
            }
        }
    }
}

/// The name of the member with an entry's data, without what a compression added.
fn member_name(data: &TableData) -> &str {
    match &data.place {
        DataPlace::File(name) => name,
        _ => TOC,
    }
}

const NO_FILE: &str = "the member with the table's data is no regular file";

/// An archive in tar format in a file, or the tar of one in directory format, whose tables can be opened one by one.
pub struct TarArchive {
    place: Place,
    source: String,
    contents: Contents,
    /// The member of each entry with data, and how it is compressed; `None` where the tar lacks it.
    members: Vec<Option<(Member, Compression)>>,
    is_folder: bool,
    progress: Arc<AtomicU64>,
}

impl TarArchive {
    /// Reads the TOC, and hops from header to header to find the members with tables' data. `progress` counts
    /// the bytes read of tables' data.
    ///
    /// # Errors
    /// The file cannot be read, or its TOC is damaged or of an unknown version.
    pub(crate) fn open(
        at: &Place,
        source: &str,
        progress: Arc<AtomicU64>,
    ) -> Result<Self, SnapshotError> {
        let opened = || at.open().map_err(|error| at.failed(error));
        let mut members = Members::of_file(opened()?);
        let Found {
            contents,
            folder,
            is_late,
            mut is_folder,
        } = find_contents(&mut members, false)?;
        if is_late {
            members = Members::of_file(opened()?);
        }
        let mut names = Names::of(&contents, &folder, !is_late)?;
        let mut found: Vec<Option<(Member, Compression)>> =
            contents.data.iter().map(|_| None).collect();
        let mut left = names.by_name.len();
        loop {
            let member = match members.next() {
                Ok(Some(member)) => member,
                // What is behind is missing, for those who want it.
                Ok(None) => break,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) if left == 0 && !is_of_source(&error) => {
                    tracing::warn!("{source} is damaged behind the tables' data: {error}");
                    break;
                }
                Err(error) => return Err(tar_error(error, None)),
            };
            let Some((index, compression)) = names.data(&member)? else {
                continue;
            };
            is_folder |= compression != Compression::None;
            if let Some((other, _)) = &found[index] {
                if !member.is_file() {
                    continue;
                }
                return Err(doubled(&other.name, &contents.data[index]));
            }
            found[index] = Some((member, compression));
            left -= 1;
        }
        Ok(TarArchive {
            place: at.clone(),
            source: source.to_owned(),
            members: found,
            contents,
            is_folder,
            progress,
        })
    }

    /// Bytes of all tables' data.
    pub fn size(&self) -> u64 {
        let sizes = self.members.iter().flatten().map(|(member, _)| member.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// True for the tar of a folder that pg_dump -Fd wrote, false for what -Ft wrote.
    pub(crate) fn is_folder(&self) -> bool {
        self.is_folder
    }
}

impl TableSource for TarArchive {
    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.contents.catalog)
    }

    fn facts(&self) -> SnapshotFacts {
        self.contents.facts.clone()
    }

    /// One part for each member: the table's own, or those of its partitions.
    fn parts(&self, table: &TableName) -> Vec<TablePart> {
        self.contents.parts(table, |index, _| {
            let member = self.members[index].as_ref();
            member.map_or(0, |(member, _)| member.size)
        })
    }

    fn holdings(&self) -> Holdings {
        self.contents.holdings()
    }

    fn read(&self, part: &TablePart, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let data = self.contents.part(part, &self.source)?;
        let (member, compression) = self.members[part.index]
            .as_ref()
            .ok_or_else(|| missing(member_name(data), data))?;
        if !member.is_file() {
            return Err(damaged(place(&member.name, Some(data)), NO_FILE));
        }
        let range = member.offset..member.offset.saturating_add(member.size);
        let opened = self.place.open_range(range);
        let file = opened.map_err(|error| self.place.failed(error))?;
        let counted = Counted::new(file, Arc::clone(&self.progress));
        let origin = Origin {
            source: self.source.clone(),
            member: Some(member.name.clone()),
        };
        let body = BufReader::with_capacity(INPUT_BUFFER, WholeMember::new(counted, member.size));
        let reader = decoder_of(*compression, body)
            .map_err(|error| read_error(place(&member.name, Some(data)), error))?;
        // Whether the sink breaks makes no difference: this was the last thing to do.
        let owners = Owners::only(data.head_for(&part.table));
        read_rows(&self.contents, data, &owners, reader, origin, sink).map(|_| ())
    }
}

#[cfg(test)]
mod tests;
