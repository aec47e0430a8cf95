//! The records of one relation, on both sides.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::Ordering;

use crate::json_text::Object;
use crate::output::{EntityEntry, RelationEntry, each_line};
use crate::salt::{Salt, Sum};

use super::archive;
use super::changes::{ChangeKind, ChangedRecord, RelationChanges};
use super::identity::{candidates, identity, told};
use super::record::{Columns, normal};
use super::{DiffError, Request, Side};

/// Records that are described, of all relations together; the others are counted.
const DESCRIBED: usize = 100;

/// What is kept of a record.
struct Kept {
    content: Sum,
    /// One for each way to tell records apart; `None` if it lacks those keys.
    ids: Vec<Option<Sum>>,
    file: u32,
    line: u64,
}

/// Compares a relation of an entity. `described` counts the records that are described.
pub(super) fn compare(
    request: &Request<'_>,
    salt: Salt,
    entity: &EntityEntry,
    (old, new): (Option<RelationEntry>, Option<RelationEntry>),
    found: &mut RelationChanges,
    described: &mut usize,
) -> Result<(), DiffError> {
    let is_archive = |entry: &RelationEntry| {
        let mut files = entry.files();
        files.any(|file| file.file.trim_end_matches(".age").ends_with(".tar.gz"))
    };
    if [&old, &new].into_iter().flatten().any(is_archive) {
        return archive::compare(request, (old.as_ref(), new.as_ref()), found, described);
    }
    let keys = candidates(request.pipelines, &entity.kind, &found.relation);
    let (before, after) = (
        read(request, &request.old, old.as_ref(), &keys, salt)?,
        read(request, &request.new, new.as_ref(), &keys, salt)?,
    );
    let way = way(&keys, &before, &after);
    if let Some(way) = way {
        found.by = keys[way].clone();
    }
    // A relation of one object has no other that it could be.
    let is_one = before.len() == 1 && after.len() == 1;
    let id = |kept: &Kept| match way {
        Some(way) => kept.ids[way].unwrap_or(kept.content),
        None if is_one => 0,
        None => kept.content,
    };
    let mut left: HashMap<Sum, Vec<&Kept>> = HashMap::new();
    for kept in &before {
        left.entry(id(kept)).or_default().push(kept);
    }
    // The lines that are described, on each side, each with what became of its record; a changed one has a number in both.
    let (mut gone, mut came): (Lines, Lines) = Default::default();
    let mut pairs = 0;
    for kept in &after {
        let same = left.get_mut(&id(kept)).and_then(|found| {
            let at = found.iter().position(|other| other.content == kept.content);
            (!found.is_empty()).then(|| found.swap_remove(at.unwrap_or(0)))
        });
        match same {
            Some(other) if other.content == kept.content => found.same += 1,
            Some(other) => {
                found.changed += 1;
                if *described < DESCRIBED {
                    *described += 1;
                    gone.insert((other.file, other.line), Some(pairs));
                    came.insert((kept.file, kept.line), Some(pairs));
                    pairs += 1;
                }
            }
            None => {
                found.added += 1;
                if *described < DESCRIBED {
                    *described += 1;
                    came.insert((kept.file, kept.line), None);
                }
            }
        }
    }
    let mut removed: Vec<&Kept> = left.into_values().flatten().collect();
    removed.sort_by_key(|kept| (kept.file, kept.line));
    for kept in removed {
        found.removed += 1;
        if *described < DESCRIBED {
            *described += 1;
            gone.insert((kept.file, kept.line), None);
        }
    }
    describe(request, (old.as_ref(), new.as_ref()), (&gone, &came), found)
}

/// Lines by file and number, each with the number of the pair that it belongs to.
type Lines = HashMap<(u32, u64), Option<usize>>;

/// The first way to tell records apart by which all records have keys, and no two of one side the same.
fn way(keys: &[Vec<String>], before: &[Kept], after: &[Kept]) -> Option<usize> {
    let tells = |way: &usize| {
        [before, after].iter().all(|side| {
            let mut seen = HashSet::new();
            side.iter()
                .all(|kept| kept.ids[*way].is_some_and(|id| seen.insert(id)))
        })
    };
    let is_any = !before.is_empty() || !after.is_empty();
    (0..keys.len()).find(|way| is_any && tells(way))
}

/// Reads all records of one side.
fn read(
    request: &Request<'_>,
    side: &Side<'_>,
    entry: Option<&RelationEntry>,
    keys: &[Vec<String>],
    salt: Salt,
) -> Result<Vec<Kept>, DiffError> {
    let mut all = Vec::new();
    lines(request, side, entry, &mut |file, line, text| {
        let object = Object::parse(text).unwrap_or_default();
        all.push(Kept {
            content: salt.text(&normal(text, 0)),
            ids: keys
                .iter()
                .map(|keys| identity(&object, keys, salt))
                .collect(),
            file,
            line,
        });
    })?;
    Ok(all)
}

/// Hands out the lines of a relation's files, with the file's position and the line's number.
fn lines(
    request: &Request<'_>,
    side: &Side<'_>,
    entry: Option<&RelationEntry>,
    take: &mut dyn FnMut(u32, u64, &str),
) -> Result<(), DiffError> {
    for (position, file) in entry.into_iter().flat_map(RelationEntry::files).enumerate() {
        let position = position as u32;
        let read = each_line(
            side.store,
            &file.file,
            side.identities,
            &mut |line, text| {
                take(position, line, text);
            },
        );
        read.map_err(|source| unreadable(side, &file.file, source))?;
        request.read.fetch_add(file.bytes, Ordering::Relaxed);
        if request.interrupted.load(Ordering::Relaxed) {
            return Err(DiffError::Interrupted);
        }
    }
    Ok(())
}

pub(super) fn unreadable(side: &Side<'_>, file: &str, source: io::Error) -> DiffError {
    DiffError::Read {
        file: side.store.shown(file),
        source,
    }
}

/// Reads the records that are described once more, and says what they are.
fn describe(
    request: &Request<'_>,
    (old, new): (Option<&RelationEntry>, Option<&RelationEntry>),
    (gone, came): (&Lines, &Lines),
    found: &mut RelationChanges,
) -> Result<(), DiffError> {
    if gone.is_empty() && came.is_empty() {
        return Ok(());
    }
    let name = |entry: Option<&RelationEntry>, file: u32| {
        let mut files = entry.into_iter().flat_map(RelationEntry::files);
        files
            .nth(file as usize)
            .map_or_else(String::new, |file| file.file.clone())
    };
    let by = found.by.clone();
    let record = |kind, text: &str, file: String, line| {
        let object = Object::parse(text).unwrap_or_default();
        ChangedRecord {
            kind,
            key: told(&object, &by),
            file,
            line,
            columns: Vec::new(),
            more_columns: 0,
        }
    };
    let mut before: HashMap<usize, String> = HashMap::new();
    let mut removed = Vec::new();
    if !gone.is_empty() {
        lines(
            request,
            &request.old,
            old,
            &mut |file, line, text| match gone.get(&(file, line)) {
                Some(Some(pair)) => drop(before.insert(*pair, text.to_owned())),
                Some(None) => {
                    removed.push(record(ChangeKind::Removed, text, name(old, file), line))
                }
                None => {}
            },
        )?;
    }
    if !came.is_empty() {
        lines(request, &request.new, new, &mut |file, line, text| {
            let Some(pair) = came.get(&(file, line)) else {
                return;
            };
            let old = pair.as_ref().and_then(|pair| before.get(pair));
            let kind = match old {
                Some(_) => ChangeKind::Changed,
                None => ChangeKind::Added,
            };
            let mut told = record(kind, text, name(new, file), line);
            if let Some(old) = old {
                let columns = Columns::of(old, text, request.with_values);
                told.columns = columns.changed;
                told.more_columns = columns.more;
            }
            found.records.push(told);
        })?;
    }
    found.records.extend(removed);
    Ok(())
}
