//! A pipeline held against a snapshot's catalog: what of it the snapshot cannot give.

mod conditions;
mod entity;
pub(super) mod keys;
mod links;
mod schemas;
mod tables;
mod tree;

use std::collections::HashSet;
use std::fmt;

use super::model::*;
use crate::snapshot::{Catalog, Column, SqlType, Table, TableName};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something is left out, as it should be where a snapshot is older, newer or of another edition.
    Note,
    /// Something is most likely not what was meant.
    Warning,
    /// Rows cannot be found or written as the pipeline says.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// Something that pipeline and snapshot do not agree on. Shown as `severity: place: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// Where in the pipeline, from the outside in: `relations > boards > lists`.
    pub place: String,
    pub message: String,
    /// The snapshot does not have what the pipeline names, and the pipeline does not say that it may be missing.
    pub is_lack: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.severity, self.place, self.message)
    }
}

/// Finds what of the pipeline the snapshot cannot give, in the pipeline's order.
///
/// If the entities are schemas, the pipeline is held against each of them.
pub fn check(pipeline: &Pipeline, catalog: &Catalog) -> Vec<Finding> {
    let everything = Scope {
        edition: Edition::Ee,
        is_wanted: &|_| true,
    };
    check_with(pipeline, catalog, everything)
}

/// What of a pipeline is held against a catalog, besides its entity and its rules.
#[derive(Clone, Copy)]
pub struct Scope<'s> {
    pub edition: Edition,
    pub is_wanted: &'s dyn Fn(&Relation) -> bool,
}

impl Scope<'_> {
    /// True for what is in the edition.
    fn takes(self, ee: bool) -> bool {
        !ee || self.edition == Edition::Ee
    }
}

/// What a pipeline names, and the snapshot does not have, unless the pipeline says that it may be missing: in the pipeline's
/// order, as lines for people.
pub fn lacks(pipeline: &Pipeline, catalog: &Catalog, scope: Scope<'_>) -> Vec<String> {
    let findings = check_with(pipeline, catalog, scope).into_iter();
    findings
        .filter(|finding| finding.is_lack)
        .map(|finding| format!("{}: {}", finding.place, finding.message))
        .collect()
}

fn check_with(pipeline: &Pipeline, catalog: &Catalog, scope: Scope<'_>) -> Vec<Finding> {
    match pipeline.schemas_in(catalog) {
        None => check_one(pipeline, catalog, scope),
        Some(schemas) => schemas::check_each(pipeline, &schemas, catalog, scope),
    }
}

/// Holds a pipeline whose tables all have a schema against a catalog.
fn check_one(pipeline: &Pipeline, catalog: &Catalog, scope: Scope<'_>) -> Vec<Finding> {
    let mut checker = Checker {
        pipeline,
        catalog,
        scope,
        findings: Vec::new(),
        keys_judged: HashSet::new(),
        nodes: Vec::new(),
    };
    checker.entity();
    checker.tables();
    let relations = pipeline.relations.iter();
    for relation in relations.filter(|it| scope.takes(it.ee) && (scope.is_wanted)(it)) {
        checker.relation(relation);
    }
    checker.findings
}

/// What a column must be for what a pipeline does with it.
#[derive(Clone, Copy)]
enum Need {
    Any,
    Integer,
    Text,
}

impl Need {
    fn is_met(self, sql_type: &SqlType) -> bool {
        match self {
            Need::Any => true,
            Need::Integer => sql_type.is_integer(),
            Need::Text => sql_type.is_text(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Need::Any => "a column",
            Need::Integer => "an integer",
            Need::Text => "a text",
        }
    }
}

/// What it means that the snapshot does not have a column.
#[derive(Clone, Copy)]
enum Absence {
    /// The pipeline says that it may be missing.
    Allowed,
    Told(Severity),
}

struct Checker<'a> {
    pipeline: &'a Pipeline,
    catalog: &'a Catalog,
    scope: Scope<'a>,
    findings: Vec<Finding>,
    /// Tables whose declared keys were held against the stated ones.
    keys_judged: HashSet<TableName>,
    /// The nodes that the current one stands in, from the relation down, and behind them itself: their names and tables.
    nodes: Vec<(String, &'a Table)>,
}

impl<'a> Checker<'a> {
    /// Adds a finding. What is found in several ways is told once.
    fn report(&mut self, severity: Severity, place: &str, message: String) {
        self.find(severity, place, message, false);
    }

    /// Adds that the snapshot does not have something that the pipeline names.
    fn report_lack(&mut self, severity: Severity, place: &str, message: String) {
        self.find(severity, place, message, true);
    }

    fn find(&mut self, severity: Severity, place: &str, message: String, is_lack: bool) {
        let finding = Finding {
            severity,
            place: place.to_owned(),
            message,
            is_lack,
        };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn table(&self, name: &TableName) -> Option<&'a Table> {
        let mut names = self.pipeline.names_of(name);
        names.find_map(|name| self.catalog.table(name))
    }

    /// A column that rows are found by: without it nothing can be done. Its type, if it is there.
    fn there(
        &mut self,
        place: &str,
        table: &'a Table,
        column: &str,
        role: &str,
    ) -> Option<&'a SqlType> {
        let found = table.column(column);
        if found.is_none() {
            let message = format!(
                "{role} needs column {column}, which table {} does not have",
                table.name
            );
            self.report_lack(Severity::Error, place, message);
        }
        found.map(|(_, column)| &column.sql_type)
    }

    /// A column that has to be there and of a kind.
    fn needed(&mut self, place: &str, table: &'a Table, column: &str, need: Need, role: &str) {
        let found = self.there(place, table, column, role);
        if found.is_some_and(|sql_type| !need.is_met(sql_type)) {
            let message = format!(
                "{role} needs {}, and column {column} of table {} is none",
                need.name(),
                table.name
            );
            self.report(Severity::Error, place, message);
        }
    }

    /// A column that is only written: without it something is left out.
    fn wanted(
        &mut self,
        place: &str,
        table: &'a Table,
        column: &str,
        absence: Absence,
        consequence: &str,
    ) -> Option<&'a Column> {
        let found = table.column(column).map(|(_, column)| column);
        if found.is_none() {
            let message = format!("table {} has no column {column}: {consequence}", table.name);
            match absence {
                Absence::Allowed => self.report(Severity::Note, place, message),
                Absence::Told(severity) => self.report_lack(severity, place, message),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
