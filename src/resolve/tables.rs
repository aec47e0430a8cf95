//! Tables that can be opened at will: level by level, so that nothing has to wait.

use std::ops::ControlFlow;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::fault::caught;
use crate::snapshot::{Event, SnapshotError, TablePart, TableSource};
use crate::timings::{self, Phase, Timings};

use super::error::ResolveError;
use super::holdings::{fail_undefined, note_without_data};
use super::interrupt::check_interrupted;
use super::plan::{Plan, TableId};
use super::request::{Observer, Outcome, Request};
use super::resolved::Resolved;
use super::resolver::Resolver;
use super::schedule::Schedule;
use super::start::{check_taken, start};

/// Events between the reading threads and the resolver, for each of them.
const EVENTS: usize = 4;

/// What the readers of a snapshot with random access report.
enum Report {
    Event(TableId, Event),
    Done(TableId, Result<(), SnapshotError>),
}

/// Tables are opened level by level: first those that say who the entities are, then always those whose
/// parents are known, several at a time.
pub(super) fn resolve_tables(
    source: &dyn TableSource,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, ResolveError> {
    let (catalog, facts) = (source.catalog(), source.facts());
    let holdings = source.holdings();
    let mut resolver = start(request, &catalog, &facts, false, observer)?;
    if !request.stop_early {
        check_taken(&facts, &resolver.plan, &holdings, request.pipeline)?;
    }
    note_without_data(&mut resolver, &catalog, &holdings);
    let readers = request.pool.current_num_threads().max(1);
    std::thread::scope(|scope| {
        let (reports, received) = bounded(EVENTS * readers);
        let (work, parts) = unbounded();
        for reader in 0..readers {
            let (reports, parts) = (reports.clone(), parts.clone());
            let timings = timings::current();
            std::thread::Builder::new()
                .name(format!("reader-{reader}"))
                .spawn_scoped(scope, move || {
                    read_parts(source, &parts, &reports, timings.as_ref());
                })
                .map_err(SnapshotError::Threads)?;
        }
        drop((reports, parts));
        let plan = Arc::clone(&resolver.plan);
        let mut opened = OpenedTables {
            schedule: Schedule::new(&plan, source, readers),
            plan,
            source,
            resolver,
            work,
        };
        while opened.open_next(observer)? {
            check_interrupted(&request.interrupted)?;
            let report = timings::waiting(|| received.recv());
            let ended = |_| ResolveError::Broken("the readers of the snapshot ended early");
            opened.take(report.map_err(ended)?)?;
        }
        let mut resolved = opened.finish()?;
        let undefined = fail_undefined(&mut resolved, request, &holdings)?;
        Ok(Outcome {
            resolved,
            facts,
            catalog,
            cut_off: None,
            undefined,
        })
    })
}

/// The tables of a snapshot while they are being read.
struct OpenedTables<'s> {
    plan: Arc<Plan>,
    source: &'s dyn TableSource,
    resolver: Resolver,
    schedule: Schedule,
    work: Sender<(TableId, TablePart)>,
}

impl OpenedTables<'_> {
    /// Gives the parts of the tables to the readers that are to be read now. False when every table has been read.
    fn open_next(&mut self, observer: &mut dyn Observer) -> Result<bool, ResolveError> {
        loop {
            for table in self.schedule.next(&self.plan, &self.resolver) {
                self.open(table, observer)?;
            }
            if self.schedule.is_reading() {
                return Ok(true);
            }
            if self.schedule.is_through() {
                return Ok(false);
            }
        }
    }

    fn open(&mut self, table: TableId, observer: &mut dyn Observer) -> Result<(), ResolveError> {
        let name = &self.plan.tables[table].name;
        observer.table(name);
        let mut parts = self.source.parts(name);
        if parts.is_empty() {
            return self.resolver.table_gone(table);
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.size));
        self.schedule.started(table, parts.len());
        for part in parts {
            // The readers live as long as the channel does.
            let _ = self.work.send((table, part));
        }
        Ok(())
    }

    fn take(&mut self, report: Report) -> Result<(), ResolveError> {
        match report {
            Report::Event(table, Event::Begin(head)) => self.resolver.begin_table(table, &head),
            Report::Event(table, Event::Rows(block)) => self.resolver.rows(table, block),
            Report::Event(table, Event::Damage(damage)) => self.fail(table, damage),
            // Of a table that is opened these are known before.
            Report::Event(
                _,
                Event::Catalog(..) | Event::Keys(_) | Event::End(_) | Event::Holdings(_),
            ) => Ok(()),
            Report::Done(table, result) => {
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
        if self.plan.tables[table].observed {
            return Err(error.into());
        }
        self.resolver.table_broken(table, error.to_string());
        Ok(())
    }

    fn finish(self) -> Result<Resolved, ResolveError> {
        // The readers have nothing more to do.
        drop(self.work);
        self.resolver.finish(false)
    }
}

/// One reading thread: reads parts until no more are given out.
fn read_parts(
    source: &dyn TableSource,
    parts: &Receiver<(TableId, TablePart)>,
    reports: &Sender<Report>,
    timings: Option<&Arc<Timings>>,
) {
    let _work = timings::work(timings, Phase::Scan);
    while let Ok((table, part)) = timings::waiting(|| parts.recv()) {
        let mut hand_on = |event| {
            let report = Report::Event(table, event);
            match timings::waiting(|| reports.send(report).is_ok()) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        // Who waits for the part's end would wait for ever if this thread just died.
        let result =
            caught(|| source.read(&part, &mut hand_on)).unwrap_or_else(|fault| Err(fault.into()));
        if !timings::waiting(|| reports.send(Report::Done(table, result)).is_ok()) {
            return;
        }
    }
}
