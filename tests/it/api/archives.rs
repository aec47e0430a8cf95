//! All of an export as one tar.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lifecycle::state;
use crate::support::api::{Answer, Server, new_token};
use crate::support::{DUMP, dump, edit_rows, expected, gunzip, project, relexport, wait_until};
use serde_json::{Value, json};

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
        "--prefetch",
        "entity",
    ];
    // The fixture's backup lacks a part of a project's repository, so that nothing of it is complete.
    let server = Server::of(&project(DUMP), &folder.path().join("data"), &options);
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
        (
            202,
            json!({"message": "202 Accepted", "groups": 3, "projects": 1, "new": 4})
        )
    );
    let overview = || ask("GET", one, &token).json();
    wait_until("the export has ended", || overview()["state"] == "finished");
    assert_eq!(overview()["archive"]["groups"], 1);
    assert_eq!(overview()["archive_with_subgroups"]["groups"], 2);
    assert_eq!(overview()["archive_with_subgroups"]["projects"], 1);

    for (address, groups, projects, name) in [
        (&archive, &[4351][..], &[][..], "group_4351_acme_platform"),
        (&tree, &[4351, 4352], &[31], "tree_4351_acme_platform"),
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
        assert_eq!(ids, [projects, groups].concat());
        let metadata = gunzip(&fs::read(top.join("metadata.json.gz")).unwrap());
        let metadata: Value = serde_json::from_slice(&metadata).unwrap();
        let mapping = metadata["entities_mapping"].as_object().unwrap();
        assert_eq!(mapping.len(), groups.len() + projects.len());
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
