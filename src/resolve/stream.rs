//! A stream: it goes by once, in its own order, so that what cannot be decided yet waits.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::snapshot::drive::drive_stream;
use crate::snapshot::{
    BlockHead, Catalog, DatabaseEnd, DatabaseOutcome, Event, Holdings, SnapshotError,
    SnapshotFacts, StreamSource, TableName,
};

use super::error::ResolveError;
use super::holdings::{fail_undefined, note_lacking, note_undivided, note_without_data};
use super::plan::TableId;
use super::request::{Observer, Outcome, Request};
use super::resolver::Resolver;
use super::schemas::WantedTables;
use super::start::start;

/// A stream goes by once, in its own order: what cannot be decided yet waits.
pub(super) fn resolve_stream(
    source: Box<dyn StreamSource>,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, ResolveError> {
    let tables = WantedTables::new(request.kinds, request.selection);
    let wanted = move |table: &TableName| tables.contains(table);
    let mut stream: Option<StreamState> = None;
    let read = drive_stream(source, wanted, &request.interrupted, |event| {
        take(&mut stream, event, request, observer)
    })?;
    let Some(mut stream) = stream else {
        read?;
        return Err(ResolveError::NoTables);
    };
    stream.begin(observer)?;
    let cut_off = match read {
        Ok(()) => None,
        Err(error @ SnapshotError::CutOff { .. }) => Some(error),
        // The tables of that database have been told.
        Err(error) if stream.failed == Some(Failed::Relations) => Some(error),
        Err(error) => return Err(error.into()),
    };
    if cut_off.is_none() || stream.ended {
        stream.leave()?;
    }
    if cut_off.is_some() && stream.failed.is_none() {
        let tables = stream.resolver.plan.tables.ids();
        stream.resolver.cut_off(tables, None);
    }
    let entities_cut_off = cut_off.is_some() && stream.resolver.entities_cut_off();
    let mut finished = stream.resolver.finish();
    let mut undefined = BTreeSet::new();
    if let Ok(resolved) = &mut finished {
        undefined = fail_undefined(resolved, request, &stream.holdings)?;
        note_lacking(resolved, request, &mut stream.facts)?;
        // Nothing else holds the plan any more: the rows have been found.
        let plan = Arc::get_mut(&mut resolved.plan);
        let plan = plan.ok_or(ResolveError::Broken("the plan is still being used"))?;
        plan.take_late_keys(&stream.catalog);
    }
    let (resolved, cut_off) = match (finished, cut_off) {
        // Who the entities are, and below whom, is not known for sure.
        (Ok(_) | Err(ResolveError::Entity(_)), Some(cut_off)) if entities_cut_off => {
            return Err(cut_off.into());
        }
        (finished, cut_off) => (finished?, cut_off),
    };
    Ok(Outcome {
        resolved,
        facts: stream.facts,
        catalog: stream.catalog,
        cut_off,
        undefined,
    })
}

/// A stream while it goes by.
struct StreamState {
    resolver: Resolver,
    facts: SnapshotFacts,
    catalog: Arc<Catalog>,
    /// The tables whose data goes by, and whether the data has ended so far.
    current: Vec<TableId>,
    ended: bool,
    /// The heads of data that begins; each of its tables has one.
    beginning: Vec<Arc<BlockHead>>,
    /// Known when the stream has ended.
    holdings: Holdings,
    /// One of several databases could not be read to its end.
    failed: Option<Failed>,
}

/// What fails where one of several databases cannot be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// The relations that need its tables.
    Relations,
    /// The run: its tables say who the entities are.
    Run,
}

impl StreamState {
    /// The current tables are left behind: the snapshot has ended, or goes on with tables that are none of them.
    fn leave(&mut self) -> Result<(), ResolveError> {
        let tables = std::mem::take(&mut self.current);
        tables
            .into_iter()
            .try_for_each(|table| self.resolver.table_left(table))
    }

    /// All tables are told that the data belongs to whose beginning was told last.
    fn begin(&mut self, observer: &mut dyn Observer) -> Result<(), ResolveError> {
        if self.beginning.is_empty() {
            return Ok(());
        }
        let heads = std::mem::take(&mut self.beginning);
        let begun: Vec<(TableId, &Arc<BlockHead>)> = heads
            .iter()
            .filter_map(|head| Some((self.resolver.table(&head.table)?, head)))
            .collect();
        let tables: Vec<TableId> = begun.iter().map(|(table, _)| *table).collect();
        if self.current != tables {
            let (stay, left) = std::mem::take(&mut self.current)
                .into_iter()
                .partition(|table| tables.contains(table));
            self.current = left;
            self.leave()?;
            self.current = stay;
            if let Some(head) = heads.first() {
                observer.table(&head.table);
            }
        }
        for (table, head) in begun {
            self.resolver.begin_table(table, head)?;
        }
        self.current = tables;
        self.ended = false;
        Ok(())
    }

    /// A row of these tables was stepped over: what needs them fails. Without the tables that say who the entities are there
    /// is nothing to export.
    fn too_large(
        &mut self,
        tables: &[TableName],
        error: SnapshotError,
    ) -> Result<(), ResolveError> {
        let known = tables.iter().filter_map(|name| self.resolver.table(name));
        let known: Vec<TableId> = known.collect();
        if known
            .iter()
            .any(|table| self.resolver.says_entities(*table))
        {
            return Err(error.into());
        }
        for table in known {
            self.resolver.table_broken(table, error.to_string());
        }
        Ok(())
    }

    /// One of several databases has gone by.
    fn database_ended(
        &mut self,
        end: DatabaseEnd,
        observer: &mut dyn Observer,
    ) -> Result<(), ResolveError> {
        self.begin(observer)?;
        if self.ended && matches!(end.outcome, DatabaseOutcome::CutOff(_)) {
            self.leave()?;
        }
        // Whether all of the current tables has gone by, the outcome says.
        self.current = Vec::new();
        self.ended = true;
        let tables: Vec<TableId> = end
            .tables
            .iter()
            .filter_map(|name| self.resolver.table(name))
            .collect();
        match end.outcome {
            DatabaseOutcome::Whole(holdings) => {
                note_without_data(&mut self.resolver, &self.catalog, &holdings);
                note_undivided(&mut self.resolver, &holdings);
                self.resolver.tables_gone(&tables)
            }
            DatabaseOutcome::CutOff(reason) => {
                self.resolver.cut_off(tables, Some(&reason));
                self.failed.get_or_insert(Failed::Relations);
                Ok(())
            }
            DatabaseOutcome::Doubtful(reason) => {
                for table in &tables {
                    self.resolver.table_broken(*table, reason.clone());
                }
                let of_entities = tables
                    .iter()
                    .any(|table| self.resolver.says_entities(*table));
                match of_entities {
                    true => self.failed = Some(Failed::Run),
                    false => _ = self.failed.get_or_insert(Failed::Relations),
                }
                Ok(())
            }
        }
    }
}

/// Takes what comes next of a stream; `Break` when nothing more of it is needed.
fn take(
    stream: &mut Option<StreamState>,
    event: Event,
    request: &Request<'_>,
    observer: &mut dyn Observer,
) -> Result<ControlFlow<()>, ResolveError> {
    match (event, stream) {
        (Event::Catalog(catalog, facts), stream) => {
            let resolver = start(request, &catalog, &facts, true, observer)?;
            // Schemas are told by the catalog alone.
            let is_through = request.stop_early && resolver.is_through();
            *stream = Some(StreamState {
                resolver,
                facts,
                catalog,
                current: Vec::new(),
                ended: true,
                beginning: Vec::new(),
                holdings: Holdings::default(),
                failed: None,
            });
            if is_through {
                return Ok(ControlFlow::Break(()));
            }
        }
        (Event::Begin(head), Some(stream)) => stream.beginning.push(head),
        (Event::Rows(block), Some(stream)) => {
            stream.begin(observer)?;
            if let Some(table) = stream.resolver.table(&block.head.table) {
                stream.resolver.rows(table, block)?;
            }
        }
        (Event::End(end), Some(stream)) => {
            stream.begin(observer)?;
            let table = stream.resolver.table(&end.table);
            if table.is_some_and(|table| stream.current.contains(&table)) {
                stream.ended = true;
            } else if request.stop_early && stream.ended {
                // Another table's data: that of the current ones is over.
                stream.leave()?;
                if stream.resolver.is_through() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        (Event::Keys(keys), Some(stream)) => {
            stream.catalog = Arc::new(stream.catalog.with_keys(keys));
        }
        (
            Event::Damage(SnapshotError::TooLarge {
                place,
                reason,
                tables,
            }),
            Some(stream),
        ) if !tables.is_empty() => {
            stream.begin(observer)?;
            stream.too_large(
                &tables,
                SnapshotError::TooLarge {
                    place,
                    reason,
                    tables: Vec::new(),
                },
            )?;
        }
        (Event::Damage(damage), _) if request.stop_early => {
            tracing::warn!("{damage}; no row of that table is needed here");
        }
        (Event::Damage(damage), _) => return Err(damage.into()),
        (Event::DatabaseEnd(end), Some(stream)) => stream.database_ended(end, observer)?,
        (Event::Holdings(holdings), Some(stream)) => {
            note_without_data(&mut stream.resolver, &stream.catalog, &holdings);
            note_undivided(&mut stream.resolver, &holdings);
            stream.facts.warnings.extend_from_slice(&holdings.warnings);
            stream.holdings = holdings;
        }
        (
            Event::Begin(_)
            | Event::Rows(_)
            | Event::End(_)
            | Event::Keys(_)
            | Event::DatabaseEnd(_)
            | Event::Holdings(_),
            None,
        ) => {
            return Err(ResolveError::Broken("rows came before the catalog"));
        }
    }
    Ok(ControlFlow::Continue(()))
}
