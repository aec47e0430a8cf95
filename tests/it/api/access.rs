//! Who is let in, and what is refused.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::api::{Server, new_token};
use crate::support::{BACKUP, dump, edit_rows, project, relexport, wait_until};
use serde_json::{Value, json};

const STATUS: &str = "/api/v4/groups/acme%2Fplatform/export_relations/status";
const START: &str = "/api/v4/groups/acme%2Fplatform/export_relations";

#[test]
fn tokens_open_what_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let all = new_token(&file, &["--name", "ops"]);
    let platform = new_token(&file, &["--groups", "acme/platform"]);
    let reader = new_token(&file, &["--read-only", "--groups", "4350,7001"]);
    let expired = new_token(&file, &[]);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{} expires=2020-01-01\n", text.trim_end())).unwrap();
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

    // Nor does a file that cannot be read let anybody in.
    let status = |token: &str| {
        let headers = [("PRIVATE-TOKEN", token)];
        server.request("GET", version, &headers, b"").status
    };
    let again = new_token(&file, &[]);
    wait_until("the new token is known", || status(&again) == 200);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}no token\n")).unwrap();
    let other = new_token(&file, &[]);
    wait_until("the other token is known", || status(&other) == 200);
    assert_eq!(status(&again), 200);
    fs::remove_file(&file).unwrap();
    wait_until("nobody gets in", || status(&other) == 401);

    // The server takes no notice of a time that is set back.
    let other = new_token(&file, &[]);
    wait_until("it is known", || status(&other) == 200);
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace(|letter: char| letter.is_ascii_digit(), "0"),
    )
    .unwrap();
    let changed = fs::File::options().write(true).open(&file).unwrap();
    changed.set_modified(time).unwrap();
    wait_until("its line is gone", || status(&other) == 401);
}

#[test]
fn a_query_that_unfolds_into_too_many_fields_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    let mut query = "{ ...f0 }".to_owned();
    for at in 0..30 {
        let next = at + 1;
        query.push_str(&format!(
            " fragment f{at} on Query {{ ...f{next} ...f{next} }}"
        ));
    }
    query.push_str(" fragment f30 on Query { __typename }");
    let body = json!({ "query": query }).to_string();
    let answer = server.request("POST", "/api/graphql", &[], body.as_bytes());
    assert_eq!(
        (answer.status, answer.json()),
        (
            200,
            json!({"errors": [{"message": "Query has more than 500 fields"}]})
        )
    );
}

#[test]
fn a_token_that_is_good_for_nothing_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let taken = folder.path().join("taken");
    let taken = taken.to_str().unwrap();
    let backup = project(BACKUP);
    let backup = backup.to_str().unwrap();
    relexport("snapshot take --group 4352")
        .args(["--from", backup, "--out", taken])
        .ok();
    let cases: [(&[&str], &str); 10] = [
        (&["--expires", "2027-02-31"], "there is none of this name"),
        (&["--expires", "2027-13-01"], "there is none of this name"),
        (&["--expires", "soon"], "there is none of this name"),
        (&["--expires", "2020-01-01"], "that day has come"),
        (
            &["--groups", "acme//platform"],
            "no full path has an empty part",
        ),
        (
            &["--groups", "no/such", "--snapshot", backup],
            "does not have it",
        ),
        (&["--groups", "acme,999", "--snapshot", backup], "group 999"),
        // No id, for a server: it would look for a path.
        (&["--groups", "+7001", "--snapshot", backup], "group +7001"),
        // It is there for core's path, and can be neither seen nor exported as a whole.
        (
            &["--groups", "acme/platform", "--snapshot", taken],
            "does not have it",
        ),
        (&["--snapshot", backup], "--groups"),
    ];
    let new = || relexport("token new").option("--token-file", &file);
    for (options, says) in cases {
        let told = new().args(options).err(2);
        assert!(told.contains(says), "{options:?}: {told}");
        assert!(!file.exists(), "{options:?}");
    }
    new_token(
        &file,
        &[
            "--groups",
            "Acme,/acme/platform/,7001",
            "--snapshot",
            backup,
        ],
    );
    new_token(
        &file,
        &["--groups", "acme/Platform/core", "--snapshot", taken],
    );

    // A path of digits is no name of a group for a server.
    let digits = folder.path().join("digits.sql");
    let renamed = edit_rows(&dump(), "namespaces", |rows| {
        rows.replace("\tUmbrella\tumbrella\t", "\tUmbrella\t2024\t")
    });
    let renamed = edit_rows(&renamed, "routes", |rows| {
        rows.replace("\tumbrella\t", "\t2024\t")
    });
    fs::write(&digits, renamed).unwrap();
    let digits = ["--groups", "2024", "--snapshot", digits.to_str().unwrap()];
    new().args(digits).fails(2, &["by its own id, 7001"]);
    // Nor is a device a file, though one can be opened.
    let told = relexport("token new --token-file /dev/null").err(4);
    let says = "cannot write a token into /dev/null: it is no file";
    assert!(told.contains(says), "{told}");

    // Where nobody says which snapshot, the server that has one tells.
    new_token(&file, &["--name", "typo", "--groups", "acme/platfrom,4351"]);
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--token-file", file.to_str().unwrap()]);
    let told = "token typo is for group acme/platfrom, which the snapshot does not have";
    wait_until("the server tells", || server.log().contains(told));
    assert_eq!(server.log().matches("does not have").count(), 1);
}

/// Shapes that a parser, or what comes behind it, goes into once for each level.
#[test]
fn no_query_is_too_deep_for_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let token = new_token(&tokens, &[]);
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--token-file", tokens.to_str().unwrap()]);
    let chain = |length: usize, last: &str| {
        let mut query = "{...f0}".to_owned();
        for at in 0..length {
            query.push_str(&format!("fragment f{at} on Query{{...f{}}}", at + 1));
        }
        query + &format!("fragment f{length} on Query{{{last}}}")
    };
    let on = "...on Query{";
    let shapes = [
        ("fragments in a chain", chain(2300, "__typename")),
        ("more of them", chain(6000, "__typename")),
        ("fragments in a circle", chain(2300, "...f0")),
        ("a small circle", chain(2, "...f1")),
        ("selections", "{a".repeat(120_000)),
        (
            "selections that end",
            "{a".repeat(60_000) + &"}".repeat(60_000),
        ),
        ("inline fragments", "{...".repeat(60_000)),
        ("typed ones", format!("{{{}", on.repeat(20_000))),
        ("lists", format!("{{a(b:{}", "[".repeat(240_000))),
        (
            "lists that end",
            format!("{{a(b:{}{})}}", "[".repeat(100_000), "]".repeat(100_000)),
        ),
        ("objects", format!("{{a(b:{}", "{c:".repeat(80_000))),
        ("types", format!("query($a:{}Int", "[".repeat(240_000))),
        ("defaults", format!("query($a:Int={}", "[".repeat(240_000))),
        ("directives", format!("{{a{}}}", "@b".repeat(120_000))),
        (
            "directives with lists",
            format!("{{a@b(c:{}", "[".repeat(240_000)),
        ),
        ("operations", "query a{b}".repeat(20_000)),
        ("fields", format!("{{{}}}", "a ".repeat(120_000))),
        ("quotes", "\"".repeat(120_000)),
        (
            "escaped quotes",
            format!("{{a(b:\"\"\"{}", "\\\"\"\"".repeat(30_000)),
        ),
        (
            "a long name",
            format!("{{{}:__typename}}", "a".repeat(200_000)),
        ),
        (
            "searches",
            format!(
                "{{{}}}",
                (0..40)
                    .map(|at| format!("a{at}:users{{nodes{{id}}}} "))
                    .collect::<String>()
            ),
        ),
        ("nothing", String::new()),
    ];
    let bearer = format!("Bearer {token}");
    for (what, query) in shapes {
        let body = json!({ "query": query }).to_string();
        for headers in [&[][..], &[("Authorization", bearer.as_str())]] {
            let answer = server.request("POST", "/api/graphql", headers, body.as_bytes());
            let said = match answer.status {
                200 => answer.json()["errors"][0]["message"].is_string(),
                // JSON has a backslash before each quote, which makes some of them too large.
                status => status == 413 && body.len() > 256 << 10,
            };
            assert!(said, "{what}: {answer:?}");
        }
    }
    // Each use of a variable is a copy of it, and an error may quote it.
    let fields = |count: usize| -> String {
        (0..count)
            .map(|at| format!("a{at}:group(fullPath:$path){{id}} "))
            .collect()
    };
    for (count, says) in [(20, None), (200, Some("length, variables included"))] {
        let body = json!({
            "query": format!("query($path: ID!){{{}}}", fields(count)),
            "variables": { "path": "x".repeat(200_000) },
        });
        let answer = server.request("POST", "/api/graphql", &[], body.to_string().as_bytes());
        let answer = answer.json();
        let said = answer["errors"][0]["message"].as_str();
        assert_eq!(said.is_some(), says.is_some(), "{count}");
        assert!(said.is_none_or(|said| said.contains(says.unwrap_or_default())));
    }
    for (open, times) in [("[", 250_000), ("{\"a\":", 50_000), ("[{\"a\":", 40_000)] {
        let body = format!("{{\"query\":\"{{a}}\",\"variables\":{}", open.repeat(times));
        let answer = server.request("POST", "/api/graphql", &[], body.as_bytes());
        assert_eq!(answer.status, 422, "{open}");
        let path = format!("{START}?private_token={token}");
        let kind = ("Content-Type", "application/json");
        let answer = server.request("POST", &path, &[kind], body.as_bytes());
        assert_eq!(answer.status, 400, "{open}");
    }
    let large = json!({ "query": "{a}".repeat(100_000) }).to_string();
    let answer = server.request("POST", "/api/graphql", &[], large.as_bytes());
    assert_eq!(answer.status, 413);
    // What only looks deep is answered.
    let query = format!("{{group(fullPath: \"{}\"){{id}}}}", "[{(".repeat(5000));
    let body = json!({ "query": query }).to_string();
    let answer = server.request("POST", "/api/graphql", &[], body.as_bytes());
    assert_eq!(answer.json(), json!({"data": {"group": null}}));
    assert_eq!(server.get("/-/health").status, 200);
    let log = server.log();
    assert!(
        !log.contains("overflow") && !log.contains("panicked"),
        "{log}"
    );
}

#[test]
fn a_server_that_may_open_too_few_files_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // With four it cannot even take its data folder; with thirteen it is up.
    for descriptors in 5..12 {
        let limit = format!("ulimit -n {descriptors} && exec \"$@\"");
        let told = relexport(&format!("serve --listen 127.0.0.1:0 -s {BACKUP}"))
            .option("--data", folder.path().join("data"))
            .through(["bash", "-c", &limit, "bash"])
            .err(4);
        assert_eq!(
            told,
            "error: cannot start the server: Too many open files (os error 24)\n  \
             raise the limits of open files (ulimit -n) and of processes (ulimit -u)\n",
            "{descriptors}"
        );
    }
}

#[test]
fn a_server_that_cannot_be_right_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let backup = project(BACKUP);
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
        (&["-s", "-"], 2, "has to be there, and stay the same"),
        (
            &["-s", "postgresql://u:geheim@db/gitlab"],
            2,
            "has to be there, and stay the same",
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
        let serve = relexport("serve").option("--data", data).args(args);
        let told = serve.fails(code, &[says]).stderr;
        assert!(!told.contains("geheim"), "{told}");
    }
    let server = Server::start(&folder.path().join("data"), &[]);
    let address = server.address.to_string();
    let serve = |data: &Path| {
        let serve = relexport("serve").option("--data", data);
        serve.option("--snapshot", backup)
    };
    serve(Path::new(data)).fails(11, &["in use by another server: pid "]);
    let other = serve(&folder.path().join("other"));
    other.option("--listen", &address).fails(4, &[]);
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
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let bodies: [(Headers<'_>, Vec<u8>, u16); 8] = [
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
    let server = Server::unready(&project(BACKUP), &folder.path().join("data"), &options);
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
        .output()
        .unwrap();
    assert!(curl.status.success());
}
