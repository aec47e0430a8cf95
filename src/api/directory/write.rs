//! Writing the directory's file from what was read of a snapshot.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::file::{Line, ProjectHead, ProjectLine, write_head, write_line};
use super::projects::{ProjectColumns, Snippet};
use super::read::Found;
use crate::export::Records;
use crate::output::atomic::{folder_of, sync_folder};
use crate::pipeline::EntityId;
use crate::resolve::{EntityInfo, Id};

/// Records of one kind of entity.
type Raw = Vec<Box<RawValue>>;

/// Writes the file beside its name, so that it is whole or not there.
///
/// # Errors
/// Where rows cannot be read back, or the file cannot be written.
pub(super) fn write(found: &Found, path: &Path) -> io::Result<()> {
    let Found {
        outcome,
        ids,
        instance,
        only_projects,
    } = found;
    let is_taken = |project: &EntityInfo| {
        let only = only_projects.as_ref();
        only.is_none_or(|only| only.contains(&project.id))
    };
    let part = path.with_extension("part");
    let mut out = BufWriter::new(File::create(&part)?);
    let all = ids.iter().copied().zip(&outcome.resolved.entities);
    let (mut groups, mut projects): (Vec<_>, Vec<_>) =
        all.partition(|(_, entity)| entity.kind.position() == 0);
    groups.sort_by_key(|(id, _)| *id);
    projects.sort_by_key(|(id, _)| *id);
    let records = Records::new(&outcome.resolved).map_err(io::Error::other)?;
    let mut lines = BufWriter::new(tempfile::tempfile_in(folder_of(path))?);
    let mut written = 0;
    let mut left_out = 0;
    for (id, project) in projects {
        let line = match is_taken(project) {
            true => project_line(&records, id, project)?,
            false => None,
        };
        match line {
            Some(line) => {
                write_line(&mut lines, &line)?;
                written += 1;
            }
            None => left_out += 1,
        }
    }
    if left_out > 0 {
        tracing::info!(
            left_out,
            "projects are not served: GitLab was about to delete them, or the snapshot was taken without their rows"
        );
    }
    write_head(&mut out, instance, groups.len(), written)?;
    for (id, group) in groups {
        write_line(&mut out, &group_line(&records, id, group)?)?;
    }
    let mut lines = lines.into_inner().map_err(io::IntoInnerError::into_error)?;
    io::Seek::rewind(&mut lines)?;
    io::copy(&mut lines, &mut out)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    fs::rename(&part, path)?;
    sync_folder(folder_of(path))
}

/// The records of a relation of an entity.
fn records_of(records: &Records<'_>, relation: &str, entity: &EntityInfo) -> io::Result<Raw> {
    let found = records.of(relation, entity)?;
    found
        .into_iter()
        .map(|json| {
            let json = String::from_utf8(json).map_err(io::Error::other)?;
            Ok(RawValue::from_string(json)?)
        })
        .collect()
}

fn parent_of(entity: &EntityInfo) -> Option<i64> {
    entity.parent_id.as_ref().and_then(EntityId::integer)
}

fn group_line<'a>(records: &Records<'_>, id: i64, group: &'a EntityInfo) -> io::Result<Line<'a>> {
    let of = |relation| records_of(records, relation, group);
    Ok(Line {
        id,
        parent_id: parent_of(group),
        full_path: &group.full_path,
        name: &group.name,
        group: of("groups")?.pop(),
        badges: of("badges")?,
        members: of("members")?,
        invited: of("invited")?,
        iterations: of("iterations")?,
    })
}

/// A path that a project had once.
#[derive(Deserialize)]
struct FormerPath {
    path: Option<String>,
}

/// A project's line; `None` for one that is being deleted.
fn project_line(
    records: &Records<'_>,
    id: i64,
    project: &EntityInfo,
) -> io::Result<Option<ProjectLine>> {
    let of = |relation| records_of(records, relation, project);
    let row = of("projects")?.pop();
    let columns: ProjectColumns = match &row {
        Some(row) => serde_json::from_str(row.get())?,
        None => ProjectColumns::default(),
    };
    if columns.pending_delete == Some(true) {
        return Ok(None);
    }
    let snippets = of("snippets")?;
    let ids = snippets.iter().map(|snippet| {
        let snippet: Snippet = serde_json::from_str(snippet.get())?;
        Ok(snippet.id)
    });
    let snippet_ids = ids.collect::<io::Result<_>>()?;
    let former = of("former_paths")?;
    let former = former
        .iter()
        .map(|row| serde_json::from_str::<FormerPath>(row.get()));
    let former = former.collect::<Result<Vec<_>, _>>()?;
    let full_path = project.full_path.clone();
    let path = full_path.rsplit('/').next().unwrap_or_default();
    let name = match project.name.is_empty() {
        true => path.to_owned(),
        false => project.name.clone(),
    };
    let updated_at = digits(columns.updated_at.as_deref());
    Ok(Some(ProjectLine {
        head: ProjectHead {
            id,
            group_id: parent_of(project),
            name,
            full_path,
            visibility_level: columns.visibility_level,
            archived: columns.archived == Some(true),
            is_marked_for_deletion: columns.marked_for_deletion_at.is_some(),
            star_count: columns.star_count.unwrap_or(0),
            updated_at,
            last_activity_at: match &columns.last_activity_at {
                // As GitLab takes it.
                None => updated_at,
                Some(time) => digits(Some(time)),
            },
            former_paths: former.into_iter().filter_map(|row| row.path).collect(),
            snippet_ids,
        },
        project: row,
        features: of("features")?.pop(),
        badges: of("badges")?,
        members: of("members")?,
        invited: of("invited")?,
        snippets,
    }))
}

/// The digits of a time with milliseconds as a number; 0 for no time, or one without an end.
fn digits(time: Option<&str>) -> i64 {
    let digits: String = time
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn digits_are_in_order_as_times_are() {
        assert_eq!(digits(Some("2024-05-06T07:08:09.123Z")), 20240506070809123);
        assert!(
            digits(Some("2024-05-06T07:08:09.123Z")) < digits(Some("2024-05-06T07:08:10.000Z"))
        );
        assert_eq!(digits(None), 0);
    }
}
