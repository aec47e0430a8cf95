//! The tenant that a pipeline takes out: a row of a table, or a schema.

use super::dotted_name::DottedName;
use super::file::{EntityFile, PathFile, WithinFile};
use super::model::{Entity, PathLookup, Within};
use super::schemas::SchemaPattern;
use super::validate::Validator;
use super::yaml::{Located, Texts};

impl Validator<'_> {
    pub(super) fn entity(&mut self, entity: &EntityFile) -> Entity {
        if !is_folder_name(&entity.prefix.value) {
            self.mistake(
                entity.prefix.position,
                "`prefix` is one folder's name: it has {key} in it once, beside it only a-z, A-Z, 0-9, _ and -; \
                 for instance \"group_{key}\"",
            );
        }
        let schemas = entity.schema.as_ref();
        let schemas = schemas.and_then(|pattern| self.schemas(pattern, entity));
        let filter = self.filter(entity.r#where.as_ref());
        Entity {
            kind: self.text(&entity.kind),
            table: self.table_name(&entity.table),
            key: self.entity_key(entity.key.as_ref()),
            schemas,
            filter,
            prefix: entity.prefix.value.clone(),
            name: self.optional(entity.name.as_ref()),
            parent: self.optional(entity.parent.as_ref()),
            ancestors: self.optional(entity.ancestors.as_ref()),
            segment: self.optional(entity.segment.as_ref()),
            path: self.paths_of_its_own(entity),
            paths: entity
                .paths
                .iter()
                .map(|path| self.path_lookup(path))
                .collect(),
            within: entity.within.as_ref().map(|within| self.within(within)),
            leave_out: self.filter(entity.leave_out.as_ref()),
            shown: self.shown(entity),
        }
    }

    fn within(&mut self, within: &WithinFile) -> Within {
        if within.pipeline.value == self.pipeline_name() {
            let message = "entities lie within those of another pipeline; name that, or what is above them in their own \
                           table as `parent`";
            self.mistake(within.pipeline.position, message);
        }
        Within {
            pipeline: self.text(&within.pipeline),
            column: self.text(&within.column),
        }
    }

    fn shown(&mut self, entity: &EntityFile) -> Vec<String> {
        let Some(shown) = &entity.shown else {
            return Vec::new();
        };
        let mut columns: Vec<String> = Vec::new();
        for column in &shown.value {
            let name = self.text(column);
            if columns.contains(&name) {
                let message = format!("column {name} is shown twice; name it once");
                self.mistake(column.position, message);
            }
            columns.push(name);
        }
        columns
    }

    /// The schemas that are entities, and what such an entity cannot have.
    fn schemas(&mut self, pattern: &Located<String>, entity: &EntityFile) -> Option<SchemaPattern> {
        let schemas = SchemaPattern::parse(&pattern.value);
        if schemas.is_none() {
            let message = "`schema` of an entity is a schema's name with at most one `*`, which stands for any text; \
                           for instance \"tenant_*\"";
            self.mistake(pattern.position, message);
        }
        let condition = entity
            .r#where
            .as_ref()
            .and_then(|filter| filter.iter().next());
        let left_out = entity.leave_out.as_ref();
        let left_out = left_out.and_then(|filter| filter.iter().next());
        let given = [
            (entity.key.as_ref().map(|it| it.position), "key"),
            (condition.map(|(column, _)| column.position), "where"),
            (position(&entity.name), "name"),
            (position(&entity.parent), "parent"),
            (position(&entity.ancestors), "ancestors"),
            (position(&entity.segment), "segment"),
            (
                entity.within.as_ref().map(|it| it.column.position),
                "within",
            ),
            (left_out.map(|(column, _)| column.position), "leave_out"),
            (entity.shown.as_ref().map(|it| it.position), "shown"),
            (entity.path.as_ref().map(|it| it.position), "path"),
            (
                entity.paths.first().map(|path| path.table.position),
                "paths",
            ),
        ];
        let named = DottedName::parse(&entity.table.value);
        if named.is_some_and(|name| name.schema.is_some()) {
            let message = "the table that makes a schema an entity is looked for in each of them; name it without one";
            self.mistake(entity.table.position, message);
        }
        for (position, key) in given {
            if let Some(position) = position {
                let message = format!(
                    "the entities are schemas, which have no columns; leave `{key}` or `schema` out"
                );
                self.mistake(position, message);
            }
        }
        schemas
    }

    fn entity_key(&mut self, key: Option<&Located<Texts>>) -> Option<String> {
        let key = key?;
        match &key.value {
            Texts::One(column) => Some(self.name_text(column, key.position)),
            Texts::List(_) => {
                let message = "an entity is told by one column; name it without a list";
                self.mistake(key.position, message);
                None
            }
        }
    }

    /// Columns of the entity's own table that name it.
    fn paths_of_its_own(&mut self, entity: &EntityFile) -> Vec<String> {
        let Some(path) = &entity.path else {
            return Vec::new();
        };
        let columns = self.columns_of(path);
        if columns.is_empty() {
            let message = "`path` names no column; name one, or leave it out";
            self.mistake(path.position, message);
        }
        if let Some(segment) = &entity.segment {
            let message = "`segment` and `path` both say the full path; keep one of them";
            self.mistake(segment.position, message);
        }
        for lookup in entity.paths.iter().filter(|lookup| !lookup.former) {
            let message = "`path` is the full path already; make this table one of `former` paths, or keep one of them";
            self.mistake(lookup.table.position, message);
        }
        columns
    }

    fn path_lookup(&mut self, path: &PathFile) -> PathLookup {
        PathLookup {
            table: self.table_name(&path.table),
            key: self.text(&path.key),
            path: self.text(&path.path),
            filter: self.filter(path.r#where.as_ref()),
            former: path.former,
        }
    }
}

fn position(text: &Option<Located<String>>) -> Option<super::yaml::Position> {
    text.as_ref().map(|text| text.position)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_cannot_be_paths() {
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
}
