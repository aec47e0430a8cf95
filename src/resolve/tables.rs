//! Tables that can be opened at will: level by level, so that nothing has to wait.

use std::sync::Arc;

use crate::snapshot::drive::{PartReaders, PartReport, part_readers};
use crate::snapshot::{Event, SnapshotError, TableSource};

use super::error::ResolveError;
use super::holdings::{fail_undefined, note_lacking, note_undivided, note_without_data};
use super::plan::{Plan, TableId};
use super::request::{Observer, Outcome, Request};
use super::resolved::Resolved;
use super::resolver::Resolver;
use super::schedule::Schedule;
use super::start::{check_taken, start};

/// Tables are opened level by level: first those that say who the entities are, then always those whose
/// parents are known, several at a time.
pub(super) fn resolve_tables(
    source: &Arc<dyn TableSource>,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, ResolveError> {
    let (catalog, mut facts) = (source.catalog(), source.facts());
    let holdings = source.holdings();
    let mut resolver = start(request, &catalog, &facts, false, observer)?;
    if !request.stop_early {
        check_taken(&facts, &resolver.plan, &holdings, request.kinds)?;
    }
    note_without_data(&mut resolver, &catalog, &holdings);
    note_undivided(&mut resolver, &holdings);
    let readers = request.pool.current_num_threads().max(1);
    let plan = Arc::clone(&resolver.plan);
    let mut opened = OpenedTables {
        schedule: Schedule::new(&plan, source.as_ref(), readers),
        plan,
        source: source.as_ref(),
        resolver,
    };
    let readers: PartReaders<TableId> = part_readers(Arc::clone(source), readers, |_| true)?;
    while opened.open_next(&readers, observer)? {
        let taken = readers.next(&request.interrupted, |report| opened.take(report))?;
        taken.ok_or(ResolveError::Broken(
            "the readers of the snapshot ended early",
        ))?;
    }
    readers.finish();
    let mut resolved = opened.finish()?;
    let undefined = fail_undefined(&mut resolved, request, &holdings)?;
    note_lacking(&resolved, request, &mut facts)?;
    Ok(Outcome {
        resolved,
        facts,
        catalog,
        cut_off: None,
        undefined,
    })
}

/// The tables of a snapshot while they are being read.
struct OpenedTables<'s> {
    plan: Arc<Plan>,
    source: &'s dyn TableSource,
    resolver: Resolver,
    schedule: Schedule,
}

impl OpenedTables<'_> {
    /// Gives the parts of the tables to the readers that are to be read now. False when every table has been read.
    fn open_next(
        &mut self,
        readers: &PartReaders<TableId>,
        observer: &mut dyn Observer,
    ) -> Result<bool, ResolveError> {
        loop {
            for table in self.schedule.next(&self.plan, &self.resolver) {
                self.open(table, readers, observer)?;
            }
            if self.schedule.is_reading() {
                return Ok(true);
            }
            if self.schedule.is_through() {
                return Ok(false);
            }
        }
    }

    fn open(
        &mut self,
        table: TableId,
        readers: &PartReaders<TableId>,
        observer: &mut dyn Observer,
    ) -> Result<(), ResolveError> {
        let name = &self.plan.tables[table].name;
        observer.table(name);
        let mut parts = self.source.parts(name);
        if parts.is_empty() {
            return self.resolver.table_gone(table);
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.size));
        self.schedule.started(table, parts.len());
        for part in parts {
            readers.give((table, part));
        }
        Ok(())
    }

    fn take(&mut self, report: PartReport<TableId>) -> Result<(), ResolveError> {
        match report {
            PartReport::Event(table, Event::Begin(head)) => self.resolver.begin_table(table, &head),
            PartReport::Event(table, Event::Rows(block)) => self.resolver.rows(table, block),
            PartReport::Event(table, Event::Damage(damage)) => self.fail(table, damage),
            // Of a table that is opened these are known before.
            PartReport::Event(
                _,
                Event::Catalog(..)
                | Event::Keys(_)
                | Event::End(_)
                | Event::DatabaseEnd(_)
                | Event::Holdings(_),
            ) => Ok(()),
            PartReport::End(table, result) => {
                if let Err(error) = result {
                    self.fail(table, error)?;
                }
                match self.schedule.ended(table) {
                    true => self.resolver.table_gone(table),
                    false => Ok(()),
                }
            }
        }
    }

    /// A part of a table cannot be read: what needs the table fails. Without the tables that say who the entities are
    /// there is nothing to export.
    fn fail(&mut self, table: TableId, error: SnapshotError) -> Result<(), ResolveError> {
        if self.plan.tables[table].is_observed() {
            return Err(error.into());
        }
        self.resolver.table_broken(table, error.to_string());
        Ok(())
    }

    /// Nobody else has the plan behind this, so that it can still be changed.
    fn finish(self) -> Result<Resolved, ResolveError> {
        let OpenedTables { plan, resolver, .. } = self;
        drop(plan);
        resolver.finish()
    }
}
