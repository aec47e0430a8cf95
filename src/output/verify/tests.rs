//! Verification of folders that are wrong in one place each.

use std::fs;
use std::path::Path;

use super::*;
use crate::output::gzip::{self, GzipLevel};
use crate::output::store::FolderStore;
use crate::output::{BatchEntry, EntityEntry, OptionsEntry, PipelineEntry, SnapshotEntry};

fn put(folder: &Path, name: &str, bytes: &[u8]) -> FileEntry {
    use sha2::{Digest, Sha256};
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    FileEntry {
        file: name.to_owned(),
        bytes: bytes.len() as u64,
        sha256: crate::hex::encode(&Sha256::digest(bytes)),
    }
}

fn zip(content: &[u8]) -> Vec<u8> {
    gzip::compress(content, GzipLevel::default())
}

fn relation(name: &str, objects: u64, file: Option<FileEntry>) -> RelationEntry {
    RelationEntry {
        relation: name.to_owned(),
        status: Status::Finished,
        error: None,
        updated_at: String::new(),
        batched: false,
        batches_count: 0,
        total_objects_count: objects,
        rows_read: None,
        batches: None,
        file,
        skipped: Vec::new(),
        skipped_count: 0,
        skipped_nested_count: 0,
        notes: Default::default(),
    }
}

fn batch(position: usize, objects: u64, file: FileEntry) -> BatchEntry {
    BatchEntry {
        status: BatchStatus::Finished,
        batch_number: BatchNumber::at(position).unwrap(),
        objects_count: objects,
        error: None,
        updated_at: String::new(),
        file: Some(file),
    }
}

const METADATA: &str = "metadata.json.gz";
const METADATA_TEXT: &str = r#"{"export_prefix":"out","entities_mapping":{"acme":"group_1"}}"#;

/// A right export: labels in batches of two, self, and settings without a row.
fn export(folder: &Path) -> Manifest {
    let one = put(
        folder,
        "group_1/labels/batch_1.ndjson.gz",
        &zip(b"{\"id\":1}\n{\"id\":2}\n"),
    );
    let two = put(
        folder,
        "group_1/labels/batch_2.ndjson.gz",
        &zip(b"{\"id\":3}\n"),
    );
    let own = put(folder, "group_1/self.json.gz", &zip(b"{\"id\":1}"));
    let empty = put(folder, "group_1/settings.ndjson.gz", &zip(b""));
    let metadata = put(folder, METADATA, &zip(METADATA_TEXT.as_bytes()));
    fs::write(folder.join("manifest.json"), "{}").unwrap();
    let labels = RelationEntry {
        batched: true,
        batches_count: 2,
        batches: Some(vec![batch(0, 2, one), batch(1, 1, two)]),
        ..relation("labels", 3, None)
    };
    Manifest {
        manifest_version: manifest::VERSION,
        generator: String::new(),
        status: Status::Finished,
        started_at: String::new(),
        finished_at: None,
        conditional_put: None,
        job: None,
        error: None,
        snapshot: SnapshotEntry {
            kind: String::new(),
            source: String::new(),
            server_version: None,
            gitlab_version: None,
            taken_at: None,
            lsn: None,
        },
        pipeline: PipelineEntry {
            name: String::new(),
            sha256: String::new(),
        },
        more_pipelines: Vec::new(),
        options: OptionsEntry {
            batched: true,
            batch_size: 2,
            batch_sizes: Default::default(),
            batch_bytes: None,
            edition: "ee".to_owned(),
        },
        suspect: Vec::new(),
        redaction: None,
        encrypted_for: Vec::new(),
        resume: None,
        terms: None,
        warnings: Vec::new(),
        missing_tables: 0,
        tables_without_data: Vec::new(),
        left_out_relations: Vec::new(),
        tables_in_parts: Vec::new(),
        left_out: Vec::new(),
        metadata: Some(metadata),
        timings: None,
        entities: vec![EntityEntry {
            id: 1.into(),
            kind: "Group".to_owned(),
            full_path: "acme".to_owned(),
            prefix: "group_1".to_owned(),
            parent_id: None,
            missing_parent: None,
            relations: vec![
                labels,
                relation("self", 1, Some(own)),
                relation("settings", 0, Some(empty)),
            ],
        }],
    }
}

fn form(_entity: &EntityEntry, relation: &str) -> Option<Form> {
    match relation {
        "labels" => Some(Form::Lines),
        "self" => Some(Form::Object),
        "settings" => Some(Form::Single),
        _ => None,
    }
}

fn problems(folder: &Path, manifest: &Manifest) -> Vec<String> {
    let verified = verify(
        &FolderStore::new(folder),
        manifest,
        &form,
        &AtomicU64::new(0),
        None,
    )
    .unwrap();
    verified.problems.iter().map(ToString::to_string).collect()
}

/// Changes a right export and says what is then found.
fn found(change: impl FnOnce(&Path, &mut Manifest)) -> Vec<String> {
    let temp = tempfile::tempdir().unwrap();
    let mut manifest = export(temp.path());
    change(temp.path(), &mut manifest);
    problems(temp.path(), &manifest)
}

/// Puts a file with other content in place of labels' second batch, whose entry is made to fit.
fn with_batch_2(bytes: &[u8]) -> Vec<String> {
    found(|folder, manifest| {
        let file = put(folder, "group_1/labels/batch_2.ndjson.gz", bytes);
        let batches = manifest.entities[0].relations[0].batches.as_mut().unwrap();
        batches[1].file = Some(file);
    })
}

const BATCH_2: &str = "group_1/labels/batch_2.ndjson.gz";

#[test]
fn a_right_export_has_no_problems() {
    let temp = tempfile::tempdir().unwrap();
    let manifest = export(temp.path());
    let verified = verify(
        &FolderStore::new(temp.path()),
        &manifest,
        &form,
        &AtomicU64::new(0),
        None,
    )
    .unwrap();
    assert_eq!(verified.problems, []);
    assert_eq!((verified.files, verified.objects), (5, 4));
    // Of a pipeline that is not known, the names tell enough.
    let verified = verify(
        &FolderStore::new(temp.path()),
        &manifest,
        &|_, _| None,
        &AtomicU64::new(0),
        None,
    )
    .unwrap();
    assert_eq!(verified.problems, []);
}

#[test]
fn one_object_that_is_not_there_may_be_null() {
    let settings = |content: &[u8]| {
        let content = zip(content);
        found(move |folder, manifest| {
            let entry = put(folder, "group_1/settings.ndjson.gz", &content);
            let relations = manifest.entities[0].relations.iter_mut();
            for relation in relations.filter(|relation| relation.relation == "settings") {
                relation.total_objects_count = 1;
                relation.file = Some(entry.clone());
            }
        })
    };
    assert_eq!(settings(b"null"), [""; 0]);
    for wrong in [&b"null\n"[..], b"nul", b"null\nnull"] {
        assert!(!settings(wrong).is_empty(), "{wrong:?}");
    }
}

#[test]
fn content_that_is_not_ndjson_is_found() {
    let cases: [(&str, &[u8], &str); 7] = [
        ("no line end", b"{\"id\":3}", "its last line has no end"),
        ("an empty line", b"\n", "line 1 is empty"),
        ("an array", b"[1]\n", "line 1 is no JSON object"),
        (
            "two objects in a line",
            b"{}{}\n",
            "line 1 is no JSON: trailing characters at line 1 column 3",
        ),
        (
            "a cut object",
            b"{\"id\":3\n",
            "line 1 is no JSON: EOF while parsing an object at line 1 column 7",
        ),
        (
            "not UTF-8",
            b"{\"a\":\"\xff\"}\n",
            "line 1 is not UTF-8: invalid utf-8 sequence of 1 bytes from index 6",
        ),
        (
            "one line too many",
            b"{}\n{}\n",
            "it holds 2 objects, but the manifest says 1",
        ),
    ];
    for (name, content, expected) in cases {
        assert_eq!(
            with_batch_2(&zip(content)),
            [format!("{BATCH_2}: {expected}")],
            "{name}"
        );
    }
}

#[test]
fn files_that_are_not_one_gzip_member_are_found() {
    let right = zip(b"{\"id\":3}\n");
    let two = [right.clone(), zip(b"")].concat();
    let behind = two.len() - right.len();
    assert_eq!(
        with_batch_2(&two),
        [format!(
            "{BATCH_2}: {behind} bytes stand behind its first gzip member"
        )]
    );
    for (name, bytes) in [
        ("cut off", &right[..right.len() - 1]),
        ("no gzip", b"{\"id\":3}\n".as_slice()),
        ("empty", b"".as_slice()),
    ] {
        let found = with_batch_2(bytes);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(
            found[0].starts_with(&format!("{BATCH_2}: it is no whole gzip file")),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn a_changed_byte_breaks_the_checksum() {
    let found = found(|folder, _| {
        let path = folder.join("group_1/self.json.gz");
        let mut bytes = fs::read(&path).unwrap();
        // The system in the gzip header, which no content depends on.
        bytes[9] = 3;
        fs::write(path, bytes).unwrap();
    });
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("group_1/self.json.gz: its SHA-256 is "));
}

#[test]
fn metadata_that_is_another_one_is_found() {
    let told = |messages: &[&str]| -> Vec<String> {
        let messages = messages.iter();
        messages.map(|it| format!("{METADATA}: {it}")).collect()
    };
    // A manifest of an earlier version says nothing of the file.
    let with = |mapping: &str| {
        let text = METADATA_TEXT.replace(r#"{"acme":"group_1"}"#, mapping);
        found(|folder, manifest| {
            put(folder, METADATA, &zip(text.as_bytes()));
            manifest.metadata = None;
        })
    };
    assert_eq!(with(r#"{"acme":"group_1"}"#), [""; 0]);
    assert_eq!(with("{}"), told(&["it does not say where acme lies"]));
    assert_eq!(
        with(r#"{"acme":"group_2"}"#),
        told(&["acme is to lie in \"group_2\", but the manifest says \"group_1\""])
    );
    assert_eq!(
        with(r#"{"acme":"group_1","zoo":"group_9"}"#),
        told(&["it names zoo, which the manifest does not"])
    );
    let large = format!(r#"{{"acme":"group_1","zoo":"{}"}}"#, "z".repeat(1 << 17));
    let found_in_large = with(&large);
    assert!(
        found_in_large[0].contains("it is larger than it may be"),
        "{found_in_large:?}"
    );
    let no_map = found(|folder, manifest| {
        put(folder, METADATA, &zip(b"{\"entities_mapping\":7}"));
        manifest.metadata = None;
    });
    assert!(
        no_map[0].contains("it cannot be held against the manifest"),
        "{no_map:?}"
    );
    // What only the checksum tells.
    let changed = found(|folder, _| {
        let text = METADATA_TEXT.replace("out", "e");
        put(folder, METADATA, &zip(text.as_bytes()));
    });
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert!(changed.iter().any(|it| it.contains("its SHA-256 is")));
    let missing = found(|folder, _| fs::remove_file(folder.join(METADATA)).unwrap());
    assert_eq!(missing, told(&["it is not there"]));
}

#[test]
fn files_that_are_missing_or_unknown_are_found() {
    let missing = found(|folder, _| fs::remove_file(folder.join(BATCH_2)).unwrap());
    assert_eq!(missing, [format!("{BATCH_2}: it is not there")]);
    let unknown = found(|folder, _| {
        for name in [
            "notes.txt",
            "group_1/labels/batch_3.ndjson.gz.part",
            "group_2/self.json.gz",
        ] {
            put(folder, name, b"");
        }
    });
    assert_eq!(
        unknown,
        [
            "group_1/labels/batch_3.ndjson.gz.part: the manifest does not know it",
            "group_2: the manifest does not know it",
            "notes.txt: the manifest does not know it",
        ]
    );
    let link = found(|folder, _| {
        fs::rename(folder.join(BATCH_2), folder.join("../elsewhere-of-verify")).unwrap();
        std::os::unix::fs::symlink("../../../elsewhere-of-verify", folder.join(BATCH_2)).unwrap();
        fs::remove_file(folder.join("../elsewhere-of-verify")).unwrap();
    });
    assert_eq!(link, [format!("{BATCH_2}: it is no regular file")]);
}

#[test]
fn a_manifest_that_contradicts_itself_is_found() {
    type Change = fn(&mut Manifest);
    fn labels(manifest: &mut Manifest) -> &mut RelationEntry {
        &mut manifest.entities[0].relations[0]
    }
    fn own(manifest: &mut Manifest) -> &mut RelationEntry {
        &mut manifest.entities[0].relations[1]
    }
    let cases: [(&str, Change, &[&str]); 9] = [
        (
            "a count that is not the sum",
            |m| labels(m).total_objects_count = 4,
            &["relation labels of acme counts 4 objects, but its batches 3"],
        ),
        (
            "a wrong number of batches",
            |m| labels(m).batches_count = 3,
            &["relation labels of acme lists 2 batches, but counts 3"],
        ),
        (
            "batches of another size",
            |m| m.options.batch_size = 3,
            &["relation labels of acme, batch 1 has 2 objects, but batches have 3"],
        ),
        (
            "a relation that has failed",
            |m| {
                m.status = Status::Failed;
                own(m).status = Status::Failed;
                own(m).error = Some("table namespaces: bad".to_owned());
            },
            &["relation self of acme has failed: table namespaces: bad"],
        ),
        (
            "finished, but not all of it",
            |m| own(m).status = Status::Started,
            &[
                "it says finished, but not every relation is",
                "relation self of acme is not finished",
            ],
        ),
        (
            "an export that goes on",
            |m| m.status = Status::Started,
            &["the export has not ended"],
        ),
        (
            "batched against the options",
            |m| m.options.batched = false,
            &["relation labels of acme is batched, but the export is not"],
        ),
        (
            "an object more",
            |m| {
                own(m).total_objects_count = 2;
            },
            &[],
        ),
        (
            "the whole is doubtful",
            |m| m.error = Some("the snapshot ends too early".to_owned()),
            &["the export is not to be relied on: the snapshot ends too early"],
        ),
    ];
    for (name, change, expected) in cases {
        let found = found(|_, manifest| change(manifest));
        let expected: Vec<String> = match expected {
            [] => {
                vec!["group_1/self.json.gz: it holds 1 objects, but the manifest says 2".to_owned()]
            }
            messages => messages
                .iter()
                .map(|message| format!("manifest.json: {message}"))
                .collect(),
        };
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_name_that_leads_out_of_the_folder_is_not_followed() {
    let found = found(|_, manifest| {
        let own = &mut manifest.entities[0].relations[1];
        own.file.as_mut().unwrap().file = "../../etc/passwd".to_owned();
    });
    assert_eq!(
        found,
        [
            "group_1/self.json.gz: the manifest does not know it",
            "manifest.json: relation self of acme has the file \"../../etc/passwd\" where group_1/self.json.gz belongs",
        ]
    );
}

#[test]
fn rows_that_were_read_and_of_which_nothing_more_is_said_are_found() {
    let labels = |read: u64, skipped: u64, nested: u64| {
        found(move |_, manifest| {
            let labels = &mut manifest.entities[0].relations[0];
            labels.rows_read = Some(read);
            labels.skipped_count = skipped;
            labels.skipped_nested_count = nested;
        })
    };
    // Three are written.
    for (read, skipped, nested) in [
        (3, 0, 0),
        (4, 1, 0),
        (0, 0, 0),
        (4, 7, 0),
        (4, 7, 6),
        (3, 2, 2),
    ] {
        assert_eq!(labels(read, skipped, nested), [""; 0], "{read} read");
    }
    let says = "manifest.json: relation labels of acme: of 6 rows that were read, 2 are neither written nor left out";
    assert_eq!(labels(6, 1, 0), [says]);
    // Rows that are nested in records stand for no record.
    assert_eq!(labels(6, 3, 2), [says]);
}
