//! Names and values as SQL text. COPY takes no parameters, so both are written into statements.

pub(crate) use crate::snapshot::sql::names::{identifier, string, table};

/// An array of strings. Strings with a zero byte are left out: no value of PostgreSQL's can hold one.
pub(super) fn string_array<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let mut array = String::from("{");
    for value in values.into_iter().filter(|value| !value.contains('\0')) {
        if array.len() > 1 {
            array.push(',');
        }
        array.push('"');
        for letter in value.chars() {
            if matches!(letter, '"' | '\\') {
                array.push('\\');
            }
            array.push(letter);
        }
        array.push('"');
    }
    array.push('}');
    string(&array)
}

/// An array of integers.
pub(super) fn integer_array(values: impl IntoIterator<Item = i64>) -> String {
    use std::fmt::Write;

    let mut array = String::from("'{");
    for value in values {
        if array.len() > 2 {
            array.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(array, "{value}");
    }
    array.push_str("}'");
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_cannot_be_left() {
        assert_eq!(
            string_array(["a", "b\"c", "d\\", "e'f,}", "", "NULL", "x\0y"]),
            "'{\"a\",\"b\\\"c\",\"d\\\\\",\"e''f,}\",\"\",\"NULL\"}'"
        );
        assert_eq!(integer_array([1, -2]), "'{1,-2}'");
        assert_eq!(integer_array([]), "'{}'");
    }
}
