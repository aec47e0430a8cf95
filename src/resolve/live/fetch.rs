//! Fetching ahead: several threads load rounds, which are handed out in the order in which they were planned.
//!
//! One thread asks for keys of top-level rows and cuts them into rounds; as many threads as the source has connections
//! load them. All of them are plain threads, because they wait for the network. How far they are ahead is bounded, and so
//! is what a round may take of memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use crate::resolve::ResolveError;
use crate::resolve::interrupt::{LOOK_EVERY, check_interrupted};
use crate::resolve::plan::{PlanNode, PlanRelation, PlanSource};
use crate::resolve::store::{Entry, RowStore};
use crate::snapshot::SnapshotError;
use crate::timings::{self, Phase};

use super::Live;
use super::ask::Failure;
use super::load::{Loaded, top_hop};

/// Top-level rows of a relation's first rounds, before it is known how large its rows are.
const FIRST: usize = 100;
/// Top-level rows of a round at the most.
const MOST: usize = 1000;
/// Bytes of rows and index that a round should take.
const ROUND: usize = 4 << 20;
/// Bytes at which a round is given up and cut in two, unless it has one top-level row only.
const TOO_LARGE: usize = 4 * ROUND;
/// Entities whose maxima are one round.
const ENTITIES: usize = 50;
/// Rounds that may be ready, beside one for each connection.
const READY: usize = 2;

/// A relation of some entities, to be fetched.
pub struct Wanted {
    /// Position in [`Plan::relations`](crate::resolve::Plan::relations).
    pub relation: usize,
    pub of: Vec<Of>,
}

/// Of whom the top-level rows are wanted.
#[derive(Debug, Clone)]
pub struct Of {
    /// Position among the chosen entities.
    pub entity: usize,
    pub keys: TopKeys,
}

/// What top-level rows are found by.
#[derive(Debug, Clone)]
pub enum TopKeys {
    /// The entity's key, or the key of its root ancestor.
    Entity { key: i64, root: i64 },
    /// What the entity's records refer to.
    Collected(Vec<i64>),
}

impl Of {
    /// The keys for a top-level [`Reach`](crate::resolve::Reach) with this parent.
    pub(super) fn keys(&self, parent: usize) -> &[i64] {
        match &self.keys {
            TopKeys::Entity { key, .. } if parent == 0 => std::slice::from_ref(key),
            TopKeys::Entity { root, .. } => std::slice::from_ref(root),
            TopKeys::Collected(keys) => keys,
        }
    }
}

/// What has been fetched.
pub enum Fetched {
    Round(Round),
    /// A relation of an entity cannot be had at all, in the server's words.
    Refused {
        relation: usize,
        entity: usize,
        error: String,
    },
}

/// Some top-level rows of a relation, with everything below them.
pub struct Round {
    pub relation: usize,
    /// The rounds of an entity's relation follow one another.
    pub parts: Vec<Part>,
    /// Or why they cannot be had, in the server's words.
    pub rows: Result<Arc<RowStore>, String>,
}

/// Some top-level rows of one entity.
#[derive(Debug, Clone)]
pub struct Part {
    pub entity: usize,
    /// How many top-level rows the entity has in all.
    pub total: usize,
    /// True for the first part of the entity's relation.
    pub first: bool,
    /// The primary keys of these, in order.
    pub ids: Vec<i64>,
}

impl Part {
    /// The rows of the part, in order.
    pub fn entries(&self, node: &PlanNode, store: &RowStore) -> Vec<Entry> {
        let found = |id: &i64| top_hop(node).map(|hop| store.found(hop, *id));
        self.ids
            .iter()
            .filter_map(found)
            .flatten()
            .copied()
            .collect()
    }
}

/// What a loading thread is to do.
enum Job {
    Rows { relation: usize, parts: Vec<Part> },
    Maxima { relation: usize, of: Vec<Of> },
}

/// What a loading thread answers: what it fetched, piece by piece, and `None` when that was all.
type Reply = Result<Option<Fetched>, ResolveError>;

/// Rows on their way from the source, in order.
pub struct Fetch {
    jobs: Receiver<Receiver<Reply>>,
    current: Option<Receiver<Reply>>,
    planner: Option<JoinHandle<()>>,
    interrupted: Arc<AtomicBool>,
}

impl Live {
    /// Starts to fetch these relations, in this order.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub fn fetch(
        &self,
        wanted: Vec<Wanted>,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Fetch, ResolveError> {
        let connections = self.source.connections().max(1);
        let (given, jobs) = bounded(connections + READY);
        let (work, taken) = unbounded();
        let shared = Arc::new(Shared {
            live: self.clone(),
            sizes: self
                .plan
                .relations
                .iter()
                .map(|_| Size::default())
                .collect(),
            refused: Mutex::default(),
            interrupted: Arc::clone(interrupted),
        });
        // None of these threads is waited for: where the run ends early, one may be waiting for the network.
        for loader in 0..connections {
            let (shared, taken) = (Arc::clone(&shared), taken.clone());
            let timings = timings::current();
            thread::Builder::new()
                .name(format!("loader-{loader}"))
                .spawn(move || {
                    let _work = timings::work(timings.as_ref(), Phase::Resolve);
                    while let Ok((job, replies)) = timings::waiting(|| taken.recv()) {
                        shared.load(job, &replies);
                    }
                })
                .map_err(SnapshotError::Threads)?;
        }
        let planner = Planner {
            shared,
            given,
            work,
        };
        let timings = timings::current();
        let planning = thread::Builder::new()
            .name("planner".to_owned())
            .spawn(move || {
                let _work = timings::work(timings.as_ref(), Phase::Resolve);
                for wanted in wanted {
                    if planner.plan(wanted).is_none() {
                        return;
                    }
                }
            })
            .map_err(SnapshotError::Threads)?;
        Ok(Fetch {
            jobs,
            current: None,
            planner: Some(planning),
            interrupted: Arc::clone(interrupted),
        })
    }
}

impl Fetch {
    /// What comes next, after waiting for it; `None` when all has been fetched.
    ///
    /// # Errors
    /// Where the instant is lost or the run is interrupted. Nothing can be fetched after that.
    pub fn take(&mut self) -> Result<Option<Fetched>, ResolveError> {
        loop {
            if let Some(replies) = &self.current {
                let reply = receive(replies, &self.interrupted)?
                    .ok_or_else(|| ResolveError::Plan("a loading thread ended early".to_owned()))?;
                match reply? {
                    Some(fetched) => return Ok(Some(fetched)),
                    None => self.current = None,
                }
            }
            self.current = receive(&self.jobs, &self.interrupted)?;
            if self.current.is_none() {
                if let Some(Err(panic)) = self.planner.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                return Ok(None);
            }
        }
    }
}

/// Waits for a message; `None` where none will come any more.
fn receive<T>(from: &Receiver<T>, interrupted: &AtomicBool) -> Result<Option<T>, ResolveError> {
    loop {
        match timings::waiting(|| from.recv_timeout(LOOK_EVERY)) {
            Ok(message) => return Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => check_interrupted(interrupted)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

/// Hands over a reply once there is room for it; false where nobody waits for it any more.
fn hand_over(replies: &Sender<Reply>, reply: Reply) -> bool {
    timings::waiting(|| replies.send(reply).is_ok())
}

/// How large the rounds of a relation have been.
#[derive(Default)]
struct Size {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Size {
    fn add(&self, rows: usize, bytes: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Top-level rows that a round should have.
    fn round(&self) -> usize {
        let rows = self.rows.load(Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        match rows {
            0 => FIRST,
            _ => usize::try_from(ROUND as u64 * rows / bytes.max(1))
                .unwrap_or(MOST)
                .clamp(1, MOST),
        }
    }
}

/// What the threads share.
struct Shared {
    live: Live,
    /// By relation.
    sizes: Vec<Size>,
    /// Entities' relations of which rows were refused: nothing more of them is asked for.
    refused: Mutex<HashMap<(usize, usize), String>>,
    interrupted: Arc<AtomicBool>,
}

struct Planner {
    shared: Arc<Shared>,
    given: Sender<Receiver<Reply>>,
    work: Sender<(Job, Sender<Reply>)>,
}

impl Planner {
    /// Cuts a relation into rounds and gives them to the loading threads. `None` where nobody listens any more.
    fn plan(&self, wanted: Wanted) -> Option<()> {
        let Wanted { relation, of } = wanted;
        match &self.shared.relation(relation).source {
            Ok(PlanSource::Rows(node) | PlanSource::Collected(node)) => {
                self.rows(relation, node, &of)
            }
            Ok(PlanSource::Maxima(_)) => of.chunks(ENTITIES).try_for_each(|of| {
                self.give(Job::Maxima {
                    relation,
                    of: of.to_vec(),
                })
            }),
            // Whoever wants a relation that cannot be planned has been told why.
            Err(_) => Some(()),
        }
    }

    fn rows(&self, relation: usize, node: &PlanNode, of: &[Of]) -> Option<()> {
        let asker = self.shared.live.asker();
        match asker.top_level(node, of, &self.shared.interrupted) {
            Ok(ids) => {
                let entities = of.iter().map(|of| of.entity);
                self.rounds(relation, entities.zip(ids))
            }
            // One of them may be too much for the server where the others are not.
            Err(Failure::Relation(_)) if of.len() > 1 => of
                .chunks(1)
                .try_for_each(|one| self.rows(relation, node, one)),
            Err(Failure::Relation(error)) => of.iter().try_for_each(|of| {
                self.say(Ok(Some(Fetched::Refused {
                    relation,
                    entity: of.entity,
                    error: error.clone(),
                })))
            }),
            Err(Failure::Run(error)) => {
                let _ = self.say(Err(error));
                None
            }
        }
    }

    fn rounds(&self, relation: usize, rows: impl Iterator<Item = (usize, Vec<i64>)>) -> Option<()> {
        let mut parts: Vec<Part> = Vec::new();
        let mut filled = 0;
        for (entity, ids) in rows {
            let (total, mut rest) = (ids.len(), ids.as_slice());
            let mut first = true;
            while first || !rest.is_empty() {
                let room = self.shared.sizes[relation].round().saturating_sub(filled);
                if room == 0 || parts.len() >= MOST {
                    let parts = std::mem::take(&mut parts);
                    self.give(Job::Rows { relation, parts })?;
                    filled = 0;
                    continue;
                }
                let (ids, behind) = rest.split_at(room.min(rest.len()));
                parts.push(Part {
                    entity,
                    total,
                    first,
                    ids: ids.to_vec(),
                });
                filled += ids.len();
                rest = behind;
                first = false;
            }
        }
        match parts.is_empty() {
            true => Some(()),
            false => self.give(Job::Rows { relation, parts }),
        }
    }

    fn give(&self, job: Job) -> Option<()> {
        // Room for one answer: a thread may be at the next piece while one is waiting to be taken.
        let (replies, received) = bounded(1);
        timings::waiting(|| self.given.send(received).is_ok()).then_some(())?;
        self.work.send((job, replies)).ok()
    }

    /// Says something in the place of a job.
    fn say(&self, reply: Reply) -> Option<()> {
        let (replies, received) = bounded(2);
        let _ = replies.send(reply);
        let _ = replies.send(Ok(None));
        timings::waiting(|| self.given.send(received).is_ok()).then_some(())
    }
}

impl Shared {
    fn relation(&self, relation: usize) -> &PlanRelation {
        &self.live.plan.relations[relation]
    }

    /// Does a job. Where nobody waits for the replies any more, it ends early.
    fn load(&self, job: Job, replies: &Sender<Reply>) {
        let loaded = match job {
            Job::Maxima { relation, of } => self.maxima(relation, of, replies),
            Job::Rows { relation, parts } => self.rows(relation, parts, replies),
        };
        let last = match loaded {
            Ok(()) => Ok(None),
            Err(error) => Err(error),
        };
        hand_over(replies, last);
    }

    fn maxima(
        &self,
        relation: usize,
        of: Vec<Of>,
        replies: &Sender<Reply>,
    ) -> Result<(), ResolveError> {
        let Ok(PlanSource::Maxima(maxima)) = &self.relation(relation).source else {
            return Ok(());
        };
        let asker = self.live.asker();
        let rows = match asker.maxima(maxima, &of, &self.interrupted) {
            Ok(store) => Ok(Arc::new(store)),
            Err(Failure::Relation(error)) => Err(error),
            Err(Failure::Run(error)) => return Err(error),
        };
        let parts = of.iter().map(|of| Part {
            entity: of.entity,
            total: 1,
            first: true,
            ids: Vec::new(),
        });
        let round = Round {
            relation,
            parts: parts.collect(),
            rows,
        };
        hand_over(replies, Ok(Some(Fetched::Round(round))));
        Ok(())
    }

    /// Loads a round, in pieces where it is too large or where the server refuses some of it.
    fn rows(
        &self,
        relation: usize,
        parts: Vec<Part>,
        replies: &Sender<Reply>,
    ) -> Result<(), ResolveError> {
        let planned = self.relation(relation);
        let Ok(PlanSource::Rows(node) | PlanSource::Collected(node)) = &planned.source else {
            return Ok(());
        };
        let asker = self.live.asker();
        let mut waiting = vec![parts];
        while let Some(parts) = waiting.pop() {
            let mut ids: Vec<i64> = parts.iter().flat_map(|part| &part.ids).copied().collect();
            ids.sort_unstable();
            ids.dedup();
            let limit = if ids.len() > 1 { TOO_LARGE } else { usize::MAX };
            let loaded = match self.refused(relation, &parts) {
                Some(error) => Err(Failure::Relation(error)),
                None if ids.is_empty() => Ok(Loaded::Rows(asker.store())),
                None => {
                    let shelf = &self.live.shelf;
                    asker.round(planned, node, &ids, limit, shelf, &self.interrupted)
                }
            };
            let rows = match loaded {
                Ok(Loaded::Rows(store)) => {
                    self.sizes[relation].add(ids.len(), store.in_use());
                    Ok(Arc::new(store))
                }
                Ok(Loaded::TooLarge) => {
                    self.sizes[relation].add(ids.len(), TOO_LARGE);
                    let (first, second) = halves(parts);
                    waiting.extend([second, first]);
                    continue;
                }
                Err(Failure::Relation(_)) if parts.len() > 1 => {
                    waiting.extend(parts.into_iter().rev().map(|part| vec![part]));
                    continue;
                }
                Err(Failure::Relation(error)) => {
                    self.refuse(relation, &parts, &error);
                    Err(error)
                }
                Err(Failure::Run(error)) => return Err(error),
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

    fn refused(&self, relation: usize, parts: &[Part]) -> Option<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mut words = parts
            .iter()
            .map(|part| refused.get(&(relation, part.entity)));
        words.find_map(|words| words.cloned())
    }

    fn refuse(&self, relation: usize, parts: &[Part], error: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for part in parts {
            refused.insert((relation, part.entity), error.to_owned());
        }
    }
}

/// Cuts a round in two with as many top-level rows each.
fn halves(parts: Vec<Part>) -> (Vec<Part>, Vec<Part>) {
    let rows: usize = parts.iter().map(|part| part.ids.len()).sum();
    let mut left = rows / 2;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for mut part in parts {
        if !second.is_empty() || left == 0 {
            second.push(part);
        } else if part.ids.len() <= left {
            left -= part.ids.len();
            first.push(part);
        } else {
            let behind = part.ids.split_off(left);
            left = 0;
            second.push(Part {
                first: false,
                ids: behind,
                ..part
            });
            first.push(part);
        }
    }
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_keep_the_order_and_lose_nothing() {
        let part = |entity: usize, first: bool, ids: &[i64]| Part {
            entity,
            total: 9,
            first,
            ids: ids.to_vec(),
        };
        let shown = |parts: &[Part]| -> Vec<(usize, bool, Vec<i64>)> {
            let shown = |part: &Part| (part.entity, part.first, part.ids.clone());
            parts.iter().map(shown).collect()
        };
        let parts = vec![
            part(0, false, &[1]),
            part(1, true, &[]),
            part(2, true, &[2, 3, 4]),
            part(3, true, &[]),
            part(4, true, &[5]),
        ];
        let (first, second) = halves(parts);
        assert_eq!(
            shown(&first),
            [(0, false, vec![1]), (1, true, vec![]), (2, true, vec![2])]
        );
        assert_eq!(
            shown(&second),
            [
                (2, false, vec![3, 4]),
                (3, true, vec![]),
                (4, true, vec![5])
            ]
        );
    }

    #[test]
    fn rounds_have_as_many_rows_as_fit() {
        let size = Size::default();
        assert_eq!(size.round(), FIRST);
        size.add(100, 100 * 8192);
        assert_eq!(size.round(), ROUND / 8192);
        size.add(1, 1 << 40);
        assert_eq!(size.round(), 1);
        let small = Size::default();
        small.add(100, 100);
        assert_eq!(small.round(), MOST);
    }
}
