//! The export relations API: `curl` as in GitLab's documentation, and every answer of the contract's table.

use std::fs;
use std::process::Command;

use crate::support::api::{Answer, Server, new_token};
use crate::support::{RELATIONS, dump, edit_field, expected, file_name, gunzip, wait_until};
use serde_json::{Value, json};

/// The relations of a status, in order: those of rows, and the uploads.
fn rows() -> Vec<&'static str> {
    let mut rows = RELATIONS.to_vec();
    rows.insert(10, "uploads");
    rows
}

fn curl(args: &[&str]) -> Vec<u8> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--fail"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[test]
fn the_three_calls_of_gitlabs_documentation() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let token = new_token(&tokens, &[]);
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--token-file", tokens.to_str().unwrap()]);
    let header = format!("PRIVATE-TOKEN: {token}");
    let base = server.url("/api/v4/groups/acme%2Fplatform/export_relations");

    let answer = curl(&["--request", "POST", "--header", &header, &base]);
    assert_eq!(answer, br#"{"message":"202 Accepted"}"#);

    let status = format!("{base}/status");
    let mut rows_seen = Vec::new();
    wait_until("everything is finished", || {
        let answer = curl(&["--request", "GET", "--header", &header, &status]);
        let rows: Vec<Value> = serde_json::from_slice(&answer).unwrap();
        // From the first answer on there is a row for everything.
        rows_seen = rows.iter().map(|row| row["relation"].clone()).collect();
        assert_eq!(rows_seen.len(), rows_of(&rows).len());
        assert_eq!(rows_of(&rows), self::rows());
        rows.iter().all(|row| row["status"] == 1)
    });

    let out = folder.path().join("labels");
    fs::create_dir(&out).unwrap();
    let download = format!("{base}/download?relation=labels");
    curl(&[
        "--header",
        &header,
        "--remote-header-name",
        "--remote-name",
        "--output-dir",
        out.to_str().unwrap(),
        &download,
    ]);
    let file = fs::read(out.join("labels.ndjson.gz")).unwrap();
    assert_eq!(gunzip(&file), expected(4351, "labels"));
}

fn rows_of(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["relation"].as_str().unwrap())
        .collect()
}

#[test]
fn what_was_exported_is_what_the_contract_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    assert_eq!(server.status(4351), Vec::<Value>::new());
    server.export(4351, "");
    for relation in RELATIONS {
        let content = server.download(4351, &format!("relation={relation}"));
        assert_eq!(content, expected(4351, relation), "{relation}");
        let answer = server.get(&format!(
            "/api/v4/groups/acme%2Fplatform/export_relations/download?relation={relation}"
        ));
        let name = format!("{}.gz", file_name(relation));
        assert_eq!(
            answer.header("content-disposition").unwrap(),
            format!("attachment; filename=\"{name}\"; filename*=UTF-8''{name}")
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/octet-stream")
        );
        assert_eq!(answer.header("content-transfer-encoding"), Some("binary"));
    }
}

#[test]
fn a_status_has_gitlabs_keys_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--batch-size", "5"]);
    server.export(4351, "?batched=true");
    let path = "/api/v4/groups/4351/export_relations/status";
    let answer = server.get(&format!("{path}?relation=labels"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    // The order of keys is told by the text alone.
    let time = "\"0000-00-00T00:00:00.000Z\"";
    let mut text = answer.text().to_owned();
    while let Some(at) = text.find("\"2") {
        text.replace_range(at..at + time.len(), time);
    }
    let batch = |number, count| {
        format!(
            r#"{{"status":1,"batch_number":{number},"objects_count":{count},"error":null,"updated_at":{time}}}"#
        )
    };
    // The fixture's group has 13 labels.
    let expected = format!(
        r#"{{"relation":"labels","status":1,"error":null,"updated_at":{time},"batched":true,"batches_count":3,"total_objects_count":13,"batches":[{},{},{}]}}"#,
        batch(1, 5),
        batch(2, 5),
        batch(3, 3)
    );
    assert_eq!(text, expected);

    // One object has no batches, whatever was asked for.
    let row = server.get(&format!("{path}?relation=self")).json();
    assert_eq!(row["batched"], false);
    assert_eq!(row.get("batches"), None);
    let uploads = server.get(&format!("{path}?relation=uploads")).json();
    assert_eq!(uploads["status"], 1);
    assert_eq!(uploads["batched"], true);
    assert_eq!(uploads["batches_count"], 1);
    assert_eq!(uploads["total_objects_count"], 1);
    assert_eq!(uploads["batches"][0]["status"], 1);
}

#[test]
fn batches_joined_are_the_whole_relation() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--batch-size", "3"]);
    server.export(4351, "?batched=true");
    let mut batched = 0;
    for row in server.status(4351) {
        let relation = row["relation"].as_str().unwrap();
        let Some(batches) = row["batches"].as_array() else {
            continue;
        };
        if relation == "uploads" {
            continue;
        }
        assert_eq!(row["batches_count"], batches.len(), "{relation}");
        let mut content = Vec::new();
        for batch in batches {
            let number = &batch["batch_number"];
            let query = format!("relation={relation}&batched=true&batch_number={number}");
            content.extend(server.download(4351, &query));
        }
        assert_eq!(content, expected(4351, relation), "{relation}");
        batched += 1;
    }
    // milestones, badges, labels, boards, epics, epic_boards, iterations_cadences
    assert_eq!(batched, 7);
}

#[test]
fn batched_may_be_said_in_the_query_a_form_or_json() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    let path = "/api/v4/groups/4352/export_relations";
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let json = ("Content-Type", "application/json; charset=utf-8");
    let parts = ("Content-Type", "multipart/form-data; boundary=\"-- b\"");
    let part = |field: &str, value: &str| {
        let head = format!("Content-Disposition: form-data; {field}");
        format!("---- b\r\n{head}\r\n\r\n{value}\r\n---- b--\r\n")
    };
    let (yes, other) = (part("name=\"batched\"", "true"), part("name=\"x[]\"", "\n"));
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, Headers<'_>, &str, bool); 11] = [
        ("", &[parts], &yes, true),
        ("?batched=false", &[parts], &yes, true),
        ("?batched=true", &[parts], &other, true),
        ("?batched=true", &[], "", true),
        ("?batched=1", &[form], "", true),
        ("", &[form], "batched=true", true),
        ("", &[json], r#"{"batched":true}"#, true),
        ("?batched=false", &[json], r#"{"batched":true}"#, true),
        ("?batched=", &[], "", false),
        ("?page=1&per_page=30&private_token=x", &[], "", false),
        ("", &[json], r#"{"batched":"no"}"#, false),
    ];
    for (query, headers, body, expected) in cases {
        let answer = server.request("POST", &format!("{path}{query}"), headers, body.as_bytes());
        assert_eq!(answer.status, 202, "{query} {body}: {answer:?}");
        let row = server.get(&format!("{path}/status?relation=labels")).json();
        assert_eq!(row["batched"], expected, "{query} {body}");
        server.wait_for_export(4352);
    }
    let file = part("name=\"batched\"; filename=\"f\"", "true");
    let (cut, latin) = (&yes[..yes.len() - 20], part("name=\"batched\"", "\u{e4}"));
    let latin: Vec<u8> = latin.chars().map(|letter| letter as u8).collect();
    let wrong: [(&str, &[u8], &str); 6] = [
        (parts.1, file.as_bytes(), "batched is invalid"),
        (parts.1, cut.as_bytes(), "400 Bad Request"),
        (parts.1, b"no parts", "400 Bad Request"),
        (parts.1, &latin, "400 Bad Request"),
        ("multipart/form-data", yes.as_bytes(), "400 Bad Request"),
        (
            "multipart/form-data; boundary=",
            yes.as_bytes(),
            "400 Bad Request",
        ),
    ];
    for (kind, body, says) in wrong {
        let answer = server.request("POST", path, &[("Content-Type", kind)], body);
        assert_eq!(
            (answer.status, answer.json()),
            (400, json!({ "error": says }))
        );
    }
    curl(&["--fail", "--form", "batched=true", &server.url(path)]);
    let row = server.get(&format!("{path}/status?relation=labels")).json();
    assert_eq!(row["batched"], true);
}

#[test]
fn a_group_is_found_by_its_path_in_any_case_and_exactly_first() {
    let folder = tempfile::tempdir().unwrap();
    // Umbrella gets a path that differs from acme's in case only.
    let dump = edit_field(&dump(), "routes", "source_id", "7001", "path", "Acme");
    let snapshot = folder.path().join("dump.sql");
    fs::write(&snapshot, dump).unwrap();
    let server = Server::of(&snapshot, &folder.path().join("data"), &[]);
    let cases = [
        ("acme", 4350),
        ("Acme", 7001),
        ("ACME", 4350),
        ("acme/platform", 4351),
        ("ACME/PlatForm", 4351),
        ("acme/platform/CORE", 4352),
    ];
    for (named, id) in cases {
        let path = named.replace('/', "%2F");
        let one = server.get(&format!("/api/v4/groups/{path}"));
        assert_eq!(
            (one.status, &one.json()["id"]),
            (200, &json!(id)),
            "{named}"
        );
        let body = json!({ "query": format!("{{group(fullPath: \"{named}\"){{id}}}}") });
        let answer = server.request("POST", "/api/graphql", &[], body.to_string().as_bytes());
        let found = format!("gid://gitlab/Group/{id}");
        assert_eq!(
            answer.json(),
            json!({"data": {"group": {"id": found}}}),
            "{named}"
        );
    }
    let stored = server.get("/api/v4/groups/ACME%2Fplatform").json();
    assert_eq!(stored["full_path"], "acme/platform");
    let answer = server.post("/api/v4/groups/ACME%2FPLATFORM/export_relations");
    assert_eq!(answer.status, 202);
    for unknown in ["acme%2Fplat", "acme%2Fold-platform", "acm%C3%A9"] {
        let answer = server.get(&format!("/api/v4/groups/{unknown}"));
        assert_eq!(answer.status, 404, "{unknown}");
    }
}

/// The columns of a group as GitLab shows them where they are NULL, and where a number has no name.
#[test]
fn what_is_null_stays_null() {
    let folder = tempfile::tempdir().unwrap();
    let edit = |dump: &str, column: &str, value: &str| {
        edit_field(dump, "namespaces", "id", "7001", column, value)
    };
    let columns = [
        "share_with_group_lock",
        "request_access_enabled",
        "require_two_factor_authentication",
        "two_factor_grace_period",
        "mentions_disabled",
        "lfs_enabled",
        "project_creation_level",
        "subgroup_creation_level",
        "visibility_level",
    ];
    let nothing = columns
        .iter()
        .fold(dump(), |dump, column| edit(&dump, column, "\\N"));
    let strange = columns[6..]
        .iter()
        .fold(dump(), |dump, column| edit(&dump, column, "77"));
    let strange = edit(&strange, "share_with_group_lock", "t");
    let query = "{group(fullPath: \"umbrella\"){description shareWithGroupLock requestAccessEnabled \
        requireTwoFactorAuthentication twoFactorGracePeriod mentionsDisabled lfsEnabled emailsDisabled \
        projectCreationLevel subgroupCreationLevel visibility}}";
    let cases = [
        (
            nothing,
            json!({
                "description": "",
                "shareWithGroupLock": null,
                "requestAccessEnabled": null,
                "requireTwoFactorAuthentication": null,
                "twoFactorGracePeriod": null,
                "mentionsDisabled": null,
                // These two are what holds for the group, and the levels are GitLab's defaults.
                "lfsEnabled": true,
                "emailsDisabled": false,
                "projectCreationLevel": "developer",
                "subgroupCreationLevel": "owner",
                "visibility": null,
            }),
        ),
        (
            strange,
            json!({
                "description": "",
                "shareWithGroupLock": true,
                "requestAccessEnabled": true,
                "requireTwoFactorAuthentication": false,
                "twoFactorGracePeriod": 48,
                "mentionsDisabled": null,
                "lfsEnabled": true,
                "emailsDisabled": false,
                "projectCreationLevel": null,
                "subgroupCreationLevel": null,
                "visibility": null,
            }),
        ),
    ];
    for (number, (dump, expected)) in cases.into_iter().enumerate() {
        let snapshot = folder.path().join(format!("{number}.sql"));
        fs::write(&snapshot, dump).unwrap();
        let data = folder.path().join(format!("data-{number}"));
        let server = Server::of(&snapshot, &data, &[]);
        let body = json!({ "query": query }).to_string();
        let answer = server.request("POST", "/api/graphql", &[], body.as_bytes());
        assert_eq!(answer.json(), json!({"data": {"group": expected}}));
        // REST shows the same.
        let rest = server.get("/api/v4/groups/7001").json();
        for (name, key) in [
            ("share_with_group_lock", "shareWithGroupLock"),
            ("request_access_enabled", "requestAccessEnabled"),
            (
                "require_two_factor_authentication",
                "requireTwoFactorAuthentication",
            ),
            ("two_factor_grace_period", "twoFactorGracePeriod"),
            ("mentions_disabled", "mentionsDisabled"),
            ("project_creation_level", "projectCreationLevel"),
            ("subgroup_creation_level", "subgroupCreationLevel"),
            ("visibility", "visibility"),
        ] {
            assert_eq!(rest[name], expected[key], "{name}");
        }
    }
}

/// Every failing case, with status and body.
#[test]
fn failing_requests_get_gitlabs_answers() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--batch-size", "5"]);
    server.export(4351, "?batched=true");
    server.export(4350, "");
    let group = "/api/v4/groups/acme%2Fplatform/export_relations";
    let download = |query: &str| format!("{group}/download{query}");
    let whole = |query: &str| format!("/api/v4/groups/acme/export_relations/download{query}");
    let message = |text: &str| json!({ "message": text });
    let error = |text: &str| json!({ "error": text });
    let unknown_group = message("404 Group Not Found");
    let all_or_none = error("batched, batch_number provide all or none of parameters");
    let cases = [
        (
            "GET",
            "/api/v4/groups/999/export_relations/status".into(),
            404,
            unknown_group.clone(),
        ),
        (
            "GET",
            "/api/v4/groups/-1/export_relations/status".into(),
            404,
            unknown_group.clone(),
        ),
        (
            "GET",
            "/api/v4/groups/99999999999999999999/export_relations/status".into(),
            404,
            unknown_group.clone(),
        ),
        // No former paths; neither a user's namespace nor a project's.
        (
            "GET",
            "/api/v4/groups/acme%2Fold-platform/export_relations/status".into(),
            404,
            unknown_group.clone(),
        ),
        (
            "GET",
            "/api/v4/groups/alice/export_relations/status".into(),
            404,
            unknown_group.clone(),
        ),
        (
            "GET",
            "/api/v4/groups/4000/export_relations/status".into(),
            404,
            unknown_group.clone(),
        ),
        (
            "GET",
            "/api/v4/groups/4353/export_relations/status".into(),
            404,
            unknown_group.clone(),
        ),
        (
            "POST",
            "/api/v4/groups/nobody/export_relations".into(),
            404,
            unknown_group.clone(),
        ),
        // An unknown group wins over a missing parameter.
        (
            "GET",
            "/api/v4/groups/999/export_relations/download".into(),
            404,
            unknown_group,
        ),
        (
            "POST",
            format!("{group}?batched=maybe"),
            400,
            error("batched is invalid"),
        ),
        (
            "POST",
            format!("{group}?batched[]=true"),
            400,
            error("batched is invalid"),
        ),
        (
            "GET",
            format!("{group}/status?relation=nothing"),
            404,
            message("Export not found"),
        ),
        (
            "GET",
            format!("{group}/status?relation[]=labels"),
            400,
            error("relation is invalid"),
        ),
        (
            "GET",
            "/api/v4/groups/7001/export_relations/status?relation=labels".into(),
            404,
            message("Export not found"),
        ),
        ("GET", download(""), 400, error("relation is missing")),
        (
            "GET",
            download("?batched=true&batch_number=1"),
            400,
            error("relation is missing"),
        ),
        (
            "GET",
            download("?relation=labels&batched=true"),
            400,
            all_or_none.clone(),
        ),
        (
            "GET",
            download("?relation=labels&batch_number=1"),
            400,
            all_or_none,
        ),
        (
            "GET",
            download("?relation=labels&batched=2&batch_number=1"),
            400,
            error("batched is invalid"),
        ),
        (
            "GET",
            download("?relation=labels&batched=true&batch_number=one"),
            400,
            error("batch_number is invalid"),
        ),
        (
            "GET",
            download("?relation=labels&batched=true&batch_number=1.5"),
            400,
            error("batch_number is invalid"),
        ),
        (
            "GET",
            download("?relation=nothing"),
            404,
            message("Export not found"),
        ),
        (
            "GET",
            "/api/v4/groups/7001/export_relations/download?relation=labels".into(),
            404,
            message("Export not found"),
        ),
        (
            "GET",
            download("?relation=labels"),
            400,
            message("Export is batched"),
        ),
        (
            "GET",
            download("?relation=labels&batched=false&batch_number=1"),
            400,
            message("Export is batched"),
        ),
        (
            "GET",
            download("?relation=self&batched=true&batch_number=1"),
            400,
            message("Export is not batched"),
        ),
        (
            "GET",
            whole("?relation=labels&batched=true&batch_number=1"),
            400,
            message("Export is not batched"),
        ),
        (
            "GET",
            download("?relation=labels&batched=true&batch_number=0"),
            404,
            message("Batch not found"),
        ),
        (
            "GET",
            download("?relation=labels&batched=true&batch_number=-1"),
            404,
            message("Batch not found"),
        ),
        (
            "GET",
            download("?relation=labels&batched=true&batch_number=4"),
            404,
            message("Batch not found"),
        ),
        (
            "GET",
            download("?relation=labels&batched=true&batch_number=99999999999999999999"),
            404,
            message("Batch not found"),
        ),
        ("GET", "/api/v4/nothing".into(), 404, error("404 Not Found")),
        ("GET", "/nothing".into(), 404, error("404 Not Found")),
        ("GET", group.into(), 405, error("405 Not Allowed")),
        (
            "DELETE",
            format!("{group}/status"),
            405,
            error("405 Not Allowed"),
        ),
        (
            "POST",
            "/api/v4/groups/4350/subgroups".into(),
            405,
            error("405 Not Allowed"),
        ),
        ("GET", "/api/graphql".into(), 405, error("405 Not Allowed")),
    ];
    for (method, path, status, body) in cases {
        let answer = server.request(method, &path, &[], b"");
        assert_eq!(
            (answer.status, answer.json()),
            (status, body),
            "{method} {path}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{path}"
        );
        if status == 405 {
            assert!(answer.header("allow").is_some(), "{path}");
        }
    }
}

#[test]
fn a_file_can_be_had_in_parts_and_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    server.export(4351, "");
    let path = "/api/v4/groups/4351/export_relations/download?relation=epics";
    let whole = server.get(path);
    let etag = whole.header("etag").unwrap().to_owned();
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));

    let head = server.request("HEAD", path, &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        head.header("content-length").unwrap(),
        whole.body.len().to_string()
    );
    assert_eq!(head.header("etag"), Some(etag.as_str()));
    // Whatever is asked about, the answer is that to GET, without the content.
    let other = "\"other\"";
    let cases: [&[(&str, &str)]; 6] = [
        &[("Range", "bytes=10-19")],
        &[("Range", "bytes=-5"), ("If-Range", &etag)],
        &[("Range", "bytes=10-"), ("If-Range", other)],
        &[("Range", "bytes=0-1,4-5")],
        &[("Range", "bytes=999999-")],
        &[("Range", "bytes=10-19"), ("If-None-Match", &etag)],
    ];
    for headers in cases {
        let [head, get] = ["HEAD", "GET"].map(|method| server.request(method, path, headers, b""));
        let shown = |answer: &Answer| {
            let headers = answer.headers.iter();
            let headers: Vec<_> = headers
                .filter(|(name, _)| name != "date")
                .cloned()
                .collect();
            (answer.status, headers)
        };
        assert_eq!(shown(&head), shown(&get), "{headers:?}");
        assert!(head.body.is_empty(), "{headers:?}");
    }

    let part = server.request("GET", path, &[("Range", "bytes=10-19")], b"");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[10..20]));
    assert_eq!(
        part.header("content-range").unwrap(),
        format!("bytes 10-19/{}", whole.body.len())
    );
    let rest = server.request(
        "GET",
        path,
        &[("Range", "bytes=10-"), ("If-Range", &etag)],
        b"",
    );
    assert_eq!((rest.status, &rest.body[..]), (206, &whole.body[10..]));
    let other = server.request(
        "GET",
        path,
        &[("Range", "bytes=10-"), ("If-Range", "\"other\"")],
        b"",
    );
    assert_eq!((other.status, &other.body), (200, &whole.body));
    let beyond = server.request("GET", path, &[("Range", "bytes=999999-")], b"");
    assert_eq!(beyond.status, 416);
    assert_eq!(
        beyond.header("content-range").unwrap(),
        format!("bytes */{}", whole.body.len())
    );
    let known = server.request("GET", path, &[("If-None-Match", &etag)], b"");
    assert_eq!((known.status, known.body.len()), (304, 0));
}
