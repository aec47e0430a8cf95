//! Names: of relations and kinds out of those of tables, and names as YAML writes them.

use crate::snapshot::TableName;
use crate::visible::{visible, visible_string};

/// The longest name of a relation.
const LONGEST: usize = 60;

/// Words that YAML takes for something else than text.
const NO_TEXT: [&str; 10] = [
    "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan",
];

/// A name in lower case with `_` between its words: of `OrderItems` and `order-items` it is `order_items`.
pub(super) fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut before_lower = false;
    for letter in name.chars() {
        let is_plain = letter.is_ascii_alphanumeric();
        if letter.is_ascii_uppercase() && before_lower || !is_plain && !snake.ends_with('_') {
            snake.push('_');
        }
        if is_plain {
            snake.push(letter.to_ascii_lowercase());
        }
        before_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    snake
}

/// The name that a table's relation has, if no other has it.
pub(super) fn relation(name: &str) -> String {
    let mut relation = snake(name);
    relation.truncate(LONGEST);
    match relation.trim_matches('_') {
        "" => "table".to_owned(),
        _ => relation,
    }
}

/// The English singular of a name, as far as it is told by its end.
pub(super) fn singular(name: &str) -> String {
    for (end, instead) in [
        ("ies", "y"),
        ("sses", "ss"),
        ("xes", "x"),
        ("ches", "ch"),
        ("shes", "sh"),
    ] {
        if let Some(stem) = name.strip_suffix(end)
            && stem.len() > 1
        {
            return format!("{stem}{instead}");
        }
    }
    match name.strip_suffix('s') {
        Some(stem) if stem.len() > 1 && !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
        _ => name.to_owned(),
    }
}

/// What the manifest calls one row of a table: `Customer` of `customers`.
pub(super) fn kind(name: &str) -> String {
    let singular = singular(&snake(name));
    let words = singular.split('_').filter(|word| !word.is_empty());
    let kind: String = words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        })
        .collect();
    match kind.as_str() {
        "" => "Entity".to_owned(),
        _ => kind,
    }
}

/// A text as a value or key of YAML.
pub(super) fn scalar(text: &str) -> String {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "_.".contains(letter);
    let begins = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let lower = text.to_ascii_lowercase();
    if text.starts_with(begins) && text.chars().all(is_letter) && !NO_TEXT.contains(&lower.as_str())
    {
        return text.to_owned();
    }
    match visible(text) != text {
        true => visible_string(text),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A table's name as a pipeline of that default schema writes it, before YAML's quotes.
pub(super) fn table(name: &TableName, schema: &str) -> String {
    let part = |name: &str| match name.contains(['.', '"']) || name.is_empty() {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    };
    match name.schema == schema {
        true => part(&name.name),
        false => format!("{}.{}", part(&name.schema), part(&name.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_relations_and_kinds() {
        for (name, relation_name, kind_name) in [
            ("customers", "customers", "Customer"),
            ("OrderItems", "order_items", "OrderItem"),
            ("order-items", "order_items", "OrderItem"),
            ("Company", "company", "Company"),
            ("companies", "companies", "Company"),
            ("addresses", "addresses", "Address"),
            ("boxes", "boxes", "Box"),
            ("status", "status", "Status"),
            ("2fa", "2fa", "2fa"),
            ("Größe", "gr_e", "GrE"),
            ("日本", "table", "Entity"),
        ] {
            let made = (relation(name), kind(name));
            assert_eq!(
                made,
                (relation_name.to_owned(), kind_name.to_owned()),
                "{name}"
            );
        }
    }

    #[test]
    fn what_yaml_may_take_for_something_else_is_quoted() {
        for (text, written) in [
            ("a_b", "a_b"),
            ("billing.a", "billing.a"),
            ("true", "'true'"),
            ("No", "'No'"),
            ("1", "'1'"),
            ("it's", "'it''s'"),
            ("a: b", "'a: b'"),
            ("", "''"),
            ("a\nb", "\"a\\nb\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    #[test]
    fn tables_are_named_as_pipelines_name_them() {
        for (schema, name, written) in [
            ("app", "a", "a"),
            ("public", "a", "public.a"),
            ("app", "a.b", "\"a.b\""),
            ("x.y", "a\"b", "\"x.y\".\"a\"\"b\""),
        ] {
            assert_eq!(table(&TableName::new(schema, name), "app"), written);
        }
    }
}
