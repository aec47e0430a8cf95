//! The statement that answers a query: `COPY (SELECT … FROM … WHERE …) TO STDOUT`.

use std::collections::HashSet;

use super::literal::{identifier, integer_array, string, string_array, table};
use crate::snapshot::{Catalog, Fields, Predicate, Query, SqlType, TableName};

/// Columns of text whose `=` takes different texts for equal (citext, blank-padded character, a collation that is
/// not deterministic).
pub(super) type LooseTexts = HashSet<(TableName, String)>;

/// The statement for a query.
pub(super) fn copy_statement(query: &Query<'_>, catalog: &Catalog, loose: &LooseTexts) -> String {
    let fields: Vec<String> = match &query.fields {
        Fields::Columns(columns) => columns.iter().map(|name| identifier(name)).collect(),
        Fields::Maxima(columns) => columns
            .iter()
            .map(|name| format!("pg_catalog.max({})", identifier(name)))
            .collect(),
    };
    let mut sql = format!(
        "COPY (SELECT {} FROM {}",
        fields.join(", "),
        rows_of(query.table, catalog)
    );
    for (index, predicate) in query.predicates.iter().enumerate() {
        sql.push_str(match index {
            0 => " WHERE ",
            _ => " AND ",
        });
        sql.push_str(&condition(predicate, query.table, catalog, loose));
    }
    sql.push_str(") TO STDOUT");
    sql
}

/// The table in a FROM clause, with its partitions and the tables that inherit from it, whose rows are its own, too. If there
/// are none, none that come later are read.
pub(super) fn rows_of(name: &TableName, catalog: &Catalog) -> String {
    let is_partitioned = catalog.table(name).is_some_and(|table| table.partitioned);
    match is_partitioned || catalog.has_children(name) {
        true => table(name),
        false => format!("ONLY {}", table(name)),
    }
}

/// A column's value as COPY writes it, whatever its type.
fn text_form(column: &str) -> String {
    format!("pg_catalog.format('%s', {column})")
}

fn condition(
    predicate: &Predicate<'_>,
    table: &TableName,
    catalog: &Catalog,
    loose: &LooseTexts,
) -> String {
    let type_of = |name: &str| {
        catalog
            .table(table)
            .and_then(|table| table.column(name))
            .map(|(_, column)| column.sql_type.clone())
    };
    match predicate {
        Predicate::AnyOf(name, keys) => {
            let column = identifier(name);
            let sql_type = type_of(name);
            match sql_type.as_ref().and_then(range) {
                Some(range) => {
                    let array = integer_array(keys_within(keys, range));
                    match integer_name(sql_type.as_ref()).filter(|_| keys.len() > MANY) {
                        Some(integer) => any_of(&column, out_of_sight(&array, integer)),
                        None => any_of(&column, array),
                    }
                }
                None => {
                    let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
                    any_text(&column, keys.iter().map(String::as_str))
                }
            }
        }
        Predicate::Holds(name, keys) => {
            let range = match type_of(name) {
                Some(SqlType::Array(element)) => range(&element),
                _ => None,
            };
            let keys = keys_within(keys, range.unwrap_or((i64::MIN, i64::MAX)));
            format!(
                "{} OPERATOR(pg_catalog.&&) {}",
                identifier(name),
                integer_array(keys)
            )
        }
        Predicate::In(name, values) => {
            let column = identifier(name);
            match type_of(name) {
                Some(SqlType::Boolean) => {
                    // Any other text is the form of no boolean.
                    let values = values.iter().filter(|value| ["t", "f"].contains(value));
                    any_of(&column, string_array(values.copied()))
                }
                Some(SqlType::Text) if !loose.contains(&(table.clone(), (*name).to_owned())) => {
                    any_of(&column, string_array(values.iter().copied()))
                }
                Some(known) => match range(&known) {
                    Some(range) => {
                        // `07` and `+7` are the form of no integer.
                        let keys = values.iter().filter_map(|value| {
                            let key: i64 = value.parse().ok()?;
                            (key.to_string() == **value).then_some(key)
                        });
                        let keys: Vec<i64> = keys.collect();
                        any_of(&column, integer_array(keys_within(&keys, range)))
                    }
                    None => any_text(&column, values.iter().copied()),
                },
                None => any_text(&column, values.iter().copied()),
            }
        }
        Predicate::InIgnoringCase(name, values) => {
            // A server whose locale is C makes ASCII letters small only.
            let mut small: Vec<String> = values
                .iter()
                .flat_map(|value| [value.to_lowercase(), value.to_ascii_lowercase()])
                .collect();
            small.dedup();
            let column = format!("pg_catalog.lower({})", identifier(name));
            any_of(&column, string_array(small.iter().map(String::as_str)))
        }
        Predicate::Null(name) => format!("{} IS NULL", identifier(name)),
        Predicate::NotNull(name) => format!("{} IS NOT NULL", identifier(name)),
        Predicate::Above(name, bound) => compared(name, type_of(name), ">", *bound),
        Predicate::Below(name, bound) => compared(name, type_of(name), "<", *bound),
    }
}

/// Keys from which on the planner is not shown them: it would weigh each of them up, which takes about as long as looking it
/// up, and then think little of an index.
const MANY: usize = 100;

/// An array that the planner sees only once it is too late to think about it.
fn out_of_sight(array: &str, integer: &str) -> String {
    format!("(SELECT {array}::{integer}[])::{integer}[]")
}

/// The server's own name of an integer type.
fn integer_name(sql_type: Option<&SqlType>) -> Option<&'static str> {
    match sql_type? {
        SqlType::SmallInt => Some("pg_catalog.int2"),
        SqlType::Integer => Some("pg_catalog.int4"),
        SqlType::BigInt => Some("pg_catalog.int8"),
        _ => None,
    }
}

/// The least and greatest value of an integer type.
fn range(sql_type: &SqlType) -> Option<(i64, i64)> {
    match sql_type {
        SqlType::SmallInt => Some((i16::MIN.into(), i16::MAX.into())),
        SqlType::Integer => Some((i32::MIN.into(), i32::MAX.into())),
        SqlType::BigInt => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

/// The keys that a column can hold at all. The server would refuse the others, since it reads the keys as values of the
/// column's type, which lets it use any index.
fn keys_within(keys: &[i64], (least, greatest): (i64, i64)) -> impl Iterator<Item = i64> + '_ {
    keys.iter()
        .copied()
        .filter(move |key| (least..=greatest).contains(key))
}

fn any_of(column: &str, array: String) -> String {
    format!("{column} OPERATOR(pg_catalog.=) ANY ({array})")
}

/// Compares by text, where comparing in the column's type could take different texts for equal, or fail.
fn any_text<'a>(column: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    // NULL would be an empty text here.
    format!(
        "({column} IS NOT NULL AND {} COLLATE \"C\" = ANY ({}))",
        text_form(column),
        string_array(values)
    )
}

fn compared(name: &str, sql_type: Option<SqlType>, operator: &str, bound: i64) -> String {
    let column = identifier(name);
    let bound = string(&bound.to_string());
    match sql_type.as_ref().and_then(range) {
        Some(_) => format!("{column} OPERATOR(pg_catalog.{operator}) {bound}::pg_catalog.int8"),
        // Of any other type only the text of an integer is above or below anything.
        None => {
            let text = text_form(&column);
            format!(
                "CASE WHEN {text} OPERATOR(pg_catalog.~) '^-?[0-9]{{1,18}}$' \
                 THEN {text}::pg_catalog.int8 OPERATOR(pg_catalog.{operator}) {bound}::pg_catalog.int8 ELSE false END"
            )
        }
    }
}
