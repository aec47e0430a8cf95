//! Asking: one query, and what its rows are.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, Policy};
use crate::resolve::error::ResolveError;
use crate::resolve::keys::{Key, KeySet};
use crate::resolve::plan::{Hop, HopId, Plan, SlotSource, TableId};
use crate::resolve::scan::{HeadError, HopToScan, ScanFor, Scanned, Scanner, layout_block};
use crate::snapshot::{
    BlockHead, Catalog, Event, Fields, KeyedSource, Predicate, Query, SnapshotError,
};

use super::predicates::predicates;
use super::presence::KeyFilter;

/// Keys that one query names at the most; of more, several are made.
pub(super) const KEYS: usize = 10_000;

/// Why rows did not come.
pub(super) enum AskFailure {
    /// The rows that were asked for cannot be had; others can.
    Relation(Refusal),
    /// Nothing more can be had.
    Run(ResolveError),
}

/// Why some rows cannot be had.
pub(super) struct Refusal {
    pub(super) reason: String,
    /// They may be had later.
    pub(super) may_pass: bool,
}

impl AskFailure {
    /// Rows that cannot be had, today or later.
    pub(super) fn relation(reason: String) -> Self {
        AskFailure::Relation(Refusal {
            reason,
            may_pass: false,
        })
    }
}

impl From<Refusal> for ResolveError {
    fn from(refusal: Refusal) -> Self {
        ResolveError::Refused {
            reason: refusal.reason,
            may_pass: refusal.may_pass,
        }
    }
}

impl From<SnapshotError> for AskFailure {
    fn from(error: SnapshotError) -> Self {
        match error.policy() {
            Policy::FailRelation => AskFailure::Relation(Refusal {
                may_pass: error.may_pass(),
                reason: error.to_string(),
            }),
            Policy::ReadAgain | Policy::BeginAnew | Policy::EndRun(_) => {
                AskFailure::Run(error.into())
            }
        }
    }
}

/// What the rows of a query are for.
pub(super) enum Purpose {
    /// They are found by a hop, by its own key.
    Hop(HopId),
    /// They are those of a hop's table, found by their primary key.
    HopByPrimaryKey(HopId),
    /// They say who the entities are.
    Directory,
}

/// Takes a row: its id, and its fields by the table's layout.
pub(super) type TakeFound<'a, E> = &'a mut dyn FnMut(i64, &[u8]) -> Result<(), E>;

/// Asks a source for rows of a plan's tables.
pub(super) struct Asker<'a> {
    pub plan: &'a Plan,
    pub catalog: &'a Catalog,
    pub source: &'a dyn KeyedSource,
}

impl Asker<'_> {
    /// Asks for rows of a table, whole as its layout has them, and hands out what was found in them until `take` breaks off.
    ///
    /// # Errors
    /// The server's; a row that cannot be used fails the query's relation, and `interrupted` the run.
    pub(crate) fn rows(
        &self,
        table: TableId,
        predicates: Vec<Predicate<'_>>,
        purpose: &Purpose,
        interrupted: &AtomicBool,
        take: &mut dyn FnMut(Scanned) -> Result<ControlFlow<()>, AskFailure>,
    ) -> Result<(), AskFailure> {
        let name = &self.plan.tables[table].name;
        let columns = self.plan.tables[table]
            .layout
            .iter()
            .map(|column| column.name.as_str())
            .filter(|column| {
                // Records do not have them, so most need not be computed.
                !self.catalog.is_generated(name, column) || self.plan.finds_by(table, column)
            })
            .collect();
        let query = Query {
            table: name,
            fields: Fields::Columns(columns),
            predicates,
        };
        let mut scanner = None;
        self.read(&query, interrupted, &mut |event| match event {
            Event::Begin(head) => {
                let made = self.scanner(table, &head, purpose);
                scanner = Some(
                    made.map_err(|error| AskFailure::relation(format!("table {name}: {error}")))?,
                );
                Ok(ControlFlow::Continue(()))
            }
            Event::Rows(block) => {
                let Some(scanner) = &scanner else {
                    let reason = "rows came without their head";
                    return Err(AskFailure::relation(format!("table {name}: {reason}")));
                };
                let scanned = scanner.scan(&block);
                match scanned.unusable() {
                    Some(bad) => Err(AskFailure::relation(format!(
                        "table {name}: {}",
                        bad.reason
                    ))),
                    None => take(scanned),
                }
            }
            Event::Damage(damage) => Err(damage.into()),
            Event::Catalog(..)
            | Event::Keys(_)
            | Event::End(_)
            | Event::DatabaseEnd(_)
            | Event::Holdings(_) => Ok(ControlFlow::Continue(())),
        })
    }

    /// What is found in rows of a table that came before, each as its layout has it.
    ///
    /// # Errors
    /// A row that cannot be used.
    pub(crate) fn known(
        &self,
        table: TableId,
        purpose: &Purpose,
        rows: Vec<u8>,
    ) -> Result<Scanned, AskFailure> {
        let planned = &self.plan.tables[table];
        let head = Arc::new(planned.layout_head());
        let broken = |reason: &dyn std::fmt::Display| {
            AskFailure::relation(format!("table {}: {reason}", planned.name))
        };
        let scanner = self
            .scanner(table, &head, purpose)
            .map_err(|error| broken(&error))?;
        let scanned = scanner.scan(&layout_block(head, rows));
        match scanned.unusable() {
            Some(bad) => Err(broken(&bad.reason)),
            None => Ok(scanned),
        }
    }

    /// Asks a query and hands out what comes, until `take` breaks off or fails.
    ///
    /// # Errors
    /// The server's, `take`'s, and the interruption of the run.
    pub(crate) fn read(
        &self,
        query: &Query<'_>,
        interrupted: &AtomicBool,
        take: &mut dyn FnMut(Event) -> Result<ControlFlow<()>, AskFailure>,
    ) -> Result<(), AskFailure> {
        let mut result = Ok(());
        let read = self.source.read(query, &mut |event| {
            if interrupted.load(Ordering::Relaxed) {
                result = Err(AskFailure::Run(ResolveError::Interrupted));
                return ControlFlow::Break(());
            }
            match take(event) {
                Ok(flow) => flow,
                Err(failure) => {
                    result = Err(failure);
                    ControlFlow::Break(())
                }
            }
        });
        result?;
        Ok(read?)
    }

    /// Asks for the rows that a hop finds by these keys, and hands them out with their ids.
    ///
    /// # Errors
    /// Purpose [`Asker::read`].
    pub(crate) fn hop(
        &self,
        id: HopId,
        keys: &[Key],
        interrupted: &AtomicBool,
        take: TakeFound<'_, AskFailure>,
    ) -> Result<(), AskFailure> {
        let hop = &self.plan.hops[id];
        for keys in keys.chunks(KEYS) {
            let question = hop.question(&self.plan.tables[hop.table], keys)?;
            let predicates = hop.predicates(&question);
            self.rows(
                hop.table,
                predicates,
                &Purpose::Hop(id),
                interrupted,
                &mut |scanned| {
                    for found in &scanned.found {
                        take(found.id, &scanned.kept[scanned.ranges[found.row].clone()])?;
                    }
                    Ok(ControlFlow::Continue(()))
                },
            )?;
        }
        Ok(())
    }

    /// Asks for the keys by which a hop finds rows in its table, of this column; `None` if they are `most` or more.
    ///
    /// # Errors
    /// As [`Asker::read`].
    pub(crate) fn present(
        &self,
        hop: &Hop,
        column: &str,
        most: u64,
        interrupted: &AtomicBool,
    ) -> Result<Option<KeyFilter>, AskFailure> {
        let query = Query {
            table: &self.plan.tables[hop.table].name,
            fields: Fields::Gathered(column, most),
            predicates: predicates(&hop.filter, &hop.tests).collect(),
        };
        let array = self.answer(&query, interrupted)?;
        Ok(KeyFilter::of_array(&array, most))
    }

    /// What the server says to a question whose answer is one row, in COPY text.
    ///
    /// # Errors
    /// As [`Asker::read`].
    pub(super) fn answer(
        &self,
        query: &Query<'_>,
        interrupted: &AtomicBool,
    ) -> Result<Vec<u8>, AskFailure> {
        let mut answer = Vec::new();
        self.read(query, interrupted, &mut |event| {
            if let Event::Rows(block) = event {
                answer.extend_from_slice(block.bytes());
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(answer)
    }

    fn scanner(
        &self,
        table: TableId,
        head: &BlockHead,
        purpose: &Purpose,
    ) -> Result<Scanner, HeadError> {
        let planned = &self.plan.tables[table];
        let definition = self
            .catalog
            .table(&planned.name)
            .ok_or(HeadError::NoDefinition)?;
        let key = planned.askable_key();
        // Which rows have the keys and pass the filter the server has decided.
        let found = match (purpose, key) {
            (Purpose::Hop(hop), _) => {
                let found = &self.plan.hops[*hop];
                let child = found.child.iter().map(String::as_str).collect();
                Some((*hop, child, found.shape.clone()))
            }
            (Purpose::HopByPrimaryKey(hop), Some((columns, shape))) => Some((*hop, columns, shape)),
            (Purpose::HopByPrimaryKey(_), None) | (Purpose::Directory, _) => None,
        };
        let hops = found.map(|(hop, child, shape)| HopToScan {
            hop,
            child,
            shape,
            tests: &[],
            keys: Some(Arc::new(KeySet::Any)),
            // What records refer to is gathered when they are rendered.
            feeds: self
                .plan
                .feeds(hop)
                .into_iter()
                .filter(|feed| {
                    let source = &self.plan.slots[feed.slot].source;
                    !matches!(source, SlotSource::Collected { .. })
                })
                .collect(),
            own_slot: None,
        });
        let purpose = ScanFor {
            observed: hops.is_none(),
            texts: true,
        };
        Scanner::new(
            planned,
            definition,
            head,
            hops.into_iter().collect(),
            purpose,
        )
    }
}
