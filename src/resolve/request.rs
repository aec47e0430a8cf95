//! What is asked of a snapshot, and what comes of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rayon::ThreadPool;

use crate::snapshot::{Catalog, SnapshotError, SnapshotFacts, TableName};

use super::entities::{Choice, KindChoice};
use super::error::ResolveError;
use super::plan::{Id, Plan, Selection};
use super::resolved::Resolved;

/// What is to be resolved, and with what means.
pub struct Request<'a> {
    /// The kinds of entity, each behind the one that its entities lie within, if there is such.
    pub kinds: &'a [KindChoice],
    pub selection: &'a Selection,
    pub limits: &'a Limits,
    pub pool: Arc<ThreadPool>,
    /// Set from outside to end the run early.
    pub interrupted: Arc<AtomicBool>,
    /// As [`Reading::seal_late`].
    pub seal_late: bool,
    /// Take a table without data as an empty one. Else who needs it to find the entities gets an error; for the others
    /// [`Resolved::without_data`] says it.
    pub allow_missing: bool,
    /// Refuse a snapshot that lacks a table or column that the pipeline names.
    pub strict: bool,
    /// Read a stream only until the tables that are needed have gone by. What is damaged behind them is then not
    /// noticed, so this is for looking around and not for exports. All entities are then all that a snapshot knows of, also
    /// where it was taken without the rows of some: see [`SnapshotFacts::only`].
    pub stop_early: bool,
}

/// How a snapshot is read, which may have to be read once more.
#[derive(Debug, Clone)]
pub struct Reading {
    pub kinds: Vec<KindChoice>,
    /// Take no table as complete before the snapshot's end. Slower: more rows wait. Needed if
    /// [`ResolveError::Reappeared`] was the answer without it.
    pub seal_late: bool,
}

impl Reading {
    /// How a snapshot is read first.
    pub fn first(kinds: Vec<KindChoice>) -> Self {
        Reading {
            kinds,
            seal_late: false,
        }
    }

    /// How to read the snapshot once more after this error; `None` if no other way is known.
    pub fn again(&self, error: &ResolveError) -> Option<Reading> {
        match error {
            // A table in two places, with others between that were decided by its first part: nothing is decided before
            // the end.
            ResolveError::Reappeared { .. } => Some(Reading {
                seal_late: true,
                ..self.clone()
            }),
            // A name was looked for as an id, and is a path.
            ResolveError::FoundByPath { kind, ids } => {
                let mut again = self.clone();
                again.kinds.get_mut(kind.position())?.choice = Choice::Named {
                    names: ids.iter().map(|id| id.to_string()).collect(),
                    descendants: false,
                };
                Some(again)
            }
            _ => None,
        }
    }
}

/// Limits and places that resolving keeps to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of memory for kept rows and their index.
    pub memory: usize,
    pub temp_dir: PathBuf,
}

/// What a resolve run tells while it goes on.
pub trait Observer {
    /// The catalog is known and the plan is made.
    ///
    /// # Errors
    /// [`ResolveError::Denied`] if no row is wanted by this plan.
    fn planned(&mut self, plan: &Plan, facts: &SnapshotFacts) -> Result<(), ResolveError>;
    /// The data of a table begins to go by.
    fn table(&mut self, name: &TableName);
}

/// What resolving a snapshot gives.
pub struct Outcome {
    pub resolved: Resolved,
    pub facts: SnapshotFacts,
    pub catalog: Arc<Catalog>,
    /// The snapshot ended too early, but some tables were complete by then.
    pub cut_off: Option<SnapshotError>,
    /// Tables of the pipeline whose data is there without their definition; the relations that need them fail.
    pub undefined: BTreeSet<TableName>,
}

impl Outcome {
    /// The tables that were read and whose rows stand in others, too, with how many there are below each.
    pub fn tables_in_parts(&self) -> Vec<(TableName, u64)> {
        let plan = &self.resolved.plan;
        let tables = plan.tables.enumerate();
        let read = tables.filter(|(id, table)| table.in_parts && plan.is_read(*id));
        let parts = read.map(|(_, table)| {
            let below = self.catalog.descendants(&table.name).len() as u64;
            (table.name.clone(), below)
        });
        parts.filter(|(_, below)| *below > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Failure, Policy};
    use crate::pipeline::Pipeline;
    use crate::resolve::plan::KindId;

    #[test]
    fn what_is_read_again_is_read_in_another_way_that_keeps_the_one_before() {
        let kind = |name: &str, choice: Choice| {
            let yaml = format!(
                "pipeline: {name}\nentity: {{ kind: It, table: {name}, prefix: '{name}_{{key}}' }}\n\
                 relations: {{ notes: {{ table: notes, link: {{ it_id: key }} }} }}\n"
            );
            let pipeline = Pipeline::parse(&yaml, "test.yml").unwrap();
            KindChoice { pipeline, choice }
        };
        let named = |name: &str| Choice::Named {
            names: vec![name.to_owned()],
            descendants: false,
        };
        let choices = |reading: &Reading| -> Vec<Choice> {
            let kinds = reading.kinds.iter();
            kinds.map(|kind| kind.choice.clone()).collect()
        };
        let by_path = ResolveError::FoundByPath {
            kind: KindId::at(1),
            ids: vec![4351.into()],
        };
        let reappeared = ResolveError::Reappeared {
            table: "public.notes".to_owned(),
        };
        let first = Reading::first(vec![
            kind("teams", Choice::All),
            kind("boards", named("2024")),
        ]);
        let by_id = first.again(&by_path).unwrap();
        let found = vec![Choice::All, named("4351")];
        assert_eq!((choices(&by_id), by_id.seal_late), (found.clone(), false));
        let late = by_id.again(&reappeared).unwrap();
        assert_eq!((choices(&late), late.seal_late), (found, true));
        for error in [by_path, reappeared] {
            assert_eq!(error.policy(), Policy::ReadAgain);
        }
        assert!(first.again(&ResolveError::Interrupted).is_none());
    }
}
