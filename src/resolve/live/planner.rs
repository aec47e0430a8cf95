//! Planning rounds: asking for the keys of top-level rows, and cutting them into rounds for the loading threads.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::pipeline::Pick;
use crate::resolve::error::ResolveError;
use crate::resolve::keys::Key;
use crate::resolve::plan::{PlanNode, PlanSource};
use crate::timings;

use super::ask::AskFailure;
use super::loader::{Job, Loader, Reply};
use super::requests::{EntityRequest, RelationRequest};
use super::round::{Fetched, MOST, RoundPart};

/// Entities whose maxima are one round.
const ENTITIES: usize = 50;

/// Nobody listens any more: the run ends.
pub(super) struct Hangup;

/// Gives jobs to the loading threads, and says where their answers will come, in the order in which the jobs are given.
pub(super) struct Planner {
    pub loader: Arc<Loader>,
    pub given: Sender<Receiver<Reply>>,
    pub work: Sender<(Job, Sender<Reply>)>,
}

impl Planner {
    /// Cuts relations into rounds and gives them to the loading threads.
    pub(crate) fn plan(&self, requests: Vec<RelationRequest>) -> Result<(), Hangup> {
        requests
            .into_iter()
            .try_for_each(|request| self.relation(request))
    }

    fn relation(&self, request: RelationRequest) -> Result<(), Hangup> {
        let RelationRequest {
            relation,
            entities,
            batch_size,
        } = request;
        match &self.loader.relation(relation).source {
            Ok(PlanSource::Rows(node) | PlanSource::Collected(node)) => {
                match self.loader.has_askable_key(node) {
                    true => self.rows(relation, node, &entities, batch_size),
                    false => entities
                        .into_iter()
                        .try_for_each(|entity| self.give(Job::Whole { relation, entity })),
                }
            }
            Ok(PlanSource::Maxima(_)) => entities.chunks(ENTITIES).try_for_each(|entities| {
                self.give(Job::Maxima {
                    relation,
                    entities: entities.to_vec(),
                })
            }),
            // There is nothing to ask for; whoever wants a relation that cannot be planned has been told why.
            Ok(PlanSource::NoFiles) | Err(_) => Ok(()),
        }
    }

    fn rows(
        &self,
        relation: usize,
        node: &PlanNode,
        entities: &[EntityRequest],
        batch_size: Option<usize>,
    ) -> Result<(), Hangup> {
        let planned = self.loader.relation(relation);
        // Rows that are alone in their batch stay in the order of their keys.
        let ordered_within = match batch_size {
            Some(_) if planned.batches_by_key => Some(1),
            size => size,
        };
        match self.loader.top_level(node, entities, ordered_within) {
            Ok(mut ids) => {
                if let Some(pick) = planned.pick {
                    ids.iter_mut().for_each(|ids| picked(pick, ids));
                }
                self.loader.expect(relation, ids.iter().map(Vec::len).sum());
                let entities = entities.iter().map(|request| request.entity);
                self.rounds(relation, entities.zip(ids))
            }
            // One of them may be too much for the server where the others are not.
            Err(AskFailure::Relation(_)) if entities.len() > 1 => entities
                .chunks(1)
                .try_for_each(|one| self.rows(relation, node, one, batch_size)),
            Err(AskFailure::Relation(refusal)) => entities.iter().try_for_each(|request| {
                self.say(Ok(Fetched::Refused {
                    relation,
                    entity: request.entity,
                    error: refusal.reason.clone(),
                }))
            }),
            Err(AskFailure::Run(error)) => {
                self.say(Err(error))?;
                // Nothing comes after that.
                Err(Hangup)
            }
        }
    }

    /// Cuts the top-level rows of entities into rounds. An entity without rows is part of one, too.
    fn rounds(
        &self,
        relation: usize,
        rows: impl Iterator<Item = (usize, Vec<Key>)>,
    ) -> Result<(), Hangup> {
        let mut parts: Vec<RoundPart> = Vec::new();
        let mut filled = 0;
        for (entity, ids) in rows {
            let (total, mut rest) = (ids.len(), ids.as_slice());
            let mut first = true;
            while first || !rest.is_empty() {
                let room = self.loader.round_size(relation).saturating_sub(filled);
                if room == 0 || parts.len() >= MOST {
                    let parts = std::mem::take(&mut parts);
                    self.give(Job::Rows { relation, parts })?;
                    filled = 0;
                    continue;
                }
                let (ids, behind) = rest.split_at(room.min(rest.len()));
                parts.push(RoundPart {
                    entity,
                    total,
                    first,
                    ids: ids.to_vec(),
                    whole: false,
                });
                filled += ids.len();
                rest = behind;
                first = false;
            }
        }
        match parts.is_empty() {
            true => Ok(()),
            false => self.give(Job::Rows { relation, parts }),
        }
    }

    fn give(&self, job: Job) -> Result<(), Hangup> {
        // Room for one answer: a thread may be at the next piece while one is waiting to be taken.
        let (replies, received) = bounded(1);
        timings::waiting(|| self.given.send(received)).map_err(|_| Hangup)?;
        self.work.send((job, replies)).map_err(|_| Hangup)
    }

    /// Says something in the place of a job.
    fn say(&self, said: Result<Fetched, ResolveError>) -> Result<(), Hangup> {
        // Room for all that is said, so that nobody waits; and `received` stands open until it is handed on.
        let (replies, received) = bounded(2);
        let replied = replies.send(said.map(Some));
        replied
            .and_then(|()| replies.send(Ok(None)))
            .map_err(|_| Hangup)?;
        timings::waiting(|| self.given.send(received)).map_err(|_| Hangup)
    }
}

/// Keeps the one of several rows, which are in order, that a relation of one object is.
fn picked(pick: Pick, ids: &mut Vec<Key>) {
    let one = match pick {
        Pick::First => ids.first().cloned(),
        Pick::Last => ids.last().cloned(),
    };
    *ids = one.into_iter().collect();
}
