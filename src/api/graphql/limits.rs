//! How large a query may be. What is too large is refused before anything goes through it recursively: neither the parser
//! nor the engine behind it ends in time, or on its stack, whatever it is given.
//!
//! First the text is looked at, token by token, without recursion: how many tokens there are, and how deep brackets nest.
//! That bounds what the parser does. Then the parsed query is looked at once its fragments stand where they are named: the
//! engine's own limits are checked while it goes through every one of them, so they do not hold a query off that names each
//! of its thirty fragments twice, and so has 2^30 fields.
//!
//! Each field may use a variable or a literal of the whole request's length, copy it, and have an error quote it; an answer
//! repeats a name in every row. So names are bounded, and fields times bytes are.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// Names, numbers, strings and signs of a query's text; the largest that is meant, introspection, has about 400.
const TOKENS: usize = 5000;
/// Letters of a name, an alias say; GitLab's own have some thirty.
const NAME: usize = 256;
/// How deep brackets of all kinds nest in the text.
const NESTING: usize = 64;
/// Fragments that a query defines.
const FRAGMENTS: usize = 100;
/// How deep selections nest, with fragments where they are named.
const LEVELS: usize = 32;
/// Fields of an operation; an introspection query has about 200.
pub(super) const FIELDS: usize = 500;
/// Fields of an operation times bytes of the request. A request of full length may have 64 fields, one of 32 KiB all of them.
const WORK: usize = 16 << 20;

/// Why a query is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("Query has more than {TOKENS} tokens")]
    Tokens,
    /// The parser would try again from each of its quotes.
    #[error("Query has a string that does not end")]
    OpenString,
    #[error("Query has a name of more than {NAME} letters")]
    Name,
    #[error("Query nests brackets more than {NESTING} levels deep")]
    Nesting,
    #[error("Query has more than {FRAGMENTS} fragments")]
    Fragments,
    #[error("Query nests selections more than {LEVELS} levels deep, or a fragment holds itself")]
    Levels,
    #[error("Query has more than {FIELDS} fields")]
    Fields,
    #[error("Query has too many fields for a request of this length, variables included")]
    Work,
}

/// Looks at a query's text before it is parsed.
///
/// # Errors
/// Where there is too much of it, or it nests too deep.
pub(super) fn check_text(query: &str) -> Result<(), Refused> {
    let mut rest = query.as_bytes();
    let (mut tokens, mut nesting) = (0, 0_usize);
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first {
            // Unicode's byte order mark is the one ignored character of several bytes.
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xef | 0xbb | 0xbf => continue,
            b'#' => {
                let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                rest = &rest[end.unwrap_or(rest.len())..];
                continue;
            }
            b'{' | b'[' | b'(' => nesting += 1,
            b'}' | b']' | b')' => nesting = nesting.saturating_sub(1),
            b'"' => rest = behind_string(rest).ok_or(Refused::OpenString)?,
            first if is_of_word(*first) => {
                let end = rest.iter().position(|byte| !is_of_word(*byte));
                let end = end.unwrap_or(rest.len());
                if end >= NAME {
                    return Err(Refused::Name);
                }
                rest = &rest[end..];
            }
            _ => {}
        }
        tokens += 1;
        if nesting > NESTING {
            return Err(Refused::Nesting);
        }
        if tokens > TOKENS {
            return Err(Refused::Tokens);
        }
    }
    Ok(())
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What comes behind a string, of which the first quote is over; `None` where it does not end, in its line unless it is a
/// block.
fn behind_string(text: &[u8]) -> Option<&[u8]> {
    let is_block = text.starts_with(b"\"\"");
    let mut at = if is_block { 2 } else { 0 };
    while at < text.len() {
        let rest = &text[at..];
        at += match (is_block, rest[0]) {
            (true, b'\\') if rest.starts_with(b"\\\"\"\"") => 4,
            (true, b'"') if rest.starts_with(b"\"\"\"") => return Some(&rest[3..]),
            (true, _) => 1,
            (false, b'\\') => 2,
            (false, b'"') => return Some(&rest[1..]),
            (false, b'\r' | b'\n') => return None,
            (false, _) => 1,
        };
    }
    None
}

/// Looks at a parsed query, which came in a request of so many bytes.
///
/// # Errors
/// Where it has too many fragments or fields, or its selections nest too deep.
pub(super) fn check(document: &ExecutableDocument, bytes: usize) -> Result<(), Refused> {
    if document.fragments.len() > FRAGMENTS {
        return Err(Refused::Fragments);
    }
    let mut measure = Measure {
        document,
        known: HashMap::new(),
    };
    // Fragments that no operation names are gone through by the engine, too.
    for name in document.fragments.keys() {
        measure.fragment(name.as_str(), 0)?;
    }
    for (_, operation) in document.operations.iter() {
        let size = measure.set(&operation.node.selection_set.node, 1)?;
        if size.fields > FIELDS {
            return Err(Refused::Fields);
        }
        if size.fields.saturating_mul(bytes) > WORK {
            return Err(Refused::Work);
        }
    }
    match measure.known.values().any(|size| size.fields > FIELDS) {
        true => Err(Refused::Fields),
        false => Ok(()),
    }
}

/// What a set of selections comes to.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    fields: usize,
    levels: usize,
}

struct Measure<'d> {
    document: &'d ExecutableDocument,
    known: HashMap<&'d str, Size>,
}

impl<'d> Measure<'d> {
    /// The size of a set that is this deep. Recurses no deeper than [`LEVELS`].
    fn set(&mut self, set: &'d SelectionSet, depth: usize) -> Result<Size, Refused> {
        if depth > LEVELS {
            return Err(Refused::Levels);
        }
        let mut size = Size {
            fields: 0,
            levels: 1,
        };
        for selection in &set.items {
            let (own, inner) = match &selection.node {
                Selection::Field(field) if field.node.selection_set.node.items.is_empty() => {
                    (1, Size::default())
                }
                Selection::Field(field) => {
                    (1, self.set(&field.node.selection_set.node, depth + 1)?)
                }
                Selection::InlineFragment(inline) => {
                    (0, self.set(&inline.node.selection_set.node, depth + 1)?)
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    (0, self.fragment(name, depth)?)
                }
            };
            size.fields = size.fields.saturating_add(own).saturating_add(inner.fields);
            size.levels = size.levels.max(1 + inner.levels);
        }
        match depth - 1 + size.levels > LEVELS {
            true => Err(Refused::Levels),
            false => Ok(size),
        }
    }

    /// The size of a fragment that is named this deep; one that the query does not define, which the engine refuses, has
    /// none. A fragment that holds itself nests without end.
    fn fragment(&mut self, name: &str, depth: usize) -> Result<Size, Refused> {
        if let Some(size) = self.known.get(name) {
            return Ok(*size);
        }
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Size::default());
        };
        let size = self.set(&fragment.node.selection_set.node, depth + 1)?;
        self.known.insert(name.as_str(), size);
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn fields(query: &str) -> usize {
        let document = parse_query(query).unwrap();
        check(&document, query.len()).unwrap();
        let mut measure = Measure {
            document: &document,
            known: HashMap::new(),
        };
        let sizes = document.operations.iter().map(|(_, operation)| {
            let set = &operation.node.selection_set.node;
            measure.set(set, 1).unwrap().fields
        });
        sizes.max().unwrap()
    }

    fn refused(query: &str) -> Option<Refused> {
        check(&parse_query(query).unwrap(), query.len()).err()
    }

    #[test]
    fn fragments_count_wherever_they_are_named() {
        assert_eq!(fields("{ a { b c } ... on Query { d } }"), 4);
        assert_eq!(fields("{ ...f ...f } fragment f on Query { a b }"), 4);
        assert_eq!(fields("{ a ...nobody }"), 1);
        let mut bomb = "{ ...f0 }".to_owned();
        for at in 0..20 {
            let next = at + 1;
            bomb.push_str(&format!(
                " fragment f{at} on Query {{ ...f{next} ...f{next} }}"
            ));
        }
        bomb.push_str(" fragment f20 on Query { a }");
        assert_eq!(refused(&bomb), Some(Refused::Fields));
    }

    #[test]
    fn levels_count_through_fragments_whatever_their_order() {
        let chain = |length: usize| {
            let mut query = "{ ...f0 }".to_owned();
            for at in 0..length {
                let next = at + 1;
                query.push_str(&format!(" fragment f{at} on Query {{ ...f{next} }}"));
            }
            query + &format!(" fragment f{length} on Query {{ a }}")
        };
        assert_eq!(refused(&chain(LEVELS - 2)), None);
        assert_eq!(refused(&chain(LEVELS - 1)), Some(Refused::Levels));
        assert_eq!(refused(&chain(2 * LEVELS)), Some(Refused::Levels));
        assert_eq!(refused(&chain(FRAGMENTS)), Some(Refused::Fragments));
        let deep = |levels: usize| format!("{}{}", "{a".repeat(levels), "}".repeat(levels));
        assert_eq!(refused(&deep(LEVELS)), None);
        assert_eq!(refused(&deep(LEVELS + 1)), Some(Refused::Levels));
    }

    #[test]
    fn a_long_request_has_few_fields() {
        let query = "{ a b { c } }";
        let document = parse_query(query).unwrap();
        assert_eq!(check(&document, WORK / 3), Ok(()));
        assert_eq!(check(&document, WORK / 3 + 1), Err(Refused::Work));
    }

    #[test]
    fn a_fragment_that_holds_itself_is_refused() {
        let circles = [
            "{ a ...f } fragment f on Query { b ...f }",
            "{ ...f } fragment f on Query { ...g } fragment g on Query { ...f }",
            "{ a } fragment f on Query { ...g } fragment g on Query { ... on Query { ...f } }",
        ];
        for query in circles {
            assert_eq!(refused(query), Some(Refused::Levels), "{query}");
        }
    }

    #[test]
    fn brackets_and_tokens_are_counted_as_the_parser_sees_them() {
        let nested = |text: &str, levels: usize| text.repeat(levels);
        let cases = [
            (nested("{a", NESTING), Ok(())),
            (nested("{a", NESTING + 1), Err(Refused::Nesting)),
            (nested("[", NESTING + 1), Err(Refused::Nesting)),
            (nested("{([", NESTING / 3 + 1), Err(Refused::Nesting)),
            (nested("{} ", NESTING * 9), Ok(())),
            (nested("a ", TOKENS), Ok(())),
            (nested("a ", TOKENS + 1), Err(Refused::Tokens)),
            (nested("@a", TOKENS / 2 + 1), Err(Refused::Tokens)),
            (nested("a", NAME), Ok(())),
            (nested("a", NAME + 1), Err(Refused::Name)),
            (format!("{{a(b: \"{}\")}}", nested("a", NAME + 1)), Ok(())),
            // In strings and comments there are no brackets.
            (format!("{{a(b: \"{}\")}}", nested("[", 100)), Ok(())),
            (format!("{{a(b: \"\\\"{}\")}}", nested("[", 100)), Ok(())),
            (
                format!("{{a(b: \"\"\"\n\"\\\"\"\"{}\"\"\")}}", nested("[", 100)),
                Ok(()),
            ),
            (format!("#{}\n{{a}}", nested("[", 100)), Ok(())),
            // Behind them there are.
            (format!("#\r{}", nested("[", 100)), Err(Refused::Nesting)),
            (format!("\"\" {}", nested("[", 100)), Err(Refused::Nesting)),
            (
                format!("\"\\\\\" {}", nested("[", 100)),
                Err(Refused::Nesting),
            ),
            (
                format!("\"\n{}", nested("[", 100)),
                Err(Refused::OpenString),
            ),
            // The parser takes the first two quotes for an empty string where a block does not end.
            (
                format!("{{a(b: [\"\"\" \" {}", nested("[", 100)),
                Err(Refused::OpenString),
            ),
            (
                format!("\"\"\"\"\"\"{}", nested("[", 100)),
                Err(Refused::Nesting),
            ),
            ("\"".to_owned(), Err(Refused::OpenString)),
            ("\"\\".to_owned(), Err(Refused::OpenString)),
            ("\"\"\"\\".to_owned(), Err(Refused::OpenString)),
        ];
        for (query, expected) in cases {
            assert_eq!(check_text(&query), expected, "{query:.80}");
        }
    }
}
