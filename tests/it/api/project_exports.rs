//! Exports of projects by the API: the answers of GitLab's, and the files of `relexport export`.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::api::{Server, new_token};
use crate::support::{ExportFolder, PROJECTS, gunzip, project, relexport, wait_until};

const START: &str = "/api/v4/projects/71/export_relations";

fn serve(folder: &Path, options: &[&str]) -> Server {
    Server::of(&project(PROJECTS), &folder.join("data"), options)
}

fn export(server: &Server, query: &str) {
    assert_eq!(server.post(&format!("{START}{query}")).status, 202);
    wait_until("the export has ended", || {
        let overview = server.get("/-/relexport/projects/71").json();
        assert_ne!(overview["state"], "failed", "{overview}");
        overview["state"] == "finished"
    });
}

fn row(server: &Server, relation: &str) -> (u16, Value) {
    let answer = server.get(&format!("{START}/status?relation={relation}"));
    (answer.status, answer.json())
}

#[test]
fn a_project_s_files_are_those_of_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &["--batch-size", "2"]);
    let out = folder.path().join("out");
    for (query, option) in [("", None), ("?batched=true", Some("--batched"))] {
        export(&server, query);
        let _ = std::fs::remove_dir_all(&out);
        relexport("export --project 71 --batch-size 2")
            .option("--snapshot", project(PROJECTS))
            .option("--out", &out)
            .args(option)
            .ok();
        let expected = ExportFolder::new(&out);
        let mut files = 0;
        let status = server.get(&format!("{START}/status")).json();
        for row in status.as_array().unwrap() {
            assert_eq!(row["status"], 1, "{row}");
            let relation = row["relation"].as_str().unwrap();
            let whole = format!("{START}/download?relation={relation}");
            let mut wanted = vec![];
            match row["batches"].as_array() {
                None => wanted.push((whole, format!("project_71/{relation}"))),
                Some(batches) => wanted.extend(batches.iter().map(|batch| {
                    let number = &batch["batch_number"];
                    let address = format!("{whole}&batched=true&batch_number={number}");
                    (address, format!("project_71/{relation}/batch_{number}"))
                })),
            }
            for (address, name) in wanted {
                let answer = server.get(&address);
                assert_eq!(answer.status, 200, "{address} {answer:?}");
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/octet-stream")
                );
                let ending = if name.ends_with("/self") || name.ends_with("/max_iids") {
                    "json.gz"
                } else {
                    "ndjson.gz"
                };
                let disposition = answer.header("content-disposition").unwrap();
                let file = format!("attachment; filename=\"{relation}.{ending}\"");
                assert!(disposition.starts_with(&file), "{disposition}");
                let name = format!("{name}.{ending}");
                assert_eq!(gunzip(&answer.body), expected.content(&name), "{name}");
                files += 1;
            }
        }
        assert!(files > 25, "{files}");
    }
}

#[test]
fn questions_about_a_project_get_gitlab_s_answers() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    // Before the first export.
    assert_eq!(server.get(&format!("{START}/status")).json(), json!([]));
    let none = json!({"message": "Export not found"});
    assert_eq!(row(&server, "labels"), (404, none.clone()));
    export(&server, "?batched=true");
    // Every pipeline of a destination asks for its own status.
    for relation in [
        "project",
        "members",
        "badges",
        "snippets_repository",
        "wiki",
        "references",
        "epics",
        "",
    ] {
        assert_eq!(row(&server, relation), (404, none.clone()), "{relation}");
    }
    // What there are no files of in a dump is empty in the one way that costs nobody anything.
    for relation in ["uploads", "lfs_objects", "repository", "design"] {
        let (status, row) = row(&server, relation);
        assert_eq!(status, 200);
        for (key, value) in [
            ("relation", json!(relation)),
            ("status", json!(1)),
            ("error", Value::Null),
            ("batched", json!(true)),
            ("batches_count", json!(0)),
            ("total_objects_count", json!(0)),
            ("batches", json!([])),
        ] {
            assert_eq!(row[key], value, "{relation} {key}");
        }
    }
    let download = |query: &str| {
        let answer = server.get(&format!("{START}/download{query}"));
        (answer.status, answer.json())
    };
    let error = |text: &str| (400, json!({ "error": text }));
    let message = |status: u16, text: &str| (status, json!({ "message": text }));
    for (query, expected) in [
        ("", error("relation is missing")),
        ("?relation=wiki", error("relation is not portable")),
        ("?relation=", error("relation is not portable")),
        ("?relation=epics", error("relation is not portable")),
        (
            "?relation=labels&batched=x&batch_number=1",
            error("batched is invalid"),
        ),
        (
            "?relation=labels&batched=true",
            error("batched, batch_number provide all or none of parameters"),
        ),
        ("?relation=labels", message(400, "Export is batched")),
        (
            "?relation=labels&batched=true&batch_number=999",
            message(404, "Batch not found"),
        ),
        (
            "?relation=self&batched=true&batch_number=1",
            message(400, "Export is not batched"),
        ),
        ("?relation=repository", message(400, "Export is batched")),
        (
            "?relation=repository&batched=true&batch_number=1",
            message(404, "Batch not found"),
        ),
    ] {
        assert_eq!(download(query), expected, "{query}");
    }
    // Its former path, in any case, names it; other projects are not there.
    for (name, status) in [("acme%2FOLD-app", 200), ("75", 404), ("acme", 404)] {
        let path = format!("/api/v4/projects/{name}/export_relations/status");
        assert_eq!(server.get(&path).status, status, "{name}");
    }
    // The project before the parameters.
    let answer = server.get("/api/v4/projects/75/export_relations/download");
    assert_eq!(
        (answer.status, answer.json()),
        message(404, "404 Project Not Found")
    );
    // A part of a file, and a file that the client has.
    let path = format!("{START}/download?relation=self");
    let whole = server.get(&path);
    let part = server.request("GET", &path, &[("Range", "bytes=2-5")], b"");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[2..6]));
}

#[test]
fn whoever_may_not_see_or_export_a_project_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let tools = new_token(&file, &["--groups", "acme/tools"]);
    let reader = new_token(&file, &["--read-only"]);
    let server = serve(folder.path(), &["--token-file", file.to_str().unwrap()]);
    let hidden = json!({"message": "404 Project Not Found"});
    let ask = |token: &str, project: i64| {
        let path = format!("/api/v4/projects/{project}/export_relations?private_token={token}");
        let answer = server.post(&path);
        (answer.status, answer.json())
    };
    assert_eq!(ask("", 71), (404, hidden.clone()));
    assert_eq!(ask(&tools, 71), (404, hidden.clone()));
    assert_eq!(ask(&tools, 75), (404, hidden));
    assert_eq!(
        ask("wrong", 71),
        (401, json!({"message": "401 Unauthorized"}))
    );
    let (status, body) = ask(&reader, 71);
    assert_eq!(
        (status, &body["error"]),
        (403, &json!("insufficient_scope"))
    );
    assert_eq!(ask(&tools, 72).0, 202);
}

#[test]
fn a_server_of_groups_alone_exports_no_projects() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--pipeline", "pipelines/group.yml"];
    let server = serve(folder.path(), &options);
    // Before the project is looked up.
    for name in ["71", "no-such"] {
        for path in ["", "/status", "/download"] {
            let path = format!("/api/v4/projects/{name}/export_relations{path}");
            let answer = match path.ends_with("relations") {
                true => server.post(&path),
                false => server.get(&path),
            };
            assert_eq!(
                (answer.status, answer.json()),
                (404, json!({"message": "404 Not Found"})),
                "{path}"
            );
        }
    }
    server.export(50, "");
}

#[test]
fn groups_and_projects_are_listed_and_searched_for_together() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), &[]);
    let list = |query: &str| -> Vec<String> {
        let answer = server.get(&format!("/-/relexport/entities{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let rows = answer.json();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["kind"].as_str().unwrap(), row["id"]))
            .collect()
    };
    // Subgroups, then projects, each by name.
    assert_eq!(
        list("?parent_id=50"),
        ["group 51", "project 71", "project 73", "project 74"]
    );
    assert_eq!(
        list("?parent_id=50&per_page=2&page=2"),
        ["project 73", "project 74"]
    );
    assert_eq!(list("?search=acme%2FTools"), ["group 51", "project 72"]);
    assert_eq!(list("?search=wheel"), ["project 72"]);
    let top = list("");
    assert!(top.contains(&"group 50".to_owned()) && top.contains(&"project 76".to_owned()));
    assert!(!top.contains(&"project 71".to_owned()) && !top.contains(&"group 51".to_owned()));
}
