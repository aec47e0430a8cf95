//! What the server does over time: exports that replace others, a queue, a crash, an orderly end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::support::api::Server;
use crate::support::api::pipe::{Feed, Pipe};
use crate::support::{
    BACKUP, copy_block, dump, edit_rows, expected, gunzip, relexport, wait_until,
};
use serde_json::{Value, json};

const STATUS: &str = "/api/v4/groups/acme%2Fplatform/export_relations/status";
const START: &str = "/api/v4/groups/acme%2Fplatform/export_relations";

/// The fixture with so many notes of random letters that a download does not fit into the buffers of a connection.
fn large_dump() -> String {
    let dump = dump();
    let head = copy_block(&dump, "notes").lines().next().unwrap();
    let columns: Vec<&str> = head.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    let mut state = 1u64;
    let mut letters = || -> String {
        (0..1000)
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                char::from(b'0' + (state >> 58) as u8)
            })
            .map(|letter| if letter == '\\' { 'x' } else { letter })
            .collect()
    };
    edit_rows(&dump, "notes", |rows| {
        let mut rows = rows.to_owned();
        for number in 0..6_000 {
            let fields: Vec<String> = columns
                .iter()
                .map(|column| match *column {
                    "id" => (500_000 + number).to_string(),
                    "note" => letters(),
                    "noteable_type" => "Epic".to_owned(),
                    "noteable_id" => "21".to_owned(),
                    "system" | "internal" => "f".to_owned(),
                    "imported_from" => "0".to_owned(),
                    _ => "\\N".to_owned(),
                })
                .collect();
            rows.push_str(&fields.join("\t"));
            rows.push('\n');
        }
        rows
    })
}

#[test]
fn a_new_export_harms_no_download_and_no_client_holds_up_others() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("large.sql");
    fs::write(&snapshot, large_dump()).unwrap();
    let server = Server::of(
        &snapshot,
        &folder.path().join("data"),
        &["--prefetch", "entity"],
    );
    server.export(4351, "");
    let path = "/api/v4/groups/4351/export_relations/download?relation=epics";
    let whole = server.get(path);
    assert!(whole.body.len() > 4 << 20, "{}", whole.body.len());
    let content = gunzip(&whole.body);

    // A client that has begun to read and then rests.
    let mut slow = TcpStream::connect(server.address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    slow.write_all(request.as_bytes()).unwrap();
    let mut received = vec![0; 1000];
    slow.read_exact(&mut received).unwrap();

    // Once more, and again before that is done: the second takes the place of the first.
    assert_eq!(server.post(&format!("{START}?batched=true")).status, 202);
    let mut downloads = 0;
    let mut restarted = false;
    wait_until("the new export is there", || {
        let status = server.get(&format!("{STATUS}?relation=epics")).json();
        let running = server.get("/-/relexport/groups/4351").json()["state"] == "running";
        if running && !restarted {
            assert_eq!(status["batched"], true);
            // The first one would do.
            let anew = "/-/relexport/groups/4351/export?anew=true";
            assert_eq!(server.post(anew).status, 202);
            restarted = true;
        }
        // Whatever goes on, what was complete stays to be had until there is a newer one.
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(gunzip(&answer.body), content);
        downloads += 1;
        restarted && server.get("/-/relexport/groups/4351").json()["state"] == "finished"
    });
    assert!(downloads > 1);
    let row = server.get(&format!("{STATUS}?relation=epics")).json();
    assert_eq!(
        (&row["batched"], &row["status"]),
        (&json!(false), &json!(1))
    );

    // The slow client gets the rest of the file that it began with, though another one is in its place.
    slow.read_to_end(&mut received).unwrap();
    let body = received
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert_eq!(received[body..], whole.body);
    // What nobody needs any more is gone.
    wait_until("one export is left", || {
        exports(&folder.path().join("data")) == 1
    });
}

/// How many exports lie in a data folder.
fn exports(data: &Path) -> usize {
    let served = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let served = served.filter(|path| path.is_dir());
    served
        .map(|path| fs::read_dir(path.join("exports")).unwrap().count())
        .sum()
}

#[test]
fn a_killed_server_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("pipe");
    let pipe = Pipe::new(&snapshot);
    let data = folder.path().join("data");
    let dump = dump();
    let dump = dump.as_bytes();
    let server = Server::unready(&snapshot, &data, &[]);
    // As long as the groups are not known, clients are asked to come again.
    let answer = server.get(STATUS);
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("5"))
    );
    assert_eq!(server.get("/-/readiness").status, 503);
    assert_eq!(server.get("/-/health").status, 200);
    pipe.feed(dump);
    wait_until("the groups are known", || {
        server.get("/-/readiness").status == 200
    });

    let core = "/api/v4/groups/4352/export_relations";
    assert_eq!(server.post(core).status, 202);
    pipe.feed(dump);
    server.wait_for_export(4352);

    assert_eq!(server.post(&format!("{START}?batched=true")).status, 202);
    let mut feed = pipe.open();
    feed.give(&dump[..dump.len() / 2]);
    wait_until("it runs", || {
        server.get("/-/relexport/groups/4351").json()["state"] == "running"
    });
    let rows = server.status(4351);
    assert!(rows.iter().all(|row| row["status"] == 0), "{rows:?}");
    server.kill();
    drop(feed);

    // The groups are in the data folder, so that the pipe is not needed for them.
    let server = Server::of(&snapshot, &data, &[]);
    let rows = server.status(4351);
    assert_eq!(rows.len(), 13);
    for row in &rows {
        assert_eq!(row["status"], 0, "{row}");
    }
    assert_eq!(
        server.download(4352, "relation=labels"),
        expected(4352, "labels")
    );
    pipe.feed(dump);
    for row in server.wait_for_export(4351) {
        assert_eq!(row["status"], 1, "{row}");
    }
    let content = server.download(4351, "relation=labels&batched=true&batch_number=1");
    assert_eq!(content, expected(4351, "labels"));

    // An orderly end loses nothing either.
    let anew = "/-/relexport/groups/4352/export?anew=true";
    assert_eq!(server.post(anew).status, 202);
    let mut feed = pipe.open();
    feed.give(&dump[..dump.len() / 2]);
    wait_until("it runs", || {
        server.get("/-/relexport/groups/4352").json()["state"] == "running"
    });
    assert_eq!(server.end(), Some(0));
    drop(feed);
    let server = Server::of(&snapshot, &data, &[]);
    // The older export of the group is there until the new one is.
    assert_eq!(
        server.download(4352, "relation=labels"),
        expected(4352, "labels")
    );
    let older_files = || server.get("/-/relexport/groups/4352").json()["older_files"].clone();
    let older = older_files();
    let older = older.as_array().unwrap();
    assert!(older.contains(&"labels".into()) && older.contains(&"self".into()));
    pipe.feed(dump);
    server.wait_for_export(4352);
    assert_eq!(older_files(), serde_json::json!([]));
    assert_eq!(
        server.download(4352, "relation=labels"),
        expected(4352, "labels")
    );
}

#[test]
fn the_queue_is_bounded_and_groups_that_wait_share_a_read() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("pipe");
    let pipe = Pipe::new(&snapshot);
    let dump = dump();
    let dump = dump.as_bytes();
    let server = Server::unready(
        &snapshot,
        &folder.path().join("data"),
        &["--queue", "2", "--prefetch", "entity"],
    );
    pipe.feed(dump);
    wait_until("the groups are known", || {
        server.get("/-/readiness").status == 200
    });
    let post = |group: i64| server.post(&format!("/api/v4/groups/{group}/export_relations"));
    let state = |group: i64| server.get(&format!("/-/relexport/groups/{group}")).json();
    assert_eq!(post(7001).status, 202);
    let feed = pipe.open();
    wait_until("it runs", || state(7001)["state"] == "running");
    assert_eq!(post(4351).status, 202);
    assert_eq!(post(4352).status, 202);
    assert_eq!(state(4351)["state"], "waiting");
    assert_eq!(state(4351)["groups_before"], 0);
    let full = post(4350);
    assert_eq!((full.status, full.header("retry-after")), (429, Some("30")));
    assert!(
        full.json()["message"]
            .as_str()
            .unwrap()
            .starts_with("429 Too Many Requests")
    );
    // Who waits already may ask again.
    assert_eq!(post(4352).status, 202);
    let metrics = server.get("/-/metrics").text().to_owned();
    assert!(
        metrics.contains("relexport_groups{state=\"waiting\"} 2\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("relexport_groups{state=\"running\"} 1\n"),
        "{metrics}"
    );
    // The snapshot breaks off.
    drop(feed);
    let rows = server.wait_for_export(7001);
    for row in &rows {
        assert_eq!(row["status"], -1, "{row}");
        let error = row["error"].as_str().unwrap();
        assert!(
            !error.is_empty() && !error.contains(folder.path().to_str().unwrap()),
            "{error}"
        );
    }
    let missing = server.get("/api/v4/groups/7001/export_relations/download?relation=labels");
    assert_eq!(
        (missing.status, missing.json()),
        (404, json!({"message": "Export file not found"}))
    );
    // One read for both that waited.
    pipe.feed(dump);
    for group in [4351, 4352] {
        for row in server.wait_for_export(group) {
            assert_eq!(row["status"], 1, "{group} {row}");
        }
        assert_eq!(
            server.download(group, "relation=epics"),
            expected(group, "epics")
        );
    }
    let metrics = server.get("/-/metrics").text().to_owned();
    assert!(
        metrics.contains("relexport_exports_total{state=\"finished\"} 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("relexport_exports_total{state=\"failed\"} 1\n"),
        "{metrics}"
    );
    assert!(metrics.ends_with("# EOF\n"));
}

#[test]
fn an_export_that_is_taken_back_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("pipe");
    let pipe = Pipe::new(&snapshot);
    let data = folder.path().join("data");
    let dump = dump();
    let dump = dump.as_bytes();
    let server = Server::unready(&snapshot, &data, &["--queue", "3", "--prefetch", "entity"]);
    pipe.feed(dump);
    wait_until("the groups are known", || {
        server.get("/-/readiness").status == 200
    });
    let address = |group: i64| format!("/-/relexport/groups/{group}");
    let state = |group: i64| server.get(&address(group)).json()["state"].clone();
    let ask = |method: &str, group: i64, query: &str| {
        let answer = server.request(
            method,
            &format!("{}/export{query}", address(group)),
            &[],
            b"",
        );
        (answer.status, answer.json()["groups"].clone())
    };
    // A reader of the pipe that is late would take what the next one is given.
    let end_feed = |feed: Feed| {
        drop(feed);
        let files = format!("/proc/{}/fd", server.pid());
        wait_until("nobody reads any more", || {
            let mut files = fs::read_dir(&files).unwrap();
            !files.any(|file| fs::read_link(file.unwrap().path()).is_ok_and(|to| to == snapshot))
        });
    };
    let nothing = (404, Value::Null);
    assert_eq!(ask("DELETE", 4350, "?subgroups=true"), nothing);

    // What waits does not begin, and what runs ends.
    assert_eq!(ask("POST", 7001, ""), (202, json!(1)));
    let mut feed = pipe.open();
    feed.give(&dump[..dump.len() / 2]);
    wait_until("it runs", || state(7001) == "running");
    assert_eq!(ask("POST", 4350, "?subgroups=true"), (202, json!(3)));
    assert_eq!(state(4352), "waiting");
    assert_eq!(server.get(&address(4350)).json()["subgroups_under_way"], 2);
    assert_eq!(ask("DELETE", 4351, ""), (200, json!(1)));
    assert_eq!((state(4351), state(4352)), (Value::Null, json!("waiting")));
    assert_eq!(server.status(4351), Vec::<Value>::new());
    // A form counts here, too.
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let path = format!("{}/export", address(4350));
    let answer = server.request("DELETE", &path, &[form], b"subgroups=true");
    assert_eq!((answer.status, &answer.json()["groups"]), (200, &json!(2)));
    assert_eq!((state(4350), state(4352)), (Value::Null, Value::Null));
    assert_eq!(state(7001), "running");
    assert_eq!(ask("DELETE", 7001, ""), (200, json!(1)));
    assert_eq!(ask("DELETE", 7001, ""), nothing);
    assert_eq!(state(7001), Value::Null);
    wait_until("nothing is left", || exports(&data) == 0);
    end_feed(feed);

    // A run goes on for those who are not taken out of it.
    assert_eq!(ask("POST", 4350, "?subgroups=true"), (202, json!(3)));
    let mut feed = pipe.open();
    feed.give(&dump[..dump.len() / 2]);
    wait_until("it runs", || state(4350) == "running");
    assert_eq!(ask("DELETE", 4352, ""), (200, json!(1)));
    feed.give(&dump[dump.len() / 2..]);
    end_feed(feed);
    server.wait_for_export(4350);
    assert_eq!((state(4350), state(4352)), (json!("finished"), Value::Null));
    assert_eq!(
        server.download(4350, "relation=labels"),
        expected(4350, "labels")
    );
    assert_eq!(
        server
            .get("/api/v4/groups/4352/export_relations/status")
            .json(),
        json!([])
    );

    // What was complete before is there again.
    assert_eq!(ask("POST", 4350, "?batched=true"), (202, json!(1)));
    let mut feed = pipe.open();
    feed.give(&dump[..dump.len() / 2]);
    wait_until("it runs", || state(4350) == "running");
    assert_eq!(ask("DELETE", 4350, "?subgroups=true"), (200, json!(1)));
    assert_eq!(state(4350), "finished");
    assert_eq!(
        server.download(4350, "relation=labels"),
        expected(4350, "labels")
    );
    wait_until("the second one is gone", || exports(&data) == 1);
    end_feed(feed);

    // What is taken back stays so after a crash.
    assert_eq!(
        ask("POST", 4351, "?subgroups=true&batched=true"),
        (202, json!(2))
    );
    let mut feed = pipe.open();
    feed.give(&dump[..dump.len() / 2]);
    wait_until("it runs", || state(4351) == "running");
    assert_eq!(ask("DELETE", 4351, ""), (200, json!(1)));
    server.kill();
    drop(feed);
    let server = Server::of(&snapshot, &data, &[]);
    pipe.feed(dump);
    server.wait_for_export(4352);
    let batch = "relation=labels&batched=true&batch_number=1";
    assert_eq!(server.download(4352, batch), expected(4352, "labels"));
    let platform = server.get(&address(4351)).json();
    assert_eq!(
        (&platform["state"], &platform["batched"]),
        (&json!("finished"), &json!(false))
    );
    for group in [4350, 4351] {
        assert_eq!(
            server.download(group, "relation=labels"),
            expected(group, "labels")
        );
    }
}

/// A server whose snapshot comes through a pipe, ready, with its pipe and what goes through it.
fn piped(folder: &Path, options: &[&str]) -> (Server, Pipe, String) {
    let snapshot = folder.join("pipe");
    let pipe = Pipe::new(&snapshot);
    let dump = dump();
    let server = Server::unready(&snapshot, &folder.join("data"), options);
    pipe.feed(dump.as_bytes());
    wait_until("the groups are known", || {
        server.get("/-/readiness").status == 200
    });
    (server, pipe, dump)
}

pub(super) fn state(server: &Server, group: i64) -> Value {
    server.get(&format!("/-/relexport/groups/{group}")).json()["state"].clone()
}

#[test]
fn a_tree_that_has_no_room_waits_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (server, pipe, dump) = piped(folder.path(), &["--queue", "1", "--prefetch", "entity"]);
    let tree = "/-/relexport/groups/acme/export?subgroups=true";
    let answer = server.post("/-/relexport/groups/acme/export?subgroups=maybe");
    assert_eq!(
        (answer.status, answer.json()),
        (400, json!({"error": "subgroups is invalid"}))
    );
    // It runs, and another group waits.
    assert_eq!(server.post(START).status, 202);
    let mut feed = pipe.open();
    wait_until("it runs", || state(&server, 4351) == "running");
    let other = "/-/relexport/groups/umbrella/export";
    assert_eq!(server.post(other).status, 202);
    let answer = server.post(tree);
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("30"))
    );
    assert_eq!(state(&server, 4350), Value::Null);
    assert_eq!(server.status(4352), Vec::<Value>::new());
    // It needs the room of one, however many groups are in it.
    assert_eq!(server.request("DELETE", other, &[], b"").status, 200);
    assert_eq!(server.post(tree).status, 202);
    assert_eq!(server.post(other).status, 429);
    assert_eq!(state(&server, 4352), "waiting");
    feed.give(dump.as_bytes());
}

#[test]
fn what_ends_while_its_group_waits_again_can_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let (server, pipe, dump) = piped(folder.path(), &[]);
    let (first, second) = dump.as_bytes().split_at(dump.len() / 2);
    let core = "/-/relexport/groups/4352/export?anew=true";
    let post = |path: &str| assert_eq!(server.post(path).status, 202, "{path}");
    let labels = |group: i64| {
        let path = format!("/api/v4/groups/{group}/export_relations/download?relation=labels");
        let answer = server.get(&path);
        (answer.status == 200).then(|| gunzip(&answer.body))
    };
    post("/-/relexport/groups/4351/export?subgroups=true");
    let mut feed = pipe.open();
    feed.give(first);
    wait_until("it runs", || state(&server, 4352) == "running");
    post(core);
    assert_eq!(state(&server, 4352), "waiting");
    feed.give(second);
    drop(feed);
    server.wait_for_export(4351);
    assert_eq!(labels(4352), Some(expected(4352, "labels")));
    pipe.feed(dump.as_bytes());
    server.wait_for_export(4352);
}

#[test]
fn what_is_taken_back_while_an_older_read_goes_on_for_others_stays_away() {
    for is_killed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (server, pipe, dump) = piped(folder.path(), &[]);
        let (first, second) = dump.as_bytes().split_at(dump.len() / 2);
        let core = "/-/relexport/groups/4352/export?anew=true";
        let tree = server.post("/-/relexport/groups/4351/export?subgroups=true");
        assert_eq!(tree.status, 202);
        let mut feed = pipe.open();
        feed.give(first);
        wait_until("it runs", || state(&server, 4352) == "running");
        assert_eq!(server.post(core).status, 202);
        let answer = server.request("DELETE", core, &[], b"");
        assert_eq!((answer.status, &answer.json()["groups"]), (200, &json!(1)));
        assert_eq!(state(&server, 4352), Value::Null);
        let server = match is_killed {
            false => {
                feed.give(second);
                drop(feed);
                server
            }
            true => {
                server.kill();
                drop(feed);
                let snapshot = folder.path().join("pipe");
                let server = Server::of(&snapshot, &folder.path().join("data"), &[]);
                pipe.feed(dump.as_bytes());
                server
            }
        };
        server.wait_for_export(4351);
        assert_eq!(state(&server, 4351), "finished");
        assert_eq!(state(&server, 4352), Value::Null, "{is_killed}");
    }
}

#[test]
fn a_server_whose_log_cannot_be_written_answers() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago: what the server prints goes nowhere.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut server = relexport(&format!("serve -vv --listen {address} --snapshot {BACKUP}"))
        .option("--data", folder.path().join("data"))
        .stderr(full)
        .start();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    server.wait_until("the server is ready", || {
        get("/-/readiness").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    });
    let group = get("/api/v4/groups/4351").unwrap();
    server.kill();
    assert!(
        group.starts_with("HTTP/1.1 200") && group.contains("acme/platform"),
        "{group}"
    );
}
