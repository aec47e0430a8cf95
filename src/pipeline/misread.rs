//! What is said of a pipeline file that is no YAML, or YAML of another shape: in this project's words, whatever the
//! library that reads it says.

use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

use super::error::Mistake;
use super::reading::FileKind;
use super::tree::{MatchedBy, Tree, TreeMatch};
use super::yaml::Position;

/// How like a known key an unknown one must be for it to be meant: 1 is equal.
const ALIKE: f64 = 0.75;

/// What is wrong, of an error of the YAML reader. `read` gives the file as plain YAML, if it is YAML at all; what is
/// wrong with a file that unfolds into too much is said without.
pub(super) fn mistake(error: &Error, kind: &FileKind, read: &dyn Fn() -> Option<Tree>) -> Mistake {
    let error = error.without_snippet();
    if let Error::AliasError { error: inner, .. } = error {
        let mut mistake = mistake(inner, kind, read);
        // Where the alias is used counts, because there its value does not fit.
        let position = position_of(error);
        (mistake.line, mistake.column) = (position.line, position.column);
        return mistake;
    }
    let position = position_of(error);
    let message = match text_alone(error, kind) {
        Some(message) => message,
        None => {
            let tree = read();
            let found = tree.as_ref().map(|tree| tree.find(position));
            shape(error, kind, &found.unwrap_or_default(), tree.as_ref())
        }
    };
    Mistake::new(position, message)
}

fn position_of(error: &Error) -> Position {
    error
        .location()
        .map_or(Position::default(), |location| Position {
            line: location.line(),
            column: location.column(),
        })
}

/// What is said of a value of another kind, or of a key that is missing: with the place in the tree.
fn shape(error: &Error, kind: &FileKind, found: &[TreeMatch<'_>], tree: Option<&Tree>) -> String {
    let inner = found.last();
    match error {
        Error::Unexpected { expected, .. } => needs(kind, found, tree, &expected_kind(expected)),
        Error::NullIntoString { .. } | Error::QuotingRequired { .. } => {
            needs(kind, found, tree, &ExpectedKind::Text)
        }
        Error::InvalidBooleanStrict { .. } => needs(kind, found, tree, &ExpectedKind::Boolean),
        Error::InvalidScalar { ty, .. } => needs(kind, found, tree, &expected_kind(ty)),
        Error::UnexpectedValueForUnit { .. } => needs(kind, found, tree, &ExpectedKind::Null),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Error::ExpectedStringKeyForExternallyTaggedEnum { .. }
        | Error::UnexpectedValueForUnitEnumVariant { .. }
        | Error::ExpectedMappingEndAfterEnumVariantValue { .. } => {
            needs(kind, found, tree, &ExpectedKind::Word)
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            needs(kind, found, tree, &expected_kind(expected))
        }
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => format!(
            "{} cannot be `{variant}`; write {}",
            subject(inner),
            alternatives(expected)
        ),
        Error::SerdeMissingField { field, .. } => match map_around(found) {
            [] => format!("the {} lacks `{field}`; add it", kind.what),
            path => format!("`{}` lacks `{field}`; add it", path.join(".")),
        },
        // These texts are the pipeline types' own.
        Error::Message { msg, .. } => match inner {
            Some(found) => format!("`{}` is wrong: {msg}", found.path.join(".")),
            None => msg.clone(),
        },
        // The rest cannot come from a pipeline's types and options, or says no more than this.
        _ => NO_YAML.to_owned(),
    }
}

/// The keys that lead to the map that a key is missing from: the reader tells of it by its own place, or by that of
/// its first key.
fn map_around<'f>(found: &'f [TreeMatch<'_>]) -> &'f [&'f str] {
    let of_value = found
        .iter()
        .find(|found| found.at == MatchedBy::Value && matches!(found.tree, Tree::Map(_)));
    match (of_value, found.first()) {
        (Some(map), _) => &map.path,
        (None, Some(key)) => key.path.split_last().map_or(&[], |(_, above)| above),
        (None, None) => &[],
    }
}

/// What is said without looking at the file again; `None` for what [`shape`] knows.
fn text_alone(error: &Error, kind: &FileKind) -> Option<String> {
    let text = match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => return Some(unknown_key(field, expected)),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            return Some(format!(
                "`{key}` stands twice in one map; rename or remove one of them"
            ));
        }
        Error::DuplicateMappingKey { key: None, .. } => {
            "a key stands twice in one map; rename or remove one of them"
        }
        Error::NonFiniteFloat { .. } => {
            "this is no number that a column can hold; write digits, or a text in quotes"
        }
        Error::Eof { .. } => "the file holds no {file}, it is empty; {begin}",
        Error::MultipleDocuments { .. } => {
            "the file holds several YAML documents; keep one, without a line `---` behind it"
        }
        Error::InvalidUtf8Input => "the file is not UTF-8; save it as such",
        Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            "`<<` takes in a map or a list of maps, and this is neither; give it the alias of a map"
        }
        Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. }
        | Error::UnsupportedTag { .. }
        | Error::TaggedEnumMismatch { .. }
        | Error::TaggedStructFieldName { .. } => {
            "a tag (`!…`) cannot stand in a {file}; leave it out"
        }
        Error::UnknownAnchor { .. } => NO_ANCHOR,
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an alias (`*…`) cannot stand inside its own anchor (`&…`); write the value out"
        }
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "the file's aliases (`*…`) unfold into too much; use {fewer}"
        }
        Error::Budget { breach, .. } => budget(breach),
        Error::ExternalMessage { msg, .. } => syntax(msg),
        _ => return None,
    };
    Some(kind.named(text))
}

/// What a place of the file takes.
enum ExpectedKind<'a> {
    Text,
    Texts,
    List,
    Map,
    Integer,
    Boolean,
    Null,
    Word,
    /// As a type of the pipeline says it.
    Said(&'a str),
}

/// What is wanted, of the reader's name for it.
fn expected_kind(expected: &str) -> ExpectedKind<'_> {
    match expected {
        "string scalar" | "a string" | "string" => ExpectedKind::Text,
        "a text or a list of texts" => ExpectedKind::Texts,
        "sequence start" | "a sequence" => ExpectedKind::List,
        "mapping start" => ExpectedKind::Map,
        "i64" | "u64" => ExpectedKind::Integer,
        "bool" | "a boolean" => ExpectedKind::Boolean,
        // What serde calls a type that is made of named keys.
        expected if expected.starts_with("struct ") => ExpectedKind::Map,
        expected => ExpectedKind::Said(expected),
    }
}

fn needs(
    file: &FileKind,
    found: &[TreeMatch<'_>],
    tree: Option<&Tree>,
    needed: &ExpectedKind<'_>,
) -> String {
    // Of several parts at one place it is the innermost that is not what is wanted.
    let Some(found) = found.iter().rev().find(|found| !needed.is(found.tree)) else {
        // A file that is no map at all has no part that could be found.
        return match tree.filter(|tree| !matches!(tree, Tree::Map(_))) {
            Some(tree) => format!(
                "the file is {}, where the map of a {} is needed; {}",
                tree.kind(),
                file.what,
                file.begin
            ),
            None => format!("{} is needed here; write one", needed.what()),
        };
    };
    let kind = found.tree.kind();
    let hint = |key: &str| match needed {
        ExpectedKind::Text => match found.tree {
            Tree::Integer | Tree::Float { .. } | Tree::Boolean => {
                "write one name or text; if this is one, put it in quotes".to_owned()
            }
            Tree::Null | Tree::List(_) | Tree::Map(_) | Tree::Text(_) => {
                "write one name or text".to_owned()
            }
        },
        ExpectedKind::Texts => {
            format!(
                "write one name, in quotes if it is a number, or a list: `{key}: [first, second]`"
            )
        }
        ExpectedKind::List => format!("write it as `{key}: [first, second]`"),
        ExpectedKind::Map => format!("write it as `{key}: {{ key: value }}`"),
        ExpectedKind::Integer => "write digits, without quotes".to_owned(),
        ExpectedKind::Boolean => "write one of them, without quotes".to_owned(),
        ExpectedKind::Null => "write `null`".to_owned(),
        ExpectedKind::Word | ExpectedKind::Said(_) => format!("{} has examples", file.docs),
    };
    let what = needed.what();
    match (found.at, found.path.split_last()) {
        (MatchedBy::OddKey, _) => format!(
            "a key of `{}` is {kind}, where {what} is needed; {}",
            found.path.join("."),
            hint("")
        ),
        // The reader tells of a value that should be an integer by its own place.
        (MatchedBy::Key, Some((key, above))) if matches!(needed, ExpectedKind::Integer) => format!(
            "the key `{key}` of `{}` is a text, where {what} is needed; {}",
            above.join("."),
            hint(key)
        ),
        (_, Some((key, _))) => format!(
            "`{}` is {kind}, where {what} is needed; {}",
            found.path.join("."),
            hint(key)
        ),
        (_, None) => format!("{what} is needed here; write one"),
    }
}

impl ExpectedKind<'_> {
    /// True if a part is of the wanted kind, so that it cannot be the wrong one.
    fn is(&self, tree: &Tree) -> bool {
        match self {
            ExpectedKind::Text => matches!(tree, Tree::Text(_)),
            ExpectedKind::Texts => matches!(tree, Tree::Text(_) | Tree::List(_)),
            ExpectedKind::List => matches!(tree, Tree::List(_)),
            ExpectedKind::Map => matches!(tree, Tree::Map(_)),
            ExpectedKind::Integer => matches!(tree, Tree::Integer),
            ExpectedKind::Boolean => matches!(tree, Tree::Boolean),
            ExpectedKind::Null => matches!(tree, Tree::Null),
            ExpectedKind::Word | ExpectedKind::Said(_) => false,
        }
    }

    fn what(&self) -> &str {
        match self {
            ExpectedKind::Text => "a text",
            ExpectedKind::Texts => "a text or a list of texts",
            ExpectedKind::List => "a list",
            ExpectedKind::Map => "a map",
            ExpectedKind::Integer => "an integer",
            ExpectedKind::Boolean => "true or false",
            ExpectedKind::Null => "null",
            ExpectedKind::Word => "one word",
            ExpectedKind::Said(what) => what,
        }
    }
}

/// The part that a mistake is in.
fn subject(found: Option<&TreeMatch<'_>>) -> String {
    found.map_or("this".to_owned(), |found| {
        format!("`{}`", found.path.join("."))
    })
}

fn unknown_key(field: &str, known: &[&str]) -> String {
    let alike = known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(field, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match alike {
        Some((_, known)) => format!("there is no key `{field}` here; did you mean `{known}`?"),
        None => format!(
            "there is no key `{field}` here; the keys are {}",
            listed(known, "and")
        ),
    }
}

fn alternatives(words: &[&str]) -> String {
    match words {
        [word] => format!("`{word}`, or leave it out"),
        words => listed(words, "or"),
    }
}

/// `a`, `b` and `c`.
fn listed(words: &[&str], last: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, before)) => format!("{} {last} {end}", before.join(", ")),
        None => String::new(),
    }
}

fn budget(breach: &BudgetBreach) -> &'static str {
    match breach {
        BudgetBreach::Depth { .. } => {
            "the file is nested deeper than any {file}; close what is open, or nest less deep"
        }
        BudgetBreach::Documents { .. } => {
            "the file holds several YAML documents; keep one, without a line `---` behind it"
        }
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } => {
            "the file has more anchors and aliases than are read; use {fewer}"
        }
        _ => "the file holds more than any {file}; name a {name}",
    }
}

const NO_ANCHOR: &str =
    "this alias (`*…`) has no anchor before it; define one with `&…`, or write the value out";

const NO_YAML: &str = "from here on the file is no YAML; look at brackets, quotes and indentation in this line and above";

/// What the YAML reader stumbled over, of its own words for it. They are not to be relied on, so other words of a
/// later version lead to [`NO_YAML`].
fn syntax(said: &str) -> &'static str {
    let kinds = [
        (
            "unclosed bracket",
            "this bracket is never closed; close it with `]` or `}`",
        ),
        (
            "misplaced bracket",
            "this bracket closes nothing; remove it, or open one before it",
        ),
        (
            "expected ',' or '}'",
            "a comma or `}` is missing before this; add it",
        ),
        (
            "expected ',' or ']'",
            "a comma or `]` is missing before this; add it",
        ),
        (
            "unclosed quote",
            "this quote is never closed; close it with the same one",
        ),
        (
            "escape",
            "this text in double quotes has a `\\` that stands for nothing; write `\\\\`, or use single quotes",
        ),
        (
            "tabs",
            "a tab indents this line, and YAML does not take tabs there; use spaces",
        ),
        (
            "expected key",
            "this line is not indented as those beside it; use the same number of spaces",
        ),
        (
            "mapping values are not allowed",
            "a second `:` stands in one line; put the text into quotes, or what follows into a line of its own",
        ),
        (
            "unknown anchor",
            "this alias (`*…`) has no anchor before it; define one with `&…`, or write the value out",
        ),
        (
            "unexpected character",
            "no value can begin with this character; put the text into quotes",
        ),
        (
            "directive",
            "a directive (`%…`) cannot stand in a {file}; leave it out",
        ),
        (
            "YAML major version",
            "a directive (`%…`) cannot stand in a {file}; leave it out",
        ),
        ("tag", "a tag (`!…`) cannot stand in a {file}; leave it out"),
    ];
    kinds
        .into_iter()
        .find(|(part, _)| said.contains(part))
        .map_or(NO_YAML, |(_, ours)| ours)
}
