//! The directory's file: a line that says what was read, then a line of JSON for each group, in order of the ids.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Details, Directory, Group, Instance};

/// The version of this file's form.
const VERSION: u32 = 3;

#[derive(Serialize, Deserialize)]
struct Head {
    directory_version: u32,
    groups: usize,
    instance: Instance,
}

/// A group's line, without what stays in the file.
#[derive(Deserialize)]
struct GroupHead {
    id: i64,
    parent_id: Option<i64>,
    full_path: String,
    name: String,
}

/// A group's line.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub id: i64,
    pub parent_id: Option<i64>,
    pub full_path: &'a str,
    pub name: &'a str,
    /// The group's columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub badges: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub invited: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub iterations: Vec<Box<RawValue>>,
}

/// Where the lines of the groups are.
pub(super) struct Lines {
    file: File,
    /// Where each line begins; the last one says where the file ends.
    starts: Vec<u64>,
}

impl Lines {
    /// Reads the line of the group at a position.
    pub(super) fn read(&self, at: usize) -> io::Result<Details> {
        let length = self.starts[at + 1] - self.starts[at];
        let mut line = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut line, self.starts[at])?;
        serde_json::from_slice(&line).map_err(io::Error::other)
    }
}

/// Writes the file's first line.
pub(super) fn write_head(
    out: &mut impl Write,
    instance: &Instance,
    groups: usize,
) -> io::Result<()> {
    let head = Head {
        directory_version: VERSION,
        groups,
        instance: instance.clone(),
    };
    write_line(out, &head)
}

/// Writes a line.
pub(super) fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Opens the file; `None` where there is none of this version.
///
/// # Errors
/// Where there is one and it is damaged.
pub(super) fn open(path: &Path) -> io::Result<Option<Directory>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    let mut at = reader.read_until(b'\n', &mut line)? as u64;
    let Ok(head) = serde_json::from_slice::<Head>(&line) else {
        return Ok(None);
    };
    if head.directory_version != VERSION {
        return Ok(None);
    }
    let (mut groups, mut starts) = (Vec::new(), vec![at]);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        let known: GroupHead = serde_json::from_slice(&line)?;
        groups.push(Group {
            id: known.id,
            parent_id: known.parent_id,
            full_path: known.full_path,
            name: known.name,
        });
        at += length as u64;
        starts.push(at);
    }
    if groups.len() != head.groups {
        return Err(io::Error::other(
            "the file has not as many lines as it says",
        ));
    }
    drop(reader);
    let lines = Lines { file, starts };
    Ok(Some(Directory::new(head.instance, groups, lines)))
}
