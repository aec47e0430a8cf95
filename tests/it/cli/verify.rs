//! `relexport verify`. What it finds is tested beside its code; here, that it looks at real exports.

use std::fs;

use crate::support::cli::Exported;
use crate::support::*;

#[test]
fn exports_of_every_shape_are_right() {
    for arguments in [
        "-g 4351",
        "-g 4351 --batched --batch-size 3",
        "--all-groups --batched --batch-size 1",
        "-g 4352 --relation epics --batched",
        "-g 7001 --edition ce",
    ] {
        let exported = Exported::new(&format!("-s {DUMP} {arguments}"));
        let verified = relexport(&format!("verify {} --json", exported.out())).json();
        assert_eq!(verified["ok"], true, "{arguments}: {verified}");
        assert_eq!(verified["problems"], serde_json::json!([]));
    }
}

#[test]
fn everything_that_is_wrong_is_told() {
    let exported = Exported::new(&format!(
        "-s {DUMP} -g 4351 --batched --batch-size 3 --relation badges --relation labels"
    ));
    fs::remove_file(exported.path("group_4351/badges/batch_2.ndjson.gz")).unwrap();
    let first = exported.path("group_4351/labels/batch_1.ndjson.gz");
    let mut bytes = fs::read(&first).unwrap();
    let last = bytes.len() - 1;
    bytes.truncate(last);
    fs::write(first, bytes).unwrap();
    fs::write(exported.path("left-over"), "").unwrap();
    let ran = relexport(&format!("verify {}", exported.out())).run();
    assert_eq!(ran.code, Some(1));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines[0],
        "group_4351/badges/batch_2.ndjson.gz: it is not there"
    );
    for (line, expected) in lines[1..4].iter().zip([
        format!("it has {last} bytes, but the manifest says {}", last + 1),
        "it is no whole gzip file".to_owned(),
        "its SHA-256 is ".to_owned(),
    ]) {
        let message = line
            .strip_prefix("group_4351/labels/batch_1.ndjson.gz: ")
            .unwrap();
        assert!(message.starts_with(&expected), "{line}");
    }
    assert_eq!(lines[4], "left-over: the manifest does not know it");
    assert!(lines[5].ends_with(": 5 problems"), "{}", lines[5]);
    let json = relexport(&format!("verify {} --json", exported.out())).run();
    assert_eq!(json.code, Some(1));
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["problems"].as_array().unwrap().len(), 5);
}

#[test]
fn a_folder_without_a_manifest_is_no_export() {
    let error = relexport("verify fixtures").err(3);
    assert!(
        error.starts_with("error: cannot read fixtures/manifest.json"),
        "{error}"
    );
}

#[test]
fn archives_are_looked_into() {
    const BACKUP: &str = "fixtures/projects/1790000000_2026_09_21_19.3.0-ee_gitlab_backup.tar";
    let exported = Exported::new(&format!("-s {BACKUP} --project 81 --project 71"));
    relexport(&format!("verify {}", exported.out())).ok();
    // An object under another object's name, with a manifest that agrees.
    let path = exported.path("project_71/lfs_objects.tar.gz");
    let mut tar = Vec::new();
    let packed = fs::read(&path).unwrap();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(packed.as_slice()),
        &mut tar,
    )
    .unwrap();
    let content = 512 * 2;
    tar[content] ^= 1;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &tar).unwrap();
    fs::write(&path, gzip.finish().unwrap()).unwrap();
    let ran = relexport(&format!("verify {}", exported.out())).run();
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout
            .contains("has another SHA-256 than its name says"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_gitlab_would_refuse_is_told() {
    let exported = Exported::new(&format!("-s {DUMP} -g 4351 --gitlab-version 18.9.0"));
    let verify = format!("verify {}", exported.out());
    relexport(&verify).ok();
    let ran = relexport(&format!("{verify} --gitlab-offline")).run();
    assert_eq!(ran.code, Some(1));
    for part in ["instance_version is ", "source_hostname is no address"] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    let exported = Exported::new(&format!(
        "-s {DUMP} -g 4351 --gitlab-version 19.3.0-ee --source-url https://gitlab.example"
    ));
    relexport(&format!("verify {} --gitlab-offline", exported.out())).ok();
}
