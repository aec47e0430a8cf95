//! Conditions: their columns, and values that no column of the type can have.

use super::{Checker, Need, Severity};
use crate::key::KeyForm;
use crate::pipeline::model::{Condition, Test};
use crate::snapshot::{Catalog, SqlType, Table};

impl<'a> Checker<'a> {
    pub(super) fn filter(&mut self, place: &str, table: &'a Table, filter: &[Condition]) {
        for condition in filter {
            let column = &condition.column;
            let Some(sql_type) = self.there(place, table, column, "a condition") else {
                continue;
            };
            match &condition.test {
                Test::In { values, .. } | Test::NotIn { values, .. } => {
                    self.values(place, table, column, sql_type, values);
                }
                Test::Length(_) => {
                    self.needed(place, table, column, Need::Text, "`length`");
                }
                Test::Prefix(_) => {
                    self.needed(place, table, column, Need::Text, "`like`");
                    if *sql_type == SqlType::Citext {
                        let message = format!(
                            "`like` minds case, which does not count elsewhere in column {column} of table {}",
                            table.name
                        );
                        self.report(Severity::Note, place, message);
                    }
                }
                Test::Between { above, below } => {
                    let bounds = [above, below].into_iter().flatten();
                    self.bounds(place, table, column, sql_type, bounds);
                }
            }
        }
    }

    fn values(
        &mut self,
        place: &str,
        table: &Table,
        column: &str,
        sql_type: &SqlType,
        values: &[String],
    ) {
        for value in values {
            if !may_hold(sql_type, value, self.catalog) {
                let message = format!(
                    "column {column} of table {} is never \"{value}\"",
                    table.name
                );
                self.report(Severity::Warning, place, message);
            }
        }
        if !values.is_empty() && KeyForm::of(sql_type, self.catalog).is_none() {
            let message = format!(
                "column {column} of table {} is {sql_type}, whose values are compared as texts, byte by byte",
                table.name
            );
            self.report(Severity::Note, place, message);
        }
    }

    fn bounds<'b>(
        &mut self,
        place: &str,
        table: &Table,
        column: &str,
        sql_type: &SqlType,
        bounds: impl Iterator<Item = &'b String>,
    ) {
        let form = KeyForm::of(sql_type, self.catalog).and_then(KeyForm::of_bounds);
        let Some(form) = form else {
            let message = format!(
                "`above` and `below` need a number, a date or a time, and column {column} of table {} is {sql_type}",
                table.name
            );
            return self.report(Severity::Error, place, message);
        };
        for bound in bounds {
            if form.canonical(bound.as_bytes()).is_none() {
                let hint = match form {
                    KeyForm::TimestampTz => {
                        "; write it with its offset, as in \"2024-01-01 00:00:00+00\""
                    }
                    _ => "",
                };
                let message = format!(
                    "\"{bound}\" is no bound for column {column} of table {}, which is {sql_type}{hint}",
                    table.name
                );
                self.report(Severity::Error, place, message);
            }
        }
    }
}

/// False where a column of this type cannot hold the value, so that the test is a slip.
fn may_hold(sql_type: &SqlType, value: &str, catalog: &Catalog) -> bool {
    match sql_type {
        SqlType::SmallInt => value.parse::<i16>().is_ok(),
        SqlType::Integer => value.parse::<i32>().is_ok(),
        SqlType::BigInt => value.parse::<i64>().is_ok(),
        SqlType::Other(_) if catalog.is_enum(sql_type) => {
            let is_it = |name: &str| SqlType::parse(name) == *sql_type;
            let mut enums = catalog.enums().filter(|(name, _)| is_it(&name.quoted()));
            enums.any(|(_, labels)| labels.iter().any(|label| label == value))
        }
        _ => KeyForm::of(sql_type, catalog)
            .is_none_or(|form| form.canonical(value.as_bytes()).is_some()),
    }
}
