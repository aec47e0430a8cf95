//! The head of an archive: its header and its table of contents (TOC).
//!
//! Facts are those of archive versions 1.12 (pg_dump 9.0) to 1.16 (pg_dump 17 and 18), as
//! `pg_backup_archiver.c` writes them. Nothing here is trusted: memory grows with the bytes that are really
//! there, never with a length or a count that is only claimed.

use std::borrow::Cow;
use std::io::{self, Read};

use crate::snapshot::codec::compression::Compression;
use crate::snapshot::codec::encoding::Encoding;
use crate::snapshot::error::{Position, SnapshotError};
use crate::snapshot::place::is_of_source;
use crate::snapshot::sql::ddl::Ddl;

/// What an archive begins with.
pub const MAGIC: &[u8] = b"PGDMP";

/// Bytes that a TOC may have, decompressed. GitLab's has 5 MB; the rest is room for partitions.
const TOC_LIMIT: u64 = 256 << 20;

/// Minor versions of the format that are read, all of major version 1.
const MINORS: std::ops::RangeInclusive<u8> = 12..=16;

/// Descriptions of the entries that are kept. All others are stepped over.
const KEPT: [&str; 12] = [
    "ENCODING",
    "STDSTRINGS",
    "SEARCHPATH",
    "TYPE",
    "DOMAIN",
    "TABLE",
    "FOREIGN TABLE",
    "TABLE ATTACH",
    "TABLE DATA",
    "CONSTRAINT",
    "FK CONSTRAINT",
    "INDEX",
];

/// How an archive's data is laid out, by the header's format byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One file, the data behind the TOC.
    Custom,
    /// A `toc.dat` that names other files: in a folder, or in a tar.
    Files,
}

/// What an archive says of itself before its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The 14 of version 1.14.
    pub minor: u8,
    /// Bytes of an integer, without its sign.
    pub int_size: u8,
    /// Bytes of a position in the file.
    pub offset_size: u8,
    pub format: Format,
    /// How blocks of data are compressed in the custom format; other formats' files have suffixes.
    pub compression: Compression,
    /// When pg_dump began, in local time without a zone; `None` where it is no time.
    pub taken_at: Option<String>,
    pub server_version: Option<String>,
    pub dump_version: Option<String>,
    /// Entries that the TOC claims to have.
    pub entries: u64,
}

/// Where an entry's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataPlace {
    /// In the file, in bytes from its start.
    At(u64),
    /// Behind the TOC, where exactly is not said: pg_dump's output was no file that it could seek in.
    Unknown,
    /// In a file of this name, which may have got a suffix by compression.
    File(String),
    /// The entry has no data.
    Nowhere,
}

/// An entry of the TOC, as far as it is of use here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the TOC, from 1.
    pub number: u64,
    /// Where it begins, in bytes from the start of the (decompressed) TOC.
    pub offset: u64,
    pub dump_id: i64,
    /// The object's name.
    pub tag: String,
    /// The kind of object, such as `TABLE DATA`.
    pub description: String,
    /// The object's schema. Empty for objects that have none.
    pub namespace: String,
    /// The SQL that makes the object.
    pub definition: Vec<u8>,
    /// The `COPY` statement of data; empty for data that is `INSERT` statements.
    pub copy: Vec<u8>,
    pub place: DataPlace,
}

/// An entry as it is written, in the archive's encoding.
struct RawEntry {
    number: u64,
    offset: u64,
    dump_id: i64,
    tag: Vec<u8>,
    description: String,
    namespace: Vec<u8>,
    definition: Vec<u8>,
    copy: Vec<u8>,
    place: DataPlace,
}

impl RawEntry {
    fn in_utf8(self, encoding: Encoding) -> Entry {
        let name = |bytes: &[u8]| String::from_utf8_lossy(&encoding.text(bytes)).into_owned();
        let text = |bytes: Vec<u8>| {
            if let Cow::Owned(text) = encoding.text(&bytes) {
                return text;
            }
            bytes
        };
        Entry {
            number: self.number,
            offset: self.offset,
            dump_id: self.dump_id,
            tag: name(&self.tag),
            description: self.description,
            namespace: name(&self.namespace),
            definition: text(self.definition),
            copy: text(self.copy),
            place: self.place,
        }
    }
}

/// The encoding that the entry of that name states. One that is not known is told of when the entry's statement is read.
fn encoding(entries: &[RawEntry]) -> Encoding {
    let mut ddl = Ddl::default();
    for entry in entries {
        if entry.description == "ENCODING" {
            let _ = ddl.statements(&entry.definition);
        }
    }
    ddl.encoding()
}

/// A table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toc {
    pub header: Header,
    /// In the order of the TOC, only entries that tables and their data come from.
    pub entries: Vec<Entry>,
}

impl Toc {
    /// Reads a header and the entries that follow it, and leaves `reader` at the byte behind them.
    ///
    /// Asks for few bytes at a time: give it a buffered reader. Messages call the TOC `member`, where it is
    /// a file of a larger whole.
    ///
    /// # Errors
    /// `CutOff` where the bytes end early, `Damaged` where they cannot be a TOC, `Unsupported` for a version of the format
    /// that is not known.
    pub fn read(reader: &mut dyn Read, member: Option<&str>) -> Result<Toc, SnapshotError> {
        let mut input = Input {
            reader,
            offset: 0,
            int_size: 0,
        };
        let at =
            |offset: u64, entry: Option<(u64, u64)>, fault: Fault| fault.at(member, offset, entry);
        let header = header(&mut input).map_err(|fault| at(input.offset, None, fault))?;
        let mut entries = Vec::new();
        for number in 1..=header.entries {
            let offset = input.offset;
            let entry = entry(&mut input, &header, number)
                .map_err(|fault| at(input.offset, Some((number, header.entries)), fault))?;
            entries.extend(entry.map(|entry| RawEntry { offset, ..entry }));
        }
        let encoding = encoding(&entries);
        let entries = entries.into_iter().map(|entry| entry.in_utf8(encoding));
        Ok(Toc {
            header,
            entries: entries.collect(),
        })
    }
}

/// Why the TOC cannot be read on.
enum Fault {
    Read(io::Error),
    Wrong(String),
    Version(String),
    NoArchive,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Read(error)
    }
}

impl Fault {
    fn at(self, member: Option<&str>, offset: u64, entry: Option<(u64, u64)>) -> SnapshotError {
        let place = Position {
            member: member.map(str::to_owned),
            offset: Some(offset),
            ..Position::default()
        };
        let part = match entry {
            Some((number, count)) => format!("entry {number} of {count} of the archive's TOC"),
            None => "the archive's header".to_owned(),
        };
        match self {
            Fault::Read(error) if is_of_source(&error) => {
                SnapshotError::of_reading(&place.to_string(), error)
            }
            Fault::Read(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                SnapshotError::CutOff {
                    place,
                    reason: format!("it is cut off inside {part}, copy it again"),
                }
            }
            Fault::Read(error) => SnapshotError::Damaged {
                place,
                reason: format!("{part} cannot be read: {error}"),
            },
            Fault::Wrong(reason) => SnapshotError::Damaged {
                place,
                reason: format!("{part}: {reason}"),
            },
            Fault::Version(version) => SnapshotError::Unsupported {
                what: format!("a pg_dump archive of version {version}"),
                reason: "versions 1.12 to 1.16 are read, of pg_dump 9.0 to 18; convert it to SQL text with \
                         pg_restore -f out.sql, and name that file"
                    .to_owned(),
            },
            Fault::NoArchive => SnapshotError::Damaged {
                place: Position { offset: Some(0), ..place },
                reason: "it does not begin as an archive of pg_dump does (PGDMP)".to_owned(),
            },
        }
    }
}

/// Reads one integer: a byte for the sign, then `size` bytes, the lowest first.
///
/// # Errors
/// The reader's own; `InvalidData` for what cannot be an integer.
pub(crate) fn read_int(reader: &mut (impl Read + ?Sized), size: u8) -> io::Result<i64> {
    let mut bytes = [0; 9];
    let bytes = &mut bytes[..usize::from(size.min(8)) + 1];
    reader.read_exact(bytes)?;
    let value = little_endian(&bytes[1..]);
    match (bytes[0], i64::try_from(value)) {
        (0, Ok(value)) => Ok(value),
        (1, Ok(value)) => Ok(-value),
        (sign, _) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("an integer makes no sense (sign {sign}, value {value})"),
        )),
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    let shifted = bytes.iter().rev();
    shifted.fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The bytes of a TOC, counted.
struct Input<'a> {
    reader: &'a mut dyn Read,
    offset: u64,
    int_size: u8,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Input<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let mut byte = [0];
        self.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn int(&mut self) -> Result<i64, Fault> {
        let size = self.int_size;
        Ok(read_int(self, size)?)
    }

    /// The length of a string; `None` for NULL.
    fn length(&mut self) -> Result<Option<u64>, Fault> {
        let length = self.int()?;
        if length == -1 {
            return Ok(None);
        }
        match u64::try_from(length) {
            Ok(length) if self.offset.saturating_add(length) <= TOC_LIMIT => Ok(Some(length)),
            Ok(length) => Err(Fault::Wrong(format!(
                "a string of {length} bytes would make the TOC larger than {} MiB",
                TOC_LIMIT >> 20
            ))),
            Err(_) => Err(Fault::Wrong(format!("a string has {length} bytes"))),
        }
    }

    /// A string, empty for NULL. Memory is taken as its bytes come in.
    fn string(&mut self) -> Result<Vec<u8>, Fault> {
        let length = self.length()?.unwrap_or_default();
        let mut bytes = Vec::new();
        let read = self.take(length).read_to_end(&mut bytes)? as u64;
        match read < length {
            true => Err(Fault::Read(io::ErrorKind::UnexpectedEof.into())),
            // pg_dump's strings end at one.
            false if bytes.contains(&0) => {
                let reason = "a zero byte stands in a string: something wrote over the archive; copy it again from where it was made";
                Err(Fault::Wrong(reason.to_owned()))
            }
            false => Ok(bytes),
        }
    }

    fn text(&mut self) -> Result<String, Fault> {
        let bytes = self.string()?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Steps over a string. False for NULL.
    fn skip_string(&mut self) -> Result<bool, Fault> {
        let Some(length) = self.length()? else {
            return Ok(false);
        };
        match io::copy(&mut self.take(length), &mut io::sink())? < length {
            true => Err(Fault::Read(io::ErrorKind::UnexpectedEof.into())),
            false => Ok(true),
        }
    }
}

fn header(input: &mut Input<'_>) -> Result<Header, Fault> {
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(Fault::NoArchive);
    }
    let (major, minor) = (input.byte()?, input.byte()?);
    if major != 1 || !MINORS.contains(&minor) {
        return Err(Fault::Version(format!("{major}.{minor}")));
    }
    // The revision, which says nothing.
    input.byte()?;
    let (int_size, offset_size) = (input.byte()?, input.byte()?);
    for (what, size) in [("integers", int_size), ("positions", offset_size)] {
        if !(1..=8).contains(&size) {
            return Err(Fault::Wrong(format!("{what} of {size} bytes")));
        }
    }
    input.int_size = int_size;
    let format = match input.byte()? {
        1 => Format::Custom,
        // Folders say 3, too: pg_dump writes their toc.dat as it writes a tar's.
        3 | 5 => Format::Files,
        other => return Err(Fault::Wrong(format!("format {other} is not known"))),
    };
    let compression = match minor {
        ..15 => match input.int()? {
            0 => Compression::None,
            -1 | 1..=9 => Compression::Zlib,
            level => return Err(Fault::Wrong(format!("compression level {level}"))),
        },
        _ => match input.byte()? {
            0 => Compression::None,
            1 => Compression::Zlib,
            2 => Compression::Lz4,
            3 => Compression::Zstd,
            other => return Err(Fault::Wrong(format!("compression {other} is not known"))),
        },
    };
    let mut time = [0; 7];
    for part in &mut time {
        *part = input.int()?;
    }
    // The database's name, which is nobody's business.
    input.skip_string()?;
    let (server_version, dump_version) = (input.text()?, input.text()?);
    let count = input.int()?;
    Ok(Header {
        minor,
        int_size,
        offset_size,
        format,
        compression,
        taken_at: time_text(time),
        server_version: first_word(&server_version),
        dump_version: first_word(&dump_version),
        entries: u64::try_from(count)
            .map_err(|_| Fault::Wrong(format!("the TOC has {count} entries")))?,
    })
}

/// The distribution follows the version: `15.18 (Debian 15.18-0+deb12u1)`.
fn first_word(text: &str) -> Option<String> {
    text.split_whitespace().next().map(str::to_owned)
}

/// Second, minute, hour, day, month from 0, year from 1900, and whether it is summer time.
fn time_text([second, minute, hour, day, month, year, _]: [i64; 7]) -> Option<String> {
    let makes_sense = (0..=60).contains(&second)
        && (0..60).contains(&minute)
        && (0..24).contains(&hour)
        && (1..=31).contains(&day)
        && (0..12).contains(&month)
        && (70..8100).contains(&year);
    makes_sense.then(|| {
        let (month, year) = (month + 1, year + 1900);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    })
}

/// Reads an entry. `None` for one that is of no use here.
fn entry(input: &mut Input<'_>, header: &Header, number: u64) -> Result<Option<RawEntry>, Fault> {
    let dump_id = input.int()?;
    // Whether data was to come.
    input.int()?;
    // The table's and the object's OID.
    input.skip_string()?;
    input.skip_string()?;
    let tag = input.string()?;
    let description = input.text()?;
    let kept = KEPT.contains(&description.as_str());
    // The section.
    input.int()?;
    let definition = match kept {
        true => input.string()?,
        false => input.skip_string().map(|_| Vec::new())?,
    };
    // The statement that drops the object.
    input.skip_string()?;
    let copy = match kept {
        true => input.string()?,
        false => input.skip_string().map(|_| Vec::new())?,
    };
    let namespace = input.string()?;
    // The tablespace.
    input.skip_string()?;
    if header.minor >= 14 {
        // The table access method.
        input.skip_string()?;
    }
    if header.minor >= 16 {
        // The kind of relation.
        input.int()?;
    }
    // The owner, and whether rows have OIDs.
    input.skip_string()?;
    input.skip_string()?;
    // The entries that this one needs.
    while input.skip_string()? {}
    let place = match header.format {
        Format::Custom => {
            let flag = input.byte()?;
            let mut position = [0; 8];
            let position = &mut position[..usize::from(header.offset_size)];
            input.read_exact(position)?;
            match flag {
                1 => DataPlace::Unknown,
                2 => DataPlace::At(little_endian(position)),
                3 => DataPlace::Nowhere,
                other => return Err(Fault::Wrong(format!("a data position's flag is {other}"))),
            }
        }
        Format::Files => match input.text()? {
            name if name.is_empty() => DataPlace::Nowhere,
            name => DataPlace::File(name),
        },
    };
    Ok(kept.then_some(RawEntry {
        number,
        offset: 0,
        dump_id,
        tag,
        description,
        namespace,
        definition,
        copy,
        place,
    }))
}

#[cfg(test)]
mod tests;
