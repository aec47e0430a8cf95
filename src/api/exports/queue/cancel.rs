//! Taking exports back.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Queue;
use crate::api::entity::EntityRef;
use crate::api::exports::run::{Run, State};

impl Queue {
    /// Takes entities back whose export waits or runs; what they had before is their newest export again. A run that nobody
    /// else needs ends, and nothing of it stays. Gives the entities that were taken back. Writes to disk, so it blocks.
    ///
    /// # Errors
    /// Where a request cannot be rewritten; the entities that are not taken back by then stay.
    pub(crate) fn cancel(&self, entities: &[EntityRef]) -> io::Result<BTreeSet<EntityRef>> {
        let mut inner = self.lock();
        let wanted: BTreeSet<EntityRef> = entities.iter().copied().collect();
        let mut cancelled = BTreeSet::new();
        // An entity that waits may be in a run that goes on for others, too, which would bring it back.
        let both = inner.waiting.iter().chain(&inner.running);
        let runs: Vec<Arc<Run>> = both.cloned().collect();
        for run in runs {
            let mut request = run.request();
            let taken: Vec<EntityRef> = request
                .entities
                .keys()
                .copied()
                .filter(|entity| wanted.contains(entity))
                .collect();
            let is_under_way = matches!(run.state(), State::Waiting | State::Running);
            if taken.is_empty() || !is_under_way {
                continue;
            }
            request.leave_out(&taken);
            // On disk first: what is taken back must not come again with the next start.
            self.folder.write(run.number, &request)?;
            run.remove(&taken);
            {
                let mut known = self.known();
                let taken = taken.into_iter();
                cancelled.extend(taken.filter(|entity| known.take_back(*entity, &run)));
            }
            if !run.is_nobodys() {
                continue;
            }
            match run.state() {
                State::Waiting => {
                    inner.waiting.retain(|waiting| !Arc::ptr_eq(waiting, &run));
                    run.doom();
                }
                // Its thread takes it away when it has come to its end.
                State::Running | State::Ended | State::Failed(_) => {
                    run.interrupted.store(true, Ordering::Relaxed);
                }
            }
        }
        self.over.notify_all();
        Ok(cancelled)
    }
}
