//! Rules for tables and for columns of a name.

use super::{Checker, Need, Severity};
use crate::pipeline::model::{TemplatePart, ValueRule};
use crate::pipeline::table_key::TableKey;
use crate::snapshot::{SqlType, Table, TableName};

impl<'a> Checker<'a> {
    pub(super) fn tables(&mut self) {
        let pipeline = self.pipeline;
        for (name, rules) in &pipeline.tables {
            // A table without rows to write needs no rules.
            let Some(table) = self.table(name) else {
                continue;
            };
            let place = format!("tables > {name}");
            if let TableKey::Columns(columns) = &rules.key {
                for column in columns {
                    self.there(&place, table, column, "the key");
                }
            }
            for (column, rule) in &rules.values {
                let consequence = "the rule has nothing to hold for";
                let found = self.wanted(&place, table, column, Severity::Note, consequence);
                if found.is_some() {
                    self.value_rule(&place, table, column, rule);
                }
            }
        }
        for (column, rule) in &pipeline.everywhere {
            let mut names: Vec<&TableName> = pipeline.written_tables();
            names.retain(|name| {
                !pipeline
                    .tables
                    .get(*name)
                    .is_some_and(|rules| rules.values.contains_key(column))
            });
            for name in names {
                if let Some(table) = self.table(name)
                    && table.column(column).is_some()
                {
                    self.value_rule("everywhere", table, column, rule);
                }
            }
        }
    }

    fn value_rule(&mut self, place: &str, table: &'a Table, column: &str, rule: &ValueRule) {
        match rule {
            ValueRule::Names(_) => {
                self.needed(place, table, column, Need::Integer, "a rule with names")
            }
            ValueRule::NullAs(_) => {}
            ValueRule::NullAsColumn(other) => {
                self.needed(place, table, other, Need::Any, "the value in place of NULL");
                let types = (table.column(column), table.column(other));
                if let (Some((_, column)), Some((_, other))) = types
                    && !written_alike(&column.sql_type, &other.sql_type)
                {
                    let message = format!(
                        "column {} of table {} stands in for {}, which has another type",
                        other.name, table.name, column.name
                    );
                    self.report(Severity::Warning, place, message);
                }
            }
            ValueRule::Object { template, .. } => {
                for part in template {
                    if let TemplatePart::Column(name) = part {
                        self.needed(place, table, name, Need::Any, "the template");
                    }
                }
            }
        }
    }
}

/// True for types whose values look the same in JSON.
fn written_alike(one: &SqlType, other: &SqlType) -> bool {
    let moment = |sql_type: &SqlType| matches!(sql_type, SqlType::Timestamp | SqlType::TimestampTz);
    one == other
        || (one.is_integer() && other.is_integer())
        || (one.is_text() && other.is_text())
        || (moment(one) && moment(other))
}
