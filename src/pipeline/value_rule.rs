//! Value rules: how a value is written where its column's type alone does not say it.

use std::collections::BTreeMap;

use super::decoding::{BytesRule, YamlRule};
use super::model::Condition;

/// How a column's value is written where its type alone does not say it. `C` is what the conditions of cases are: those of
/// the pipeline, or what a plan made of them.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueRule<C = Condition> {
    /// An integer written as its name; one without a name stays a number.
    Names(BTreeMap<i64, String>),
    /// NULL is written as this JSON text.
    NullAs(String),
    /// NULL is written as the value of another column of the row.
    NullAsColumn(String),
    /// `{"<field>": null}` where the column is NULL or empty, else `{"<field>": "<text>"}`.
    Object {
        field: String,
        template: Vec<TemplatePart>,
    },
    /// This JSON text, whatever the column holds.
    Constant(String),
    /// The value of another column of the row, by that column's type.
    Column(String),
    /// A text made of columns of the row.
    Text {
        template: Vec<TemplatePart>,
        digest: Option<Digest>,
    },
    /// The value of a key of a row that is nested in this one.
    Of(ValuePath),
    /// The number of rows that stand under a nested key.
    Count(String),
    /// Words made of a part of a path.
    Title(TitlePart),
    /// The YAML that the text is, as JSON.
    Yaml(YamlRule),
    /// The bytes that the text stands for, as text.
    Bytes(BytesRule),
    /// A part of a file that a backup holds beside its databases.
    File(FileSlice),
    /// What a project's repository says.
    Repository(RepositoryRule),
    /// As the column's type says: a case in which nothing else holds.
    Plain,
    /// The first case that holds, or as the column's type says if none does.
    Cases(Vec<Case<C>>),
}

/// A rule that holds under conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Case<C = Condition> {
    /// All of them must hold.
    pub when: Vec<C>,
    pub rule: ValueRule<C>,
}

impl<C> ValueRule<C> {
    /// The rule with other conditions.
    ///
    /// # Errors
    /// The first one of `map`.
    pub fn try_map<D, E>(
        &self,
        map: &mut impl FnMut(&C) -> Result<D, E>,
    ) -> Result<ValueRule<D>, E> {
        Ok(match self {
            ValueRule::Names(names) => ValueRule::Names(names.clone()),
            ValueRule::NullAs(json) => ValueRule::NullAs(json.clone()),
            ValueRule::NullAsColumn(column) => ValueRule::NullAsColumn(column.clone()),
            ValueRule::Object { field, template } => ValueRule::Object {
                field: field.clone(),
                template: template.clone(),
            },
            ValueRule::Constant(json) => ValueRule::Constant(json.clone()),
            ValueRule::Column(column) => ValueRule::Column(column.clone()),
            ValueRule::Text { template, digest } => ValueRule::Text {
                template: template.clone(),
                digest: *digest,
            },
            ValueRule::Of(path) => ValueRule::Of(path.clone()),
            ValueRule::Count(nested) => ValueRule::Count(nested.clone()),
            ValueRule::Title(part) => ValueRule::Title(part.clone()),
            ValueRule::Yaml(rule) => ValueRule::Yaml(rule.clone()),
            ValueRule::Bytes(rule) => ValueRule::Bytes(*rule),
            ValueRule::File(slice) => ValueRule::File(slice.clone()),
            ValueRule::Repository(rule) => ValueRule::Repository(rule.clone()),
            ValueRule::Plain => ValueRule::Plain,
            ValueRule::Cases(cases) => {
                let mut mapped = Vec::with_capacity(cases.len());
                for case in cases {
                    let when = case.when.iter().map(&mut *map);
                    mapped.push(Case {
                        when: when.collect::<Result<_, E>>()?,
                        rule: case.rule.try_map(map)?,
                    });
                }
                ValueRule::Cases(mapped)
            }
        })
    }

    /// Columns of the row that the rule looks at, besides its own and those of conditions.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            ValueRule::NullAsColumn(column) | ValueRule::Column(column) => vec![column],
            ValueRule::Object { template, .. } | ValueRule::Text { template, .. } => {
                columns_of(template)
            }
            ValueRule::File(slice) => {
                let mut columns = columns_of(&slice.path);
                columns.extend([slice.offset.as_str(), slice.size.as_str()]);
                columns
            }
            ValueRule::Repository(rule) => {
                let columns = [Some(&rule.project), rule.branch.as_ref()];
                columns.into_iter().flatten().map(String::as_str).collect()
            }
            ValueRule::Title(part) => vec![&part.column],
            ValueRule::Cases(cases) => cases.iter().flat_map(|case| case.rule.columns()).collect(),
            ValueRule::Names(_)
            | ValueRule::NullAs(_)
            | ValueRule::Constant(_)
            | ValueRule::Of(_)
            | ValueRule::Count(_)
            | ValueRule::Yaml(_)
            | ValueRule::Bytes(_)
            | ValueRule::Plain => Vec::new(),
        }
    }

    /// Columns of its templates: without one of them there is no text.
    pub fn template_columns(&self) -> Vec<&str> {
        match self {
            ValueRule::Object { template, .. } | ValueRule::Text { template, .. } => {
                columns_of(template)
            }
            ValueRule::File(slice) => columns_of(&slice.path),
            ValueRule::Cases(cases) => {
                let cases = cases.iter();
                cases
                    .flat_map(|case| case.rule.template_columns())
                    .collect()
            }
            ValueRule::Names(_)
            | ValueRule::NullAs(_)
            | ValueRule::NullAsColumn(_)
            | ValueRule::Constant(_)
            | ValueRule::Column(_)
            | ValueRule::Of(_)
            | ValueRule::Count(_)
            | ValueRule::Title(_)
            | ValueRule::Yaml(_)
            | ValueRule::Bytes(_)
            | ValueRule::Repository(_)
            | ValueRule::Plain => Vec::new(),
        }
    }

    /// The rules that it is made of, itself first.
    pub fn rules(&self) -> Vec<&ValueRule<C>> {
        let mut rules = vec![self];
        if let ValueRule::Cases(cases) = self {
            rules.extend(cases.iter().flat_map(|case| case.rule.rules()));
        }
        rules
    }

    /// The conditions of all its cases.
    pub fn conditions(&self) -> Vec<&C> {
        let ValueRule::Cases(cases) = self else {
            return Vec::new();
        };
        let cases = cases.iter();
        cases
            .flat_map(|case| case.when.iter().chain(case.rule.conditions()))
            .collect()
    }
}

/// A piece of a template such as `/avatar/{id}/{avatar}`.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplatePart {
    Text(String),
    Column(String),
}

/// The columns of a template.
fn columns_of(template: &[TemplatePart]) -> Vec<&str> {
    let parts = template.iter();
    let columns = parts.filter_map(|part| match part {
        TemplatePart::Column(column) => Some(column.as_str()),
        TemplatePart::Text(_) => None,
    });
    columns.collect()
}

/// A part of a file of external diffs.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSlice {
    pub path: Vec<TemplatePart>,
    /// The column with the position of its first byte.
    pub offset: String,
    /// The column with the number of its bytes.
    pub size: String,
    pub bytes: BytesRule,
}

/// What a project's repository says: the object id of a branch, or the name of the default branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRule {
    /// The column with the project's id.
    pub project: String,
    /// The column with the branch's name.
    pub branch: Option<String>,
}

/// What a text is digested with; lower-case hex is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    Sha1,
}

/// A key of a row that is nested in a row, at any depth: the first row of each nested key counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuePath {
    /// The nested keys from the row inwards; at least one.
    pub nested: Vec<String>,
    /// A column, by its name in the table, or a computed key.
    pub key: String,
}

/// A part of a path, as words: `my-org` is `My Org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TitlePart {
    /// The column with the path, or with an address that has one.
    pub column: String,
    /// What the parts stand behind.
    pub behind: String,
    /// Which of the parts, which `/` divides, from 1.
    pub part: usize,
}
