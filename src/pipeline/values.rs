//! Value rules: how values of columns are written.

use std::collections::BTreeMap;

use super::decoding::{BytesRule, FixedKeys, KeysByValue, TaggedValues, YamlRoot, YamlRule};
use super::file::{BytesFile, DigestFile, KeysByFile, TitleFile, ValueFile, YamlFile};
use super::model::{Condition, Test};
use super::scalar::Scalar;
use super::validate::Validator;
use super::value_rule::{
    Case, Digest, FileSlice, RepositoryRule, TemplatePart, TitlePart, ValuePath, ValueRule,
};
use super::yaml::{Entries, Located, OneOrMany, Position, Texts};

impl<'a> Validator<'a> {
    /// Rules for columns, by their names.
    pub(super) fn values(
        &mut self,
        values: &'a Entries<Located<OneOrMany<ValueFile>>>,
    ) -> BTreeMap<String, ValueRule> {
        let mut rules = BTreeMap::new();
        for (name, value) in values.iter() {
            let column = self.text(name);
            if let Some(rule) = self.value(&column, value) {
                rules.insert(column, rule);
            }
        }
        rules
    }

    /// Rules for columns that hold in all nodes.
    pub(super) fn values_of_tables(
        &mut self,
        values: &'a Entries<Located<OneOrMany<ValueFile>>>,
    ) -> BTreeMap<String, ValueRule> {
        let rules = self.values(values);
        for (name, value) in values.iter() {
            if let Some(rule) = rules.get(&name.value) {
                self.no_nested_rows(value.position, rule);
            }
        }
        rules
    }

    /// The rule for a column: one, or the first of a list that holds.
    pub(super) fn value(
        &mut self,
        column: &str,
        value: &'a Located<OneOrMany<ValueFile>>,
    ) -> Option<ValueRule> {
        let position = value.position;
        if let [only] = value.value.0.as_slice()
            && only.when.is_none()
        {
            return self.one_value(column, only, position);
        }
        if value.value.0.is_empty() {
            let message = "an empty list of rules says nothing; give a rule, or leave it out";
            self.mistake(position, message);
        }
        let mut cases = Vec::new();
        for (at, file) in value.value.0.iter().enumerate() {
            if file.when.is_none() && at + 1 < value.value.0.len() {
                let message = "a rule without `when` always holds, so that those behind it never do; give it a `when`, \
                               or let it be the last one";
                self.mistake(position, message);
            }
            let when = self.filter(file.when.as_ref());
            let rule = self.one_value(column, file, position)?;
            cases.push(Case { when, rule });
        }
        Some(ValueRule::Cases(cases))
    }

    fn one_value(
        &mut self,
        column: &str,
        file: &'a ValueFile,
        position: Position,
    ) -> Option<ValueRule> {
        let given = [
            file.names.is_some(),
            file.null_as.is_some(),
            file.null_as_column.is_some(),
            file.object.is_some(),
            file.constant.is_some(),
            file.json.is_some(),
            file.column.is_some(),
            file.text.is_some(),
            file.of.is_some(),
            file.count.is_some(),
            file.title.is_some(),
            file.yaml.is_some(),
            file.bytes.is_some(),
            file.file.is_some(),
            file.repository.is_some(),
        ];
        let number = given.iter().filter(|given| **given).count();
        let named_null = file.names.is_some() && file.null_as.is_some() && number == 2;
        let is_paired = file.object.is_some() == file.template.is_some()
            && (file.digest.is_none() || file.text.is_some());
        if number == 0 && file.when.is_some() && is_paired {
            return Some(ValueRule::Plain);
        }
        if (number != 1 && !named_null) || !is_paired {
            let message = "the rule is not clear; give one of `names` (also with `null_as`), `null_as`, \
                           `null_as_column`, `object` with `template`, `constant`, `json`, `column`, `text` (also with \
                           `digest`), `of`, `count`, `title`, `yaml`, `bytes`, `file` and `repository`";
            self.mistake(position, message);
            return None;
        }
        if let Some(names) = &file.names {
            let names = ValueRule::Names(self.names(names));
            let Some(null) = &file.null_as else {
                return Some(names);
            };
            let null = self.json(&null.value, null.position)?;
            return Some(self.null_or(column, null, names));
        }
        if let Some(value) = &file.null_as {
            return Some(ValueRule::NullAs(self.json(&value.value, value.position)?));
        }
        if let Some(column) = &file.null_as_column {
            return Some(ValueRule::NullAsColumn(self.text(column)));
        }
        if let (Some(field), Some(template)) = (&file.object, &file.template) {
            return Some(ValueRule::Object {
                field: field.value.clone(),
                template: self.template(template),
            });
        }
        if let Some(value) = &file.constant {
            return Some(ValueRule::Constant(
                self.json(&value.value, value.position)?,
            ));
        }
        if let Some(json) = &file.json {
            return self.json_text(json).map(ValueRule::Constant);
        }
        if let Some(column) = &file.column {
            return Some(ValueRule::Column(self.text(column)));
        }
        if let Some(text) = &file.text {
            return Some(ValueRule::Text {
                template: self.template(text),
                digest: file.digest.map(|DigestFile::Sha1| Digest::Sha1),
            });
        }
        if let Some(path) = &file.of {
            return self.value_path(path).map(ValueRule::Of);
        }
        if let Some(nested) = &file.count {
            return Some(ValueRule::Count(self.text(nested)));
        }
        if let Some(yaml) = &file.yaml {
            return Some(ValueRule::Yaml(self.yaml(&yaml.value)));
        }
        if let Some(bytes) = &file.bytes {
            return Some(ValueRule::Bytes(bytes_rule(bytes.value)));
        }
        if let Some(slice) = &file.file {
            return Some(ValueRule::File(FileSlice {
                path: self.template(&slice.value.path),
                offset: self.text(&slice.value.offset),
                size: self.text(&slice.value.size),
                bytes: slice.value.bytes.map(bytes_rule).unwrap_or_default(),
            }));
        }
        if let Some(rule) = &file.repository {
            return Some(ValueRule::Repository(RepositoryRule {
                project: self.text(&rule.value.project),
                branch: rule.value.branch.as_ref().map(|branch| self.text(branch)),
            }));
        }
        let TitleFile {
            column,
            behind,
            part,
        } = &file.title.as_ref()?.value;
        if part.value == 0 {
            let message = "the parts of a path count from 1";
            self.mistake(part.position, message);
        }
        Some(ValueRule::Title(TitlePart {
            column: self.text(column),
            behind: self.text(behind),
            part: part.value,
        }))
    }

    /// A rule that holds for all values but NULL, which is written as this JSON text.
    fn null_or(&mut self, column: &str, null: String, rule: ValueRule) -> ValueRule {
        let is_null = Condition {
            column: column.to_owned(),
            test: Test::null(),
        };
        ValueRule::Cases(vec![
            Case {
                when: vec![is_null],
                rule: ValueRule::Constant(null),
            },
            Case {
                when: Vec::new(),
                rule,
            },
        ])
    }

    fn yaml(&mut self, yaml: &YamlFile) -> YamlRule {
        let root = match &yaml.root {
            None => YamlRoot::Anything,
            Some(root) => match (&root.value, self.columns_of(root)) {
                (Texts::One(one), _) if one == "anything" => YamlRoot::Anything,
                (Texts::One(one), _) if one == "mapping" => YamlRoot::Mapping,
                (_, tags) => {
                    if tags.is_empty() || tags.iter().any(|tag| !tag.starts_with('!')) {
                        let message =
                            "`root` is `anything`, `mapping`, or tags, which begin with `!`";
                        self.mistake(root.position, message);
                        YamlRoot::Anything
                    } else {
                        YamlRoot::Tagged(tags)
                    }
                }
            },
        };
        let mut tags = BTreeMap::new();
        for (tag, under) in yaml.tags.iter() {
            let under = match &under.value {
                Scalar::Null => TaggedValues::Itself,
                Scalar::Text(key) => TaggedValues::Under(key.clone()),
                Scalar::Boolean(_) | Scalar::Integer(_) | Scalar::Fraction(_) => {
                    let message = "a tag has the key under which its values lie, or null";
                    self.mistake(under.position, message);
                    TaggedValues::Itself
                }
            };
            tags.insert(self.text(tag), under);
        }
        if let YamlRoot::Tagged(of_root) = &root
            && let Some(place) = &yaml.root
            && !of_root.iter().all(|tag| tags.contains_key(tag))
        {
            let message =
                "the tags of `root` are tags that are accepted; name them under `tags`, too";
            self.mistake(place.position, message);
        }
        YamlRule {
            root,
            tags,
            printed_hash: yaml.printed_hash,
            keys: self.fixed_keys(yaml),
        }
    }

    fn fixed_keys(&mut self, yaml: &YamlFile) -> Option<FixedKeys> {
        let Some(keys) = &yaml.keys else {
            if let Some(by) = &yaml.by {
                let message = "`by` says which keys come behind `keys`; give those, too";
                self.mistake(by.position, message);
            }
            return None;
        };
        let keys: Vec<String> = keys.iter().map(|key| self.text(key)).collect();
        let by = yaml.by.as_ref().map(|by| {
            let KeysByFile { key, default, more } = &by.value;
            if !keys.contains(&key.value) {
                let message = format!("`{}` is none of `keys`; name one of them", key.value);
                self.mistake(key.position, message);
            }
            let mut by_value = BTreeMap::new();
            for (value, keys) in more.iter() {
                let keys = keys.iter().map(|key| self.text(key)).collect();
                by_value.insert(value.value.clone(), keys);
            }
            if !by_value.contains_key(&default.value) {
                let message = format!("`more` does not have `{}`; add its keys", default.value);
                self.mistake(default.position, message);
            }
            KeysByValue {
                key: self.text(key),
                default: self.text(default),
                more: by_value,
            }
        });
        Some(FixedKeys { keys, by })
    }

    /// A JSON text, compact.
    fn json_text(&mut self, text: &Located<String>) -> Option<String> {
        let value: Result<serde_json::Value, _> = serde_json::from_str(&text.value);
        match value {
            Ok(value) if self.spend(text.value.len() + 32) => Some(value.to_string()),
            Ok(_) => None,
            Err(error) => {
                self.mistake(text.position, format!("this is no JSON text: {error}"));
                None
            }
        }
    }

    /// `nested.key`, or deeper.
    pub(super) fn value_path(&mut self, path: &Located<String>) -> Option<ValuePath> {
        let text = self.text(path);
        let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        let key = parts.pop();
        match key {
            Some(key) if !parts.is_empty() && !parts.iter().chain([&key]).any(String::is_empty) => {
                Some(ValuePath { nested: parts, key })
            }
            Some(_) | None => {
                let message = "a key of a nested row is written `nested.key`; name both";
                self.mistake(path.position, message);
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

fn bytes_rule(bytes: BytesFile) -> BytesRule {
    BytesRule {
        base64: bytes.base64,
        blank_as_empty: bytes.blank_as_empty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
