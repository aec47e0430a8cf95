//! The order of a table's rows, and which of them have one key.

use crate::export::redact::Masks;
use crate::key::KeyForm;
use crate::pipeline::EntityId;
use crate::resolve::{Entry, Fields, PlanTable, RowAt, TableId, WholeRow, parse_integer};

/// Orders rows by their primary key; each row once, where several hops may have found it. Rows that have the same key, or
/// none, are ordered by their bytes: in which order they were kept is chance.
///
/// # Errors
/// Those of `row`, which gives the bytes of a row.
pub(super) fn by_key<R: AsRef<[u8]>, E>(
    table: &PlanTable,
    entries: &mut Vec<Entry>,
    may_repeat: bool,
    row: impl Fn(RowAt) -> Result<R, E>,
) -> Result<(), E> {
    entries.sort_unstable_by_key(|entry| (entry.id, entry.at));
    if may_repeat {
        entries.dedup_by_key(|entry| entry.at);
    }
    let ids_are_keys = table.ids_are_keys();
    for same in entries.chunk_by_mut(|one, other| one.id == other.id) {
        if same.len() == 1 {
            continue;
        }
        // An id that is no key only begins to say the order. The rows themselves are held only where keys are equal.
        if !ids_are_keys && !table.key.is_empty() {
            let mut keyed = Vec::with_capacity(same.len());
            for entry in same.iter() {
                let key = table.key_order.bytes(&WholeRow(row(entry.at)?.as_ref()));
                keyed.push((key, *entry));
            }
            keyed.sort_by(|one, other| one.0.cmp(&other.0));
            for equal in keyed.chunk_by_mut(|one, other| one.0 == other.0) {
                by_bytes(equal, |(_, entry)| *entry, &row)?;
            }
            for (entry, (_, sorted)) in same.iter_mut().zip(keyed) {
                *entry = sorted;
            }
        } else {
            by_bytes(same, |entry| *entry, &row)?;
        }
    }
    Ok(())
}

/// Orders rows by their bytes.
fn by_bytes<T: Clone, R: AsRef<[u8]>, E>(
    items: &mut [T],
    entry: impl Fn(&T) -> Entry,
    row: &impl Fn(RowAt) -> Result<R, E>,
) -> Result<(), E> {
    if items.len() < 2 {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(items.len());
    for item in items.iter() {
        rows.push((row(entry(item).at)?, item.clone()));
    }
    rows.sort_by(|one, other| one.0.as_ref().cmp(other.0.as_ref()));
    for (item, (_, sorted)) in items.iter_mut().zip(rows) {
        *item = sorted;
    }
    Ok(())
}

/// True if two rows have the same primary key. Rows of a table without one have none.
pub(super) fn same_key<R: AsRef<[u8]>>(
    table: &PlanTable,
    one: &Entry,
    other: &Entry,
    row: &impl Fn(RowAt) -> R,
) -> bool {
    if one.id != other.id || table.key.is_empty() || one.at == other.at {
        return false;
    }
    let key = |entry: &Entry| table.key_order.bytes(&WholeRow(row(entry.at).as_ref()));
    table.ids_are_keys() || key(one) == key(other)
}

/// The key of a row for a message: of integers and uuids. Any other key may be something that nobody else should read.
///
/// A key that is redacted is not told either.
pub(super) fn key_of(
    (id, table): (TableId, &PlanTable),
    masks: Option<&Masks>,
    row: &impl Fields,
) -> Option<EntityId> {
    let is_masked = |column: &usize| masks.is_some_and(|masks| masks.of(id, *column).is_some());
    if table.key.iter().any(is_masked) {
        return None;
    }
    if let Some(key) = table.integer_key() {
        return parse_integer(row.plain(key)).map(EntityId::Integer);
    }
    let may_be_told = |at: &usize| {
        let column = &table.layout[*at];
        matches!(column.form, Some(KeyForm::Integer | KeyForm::Uuid))
    };
    if table.key.is_empty() || !table.key.iter().all(may_be_told) {
        return None;
    }
    let texts = table.key.iter().map(|at| {
        let text = String::from_utf8_lossy(row.plain(*at)).into_owned();
        text.chars().filter(|letter| !letter.is_control()).collect()
    });
    let texts: Vec<String> = texts.collect();
    Some(EntityId::text(texts.join(", ")))
}
