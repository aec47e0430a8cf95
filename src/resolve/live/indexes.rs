//! Columns that rows are found by, and that no index is for.

use crate::pipeline::Test;
use crate::resolve::plan::Plan;
use crate::snapshot::{KeyedSource, TableName};

/// One warning for all columns that rows are found by without an index.
pub(super) fn not_indexed(plan: &Plan, source: &dyn KeyedSource) -> Option<String> {
    let missing = missing_indexes(plan, source);
    let columns: Vec<String> = missing
        .iter()
        .map(|(table, column)| format!("{table}.{column}"))
        .collect();
    (!columns.is_empty()).then(|| {
        format!(
            "there is no index for {}: the server reads the whole table for every batch",
            columns.join(", ")
        )
    })
}

/// The columns that a plan finds rows by, and by which the source can find none without reading the whole table.
pub fn missing_indexes(plan: &Plan, source: &dyn KeyedSource) -> Vec<(TableName, String)> {
    let mut missing = Vec::new();
    for hop in &plan.hops {
        let table = &plan.tables[hop.table].name;
        let known: Vec<&str> = hop
            .filter
            .iter()
            .filter(|condition| matches!(condition.test, Test::In { .. }))
            .map(|condition| condition.column.as_str())
            .collect();
        // An index that begins with any of the columns will do.
        let is_indexed = |column: &String| source.is_indexed(table, column, &known);
        if hop.child.is_empty() || hop.child.iter().any(is_indexed) {
            continue;
        }
        let column = (table.clone(), hop.child.join(", "));
        if !missing.contains(&column) {
            missing.push(column);
        }
    }
    missing
}
