//! What the server does over time: exports that replace others, a queue, a crash, an orderly end; and lists in pages.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::api::pipe::{Feed, Pipe};
use crate::support::api::{Answer, Server, new_token};
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
    let server = Server::of(&snapshot, &folder.path().join("data"), &[]);
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
            assert_eq!(server.post(START).status, 202);
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
    assert!(
        rows.iter()
            .all(|row| row["status"] == 0 || row["relation"] == "uploads")
    );
    server.kill();
    drop(feed);

    // The groups are in the data folder, so that the pipe is not needed for them.
    let server = Server::of(&snapshot, &data, &[]);
    let rows = server.status(4351);
    assert_eq!(rows.len(), 13);
    for row in &rows {
        assert_eq!(
            row["status"],
            i32::from(row["relation"] == "uploads"),
            "{row}"
        );
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
    assert_eq!(server.post(core).status, 202);
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
    let server = Server::unready(&snapshot, &folder.path().join("data"), &["--queue", "2"]);
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
    for row in rows.iter().filter(|row| row["relation"] != "uploads") {
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

/// Files of an archive by their names in it, and the name of their folder.
fn unpack(archive: &Answer, folder: &Path) -> (PathBuf, Vec<String>) {
    let length = archive.body.len().to_string();
    assert_eq!(archive.header("content-length"), Some(length.as_str()));
    assert_eq!(archive.header("content-type"), Some("application/x-tar"));
    fs::create_dir_all(folder).unwrap();
    let packed = folder.join("archive.tar");
    fs::write(&packed, &archive.body).unwrap();
    // The system's own tar is the judge.
    let tar = |args: &[&str]| {
        let output = Command::new("tar")
            .current_dir(folder)
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = tar(&["-tf", "archive.tar"]);
    tar(&["-xf", "archive.tar"]);
    let (top, _) = listed.lines().next().unwrap().split_once('/').unwrap();
    let inner = listed
        .lines()
        .map(|line| line.strip_prefix(top).unwrap()[1..].to_owned());
    (folder.join(top), inner.collect())
}

#[test]
fn a_whole_export_can_be_had_as_one_archive() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let token = new_token(&tokens, &["--groups", "acme/platform"]);
    let reader = new_token(&tokens, &["--groups", "acme/platform", "--read-only"]);
    let all = new_token(&tokens, &[]);
    let options = [
        "--token-file",
        tokens.to_str().unwrap(),
        "--batch-size",
        "5",
    ];
    let server = Server::start(&folder.path().join("data"), &options);
    let ask = |method: &str, path: &str, token: &str| {
        server.request(method, path, &[("PRIVATE-TOKEN", token)], b"")
    };
    let one = "/-/relexport/groups/acme%2Fplatform";
    let archive = format!("{one}/archive");
    let tree = format!("{archive}?subgroups=true");
    assert_eq!(ask("GET", &archive, &token).status, 404);
    assert_eq!(ask("POST", &format!("{one}/export"), &reader).status, 403);
    assert_eq!(ask("DELETE", &format!("{one}/export"), &reader).status, 403);
    assert_eq!(server.post(&format!("{one}/export")).status, 404);

    // All groups in one run, of which a token sees its own ones alone.
    let acme = "/-/relexport/groups/acme/export?subgroups=true&batched=true";
    let answer = ask("POST", acme, &all);
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({"message": "202 Accepted", "groups": 3}))
    );
    let overview = || ask("GET", one, &token).json();
    wait_until("the export has ended", || overview()["state"] == "finished");
    assert_eq!(overview()["archive"]["groups"], 1);
    assert_eq!(overview()["archive_with_subgroups"]["groups"], 2);

    for (address, groups, name) in [
        (&archive, &[4351][..], "group_4351_acme_platform"),
        (&tree, &[4351, 4352], "tree_4351_acme_platform"),
    ] {
        let answer = ask("GET", address, &token);
        assert_eq!(answer.status, 200, "{address}");
        let disposition = format!("attachment; filename=\"{name}.tar\"");
        assert_eq!(
            answer.header("content-disposition"),
            Some(disposition.as_str())
        );
        let head = ask("HEAD", address, &token);
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(
            head.header("content-length"),
            answer.header("content-length")
        );
        let (top, listed) = unpack(&answer, &folder.path().join(name));
        assert_eq!(top.file_name().unwrap(), name);
        assert_eq!(listed[..2], ["manifest.json", "metadata.json.gz"]);
        // It is an export folder that holds what it says.
        relexport("verify").arg(&top).ok();
        let manifest: Value =
            serde_json::from_slice(&fs::read(top.join("manifest.json")).unwrap()).unwrap();
        let entities = manifest["entities"].as_array().unwrap();
        let mut ids: Vec<i64> = entities
            .iter()
            .map(|it| it["id"].as_i64().unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, groups);
        let metadata = gunzip(&fs::read(top.join("metadata.json.gz")).unwrap());
        let metadata: Value = serde_json::from_slice(&metadata).unwrap();
        let mapping = metadata["entities_mapping"].as_object().unwrap();
        assert_eq!(mapping.len(), groups.len());
        assert_eq!(mapping["acme/platform"], "group_4351");
        assert_eq!(metadata["export_prefix"], name);
        for group in groups {
            let labels = top.join(format!("group_{group}/labels"));
            let count = fs::read_dir(&labels).unwrap().count();
            let content = (1..=count).flat_map(|number| {
                gunzip(&fs::read(labels.join(format!("batch_{number}.ndjson.gz"))).unwrap())
            });
            assert_eq!(content.collect::<Vec<u8>>(), expected(*group, "labels"));
        }
    }

    // A newer export of one group is another read: its archive is there, one of the whole tree is not.
    let answer = ask("POST", &format!("{one}/export"), &token);
    assert_eq!(answer.json()["groups"], 1);
    wait_until("the export has ended", || {
        let overview = overview();
        overview["state"] == "finished" && overview["batched"] == false
    });
    assert_eq!(overview()["archive_with_subgroups"], Value::Null);
    assert_eq!(ask("GET", &tree, &token).status, 404);
    let (top, listed) = unpack(&ask("GET", &archive, &token), &folder.path().join("newer"));
    assert!(listed.contains(&"group_4351/labels.ndjson.gz".to_owned()));
    relexport("verify").arg(&top).ok();
}

#[test]
fn an_export_that_is_taken_back_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("pipe");
    let pipe = Pipe::new(&snapshot);
    let data = folder.path().join("data");
    let dump = dump();
    let dump = dump.as_bytes();
    let server = Server::unready(&snapshot, &data, &["--queue", "3"]);
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

fn state(server: &Server, group: i64) -> Value {
    server.get(&format!("/-/relexport/groups/{group}")).json()["state"].clone()
}

#[test]
fn a_tree_that_has_no_room_waits_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (server, pipe, dump) = piped(folder.path(), &["--queue", "2"]);
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
    // Alone it waits though it is larger than the queue: it could not be exported otherwise.
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
    let core = "/-/relexport/groups/4352/export";
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
        let core = "/-/relexport/groups/4352/export";
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
fn an_archive_knows_nothing_of_the_other_groups_of_its_read() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("damaged.sql");
    let damaged = edit_rows(&dump(), "labels", |rows| {
        let rows = rows.lines().map(|row| match row.starts_with("855\t") {
            true => row.replace("2021-05-04 11:25:20", "no time") + "\n",
            false => format!("{row}\n"),
        });
        rows.collect()
    });
    fs::write(&snapshot, damaged).unwrap();
    let server = Server::of(&snapshot, &folder.path().join("data"), &[]);
    let tree = server.post("/-/relexport/groups/acme/export?subgroups=true");
    assert_eq!(tree.status, 202);
    wait_until("it has ended", || state(&server, 4352) == "failed");
    let overview = server.get("/-/relexport/groups/4350").json();
    assert_eq!(overview["state"], "finished");
    assert_eq!(overview["manifest"]["status"], 1);
    let of_core = server.get("/-/relexport/groups/4352").json();
    assert_eq!(of_core["manifest"]["status"], -1);
    for manifest in [&overview["manifest"], &of_core["manifest"]] {
        assert_eq!(manifest["resume"], Value::Null);
    }
    let archive = server.get("/-/relexport/groups/4350/archive");
    let (top, _) = unpack(&archive, folder.path());
    for command in ["verify", "status"] {
        relexport(command).arg(&top).ok();
    }
    let manifest = fs::read_to_string(top.join("manifest.json")).unwrap();
    assert!(!manifest.contains("4352"), "{manifest}");
}

#[test]
fn a_snapshot_of_a_subgroup_is_listed_and_served() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    relexport(&format!("snapshot take --from {BACKUP} --group 4352"))
        .option("--out", &taken)
        .ok();
    let listed = relexport("groups --json").option("--snapshot", &taken).ok();
    let groups = listed.json();
    assert_eq!(
        groups,
        json!([{"id": 4352, "full_path": "acme/platform/core", "name": "Core", "parent_id": 4351}])
    );
    let told = listed.stderr;
    assert!(told.contains("2 more above these are not listed"), "{told}");

    let server = Server::of(&taken, &folder.path().join("data"), &[]);
    let core = server.get("/api/v4/groups/acme%2Fplatform%2Fcore").json();
    assert_eq!(core["full_name"], "Acme / Plat\tform <&> \"R\\D\" / Core");
    // What holds for it by the groups above: they have no mail.
    assert_eq!(core["emails_disabled"], true);
    let exportable = |group: i64| {
        let overview = server.get(&format!("/-/relexport/groups/{group}")).json();
        overview["group"]["exportable"].clone()
    };
    assert_eq!(
        (exportable(4350), exportable(4352)),
        (json!(false), json!(true))
    );
    for (path, id) in [
        ("/api/v4/groups/4351/export_relations", 4351),
        ("/-/relexport/groups/acme/export", 4350),
        ("/-/relexport/groups/acme/export?subgroups=true", 4350),
    ] {
        let said = format!("404 Not Found: the snapshot was taken without the rows of group {id}");
        let answer = server.post(path);
        assert_eq!(
            (answer.status, answer.json()),
            (404, json!({ "message": said })),
            "{path}"
        );
    }
    assert!(
        server.log().contains("members that these inherit"),
        "{}",
        server.log()
    );
    server.export(4352, "");
    for relation in ["labels", "epics", "self", "user_contributions"] {
        let query = format!("relation={relation}");
        assert_eq!(
            server.download(4352, &query),
            expected(4352, relation),
            "{relation}"
        );
    }
}

#[test]
fn a_taken_group_with_iterations_is_listed_though_their_states_are_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    relexport(&format!("snapshot take --from {BACKUP} --group 4351"))
        .option("--out", &taken)
        .ok();

    let server = Server::of(&taken, &folder.path().join("data"), &[]);
    let listed = server.get("/api/v4/groups");
    assert_eq!(listed.status, 200, "{}", server.log());
    let listed = listed.json();
    assert!(
        listed.as_array().unwrap().iter().any(|it| it["id"] == 4351),
        "{listed}"
    );
    let query = "{group(fullPath: \"acme/platform\") {iterations {nodes {id iid title state}}}}";
    let body = json!({ "query": query }).to_string();
    let answer = server.request("POST", "/api/graphql", &[], body.as_bytes());
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    let nodes = answer["data"]["group"]["iterations"]["nodes"]
        .as_array()
        .unwrap();
    assert!(!nodes.is_empty(), "{answer}");
    assert!(
        nodes.iter().all(|node| node["iid"].is_string()
            && node["title"].is_null()
            && node["state"].is_null())
    );
}

/// The fixture with so many children more below umbrella (7001).
fn with_children(count: usize) -> String {
    let dump = dump();
    let head = copy_block(&dump, "namespaces").lines().next().unwrap();
    let columns: Vec<&str> = head.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    edit_rows(&dump, "namespaces", |rows| {
        let mut rows = rows.to_owned();
        for number in 0..count {
            let fields: Vec<String> = columns
                .iter()
                .map(|column| match column.trim_matches('"') {
                    "id" => (10_000 + number).to_string(),
                    "name" => format!("Child {number:04}"),
                    "path" => format!("child-{number}"),
                    "type" => "Group".to_owned(),
                    "parent_id" => "7001".to_owned(),
                    "traversal_ids" => format!("{{7001,{}}}", 10_000 + number),
                    "created_at" | "updated_at" => "2021-01-01 00:00:00".to_owned(),
                    "visibility_level" => "0".to_owned(),
                    "organization_id" => "1".to_owned(),
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
fn lists_come_in_pages_with_gitlabs_headers() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("many.sql");
    fs::write(&snapshot, with_children(250)).unwrap();
    let options = [
        "--external-url",
        "https://git.example/gitlab",
        "--relative-url-root",
        "gitlab",
    ];
    let server = Server::unready(&snapshot, &folder.path().join("data"), &options);
    wait_until("the server is ready", || {
        server.get("/gitlab/-/readiness").status == 200
    });
    let subgroups = "/gitlab/api/v4/groups/umbrella/subgroups";
    let mut paths = Vec::new();
    // As a destination pages: an empty page first, then what the header says.
    let mut page = String::new();
    loop {
        let answer = server.get(&format!(
            "{subgroups}?page={page}&per_page=100&private_token=x"
        ));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("x-total"), Some("250"));
        assert_eq!(answer.header("x-total-pages"), Some("3"));
        assert_eq!(answer.header("x-per-page"), Some("100"));
        for row in answer.json().as_array().unwrap() {
            paths.push(row["full_path"].as_str().unwrap().to_owned());
        }
        page = answer.header("x-next-page").unwrap().to_owned();
        if page.is_empty() {
            assert_eq!(answer.header("x-prev-page"), Some("2"));
            let link = answer.header("link").unwrap();
            assert!(link.contains("<https://git.example/gitlab/api/v4/groups/umbrella/subgroups?page=2&per_page=100>; rel=\"prev\""), "{link}");
            assert!(
                link.contains("rel=\"last\"") && !link.contains("private_token"),
                "{link}"
            );
            break;
        }
    }
    // A group without a route has its ancestors' paths.
    let expected: Vec<String> = (0..250)
        .map(|number| format!("umbrella/child-{number}"))
        .collect();
    assert_eq!(paths, expected);
    let found = server.get("/gitlab/api/v4/groups/umbrella%2Fchild-7");
    assert_eq!(found.json()["id"], 10_007);
    assert_eq!(
        found.json()["web_url"],
        "https://git.example/gitlab/groups/umbrella/child-7"
    );
    let usual = server.get(subgroups);
    assert_eq!(usual.json().as_array().unwrap().len(), 20);
    assert_eq!(usual.header("x-page"), Some("1"));
    let beyond = server.get(&format!("{subgroups}?page=99"));
    assert_eq!(beyond.json(), json!([]));
    let last = server.get(&format!("{subgroups}?order_by=id&sort=desc&per_page=1"));
    assert_eq!(last.json()[0]["id"], 10_249);
    let search = server.get("/gitlab/api/v4/groups?search=CHILD%20024&order_by=path");
    assert_eq!(search.json().as_array().unwrap().len(), 10);
    let tree = server
        .get("/gitlab/-/relexport/groups?parent_id=7001&per_page=2")
        .json();
    assert_eq!(tree[1]["full_path"], "umbrella/child-1");
    assert_eq!(server.get("/api/v4/groups").status, 404);
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
