//! Files of complete exports that somebody removes from the data folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::api::*;
use crate::support::*;

const CORE: &str = "/api/v4/groups/4352/export_relations";
const LABELS: &str = "relation=labels";

/// Where a file of group 4352 lies in a data folder, in the newest export that has it.
fn stored(data: &Path, file: &str) -> PathBuf {
    let folders = fs::read_dir(data).unwrap();
    let exports =
        folders.filter_map(|folder| fs::read_dir(folder.unwrap().path().join("exports")).ok());
    let runs = exports.flatten().map(|run| run.unwrap().path());
    let files = runs.map(|run| run.join("files/group_4352").join(file));
    files.filter(|path| path.exists()).max().expect("an export")
}

fn assert_made_anew(server: &Server) {
    assert_eq!(server.post(CORE).status, 202);
    for row in server.wait_for_export(4352) {
        assert_eq!(row["status"], 1, "{row}");
    }
    assert_eq!(server.download(4352, LABELS), expected(4352, "labels"));
}

#[test]
fn an_export_that_lacks_a_file_is_not_finished_and_is_made_anew() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    server.export(4352, "");
    let one = |relation: &str| {
        server
            .get(&format!("{CORE}/status?relation={relation}"))
            .json()
    };
    // A file that is gone, and one that is cut off.
    let file = stored(data.path(), "labels.ndjson.gz");
    let bytes = fs::read(&file).unwrap();
    for (what, removed) in [("gone", true), ("cut off", false)] {
        match removed {
            true => fs::remove_file(&file).unwrap(),
            false => fs::write(&file, &bytes[..bytes.len() - 1]).unwrap(),
        }
        let row = one("labels");
        assert_eq!(row["status"], -1, "{what}: {row}");
        assert!(row["error"].as_str().unwrap().contains("gone"), "{row}");
        assert_eq!(one("badges")["status"], 1, "{what}");
        for row in server.status(4352) {
            let is_labels = row["relation"] == "labels";
            assert_eq!(row["status"], if is_labels { -1 } else { 1 }, "{row}");
        }
        let overview = server.get("/-/relexport/groups/4352").json();
        assert_eq!(overview["state"], "failed", "{what}");
        // Whoever brings it back in time has it back.
        fs::write(&file, &bytes).unwrap();
        assert_eq!(one("labels")["status"], 1, "{what}");
    }
    fs::remove_file(&file).unwrap();
    let answer = server.get(&format!("{CORE}/download?{LABELS}"));
    assert_eq!(
        (answer.status, answer.json()["message"].as_str()),
        (404, Some("404 Not Found"))
    );
    let log = server.log();
    assert!(
        log.contains("labels.ndjson.gz is not there any more"),
        "{log}"
    );
    assert_made_anew(&server);
    // What is whole is not made once more.
    let path = stored(data.path(), "labels.ndjson.gz");
    server.export(4352, "");
    assert_eq!(stored(data.path(), "labels.ndjson.gz"), path);

    // Nobody has looked at the status, and the server is another one.
    assert_eq!(server.end(), Some(0));
    fs::remove_file(path).unwrap();
    let server = Server::start(data.path(), &[]);
    assert_made_anew(&server);
}

#[test]
fn a_batch_that_is_gone_fails_its_relation_and_is_prepared_anew() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    server.export(4352, "?batched=true");
    let file = stored(data.path(), "labels/batch_1.ndjson.gz");
    fs::remove_file(&file).unwrap();
    let row = server.get(&format!("{CORE}/status?{LABELS}")).json();
    assert_eq!(
        (&row["status"], &row["batches"][0]["status"]),
        (&(-1).into(), &(-1).into())
    );
    assert_eq!(server.end(), Some(0));
    let server = Server::start(data.path(), &["--prepare", "acme/platform/core"]);
    wait_until("the group is prepared", || {
        server
            .log()
            .contains("group acme/platform/core is prepared")
    });
    for row in server.status(4352) {
        assert_eq!(row["status"], 1, "{row}");
    }
    let batch = server.download(4352, "relation=labels&batched=true&batch_number=1");
    assert_eq!(batch, expected(4352, "labels"));
}

#[test]
fn exports_that_are_removed_while_the_server_runs_are_made_anew() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    server.export(4352, "");
    let labels = stored(data.path(), "labels.ndjson.gz");
    let exports = labels.ancestors().nth(4).unwrap();
    assert!(exports.ends_with("exports"), "{exports:?}");
    fs::remove_dir_all(exports).unwrap();
    for row in server.status(4352) {
        let has_no_files = row["batches"].as_array().is_some_and(Vec::is_empty);
        assert_eq!(row["status"], if has_no_files { 1 } else { -1 }, "{row}");
    }
    assert_made_anew(&server);
    fs::remove_dir_all(exports).unwrap();
    let anew = server.post("/-/relexport/groups/4352/export?anew=true");
    assert_eq!(anew.status, 202, "{anew:?}");
    server.wait_for_export(4352);
    server.export(4350, "");
}
