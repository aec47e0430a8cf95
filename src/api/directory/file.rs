//! The directory's file: a line that says what was read, then a line of JSON for each group, in order of the ids, and then
//! one for each project, in order of the ids.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::projects::{Listed, Project, Projects};
use super::{Directory, Group, Instance};

/// The version of this file's form.
const VERSION: u32 = 4;

#[derive(Serialize, Deserialize)]
struct Head {
    directory_version: u32,
    groups: usize,
    projects: usize,
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

/// A project's line, without what stays in the file.
#[derive(Serialize, Deserialize)]
pub(super) struct ProjectHead {
    pub id: i64,
    pub group_id: Option<i64>,
    pub full_path: String,
    pub name: String,
    pub visibility_level: Option<i64>,
    pub archived: bool,
    pub is_marked_for_deletion: bool,
    pub star_count: i64,
    pub updated_at: i64,
    pub last_activity_at: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_paths: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snippet_ids: Vec<i64>,
}

/// A project's line.
#[derive(Serialize)]
pub(super) struct ProjectLine {
    #[serde(flatten)]
    pub head: ProjectHead,
    /// The project's columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub badges: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub invited: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snippets: Vec<Box<RawValue>>,
}

impl From<ProjectHead> for Listed {
    fn from(head: ProjectHead) -> Self {
        Listed {
            project: Project {
                id: head.id,
                group_id: head.group_id,
                full_path: head.full_path,
                name: head.name,
                visibility_level: head.visibility_level,
                archived: head.archived,
                is_marked_for_deletion: head.is_marked_for_deletion,
                star_count: head.star_count,
                updated_at: head.updated_at,
                last_activity_at: head.last_activity_at,
            },
            former_paths: head.former_paths,
            snippets: head.snippet_ids,
        }
    }
}

/// Where the lines of the groups are, or of the projects.
pub(super) struct Lines {
    file: Arc<File>,
    /// Where each line begins; the last one says where the file ends.
    starts: Vec<u64>,
}

impl Lines {
    /// Reads the line at a position.
    pub(super) fn read<T: DeserializeOwned>(&self, at: usize) -> io::Result<T> {
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
    projects: usize,
) -> io::Result<()> {
    let head = Head {
        directory_version: VERSION,
        groups,
        projects,
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
    reader.read_until(b'\n', &mut line)?;
    let Ok(head) = serde_json::from_slice::<Head>(&line) else {
        return Ok(None);
    };
    if head.directory_version != VERSION {
        return Ok(None);
    }
    let mut at = line.len() as u64;
    let mut groups = Vec::new();
    let group_starts = read_lines(&mut reader, head.groups, &mut at, |line| {
        let known: GroupHead = serde_json::from_slice(line)?;
        groups.push(Group {
            id: known.id,
            parent_id: known.parent_id,
            full_path: known.full_path,
            name: known.name,
        });
        Ok(())
    })?;
    let mut projects = Vec::new();
    let project_starts = read_lines(&mut reader, head.projects, &mut at, |line| {
        let known: ProjectHead = serde_json::from_slice(line)?;
        projects.push(Listed::from(known));
        Ok(())
    })?;
    if !reader.fill_buf()?.is_empty() {
        return Err(wrong_length());
    }
    drop(reader);
    let file = Arc::new(file);
    let lines = |starts| Lines {
        file: Arc::clone(&file),
        starts,
    };
    let projects = Projects::new(projects, lines(project_starts));
    let groups = Directory::new(head.instance, groups, lines(group_starts), projects);
    Ok(Some(groups))
}

/// Reads so many lines, which begin at `at`. Gives where each begins, and where the last one ends.
fn read_lines(
    reader: &mut impl BufRead,
    count: usize,
    at: &mut u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Vec<u64>> {
    let mut starts = vec![*at];
    let mut line = Vec::new();
    for _ in 0..count {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 {
            return Err(wrong_length());
        }
        take(&line)?;
        *at += length as u64;
        starts.push(*at);
    }
    Ok(starts)
}

fn wrong_length() -> io::Error {
    io::Error::other("the file has not as many lines as it says")
}
