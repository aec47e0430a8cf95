//! What an export must be like: of the whole of it, and of single relations.

use std::collections::BTreeMap;

use super::super::job::{Guard, Percent};
use super::document::{Entry, Table};
use super::keys::{self, GUARD};
use super::table::Mistakes;

pub(super) fn guard(table: &Table, mistakes: &mut Mistakes) -> Guard {
    let mut guard = Guard::default();
    for entry in &table.entries {
        match entry.key.as_str() {
            "min-rows" => {
                let rows = |text: &str| {
                    let rows: Option<u64> = text.parse().ok();
                    rows.ok_or_else(|| {
                        "write a number of rows, such as 1000 or issues=200".to_owned()
                    })
                };
                guard.min_rows = limits(entry, rows, mistakes);
            }
            "max-shrink" => guard.max_shrink = limits(entry, Percent::parse, mistakes),
            key => {
                let known = GUARD.iter().map(|key| key.name.to_owned());
                mistakes.at(&entry.place, keys::unknown(key, known));
            }
        }
    }
    guard
}

/// Limits of the whole export and of relations, in the form of `--batch-size`: `N` or `RELATION=N`.
fn limits<T>(
    entry: &Entry,
    parse: impl Fn(&str) -> Result<T, String>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, T> {
    let mut limits = BTreeMap::new();
    for (text, place) in mistakes
        .scalars(&entry.key, &entry.value)
        .unwrap_or_default()
    {
        let (relation, limit) = match text.split_once('=') {
            Some(("", _)) => {
                mistakes.at(
                    &place,
                    format!("`{}`: name the relation before the =", entry.key),
                );
                continue;
            }
            Some((relation, limit)) => (relation.trim(), limit.trim()),
            None => ("", text.trim()),
        };
        match parse(limit) {
            Ok(limit) => {
                if limits.insert(relation.to_owned(), limit).is_some() {
                    let of = match relation {
                        "" => "the whole export".to_owned(),
                        relation => relation.to_owned(),
                    };
                    mistakes.at(
                        &place,
                        format!("`{}` of {of} is given twice; give it once", entry.key),
                    );
                }
            }
            Err(wrong) => mistakes.at(&place, format!("`{}`: {wrong}", entry.key)),
        }
    }
    limits
}
