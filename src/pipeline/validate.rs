//! From the file's types to the model, gathering every mistake on the way.
//!
//! A part with a mistake still yields something of its shape, so that the mistakes behind it are found too; the
//! outcome is thrown away if there was any.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::error::Mistake;
use super::file::{
    EditionFile, EntityFile, NodeFile, PipelineFile, TableFile, ValueFile, ValueFormFile,
};
use super::model::*;
use super::notation::{NameMap, NamesFile, TestFile, WhereFile};
use super::yaml::{Entries, Located, Position, Scalar};

/// How many bytes of text a pipeline may have once its shapes are put in where they are used.
const MAX_EXPANDED: usize = 16 << 20;

/// Turns a file into the model. The mistakes come in the order of the file, each once.
pub(super) fn pipeline(file: &PipelineFile, sha256: String) -> Result<Pipeline, Vec<Mistake>> {
    let mut validator = Validator::new(file);
    let pipeline = validator.pipeline(sha256);
    // A tree that was cut off says nothing about what is used.
    if validator.expanded <= MAX_EXPANDED {
        validator.unused();
    }
    if validator.mistakes.is_empty() {
        Ok(pipeline)
    } else {
        Err(validator.mistakes.into_iter().collect())
    }
}

/// What is known while the file is walked.
pub(super) struct Validator<'a> {
    file: &'a PipelineFile,
    names: HashMap<&'a str, &'a NameMap>,
    shapes: HashMap<&'a str, &'a NodeFile>,
    keys: HashMap<&'a str, &'a str>,
    mistakes: BTreeSet<Mistake>,
    used_names: BTreeSet<&'a str>,
    used_shapes: BTreeSet<&'a str>,
    expanded: usize,
}

impl<'a> Validator<'a> {
    fn new(file: &'a PipelineFile) -> Self {
        let keys = file.tables.iter().filter_map(|(table, rules)| {
            Some((table.value.as_str(), rules.key.as_ref()?.value.as_str()))
        });
        let keys = keys.collect();
        Validator {
            file,
            names: file
                .names
                .iter()
                .map(|(name, map)| (name.value.as_str(), map))
                .collect(),
            shapes: file
                .shapes
                .iter()
                .map(|(name, shape)| (name.value.as_str(), shape))
                .collect(),
            keys,
            mistakes: BTreeSet::new(),
            used_names: BTreeSet::new(),
            used_shapes: BTreeSet::new(),
            expanded: 0,
        }
    }

    pub(super) fn mistake(&mut self, position: Position, message: impl Into<String>) {
        self.mistakes.insert(Mistake::new(position, message));
    }

    /// Counts text that is copied into the model. False once there is too much of it, which ends the expansion:
    /// shapes that use shapes can grow without bound from a small file.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        self.expanded = self.expanded.saturating_add(bytes);
        let within = self.expanded <= MAX_EXPANDED;
        if !within {
            let message = "the pipeline is too large with its shapes put in where they are used; use fewer of them";
            self.mistake(Position::default(), message);
        }
        within
    }

    /// A name of a table or column.
    pub(super) fn text(&mut self, text: &Located<String>) -> String {
        if text.value.is_empty() || text.value.contains('\0') {
            self.mistake(
                text.position,
                "a name of a table or column cannot be empty; name one",
            );
        }
        if self.spend(text.value.len() + 32) {
            text.value.clone()
        } else {
            String::new()
        }
    }

    pub(super) fn optional(&mut self, text: Option<&Located<String>>) -> Option<String> {
        text.map(|text| self.text(text))
    }

    /// The primary key column of a table.
    pub(super) fn key_of(&self, table: &str) -> String {
        self.keys.get(table).copied().unwrap_or("id").to_owned()
    }

    pub(super) fn shape(&mut self, name: &'a Located<String>) -> Option<&'a NodeFile> {
        let shape = self.shapes.get(name.value.as_str()).copied();
        if shape.is_some() {
            self.used_shapes.insert(&name.value);
        } else {
            self.mistake(
                name.position,
                format!(
                    "there is no shape `{}`; define it under `shapes`",
                    name.value
                ),
            );
        }
        shape
    }

    fn pipeline(&mut self, sha256: String) -> Pipeline {
        let file = self.file;
        let name = &file.pipeline;
        if !is_file_name(&name.value) {
            self.mistake(
                name.position,
                "a pipeline's name has 1 to 100 of a-z, 0-9 and _; choose another",
            );
        }
        if file.relations.0.is_empty() {
            self.mistake(
                name.position,
                "the pipeline has no relations; add at least one under `relations`",
            );
        }
        Pipeline {
            name: name.value.clone(),
            sha256,
            entity: self.entity(&file.entity),
            values: match file.values {
                None | Some(ValueFormFile::Gitlab) => ValueForm::Gitlab,
                Some(ValueFormFile::Exact) => ValueForm::Exact,
            },
            tables: file
                .tables
                .iter()
                .map(|(table, rules)| self.table(table, rules))
                .collect(),
            everywhere: self.values(&file.everywhere),
            relations: file
                .relations
                .iter()
                .map(|(name, relation)| self.relation(name, relation))
                .collect(),
        }
    }

    fn entity(&mut self, entity: &EntityFile) -> Entity {
        let EntityFile {
            kind,
            table,
            key,
            r#where,
            prefix,
            name,
            parent,
            ancestors,
            segment,
            paths,
        } = entity;
        if !is_folder_name(&prefix.value) {
            self.mistake(
                prefix.position,
                "`prefix` is one folder's name: it has {key} in it once, beside it only a-z, A-Z, 0-9, _ and -; \
                 for instance \"group_{key}\"",
            );
        }
        Entity {
            kind: self.text(kind),
            table: self.text(table),
            key: self
                .optional(key.as_ref())
                .unwrap_or_else(|| self.key_of(&table.value)),
            filter: self.filter(r#where.as_ref()),
            prefix: prefix.value.clone(),
            name: self.optional(name.as_ref()),
            parent: self.optional(parent.as_ref()),
            ancestors: self.optional(ancestors.as_ref()),
            segment: self.optional(segment.as_ref()),
            paths: paths
                .iter()
                .map(|path| PathLookup {
                    table: self.text(&path.table),
                    key: self.text(&path.key),
                    path: self.text(&path.path),
                    filter: self.filter(path.r#where.as_ref()),
                    former: path.former,
                })
                .collect(),
        }
    }

    fn table(&mut self, name: &Located<String>, rules: &'a TableFile) -> (String, TableRules) {
        let key = self
            .optional(rules.key.as_ref())
            .unwrap_or_else(|| "id".to_owned());
        (
            self.text(name),
            TableRules {
                key,
                values: self.values(&rules.values),
            },
        )
    }

    fn values(&mut self, values: &'a Entries<Located<ValueFile>>) -> BTreeMap<String, ValueRule> {
        values
            .iter()
            .filter_map(|(column, value)| Some((self.text(column), self.value(value)?)))
            .collect()
    }

    fn value(&mut self, rule: &'a Located<ValueFile>) -> Option<ValueRule> {
        let ValueFile {
            names,
            null_as,
            null_as_column,
            object,
            template,
        } = &rule.value;
        match (names, null_as, null_as_column, object, template) {
            (Some(names), None, None, None, None) => Some(ValueRule::Names(self.names(names))),
            (None, Some(value), None, None, None) => Some(ValueRule::NullAs(value.value.to_json())),
            (None, None, Some(column), None, None) => {
                Some(ValueRule::NullAsColumn(self.text(column)))
            }
            (None, None, None, Some(field), Some(template)) => Some(ValueRule::Object {
                field: field.value.clone(),
                template: self.template(template),
            }),
            _ => {
                self.mistake(
                    rule.position,
                    "the rule is not clear; give one of `names`, `null_as`, `null_as_column`, and `object` with `template`",
                );
                None
            }
        }
    }

    fn template(&mut self, template: &Located<String>) -> Vec<TemplatePart> {
        parse_template(&template.value).unwrap_or_else(|| {
            let message =
                "the braces of the template do not pair; write {column} for the value of a column";
            self.mistake(template.position, message);
            Vec::new()
        })
    }

    pub(super) fn names(&mut self, names: &'a Located<NamesFile>) -> BTreeMap<i64, String> {
        let map = match &names.value {
            NamesFile::Inline(map) => map,
            NamesFile::Reference(name) => {
                self.used_names.insert(name);
                let Some(map) = self.names.get(name.as_str()).copied() else {
                    let message =
                        format!("there is no set of names `{name}`; define it under `names`");
                    self.mistake(names.position, message);
                    return BTreeMap::new();
                };
                map
            }
        };
        let NameMap { 0: map } = map;
        if map.is_empty() {
            self.mistake(
                names.position,
                "the set of names is empty; name at least one integer, or leave the rule out",
            );
        }
        if self.spend(map.iter().map(|(_, name)| name.len() + 64).sum()) {
            map.iter().cloned().collect()
        } else {
            BTreeMap::new()
        }
    }

    pub(super) fn filter(&mut self, filter: Option<&WhereFile>) -> Vec<Condition> {
        let Some(filter) = filter else {
            return Vec::new();
        };
        filter
            .iter()
            .map(|(column, test)| self.condition(column, test))
            .collect()
    }

    fn condition(&mut self, column: &Located<String>, test: &Located<TestFile>) -> Condition {
        let test = match &test.value {
            TestFile::Null => Test::Null,
            TestFile::NotNull => Test::NotNull,
            TestFile::Above(bound) => Test::Above(*bound),
            TestFile::Below(bound) => Test::Below(*bound),
            TestFile::In(values) => {
                if values.is_empty() {
                    self.mistake(
                        test.position,
                        "an empty list holds for no row; name at least one value",
                    );
                }
                if values.contains(&Scalar::Null) {
                    self.mistake(
                        test.position,
                        "null cannot stand in a list of values; test for it alone",
                    );
                }
                let texts: Vec<String> = values.iter().filter_map(Scalar::to_sql).collect();
                if self.spend(texts.iter().map(|text| text.len() + 32).sum()) {
                    Test::In(texts)
                } else {
                    Test::In(Vec::new())
                }
            }
        };
        Condition {
            column: self.text(column),
            test,
        }
    }

    /// What nothing refers to is most often a misspelt name.
    fn unused(&mut self) {
        let file = self.file;
        for (name, _) in file
            .names
            .iter()
            .filter(|(name, _)| !self.used_names.contains(name.value.as_str()))
        {
            self.mistakes.insert(Mistake::new(
                name.position,
                format!("no rule uses the names `{}`; remove them", name.value),
            ));
        }
        for (name, _) in file
            .shapes
            .iter()
            .filter(|(name, _)| !self.used_shapes.contains(name.value.as_str()))
        {
            self.mistakes.insert(Mistake::new(
                name.position,
                format!("no node uses the shape `{}`; remove it", name.value),
            ));
        }
    }
}

pub(super) fn is_ee(edition: Option<EditionFile>) -> bool {
    edition == Some(EditionFile::Ee)
}

/// Relations' and pipelines' names become names of files, on any system.
pub(super) fn is_file_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=100).contains(&name.len()) && name.bytes().all(plain)
}

fn is_folder_name(prefix: &str) -> bool {
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    prefix.len() <= 100
        && prefix
            .split_once("{key}")
            .is_some_and(|(before, after)| plain(before) && plain(after))
}

/// Cuts a template into text and columns; none if its braces do not pair.
fn parse_template(template: &str) -> Option<Vec<TemplatePart>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, tail)) = rest.split_once('{') {
        let (column, tail) = tail.split_once('}')?;
        if text.contains('}') || column.is_empty() || column.contains('{') {
            return None;
        }
        if !text.is_empty() {
            parts.push(TemplatePart::Text(text.to_owned()));
        }
        parts.push(TemplatePart::Column(column.to_owned()));
        rest = tail;
    }
    if rest.contains('}') {
        return None;
    }
    if !rest.is_empty() {
        parts.push(TemplatePart::Text(rest.to_owned()));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_and_folders_cannot_be_paths() {
        for name in ["labels", "max_iids", "a1"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in [
            "",
            "..",
            "a/b",
            "a\\b",
            "Labels",
            "a.b",
            "c:",
            "é",
            "a\0b",
            &"x".repeat(101),
        ] {
            assert!(!is_file_name(name), "{name}");
        }
        for prefix in ["group_{key}", "{key}", "shop-{key}-x"] {
            assert!(is_folder_name(prefix), "{prefix}");
        }
        for prefix in [
            "group",
            "../{key}",
            "a/{key}",
            "{key}\\b",
            ".{key}",
            "{key}{key}",
            "{id}",
        ] {
            assert!(!is_folder_name(prefix), "{prefix}");
        }
    }

    #[test]
    fn a_template_is_text_and_columns() {
        let text = |text: &str| TemplatePart::Text(text.to_owned());
        let column = |name: &str| TemplatePart::Column(name.to_owned());
        assert_eq!(
            parse_template("/avatar/{id}/{avatar}"),
            Some(vec![
                text("/avatar/"),
                column("id"),
                text("/"),
                column("avatar")
            ])
        );
        assert_eq!(
            parse_template("{id}.png"),
            Some(vec![column("id"), text(".png")])
        );
        for wrong in ["{", "}", "{}", "{a", "a}", "{{a}}", "{a}}", "}{"] {
            assert_eq!(parse_template(wrong), None, "{wrong}");
        }
    }
}
