//! The engine's manifest of a run as requests see it: read again while the run goes on, and with an index of its entities,
//! because a family has thousands of them and each is asked about many times.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::entity::EntityRef;
use crate::output::{EntityEntry, Manifest, Status};

/// How old what is known of a running export's manifest may be. The engine writes it every quarter of a second.
const FRESH: Duration = Duration::from_millis(100);

/// How many times longer than reading a manifest takes it is taken for fresh, so that large ones do not take the server's
/// time from requests.
const RARELY: u32 = 20;

#[derive(Default)]
struct Inner {
    seen: Option<Seen>,
    /// Until when what was read is fresh; `None` if nothing was read yet.
    fresh_until: Option<Instant>,
    /// One request reads for all.
    is_being_read: bool,
    /// How often the manifest was set.
    settings: u64,
}

/// A manifest, and where each entity stands in it.
struct Seen {
    manifest: Arc<Manifest>,
    /// The manifest without its entities.
    head: Manifest,
    positions: HashMap<EntityRef, usize>,
    complete: Arc<HashSet<EntityRef>>,
}

impl Seen {
    fn new(mut manifest: Manifest) -> Seen {
        let all = std::mem::take(&mut manifest.entities);
        let head = manifest.clone();
        manifest.entities = all;
        let entries = manifest.entities.iter().enumerate();
        let known = |(at, entry)| Some((EntityRef::of(entry)?, at));
        let positions: HashMap<EntityRef, usize> = entries.filter_map(known).collect();
        let complete = positions
            .iter()
            .filter(|(_, at)| is_complete(&manifest.entities[**at]))
            .map(|(entity, _)| *entity);
        Seen {
            complete: Arc::new(complete.collect()),
            positions,
            head,
            manifest: Arc::new(manifest),
        }
    }
}

/// True if every relation is finished.
fn is_complete(entry: &EntityEntry) -> bool {
    let mut relations = entry.relations.iter();
    relations.all(|relation| relation.status == Status::Finished)
}

/// What is known of a run's manifest.
#[derive(Default)]
pub(super) struct ManifestView(Mutex<Inner>);

impl ManifestView {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a few assignments, so a panic elsewhere leaves nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This is the manifest from now on.
    pub(super) fn set(&self, manifest: Option<Manifest>) {
        let seen = manifest.map(Seen::new);
        let mut inner = self.lock();
        inner.seen = seen;
        inner.fresh_until = None;
        inner.settings += 1;
    }

    /// Reads the manifest anew, unless what is known is fresh or somebody reads it already. What was read counts only if no
    /// manifest was set meanwhile: that one is newer.
    pub(super) fn refresh(&self, read: impl FnOnce() -> Option<Manifest>) {
        let began = Instant::now();
        let settings = {
            let mut inner = self.lock();
            let is_fresh = inner.fresh_until.is_some_and(|until| began < until);
            if is_fresh || inner.is_being_read {
                return;
            }
            inner.is_being_read = true;
            inner.settings
        };
        let seen = read().map(Seen::new);
        let pause = FRESH.max(began.elapsed() * RARELY);
        let mut inner = self.lock();
        inner.is_being_read = false;
        inner.fresh_until = Some(Instant::now() + pause);
        if seen.is_some() && inner.settings == settings {
            inner.seen = seen;
        }
    }

    /// The manifest, as far as it is known.
    pub(super) fn manifest(&self) -> Option<Arc<Manifest>> {
        let inner = self.lock();
        inner.seen.as_ref().map(|seen| Arc::clone(&seen.manifest))
    }

    /// The manifest as if these entities alone had been exported.
    pub(super) fn only(&self, wanted: &HashSet<EntityRef>) -> Option<Manifest> {
        let inner = self.lock();
        let seen = inner.seen.as_ref()?;
        let found = wanted
            .iter()
            .filter_map(|entity| seen.positions.get(entity));
        let mut found: Vec<usize> = found.copied().collect();
        // Without the others, of which there may be thousands.
        let mut own = seen.head.clone();
        let manifest = Arc::clone(&seen.manifest);
        drop(inner);
        found.sort_unstable();
        let entries = found.into_iter().map(|at| manifest.entities[at].clone());
        own.entities = entries.collect();
        Some(own.only(|_| true))
    }

    /// An entity's entry, and its position.
    pub(super) fn entry(&self, entity: EntityRef) -> Option<(usize, EntityEntry)> {
        let inner = self.lock();
        let seen = inner.seen.as_ref()?;
        let at = *seen.positions.get(&entity)?;
        let manifest = Arc::clone(&seen.manifest);
        drop(inner);
        Some((at, manifest.entities[at].clone()))
    }

    /// True if everything of an entity is there.
    pub(super) fn is_complete(&self, entity: EntityRef) -> bool {
        let inner = self.lock();
        let seen = inner.seen.as_ref();
        seen.is_some_and(|seen| seen.complete.contains(&entity))
    }

    /// The entities of which everything is there.
    pub(super) fn complete(&self) -> Arc<HashSet<EntityRef>> {
        let inner = self.lock();
        let seen = inner.seen.as_ref();
        seen.map_or_else(Arc::default, |seen| Arc::clone(&seen.complete))
    }
}
