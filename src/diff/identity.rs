//! What tells the records of a relation apart.

use crate::json_text::{Object, canonical};
use crate::pipeline::{Pipeline, Source, TableKey};
use crate::salt::{Salt, Sum};

/// Keys that tell records apart, if they have them: GitLab's.
const USUAL: [&str; 2] = ["id", "iid"];

/// The keys that may tell the records of a relation apart, the best first: those that the pipeline names, and the usual
/// ones.
pub(super) fn candidates(pipelines: &[&Pipeline], kind: &str, relation: &str) -> Vec<Vec<String>> {
    let mut candidates = Vec::new();
    let own = pipelines
        .iter()
        .find(|pipeline| pipeline.entity.kind == kind);
    let found = own.and_then(|pipeline| {
        let relation = pipeline.relations.iter().find(|it| it.name == relation)?;
        let node = match &relation.source {
            Source::Rows(node) => node,
            Source::Collected(collected) => &collected.node,
            Source::Maxima(_) => return None,
        };
        let TableKey::Columns(columns) = pipeline.key_of(&node.table) else {
            return None;
        };
        let columns = columns.iter().map(|column| {
            let column = column.strip_suffix('?').unwrap_or(column);
            let renamed = node.renamed.get(column);
            renamed.cloned().unwrap_or_else(|| column.to_owned())
        });
        // What all rows of an entity share is often left out of its records.
        let written = columns.filter(|column| {
            node.columns.contains(column) || node.renamed.values().any(|it| it == column)
        });
        Some(written.collect::<Vec<_>>())
    });
    candidates.extend(found.filter(|columns| !columns.is_empty()));
    for usual in USUAL {
        let usual = vec![usual.to_owned()];
        if !candidates.contains(&usual) {
            candidates.push(usual);
        }
    }
    candidates
}

/// The hash of a record's values of some keys; `None` if it lacks one, or one is null.
pub(super) fn identity(object: &Object<'_>, keys: &[String], salt: Salt) -> Option<Sum> {
    let texts = keys.iter().map(|key| {
        let (_, text) = object.0.iter().find(|(other, _)| other == key)?;
        (*text != "null").then(|| canonical(text).into_bytes())
    });
    Some(salt.key(&texts.collect::<Option<Vec<_>>>()?))
}

/// The values of keys as they may be told: integers and uuids.
pub(super) fn told(object: &Object<'_>, keys: &[String]) -> Option<String> {
    if keys.is_empty() {
        return None;
    }
    let texts = keys.iter().map(|key| {
        let (_, text) = object.0.iter().find(|(other, _)| other == key)?;
        may_be_told(text)
    });
    Some(texts.collect::<Option<Vec<_>>>()?.join(", "))
}

/// The text of an integer or a uuid.
pub(super) fn may_be_told(text: &str) -> Option<String> {
    if text.parse::<i64>().is_ok() {
        return Some(text.to_owned());
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let is_uuid = inner.len() == 36
        && inner.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_uuid.then(|| inner.to_owned())
}
