//! What the server does over time: exports that replace others, a queue, a crash, an orderly end; and lists in pages.

mod api_support;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use api_support::pipe::Pipe;
use api_support::{Server, gunzip, wait_until};
use serde_json::json;
use support::{copy_block, dump, edit_rows, expected};

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
fn exports(data: &std::path::Path) -> usize {
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
