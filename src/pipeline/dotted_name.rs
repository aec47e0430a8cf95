//! Names of tables as a pipeline writes them: `orders`, `billing.orders`, `"billing"."odd.name"`.

/// A table's name and its schema, if it says one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DottedName {
    pub schema: Option<String>,
    pub name: String,
}

impl DottedName {
    /// Reads a name. `None` if a part is empty, if there are more than two, or if a quote stands where none can.
    pub(super) fn parse(text: &str) -> Option<DottedName> {
        let (first, rest) = part(text)?;
        let Some(rest) = rest else {
            return Some(DottedName {
                schema: None,
                name: first,
            });
        };
        match part(rest)? {
            (name, None) => Some(DottedName {
                schema: Some(first),
                name,
            }),
            (_, Some(_)) => None,
        }
    }
}

/// The first part of a name, and what stands behind its dot, if it has one.
fn part(text: &str) -> Option<(String, Option<&str>)> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted_part(quoted)?,
        None => {
            let (name, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
            if name.contains('"') {
                return None;
            }
            (name.to_owned(), rest)
        }
    };
    if name.is_empty() || name.contains('\0') {
        return None;
    }
    match rest.strip_prefix('.') {
        None if rest.is_empty() => Some((name, None)),
        None => None,
        rest => Some((name, rest)),
    }
}

/// A name up to its closing quote, in which two quotes stand for one, and what follows.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, behind) = rest.split_once('"')?;
        name.push_str(before);
        match behind.strip_prefix('"') {
            Some(behind) => {
                name.push('"');
                rest = behind;
            }
            None => return Some((name, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_schema_or_none() {
        for (text, schema, name) in [
            ("orders", None, "orders"),
            ("billing.orders", Some("billing"), "orders"),
            ("Odd Name", None, "Odd Name"),
            ("\"billing\".\"odd.name\"", Some("billing"), "odd.name"),
            ("billing.\"odd.name\"", Some("billing"), "odd.name"),
            ("\"odd.name\"", None, "odd.name"),
            ("\"a\"\"b\"", None, "a\"b"),
            ("\"\"\"\"", None, "\""),
        ] {
            let expected = DottedName {
                schema: schema.map(str::to_owned),
                name: name.to_owned(),
            };
            assert_eq!(DottedName::parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "", ".", "a.", ".a", "a..b", "a.b.c", "\"a", "\"\"", "\"a\"b", "a\"b", "a.\"b",
            "\"a\"\"", "a\0",
        ] {
            assert_eq!(DottedName::parse(text), None, "{text}");
        }
    }
}
