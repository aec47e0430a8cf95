//! A group's family in one read: what its first request exports, and what answers the later ones.

use std::fs;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use crate::support::api::Server;
use crate::support::api::pipe::Pipe;
use crate::support::{PROJECTS, gunzip, project, relexport, wait_until};

/// The entities of the group acme, as paths of the API.
const ACME: [&str; 6] = [
    "groups/50",
    "groups/51",
    "projects/71",
    "projects/72",
    "projects/73",
    "projects/74",
];

fn serve(folder: &Path, options: &[&str]) -> Server {
    Server::of(&project(PROJECTS), &folder.join("data"), options)
}

/// A server whose snapshot comes through a pipe, ready, with its pipe and what goes through it.
fn piped(folder: &Path, options: &[&str]) -> (Server, Pipe, Vec<u8>) {
    let snapshot = folder.join("pipe");
    let pipe = Pipe::new(&snapshot);
    let dump = gunzip(&fs::read(project(PROJECTS)).unwrap());
    let server = Server::unready(&snapshot, &folder.join("data"), options);
    pipe.feed(&dump);
    wait_until("the groups are known", || {
        server.get("/-/readiness").status == 200
    });
    (server, pipe, dump)
}

fn post(server: &Server, entity: &str, query: &str) {
    let answer = server.post(&format!("/api/v4/{entity}/export_relations{query}"));
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({"message": "202 Accepted"})),
        "{entity}"
    );
}

fn overview(server: &Server, entity: &str) -> Value {
    server.get(&format!("/-/relexport/{entity}")).json()
}

fn wait_for(server: &Server, entity: &str) {
    wait_until(&format!("{entity} has ended"), || {
        let state = overview(server, entity)["state"].clone();
        assert_ne!(state, "failed", "{entity}");
        state == "finished"
    });
}

fn status(server: &Server, entity: &str) -> Vec<Value> {
    let answer = server.get(&format!("/api/v4/{entity}/export_relations/status"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().unwrap().clone()
}

/// The numbers of the exports in the data folder.
fn exports(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for served in fs::read_dir(folder.join("data")).unwrap() {
        let served = served.unwrap().path();
        if !served.is_dir() {
            continue;
        }
        for export in fs::read_dir(served.join("exports")).unwrap() {
            found.push(export.unwrap().file_name().into_string().unwrap());
        }
    }
    found.sort();
    found
}

#[test]
fn a_destination_s_requests_for_a_family_cost_one_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &["--batch-size", "2", "--queue", "1"]);
    assert_eq!(status(&server, "projects/71"), Vec::<Value>::new());
    // Many clients at once, in any order.
    thread::scope(|scope| {
        for entity in ACME.iter().rev().chain(&ACME) {
            let server = &server;
            scope.spawn(move || {
                // The queue has room for one, which the family is once its group is asked for.
                wait_until("it is accepted", || {
                    let path = format!("/api/v4/{entity}/export_relations?batched=true");
                    let answer = server.post(&path);
                    assert!(matches!(answer.status, 202 | 429), "{answer:?}");
                    answer.status == 202
                });
            });
        }
    });
    for entity in ACME {
        wait_for(&server, entity);
    }
    let before = exports(folder.path());
    for entity in ACME {
        post(&server, entity, "?batched=true");
        let overview = overview(&server, entity);
        assert_eq!(overview["state"], "finished", "{entity}");
        assert_eq!(overview["batched"], true);
        for row in status(&server, entity) {
            assert_eq!(row["status"], 1, "{entity} {row}");
            let is_list = row["batches"].is_array();
            assert_eq!(row["batched"] == true, is_list, "{entity} {row}");
        }
    }
    assert_eq!(exports(folder.path()), before);
    // Another form is another export.
    post(&server, "projects/72", "");
    wait_for(&server, "projects/72");
    assert_eq!(overview(&server, "projects/72")["batched"], false);
    assert_eq!(overview(&server, "projects/71")["batched"], true);
}

#[test]
fn the_first_request_says_what_all_of_the_family_is_at() {
    let folder = tempfile::tempdir().unwrap();
    let (server, pipe, dump) = piped(folder.path(), &[]);
    // Somebody else's export runs, so that the family waits.
    post(&server, "groups/80", "");
    let other = pipe.open();
    wait_until("it runs", || {
        overview(&server, "groups/80")["state"] == "running"
    });
    assert_eq!(
        overview(&server, "groups/80")["family"],
        json!({"groups": 1, "projects": 1, "waiting": 0, "running": 2, "finished": 0, "failed": 0})
    );
    post(&server, "groups/50", "?batched=true");
    for entity in ACME {
        let rows = status(&server, entity);
        assert!(rows.len() > 10, "{entity}: {rows:?}");
        for row in rows {
            assert_eq!(row["status"], 0, "{entity} {row}");
            assert_eq!(row["batched"] == true, row["batches"].is_array(), "{row}");
        }
        assert_eq!(overview(&server, entity)["state"], "waiting");
    }
    let metrics = server.get("/-/metrics").text().to_owned();
    for line in [
        "relexport_groups{state=\"waiting\"} 2\n",
        "relexport_projects{state=\"waiting\"} 4\n",
        "relexport_groups{state=\"running\"} 1\n",
        "relexport_projects{state=\"running\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
    // What breaks off is told of every one that was in the read.
    drop(other);
    for entity in ["groups/80", "projects/78"] {
        wait_until("it has failed", || {
            overview(&server, entity)["state"] == "failed"
        });
    }
    let mut feed = pipe.open();
    feed.give(&dump[..dump.len() / 2]);
    wait_until("it runs", || {
        overview(&server, "projects/74")["state"] == "running"
    });
    // One is taken back, and the others go on.
    let path = "/-/relexport/projects/73/export";
    let answer = server.request("DELETE", path, &[], b"");
    assert_eq!(
        (answer.status, answer.json()),
        (
            200,
            json!({"message": "200 Cancelled", "groups": 0, "projects": 1})
        )
    );
    let again = server.request("DELETE", path, &[], b"");
    assert_eq!(
        (again.status, again.json()),
        (
            404,
            json!({"message": "404 Not Found: no export of this project waits or runs"})
        )
    );
    assert_eq!(status(&server, "projects/73"), Vec::<Value>::new());
    let acme = overview(&server, "groups/50");
    assert_eq!(acme["projects_under_way"], 3);
    assert_eq!(acme["subgroups_under_way"], 1);
    feed.give(&dump[dump.len() / 2..]);
    drop(feed);
    for entity in ACME.iter().filter(|entity| **entity != "projects/73") {
        wait_for(&server, entity);
    }
    assert_eq!(overview(&server, "projects/73")["state"], Value::Null);
    assert_eq!(
        overview(&server, "groups/50")["family"],
        json!({"groups": 2, "projects": 4, "waiting": 0, "running": 0, "finished": 5, "failed": 0})
    );
    // Whoever asks for what failed gets a new export.
    post(&server, "projects/78", "");
    pipe.feed(&dump);
    wait_for(&server, "projects/78");
    assert_eq!(overview(&server, "groups/80")["state"], "failed");
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_family_goes_on_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (server, pipe, dump) = piped(folder.path(), &[]);
    post(&server, "groups/acme", "?batched=true");
    let mut feed = pipe.open();
    feed.give(&dump[..dump.len() / 2]);
    wait_until("it runs", || {
        overview(&server, "projects/71")["state"] == "running"
    });
    server.kill();
    drop(feed);
    let snapshot = folder.path().join("pipe");
    let server = Server::of(&snapshot, &folder.path().join("data"), &[]);
    for entity in ACME {
        // It was asked for before, so it is answered from what waits.
        post(&server, entity, "?batched=true");
        assert_ne!(overview(&server, entity)["state"], Value::Null);
    }
    assert_eq!(exports(folder.path()), ["1"]);
    pipe.feed(&dump);
    for entity in ACME {
        wait_for(&server, entity);
    }
    assert_eq!(exports(folder.path()), ["1"]);
}

#[test]
fn a_request_of_an_earlier_release_is_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    assert_eq!(server.end(), Some(0));
    let data = folder.path().join("data");
    let served = fs::read_dir(&data).unwrap().map(|it| it.unwrap().path());
    let served: Vec<_> = served.filter(|path| path.is_dir()).collect();
    let run = served[0].join("exports/7");
    fs::create_dir(&run).unwrap();
    let request = r#"{"groups":{"51":"2026-01-01T00:00:00.000Z"},"batched":false,"batch_size":100,"attempts":0}"#;
    fs::write(run.join("request.json"), request).unwrap();
    let server = serve(folder.path(), &[]);
    wait_for(&server, "groups/51");
    assert_eq!(
        overview(&server, "groups/51")["accepted_at"],
        "2026-01-01T00:00:00.000Z"
    );
    assert_eq!(overview(&server, "projects/72")["state"], Value::Null);
    assert_eq!(exports(folder.path()), ["7"]);
}

#[test]
fn what_is_prepared_is_there_before_anyone_asks() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--prepare", "ACME", "--prepare", "80"];
    let server = serve(folder.path(), &options);
    wait_until("both are prepared", || {
        let log = server.log();
        log.contains("group acme is prepared") && log.contains("group umbrella is prepared")
    });
    let before = exports(folder.path());
    assert!(before.len() <= 2, "{before:?}");
    for entity in ACME {
        post(&server, entity, "?batched=true");
        assert_eq!(overview(&server, entity)["state"], "finished");
    }
    assert_eq!(exports(folder.path()), before);
    assert_eq!(server.end(), Some(0));
    // What is there is not made once more.
    let server = serve(folder.path(), &options);
    wait_until("it is told again", || {
        server.log().contains("group umbrella is prepared")
    });
    assert_eq!(exports(folder.path()), before);
    drop(server);
    let unknown = relexport("serve --listen 127.0.0.1:0 --prepare acme/attic")
        .option("--snapshot", project(PROJECTS))
        .option("--data", folder.path().join("data"));
    let message = "cannot prepare group acme/attic: the snapshot does not have it";
    unknown.fails(2, &[message]);
}

#[test]
fn a_server_may_be_told_to_export_what_is_asked_for_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &["--prefetch", "entity"]);
    post(&server, "groups/50", "");
    wait_for(&server, "groups/50");
    for entity in &ACME[1..] {
        assert_eq!(status(&server, entity), Vec::<Value>::new(), "{entity}");
    }
    // All of it can still be asked for in one.
    let tree = server.post("/-/relexport/groups/50/export?subgroups=true");
    assert_eq!(
        (tree.status, tree.json()),
        (
            202,
            json!({"message": "202 Accepted", "groups": 2, "projects": 4, "new": 5})
        )
    );
    for entity in ACME {
        wait_for(&server, entity);
    }
    // And made anew, in which all of it is in one read.
    let anew = server.post("/-/relexport/groups/50/export?subgroups=true&anew=true");
    assert_eq!(anew.json()["new"], 6);
    wait_until("it is one read", || {
        !overview(&server, "groups/50")["archive_with_subgroups"].is_null()
    });
    let whole = overview(&server, "groups/50")["archive_with_subgroups"].clone();
    assert_eq!(
        (&whole["groups"], &whole["projects"]),
        (&json!(2), &json!(4))
    );
    let archive = server.get("/-/relexport/groups/50/archive?subgroups=true");
    fs::write(folder.path().join("all.tar"), &archive.body).unwrap();
    tar::Archive::new(&archive.body[..])
        .unpack(folder.path())
        .unwrap();
    let top = folder.path().join("tree_50_acme");
    relexport("verify").arg(&top).ok();
    assert!(top.join("project_74").exists() && top.join("group_51").exists());
}
