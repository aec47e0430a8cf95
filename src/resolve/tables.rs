//! Tables that can be opened at will: level by level, so that nothing has to wait.

use std::ops::ControlFlow;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::fault::caught;
use crate::snapshot::{Event, SnapshotError, TablePart, TableSource};
use crate::timings::{self, Phase, Timings};

use super::error::ResolveError;
use super::holdings::{fail_undefined, note_without_data};
use super::interrupt::check_interrupted;
use super::plan::TableId;
use super::request::{Observer, Outcome, Request};
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
    let plan = Arc::clone(&resolver.plan);
    let readers = request.pool.current_num_threads().max(1);
    let mut schedule = Schedule::new(&plan, source, readers);
    std::thread::scope(|scope| {
        let (reports, received) = bounded(EVENTS * readers);
        let (work, parts) = crossbeam_channel::unbounded::<(TableId, TablePart)>();
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
        loop {
            for table in schedule.next(&plan, &resolver) {
                observer.table(&plan.tables[table].name);
                let mut parts = source.parts(&plan.tables[table].name);
                if parts.is_empty() {
                    resolver.table_gone(table)?;
                    continue;
                }
                parts.sort_by_key(|part| std::cmp::Reverse(part.size));
                schedule.started(table, parts.len());
                for part in parts {
                    // The readers live as long as the channel does.
                    let _ = work.send((table, part));
                }
            }
            if !schedule.is_reading() {
                if schedule.is_through() {
                    break;
                }
                continue;
            }
            check_interrupted(&request.interrupted)?;
            match timings::waiting(|| received.recv()) {
                Ok(Report::Event(table, Event::Begin(head))) => {
                    resolver.begin_table(table, &head)?
                }
                Ok(Report::Event(table, Event::Rows(block))) => resolver.rows(table, block)?,
                Ok(Report::Event(..)) => {}
                Ok(Report::Done(table, result)) => {
                    match result {
                        Ok(()) => {}
                        // Without the tables that say who the entities are there is nothing to export.
                        Err(error) if plan.tables[table].observed => return Err(error.into()),
                        Err(error) => resolver.table_broken(table, error.to_string()),
                    }
                    if schedule.ended(table) {
                        resolver.table_gone(table)?;
                    }
                }
                Err(_) => {
                    return Err(ResolveError::Broken(
                        "the readers of the snapshot ended early",
                    ));
                }
            }
        }
        drop((work, schedule, plan));
        let mut resolved = resolver.finish(false)?;
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
