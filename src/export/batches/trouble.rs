//! What is wrong with the tables that a relation is made of.

use std::collections::BTreeSet;

use crate::export::ExportOptions;
use crate::export::render::{BadValue, Rendered};
use crate::resolve::{PlanRelation, PlanSource, Resolved, TableId, without_data};

/// Why the tables of a relation cannot be relied on.
pub(super) fn trouble(
    resolved: &Resolved,
    tables: &BTreeSet<TableId>,
    options: &ExportOptions,
) -> Option<String> {
    for id in tables {
        let table = &resolved.plan.tables[*id].name;
        if let Some(reason) = resolved.incomplete.get(id) {
            let reason = reason.as_ref().map(|reason| format!(": {reason}"));
            return Some(format!(
                "the snapshot was cut off before table {table} had gone by whole{}",
                reason.unwrap_or_default()
            ));
        }
        let missing = resolved.without_data.get(id).and_then(BTreeSet::first);
        if let Some(missing) = missing.filter(|_| !options.allow_missing) {
            return Some(without_data(table, missing));
        }
        let Some(trouble) = resolved.troubles.get(id) else {
            continue;
        };
        if let Some(reason) = &trouble.broken {
            return Some(format!("table {table}: {reason}"));
        }
        if let (Some(bad), false) = (trouble.bad_rows.first(), options.keep_going) {
            let more = match trouble.bad_count {
                1 => String::new(),
                2 => " (and 1 more bad row)".to_owned(),
                count => format!(" (and {} more bad rows)", count - 1),
            };
            return Some(format!(
                "table {table}, row {} (byte {}): {}{more}",
                bad.row, bad.offset, bad.reason
            ));
        }
    }
    None
}

/// Rows of a relation's tables that could not be used at all.
#[derive(Default)]
pub(super) struct UnreadRows {
    /// Those that are described, and how many there are more.
    pub described: Vec<BadValue>,
    pub unlisted: u64,
    /// How many of them stand in the table of the relation's records. The others are nested, or lead to records.
    pub records: u64,
}

impl UnreadRows {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.described.len() as u64 + self.unlisted
    }

    /// Lists them with what was rendered.
    pub(super) fn list_in(self, rendered: &mut Rendered) {
        rendered.skipped.extend(self.described);
        rendered.unlisted += self.unlisted;
        rendered.skipped_records += self.records;
    }
}

/// The rows of a relation's tables that could not be used at all.
pub(super) fn unread_rows(resolved: &Resolved, relation: &PlanRelation) -> UnreadRows {
    let mut unread = UnreadRows::default();
    let of_records = relation.source.as_ref().ok().and_then(PlanSource::node);
    for (id, trouble) in relation
        .tables
        .iter()
        .filter_map(|id| Some((id, resolved.troubles.get(id)?)))
    {
        if of_records.is_some_and(|node| node.table == *id) {
            unread.records += trouble.bad_count;
        }
        unread.unlisted += trouble.bad_count - trouble.bad_rows.len() as u64;
        unread
            .described
            .extend(trouble.bad_rows.iter().map(|bad| BadValue {
                table: resolved.plan.tables[*id].name.to_string(),
                key: None,
                column: None,
                reason: format!("row {} (byte {}): {}", bad.row, bad.offset, bad.reason),
            }));
    }
    unread
}
