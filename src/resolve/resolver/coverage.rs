//! Which of a table's kept columns its data has, and what becomes of those that it lacks.
//!
//! Data lacks generated columns, of which dumps hold no values: their keys are left out. Any other column that a dump's rows
//! lack a server fills in when the dump is restored, with NULL or the column's default. Whoever makes CSV files chooses their
//! columns: keys of those that are not there are left out, and told.

use std::collections::BTreeSet;

use crate::resolve::plan::{Plan, PlanTable, SlotSource, TableId};
use crate::resolve::scan::HeadError;
use crate::snapshot::{Catalog, RowForm};

/// The columns of a table's data, over all parts of it.
#[derive(Default)]
pub(super) struct Coverage {
    /// Layout columns that no part has; `None` before the first part.
    absent: Option<BTreeSet<usize>>,
    /// Layout columns that a part with rows lacks.
    lacking: BTreeSet<usize>,
    /// The data are CSV files.
    in_files: bool,
}

impl Coverage {
    /// A part begins that does not have these columns. False if its columns are not those of the other parts and nobody
    /// knows why: it is a file.
    pub(crate) fn begin(&mut self, form: RowForm, absent: BTreeSet<usize>) -> bool {
        self.in_files = form == RowForm::Csv;
        match &mut self.absent {
            None => self.absent = Some(absent),
            Some(columns) if self.in_files => return *columns == absent,
            Some(columns) => columns.retain(|column| absent.contains(column)),
        }
        true
    }

    /// Rows come that do not have these columns.
    pub(crate) fn rows(&mut self, absent: impl Iterator<Item = usize>) {
        self.lacking.extend(absent);
    }

    /// Why no part of the data can be used for a table's hops: it lacks a column by which its rows are found, or the rows that
    /// hang on them. A dump's rows that lack one of the latter lead nowhere, as a restore would have it, unless it is generated.
    pub(crate) fn unlinked(
        &self,
        plan: &Plan,
        table: TableId,
        catalog: &Catalog,
    ) -> Option<String> {
        let planned = &plan.tables[table];
        let is_absent = |column: &&str| {
            let position = planned.column(column);
            position.is_some_and(|position| self.is_absent(position))
        };
        let is_lacking = |column: &&str| {
            let position = planned.column(column);
            position.is_some_and(|position| self.lacking.contains(&position))
        };
        let is_generated = |column: &str| catalog.is_generated(&planned.name, column);
        let mut hops = plan.hops_onto(table);
        let column = hops.find_map(|hop| {
            let found_by = plan.hops[hop].columns().find(is_absent);
            if self.lacking.is_empty() {
                // Most often.
                return found_by;
            }
            found_by.or_else(|| {
                plan.feeds(hop).into_iter().find_map(|feed| {
                    let source = &plan.slots[feed.slot].source;
                    // Of what is collected by a column that a file lacks, its warning tells.
                    let is_link = !matches!(source, SlotSource::Collected { .. });
                    let mut fed = feed.columns.into_iter().filter(is_lacking);
                    fed.find(|column| is_generated(column) || self.in_files && is_link)
                })
            })
        })?;
        Some(match is_generated(column) {
            true => HeadError::Generated(column.to_owned()).to_string(),
            false => HeadError::NoColumn(column.to_owned()).to_string(),
        })
    }

    /// Why rows cannot be sorted: files lack one of the columns that they are sorted by, or dumps one that is generated.
    pub(crate) fn unsorted<'a>(
        &self,
        table: &PlanTable,
        catalog: &Catalog,
        order: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let mut order = order.filter(|column| {
            let position = table.column(column);
            let is_unknown = self.in_files || catalog.is_generated(&table.name, column);
            is_unknown && position.is_some_and(|position| self.is_absent(position))
        });
        let column = order.next()?;
        Some(format!(
            "the data has no column {column}, by which rows are sorted"
        ))
    }

    /// Why rows are not what the database would have them be: they lack a column that it would fill in with what is not
    /// known here, or for which it would refuse them.
    pub(crate) fn filled_in(&self, table: &PlanTable, catalog: &Catalog) -> Option<String> {
        let whose = |column: &usize| match self.is_absent(*column) {
            true => "its data has no column",
            false => "some of its data has no column",
        };
        // Who makes CSV files may leave out whole columns; that one file lacks what another has, `begin` tells.
        let mut lacking = self.lacking.iter().filter(|_| !self.in_files);
        lacking.find_map(|column| {
            let (whose, name) = (whose(column), &table.layout[*column].name);
            if catalog.is_generated(&table.name, name) {
                return None;
            }
            if catalog.has_default(&table.name, name) {
                return Some(format!(
                    "{whose} {name}, and the database would fill in the column's default; \
                     restore the dump into a server, and export from that"
                ));
            }
            let is_refused = catalog.is_not_null(&table.name, name);
            is_refused.then(|| {
                format!("{whose} {name}, which cannot be NULL: a database would refuse these rows")
            })
        })
    }

    /// Columns whose keys are left out of records.
    pub(crate) fn left_out(&self, table: &PlanTable, catalog: &Catalog) -> BTreeSet<usize> {
        let is_generated =
            |column: &usize| catalog.is_generated(&table.name, &table.layout[*column].name);
        let absent = self.absent.iter().flatten().copied();
        absent
            .filter(|column| self.in_files || is_generated(column))
            .collect()
    }

    /// Names of columns that no row has, though it is not the database that computes them; with what is written in their place.
    pub(crate) fn unexplained<'t>(
        &'t self,
        table: &'t PlanTable,
        catalog: &Catalog,
    ) -> Option<(Vec<&'t str>, &'static str)> {
        let absent = self
            .lacking
            .iter()
            .filter(|column| self.is_absent(**column));
        let names = absent.map(|column| table.layout[*column].name.as_str());
        let names: Vec<&str> = names
            .filter(|name| !catalog.is_generated(&table.name, name))
            .collect();
        let instead = match self.in_files {
            true => "it is left out",
            false => "it is NULL, as a server would fill it in",
        };
        (!names.is_empty()).then_some((names, instead))
    }

    fn is_absent(&self, column: usize) -> bool {
        let mut absent = self.absent.iter();
        absent.any(|absent| absent.contains(&column))
    }
}
