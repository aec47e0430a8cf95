//! A first redaction file: every column that is written and may hold text, each with a rule that nothing passes.

use std::fmt::Write;

use super::masks::may_hold_text;
use super::written::written;
use crate::pipeline::Pipeline;
use crate::resolve::{Plan, TableId};
use crate::visible::visible_string;

/// The first redaction file for what pipelines write of a snapshot.
pub(crate) fn first_file(plan: &Plan, pipelines: &[&Pipeline]) -> String {
    let names: Vec<&str> = pipelines.iter().map(|it| it.name.as_str()).collect();
    let mut text = format!(
        "# What stands in place of columns' values; docs/redaction.md says what each rule does.\n\
         # These are all columns that {} may write and that may hold text. Nothing passes as it is until you\n\
         # say `keep`. Rules that a column's name does not tell are marked: decide.\n\n\
         # files: keep\n\ncolumns:\n",
        names.join(" and ")
    );
    for (table, column) in written(plan, pipelines) {
        if let Some(line) = line(plan, table, column) {
            text.push_str(&line);
        }
    }
    text
}

/// The line of a column; `None` if it cannot hold text.
pub(super) fn line(plan: &Plan, table: TableId, column: usize) -> Option<String> {
    let table = &plan.tables[table];
    let column = table.layout.get(column)?;
    if !may_hold_text(&column.sql_type, column.form) {
        return None;
    }
    let mut line = format!("  {}.{}: ", table.name, column.name);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
    if !line
        .trim_end_matches(": ")
        .trim_start()
        .chars()
        .all(is_plain)
    {
        let name = format!("{}.{}", table.name, column.name);
        line = format!("  {}: ", visible_string(&name));
    }
    let rule = guess(&table.name.name, &column.name);
    // Writing to a string cannot fail.
    let _ = writeln!(line, "{}", rule.unwrap_or("hash # decide"));
    Some(line)
}

/// The rule that a column's name tells.
fn guess(table: &str, column: &str) -> Option<&'static str> {
    const NAMES: [&str; 8] = [
        "first_name",
        "last_name",
        "full_name",
        "real_name",
        "author_name",
        "committer_name",
        "user_name",
        "customer_name",
    ];
    let is_of_people = table.ends_with("users") || table.ends_with("people");
    match column {
        _ if column.ends_with("email") => Some("email"),
        "username" => Some("{ hash: { prefix: user-, characters: 16 } }"),
        "name" if is_of_people => Some("name"),
        _ if NAMES.contains(&column) => Some("name"),
        _ => None,
    }
}
