//! Archives in tar format (-Ft): `toc.dat` first, then a member for each table's data, never compressed.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::catalog::{Contents, TableData};
use super::rows::read_rows;
use super::toc::{DataPlace, Format, Toc};
use crate::snapshot::backup::Whole;
use crate::snapshot::chunks::Origin;
use crate::snapshot::compression::{Counted, INPUT_BUFFER};
use crate::snapshot::read_errors::{cut_off, damaged, io_error, read_error};
use crate::snapshot::tar_members::{Member, Members};
use crate::snapshot::{
    Catalog, Event, Part, Place, Sink, SnapshotError, SnapshotFacts, StreamSource, TableName,
    TableSource, Wanted,
};

const TOC: &str = "toc.dat";

/// Reads the TOC, which is the first member.
fn read_contents<R: Read>(members: &mut Members<R>) -> Result<Contents, SnapshotError> {
    let first = members.next().map_err(|error| tar_error(error, None))?;
    let Some(first) = first.filter(|member| member.name == TOC && member.is_file) else {
        return Err(damaged(
            Place::default(),
            "the tar's first member is not toc.dat, as pg_dump -Ft writes it",
        ));
    };
    let mut body = BufReader::with_capacity(INPUT_BUFFER, members.body(first.size));
    let toc = Toc::read(&mut body, Some(TOC))?;
    if toc.header.format == Format::Custom {
        return Err(damaged(
            place(TOC, None),
            "it is an archive in custom format, not a tar's table of contents",
        ));
    }
    Contents::new(toc, Some(TOC))
}

fn place(member: &str, data: Option<&TableData>) -> Place {
    Place {
        member: Some(member.to_owned()),
        table: data.map(|data| data.table.to_string()),
        ..Place::default()
    }
}

/// The tar itself does not go on as it should, after the member `last`.
fn tar_error(error: io::Error, last: Option<&str>) -> SnapshotError {
    let place = Place {
        member: last.map(str::to_owned),
        ..Place::default()
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof if error.raw_os_error().is_none() => {
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

/// The members that entries' data is in, as indexes of the contents' data.
fn names(contents: &Contents) -> Result<HashMap<&str, usize>, SnapshotError> {
    let mut names = HashMap::new();
    for (index, data) in contents.data.iter().enumerate() {
        if let DataPlace::File(name) = &data.place
            && let Some(other) = names.insert(name.as_str(), index)
        {
            let reason = format!(
                "the archive's TOC names the same member for table {}",
                contents.data[other].table
            );
            return Err(damaged(place(name, Some(data)), reason));
        }
    }
    Ok(names)
}

/// An archive in tar format that goes by once.
pub struct TarStream {
    tar: Box<dyn Read + Send>,
    source: String,
}

impl TarStream {
    /// Reads `tar`, which gives the archive from its first byte. Messages call the snapshot `source`.
    pub fn new(tar: Box<dyn Read + Send>, source: impl Into<String>) -> Self {
        TarStream {
            tar,
            source: source.into(),
        }
    }
}

impl StreamSource for TarStream {
    fn read(self: Box<Self>, wanted: Wanted<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let mut members = Members::of_stream(BufReader::with_capacity(INPUT_BUFFER, self.tar));
        let contents = read_contents(&mut members)?;
        let told = Event::Catalog(Arc::clone(&contents.catalog), contents.facts.clone());
        if sink(told).is_break() {
            return Ok(());
        }
        let mut names = names(&contents)?;
        let mut seen = HashSet::new();
        let mut last = TOC.to_owned();
        loop {
            let next = members.next();
            let Some(member) = next.map_err(|error| tar_error(error, Some(&last)))? else {
                break;
            };
            last.clone_from(&member.name);
            let Some(index) = names.remove(member.name.as_str()) else {
                if seen.contains(&member.name) {
                    let reason = "the tar holds the member with the table's data twice";
                    return Err(damaged(place(&member.name, None), reason));
                }
                continue;
            };
            seen.insert(member.name.clone());
            let data = &contents.data[index];
            if !member.is_file {
                return Err(damaged(place(&member.name, Some(data)), NO_FILE));
            }
            if !wanted(data.root()) {
                continue;
            }
            let origin = Origin {
                source: self.source.clone(),
                member: Some(member.name),
            };
            let body = members.body(member.size);
            if read_rows(&contents, data, body, origin, sink)?.is_break() {
                return Ok(());
            }
        }
        // The first in the TOC, so that the message is always the same.
        match names.into_iter().min_by_key(|(_, index)| *index) {
            Some((name, index)) => Err(missing(name, &contents.data[index])),
            None => Ok(()),
        }
    }
}

const NO_FILE: &str = "the member with the table's data is no regular file";

/// An archive in tar format in a file, whose tables can be opened one by one.
pub struct TarArchive {
    path: PathBuf,
    source: String,
    contents: Contents,
    /// The member of each entry with data; `None` where the tar lacks it.
    members: Vec<Option<Member>>,
    progress: Arc<AtomicU64>,
}

impl TarArchive {
    /// Reads the TOC, and hops from header to header until all members with tables' data are found. `progress` counts
    /// the bytes read of tables' data.
    ///
    /// # Errors
    /// The file cannot be read, or its TOC is damaged or of an unknown version.
    pub fn open(
        path: &Path,
        source: &str,
        progress: Arc<AtomicU64>,
    ) -> Result<Self, SnapshotError> {
        let file = File::open(path).map_err(|error| io_error(path, error))?;
        let mut members = Members::of_file(file);
        let contents = read_contents(&mut members)?;
        let mut names = names(&contents)?;
        let mut found: Vec<Option<Member>> = contents.data.iter().map(|_| None).collect();
        while !names.is_empty() {
            match members.next() {
                Ok(Some(member)) => {
                    if let Some(index) = names.remove(member.name.as_str()) {
                        found[index] = Some(member);
                    }
                }
                // What is behind is missing, for those who want it.
                Ok(None) => break,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(tar_error(error, None)),
            }
        }
        Ok(TarArchive {
            path: path.to_owned(),
            source: source.to_owned(),
            members: found,
            contents,
            progress,
        })
    }

    /// Bytes of all tables' data.
    pub fn size(&self) -> u64 {
        let sizes = self.members.iter().flatten().map(|member| member.size);
        sizes.fold(0, u64::saturating_add)
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
    fn parts(&self, table: &TableName) -> Vec<Part> {
        self.contents.parts(table, |index, _| {
            self.members[index].as_ref().map_or(0, |member| member.size)
        })
    }

    fn read(&self, part: &Part, sink: Sink<'_>) -> Result<(), SnapshotError> {
        let data = self.contents.part(part, &self.source)?;
        let name = match &data.place {
            DataPlace::File(name) => name,
            _ => TOC,
        };
        let member = self.members[part.index]
            .as_ref()
            .ok_or_else(|| missing(name, data))?;
        if !member.is_file {
            return Err(damaged(place(name, Some(data)), NO_FILE));
        }
        let mut file = File::open(&self.path).map_err(|error| io_error(&self.path, error))?;
        file.seek(SeekFrom::Start(member.offset))
            .map_err(|error| io_error(&self.path, error))?;
        let counted = Counted::new(file, Arc::clone(&self.progress));
        let origin = Origin {
            source: self.source.clone(),
            member: Some(member.name.clone()),
        };
        let body = Whole::new(counted, member.size);
        // Whether the sink breaks makes no difference: this was the last thing to do.
        read_rows(&self.contents, data, body, origin, sink).map(|_| ())
    }
}

#[cfg(test)]
mod tests;
