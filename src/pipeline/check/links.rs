//! Links: their columns, those that they imply, and whether both sides can be equal.

use std::fmt;

use super::{Checker, Severity};
use crate::key::{KeyForm, comparison};
use crate::pipeline::model::*;
use crate::snapshot::{SqlType, Table};

/// One side of a link: a column, or what stands for one.
pub(super) struct End {
    name: String,
    pub(super) sql_type: SqlType,
}

impl End {
    pub(super) fn named(name: String, sql_type: &SqlType) -> End {
        let sql_type = sql_type.clone();
        End { name, sql_type }
    }

    pub(super) fn column(table: &Table, column: &str, sql_type: &SqlType) -> End {
        End::named(format!("column {column} of table {}", table.name), sql_type)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What rows are linked to.
#[derive(Clone, Copy)]
pub(super) enum Above<'a> {
    /// The entity, which has one column, or, if it is a schema, none.
    Entity,
    /// Rows of a table.
    Table(&'a Table),
    /// A table that the snapshot does not have, which is told already.
    Missing,
    /// A value that was collected. It is of the type of the column that it is looked up in.
    Collected(&'a Collected),
}

impl<'a> Checker<'a> {
    /// The links of rows to what stands above, through the tables between. Tells of those that are not there.
    pub(super) fn chain(
        &mut self,
        place: &str,
        table: &'a Table,
        links: &[Link],
        via: &[Via],
        above: Above<'a>,
    ) {
        let mut rows = Some(table);
        let mut links = links;
        for step in via {
            let next = self.table(&step.table);
            if next.is_none() {
                let message = format!(
                    "the snapshot has no table {}: no row is found through it",
                    step.table
                );
                let severity = match above {
                    Above::Table(_) | Above::Missing => Severity::Note,
                    // A relation fails without it.
                    Above::Entity | Above::Collected(_) => Severity::Error,
                };
                self.report_lack(severity, place, message);
            }
            let to = next.map_or(Above::Missing, Above::Table);
            self.links(place, rows, links, to);
            if let Some(next) = next {
                self.stated_key(place, next);
            }
            rows = next;
            links = &step.links;
        }
        self.links(place, rows, links, above);
    }

    fn links(&mut self, place: &str, rows: Option<&'a Table>, links: &[Link], above: Above<'a>) {
        for link in links {
            if let Some(rows) = rows {
                self.link(place, link, rows, above);
            }
        }
    }

    /// A link's columns.
    pub(super) fn link(&mut self, place: &str, link: &Link, table: &'a Table, above: Above<'a>) {
        let above_table = match above {
            Above::Table(above) => Some(above),
            Above::Entity | Above::Missing | Above::Collected(_) => None,
        };
        let link = &link.counted(
            |column| table.column(column).is_some(),
            |column| above_table.is_none_or(|above| above.column(column).is_some()),
        );
        self.filter(place, table, &link.filter);
        if matches!(above, Above::Entity) && link.is_to_schema() {
            return;
        }
        let Some(child) = self.columns_or_key(place, table, &link.child) else {
            return;
        };
        let own = self.ends(place, table, &child);
        let to = match above {
            Above::Entity => vec![self.entity_key()],
            Above::Table(above) => {
                let Some(parent) = self.columns_or_key(place, above, &link.parent) else {
                    return;
                };
                self.ends(place, above, &parent)
            }
            Above::Collected(collected) => {
                return self.looked_up(place, collected, table, &child);
            }
            Above::Missing => return,
        };
        if own.len() != to.len() {
            let message = format!(
                "a link has {} of table {} and {} of what stands above; name as many of both",
                columns(own.len()),
                table.name,
                columns(to.len())
            );
            return self.report(Severity::Error, place, message);
        }
        for (own, to) in own.iter().zip(&to) {
            if let (Some(own), Some(to)) = (own, to) {
                self.compared(place, own, to);
            }
        }
    }

    /// The columns of a link, or, if it names none, of the table's key. `None` if that is not known, which is told.
    fn columns_or_key(
        &mut self,
        place: &str,
        table: &'a Table,
        columns: &[String],
    ) -> Option<Vec<String>> {
        if !columns.is_empty() {
            return Some(columns.to_vec());
        }
        let key = self.key_of(table);
        if key.is_empty() {
            let message = format!(
                "a link is to the key of table {}, and none is known; name the columns in the link, or the key under \
                 `tables`",
                table.name
            );
            self.report(Severity::Error, place, message);
            return None;
        }
        if self.pipeline.key_of(&table.name).is_left_to_snapshot(table) {
            let message = format!(
                "a link is to the key of table {}, ({}), which the snapshot states and the pipeline does not; a plain \
                 dump states it too late, behind its rows",
                table.name,
                key.join(", ")
            );
            self.report(Severity::Note, place, message);
        }
        Some(key)
    }

    /// Columns that links need, `None` for one that is not there.
    fn ends(&mut self, place: &str, table: &'a Table, columns: &[String]) -> Vec<Option<End>> {
        let mut ends = Vec::new();
        for column in columns {
            let found = self.there(place, table, column, "a link");
            ends.push(found.map(|sql_type| End::column(table, column, sql_type)));
        }
        ends
    }

    /// The column that collected values are looked up in, and those that they are from.
    fn looked_up(
        &mut self,
        place: &str,
        collected: &Collected,
        table: &'a Table,
        columns: &[String],
    ) {
        let [column] = columns else {
            let message = format!(
                "the key of table {} is ({}), and collected values are looked up in one column; name it as `key`",
                table.name,
                columns.join(", ")
            );
            return self.report(Severity::Error, place, message);
        };
        let Some((_, found)) = table.column(column) else {
            return;
        };
        let sql_type = &found.sql_type;
        let Some(form) = KeyForm::of(sql_type, self.catalog) else {
            let message = format!(
                "column {column} of table {} is {sql_type}, whose texts do not show which values are equal: nothing is \
                 found by it",
                table.name
            );
            return self.report(Severity::Error, place, message);
        };
        let mut names = self.pipeline.written_tables();
        names.retain(|name| !collected.except_tables.contains(name));
        let tables: Vec<&Table> = names.iter().filter_map(|name| self.table(name)).collect();
        let columns = collected.columns.iter();
        for name in columns.filter(|name| !collected.optional.contains(*name)) {
            if tables.iter().all(|table| table.column(name).is_none()) {
                let message = format!(
                    "no table that is exported has a column {name}: nothing is collected by it"
                );
                self.report_lack(Severity::Warning, place, message);
            }
        }
        for name in names {
            let Some(from) = self.table(name) else {
                continue;
            };
            for name in &collected.columns {
                let Some((_, own)) = from.column(name) else {
                    continue;
                };
                let reason = match comparison(sql_type, &own.sql_type, self.catalog) {
                    Ok((target, _)) if target == form => continue,
                    Ok(_) => format!("{} compares with {sql_type} as another type", own.sql_type),
                    Err(reason) => reason.to_string(),
                };
                let message = format!(
                    "column {name} of table {} cannot refer to column {column} of table {}, so its values are not \
                     collected: {reason}",
                    from.name, table.name
                );
                self.report(Severity::Warning, place, message);
            }
        }
    }
}

fn columns(number: usize) -> String {
    match number {
        1 => "one column".to_owned(),
        number => format!("{number} columns"),
    }
}
