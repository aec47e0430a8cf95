//! A group with everything below it is migrated from a backup by the stand-in for a GitLab: rows, bundles, uploads, LFS
//! objects, wikis and snippets, each held against what must come.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::api::destination::destination;
use crate::support::api::{Server, new_token};
use crate::support::backup::*;
use crate::support::{PROJECTS_BACKUP, gunzip, project};

use super::clients::{ok, tool};

/// Relations of rows that a destination asks for of a group, and of a project.
const OF_GROUPS: [&str; 9] = [
    "self",
    "namespace_settings",
    "labels",
    "milestones",
    "max_iids",
    "iterations_cadences",
    "boards",
    "epics",
    "epic_boards",
];
const OF_PROJECTS: [&str; 19] = [
    "self",
    "labels",
    "milestones",
    "issues",
    "snippets",
    "boards",
    "merge_requests",
    "external_pull_requests",
    "protected_branches",
    "project_feature",
    "container_expiration_policy",
    "service_desk_setting",
    "releases",
    "push_rule",
    "ci_pipelines",
    "auto_devops",
    "pipeline_schedules",
    "commit_notes",
    "vulnerabilities",
];

/// Holds the rows of an entity against the expected files.
fn check_rows(out: &Path, path: &str, prefix: &str, relations: &[&str]) {
    for relation in relations {
        let ending = match *relation {
            "self" | "max_iids" => "json",
            _ => "ndjson",
        };
        let expected = ["with_files/", ""].map(|folder| {
            project(&format!(
                "tests/expected/projects/{folder}{prefix}/{relation}.{ending}"
            ))
        });
        let expected = expected.iter().find(|file| file.exists()).unwrap();
        let mut texts = [
            expected.clone(),
            out.join(path).join(format!("{relation}.ndjson")),
        ]
        .map(|file| fs::read_to_string(file).unwrap());
        if *relation == "merge_requests" {
            // Those of a batch stand in the order of their ids, which they do not show.
            texts = texts.map(|text| {
                let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                lines.sort_unstable();
                lines.concat()
            });
        }
        let [expected, found] = texts;
        // Rows are long: only what differs is shown.
        let differ = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
        assert!(expected == found, "{path} {relation}: {differ:?}");
    }
}

/// Holds the uploads and LFS objects that came to an entity against its lists.
fn check_files(found: &Value, prefix: &str) {
    let rows = listed(prefix, "uploads").unwrap_or_default();
    let (mut attachments, mut avatar, mut ignored) = (BTreeMap::new(), Value::Null, Vec::new());
    for row in rows.iter().filter(|row| row.is_there()) {
        let name = row.name.strip_prefix("./").unwrap();
        match name.split_once('/') {
            Some(("avatar", name)) => avatar = json!([name, row.sha256]),
            Some(_) => drop(attachments.insert(name, row.sha256.clone())),
            None => ignored.push(name),
        }
    }
    let expected = json!({"attachments": attachments, "avatar": avatar, "ignored": ignored});
    assert_eq!(found["uploads"], expected, "{prefix}");
    if found["kind"] == "project" {
        let rows = listed(prefix, "lfs_objects").unwrap_or_default();
        let objects = rows.iter().filter(|row| row.is_there());
        let objects = objects.map(|row| {
            let types: Value = serde_json::from_str(&row.types).unwrap();
            (row.sha256.clone(), types)
        });
        let objects: BTreeMap<String, Value> = objects.collect();
        assert_eq!(found["lfs_objects"], json!(objects), "{prefix}");
    }
}

/// Holds a repository that came against the refs that the backup's own repository had.
fn check_refs(found: &Value, prefix: &str, name: &str) {
    let what = format!("{prefix} {name}");
    match listed_refs(prefix, name) {
        None => assert_eq!(*found, Value::Null, "{what}"),
        Some(refs) => {
            let (_head, refs) = refs.split_once('\n').unwrap();
            assert_eq!(found["refs"], refs, "{what}: {found}");
        }
    }
}

struct Entity {
    path: &'static str,
    prefix: &'static str,
}

const fn entity(path: &'static str, prefix: &'static str) -> Entity {
    Entity { path, prefix }
}

/// What a destination makes of acme: doomed is marked for deletion and ghost half deleted, so they are not listed.
const ACME: [Entity; 5] = [
    entity("acme", "group_50"),
    entity("acme/tools", "group_51"),
    entity("acme/app", "project_71"),
    entity("acme/attic", "project_73"),
    entity("acme/tools/wheel", "project_72"),
];
const DEPOT: [Entity; 8] = [
    entity("depot", "group_90"),
    entity("depot/crates", "group_91"),
    entity("depot/engine", "project_81"),
    entity("depot/vault", "project_82"),
    entity("depot/bare", "project_84"),
    entity("depot/Old", "project_85"),
    entity("depot/crates/engine", "project_83"),
    entity("depot/crates/pile", "project_86"),
];

/// Holds everything that came with the files of a family against what must come.
fn check_family(result: &Value, family: &[Entity]) {
    let entities = result["entities"].as_object().unwrap();
    let mut paths: Vec<&str> = entities.keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = family.iter().map(|entity| entity.path).collect();
    paths.sort_unstable();
    expected.sort_unstable();
    assert_eq!(paths, expected);
    for Entity { path, prefix } in family {
        let found = &entities[*path];
        check_files(found, prefix);
        check_refs(&found["wiki"], prefix, "wiki");
        if found["kind"] == "project" {
            check_refs(&found["repository"], prefix, "repository");
            check_refs(&found["design"], prefix, "design");
        }
    }
    // Nothing had to be asked for twice, and nothing came late.
    assert_eq!(result["retries"], json!([]));
    assert!(
        result["slowest"].as_f64().unwrap() < 60.0,
        "{}",
        result["slowest"]
    );
}

/// A server of the fixture backup with files, and a token for both families.
fn server(folder: &Path) -> (Server, String) {
    let tokens = folder.join("tokens");
    let token = new_token(&tokens, &["--groups", "acme,depot"]);
    let options = ["--token-file", tokens.to_str().unwrap()];
    let server = Server::of(&project(PROJECTS_BACKUP), &folder.join("data"), &options);
    (server, token)
}

#[test]
fn a_destination_migrates_a_family_with_its_projects() {
    let folder = tempfile::tempdir().unwrap();
    let (server, token) = server(folder.path());
    for release in ["19.3", "18.9"] {
        let out = folder.path().join(release);
        let result = destination(&server, &token, "acme", &out, &["--release", release]);
        check_family(&result, &ACME);
        for Entity { path, prefix } in &ACME {
            let relations: &[&str] = match prefix.starts_with("group") {
                true => &OF_GROUPS,
                false => &OF_PROJECTS,
            };
            check_rows(&out, path, prefix, relations);
            if release == "19.3" && prefix.starts_with("project") {
                check_rows(&out, path, prefix, &["max_iids"]);
            }
        }
        let app = &result["entities"]["acme/app"];
        assert_eq!(
            app["project"],
            json!({
                "id": "gid://gitlab/Project/71",
                "name": "App <&>",
                "visibility": "public",
                "created_at": "2024-01-03T00:00:00Z",
            })
        );
        // The guess of a clone: git's own default is not there, and `main` is the last branch of HEAD's commit.
        assert_eq!(app["repository"]["head"], "refs/heads/main");
        check_refs(
            &app["snippets"]["A <snippet>"],
            "project_71",
            "snippet_1101",
        );
        let badges = app["badges"].as_array().unwrap();
        let links: Vec<&str> = badges
            .iter()
            .filter_map(|badge| badge["link_url"].as_str())
            .collect();
        assert_eq!(
            links,
            ["https://x.example/1", "https://x.example/%{project_path}"]
        );
    }
}

#[test]
fn a_destination_gets_the_files_of_every_sort_of_project() {
    let folder = tempfile::tempdir().unwrap();
    let (server, token) = server(folder.path());
    for release in ["19.3", "18.9"] {
        let out = folder.path().join(release);
        let result = destination(&server, &token, "depot", &out, &["--release", release]);
        check_family(&result, &DEPOT);
        for name in ["self", "merge_requests"] {
            check_rows(&out, "depot/engine", "project_81", &[name]);
        }
        // What the backup lacks is said once, for the one export that there was.
        let log = server.log();
        for told in [
            "6 files that rows name are not in the snapshot",
            "2 files are not what their rows say",
        ] {
            assert_eq!(log.matches(told).count(), 1, "{told}: {log}");
        }
        let engine = &result["entities"]["depot/engine"];
        check_refs(
            &engine["snippets"]["Gear list"],
            "project_81",
            "snippet_1111",
        );
        let snippets: Vec<&String> = engine["snippets"].as_object().unwrap().keys().collect();
        assert_eq!(snippets, ["Gear list"]);
        // Alice owns the group above, and Bob is the project's own.
        let members = engine["members"].as_array().unwrap().iter();
        let mut members: Vec<Value> = members
            .map(|member| {
                json!([
                    member["access_level"]["integer_value"],
                    member["user"]["username"]
                ])
            })
            .collect();
        members.sort_by_key(Value::to_string);
        assert_eq!(members, [json!([30, "bob"]), json!([50, "alice"])]);
    }
}

#[test]
fn a_destination_migrates_one_project() {
    let folder = tempfile::tempdir().unwrap();
    let (server, token) = server(folder.path());
    let out = folder.path().join("out");
    let result = destination(&server, &token, "depot/crates/pile", &out, &["--project"]);
    check_family(&result, &DEPOT[7..]);
}

/// An administrator may start a migration again: the answers are the same.
#[test]
fn a_second_migration_gets_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (server, token) = server(folder.path());
    let migrate = |out: &str| {
        let out = folder.path().join(out);
        let mut result = destination(&server, &token, "depot", &out, &[]);
        for key in ["requests", "slowest"] {
            result.as_object_mut().unwrap().remove(key);
        }
        result
    };
    assert_eq!(migrate("first"), migrate("second"));
}

#[test]
fn python_gitlab_exports_a_project() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let token = new_token(&tokens, &[]);
    let options = ["--token-file", tokens.to_str().unwrap()];
    let server = Server::of(
        &project(PROJECTS_BACKUP),
        &folder.path().join("data"),
        &options,
    );
    let out = folder.path().join("repository.tar.gz");
    let output = Command::new(tool("python"))
        .arg(project("tests/api_clients/python_gitlab_projects.py"))
        .arg(server.url(""))
        .arg(&token)
        .arg(&out)
        .output()
        .unwrap();
    ok(output);
    let archive = gunzip(&fs::read(out).unwrap());
    tar::Archive::new(archive.as_slice())
        .unpack(folder.path())
        .unwrap();
    let bundle = folder.path().join("repository.bundle");
    let refs = cloned_refs(&bundle, &folder.path().join("clone.git"));
    assert_eq!(Some(refs), listed_refs("project_81", "repository"));
}
