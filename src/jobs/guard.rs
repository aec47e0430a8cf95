//! The guard: whether an export has as many rows as it should. What has too few is suspect, though nothing failed: a dump
//! that was cut off at a table's end, an account that may see half of the rows, a group that somebody deleted.

use std::collections::BTreeSet;

use super::job::Guard;
use super::volume::Volume;

#[cfg(test)]
mod tests;

/// Relations that had fewer rows in the last success shrink by chance: the share for the whole export is not theirs.
const FEW: u64 = 100;

/// Says why an export is not to be trusted; nothing, if it is.
pub(crate) fn judge(guard: &Guard, volume: &Volume, last: Option<&Volume>) -> Vec<String> {
    let mut reasons = Vec::new();
    for (name, least) in &guard.min_rows {
        let rows = rows_of(volume, name);
        if rows < *least {
            reasons.push(format!(
                "{} has {rows} rows, fewer than {least}",
                called(name)
            ));
        }
    }
    let Some(last) = last else {
        return reasons;
    };
    let mut shrunk = |name: &str, most: f64, shown: String| {
        let (before, now) = (rows_of(last, name), rows_of(volume, name));
        if now < before && (before - now) as f64 > most * before as f64 {
            reasons.push(format!(
                "{} has {now} rows, and had {before} in the last success: more than {shown} fewer",
                called(name)
            ));
        }
    };
    for (name, most) in &guard.max_shrink {
        shrunk(name, most.fraction(), most.to_string());
    }
    let Some(most) = guard.max_shrink.get("") else {
        return reasons;
    };
    for (name, before) in &last.relations {
        let has_its_own = guard.max_shrink.keys().any(|key| is_called(name, key));
        if before.rows >= FEW && !has_its_own {
            shrunk(name, most.fraction(), most.to_string());
        }
    }
    reasons
}

/// Relations that the guard names and that neither this export nor the last success has: their names may be wrong.
pub(crate) fn unknown<'g>(
    guard: &'g Guard,
    volume: &Volume,
    last: Option<&Volume>,
) -> BTreeSet<&'g str> {
    let is_known = |key: &str| {
        let volumes = std::iter::once(volume).chain(last);
        key.is_empty()
            || volumes
                .flat_map(|volume| volume.relations.keys())
                .any(|name| is_called(name, key))
    };
    let keys = guard.min_rows.keys().chain(guard.max_shrink.keys());
    keys.map(String::as_str)
        .filter(|key| !is_known(key))
        .collect()
}

/// The rows of the relations that a name means: `issues` of every kind of entity, `project.issues` of projects; all, if it is
/// empty.
fn rows_of(volume: &Volume, key: &str) -> u64 {
    let relations = volume.relations.iter();
    relations
        .filter(|(name, _)| key.is_empty() || is_called(name, key))
        .map(|(_, relation)| relation.rows)
        .sum()
}

/// True if a relation, `project.issues`, has this name: the same, or `issues`.
fn is_called(name: &str, key: &str) -> bool {
    name == key || name.split_once('.').is_some_and(|(_, last)| last == key)
}

fn called(key: &str) -> &str {
    match key {
        "" => "the export",
        key => key,
    }
}
