//! From a redaction file's text to its rules.

use sha2::{Digest, Sha256};

use super::file::{FilesRule, RedactionFile, RuleFile, RuleMap, RuleWord};
use super::json::Pointer;
use super::key::{DigestUse, RedactionKey};
use super::rule::{Domain, Rule, TextRule};
use super::texts::{INVALID, is_domain};
use crate::hex;
use crate::pipeline::{
    Entity, Entries, FileKind, Located, Mistake, PipelineError, Position, read_file,
};
use crate::snapshot::TableName;

/// What messages call a redaction file.
const REDACTION_FILE: FileKind = FileKind {
    what: "redaction file",
    name: "redaction file",
    begin: "`relexport redact init` makes one to begin with",
    docs: "docs/redaction.md",
    fewer: "fewer of them",
};

/// Hex digits of a hash: at least as many as tell the values of a large table apart.
const DIGITS: std::ops::RangeInclusive<u64> = 16..=64;

/// A redaction file, and the key by which values are hashed.
#[derive(Debug, Clone)]
pub struct Redaction {
    /// The file as the user named it.
    pub(super) source_name: String,
    /// SHA-256 of the file's bytes, lower-case hex.
    pub(crate) sha256: String,
    /// A backup's files are written as they are.
    pub(crate) keeps_files: bool,
    pub(super) columns: Vec<ColumnRule>,
    pub(super) key: Option<RedactionKey>,
}

/// The rule of a column, or of those that fit a pattern.
#[derive(Debug, Clone)]
pub(super) struct ColumnRule {
    pub(super) name: ColumnName,
    pub(super) rule: Rule,
    pub(super) position: Position,
}

/// A column as the file names it; a `*` stands for any letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnName {
    schema: Option<String>,
    table: String,
    column: String,
}

impl ColumnName {
    fn parse(text: &str) -> Option<ColumnName> {
        let mut parts = text.split('.').map(str::to_owned);
        let found = [parts.next(), parts.next(), parts.next()];
        let (schema, table, column) = match found {
            [Some(table), Some(column), None] => (None, table, column),
            [Some(schema), Some(table), Some(column)] => (Some(schema), table, column),
            _ => return None,
        };
        let is_whole = !table.is_empty() && !column.is_empty() && parts.next().is_none();
        (is_whole && schema.as_deref() != Some("")).then_some(ColumnName {
            schema,
            table,
            column,
        })
    }

    /// As the file has it.
    pub(super) fn shown(&self) -> String {
        let schema = self.schema.as_ref();
        let schema = schema.map_or_else(String::new, |schema| format!("{schema}."));
        format!("{schema}{}.{}", self.table, self.column)
    }

    /// True if it names one column, and not any that fit.
    pub(super) fn is_full(&self) -> bool {
        let parts = [self.schema.as_ref(), Some(&self.table), Some(&self.column)];
        !parts.into_iter().flatten().any(|part| part.contains('*'))
    }

    /// True if it means this column. A name without a schema means the table in any.
    pub(super) fn fits(&self, table: &TableName, column: &str) -> bool {
        let schema = self.schema.as_ref();
        schema.is_none_or(|schema| fits(schema, &table.schema))
            && fits(&self.table, &table.name)
            && fits(&self.column, column)
    }
}

/// True if a text fits a pattern.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    true
}

impl Redaction {
    /// Reads a redaction file. `source_name` is what messages call it. Limits are those of pipeline files.
    ///
    /// # Errors
    /// Every mistake with its place; text that is no YAML, or YAML of another shape, is reported alone.
    pub fn parse(text: &str, source_name: &str) -> Result<Redaction, PipelineError> {
        let fail = |mistakes| PipelineError {
            source_name: source_name.to_owned(),
            mistakes,
        };
        let file: RedactionFile =
            read_file(text, &REDACTION_FILE).map_err(|mistake| fail(vec![mistake]))?;
        let mut reader = Reader::default();
        let columns = reader.columns(&file.columns);
        if !reader.mistakes.is_empty() {
            reader.mistakes.sort();
            return Err(fail(reader.mistakes));
        }
        Ok(Redaction {
            source_name: source_name.to_owned(),
            sha256: hex::encode(&Sha256::digest(text)),
            keeps_files: file.files == Some(FilesRule::Keep),
            columns,
            key: None,
        })
    }

    /// With the key by which values are hashed.
    pub(crate) fn with_key(mut self, key: RedactionKey) -> Redaction {
        self.key = Some(key);
        self
    }

    /// What tells its key from others.
    pub(crate) fn key_id(&self) -> Option<String> {
        self.key.as_ref().map(RedactionKey::id)
    }

    /// What stands for the name by which a user called an entity, where only the same names have to be told.
    pub(crate) fn name_digest(&self, name: &str) -> String {
        match &self.key {
            Some(key) => hex::encode(&key.digest(DigestUse::Choice, name.as_bytes())),
            None => hex::encode(&Sha256::digest(name)),
        }
    }

    /// True if there is a rule for a column that names entities.
    pub(crate) fn hides_names_of(&self, entity: &Entity) -> bool {
        let own = entity
            .path
            .iter()
            .chain(&entity.segment)
            .chain(&entity.name);
        let own = own.map(|column| (&entity.table, column));
        let lookups = entity.paths.iter();
        let mut names = own.chain(lookups.map(|lookup| (&lookup.table, &lookup.path)));
        names.any(|(table, column)| {
            let mut rules = self.columns.iter();
            rules.any(|rule| rule.rule != Rule::Keep && rule.name.fits(table, column))
        })
    }

    /// True if some rule cannot be followed without a key.
    pub(crate) fn needs_key(&self) -> bool {
        self.columns.iter().any(|column| column.rule.needs_key())
    }
}

/// Turns what the YAML says into rules, and gathers what is wrong.
#[derive(Default)]
struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn wrong(&mut self, position: Position, message: impl Into<String>) {
        self.mistakes.push(Mistake::new(position, message));
    }

    fn columns(&mut self, entries: &Entries<Located<RuleFile>>) -> Vec<ColumnRule> {
        let mut columns: Vec<ColumnRule> = Vec::new();
        for (name, rule) in entries.iter() {
            let rule = self.rule(rule, true);
            let Some(column) = ColumnName::parse(&name.value) else {
                self.wrong(
                    name.position,
                    format!(
                        "`{}` names no column; write the table and the column: `users.email`",
                        name.value
                    ),
                );
                continue;
            };
            // A rule that is wrong has been noted.
            if let Some(rule) = rule {
                columns.push(ColumnRule {
                    name: column,
                    rule,
                    position: name.position,
                });
            }
        }
        columns
    }

    /// A rule; `None` if it is wrong.
    fn rule(&mut self, file: &Located<RuleFile>, may_go_inside: bool) -> Option<Rule> {
        match &file.value {
            RuleFile::Word(word) => Some(match word {
                RuleWord::Keep => Rule::Keep,
                RuleWord::Null => Rule::Null,
                RuleWord::Hash => Rule::Texts(TextRule::Hash {
                    prefix: String::new(),
                    characters: 64,
                }),
                RuleWord::Email => Rule::Texts(TextRule::Email(Domain::Of(INVALID.to_owned()))),
                RuleWord::Name => Rule::Texts(TextRule::Name),
            }),
            RuleFile::Map(map) => self.rule_of_map(map, file.position, may_go_inside),
        }
    }

    fn rule_of_map(
        &mut self,
        map: &RuleMap,
        position: Position,
        may_go_inside: bool,
    ) -> Option<Rule> {
        let RuleMap {
            constant,
            hash,
            email,
            inside,
        } = map;
        match (constant, hash, email, inside) {
            (Some(constant), None, None, None) => match constant.value.is_null() {
                true => {
                    self.wrong(constant.position, "a constant cannot be null; write `null`");
                    None
                }
                false => Some(Rule::Constant(constant.value.clone())),
            },
            (None, Some(hash), None, None) => {
                let characters = match &hash.characters {
                    Some(given) if !DIGITS.contains(&given.value) => {
                        self.wrong(
                            given.position,
                            "a hash has from 16 to 64 characters; write a number of these",
                        );
                        return None;
                    }
                    Some(given) => usize::try_from(given.value).ok()?,
                    None => 64,
                };
                Some(Rule::Texts(TextRule::Hash {
                    prefix: hash.prefix.clone().unwrap_or_default(),
                    characters,
                }))
            }
            (None, None, Some(email), None) => {
                let domain = match email.domain.value.as_str() {
                    "keep" => Domain::Kept,
                    domain if is_domain(domain) => Domain::Of(domain.to_owned()),
                    _ => {
                        self.wrong(
                            email.domain.position,
                            "this is no domain; write one (`example.org`), or `keep`",
                        );
                        return None;
                    }
                };
                Some(Rule::Texts(TextRule::Email(domain)))
            }
            (None, None, None, Some(inside)) if may_go_inside => self.inside(inside),
            (None, None, None, Some(_)) => {
                self.wrong(
                    position,
                    "`inside` cannot stand in another one; write a longer pointer",
                );
                None
            }
            _ => {
                self.wrong(
                    position,
                    "a rule needs one of `constant`, `hash`, `email` and `inside`; write one",
                );
                None
            }
        }
    }

    fn inside(&mut self, entries: &Entries<Located<RuleFile>>) -> Option<Rule> {
        let mut parts = Vec::new();
        for (name, rule) in entries.iter() {
            let rule = self.rule(rule, false);
            match (Pointer::parse(&name.value), rule) {
                (Some(pointer), Some(rule)) => parts.push((pointer, rule)),
                (Some(_), None) => {}
                (None, _) => self.wrong(
                    name.position,
                    "a pointer is empty, or begins with `/`, as `/author/email` does; write it so",
                ),
            }
        }
        (parts.len() == entries.iter().count()).then_some(Rule::Inside(parts))
    }
}
