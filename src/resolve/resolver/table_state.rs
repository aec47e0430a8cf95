//! A table of the plan while the snapshot goes by.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::resolve::plan::{Hop, PlanTable};
use crate::resolve::resolved::Trouble;
use crate::resolve::scan::{HeadError, Scanner};
use crate::snapshot::{BlockHead, Catalog, RowForm, TableName};

use super::staging::Staging;

/// How much of a table's data has gone by.
#[derive(Default)]
pub(super) enum Progress {
    /// None so far.
    #[default]
    Awaited,
    /// Some, and more may come. The scanner is that of the newest head; there is none if rows under that head cannot be
    /// used, which the table's trouble tells.
    Reading(Option<(Arc<BlockHead>, Arc<Scanner>)>),
    /// All of it.
    Read,
    /// There is none: the snapshot holds no data of the table.
    Empty,
}

/// What is known of a table.
#[derive(Default)]
pub(super) struct TableState {
    pub progress: Progress,
    pub staging: Staging,
    pub coverage: Coverage,
    /// Tables of this one's tree whose data the snapshot does not hold.
    pub without_data: BTreeSet<TableName>,
    pub trouble: Trouble,
}

impl TableState {
    /// True if some of its data has gone by.
    pub(crate) fn is_seen(&self) -> bool {
        matches!(self.progress, Progress::Reading(_) | Progress::Read)
    }

    /// True if no more of its data will come.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.progress, Progress::Read | Progress::Empty)
    }

    /// No more of its data will come.
    pub(crate) fn close(&mut self) {
        self.progress = match self.progress {
            Progress::Awaited | Progress::Empty => Progress::Empty,
            Progress::Reading(_) | Progress::Read => Progress::Read,
        };
    }

    /// All of its rows are doubtful; the first reason is kept.
    pub(crate) fn broken(&mut self, reason: String) {
        self.trouble.broken.get_or_insert(reason);
    }
}

/// Which of a table's kept columns its data has, over all parts of it.
#[derive(Default)]
pub(super) struct Coverage {
    /// Layout columns that no part has; `None` before the first part.
    absent: Option<BTreeSet<usize>>,
    /// Layout columns that a part with rows lacks.
    lacking: BTreeSet<usize>,
}

impl Coverage {
    /// A part begins that does not have these columns. False if its columns are not those of the other parts and nobody
    /// knows why: it is a file.
    pub(crate) fn begin(&mut self, form: RowForm, absent: BTreeSet<usize>) -> bool {
        match &mut self.absent {
            None => self.absent = Some(absent),
            Some(columns) if form == RowForm::Csv => return *columns == absent,
            Some(columns) => columns.retain(|column| absent.contains(column)),
        }
        true
    }

    /// Rows come that do not have these columns.
    pub(crate) fn rows(&mut self, absent: impl Iterator<Item = usize>) {
        self.lacking.extend(absent);
    }

    /// The columns that no part had, if there was a part.
    pub(crate) fn absent(&self) -> Option<&BTreeSet<usize>> {
        self.absent.as_ref()
    }

    /// Why no part of the data can be used for these hops: it lacks a column by which rows are found.
    pub(crate) fn unlinked<'a>(
        &self,
        table: &PlanTable,
        mut hops: impl Iterator<Item = &'a Hop>,
    ) -> Option<String> {
        let absent = self.absent.as_ref()?;
        let is_absent = |column: &&str| {
            let position = table.column(column);
            position.is_some_and(|position| absent.contains(&position))
        };
        hops.find_map(|hop| hop.columns().find(is_absent))
            .map(|column| HeadError::NoColumn(column.to_owned()).to_string())
    }

    /// Why rows are not what the database would have them be. If some parts of a table's data lack a column that others
    /// have, the database fills it in: with NULL, unless the table states a default, which is not known here.
    pub(crate) fn filled_in(&self, table: &PlanTable, catalog: &Catalog) -> Option<String> {
        let absent = self.absent.as_ref()?;
        let column = self
            .lacking
            .difference(absent)
            .map(|column| &table.layout[*column].name)
            .find(|column| catalog.has_default(&table.name, column))?;
        Some(format!(
            "some of its data has no column {column}, and the database would fill in the column's default; \
             restore the dump into a server, and export from that"
        ))
    }
}
