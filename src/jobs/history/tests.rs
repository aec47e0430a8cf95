use std::fs;

use super::*;
use crate::jobs::volume::RelationVolume;

fn volume(rows: u64) -> Volume {
    let relation = RelationVolume {
        rows,
        bytes: 10 * rows,
        failed: 0,
    };
    Volume {
        relations: [("group.labels".to_owned(), relation)].into(),
    }
}

/// A run of a job that ends in a state.
fn past(history: &mut History, job: &str, state: RunState, ended: i64, rows: u64) -> RunId {
    let id = begun(history, job);
    let run = EndedRun {
        ended,
        state,
        exit_status: 1,
        place: Some("/exports/one"),
        error: Some("no room"),
        volume: &volume(rows),
    };
    history.end(&id, &run).unwrap();
    id
}

fn begun(history: &History, job: &str) -> RunId {
    let id = RunId::new();
    let run = BegunRun {
        id: &id,
        job,
        snapshot: "dump.sql",
        started: 5,
    };
    history.begin(&run).unwrap();
    id
}

#[test]
fn what_was_written_is_there_when_it_is_opened_again() {
    let temp = tempfile::tempdir().unwrap();
    let state_dir = temp.path().join("a/b");
    let mut history = History::open(&state_dir).unwrap();
    let id = past(&mut history, "acme", RunState::Failed, 7, 3);
    drop(history);
    let history = History::look(&state_dir).unwrap().unwrap();
    assert_eq!(
        history.newest("acme", 10).unwrap(),
        [PastRun {
            id: id.to_string(),
            job: "acme".to_owned(),
            snapshot: "dump.sql".to_owned(),
            started: 5,
            ended: Some(7),
            state: RunState::Failed,
            exit_status: Some(1),
            place: Some("/exports/one".to_owned()),
            error: Some("no room".to_owned()),
            rows: 3,
            bytes: 30,
            failed_relations: 0,
        }]
    );
    assert_eq!(history.jobs().unwrap(), ["acme"]);
}

#[test]
fn the_last_success_is_that_of_the_job_and_a_finished_one() {
    let temp = tempfile::tempdir().unwrap();
    let mut history = History::open(temp.path()).unwrap();
    assert_eq!(history.last_success("acme").unwrap(), None);
    past(&mut history, "acme", RunState::Finished, 7, 100);
    // A clock that went back does not make an older run the newest one.
    past(&mut history, "acme", RunState::Finished, 6, 200);
    for state in [RunState::Suspect, RunState::Failed, RunState::Skipped] {
        past(&mut history, "acme", state, 9, 1);
    }
    past(&mut history, "other", RunState::Finished, 9, 1);
    let success = LastSuccess {
        ended: 6,
        volume: volume(200),
    };
    assert_eq!(history.last_success("acme").unwrap(), Some(success));
}

#[test]
fn the_newest_runs_come_first_and_no_more_than_were_asked_for() {
    let temp = tempfile::tempdir().unwrap();
    let mut history = History::open(temp.path()).unwrap();
    let ids: Vec<String> = (0..5)
        .map(|night| past(&mut history, "acme", RunState::Finished, night, 1).to_string())
        .collect();
    let runs = history.newest("acme", 2).unwrap();
    let found: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
    assert_eq!(found, [&ids[4], &ids[3]]);
}

#[test]
fn a_run_that_never_ended_is_found_dead_by_the_next_one_of_its_job() {
    let temp = tempfile::tempdir().unwrap();
    let history = History::open(temp.path()).unwrap();
    let dead = begun(&history, "acme");
    let other = begun(&history, "other");
    let buried = history.bury("acme").unwrap();
    assert_eq!(buried.len(), 1);
    assert_eq!(buried[0].id, dead.as_str());
    assert_eq!(history.bury("acme").unwrap(), []);
    let state = |job| history.newest(job, 1).unwrap()[0].state;
    assert_eq!(state("acme"), RunState::Dead);
    assert_eq!(state("other"), RunState::Running);
    assert_ne!(dead, other);
}

#[test]
fn a_damaged_a_newer_and_a_foreign_database_are_told_apart_and_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join(FILE_NAME);
    let refused = || {
        let before = fs::read(&path).unwrap();
        let errors = [
            History::open(temp.path()).map(drop).unwrap_err(),
            History::look(temp.path()).map(drop).unwrap_err(),
        ];
        assert_eq!(fs::read(&path).unwrap(), before);
        errors.map(|error| error.to_string())
    };
    fs::write(&path, [b'x'; 4096]).unwrap();
    for message in refused() {
        assert!(message.contains("damaged, or no database"), "{message}");
        assert!(message.contains("move it away"), "{message}");
    }
    fs::remove_file(&path).unwrap();
    let foreign = Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE notes (text)").unwrap();
    drop(foreign);
    for message in refused() {
        assert!(
            message.contains("a database of something else"),
            "{message}"
        );
    }
    fs::remove_file(&path).unwrap();
    drop(History::open(temp.path()).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer
        .pragma_update(None, "user_version", schema::VERSION + 1)
        .unwrap();
    drop(newer);
    for message in refused() {
        assert!(message.contains("it is of version 2"), "{message}");
    }
}

#[test]
fn an_empty_database_gets_the_tables_of_today() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join(FILE_NAME), "").unwrap();
    assert!(History::look(temp.path()).unwrap().is_none());
    let history = History::open(temp.path()).unwrap();
    assert_eq!(history.version().unwrap(), schema::VERSION);
    assert_eq!(history.jobs().unwrap(), [""; 0]);
}

#[test]
fn two_that_begin_at_once_make_one_history() {
    let temp = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for job in ["one", "two", "three", "four"] {
            scope.spawn(|| {
                let mut history = History::open(temp.path()).unwrap();
                past(&mut history, job, RunState::Finished, 1, 1);
            });
        }
    });
    let history = History::look(temp.path()).unwrap().unwrap();
    assert_eq!(history.jobs().unwrap(), ["four", "one", "three", "two"]);
}
