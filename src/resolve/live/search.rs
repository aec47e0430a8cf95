//! The search for entities by query: only the rows that say who they are, never a whole table.
//!
//! What the queries find goes into the same [`Directory`] that reads those tables whole from a dump, and that decides.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use crate::pipeline::{Entity, EntityId, PathLookup, Pipeline};
use crate::resolve::directory::{
    Chosen, Directories, Directory, Entities, LetterCase, letter_cases, spellings,
};
use crate::resolve::entities::{Choice, EntityError, KindChoice};
use crate::resolve::error::ResolveError;
use crate::resolve::name_pattern::NamePattern;
use crate::resolve::plan::{
    EntityKey, Id, IdVec, KindId, Plan, PlanError, Relations, Selection, TableId, plan,
};
use crate::resolve::request::{Observer, Request};
use crate::resolve::schemas::ChosenSchemas;
use crate::snapshot::{Catalog, ComparedAs, KeyColumn, KeyedSource, Predicate, TableName};

use super::ask::{AskFailure, Asker, KEYS, Purpose};
use super::predicates::predicates;

/// Rows that are looked at for names that look like one that is not there.
const NEAR: usize = 1000;

/// The chosen entities of every kind whose entities are rows; those of kinds that `schemas` has are known.
///
/// # Errors
/// Where one is not there, or the server does not answer.
pub(super) fn entities(
    source: &dyn KeyedSource,
    catalog: &Catalog,
    request: &Request<'_>,
    full: &Plan,
    mut schemas: ChosenSchemas,
    observer: &mut dyn Observer,
) -> Result<Entities, ResolveError> {
    // A plan without relations keeps only the columns that the search needs.
    let selection = Selection {
        relations: Relations::Only(Vec::new()),
        edition: request.selection.edition,
        files: false,
        ..Selection::default()
    };
    let pipelines: Vec<&Pipeline> = request.kinds.iter().map(|kind| &kind.pipeline).collect();
    let plan = plan(&pipelines, &selection, catalog)?;
    for table in &plan.tables {
        observer.table(&table.name);
    }
    let Some(first) = pipelines.first() else {
        return Err(PlanError::NoPipeline.into());
    };
    let of_kinds = pipelines.iter().map(|pipeline| &pipeline.entity);
    let mut search = Search {
        kinds: request.kinds,
        kind: KindId::at(0),
        entity: &first.entity,
        asker: Asker {
            plan: &plan,
            catalog,
            source,
        },
        interrupted: &request.interrupted,
        directories: Directories::new(of_kinds, &plan, request.stop_early),
        asked_rows: plan.kinds.map(|_| BTreeSet::new()),
        asked_paths: plan.kinds.map(|_| BTreeSet::new()),
    };
    let mut entities = Entities::default();
    let mut all_chosen: IdVec<KindId, Chosen> = IdVec::new();
    for (kind, planned) in plan.kinds.enumerate() {
        if planned.key.is_none() {
            let known = schemas.remove(&kind).unwrap_or_default();
            entities.infos.extend(known);
            all_chosen.push(Chosen::default());
            continue;
        }
        let outer = search.outer(kind).map(|outer| &all_chosen[outer]);
        let outer = outer.map(|chosen| chosen.keys.as_slice());
        let chosen = search.choose(kind, outer.unwrap_or_default())?;
        let set = full.kinds[kind].sets.start;
        entities.add(&search.directories, kind, &chosen, set);
        all_chosen.push(chosen);
    }
    Ok(entities)
}

struct Search<'a> {
    kinds: &'a [KindChoice],
    /// The kind that is being searched for, and its entity.
    kind: KindId,
    entity: &'a Entity,
    asker: Asker<'a>,
    interrupted: &'a AtomicBool,
    directories: Directories,
    /// By kind: keys whose rows of the entities' table have been asked for.
    asked_rows: IdVec<KindId, BTreeSet<EntityId>>,
    /// By kind: keys whose current paths have been asked for.
    asked_paths: IdVec<KindId, BTreeSet<EntityId>>,
}

impl<'a> Search<'a> {
    /// Turns to a kind; its entity is the same everywhere.
    fn turn_to(&mut self, kind: KindId) {
        self.kind = kind;
        self.entity = &self.kinds[kind.position()].pipeline.entity;
    }

    fn directory(&self) -> &Directory {
        self.directories.of(self.kind)
    }

    fn key(&self) -> Option<&'a EntityKey> {
        let plan: &'a Plan = self.asker.plan;
        plan.kinds[self.kind].key.as_ref()
    }

    /// The kind that a kind's entities lie within.
    fn outer(&self, kind: KindId) -> Option<KindId> {
        let key = self.asker.plan.kinds[kind].key.as_ref()?;
        Some(key.within.as_ref()?.kind)
    }

    /// The chosen entities of a kind. `outer` are those that its entities may lie within.
    fn choose(&mut self, kind: KindId, outer: &[EntityId]) -> Result<Chosen, ResolveError> {
        self.turn_to(kind);
        let choice = &self.kinds[kind.position()].choice;
        match choice {
            Choice::All => self.all()?,
            Choice::Named { names, descendants } => self.named(names, *descendants)?,
            Choice::Within { names } => {
                self.named(names, false)?;
                self.within(outer)?;
            }
        }
        let chosen = match self.directories.choose(kind, choice, outer) {
            Err(EntityError::Unknown { wanted, .. }) => {
                self.near(&wanted)?;
                self.directories.choose(kind, choice, outer)?
            }
            chosen => chosen?,
        };
        // Whether it is an entity that they lie within shows only in its row.
        let around = self.directories.around(kind, &chosen.keys);
        self.outer_rows(around)?;
        // Nor whether the row above them is there.
        let above = self.directories.missing_parents(kind, &chosen.keys);
        self.rows(above)?;
        Ok(chosen)
    }

    /// Asks for the rows of what entities of the kind lie within, entities or not, and for what these lie within.
    fn outer_rows(&mut self, keys: BTreeSet<EntityId>) -> Result<(), ResolveError> {
        let inner = self.kind;
        if let (Some(outer), false) = (self.outer(inner), keys.is_empty()) {
            self.turn_to(outer);
            self.rows(keys.clone())?;
            self.complete()?;
            let around = self.directories.around(outer, &keys);
            self.outer_rows(around)?;
            self.turn_to(inner);
        }
        Ok(())
    }

    /// The entities that lie within these of another kind.
    fn within(&mut self, outer: &[EntityId]) -> Result<(), ResolveError> {
        let Some(within) = self.key().and_then(|key| key.within.as_ref()) else {
            return Ok(());
        };
        let entity = self.entity;
        let filter = self.of_entities().collect();
        let keys: BTreeSet<EntityId> = outer.iter().cloned().collect();
        self.ask_keys(&entity.table, &within.column, &keys, filter, usize::MAX)?;
        self.complete()
    }

    fn all(&mut self) -> Result<(), ResolveError> {
        let filter: Vec<_> = self.of_entities().collect();
        self.ask(&self.entity.table, filter, usize::MAX)?;
        self.paths()
    }

    fn named(&mut self, names: &[String], descendants: bool) -> Result<(), ResolveError> {
        if names.is_empty() {
            return Ok(());
        }
        let directory = self.directory();
        let keys = names.iter().flat_map(|name| directory.keys_of(name));
        let keys = keys.collect();
        self.rows(keys)?;
        self.complete()?;
        let entity = self.entity;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for column in &entity.path {
            for case in LetterCase::OWN {
                let open = self.open(&names);
                if open.is_empty() {
                    break;
                }
                self.own_path(column, &open, case)?;
            }
        }
        let names: Vec<&str> = names.iter().map(|name| name.trim_matches('/')).collect();
        for lookup in &entity.paths {
            for case in letter_cases(lookup) {
                let open = self.open(&names);
                if open.is_empty() {
                    break;
                }
                self.lookup(lookup, open, *case)?;
            }
        }
        // Entities without a path of their own are found by their ancestors' parts.
        let open = self.open(&names);
        let segment = self.column(&entity.table, &entity.segment);
        if let (Some(segment), false) = (segment, open.is_empty()) {
            let ends: BTreeSet<&str> = open.iter().flat_map(|name| ends(name)).collect();
            let ends = Predicate::In {
                column: segment,
                values: ends.into_iter().collect(),
                null: false,
            };
            let filter = [ends].into_iter().chain(self.of_entities());
            self.ask(&entity.table, filter.collect(), usize::MAX)?;
            self.complete()?;
        }
        // Of a pattern nothing is known but by looking at every path; and then everybody is there, with their families.
        let open = self.open(&names);
        if open.iter().any(|name| NamePattern::of(name).is_some()) {
            self.all()?;
            return self.complete();
        }
        if descendants {
            let keys = names
                .iter()
                .filter_map(|name| self.directories.find(self.kind, name).ok());
            let keys = keys.cloned().collect();
            self.descendants(keys)?;
            self.complete()?;
        }
        Ok(())
    }

    /// The names that have not been found so far.
    fn open<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        let is_open = |name: &&str| self.directories.find(self.kind, name).is_err();
        names.iter().copied().filter(is_open).collect()
    }

    /// Asks for rows of the entities' table that a column of its own names, entities or not.
    fn own_path(
        &mut self,
        column: &'a str,
        names: &[&str],
        case: LetterCase,
    ) -> Result<(), ResolveError> {
        let table = &self.entity.table;
        let names: BTreeSet<&str> = names.iter().flat_map(|name| spellings(name)).collect();
        let predicate = match case {
            LetterCase::Counts => Predicate::In {
                column,
                values: self.held(table, column, names),
                null: false,
            },
            LetterCase::Ignored => Predicate::InIgnoringCase(column, names.into_iter().collect()),
        };
        self.ask(table, vec![predicate], usize::MAX)?;
        self.complete()
    }

    /// Of some texts those that a column can hold at all. A server would refuse the others, since it reads them as values of
    /// the column's type.
    fn held<'n>(
        &self,
        table: &TableName,
        column: &str,
        texts: impl IntoIterator<Item = &'n str>,
    ) -> Vec<&'n str> {
        let table = self
            .table(table)
            .map(|table| &self.asker.plan.tables[table]);
        let form = table.and_then(|table| table.layout[table.column(column)?].form);
        let is_held = |text: &&str| form.is_none_or(|form| form.of_user(text).is_some());
        texts.into_iter().filter(is_held).collect()
    }

    fn lookup(
        &mut self,
        lookup: &'a PathLookup,
        paths: Vec<&str>,
        case: LetterCase,
    ) -> Result<(), ResolveError> {
        let paths = match case {
            LetterCase::Counts => Predicate::In {
                column: &lookup.path,
                values: paths,
                null: false,
            },
            LetterCase::Ignored => Predicate::InIgnoringCase(&lookup.path, paths),
        };
        let filter = [paths].into_iter().chain(self.of_paths(lookup));
        self.ask(&lookup.table, filter.collect(), usize::MAX)?;
        self.rows(self.directory().strangers())?;
        self.complete()
    }

    /// Everything below these entities. The directory decides; here no row may be missing that it decides by.
    fn descendants(&mut self, of: BTreeSet<EntityId>) -> Result<(), ResolveError> {
        let entity = self.entity;
        if of.is_empty() {
            return Ok(());
        }
        if let Some(ancestors) = self.column(&entity.table, &entity.ancestors) {
            let keys: Option<Vec<i64>> = of.iter().map(EntityId::integer).collect();
            match keys {
                Some(keys) => {
                    for keys in keys.chunks(KEYS) {
                        let holds = Predicate::Holds(ancestors, keys);
                        let filter = [holds].into_iter().chain(self.of_entities());
                        self.ask(&entity.table, filter.collect(), usize::MAX)?;
                    }
                }
                // Arrays of other keys are not asked for by what they hold.
                None => {
                    let filter = self.of_entities().collect();
                    self.ask(&entity.table, filter, usize::MAX)?;
                }
            }
        }
        let Some(parent) = self.column(&entity.table, &entity.parent) else {
            return Ok(());
        };
        let mut level: BTreeSet<EntityId> = self.directory().stated_below(&of).cloned().collect();
        level.extend(of);
        let mut seen = level.clone();
        while !level.is_empty() {
            self.ask_keys(
                &entity.table,
                parent,
                &level,
                self.of_entities().collect(),
                usize::MAX,
            )?;
            level = self.directory().below(&level);
            level.retain(|key| seen.insert(key.clone()));
        }
        Ok(())
    }

    /// Some entities whose paths may look like one that is not there: those beside it, and a few others.
    fn near(&mut self, wanted: &str) -> Result<(), ResolveError> {
        let entity = self.entity;
        let starts: Vec<&str> = wanted
            .match_indices('/')
            .map(|(at, _)| &wanted[..at])
            .collect();
        if !starts.is_empty() {
            for lookup in entity.paths.iter().filter(|lookup| !lookup.former) {
                self.lookup(lookup, starts.clone(), LetterCase::Counts)?;
            }
        }
        let above = starts
            .iter()
            .rev()
            .find_map(|start| self.directories.find(self.kind, start).ok().cloned());
        if let (Some(above), Some(parent)) = (above, self.column(&entity.table, &entity.parent)) {
            let above = BTreeSet::from([above]);
            self.ask_keys(
                &entity.table,
                parent,
                &above,
                self.of_entities().collect(),
                NEAR,
            )?;
        }
        let filter = self.of_entities().collect();
        self.ask(&entity.table, filter, NEAR)?;
        self.complete()
    }

    /// Asks for what the directory needs to know paths and roots of the entities that it has.
    fn complete(&mut self) -> Result<(), ResolveError> {
        loop {
            self.paths()?;
            let mut above = self.directory().missing_above();
            above.retain(|key| !self.asked_rows[self.kind].contains(key));
            if above.is_empty() {
                break;
            }
            self.rows(above)?;
        }
        // Paths of others may be made of those of what they lie within.
        let open = self.directory().without_path();
        let around = self.directories.around(self.kind, &open);
        self.outer_rows(around)
    }

    /// Asks for rows of the entities' table by their keys, entities or not.
    fn rows(&mut self, mut keys: BTreeSet<EntityId>) -> Result<(), ResolveError> {
        keys.retain(|key| self.asked_rows[self.kind].insert(key.clone()));
        let entity = self.entity;
        match self.key() {
            Some(key) => self.ask_keys(&entity.table, &key.column, &keys, Vec::new(), usize::MAX),
            // Schemas have no rows.
            None => Ok(()),
        }
    }

    /// Asks for the current paths of the entities that have none yet.
    fn paths(&mut self) -> Result<(), ResolveError> {
        let mut keys = self.directory().without_path();
        keys.retain(|key| self.asked_paths[self.kind].insert(key.clone()));
        let entity = self.entity;
        for lookup in entity.paths.iter().filter(|lookup| !lookup.former) {
            if self.is_most(&lookup.table, keys.len()) {
                self.ask(&lookup.table, self.of_paths(lookup).collect(), usize::MAX)?;
                continue;
            }
            self.ask_keys(
                &lookup.table,
                &lookup.key,
                &keys,
                self.of_paths(lookup).collect(),
                usize::MAX,
            )?;
        }
        Ok(())
    }

    /// What is asked of rows of the entities' table, so that they are entities.
    fn of_entities(&self) -> impl Iterator<Item = Predicate<'a>> + use<'a> {
        let tests = self
            .key()
            .map(|key| key.tests.as_slice())
            .unwrap_or_default();
        predicates(&self.entity.filter, tests)
    }

    /// What is asked of rows of a table of paths.
    fn of_paths(&self, lookup: &'a PathLookup) -> impl Iterator<Item = Predicate<'a>> + use<'a> {
        let mut lookups = self.entity.paths.iter();
        let position = lookups.position(|other| std::ptr::eq(other, lookup));
        let tests = self.key().zip(position);
        let tests = tests.and_then(|(key, position)| key.path_tests.get(position));
        predicates(&lookup.filter, tests.map(Vec::as_slice).unwrap_or_default())
    }

    /// Whether so many rows are so much of a table that it is better read whole.
    fn is_most(&self, table: &TableName, rows: usize) -> bool {
        let size = self.asker.source.estimate(table);
        rows > KEYS && size.is_some_and(|size| size.rows <= 4 * rows as u64)
    }

    fn table(&self, name: &TableName) -> Option<TableId> {
        self.asker.plan.table(name)
    }

    /// A column that the pipeline names, where the snapshot has it.
    fn column<'c>(&self, table: &TableName, column: &'c Option<String>) -> Option<&'c str> {
        let table = &self.asker.plan.tables[self.table(table)?];
        let column = column.as_deref()?;
        table.column(column).map(|_| column)
    }

    /// Asks for rows of a table by keys of entities, up to a number for each query.
    fn ask_keys(
        &mut self,
        table: &TableName,
        column: &str,
        keys: &BTreeSet<EntityId>,
        filter: Vec<Predicate<'a>>,
        limit: usize,
    ) -> Result<(), ResolveError> {
        let integers: Vec<i64> = keys.iter().filter_map(EntityId::integer).collect();
        let texts = keys.iter().filter_map(EntityId::as_text);
        let texts = self.held(table, column, texts);
        let integers = integers.chunks(KEYS);
        let integers = integers.map(|keys| {
            let compared = ComparedAs::Own;
            Predicate::AnyInteger(
                KeyColumn {
                    name: column,
                    compared,
                },
                keys,
            )
        });
        let texts = texts.chunks(KEYS);
        let texts = texts.map(|keys| Predicate::In {
            column,
            values: keys.to_vec(),
            null: false,
        });
        for own in integers.chain(texts) {
            let predicates = [own].into_iter().chain(filter.iter().cloned());
            self.ask(table, predicates.collect(), limit)?;
        }
        Ok(())
    }

    /// Asks for rows of a table, up to a number, and gives them to the directory. A table that the snapshot does not
    /// have holds none.
    fn ask(
        &mut self,
        table: &TableName,
        predicates: Vec<Predicate<'_>>,
        limit: usize,
    ) -> Result<(), ResolveError> {
        let Some(table) = self.table(table) else {
            return Ok(());
        };
        let (directories, planned) = (&mut self.directories, &self.asker.plan.tables[table]);
        let mut rows = 0;
        let read = self.asker.rows(
            table,
            predicates,
            &Purpose::Directory,
            self.interrupted,
            &mut |scanned| {
                directories
                    .observe(planned, &scanned.observed, &[])
                    .map_err(|error| AskFailure::Run(error.into()))?;
                rows += scanned.rows as usize;
                Ok(match rows < limit {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                })
            },
        );
        read.map_err(|failure| match failure {
            AskFailure::Run(error) => error,
            // Without knowing who the entities are there is nothing to export.
            AskFailure::Relation(refusal) => refusal.into(),
        })
    }
}

/// What the last part of a path may be, were there slashes in parts: everything behind a slash, and the whole.
fn ends(path: &str) -> impl Iterator<Item = &str> {
    let behind = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
    [path].into_iter().chain(behind)
}
