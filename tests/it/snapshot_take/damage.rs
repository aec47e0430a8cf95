//! Taken snapshots that somebody has changed: `snapshot verify` finds it, and no export begins from one.

use super::*;

/// Damages a taken snapshot; verification must say all of this, and nothing else.
fn assert_damage(damage: impl FnOnce(&Path), says: &[&str]) {
    let dir = Dir::new();
    let folder = take(&dir, project("fixtures/csv"), "taken", &["--group", "4351"]);
    damage(&folder);
    let run = snapshot(&dir, "verify taken").run();
    let stdout = run.stdout;
    assert_eq!(run.code, Some(1), "{stdout}");
    let problems: Vec<&str> = stdout.lines().collect();
    assert_eq!(problems.len(), says.len() + 1, "{stdout}");
    for (problem, part) in problems.iter().zip(says) {
        assert!(problem.contains(part), "no {part:?} in: {problem}");
    }
    let run = snapshot(&dir, "verify taken --json").run();
    assert_eq!(run.code, Some(1));
    let json = run.json();
    assert_eq!(json["ok"], false);
    assert_eq!(json["problems"].as_array().unwrap().len(), says.len());
}

fn edit_described(folder: &Path, change: impl FnOnce(&mut Value)) {
    let mut described = described(folder);
    change(&mut described);
    fs::write(folder.join("snapshot.json"), described.to_string()).unwrap();
}

#[test]
fn every_damage_is_found() {
    let labels = "labels.csv.zst";
    assert_damage(
        |folder| fs::remove_file(folder.join(labels)).unwrap(),
        &["labels.csv.zst: it is not there"],
    );
    assert_damage(
        |folder| {
            let bytes = fs::read(folder.join(labels)).unwrap();
            fs::write(folder.join(labels), &bytes[..bytes.len() - 1]).unwrap();
        },
        &[
            "it cannot be read to its end",
            "bytes, but snapshot.json says",
            "its SHA-256 is",
        ],
    );
    assert_damage(
        |folder| {
            // The content is the same: only the frame's header says that another size may follow.
            let content = csv(folder, "labels");
            let bytes = zstd::encode_all(&content[..], 19).unwrap();
            fs::write(folder.join(labels), bytes).unwrap();
        },
        &["bytes, but snapshot.json says", "its SHA-256 is"],
    );
    assert_damage(
        |folder| {
            let bytes = fs::read(folder.join("schema.sql")).unwrap();
            fs::write(folder.join("schema.sql"), [&bytes[..], b"\n"].concat()).unwrap();
        },
        &["schema.sql: it has", "schema.sql: its SHA-256 is"],
    );
    assert_damage(
        |folder| fs::write(folder.join("more.csv"), "").unwrap(),
        &["more.csv: snapshot.json does not know it"],
    );
    assert_damage(
        |folder| fs::create_dir(folder.join("more")).unwrap(),
        &["more: snapshot.json does not know it"],
    );
    assert_damage(
        |folder| {
            let elsewhere = folder.with_file_name("elsewhere");
            fs::rename(folder.join(labels), &elsewhere).unwrap();
            std::os::unix::fs::symlink(elsewhere, folder.join(labels)).unwrap();
        },
        &["labels.csv.zst: it is no regular file"],
    );
    assert_damage(
        |folder| edit_described(folder, |it| it["tables"][0]["rows"] = 4_000_000.into()),
        &["rows, but snapshot.json says 4000000"],
    );
    assert_damage(
        |folder| {
            edit_described(folder, |it| {
                it["tables"][0]["file"] = "../../etc/passwd".into()
            })
        },
        &[
            "award_emoji.csv.zst: snapshot.json does not know it",
            "where another belongs",
        ],
    );
    assert_damage(
        |folder| {
            edit_described(folder, |it| {
                let first = it["tables"][0].clone();
                it["tables"].as_array_mut().unwrap().push(first);
            });
        },
        &["table award_emoji is listed twice"],
    );
    assert_damage(
        |folder| edit_described(folder, |it| it["schema"]["file"] = "/etc/passwd".into()),
        &[
            "schema.sql: snapshot.json does not know it",
            "where schema.sql belongs",
        ],
    );
}

#[test]
fn what_is_no_taken_snapshot_is_told() {
    let dir = Dir::new();
    let fixtures = project("fixtures/csv");
    snapshot(&dir, "verify")
        .arg(&fixtures)
        .fails(3, &["snapshot.json", "is this a folder of"]);
    let folder = take(&dir, &fixtures, "taken", &[]);
    edit_described(&folder, |it| it["snapshot_version"] = 7.into());
    snapshot(&dir, "verify taken").fails(3, &["has snapshot version 7"]);
    fs::write(folder.join("snapshot.json"), "{}").unwrap();
    snapshot(&dir, "verify taken").fails(3, &["does not describe a snapshot"]);
}

#[test]
fn an_export_does_not_begin_from_a_folder_that_lacks_something() {
    let dir = Dir::new();
    let folder = take(&dir, project("fixtures/csv"), "taken", &[]);
    let labels = folder.join("labels.csv.zst");
    let bytes = fs::read(&labels).unwrap();
    fs::write(&labels, [&bytes[..], &bytes].concat()).unwrap();
    dir.export(&folder)
        .group(4351)
        .fails(3, &["labels.csv.zst", "snapshot.json says"]);
    fs::remove_file(&labels).unwrap();
    dir.export(&folder)
        .group(4351)
        .fails(3, &["labels.csv.zst", "it is missing"])
        .left_nothing();
    fs::write(&labels, &bytes).unwrap();
    dir.export(&folder).group(4351).ok();
    fs::write(folder.join("snapshot.json"), "{\"tables\": 1").unwrap();
    dir.export(&folder)
        .args(["--force"])
        .group(4351)
        .fails(3, &["snapshot.json", "take the snapshot again"]);
}
