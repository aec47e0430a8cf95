//! The entity's table, the family of an entity, and the paths that name it.

use super::links::End;
use super::{Absence, Checker, Need, Severity};
use crate::key::{KeyForm, comparison};
use crate::snapshot::{SqlType, Table};

impl<'a> Checker<'a> {
    pub(super) fn entity(&mut self) {
        let entity = &self.pipeline.entity;
        let Some(table) = self.table(&entity.table) else {
            let message = format!(
                "the snapshot has no table {}: nothing can be exported",
                entity.table
            );
            return self.report_lack(Severity::Error, "entity", message);
        };
        // A schema has no key, no family and no paths.
        if entity.schemas.is_some() {
            return;
        }
        let key = self.entity_key_of(table);
        self.stated_key("entity", table);
        self.filter("entity", table, &entity.filter);
        let consequence = "entities have no name for people";
        self.family(table, entity.name.as_deref(), consequence);
        if let Some(parent) =
            self.family(table, entity.parent.as_deref(), "entities have no parents")
            && let Some(key) = &key
        {
            self.compared("entity", &End::column(table, &parent.0, parent.1), key);
        }
        let consequence = "ancestors are found through parents";
        if let Some((column, sql_type)) =
            self.family(table, entity.ancestors.as_deref(), consequence)
        {
            match (sql_type, &key) {
                (SqlType::Array(inner), Some(key)) => {
                    self.compared("entity", &End::column(table, &column, inner), key);
                }
                (SqlType::Array(_), None) => {}
                (other, _) => {
                    let message = format!(
                        "the ancestors need an array of keys, and column {column} of table {} is {other}",
                        table.name
                    );
                    self.report(Severity::Error, "entity", message);
                }
            }
        }
        let consequence = "full paths cannot be put together from their parts";
        self.family(table, entity.segment.as_deref(), consequence);
        for column in &entity.path {
            self.path_of_its_own(table, column);
        }
        if let Some(within) = &entity.within {
            self.there(
                "entity > within",
                table,
                &within.column,
                "what an entity lies within",
            );
        }
        self.filter("entity > leave_out", table, &entity.leave_out);
        for column in &entity.shown {
            let consequence = "lists of the entities do not show it";
            self.wanted(
                "entity > shown",
                table,
                column,
                Absence::Told(Severity::Note),
                consequence,
            );
        }
        for path in &entity.paths {
            let place = "entity > paths";
            let Some(table) = self.table(&path.table) else {
                let message = format!(
                    "the snapshot has no table {}: no path is found there",
                    path.table
                );
                self.report_lack(Severity::Note, place, message);
                continue;
            };
            let found = self.there(place, table, &path.key, "a path's key");
            if let (Some(sql_type), Some(key)) = (found, &key) {
                self.compared(place, &End::column(table, &path.key, sql_type), key);
            }
            self.needed(place, table, &path.path, Need::Text, "a path");
            self.filter(place, table, &path.filter);
        }
    }

    /// The entity's key, as far as the snapshot has it.
    fn entity_key_of(&mut self, table: &'a Table) -> Option<End> {
        let columns = self.key_of(table);
        let [column] = columns.as_slice() else {
            let message = match columns.as_slice() {
                [] => format!(
                    "the key of table {} is not known: the pipeline does not say it, there is no column id, and no \
                     primary key is stated; name the entity's `key`",
                    table.name
                ),
                several => format!(
                    "the key of table {} is ({}), and an entity is told by one column; name the entity's `key`",
                    table.name,
                    several.join(", ")
                ),
            };
            self.report(Severity::Error, "entity", message);
            return None;
        };
        let sql_type = self.there("entity", table, column, "the key")?;
        if KeyForm::of(sql_type, self.catalog).is_none() {
            let message = format!(
                "the key needs a type whose texts show which values are equal, and column {column} of table {} is \
                 {sql_type}",
                table.name
            );
            self.report(Severity::Error, "entity", message);
            return None;
        }
        Some(self.entity_end(sql_type))
    }

    /// The entity's key as the end of a link.
    pub(super) fn entity_end(&self, sql_type: &SqlType) -> End {
        End::named(
            format!("the key of the {}", self.pipeline.entity.kind),
            sql_type,
        )
    }

    /// The entity's key as the end of a link; `None` if it is not known, which is told of the entity.
    pub(super) fn entity_key(&self) -> Option<End> {
        let table = self.table(&self.pipeline.entity.table)?;
        let columns = self.key_of(table);
        let [column] = columns.as_slice() else {
            return None;
        };
        let (_, found) = table.column(column)?;
        Some(self.entity_end(&found.sql_type))
    }

    /// A column without which entities have less of a family: its name and type.
    fn family(
        &mut self,
        table: &'a Table,
        column: Option<&str>,
        consequence: &str,
    ) -> Option<(String, &'a SqlType)> {
        let column = column?;
        let found = self.wanted(
            "entity",
            table,
            column,
            Absence::Told(Severity::Note),
            consequence,
        )?;
        Some((column.to_owned(), &found.sql_type))
    }

    /// A column of the entity's table whose values name entities.
    fn path_of_its_own(&mut self, table: &'a Table, column: &str) {
        let place = "entity > path";
        self.needed(place, table, column, Need::Text, "a path");
        let stated = self.catalog.keys().of(&table.name);
        if table.column(column).is_some()
            && !stated.is_empty()
            && !stated.iter().any(|key| key.columns == [column])
        {
            let message = format!(
                "column {column} of table {} is not stated to be unique: two entities may have one path",
                table.name
            );
            self.report(Severity::Warning, place, message);
        }
    }

    /// Reports two columns that never equal each other.
    pub(super) fn compared(&mut self, place: &str, child: &End, parent: &End) {
        if let Err(reason) = comparison(&child.sql_type, &parent.sql_type, self.catalog) {
            let message = format!(
                "{child} ({}) cannot be linked to {parent} ({}): {reason}",
                child.sql_type, parent.sql_type
            );
            self.report(Severity::Error, place, message);
        }
    }
}
