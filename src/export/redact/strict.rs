//! What a redaction file leaves open: columns without a rule, and rules without a column.

use std::collections::BTreeSet;

use super::first_file::line;
use super::mask::Mask;
use super::masks::Masks;
use super::parse::{ColumnRule, Redaction};
use super::written::{Column, written};
use crate::pipeline::{Mistake, Pipeline, PipelineError};
use crate::resolve::Plan;

/// How like a written column's name an idle rule's must be for it to be meant: 1 is equal.
const ALIKE: f64 = 0.75;

/// What a redaction file leaves open.
pub(super) struct Open {
    /// Rules that are for nothing that is written.
    idle: Vec<Mistake>,
    /// Lines for the file, of columns that may hold text and have no rule.
    lacking: Vec<String>,
    /// Columns that are kept, though what they are made of is redacted.
    derived: Vec<String>,
}

impl Open {
    pub(super) fn of(
        redaction: &Redaction,
        masks: &Masks,
        plan: &Plan,
        pipelines: &[&Pipeline],
    ) -> Open {
        let written = written(plan, pipelines);
        let without = written
            .iter()
            .filter(|(table, column)| masks.any(*table, *column).is_none());
        let lacking = without.filter_map(|(table, column)| line(plan, *table, *column));
        Open {
            idle: idle(redaction, plan, &written),
            lacking: lacking.collect(),
            derived: derived(masks, plan, &written),
        }
    }

    /// What is said of rules that do nothing.
    pub(super) fn warnings(&self, source_name: &str) -> Vec<String> {
        let idle = self.idle.iter();
        let idle =
            idle.map(|it| format!("{source_name}:{}:{}: {}", it.line, it.column, it.message));
        idle.collect()
    }

    /// Why the file is not enough, if nothing may be left open.
    pub(super) fn refusal(&self, source_name: &str) -> Option<String> {
        let mut reasons = Vec::new();
        if !self.idle.is_empty() {
            let error = PipelineError {
                source_name: source_name.to_owned(),
                mistakes: self.idle.clone(),
            };
            reasons.push(error.to_string());
        }
        if !self.derived.is_empty() {
            reasons.push(self.derived.join("\n"));
        }
        if !self.lacking.is_empty() {
            reasons.push(format!(
                "{source_name} has no rule for {} columns that are written and may hold text, and --strict lets none pass:\n\n\
                 columns:\n{}\n  put these lines into the file, and decide",
                self.lacking.len(),
                self.lacking.concat()
            ));
        }
        (!reasons.is_empty()).then(|| reasons.join("\n"))
    }
}

/// Rules that are for no column that is written.
fn idle(redaction: &Redaction, plan: &Plan, written: &BTreeSet<Column>) -> Vec<Mistake> {
    let names: Vec<String> = written
        .iter()
        .map(|(table, column)| {
            let table = &plan.tables[*table];
            format!("{}.{}", table.name, table.layout[*column].name)
        })
        .collect();
    let is_idle = |rule: &&ColumnRule| {
        !written.iter().any(|(table, column)| {
            let table = &plan.tables[*table];
            let mut names = std::iter::once(&table.name).chain(&table.relatives);
            names.any(|name| rule.name.fits(name, &table.layout[*column].name))
        })
    };
    let idle = redaction.columns.iter().filter(is_idle);
    idle.map(|rule| {
        let name = rule.name.shown();
        let alike = names
            .iter()
            .map(|other| (strsim::normalized_damerau_levenshtein(&name, other), other))
            .filter(|(alike, _)| *alike >= ALIKE)
            .max_by(|(one, _), (other, _)| one.total_cmp(other));
        let hint = match alike {
            Some((_, other)) => format!("did you mean `{other}`?"),
            None => "take the rule out, or mend its name".to_owned(),
        };
        let message =
            format!("`{name}` is nothing that is written, so its rule does nothing; {hint}");
        Mistake::new(rule.position, message)
    })
    .collect()
}

/// Columns that are kept, and by their names are made of a column of the same table that is redacted.
fn derived(masks: &Masks, plan: &Plan, written: &BTreeSet<Column>) -> Vec<String> {
    let mut derived = Vec::new();
    for (table, column) in written {
        if masks.of(*table, *column).is_none() {
            continue;
        }
        let (id, table) = (*table, &plan.tables[*table]);
        let name = &table.layout[*column].name;
        let copies = [
            format!("{name}_html"),
            format!("{name}_lower"),
            format!("lower_{name}"),
            format!("{name}_lowercase"),
            format!("{name}_downcase"),
            format!("normalized_{name}"),
        ];
        for copy in copies {
            let Some(other) = table.column(&copy) else {
                continue;
            };
            let is_kept = masks.any(id, other).is_some_and(Mask::keeps);
            if is_kept && written.contains(&(id, other)) {
                derived.push(format!(
                    "column {copy} of table {} is kept, but its name says that it is made of {name}, which is redacted; \
                     give it a rule that hides as much",
                    table.name
                ));
            }
        }
    }
    derived
}
