//! Loading rounds: what each of the loading threads does with a job.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;

use crate::resolve::error::ResolveError;
use crate::resolve::keys::Key;
use crate::resolve::plan::{PlanNode, PlanRelation, PlanSource};
use crate::timings;

use super::ask::AskFailure;
use super::load::{Bounds, Loaded};
use super::presence::Extent;
use super::requests::EntityRequest;
use super::round::{Fetched, Round, RoundPart, RoundSize, TOO_LARGE, halves};
use super::rows::Live;

/// What a loading thread is to do.
pub(super) enum Job {
    Rows {
        relation: usize,
        parts: Vec<RoundPart>,
    },
    /// All rows of an entity, which have no keys to be asked for by.
    Whole {
        relation: usize,
        entity: EntityRequest,
    },
    Maxima {
        relation: usize,
        entities: Vec<EntityRequest>,
    },
}

/// What a loading thread answers: what it fetched, piece by piece, and `None` when that was all.
pub(super) type Reply = Result<Option<Fetched>, ResolveError>;

/// Hands over a reply once there is room for it; false if nobody waits for it any more.
fn hand_over(replies: &Sender<Reply>, reply: Reply) -> bool {
    timings::waiting(|| replies.send(reply).is_ok())
}

/// What the loading threads and the planner share.
pub(super) struct Loader {
    live: Live,
    /// By relation.
    sizes: Vec<RoundSize>,
    /// Entities' relations of which rows were refused: nothing more of them is asked for.
    refused: Mutex<HashMap<(usize, usize), String>>,
    interrupted: Arc<AtomicBool>,
}

impl Loader {
    pub(crate) fn new(live: &Live, interrupted: &Arc<AtomicBool>) -> Self {
        let relations = live.plan.relations.iter();
        Loader {
            live: live.clone(),
            sizes: relations.map(|_| RoundSize::default()).collect(),
            refused: Mutex::default(),
            interrupted: Arc::clone(interrupted),
        }
    }

    pub(crate) fn relation(&self, relation: usize) -> &PlanRelation {
        &self.live.plan.relations[relation]
    }

    /// Top-level rows that a round of a relation should have.
    pub(crate) fn round_size(&self, relation: usize) -> usize {
        self.sizes[relation].round()
    }

    /// So many top-level rows of a relation will be asked for.
    pub(crate) fn expect(&self, relation: usize, rows: usize) {
        self.sizes[relation].plan(rows);
    }

    /// True if rows of a node's table can be asked for by their key.
    pub(crate) fn has_askable_key(&self, node: &PlanNode) -> bool {
        let table = &self.live.plan.tables[node.table];
        table.askable_key().is_some()
    }

    /// The primary keys of a node's top-level rows, in order, for each of these entities.
    ///
    /// # Errors
    /// As [`Asker::read`](super::ask::Asker::read).
    pub(crate) fn top_level(
        &self,
        node: &PlanNode,
        entities: &[EntityRequest],
        batch_size: Option<usize>,
    ) -> Result<Vec<Vec<Key>>, AskFailure> {
        let asker = self.live.asker();
        asker.top_level(node, entities, batch_size, &self.interrupted)
    }

    /// Does a job. If nobody waits for the replies any more, it ends early.
    pub(crate) fn load(&self, job: Job, replies: &Sender<Reply>) {
        let loaded = match job {
            Job::Maxima { relation, entities } => self.maxima(relation, &entities, replies),
            Job::Rows { relation, parts } => self.rows(relation, parts, replies),
            Job::Whole { relation, entity } => self.whole(relation, &entity, replies),
        };
        hand_over(replies, loaded.map(|()| None));
    }

    fn maxima(
        &self,
        relation: usize,
        entities: &[EntityRequest],
        replies: &Sender<Reply>,
    ) -> Result<(), ResolveError> {
        let Ok(PlanSource::Maxima(maxima)) = &self.relation(relation).source else {
            return Ok(());
        };
        let asker = self.live.asker();
        let rows = match asker.maxima(maxima, entities, &self.live, &self.interrupted) {
            Ok(store) => Ok(Arc::new(store)),
            Err(AskFailure::Relation(refusal)) => Err(refusal.reason),
            Err(AskFailure::Run(error)) => return Err(error),
        };
        let parts = entities.iter().map(|request| RoundPart {
            entity: request.entity,
            total: 1,
            first: true,
            ids: Vec::new(),
            whole: false,
        });
        let round = Round {
            relation,
            parts: parts.collect(),
            rows,
        };
        hand_over(replies, Ok(Some(Fetched::Round(round))));
        Ok(())
    }

    /// Loads all rows of an entity.
    fn whole(
        &self,
        relation: usize,
        entity: &EntityRequest,
        replies: &Sender<Reply>,
    ) -> Result<(), ResolveError> {
        let planned = self.relation(relation);
        let Ok(PlanSource::Rows(node) | PlanSource::Collected(node)) = &planned.source else {
            return Ok(());
        };
        let asker = self.live.asker();
        let rows = asker.whole(planned, node, entity, &self.live, &self.interrupted);
        let rows = match rows {
            Ok(store) => Ok(Arc::new(store)),
            Err(AskFailure::Relation(refusal)) => Err(refusal.reason),
            Err(AskFailure::Run(error)) => return Err(error),
        };
        let part = RoundPart {
            entity: entity.entity,
            total: 1,
            first: true,
            ids: Vec::new(),
            whole: true,
        };
        let round = Round {
            relation,
            parts: vec![part],
            rows,
        };
        hand_over(replies, Ok(Some(Fetched::Round(round))));
        Ok(())
    }

    /// Loads a round, in pieces if it is too large or if the server refuses some of it.
    fn rows(
        &self,
        relation: usize,
        parts: Vec<RoundPart>,
        replies: &Sender<Reply>,
    ) -> Result<(), ResolveError> {
        let planned = self.relation(relation);
        let Ok(PlanSource::Rows(node) | PlanSource::Collected(node)) = &planned.source else {
            return Ok(());
        };
        let mut waiting = vec![parts];
        while let Some(parts) = waiting.pop() {
            let rows = match self.round(relation, planned, node, &parts) {
                Ok(Loaded::Rows(store)) => Ok(Arc::new(store)),
                Ok(Loaded::TooLarge) => {
                    let (first, second) = halves(parts);
                    waiting.extend([second, first]);
                    continue;
                }
                Err(AskFailure::Relation(_)) if parts.len() > 1 => {
                    waiting.extend(parts.into_iter().rev().map(|part| vec![part]));
                    continue;
                }
                Err(AskFailure::Relation(refusal)) => {
                    self.refuse(relation, &parts, &refusal.reason);
                    Err(refusal.reason)
                }
                Err(AskFailure::Run(error)) => return Err(error),
            };
            let round = Round {
                relation,
                parts,
                rows,
            };
            if !hand_over(replies, Ok(Some(Fetched::Round(round)))) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Asks for the rows of a round, and notes how large they were.
    fn round(
        &self,
        relation: usize,
        planned: &PlanRelation,
        node: &PlanNode,
        parts: &[RoundPart],
    ) -> Result<Loaded, AskFailure> {
        if let Some(error) = self.refused(relation, parts) {
            return Err(AskFailure::relation(error));
        }
        let asker = self.live.asker();
        let mut ids: Vec<Key> = parts.iter().flat_map(|part| &part.ids).cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        let loaded = match ids.len() {
            0 => Loaded::Rows(asker.store()),
            count => {
                // A single row is taken however large it is.
                let bounds = Bounds {
                    bytes: if count > 1 { TOO_LARGE } else { usize::MAX },
                    extent: Some(Extent {
                        round: count as u64,
                        ahead: self.sizes[relation].ahead(),
                    }),
                };
                asker.round(planned, node, &ids, bounds, &self.live, &self.interrupted)?
            }
        };
        self.sizes[relation].add(
            ids.len(),
            match &loaded {
                Loaded::Rows(store) => store.in_use(),
                Loaded::TooLarge => TOO_LARGE,
            },
        );
        Ok(loaded)
    }

    /// Why nothing more is asked for of one of these entities.
    fn refused(&self, relation: usize, parts: &[RoundPart]) -> Option<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mut words = parts
            .iter()
            .map(|part| refused.get(&(relation, part.entity)));
        words.find_map(|words| words.cloned())
    }

    fn refuse(&self, relation: usize, parts: &[RoundPart], error: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for part in parts {
            refused.insert((relation, part.entity), error.to_owned());
        }
    }
}
