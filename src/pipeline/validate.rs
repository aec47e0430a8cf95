//! From the file's types to the model, gathering every mistake on the way.
//!
//! A part with a mistake still yields something of its shape, so that the mistakes behind it are found too; the
//! outcome is thrown away if there was any.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::dotted_name::DottedName;
use super::error::Mistake;
use super::file::{EditionFile, NodeFile, PipelineFile, ValueFormFile};
use super::model::*;
use super::notation::{NameMap, NamesFile};
use super::table_key::TableKey;
use super::yaml::{Located, Position, Texts};
use crate::snapshot::{MAIN_DATABASE, Routing, TableName};

/// How many bytes of text a pipeline may have once its shapes are put in where they are used.
const MAX_EXPANDED: usize = 16 << 20;

/// Turns a file into the model. The mistakes come in the order of the file, each once.
/// `source` is the file's text.
pub(super) fn pipeline(
    file: &PipelineFile,
    source: &str,
    sha256: String,
) -> Result<Pipeline, Vec<Mistake>> {
    let mut validator = Validator::new(file, source);
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

/// What rows are linked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Above {
    /// A row of another node, or of the next table of a chain.
    Row,
    /// The entity, which is a row.
    Entity,
    /// The entity, which is a schema.
    Schema,
    /// A value that was collected.
    Collected,
}

/// What is known while the file is walked.
pub(super) struct Validator<'a> {
    file: &'a PipelineFile,
    source: &'a str,
    /// The schema of tables that are named without one.
    schema: &'a str,
    names: HashMap<&'a str, &'a NameMap>,
    shapes: HashMap<&'a str, &'a NodeFile>,
    mistakes: BTreeSet<Mistake>,
    used_names: BTreeSet<&'a str>,
    used_shapes: BTreeSet<&'a str>,
    expanded: usize,
}

impl<'a> Validator<'a> {
    fn new(file: &'a PipelineFile, source: &'a str) -> Self {
        Validator {
            file,
            source,
            schema: match (&file.entity.schema, &file.schema) {
                (Some(_), _) => "",
                (None, Some(schema)) => &schema.value,
                (None, None) => "public",
            },
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

    /// The pipeline's own name.
    pub(super) fn pipeline_name(&self) -> &'a str {
        &self.file.pipeline.value
    }

    /// The file's text.
    pub(super) fn file_text(&self) -> &'a str {
        self.source
    }

    /// A name of a column, or another that cannot be empty.
    pub(super) fn text(&mut self, text: &Located<String>) -> String {
        self.name_text(&text.value, text.position)
    }

    pub(super) fn name_text(&mut self, text: &str, position: Position) -> String {
        if text.is_empty() || text.contains('\0') {
            self.mistake(
                position,
                "a name of a table or column cannot be empty; name one",
            );
        }
        if self.spend(text.len() + 32) {
            text.to_owned()
        } else {
            String::new()
        }
    }

    pub(super) fn optional(&mut self, text: Option<&Located<String>>) -> Option<String> {
        text.map(|text| self.text(text))
    }

    /// The name of a table. Without a schema it is in that of the pipeline; in the one whose name is empty, if every
    /// tenant has its own.
    pub(super) fn table_name(&mut self, text: &Located<String>) -> TableName {
        let within = self.spend(text.value.len() + self.schema.len() + 32);
        match DottedName::parse(&text.value) {
            Some(_) if !within => TableName::new("", ""),
            Some(DottedName { schema, name }) => {
                let schema = schema.unwrap_or_else(|| self.schema.to_owned());
                TableName::new(schema, name)
            }
            None => {
                let message = "a table's name is `table` or `schema.table`, and no part can be empty; write a part \
                               that has a dot or a quote in it in double quotes, as SQL does";
                self.mistake(text.position, message);
                TableName::new("", "")
            }
        }
    }

    /// What relations are linked to.
    pub(super) fn top(&self) -> Above {
        match self.file.entity.schema {
            Some(_) => Above::Schema,
            None => Above::Entity,
        }
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
        if let (Some(schema), true) = (&file.schema, file.entity.schema.is_some()) {
            let message = "tables are looked for in the entity's schema; leave this `schema` out, and name the schema \
                           of those that stand elsewhere with them";
            self.mistake(schema.position, message);
        }
        if let Some(schema) = &file.schema {
            self.text(schema);
            if schema.value.contains('*') {
                let message = "this is the one schema of all tables; a schema for each tenant is `schema` of `entity`";
                self.mistake(schema.position, message);
            }
        }
        let pipeline = Pipeline {
            name: name.value.clone(),
            sha256,
            entity: self.entity(&file.entity),
            databases: self.databases(),
            values: match file.values {
                None | Some(ValueFormFile::Gitlab) => ValueForm::Gitlab,
                Some(ValueFormFile::Exact) => ValueForm::Exact,
            },
            tables: self.tables(),
            everywhere: self.values_of_tables(&file.everywhere),
            relations: file
                .relations
                .iter()
                .map(|(name, relation)| self.relation(name, relation))
                .collect(),
        };
        self.lone_entity_key(&pipeline);
        pipeline
    }

    /// Which tables belong to another database than the main one.
    fn databases(&mut self) -> Routing {
        let mut routing = Routing::default();
        for (database, tables) in self.file.databases.iter() {
            let name = &database.value;
            if !is_identifier(name) || name == MAIN_DATABASE {
                let message = format!(
                    "a database's name has 1 to 63 of a-z, 0-9 and _, begins with no digit, and is not \
                     {MAIN_DATABASE}, which has all tables that are not named here; name another"
                );
                self.mistake(database.position, message);
            }
            routing.know(name);
            for text in tables {
                let table = self.table_name(text);
                if table.schema.is_empty() && !table.name.is_empty() {
                    let message = "the tables of tenants that are schemas lie in the main database; name a table of \
                                   all tenants with its schema, or none";
                    self.mistake(text.position, message);
                }
                if let Err(error) = routing.add(table, name) {
                    self.mistake(text.position, format!("{error}; leave one out"));
                }
            }
        }
        routing
    }

    /// Rules of tables. A table may be named in several ways.
    fn tables(&mut self) -> BTreeMap<TableName, TableRules> {
        let mut tables = BTreeMap::new();
        for (name, rules) in self.file.tables.iter() {
            let table = self.table_name(name);
            let rules = TableRules {
                key: rules
                    .key
                    .as_ref()
                    .map_or(TableKey::NotSaid, |key| self.table_key(key)),
                formerly: self.former_names(rules.formerly.as_ref()),
                values: self.values_of_tables(&rules.values),
            };
            if tables.insert(table, rules).is_some() {
                let message = format!(
                    "`{}` is a table that stands under another name here; put its rules together",
                    name.value
                );
                self.mistake(name.position, message);
            }
        }
        tables
    }

    fn former_names(&mut self, names: Option<&Located<Texts>>) -> Vec<TableName> {
        let Some(Located { value, position }) = names else {
            return Vec::new();
        };
        match value {
            Texts::One(name) => vec![self.table_name(&Located {
                value: name.clone(),
                position: *position,
            })],
            Texts::List(names) => names.iter().map(|name| self.table_name(name)).collect(),
        }
    }

    fn table_key(&mut self, key: &Located<Texts>) -> TableKey {
        TableKey::Columns(match &key.value {
            Texts::One(none) if none == "none" => Vec::new(),
            Texts::One(_) | Texts::List(_) => self.columns_of(key),
        })
    }

    /// An entity is told by one column, but its table may have a key of several.
    fn lone_entity_key(&mut self, pipeline: &Pipeline) {
        if pipeline.entity.key.is_none()
            && pipeline.entity.schemas.is_none()
            && let TableKey::Columns(columns) = pipeline.key_of(&pipeline.entity.table)
            && columns.len() != 1
        {
            let message = "the key of the entity's table is not one column; name the one that tells entities apart as \
                           the entity's `key`";
            self.mistake(self.file.entity.table.position, message);
        }
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

/// True for what names a database here, and may stand in the names of files and options.
fn is_identifier(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=63).contains(&name.len())
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_cannot_be_paths() {
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
    }
}
