//! The server as a service: who is let in, what it refuses, and what it remembers.

mod api_support;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use api_support::pipe::Pipe;
use api_support::{Server, gunzip, new_token, relexport, wait_until};
use serde_json::{Value, json};
use support::{copy_block, dump, edit_rows, expected};

const STATUS: &str = "/api/v4/groups/acme%2Fplatform/export_relations/status";
const START: &str = "/api/v4/groups/acme%2Fplatform/export_relations";

#[test]
fn tokens_open_what_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let all = new_token(&file, &["--name", "ops"]);
    let platform = new_token(&file, &["--groups", "acme/platform"]);
    let reader = new_token(&file, &["--read-only", "--groups", "4350,7001"]);
    let expired = new_token(&file, &["--expires", "2020-01-01"]);
    let revoked = new_token(&file, &[]);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{} revoked\n", text.trim_end())).unwrap();
    let server = Server::start(
        &folder.path().join("data"),
        &["--token-file", file.to_str().unwrap()],
    );

    let unknown = json!({"message": "401 Unauthorized"});
    let hidden = json!({"message": "404 Group Not Found"});
    let never_exported = json!([]);
    let accepted = json!({"message": "202 Accepted"});
    let too_little = json!({
        "error": "insufficient_scope",
        "error_description": "The request requires higher privileges than provided by the access token.",
        "scope": "api",
    });
    let was_expired = json!({
        "error": "invalid_token",
        "error_description": "Token is expired. You can either do re-authorization or token refresh.",
    });
    let was_revoked = json!({
        "error": "invalid_token",
        "error_description": "Token was revoked. You have to re-authorize from the user.",
    });
    let core = "/api/v4/groups/4352/export_relations/status";
    let acme = "/api/v4/groups/4350/export_relations/status";
    let version = "/api/v4/version";
    let cases = [
        ("", "GET", STATUS, 404, Some(&hidden)),
        ("", "POST", START, 404, Some(&hidden)),
        ("", "GET", version, 401, Some(&unknown)),
        ("", "GET", "/api/v4/metadata", 401, Some(&unknown)),
        (
            "",
            "GET",
            "/api/v4/personal_access_tokens/self",
            401,
            Some(&unknown),
        ),
        ("", "GET", "/api/v4/groups", 401, Some(&unknown)),
        ("", "GET", "/-/relexport/groups", 401, Some(&unknown)),
        ("", "GET", "/-/relexport/groups/4351", 404, Some(&hidden)),
        ("", "GET", "/-/health", 200, None),
        ("wrong", "GET", STATUS, 401, Some(&unknown)),
        ("wrong", "GET", version, 401, Some(&unknown)),
        (&expired, "GET", STATUS, 401, Some(&was_expired)),
        (&revoked, "GET", STATUS, 401, Some(&was_revoked)),
        (&all, "GET", STATUS, 200, Some(&never_exported)),
        (&all, "GET", version, 200, None),
        (&platform, "GET", STATUS, 200, Some(&never_exported)),
        // Subgroups belong to a group, groups above it do not.
        (&platform, "GET", core, 200, Some(&never_exported)),
        (&platform, "GET", acme, 404, Some(&hidden)),
        (&reader, "GET", core, 200, Some(&never_exported)),
        (&reader, "POST", START, 403, Some(&too_little)),
        (&platform, "POST", START, 202, Some(&accepted)),
    ];
    for (token, method, path, status, body) in cases {
        let separator = if path.contains('?') { '&' } else { '?' };
        let bearer = format!("Bearer {token}");
        let ways: [(String, Vec<(&str, &str)>); 3] = [
            (path.to_owned(), vec![("PRIVATE-TOKEN", token)]),
            (path.to_owned(), vec![("Authorization", &bearer)]),
            (format!("{path}{separator}private_token={token}"), vec![]),
        ];
        for (path, headers) in ways {
            let answer = server.request(method, &path, &headers, b"");
            assert_eq!(
                answer.status, status,
                "{method} {path} {headers:?}: {answer:?}"
            );
            if let Some(body) = body {
                assert_eq!(answer.json(), *body, "{method} {path}");
            }
        }
    }

    let list = |token: &str, path: &str| -> Vec<Value> {
        let answer = server.request("GET", path, &[("PRIVATE-TOKEN", token)], b"");
        let rows = answer.json().as_array().unwrap().clone();
        rows.into_iter().map(|row| row["id"].clone()).collect()
    };
    assert_eq!(
        list(&all, "/api/v4/groups?order_by=id"),
        [4350, 4351, 4352, 7001]
    );
    assert_eq!(list(&platform, "/api/v4/groups?order_by=id"), [4351, 4352]);
    assert_eq!(list(&platform, "/-/relexport/groups"), [4351]);
    assert_eq!(list(&all, "/-/relexport/groups"), [4350, 7001]);
    let scopes = |token: &str| {
        let path = format!("/api/v4/personal_access_tokens/self?private_token={token}");
        server.get(&path).json()["scopes"].clone()
    };
    assert_eq!(scopes(&all), json!(["api"]));
    assert_eq!(scopes(&reader), json!(["read_api"]));

    // The query goes before the header, and what is empty counts as nothing.
    let path = format!("{version}?private_token=wrong");
    assert_eq!(
        server
            .request("GET", &path, &[("PRIVATE-TOKEN", &all)], b"")
            .status,
        401
    );
    let path = format!("{version}?private_token=");
    assert_eq!(
        server
            .request("GET", &path, &[("PRIVATE-TOKEN", &all)], b"")
            .status,
        200
    );

    let log = server.log();
    for secret in [&all, &platform, &reader, &expired, &revoked] {
        assert!(!log.contains(secret.as_str()), "a token is in the log");
    }

    // A line that is taken out is out at once; the server looks every second.
    fs::write(&file, "").unwrap();
    wait_until("the token is gone", || {
        server
            .request("GET", version, &[("PRIVATE-TOKEN", &all)], b"")
            .status
            == 401
    });
}

#[test]
fn a_server_that_cannot_be_right_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let backup = api_support::backup();
    let backup = backup.to_str().unwrap();
    let bad = folder.path().join("bad");
    fs::write(&bad, "no token\n").unwrap();
    let bad = bad.to_str().unwrap();
    // Ends before the tables that say who the groups are.
    let cut = folder.path().join("cut.sql");
    let whole = dump();
    fs::write(&cut, &whole[..whole.find("COPY public.notes").unwrap()]).unwrap();
    let cut = cut.to_str().unwrap();
    let cases: [(&[&str], i32, &str); 11] = [
        (
            &["-s", backup, "--listen", "0.0.0.0:0"],
            2,
            "without tokens",
        ),
        (
            &["-s", backup, "--token-file", "/nowhere/tokens"],
            2,
            "/nowhere/tokens",
        ),
        (&["-s", backup, "--token-file", bad], 2, "64 hex digits"),
        (&["-s", "-"], 2, "read once for every export"),
        (
            &["-s", "postgresql://u:geheim@db/gitlab"],
            2,
            "read once for every export",
        ),
        (&["-s", "/nowhere"], 3, "/nowhere"),
        (&["-s", cut, "--listen", "127.0.0.1:0"], 3, "ends early"),
        (
            &["-s", backup, "--tls-cert", bad, "--tls-key", bad],
            2,
            "a certificate",
        ),
        (&["-s", backup, "--tls-cert", bad], 2, "--tls-key"),
        (&["-s", backup, "--gitlab-version", "new"], 2, "17.8.1-ee"),
        (
            &["-s", backup, "--relative-url-root", "/a/{b}"],
            2,
            "relative-url-root",
        ),
    ];
    for (args, code, says) in cases {
        let output = relexport(&[&["serve", "--data", data], args].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
        assert!(
            !stderr.contains("geheim") && !stderr.contains("panicked"),
            "{stderr}"
        );
    }
    let server = Server::start(&folder.path().join("data"), &[]);
    let address = server.address.to_string();
    let output = relexport(&["serve", "--data", data, "-s", backup]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr.contains("in use by another server"), "{stderr}");
    let other = folder.path().join("other");
    let output = relexport(&[
        "serve",
        "--data",
        other.to_str().unwrap(),
        "-s",
        backup,
        "--listen",
        &address,
    ]);
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn hostile_requests_get_a_4xx() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    server.export(4351, "");
    let download = "/api/v4/groups/4351/export_relations/download?relation=";
    let long = "a".repeat(100_000);
    let cases = [
        ("GET", "/../../../../etc/passwd".to_owned(), 404),
        ("GET", "/api/v4/groups/../../../etc/passwd".to_owned(), 404),
        (
            "GET",
            "/api/v4/groups/..%2F..%2Fetc%2Fpasswd".to_owned(),
            404,
        ),
        (
            "GET",
            "/api/v4/groups/..%2F..%2Fetc/export_relations/status".to_owned(),
            404,
        ),
        (
            "GET",
            "/api/v4/groups/acme%00/export_relations/status".to_owned(),
            404,
        ),
        (
            "GET",
            "/api/v4/groups/%FF%FE/export_relations/status".to_owned(),
            400,
        ),
        (
            "GET",
            "/api/v4/groups/acme/platform/export_relations/status".to_owned(),
            404,
        ),
        (
            "GET",
            "/api/v4/groups//export_relations/status".to_owned(),
            404,
        ),
        (
            "GET",
            "/api/v4/groups/4351%3B%20drop%20table/export_relations/status".to_owned(),
            404,
        ),
        ("GET", format!("{download}..%2F..%2F..%2Frequest.json"), 404),
        ("GET", format!("{download}../../../../etc/passwd"), 404),
        ("GET", format!("{download}labels%00"), 400),
        ("GET", format!("{download}%FF"), 400),
        ("GET", format!("{download}labels.ndjson.gz"), 404),
        ("GET", format!("{download}%2Fetc%2Fpasswd"), 404),
        (
            "GET",
            format!("{download}labels&batched=true&batch_number=..%2F1"),
            400,
        ),
        (
            "GET",
            format!(
                "/api/v4/groups/{}/export_relations/status",
                "a".repeat(20_000)
            ),
            404,
        ),
        ("GET", format!("/{long}"), 414),
        ("GET", format!("{download}{long}"), 414),
        ("BREW", STATUS.to_owned(), 405),
        ("PUT", START.to_owned(), 405),
        ("TRACE", STATUS.to_owned(), 405),
        ("CONNECT", STATUS.to_owned(), 405),
        ("GET", "/api/v4/groups?page=0".to_owned(), 400),
        ("GET", "/api/v4/groups?page=-1".to_owned(), 400),
        ("GET", "/api/v4/groups?per_page=x".to_owned(), 400),
        ("GET", "/api/v4/groups?order_by=password".to_owned(), 400),
        (
            "GET",
            "/api/v4/groups?page=99999999999999999999".to_owned(),
            200,
        ),
    ];
    for (method, path, status) in cases {
        let shown: String = path.chars().take(80).collect();
        let answer = server.request(method, &path, &[], b"");
        // Below 500 it may be another refusal than ours, of the HTTP library.
        let is_expected = match status {
            414 => matches!(answer.status, 414 | 431),
            status => answer.status == status,
        };
        assert!(is_expected, "{method} {shown}: {answer:?}");
        assert!(
            !answer.body.windows(5).any(|bytes| bytes == b"root:"),
            "{shown}"
        );
    }

    let json = ("Content-Type", "application/json");
    let bodies: [(&[(&str, &str)], Vec<u8>, u16); 8] = [
        (&[json], b"{\"batched\":".to_vec(), 400),
        (&[json], b"\"\xff\"".to_vec(), 400),
        (&[json], b"[1]".to_vec(), 202),
        (&[json], br#"{"batched":{}}"#.to_vec(), 400),
        (&[json], br#"{"batched":[true]}"#.to_vec(), 400),
        (&[("Content-Type", "text/xml")], b"<a/>".to_vec(), 415),
        (&[json], vec![b' '; 1 << 20], 413),
        (&[], b"batched=true&%zz=%00".to_vec(), 400),
    ];
    for (headers, body, status) in bodies {
        let answer = server.request("POST", START, headers, &body);
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
    }

    // 10 MB of headers, in one and in many.
    let host = format!("Host: {}\r\n", server.address);
    let one = format!(
        "GET {STATUS} HTTP/1.1\r\n{host}X: {}\r\n\r\n",
        "x".repeat(10 << 20)
    );
    let many = format!(
        "GET {STATUS} HTTP/1.1\r\n{host}{}\r\n",
        "X: y\r\n".repeat(1 << 20)
    );
    for request in [one, many] {
        if let Some(answer) = server.raw(request.as_bytes()) {
            assert_eq!(answer.status, 431);
        }
    }
    let malformed: [&[u8]; 7] = [
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for request in malformed {
        let shown = String::from_utf8_lossy(request);
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(request).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let status = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || status.starts_with("HTTP/1.1 4"),
            "{shown:?}: {status}"
        );
    }
    // Without tokens, a name that somebody may have pointed here is not answered to, nor a foreign page.
    let rebound = b"GET /api/v4/groups HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(server.raw(rebound).unwrap().status, 403);
    let foreign = server.request("POST", START, &[("Origin", "http://evil.example")], b"");
    assert_eq!(
        (foreign.status, foreign.json()),
        (403, json!({"message": "403 Forbidden"}))
    );
    // After all of that it is well.
    assert_eq!(server.get(STATUS).status, 200);
}

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
    pipe.feed(dump);
    server.wait_for_export(4352);
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

#[test]
fn tls_is_served_with_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            &key,
            "-out",
            &cert,
        ])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let options = ["--tls-cert", &cert, "--tls-key", &key];
    let server = Server::unready(
        &api_support::backup(),
        &folder.path().join("data"),
        &options,
    );
    let url = format!("https://{}/-/readiness", server.address);
    wait_until("it answers over TLS", || {
        let curl = Command::new("curl")
            .args(["-sf", "--cacert", &cert, &url])
            .output()
            .unwrap();
        curl.status.success() && curl.stdout.starts_with(b"{")
    });
    // Who speaks plain HTTP to it gets nothing, and holds nobody up.
    let mut plain = TcpStream::connect(server.address).unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    let curl = Command::new("curl")
        .args(["-sf", "--cacert", &cert, &url])
        .status()
        .unwrap();
    assert!(curl.success());
}
