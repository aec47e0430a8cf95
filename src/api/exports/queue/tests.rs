use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::api::exports::data_folder::DataFolder;
use crate::api::exports::run::{RunOptions, RunOutcome};
use crate::output::Manifest;

const BATCHED: RunOptions = RunOptions {
    batched: true,
    batch_size: 100,
};
const WHOLE: RunOptions = RunOptions {
    batched: false,
    ..BATCHED
};

fn group(id: i64) -> EntityRef {
    EntityRef::group(id)
}

fn project(id: i64) -> EntityRef {
    EntityRef::project(id)
}

fn open(data: &TempDir, room: usize) -> Queue {
    let folder = DataFolder::take(data.path()).unwrap();
    Queue::open(SnapshotFolder::open(folder, "f").unwrap(), room).unwrap()
}

fn order(entity: EntityRef, family: &[EntityRef], options: RunOptions) -> Order {
    Order {
        entity,
        family: family.to_vec(),
        role: FamilyRole::Prefetched,
        options,
        anew: false,
    }
}

/// How many exports a request makes.
fn ask(queue: &Queue, entity: EntityRef, family: &[EntityRef], options: RunOptions) -> usize {
    queue.ask(&order(entity, family, options)).unwrap()
}

/// The manifest of a run that is over.
fn manifest(run: &Run, failed: &[EntityRef]) -> Manifest {
    let entities = run.entities().into_iter().map(|entity| {
        let status = if failed.contains(&entity) { -1 } else { 1 };
        let relation = json!({
            "relation": "labels", "status": status, "error": null, "updated_at": "", "batched": false, "batches_count": 0,
            "total_objects_count": 0,
        });
        let mut entry = json!({
            "id": entity.id, "type": "T", "full_path": "p", "prefix": entity, "relations": [relation],
        });
        if entity.kind == Kind::Project {
            entry["parent_id"] = json!(7);
        }
        entry
    });
    let entities: Vec<_> = entities.collect();
    serde_json::from_value(json!({
        "manifest_version": 1, "generator": "g", "status": 1, "started_at": "", "finished_at": "", "entities": entities,
        "snapshot": { "kind": "k", "source": "s", "server_version": null, "gitlab_version": null },
        "pipeline": { "name": "group", "sha256": "" },
        "options": { "batched": run.options.batched, "batch_size": 100, "edition": "ee" },
    }))
    .unwrap()
}

/// Runs what waits first to its end.
fn work(data: &TempDir, queue: &Queue, failed: &[EntityRef]) -> Arc<Run> {
    let run = queue.next().unwrap();
    let manifest = manifest(&run, failed);
    let files = data.path().join(format!("f/exports/{}/files", run.number));
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("manifest.json"), manifest.to_json().unwrap()).unwrap();
    run.end(RunOutcome::Exported(Box::new(manifest)));
    queue.ended(&run);
    run
}

fn newest(queue: &Queue, entity: EntityRef) -> u64 {
    queue.runs_of(entity).newest.unwrap().number
}

#[test]
fn the_first_request_exports_the_family_and_answers_the_later_ones() {
    let data = tempfile::tempdir().unwrap();
    let queue = open(&data, 1);
    let family = [group(7), group(8), project(7), project(9)];
    assert_eq!(ask(&queue, group(7), &family, BATCHED), 4);
    // While it waits, while it runs, and when it is over.
    assert_eq!(ask(&queue, project(7), &[], BATCHED), 0);
    let run = queue.next().unwrap();
    assert_eq!(run.ids(Kind::Group), [7, 8]);
    assert_eq!(run.ids(Kind::Project), [7, 9]);
    assert_eq!(ask(&queue, group(8), &[project(9)], BATCHED), 0);
    run.end(RunOutcome::Exported(Box::new(manifest(&run, &[]))));
    queue.ended(&run);
    for entity in family {
        assert_eq!(ask(&queue, entity, &family, BATCHED), 0, "{entity}");
        assert_eq!(newest(&queue, entity), 1);
    }
    // A newcomer of the family is exported when it is asked for.
    assert_eq!(ask(&queue, project(10), &[], BATCHED), 1);
    assert_eq!(newest(&queue, project(10)), 2);
    assert_eq!(queue.counts(Kind::Project), (1, 0));
}

#[test]
fn what_failed_is_made_anew_and_the_rest_is_not() {
    let data = tempfile::tempdir().unwrap();
    let queue = open(&data, 10);
    let family = [group(8), project(9)];
    assert_eq!(ask(&queue, group(7), &family, BATCHED), 3);
    work(&data, &queue, &[group(8)]);
    assert_eq!(ask(&queue, group(7), &family, BATCHED), 0);
    // Who asks for the first time is told what came of it; who asks again has it made anew.
    assert_eq!(ask(&queue, group(8), &[project(9)], BATCHED), 0);
    drop(queue);
    let queue = open(&data, 10);
    assert_eq!(newest(&queue, group(8)), 1);
    assert_eq!(ask(&queue, group(8), &[project(9)], BATCHED), 1);
    work(&data, &queue, &[group(8)]);
    // What is prepared is looked at one by one.
    let prepared = Order {
        role: FamilyRole::Prepared,
        ..order(group(7), &family, BATCHED)
    };
    assert_eq!(queue.ask(&prepared).unwrap(), 1);
    work(&data, &queue, &[]);
    assert_eq!(queue.ask(&prepared).unwrap(), 0);
    // A whole run that came to nothing.
    assert_eq!(ask(&queue, group(1), &[group(2)], BATCHED), 2);
    let run = queue.next().unwrap();
    run.end(RunOutcome::Failed("broken".to_owned()));
    queue.ended(&run);
    assert_eq!(ask(&queue, group(2), &[], BATCHED), 1);
    assert_eq!(ask(&queue, group(1), &[group(2)], BATCHED), 1);
}

#[test]
fn what_was_prepared_answers_its_first_requests_whatever_came_of_it() {
    let data = tempfile::tempdir().unwrap();
    let queue = open(&data, 10);
    let family = [group(8), project(9)];
    let prepared = Order {
        role: FamilyRole::Prepared,
        ..order(group(7), &family, BATCHED)
    };
    assert_eq!(queue.ask(&prepared).unwrap(), 3);
    work(&data, &queue, &[group(7), project(9)]);
    for entity in [group(7), group(8), project(9)] {
        assert_eq!(ask(&queue, entity, &family, BATCHED), 0, "{entity}");
    }
    assert_eq!(ask(&queue, project(9), &[], BATCHED), 1);
    work(&data, &queue, &[project(9)]);
    // Prepared once more, when the server is started again.
    assert_eq!(queue.ask(&prepared).unwrap(), 2);
    work(&data, &queue, &[group(8)]);
    assert_eq!(queue.ask(&prepared).unwrap(), 0);
}

#[test]
fn whoever_wants_it_anew_gets_a_new_run() {
    let data = tempfile::tempdir().unwrap();
    let queue = open(&data, 10);
    assert_eq!(ask(&queue, group(7), &[project(9)], BATCHED), 2);
    let anew = Order {
        anew: true,
        ..order(group(7), &[], BATCHED)
    };
    // What waits is new enough.
    assert_eq!(queue.ask(&anew).unwrap(), 0);
    work(&data, &queue, &[]);
    assert_eq!(queue.ask(&anew).unwrap(), 1);
    let runs = queue.runs_of(group(7));
    assert_eq!(
        (runs.newest.unwrap().number, runs.complete.unwrap().number),
        (2, 1)
    );
    work(&data, &queue, &[]);
    assert_eq!(queue.runs_of(group(7)).complete.unwrap().number, 2);
    // The first one is still the project's.
    assert_eq!(newest(&queue, project(9)), 1);
}

#[test]
fn a_family_takes_no_export_with_other_options_away() {
    let data = tempfile::tempdir().unwrap();
    let queue = open(&data, 10);
    assert_eq!(ask(&queue, project(9), &[], WHOLE), 1);
    work(&data, &queue, &[]);
    assert_eq!(ask(&queue, group(7), &[project(9)], BATCHED), 2);
    work(&data, &queue, &[]);
    // Who asked for one file is not given batches.
    let runs = queue.runs_of(project(9));
    assert_eq!(
        (runs.newest.unwrap().number, runs.complete.unwrap().number),
        (1, 1)
    );
    assert_eq!(ask(&queue, project(9), &[], WHOLE), 0);
    drop(queue);
    let queue = open(&data, 10);
    assert_eq!(newest(&queue, project(9)), 1);
    // Who asks for batches has them at once, and the other export is gone.
    assert_eq!(ask(&queue, project(9), &[], BATCHED), 0);
    let runs = queue.runs_of(project(9));
    assert_eq!(
        (runs.newest.unwrap().number, runs.complete.unwrap().number),
        (2, 2)
    );
    drop(queue);
    let queue = open(&data, 10);
    assert_eq!(newest(&queue, project(9)), 2);
    assert_eq!(ask(&queue, project(9), &[], WHOLE), 1);
}

#[test]
fn a_family_needs_the_room_of_one_export() {
    let data = tempfile::tempdir().unwrap();
    let queue = open(&data, 2);
    let family: Vec<EntityRef> = (1..=3000).map(project).collect();
    assert_eq!(ask(&queue, group(7), &family, BATCHED), 3001);
    assert_eq!(ask(&queue, group(1), &[], WHOLE), 1);
    let full = queue.ask(&order(group(2), &[], WHOLE));
    assert!(matches!(full, Err(QueueFull::Full)));
    // Who waits may ask for something else.
    assert_eq!(ask(&queue, group(1), &[], BATCHED), 1);
    for project in &family {
        assert_eq!(ask(&queue, *project, &[], BATCHED), 0);
    }
    // All wait as one, and nothing was written for them since.
    let request = std::fs::metadata(data.path().join("f/exports/1/request.json")).unwrap();
    work(&data, &queue, &[]);
    for project in &family {
        assert_eq!(ask(&queue, *project, &family, BATCHED), 0);
    }
    let later = std::fs::metadata(data.path().join("f/exports/1/request.json")).unwrap();
    assert_eq!(request.modified().unwrap(), later.modified().unwrap());
    assert_eq!(queue.counts(Kind::Group), (0, 0));
    let none = open(&tempfile::tempdir().unwrap(), 0);
    let full = none.ask(&order(group(2), &[], WHOLE));
    assert!(matches!(full, Err(QueueFull::Full)));
}

#[test]
fn one_that_is_taken_back_leaves_its_family_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let queue = open(&data, 10);
    assert_eq!(ask(&queue, group(7), &[project(8), project(9)], BATCHED), 3);
    let run = queue.next().unwrap();
    assert_eq!(queue.cancel(&[project(9)]).unwrap(), [project(9)].into());
    assert_eq!(queue.cancel(&[project(9)]).unwrap(), [].into());
    assert!(queue.runs_of(project(9)).newest.is_none());
    assert!(!run.interrupted.load(Ordering::Relaxed));
    // It is in the files that are under way all the same, and is not given out.
    let all = queue.cancel(&[group(7), project(8), project(9)]).unwrap();
    assert_eq!(all, [group(7), project(8)].into());
    assert!(run.interrupted.load(Ordering::Relaxed));
    queue.dropped(&run);
    drop(run);
    // Nothing of it comes again.
    assert_eq!(ask(&queue, project(9), &[], BATCHED), 1);
    drop(queue);
    let queue = open(&data, 10);
    assert_eq!(queue.counts(Kind::Project), (1, 0));
    assert_eq!(queue.counts(Kind::Group), (0, 0));
}

#[test]
fn a_family_that_a_server_did_not_end_waits_again_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let queue = open(&data, 10);
    ask(&queue, group(7), &[project(8), project(9)], BATCHED);
    let run = queue.next().unwrap();
    // What is finished is on disk; then the server dies.
    let mut unfinished = manifest(&run, &[project(9)]);
    unfinished.finished_at = None;
    let files = data.path().join("f/exports/1/files");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("manifest.json"), unfinished.to_json().unwrap()).unwrap();
    drop((run, queue));
    let queue = open(&data, 10);
    assert_eq!(queue.counts(Kind::Project), (2, 0));
    let run = queue.runs_of(project(8)).newest.unwrap();
    assert_eq!(run.state(), State::Waiting);
    // Its files can be had, but nothing is complete before the run is over.
    let (_, entry) = run.entry(project(8)).unwrap();
    assert_eq!(entry.relations.len(), 1);
    assert!(!run.is_complete_for(project(8)));
    assert_eq!(ask(&queue, project(9), &[], BATCHED), 0);
    work(&data, &queue, &[]);
    assert!(run.is_complete_for(project(9)));
}
