//! The statement that answers a query: `COPY (SELECT … FROM … WHERE …) TO STDOUT`.

mod equality;

use std::collections::HashSet;

use equality::{Equality, IntegerType};

use super::literal::{identifier, integer_array, string, string_array, table};
use crate::snapshot::catalog::Catalog;
use crate::snapshot::keyed::{ComparedAs, Fields, KeyColumn, Predicate, Query};
use crate::snapshot::sql_type::SqlType;
use crate::snapshot::table_name::TableName;

/// What a catalog does not say of texts.
#[derive(Debug, Default)]
pub(super) struct TextKinds {
    /// Columns whose `=` may take different texts for equal (citext, blank-padded character, a collation that is not
    /// deterministic).
    pub(super) loose: HashSet<(TableName, String)>,
    /// The schema of the type citext, in which its operators stand, too.
    pub(super) citext_schema: Option<String>,
    /// The server does not know what its bytes mean (SQL_ASCII), and takes each for a character.
    pub(super) without_encoding: bool,
}

/// The statement for a query.
pub(super) fn copy_statement(query: &Query<'_>, catalog: &Catalog, texts: &TextKinds) -> String {
    let fields: Vec<String> = match &query.fields {
        Fields::Columns(columns) => columns.iter().map(|name| identifier(name)).collect(),
        Fields::Maximum(column) => vec![match is_spelled_in_several_ways(query, column, catalog) {
            true => identifier(column),
            false => format!("pg_catalog.max({})", identifier(column)),
        }],
        Fields::Gathered(column, _) => vec![format!("{} AS key", identifier(column))],
    };
    let mut sql = format!(
        "SELECT {} FROM {}",
        fields.join(", "),
        rows_of(query.table, catalog)
    );
    for (index, predicate) in query.predicates.iter().enumerate() {
        sql.push_str(match index {
            0 => " WHERE ",
            _ => " AND ",
        });
        sql.push_str(&condition(predicate, query.table, catalog, texts));
    }
    match &query.fields {
        Fields::Columns(_) => {}
        Fields::Maximum(column) if is_spelled_in_several_ways(query, column, catalog) => {
            // `max()` gives any of equal ones.
            let column = identifier(column);
            let text = text_form(&column);
            let glue = match query.predicates.is_empty() {
                true => "WHERE",
                false => "AND",
            };
            sql.push_str(&format!(
                " {glue} {column} IS NOT NULL ORDER BY {column} DESC, pg_catalog.length({text}), {text} COLLATE \"C\" LIMIT 1"
            ));
        }
        Fields::Maximum(_) => {}
        Fields::Gathered(_, most) => {
            sql = format!("SELECT pg_catalog.array_agg(key) FROM ({sql} LIMIT {most}) keys");
        }
    }
    format!("COPY ({sql}) TO STDOUT")
}

/// True for a column whose equal values may have different texts (1.0 and 1.00, 0 and -0), of the types that have maxima.
fn is_spelled_in_several_ways(query: &Query<'_>, column: &str, catalog: &Catalog) -> bool {
    matches!(
        sql_type(catalog, query.table, column),
        Some(SqlType::Numeric | SqlType::Real | SqlType::Double)
    )
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
    texts: &TextKinds,
) -> String {
    let equality = |name: &str| {
        let is_loose = texts.loose.contains(&(table.clone(), name.to_owned()));
        match sql_type(catalog, table, name) {
            Some(sql_type) => Equality::of(sql_type, is_loose, texts.citext_schema.as_deref()),
            None => Equality::ByText,
        }
    };
    match predicate {
        Predicate::AnyInteger(column, keys) => match sql_type(catalog, table, column.name) {
            // As numbers: 7.00 is a 7, too.
            Some(SqlType::Numeric | SqlType::Real | SqlType::Double) => any_of(
                &compared_column(column),
                integer_array(keys.iter().copied()),
            ),
            _ => any_integer(column, equality(column.name), keys),
        },
        Predicate::AnyOf(columns, lists) => match (columns.as_slice(), lists.as_slice()) {
            ([column], [values]) => {
                let element = element_type(column, table, catalog);
                any_key(column, equality(column.name), element, values)
            }
            (columns, lists) => any_row(columns, lists, table, catalog, &equality),
        },
        Predicate::In {
            column,
            values,
            null,
        } => one_of(column, equality(column), values, *null),
        Predicate::NotIn {
            column,
            values,
            null,
        } => none_of(column, equality(column), values, *null),
        Predicate::InIgnoringCase(name, values) => any_ignoring_case(name, values),
        Predicate::Holds(name, keys) => match sql_type(catalog, table, name) {
            Some(SqlType::Array(element)) => holds(name, IntegerType::of(element), keys),
            _ => holds(name, None, keys),
        },
        Predicate::Above(name, bound) => compared(name, equality(name), ">", bound),
        Predicate::Below(name, bound) => compared(name, equality(name), "<", bound),
        Predicate::Prefix(name, start) => format!(
            "pg_catalog.starts_with({}::pg_catalog.text, {})",
            identifier(name),
            string(start)
        ),
        Predicate::Length(name, length) => {
            let text = format!("{}::pg_catalog.text", identifier(name));
            let text = match texts.without_encoding {
                // Of a character of UTF-8 only the first byte is none of these.
                true => format!(
                    "pg_catalog.regexp_replace({text}, {}, '', 'g')",
                    string("[\\x80-\\xBF]")
                ),
                false => text,
            };
            format!("pg_catalog.length({text}) OPERATOR(pg_catalog.=) {length}")
        }
    }
}

fn sql_type<'a>(catalog: &'a Catalog, table: &TableName, column: &str) -> Option<&'a SqlType> {
    let (_, column) = catalog.table(table)?.column(column)?;
    Some(&column.sql_type)
}

/// The column holds one of the values, which are of the type `element` in SQL if that can be named.
fn any_key(
    column: &KeyColumn<'_>,
    equality: Equality,
    element: Option<String>,
    values: &[String],
) -> String {
    let left = compared_column(column);
    let array = string_array(values.iter().map(String::as_str));
    let own = (column.compared == ComparedAs::Own).then_some(equality);
    match (own, element) {
        (Some(Equality::Folded(schema)), _) => any_of_in(&schema, &left, array),
        (Some(Equality::ByText), _) => any_text(&left, values.iter().map(String::as_str)),
        (_, Some(element)) if values.len() > MANY => any_of(&left, out_of_sight(&array, &element)),
        // The column's own type would be taken for theirs.
        (_, Some(element)) if column.compared == ComparedAs::Timestamp => {
            any_of(&left, format!("{array}::{element}[]"))
        }
        _ => any_of(&left, array),
    }
}

/// A column, read as what it is compared as.
fn compared_column(column: &KeyColumn<'_>) -> String {
    let name = identifier(column.name);
    match (column.compared, cast(column.compared)) {
        // There is an operator for dates and timestamps, which any date can stand beside. Some are no timestamps.
        (ComparedAs::Timestamp, _) | (_, None) => name,
        (_, Some(cast)) => format!("({name}::{cast})"),
    }
}

/// The type that values are read as; `None` for the column's own.
fn cast(compared: ComparedAs) -> Option<&'static str> {
    match compared {
        ComparedAs::Own => None,
        ComparedAs::Text => Some("pg_catalog.text"),
        ComparedAs::Character => Some("pg_catalog.bpchar"),
        ComparedAs::Numeric => Some("pg_catalog.\"numeric\""),
        ComparedAs::Double => Some("pg_catalog.float8"),
        ComparedAs::Timestamp => Some("pg_catalog.\"timestamp\""),
    }
}

/// The type of a key's values in SQL, where it can be named.
fn element_type(column: &KeyColumn<'_>, table: &TableName, catalog: &Catalog) -> Option<String> {
    if let Some(cast) = cast(column.compared) {
        return Some(cast.to_owned());
    }
    match sql_type(catalog, table, column.name)? {
        SqlType::Other(name) if name == "uuid" => Some("pg_catalog.uuid".to_owned()),
        SqlType::Other(_) | SqlType::Citext => None,
        SqlType::Text | SqlType::Varchar => Some("pg_catalog.text".to_owned()),
        SqlType::Character => Some("pg_catalog.bpchar".to_owned()),
        other => Some(other.sql()),
    }
}

/// Several columns hold the values of one row of the lists.
fn any_row(
    columns: &[KeyColumn<'_>],
    lists: &[Vec<String>],
    table: &TableName,
    catalog: &Catalog,
    equality: &dyn Fn(&str) -> Equality,
) -> String {
    let (mut arrays, mut names, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    for (position, (column, values)) in columns.iter().zip(lists).enumerate() {
        // The name must not be that of a column of the table, which it would hide.
        let mut key = format!("key{position}");
        while columns.iter().any(|column| column.name == key) {
            key.push('_');
        }
        let mut left = compared_column(column);
        let array = string_array(values.iter().map(String::as_str));
        let own = (column.compared == ComparedAs::Own).then(|| equality(column.name));
        let (element, operator) = match (own, element_type(column, table, catalog)) {
            // A value beyond the column's type equals none of its values, and must not be refused.
            (Some(Equality::Integer(_)), _) => (
                "pg_catalog.int8".to_owned(),
                "OPERATOR(pg_catalog.=)".to_owned(),
            ),
            (Some(Equality::Folded(schema)), _) => {
                let schema = identifier(&schema);
                (format!("{schema}.citext"), format!("OPERATOR({schema}.=)"))
            }
            (Some(Equality::ByText), _) | (_, None) => {
                // NULL would be an empty text here.
                pairs.push(format!("{left} IS NOT NULL"));
                left = format!("{} COLLATE \"C\"", text_form(&left));
                (
                    "pg_catalog.text".to_owned(),
                    "OPERATOR(pg_catalog.=)".to_owned(),
                )
            }
            (_, Some(element)) => (element, "OPERATOR(pg_catalog.=)".to_owned()),
        };
        arrays.push(format!("pg_catalog.unnest({array}::{element}[])"));
        pairs.push(format!("{left} {operator} keys.{key}"));
        names.push(key);
    }
    // NULL in any of them equals nothing. `unnest` of several arrays is no function: with its schema there is none.
    format!(
        "EXISTS (SELECT FROM ROWS FROM ({}) AS keys ({}) WHERE {})",
        arrays.join(", "),
        names.join(", "),
        pairs.join(" AND ")
    )
}

/// An integer column holds one of the keys.
fn any_integer(column: &KeyColumn<'_>, equality: Equality, keys: &[i64]) -> String {
    let left = compared_column(column);
    match (column.compared, equality) {
        (ComparedAs::Own, Equality::Integer(integer)) => {
            let array = integer_array(integer.holdable(keys));
            match keys.len() > MANY {
                true => any_of(&left, out_of_sight(&array, integer.name())),
                false => any_of(&left, array),
            }
        }
        (ComparedAs::Own, _) => {
            let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
            any_text(&left, keys.iter().map(String::as_str))
        }
        _ => any_of(&left, integer_array(keys.iter().copied())),
    }
}

/// The column equals one of the values, or is NULL.
fn one_of(name: &str, equality: Equality, values: &[&str], null: bool) -> String {
    let column = identifier(name);
    match (values.is_empty(), null) {
        (true, true) => format!("{column} IS NULL"),
        (_, false) => any_value(name, equality, values),
        (false, true) => format!(
            "({column} IS NULL OR {})",
            any_value(name, equality, values)
        ),
    }
}

/// The column equals none of the values, and is not NULL if that is said.
fn none_of(name: &str, equality: Equality, values: &[&str], null: bool) -> String {
    let column = identifier(name);
    match (values.is_empty(), null) {
        (true, true) => format!("{column} IS NOT NULL"),
        (_, true) => format!(
            "({column} IS NOT NULL AND NOT ({}))",
            any_value(name, equality, values)
        ),
        (_, false) => format!(
            "({column} IS NULL OR NOT ({}))",
            any_value(name, equality, values)
        ),
    }
}

/// The column equals one of the values.
fn any_value(name: &str, equality: Equality, values: &[&str]) -> String {
    let column = identifier(name);
    let array = || string_array(values.iter().copied());
    match equality {
        Equality::Boolean => {
            // Any other text is the form of no boolean.
            let values = values.iter().filter(|value| ["t", "f"].contains(value));
            any_of(&column, string_array(values.copied()))
        }
        Equality::Typed => any_of(&column, array()),
        Equality::Folded(schema) => any_of_in(&schema, &column, array()),
        Equality::Integer(integer) => {
            let keys: Vec<i64> = values
                .iter()
                .filter_map(|value| value.parse().ok())
                .collect();
            any_of(&column, integer_array(integer.holdable(&keys)))
        }
        Equality::ByText => any_text(&column, values.iter().copied()),
    }
}

/// The column's text is one of the values, in large or small letters.
fn any_ignoring_case(name: &str, values: &[&str]) -> String {
    // A server whose locale is C makes ASCII letters small only.
    let mut small: Vec<String> = values
        .iter()
        .flat_map(|value| [value.to_lowercase(), value.to_ascii_lowercase()])
        .collect();
    small.dedup();
    let column = format!("pg_catalog.lower({})", identifier(name));
    any_of(&column, string_array(small.iter().map(String::as_str)))
}

/// The column is an array that holds one of the keys.
fn holds(name: &str, element: Option<IntegerType>, keys: &[i64]) -> String {
    let keys = element.unwrap_or(IntegerType::Int8).holdable(keys);
    format!(
        "{} OPERATOR(pg_catalog.&&) {}",
        identifier(name),
        integer_array(keys)
    )
}

/// Keys from which on the planner is not shown them: it would weigh each of them up, which takes about as long as looking it
/// up, and then think little of an index.
const MANY: usize = 100;

/// An array that the planner sees only once it is too late to think about it.
fn out_of_sight(array: &str, element: &str) -> String {
    format!("(SELECT {array}::{element}[])::{element}[]")
}

/// As [`any_of`], with the operator of a schema.
fn any_of_in(schema: &str, column: &str, array: String) -> String {
    format!("{column} OPERATOR({}.=) ANY ({array})", identifier(schema))
}

fn any_of(column: &str, array: String) -> String {
    format!("{column} OPERATOR(pg_catalog.=) ANY ({array})")
}

fn any_text<'a>(column: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    // NULL would be an empty text here.
    format!(
        "({column} IS NOT NULL AND {} COLLATE \"C\" = ANY ({}))",
        text_form(column),
        string_array(values)
    )
}

/// The column is above or below the bound.
fn compared(name: &str, equality: Equality, operator: &str, bound: &str) -> String {
    let column = identifier(name);
    let literal = string(bound);
    match equality {
        // A bound may be beyond the column's type, or a fraction.
        Equality::Integer(_) => {
            let bound_type = match bound.parse::<i64>() {
                Ok(_) => "pg_catalog.int8",
                Err(_) => "pg_catalog.\"numeric\"",
            };
            format!("{column} OPERATOR(pg_catalog.{operator}) {literal}::{bound_type}")
        }
        _ => format!("{column} OPERATOR(pg_catalog.{operator}) {literal}"),
    }
}

#[cfg(test)]
mod tests;
