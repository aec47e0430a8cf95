//! Real clients: a stand-in for a GitLab that migrates by direct transfer, the python-gitlab library, and a fuzzer that
//! goes by the API's description.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::api::destination::destination;
use crate::support::api::{Server, new_token};
use crate::support::{
    BACKUP, PROJECTS, PROJECTS_BACKUP, dump, edit_field, expected, file_name, gunzip, project,
    wait_until,
};
use serde_json::{Value, json};

/// A program of the Python environment that `fixtures/install-tools` makes.
pub(super) fn tool(name: &str) -> PathBuf {
    let path = project("target/api-tools/bin").join(name);
    assert!(path.exists(), "run fixtures/install-tools first");
    path
}

pub(super) fn ok(output: Output) -> Output {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    output
}

/// Migrates a group with the stand-in; returns what it got beside the files.
fn migrate(server: &Server, token: &str, group: &str, out: &Path) -> Value {
    destination(server, token, group, out, &[])
}

#[test]
fn a_destination_migrates_a_group_with_its_subgroups() {
    let folder = tempfile::tempdir().unwrap();
    // One user of the fixture is made a ghost.
    let dump = edit_field(&dump(), "users", "id", "23", "user_type", "5");
    let dump = edit_field(&dump, "users", "id", "23", "username", "ghost1");
    let snapshot = folder.path().join("dump.sql");
    fs::write(&snapshot, dump).unwrap();
    let tokens = folder.path().join("tokens");
    let token = new_token(&tokens, &["--groups", "acme"]);
    let tokens = tokens.to_str().unwrap();
    let options = [
        "--token-file",
        tokens,
        "--gitlab-version",
        "19.3.0-ee",
        "--batch-size",
        "4",
    ];
    let server = Server::of(&snapshot, &folder.path().join("data"), &options);
    wait_until("ghosts are known", || {
        let body = br#"{"query":"{users(usernames:[\"ghost1\"],humans:false){nodes{id}}}"}"#;
        let bearer = format!("Bearer {token}");
        let answer = server.request("POST", "/api/graphql", &[("Authorization", &bearer)], body);
        answer.text().contains("User/23")
    });
    let out = folder.path().join("out");
    let result = migrate(&server, &token, "acme", &out);

    // Every file of every group is what the contract says.
    let groups = [
        (4350, "acme"),
        (4351, "acme/platform"),
        (4352, "acme/platform/core"),
    ];
    for (id, path) in groups {
        for relation in [
            "self",
            "namespace_settings",
            "labels",
            "milestones",
            "max_iids",
            "iterations_cadences",
            "boards",
            "epics",
            "epic_boards",
        ] {
            let file = out.join(path).join(format!("{relation}.ndjson"));
            let content = fs::read(&file).unwrap();
            assert_eq!(
                content,
                expected(id, relation),
                "{path}: {}",
                file_name(relation)
            );
        }
        let nothing = json!({"attachments": {}, "avatar": null, "ignored": []});
        assert_eq!(result["entities"][path]["uploads"], nothing);
        let tools = json!([{
            "id": "gid://gitlab/Project/31",
            "name": "Tools",
            "path": "tools",
            "full_path": "acme/platform/tools",
        }]);
        let projects = match id {
            4351 => tools,
            _ => json!([]),
        };
        assert_eq!(result["entities"][path]["projects"], projects);
        assert_eq!(result["entities"][path]["wiki"], json!(null));
    }
    assert_eq!(result["metadata"]["version"], "19.3.0-ee");
    assert_eq!(result["metadata"]["enterprise"], true);
    assert_eq!(
        result["ghosts"],
        json!([{"id": "gid://gitlab/User/23", "username": "ghost1", "type": "GHOST"}])
    );

    // The group, by the rows of the fixture: mail is switched off by its parent's settings.
    assert_eq!(
        result["entities"]["acme/platform"]["group"],
        json!({
            "id": "gid://gitlab/Group/4351",
            "name": "Plat\tform <&> \"R\\D\"",
            "path": "platform",
            "description": "Line one\nline two: \\N, \\., \u{2028} and \u{2029} <script>alert(\"x & y\")</script> 🚀",
            "visibility": "private",
            "emails_disabled": true,
            "lfs_enabled": true,
            "mentions_disabled": false,
            "project_creation_level": "developer",
            "request_access_enabled": true,
            "require_two_factor_authentication": false,
            "share_with_group_lock": false,
            "subgroup_creation_level": "maintainer",
            "two_factor_grace_period": 48,
        })
    );
    assert_eq!(
        result["entities"]["acme"]["group"]["visibility"],
        "internal"
    );
    assert_eq!(
        result["entities"]["acme"]["group"]["mentions_disabled"],
        true
    );
    assert_eq!(result["entities"]["acme"]["group"]["lfs_enabled"], false);
    // Core has no setting of its own: the nearest one above it holds.
    let core = &result["entities"]["acme/platform/core"];
    assert_eq!(core["group"]["lfs_enabled"], true);
    assert_eq!(core["group"]["emails_disabled"], true);
    assert_eq!(core["group"]["visibility"], "public");

    // Members: each user once with the highest level, those of the ancestors too; an invitation and a lost user
    // have no user; nobody with minimal access, and nobody who only asks.
    let members = |path: &str| -> Vec<Value> {
        let members = result["entities"][path]["members"].as_array().unwrap();
        let members = members.iter().map(|member| {
            json!([
                member["access_level"]["integer_value"],
                member["user"]["username"]
            ])
        });
        members.collect()
    };
    let platform = [
        json!([50, "alice"]),
        json!([40, "bob"]),
        json!([30, null]),
        json!([25, null]),
        json!([50, "root"]),
    ];
    assert_eq!(members("acme"), [json!([50, "root"])]);
    assert_eq!(members("acme/platform"), platform);
    assert_eq!(members("acme/platform/core"), platform);
    let alice = &result["entities"]["acme/platform"]["members"][0];
    assert_eq!(
        *alice,
        json!({
            "created_at": "2021-06-01T10:00:00Z",
            "updated_at": "2021-06-01T10:00:00Z",
            "expires_at": "2030-12-31",
            "access_level": {"integer_value": 50},
            "user": {
                "user_gid": "gid://gitlab/User/2",
                "public_email": "alice@acme.example",
                "username": "alice",
                "name": "Alice",
            },
        })
    );
    let badges = result["entities"]["acme/platform"]["badges"]
        .as_array()
        .unwrap();
    assert_eq!(badges.len(), 6);
    assert_eq!(badges[1]["image_url"], "https://ci.example/b.svg?a=1&b=2");
    assert_eq!(
        result["users"],
        json!([
            {"id": "gid://gitlab/User/2", "name": "Alice", "username": "alice"},
            {"id": "gid://gitlab/User/9007199254740993", "name": "Ünïcödé 💡", "username": "big"},
        ])
    );
    // Nobody has this number.
    assert_eq!(result["missing"], json!([null]));
    let requests = result["requests"].as_array().unwrap();
    assert_eq!(requests[0], "GET /api/v4/metadata");
    assert_eq!(requests[1], "GET /api/v4/personal_access_tokens/self");
}

#[test]
fn an_old_source_gives_what_a_destination_asks_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    // The backup says 16.5.1-ee: no max_iids and no epic boards are asked for.
    let out = folder.path().join("out");
    let result = migrate(&server, "unused", "umbrella", &out);
    assert_eq!(result["metadata"]["version"], "16.5.1-ee");
    assert!(!out.join("umbrella/max_iids.ndjson").exists());
    assert_eq!(
        fs::read(out.join("umbrella/epics.ndjson")).unwrap(),
        expected(7001, "epics")
    );
}

#[test]
fn a_source_before_cadences_gives_its_iterations_by_graphql() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Of groups alone: no bundle of the backup's project could be fetched.
    let groups = project("pipelines/group.yml");
    let groups = groups.to_str().unwrap();
    let options = ["--gitlab-version", "15.3.5-ee", "--pipeline", groups];
    let server = Server::start(&data, &options);
    let out = folder.path().join("out");
    let result = migrate(&server, "unused", "acme/platform", &out);
    assert!(
        !out.join("acme/platform/iterations_cadences.ndjson")
            .exists()
    );
    // Those of the parent group are its own; an end at -infinity is none, and such iterations come last.
    assert_eq!(
        result["entities"]["acme/platform"]["iterations"],
        json!([
            {
                "iid": "1",
                "title": "One",
                "description": "It. \\. one",
                "state": "closed",
                "start_date": "2021-05-03",
                "due_date": "2021-05-16",
                "created_at": "2021-05-04T11:25:20Z",
                "updated_at": "2021-05-04T11:25:20Z",
            },
            {
                "iid": "2",
                "title": "Two",
                "description": "",
                "state": "current",
                "start_date": "2021-05-17",
                "due_date": null,
                "created_at": "2021-05-04T11:25:20Z",
                "updated_at": "2021-05-04T11:25:20Z",
            },
            {
                "iid": "41",
                "title": null,
                "description": null,
                "state": "upcoming",
                "start_date": null,
                "due_date": null,
                "created_at": "2021-05-04T11:25:20Z",
                "updated_at": "2021-05-04T11:25:20Z",
            },
        ])
    );
    // Without a word, those above count, too.
    let body = br#"{"query":"{group(fullPath:\"acme/platform\"){iterations(first:1){nodes{id state} pageInfo{hasNextPage endCursor}}}}"}"#;
    let answer = server.request("POST", "/api/graphql", &[], body).json();
    assert_eq!(
        answer["data"]["group"]["iterations"],
        json!({
            "nodes": [{"id": "gid://gitlab/Iteration/301", "state": "closed"}],
            "pageInfo": {"hasNextPage": true, "endCursor": "1"},
        })
    );
    let body = br#"{"query":"{group(fullPath:\"acme/platform\"){iterations{nodes{iid}}}}"}"#;
    let answer = server.request("POST", "/api/graphql", &[], body).json();
    let iids = answer["data"]["group"]["iterations"]["nodes"].clone();
    assert_eq!(
        iids,
        json!([{"iid": "1"}, {"iid": "3"}, {"iid": "2"}, {"iid": "41"}])
    );
}

#[test]
fn graphql_tells_strangers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let token = new_token(&tokens, &["--groups", "umbrella"]);
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--token-file", tokens.to_str().unwrap()]);
    let ask = |token: Option<&str>, query: &str| {
        let bearer = format!("Bearer {}", token.unwrap_or_default());
        let mut headers = vec![("Content-Type", "application/json")];
        if token.is_some() {
            headers.push(("Authorization", bearer.as_str()));
        }
        let body = json!({"query": query, "operationName": null, "variables": {"unknown": 1}});
        let answer = server.request(
            "POST",
            "/api/graphql",
            &headers,
            body.to_string().as_bytes(),
        );
        (answer.status, answer.json())
    };
    let group = |path: &str| format!("{{group(fullPath: \"{path}\"){{id}}}}");
    let nothing = (200, json!({"data": {"group": null}}));
    let umbrella = json!({"data": {"group": {"id": "gid://gitlab/Group/7001"}}});
    assert_eq!(ask(None, &group("umbrella")), nothing);
    let types = |token: Option<&str>| ask(token, "{__schema{types{name}}}").1["data"].clone();
    assert!(types(Some(&token))["__schema"]["types"].is_array());
    assert_eq!(types(None)["__schema"], Value::Null);
    assert_eq!(ask(Some(&token), &group("umbrella")), (200, umbrella));
    for path in [
        "acme",
        "acme/platform",
        "nobody",
        "alice",
        "7001",
        "acme/platform/tools",
        "",
    ] {
        assert_eq!(ask(Some(&token), &group(path)), nothing, "{path}");
    }
    let invalid = json!({"errors": [{"message": "Invalid token"}]});
    assert_eq!(ask(Some("wrong"), &group("umbrella")), (401, invalid));
    // What is asked wrongly is told in GraphQL's way.
    for query in [
        "",
        "{",
        "{nothing}",
        "{group{id}}",
        "{group(fullPath: 1.5){id}}",
        "mutation{x}",
    ] {
        let (status, body) = ask(Some(&token), query);
        assert_eq!(status, 200, "{query}");
        assert!(body["errors"][0]["message"].is_string(), "{query}: {body}");
    }
    let deep = format!("{}{}", "{group".repeat(5000), "}".repeat(5000));
    assert_eq!(ask(Some(&token), &deep).0, 200);
    let wide = format!("{{{}}}", "group(fullPath:\"umbrella\"){id}".repeat(2000));
    assert!(ask(Some(&token), &wide).1["errors"][0]["message"].is_string());
    let answer = server.request("POST", "/api/graphql", &[], b"no json");
    assert_eq!(answer.status, 422);
    let answer = server.request("POST", "/api/graphql", &[], &vec![b'['; 200_000]);
    assert_eq!(answer.status, 422);
}

#[test]
fn python_gitlab_exports_a_group() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let token = new_token(&tokens, &[]);
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--token-file", tokens.to_str().unwrap()]);
    let out = folder.path().join("labels.ndjson.gz");
    let output = Command::new(tool("python"))
        .arg(project("tests/api_clients/python_gitlab.py"))
        .arg(server.url(""))
        .arg(&token)
        .arg(&out)
        .output()
        .unwrap();
    ok(output);
    assert_eq!(gunzip(&fs::read(out).unwrap()), expected(4351, "labels"));
}

#[test]
fn python_gitlab_lists_projects() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let token = new_token(&tokens, &["--groups", "acme"]);
    let data = folder.path().join("data");
    let options = ["--token-file", tokens.to_str().unwrap()];
    let server = Server::of(&project(PROJECTS), &data, &options);
    let output = Command::new(tool("python"))
        .arg(project("tests/api_clients/python_gitlab_lists.py"))
        .args([server.url(""), token])
        .output()
        .unwrap();
    ok(output);
}

/// An operation of the API's description.
struct Operation {
    method: String,
    path: String,
    /// Parameters in the query; `true` for those without which nothing else is looked at.
    query: BTreeMap<String, bool>,
    /// Fields of a form in the body.
    form: Option<BTreeSet<String>>,
}

fn operations(description: &Value) -> Vec<Operation> {
    let found = |value: &Value| -> Value {
        let reference = value["$ref"]
            .as_str()
            .and_then(|text| text.strip_prefix('#'));
        let target = reference.map(|place| description.pointer(place).unwrap());
        target.unwrap_or(value).clone()
    };
    let mut operations = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let query = parameters
                .map(found)
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| {
                    let name = parameter["name"].as_str().unwrap().to_owned();
                    (name, parameter["required"] == true)
                })
                .collect();
            let forms = &operation["requestBody"]["content"];
            let schema = found(&forms["application/x-www-form-urlencoded"]["schema"]);
            let form = schema["properties"].as_object();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: match path.contains("/projects/") {
                    true => path.replace("{id}", "71"),
                    false => path.replace("{id}", "50"),
                },
                query,
                form: form.map(|fields| fields.keys().cloned().collect()),
            });
        }
    }
    operations
}

#[test]
fn every_parameter_that_the_description_names_is_read_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = project(PROJECTS);
    let server = Server::of(&snapshot, &folder.path().join("data"), &[]);
    let operations = operations(&server.get("/-/openapi.json").json());
    let names: BTreeSet<&String> = operations
        .iter()
        .flat_map(|operation| operation.query.keys())
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for operation in &operations {
        let Operation { method, path, .. } = operation;
        for name in &names {
            // No parameter is a list, and only of those that an operation knows the type is checked.
            let list = format!("{name}[]=x");
            let is_refused = |query: &str, body: &str| {
                let form = [("Content-Type", "application/x-www-form-urlencoded")];
                let answer =
                    server.request(method, &format!("{path}?{query}"), &form, body.as_bytes());
                answer.status == 400 && answer.json()["error"] == format!("{name} is invalid")
            };
            let others = operation.query.iter();
            let others = others.filter(|(other, is_required)| **is_required && other != name);
            let others: String = others.map(|(other, _)| format!("&{other}=x")).collect();
            let is_read = is_refused(&format!("{list}{others}"), "");
            let is_named = operation.query.contains_key(*name);
            assert_eq!(is_read, is_named, "{method} {path}: {name} in the query");
            if let Some(form) = &operation.form {
                let is_read = is_refused("", &list);
                let is_named = form.contains(*name);
                assert_eq!(is_read, is_named, "{method} {path}: {name} in the body");
            }
        }
    }
}

/// Sends as many requests of each kind as `RELEXPORT_FUZZ_EXAMPLES` says, to the paths of the description that match.
fn fuzz(server: &Server, folder: &Path, paths: &str) {
    let examples = std::env::var("RELEXPORT_FUZZ_EXAMPLES").unwrap_or_else(|_| "5".to_owned());
    let output = Command::new(tool("schemathesis"))
        .current_dir(folder)
        .arg("run")
        .arg(server.url("/-/openapi.json"))
        .args(["--url", &server.url(""), "--include-path-regex", paths])
        .args(["--max-examples", &examples, "--seed", "1"])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--suppress-health-check",
            "all",
        ])
        .args(["--generation-database", "none"])
        // Two parameters that go together, and a body that goes before the query, cannot be described.
        .args([
            "--exclude-checks",
            "positive_data_acceptance,negative_data_rejection",
        ])
        .output()
        .unwrap();
    ok(output);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn a_fuzzer_finds_nothing_that_the_description_does_not_say() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::of(
        &project(BACKUP),
        &folder.path().join("data"),
        &["--batch-size", "5"],
    );
    server.export(4351, "?batched=true");
    fuzz(&server, folder.path(), ".");
}

#[test]
fn a_fuzzer_finds_nothing_of_projects_that_the_description_does_not_say() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::of(&project(PROJECTS_BACKUP), &data, &[]);
    fuzz(&server, folder.path(), "projects");
}
