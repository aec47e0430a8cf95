//! Rules for tables and for columns of a name.

use super::{Absence, Checker, Need, Severity};
use crate::pipeline::model::Condition;
use crate::pipeline::table_key::TableKey;
use crate::pipeline::value_rule::ValueRule;
use crate::snapshot::{SqlType, Table, TableName};

impl<'a> Checker<'a> {
    pub(super) fn tables(&mut self) {
        let pipeline = self.pipeline;
        for (name, rules) in &pipeline.tables {
            let place = format!("tables > {name}");
            let Some(table) = self.table(name) else {
                // What reads it tells that it is not there. What nothing reads is most likely misspelt.
                if !pipeline.reads(name) {
                    let message = format!(
                        "the snapshot has no table {name}, and nothing of the pipeline reads it: the rules have nothing to \
                         hold for"
                    );
                    self.report_lack(Severity::Warning, &place, message);
                }
                continue;
            };
            if let TableKey::Columns(columns) = &rules.key {
                for column in columns.iter().filter(|column| !column.ends_with('?')) {
                    self.there(&place, table, column, "the key");
                }
            }
            for (column, rule) in &rules.values {
                let consequence = "the rule has nothing to hold for";
                let found = self.wanted(
                    &place,
                    table,
                    column,
                    Absence::Told(Severity::Note),
                    consequence,
                );
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
            let mut is_there = false;
            for name in names {
                if let Some(table) = self.table(name)
                    && table.column(column).is_some()
                {
                    is_there = true;
                    self.value_rule("everywhere", table, column, rule);
                }
            }
            if !is_there {
                let message = format!(
                    "no table that is written has a column {column}: the rule has nothing to hold for"
                );
                // It goes for whichever tables have one.
                self.report(Severity::Note, "everywhere", message);
            }
        }
    }

    pub(super) fn value_rule(
        &mut self,
        place: &str,
        table: &'a Table,
        column: &str,
        rule: &ValueRule,
    ) {
        match rule {
            ValueRule::Names(_) => {
                self.needed(place, table, column, Need::Integer, "a rule with names")
            }
            ValueRule::NullAs(_)
            | ValueRule::Constant(_)
            | ValueRule::Plain
            | ValueRule::Of(_)
            | ValueRule::Count(_) => {}
            ValueRule::Yaml(_) | ValueRule::Bytes(_) => {
                self.needed(place, table, column, Need::Text, "decoding");
            }
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
            ValueRule::Column(other) => {
                self.needed(place, table, other, Need::Any, "the value in its place");
            }
            ValueRule::Object { .. } | ValueRule::Text { .. } | ValueRule::File(_) => {
                // A rule of a table does not know in which nodes its rows stand.
                let in_node = !self.nodes.is_empty();
                for name in rule.columns() {
                    let is_known = in_node || !name.contains('.');
                    if is_known && self.column_above(table, name).is_err() {
                        self.there(place, table, name, "the template");
                    }
                }
            }
            ValueRule::Repository(rule) => {
                self.needed(place, table, &rule.project, Need::Integer, "a repository");
                if let Some(branch) = &rule.branch {
                    self.needed(place, table, branch, Need::Text, "a branch");
                }
            }
            ValueRule::Title(part) => {
                self.needed(place, table, &part.column, Need::Text, "a part of a path");
            }
            ValueRule::Cases(cases) => {
                for case in cases {
                    for condition in &case.when {
                        match self.column_above(table, &condition.column) {
                            Ok((table, column)) => {
                                let test = condition.test.clone();
                                self.filter(place, table, &[Condition { column, test }]);
                            }
                            Err(message)
                                if !self.nodes.is_empty() || !condition.column.contains('.') =>
                            {
                                self.report_lack(Severity::Note, place, message);
                            }
                            // A rule of a table does not know in which nodes its rows stand.
                            Err(_) => {}
                        }
                    }
                    self.value_rule(place, table, column, &case.rule);
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
