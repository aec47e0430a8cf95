//! The statement that answers a query: `COPY (SELECT … FROM … WHERE …) TO STDOUT`.

use std::collections::HashSet;

use super::literal::{identifier, integer_array, string, string_array, table};
use crate::snapshot::catalog::Catalog;
use crate::snapshot::keyed::{Fields, Predicate, Query};
use crate::snapshot::sql_type::SqlType;
use crate::snapshot::table_name::TableName;

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
    let equality = |name: &str| {
        let is_loose = loose.contains(&(table.clone(), name.to_owned()));
        match sql_type(catalog, table, name) {
            Some(sql_type) => Equality::of(sql_type, is_loose),
            None => Equality::ByText,
        }
    };
    match predicate {
        Predicate::AnyOf(name, keys) => any_key(name, equality(name), keys),
        Predicate::In(name, values) => any_value(name, equality(name), values),
        Predicate::InIgnoringCase(name, values) => any_ignoring_case(name, values),
        Predicate::Holds(name, keys) => match sql_type(catalog, table, name) {
            Some(SqlType::Array(element)) => holds(name, IntegerType::of(element), keys),
            _ => holds(name, None, keys),
        },
        Predicate::Null(name) => format!("{} IS NULL", identifier(name)),
        Predicate::NotNull(name) => format!("{} IS NOT NULL", identifier(name)),
        Predicate::Above(name, bound) => compared(name, equality(name), ">", *bound),
        Predicate::Below(name, bound) => compared(name, equality(name), "<", *bound),
    }
}

fn sql_type<'a>(catalog: &'a Catalog, table: &TableName, column: &str) -> Option<&'a SqlType> {
    let (_, column) = catalog.table(table)?.column(column)?;
    Some(&column.sql_type)
}

/// How a column's values are compared with given ones, so that the very values are found whose text is given.
#[derive(Clone, Copy)]
enum Equality {
    /// As integers. Any index can be used.
    Integer(IntegerType),
    Boolean,
    /// As texts of which no two different ones are equal.
    Text,
    /// By their text, if comparing in the column's type could take different texts for equal, or fail.
    ByText,
}

impl Equality {
    fn of(sql_type: &SqlType, is_loose: bool) -> Self {
        match (sql_type, IntegerType::of(sql_type)) {
            (_, Some(integer)) => Equality::Integer(integer),
            (SqlType::Boolean, None) => Equality::Boolean,
            (SqlType::Text | SqlType::Varchar, None) if !is_loose => Equality::Text,
            _ => Equality::ByText,
        }
    }
}

#[derive(Clone, Copy)]
enum IntegerType {
    Int2,
    Int4,
    Int8,
}

impl IntegerType {
    fn of(sql_type: &SqlType) -> Option<Self> {
        match sql_type {
            SqlType::SmallInt => Some(IntegerType::Int2),
            SqlType::Integer => Some(IntegerType::Int4),
            SqlType::BigInt => Some(IntegerType::Int8),
            _ => None,
        }
    }

    /// The server's own name of it.
    fn name(self) -> &'static str {
        match self {
            IntegerType::Int2 => "pg_catalog.int2",
            IntegerType::Int4 => "pg_catalog.int4",
            IntegerType::Int8 => "pg_catalog.int8",
        }
    }

    /// The keys that a column can hold at all. The server would refuse the others, since it reads the keys as values of
    /// the column's type.
    fn holdable(self, keys: &[i64]) -> impl Iterator<Item = i64> + '_ {
        let range = match self {
            IntegerType::Int2 => i16::MIN.into()..=i16::MAX.into(),
            IntegerType::Int4 => i32::MIN.into()..=i32::MAX.into(),
            IntegerType::Int8 => i64::MIN..=i64::MAX,
        };
        keys.iter().copied().filter(move |key| range.contains(key))
    }
}

/// The column is one of the keys.
fn any_key(name: &str, equality: Equality, keys: &[i64]) -> String {
    let column = identifier(name);
    let Equality::Integer(integer) = equality else {
        let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
        return any_text(&column, keys.iter().map(String::as_str));
    };
    let array = integer_array(integer.holdable(keys));
    match keys.len() > MANY {
        true => any_of(&column, out_of_sight(&array, integer)),
        false => any_of(&column, array),
    }
}

/// The column's text is one of the values.
fn any_value(name: &str, equality: Equality, values: &[&str]) -> String {
    let column = identifier(name);
    match equality {
        Equality::Boolean => {
            // Any other text is the form of no boolean.
            let values = values.iter().filter(|value| ["t", "f"].contains(value));
            any_of(&column, string_array(values.copied()))
        }
        Equality::Text => any_of(&column, string_array(values.iter().copied())),
        Equality::Integer(integer) => {
            // `07` and `+7` are the form of no integer.
            let keys = values.iter().filter_map(|value| {
                let key: i64 = value.parse().ok()?;
                (key.to_string() == **value).then_some(key)
            });
            let keys: Vec<i64> = keys.collect();
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
fn out_of_sight(array: &str, integer: IntegerType) -> String {
    let integer = integer.name();
    format!("(SELECT {array}::{integer}[])::{integer}[]")
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

/// The column is an integer above or below the bound.
fn compared(name: &str, equality: Equality, operator: &str, bound: i64) -> String {
    let column = identifier(name);
    let bound = string(&bound.to_string());
    match equality {
        Equality::Integer(_) => {
            format!("{column} OPERATOR(pg_catalog.{operator}) {bound}::pg_catalog.int8")
        }
        // Of any other type only the text of an integer is above or below anything.
        _ => {
            let text = text_form(&column);
            format!(
                "CASE WHEN {text} OPERATOR(pg_catalog.~) '^-?[0-9]{{1,18}}$' \
                 THEN {text}::pg_catalog.int8 OPERATOR(pg_catalog.{operator}) {bound}::pg_catalog.int8 ELSE false END"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::sql::ddl::read_schema;

    #[test]
    fn conditions_compare_values_as_the_columns_type_allows() {
        let catalog = read_schema(
            b"CREATE TABLE public.t (s smallint, i integer, b bigint, ok boolean, v text, loose text, n numeric, ids smallint[]);",
        )
        .unwrap();
        let table = TableName::public("t");
        let loose = HashSet::from([(table.clone(), "loose".to_owned())]);
        let in_values = |name: &'static str| Predicate::In(name, vec!["7", "07", "t"]);
        let cases = [
            (
                Predicate::AnyOf("s", &[1, 40000]),
                "\"s\" OPERATOR(pg_catalog.=) ANY ('{1}')",
            ),
            (
                Predicate::AnyOf("n", &[1, 2]),
                "(\"n\" IS NOT NULL AND pg_catalog.format('%s', \"n\") COLLATE \"C\" = ANY ('{\"1\",\"2\"}'))",
            ),
            (in_values("i"), "\"i\" OPERATOR(pg_catalog.=) ANY ('{7}')"),
            (
                in_values("ok"),
                "\"ok\" OPERATOR(pg_catalog.=) ANY ('{\"t\"}')",
            ),
            (
                in_values("v"),
                "\"v\" OPERATOR(pg_catalog.=) ANY ('{\"7\",\"07\",\"t\"}')",
            ),
            (
                in_values("loose"),
                "(\"loose\" IS NOT NULL AND pg_catalog.format('%s', \"loose\") COLLATE \"C\" = ANY ('{\"7\",\"07\",\"t\"}'))",
            ),
            (
                in_values("unknown"),
                "(\"unknown\" IS NOT NULL AND pg_catalog.format('%s', \"unknown\") COLLATE \"C\" = ANY ('{\"7\",\"07\",\"t\"}'))",
            ),
            (
                Predicate::InIgnoringCase("v", vec!["Ab"]),
                "pg_catalog.lower(\"v\") OPERATOR(pg_catalog.=) ANY ('{\"ab\"}')",
            ),
            (
                Predicate::Holds("ids", &[3, 40000]),
                "\"ids\" OPERATOR(pg_catalog.&&) '{3}'",
            ),
            (Predicate::Null("v"), "\"v\" IS NULL"),
            (Predicate::NotNull("v"), "\"v\" IS NOT NULL"),
            (
                Predicate::Above("b", 5),
                "\"b\" OPERATOR(pg_catalog.>) '5'::pg_catalog.int8",
            ),
            (
                Predicate::Below("n", 5),
                "CASE WHEN pg_catalog.format('%s', \"n\") OPERATOR(pg_catalog.~) '^-?[0-9]{1,18}$' \
                 THEN pg_catalog.format('%s', \"n\")::pg_catalog.int8 OPERATOR(pg_catalog.<) '5'::pg_catalog.int8 ELSE false END",
            ),
        ];
        for (predicate, expected) in cases {
            let sql = condition(&predicate, &table, &catalog, &loose);
            assert_eq!(sql, expected, "{predicate:?}");
        }
    }

    #[test]
    fn many_keys_are_kept_from_the_planner() {
        let catalog = read_schema(b"CREATE TABLE public.t (i integer);").unwrap();
        let keys: Vec<i64> = (0..101).collect();
        let table = TableName::public("t");
        let with = |keys: &[i64]| {
            let predicate = Predicate::AnyOf("i", keys);
            condition(&predicate, &table, &catalog, &LooseTexts::new())
        };
        assert!(with(&keys[..100]).starts_with("\"i\" OPERATOR(pg_catalog.=) ANY ('{0,"));
        let hidden = with(&keys);
        assert!(
            hidden.starts_with("\"i\" OPERATOR(pg_catalog.=) ANY ((SELECT '{0,"),
            "{hidden}"
        );
        assert!(
            hidden.ends_with("100}'::pg_catalog.int4[])::pg_catalog.int4[])"),
            "{hidden}"
        );
    }
}
