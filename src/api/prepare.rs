//! Groups that are exported before anyone asks (`--prepare`).

use super::app::AppState;
use super::entity::{EntityRef, Kind};
use super::exportable::{family, is_whole};
use super::exports::{FamilyRole, Order, QueueFull, RunOptions};
use crate::visible::visible;

/// A group whose family is being exported.
pub(crate) struct Prepared {
    full_path: String,
    entities: Vec<EntityRef>,
}

/// Asks for the exports of the groups that the options name, as a GitLab asks that migrates them: in batches. What is there
/// from an earlier server is not made again. The directory must be known.
///
/// # Errors
/// A message, if the snapshot does not have a group, or the queue no room for it.
pub(crate) fn ask(app: &AppState) -> Result<Vec<Prepared>, String> {
    let Some(directory) = app.directory.get() else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for named in &app.options.prepare {
        let shown = visible(named);
        let group = directory.find(named);
        let Some(group) = group.filter(|group| directory.is_whole(group.id)) else {
            return Err(format!(
                "cannot prepare group {shown}: the snapshot does not have it\n  \
                 `relexport groups` lists those that it has"
            ));
        };
        let entity = EntityRef::group(group.id);
        let mut others = family(directory, entity);
        others.retain(|other| is_whole(directory, *other));
        let order = Order {
            entity,
            family: others,
            role: FamilyRole::Prepared,
            options: RunOptions {
                batched: true,
                batch_size: app.options.batch_size.get(),
            },
            anew: false,
        };
        match app.queue.ask(&order) {
            Ok(_) => {}
            // The server ends before it began.
            Err(QueueFull::Closed) => return Ok(Vec::new()),
            Err(QueueFull::Full) => {
                return Err(format!(
                    "cannot prepare group {shown}: more groups are named than there is room for\n  raise --queue"
                ));
            }
            Err(QueueFull::Io(error)) => {
                return Err(format!("cannot prepare group {shown}: {error}"));
            }
        }
        let mut entities = order.family;
        entities.insert(0, entity);
        all.push(Prepared {
            full_path: group.full_path.clone(),
            entities,
        });
    }
    Ok(all)
}

/// Waits for each group's exports in turn and tells the log when they are ready, until the server ends.
pub(crate) fn tell(app: &AppState, all: &[Prepared]) {
    for Prepared {
        full_path,
        entities,
    } in all
    {
        let Some(incomplete) = app.queue.wait_for(entities) else {
            return;
        };
        let group = visible(full_path);
        let count = |kind| entities.iter().filter(|it| it.kind == kind).count();
        let (groups, projects) = (count(Kind::Group), count(Kind::Project));
        match incomplete.as_slice() {
            [] => tracing::info!(groups, projects, "group {group} is prepared"),
            [first, ..] => tracing::warn!(
                groups,
                projects,
                "group {group} is prepared, but the exports of {} in it are not complete, {} {} first",
                incomplete.len(),
                first.kind.word(),
                first.id
            ),
        }
    }
}
