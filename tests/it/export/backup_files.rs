//! What an export makes of a backup's files: archives of uploads, LFS objects and bundles, held against the lists in
//! tests/expected/projects/archives, and the values that come from files.

mod lost;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::backup::*;
use crate::support::*;

const GROUPS: [i64; 2] = [50, 90];
const PROJECTS: [i64; 8] = [71, 72, 81, 82, 83, 84, 85, 86];
const FILE_RELATIONS: [&str; 4] = ["uploads", "lfs_objects", "repository", "design"];
/// Rows of a batch of files, which GitLab does not let anybody choose.
const BATCH: usize = 50;

/// An export of the groups and projects of the fixture that have lists.
fn export(dir: &Dir, snapshot: &str, out: &str) -> Program {
    let mut program = dir.export_to(snapshot, dir.join(out));
    for id in GROUPS {
        program = program.group(id);
    }
    for id in PROJECTS {
        program = program.option("--project", id.to_string());
    }
    program
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

/// All entities, with the relations of files that they have.
fn relations() -> Vec<(String, &'static str)> {
    let groups = GROUPS.map(|id| (format!("group_{id}"), "uploads"));
    let projects = PROJECTS.into_iter().flat_map(|id| {
        FILE_RELATIONS
            .into_iter()
            .map(move |relation| (format!("project_{id}"), relation))
    });
    groups.into_iter().chain(projects).collect()
}

/// The manifest's entry of a relation.
fn entry(run: &Run, prefix: &str, relation: &str) -> Value {
    let manifest = run.manifest();
    let entities = manifest["entities"].as_array().unwrap();
    let entity = entities.iter().find(|entity| entity["prefix"] == prefix);
    let relations = entity.unwrap_or_else(|| panic!("no {prefix}"))["relations"].clone();
    let found = relations.as_array().unwrap().iter();
    let mut found = found.filter(|entry| entry["relation"] == relation);
    found
        .next()
        .unwrap_or_else(|| panic!("no {relation} of {prefix}"))
        .clone()
}

/// The members of an archive behind its first: names and content. Holds the archive to what GitLab's importer and the
/// contract ask of it.
fn members(what: &str, packed: &[u8]) -> Vec<(String, Vec<u8>)> {
    let unpacked = gunzip(packed);
    let mut archive = tar::Archive::new(unpacked.as_slice());
    let mut members = Vec::new();
    for member in archive.entries().unwrap() {
        let mut member = member.unwrap();
        let header = member.header();
        assert!(header.as_gnu().is_some(), "{what}");
        assert_eq!(header.mtime().unwrap(), 0, "{what}");
        assert_eq!(
            (header.uid().unwrap(), header.gid().unwrap()),
            (0, 0),
            "{what}"
        );
        let kind = header.entry_type();
        let name = String::from_utf8(member.path_bytes().into_owned()).unwrap();
        if members.is_empty() {
            assert!(kind.is_dir(), "{what}: {name}");
        } else {
            assert!(kind.is_file(), "{what}: {name} is a {kind:?}");
        }
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut member, &mut content).unwrap();
        members.push((name, content));
    }
    assert_eq!(members.remove(0).0, "./", "{what}");
    members
}

/// Holds an archive against its rows.
fn check_archive(what: &str, packed: &[u8], rows: &[ListedFile]) {
    let mut members = members(what, packed);
    if what.contains("lfs_objects") {
        let (name, content) = members.pop().unwrap();
        assert_eq!(name, "./lfs_objects.json", "{what}");
        let types = rows.iter().map(|row| {
            let oid = row.name.trim_start_matches("./").to_owned();
            (oid, serde_json::from_str(&row.types).unwrap())
        });
        let types: BTreeMap<String, Value> = types.collect();
        let found: BTreeMap<String, Value> = serde_json::from_slice(&content).unwrap();
        assert_eq!(found, types, "{what}");
    }
    let found: Vec<(String, String)> = members
        .into_iter()
        .map(|(name, content)| (name, hex(&Sha256::digest(&content))))
        .collect();
    let expected = rows.iter().filter(|row| row.is_there());
    let expected: Vec<(String, String)> = expected
        .map(|row| (row.name.clone(), row.sha256.clone()))
        .collect();
    assert_eq!(found, expected, "{what}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The rows of these states.
fn ids(rows: &[ListedFile], states: &[&str]) -> Vec<i64> {
    let found = rows
        .iter()
        .filter(|row| states.contains(&row.state.as_str()));
    found.map(|row| row.id).collect()
}

/// Holds an archive's bundle against the refs that it must have.
fn check_bundle(dir: &Dir, what: &str, packed: &[u8], relation: &str, refs: &str) {
    let members = members(what, packed);
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [format!("./{relation}.bundle")], "{what}");
    let folder = what.replace([' ', '/'], "-");
    let bundle = dir.write(&format!("{folder}.bundle"), &members[0].1);
    assert_eq!(cloned_refs(&bundle, &dir.join(&folder)), refs, "{what}");
}

/// A project whose repository was made, as its row says, and of which a backup with manifests has nothing.
const LOST: i64 = 86;

/// Holds all archives of an export against the lists. `left_out` are the projects that have no repository here; each has merge
/// requests, which tell that it was lost. Of others only a backup with manifests tells.
fn check_export(
    dir: &Dir,
    what: &str,
    run: &Run,
    batched: bool,
    left_out: &[i64],
    has_manifests: bool,
) {
    for (entity, relation) in relations() {
        let name = format!("{what} {entity}/{relation}");
        let found = entry(run, &entity, relation);
        assert_eq!(found["status"], 1, "{name}: {found}");
        let of_repository = ["repository", "design"].contains(&relation);
        let is_left_out = left_out.iter().any(|id| entity == format!("project_{id}"));
        let rows = listed(&entity, relation);
        let refs = listed_refs(&entity, relation);
        let nothing = (rows.is_none() && refs.is_none()) || (of_repository && is_left_out);
        let listed = rows.unwrap_or_default();
        for (key, states) in [
            ("missing_files", &["missing"][..]),
            ("damaged_files", &["refused", "differs"]),
        ] {
            let told = found[key]["first"].as_array().cloned().unwrap_or_default();
            let told: Vec<i64> = told.iter().map(|it| it["key"].as_i64().unwrap()).collect();
            let mut expected = ids(&listed, states);
            let of_lost = relation == "repository" && entity == format!("project_{LOST}");
            if key == "missing_files" && of_lost && has_manifests {
                expected.push(LOST);
            }
            if key == "missing_files" && relation == "repository" && is_left_out {
                let project = entity.strip_prefix("project_").unwrap();
                expected.push(project.parse().unwrap());
            }
            assert_eq!(told, expected, "{name}: {key} in {found}");
        }
        let file = format!("{entity}/{relation}.tar.gz");
        if nothing {
            assert_eq!(found["batched"], true, "{name}: {found}");
            assert_eq!(found["batches_count"], 0, "{name}: {found}");
            assert!(!run.out.join(&file).exists(), "{name}");
        } else if batched && !of_repository {
            let batches: Vec<&[ListedFile]> = listed.chunks(BATCH).collect();
            assert_eq!(found["batches_count"], batches.len(), "{name}: {found}");
            for (number, rows) in (1..).zip(batches) {
                let file = format!("{entity}/{relation}/batch_{number}.tar.gz");
                check_archive(&format!("{name} {number}"), &run.raw(&file), rows);
            }
        } else {
            assert_eq!(found["batched"], false, "{name}: {found}");
            let packed = run.raw(&file);
            if !listed.is_empty() {
                check_archive(&name, &packed, &listed);
            }
            if let Some(refs) = refs {
                check_bundle(dir, &name, &packed, relation, &refs);
            }
        }
    }
}

/// The files of an export that hold what the backup's files say.
fn check_values(what: &str, run: &Run) {
    for id in [71, 81] {
        for name in ["self.json", "merge_requests.ndjson"] {
            let path = format!("tests/expected/projects/with_files/project_{id}/{name}");
            let expected = fs::read_to_string(project(&path)).unwrap();
            let found = run.content(&format!("project_{id}/{name}.gz"));
            let found = String::from_utf8(found).unwrap();
            assert_eq!(found, expected, "{what} {id} {name}");
        }
    }
    // HEAD of an old manifest is guessed: of two branches git takes the last. An empty repository has no branch.
    for (id, branch) in [
        (72, None),
        (82, Some("trunk")),
        (84, None),
        (85, Some("master")),
    ] {
        let found: Value =
            serde_json::from_slice(&run.content(&format!("project_{id}/self.json.gz"))).unwrap();
        assert_eq!(found["default_branch"], json!(branch), "{what} {id}");
    }
}

#[test]
fn a_backup_gives_its_files_as_a_tar_as_a_folder_and_from_standard_input() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    let tar = text(project(PROJECTS_BACKUP));
    let runs = [
        ("tar", export(&dir, &tar, "tar").ok()),
        ("folder", export(&dir, &text(tree), "folder").ok()),
        (
            "piped",
            export(&dir, "-", "piped")
                .input(fs::read(&tar).unwrap())
                .ok(),
        ),
    ];
    for (what, run) in &runs {
        check_export(&dir, what, run, false, &[], true);
        check_values(what, run);
    }
    // The same bytes, however they come.
    let [(_, first), others @ ..] = &runs;
    for (what, run) in others {
        assert_same_files(what, &run.packed(), &first.packed());
    }
}

#[test]
fn archives_of_many_files_are_cut_as_gitlab_cuts_them() {
    let dir = Dir::new();
    let tar = text(project(PROJECTS_BACKUP));
    for (what, threads, memory) in [("one", "1", "0"), ("four", "4", "512MiB")] {
        let run = export(&dir, &tar, what)
            .args(["--batched", "--batch-size", "1000"])
            .args(["--threads", threads, "--memory-limit", memory])
            .ok();
        check_export(&dir, what, &run, true, &[], true);
    }
}

#[test]
fn repositories_of_older_layouts_are_found() {
    let dir = Dir::new();
    for (what, layout, left_out) in [
        ("pointer", Layout::Pointer, &[][..]),
        ("legacy", Layout::Legacy, &[81]),
    ] {
        let tree = dir.join(&format!("{what}-tree"));
        unpack_backup(&tree);
        lay_out(&tree, layout);
        let tar = dir.join(&format!("{what}_gitlab_backup.tar"));
        pack_backup(&tree, &tar);
        for (kind, snapshot) in [("folder", tree), ("tar", tar)] {
            let out = format!("{what}-{kind}");
            let run = export(&dir, &text(snapshot), &out).ok();
            check_export(&dir, &out, &run, false, left_out, false);
        }
    }
}

#[test]
fn without_files_each_relation_of_them_is_done_and_empty() {
    let dir = Dir::new();
    let tar = text(project(PROJECTS_BACKUP));
    for (what, snapshot, options) in [
        ("dump", text(project(crate::support::PROJECTS)), &[][..]),
        ("asked", tar, &["--no-files"]),
    ] {
        let run = export(&dir, &snapshot, what).args(options).ok();
        for (entity, relation) in relations() {
            let found = entry(&run, &entity, relation);
            let told = json!([found["status"], found["batched"], found["batches_count"]]);
            assert_eq!(told, json!([1, true, 0]), "{what} {entity} {relation}");
        }
        let archives: Vec<String> = run.files();
        assert!(
            !archives.iter().any(|name| name.ends_with(".tar.gz")),
            "{archives:?}"
        );
    }
}

/// What the importer does with an archive: GNU tar, below a folder that is empty.
#[test]
fn gnu_tar_unpacks_the_archives() {
    let dir = Dir::new();
    let run = export(&dir, &text(project(PROJECTS_BACKUP)), "out").ok();
    for file in run.files().iter().filter(|name| name.ends_with(".tar.gz")) {
        let folder = dir.join(&file.replace('/', "-"));
        fs::create_dir(&folder).unwrap();
        let mut tar = Command::new("tar");
        tar.args(["-xzf"])
            .arg(run.out.join(file))
            .arg("-C")
            .arg(&folder);
        let said = succeeds(&mut tar).stderr;
        assert_eq!(String::from_utf8_lossy(&said), "", "{file}");
        let unpacked = files_below(&folder);
        assert!(!unpacked.is_empty(), "{file}");
    }
}

/// The unpacked fixture backup, with `change` made to the lines of one table's data.
fn changed_backup(
    dir: &Dir,
    name: &str,
    table: &str,
    change: impl Fn(&mut Vec<String>),
) -> PathBuf {
    let tree = dir.join(name);
    unpack_backup(&tree);
    let path = tree.join("db/database.sql.gz");
    let sql = String::from_utf8(gunzip(&fs::read(&path).unwrap())).unwrap();
    let begin = sql.find(&format!("COPY public.{table} (")).unwrap();
    let begin = begin + sql[begin..].find('\n').unwrap() + 1;
    let end = begin + sql[begin..].find("\\.\n").unwrap();
    let mut lines: Vec<String> = sql[begin..end].lines().map(str::to_owned).collect();
    change(&mut lines);
    let rows: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // What it is compressed with is told by its content.
    fs::write(path, format!("{}{rows}{}", &sql[..begin], &sql[end..])).unwrap();
    tree
}

/// The one thread of the pool has more slices of members under way than it may have, when the archive behind them fails.
#[test]
fn an_archive_that_fails_takes_nothing_of_the_relation_before_it() {
    let dir = Dir::new();
    let tree = changed_backup(&dir, "tree", "members", |lines| {
        let member = lines
            .iter()
            .find(|line| line.starts_with("31\t40\t71\tProject\t"));
        let rest = member.unwrap().strip_prefix("31").unwrap().to_owned();
        lines.extend((0..2000).map(|id| format!("{}{rest}", 1_000_000 + id)));
    });
    let export = |out: &str| {
        dir.export_to(text(tree.clone()), dir.join(out))
            .option("--project", "71")
            .args(["--threads", "1", "--relation", "project_members"])
    };
    let members = export("whole").ok().contents()["project_71/project_members.ndjson.gz"].clone();
    let lines = members.iter().filter(|byte| **byte == b'\n').count();
    // The fixture has four, for a request is no member.
    assert_eq!(lines, 2004);
    let uploads = tree.join("uploads.tar.gz");
    let half = fs::metadata(&uploads).unwrap().len() / 2;
    fs::File::options()
        .write(true)
        .open(&uploads)
        .unwrap()
        .set_len(half)
        .unwrap();
    let run = export("damaged")
        .args(["--relation", "uploads"])
        .fails(1, &["uploads.tar.gz of the backup is damaged"]);
    assert_eq!(run.relation("uploads")["status"], -1);
    let found = run.relation("project_members");
    assert_eq!(
        (&found["status"], &found["total_objects_count"]),
        (&json!(1), &json!(2004))
    );
    assert!(run.contents()["project_71/project_members.ndjson.gz"] == members);
}

/// Manifests of older releases do not say that a repository is empty; its list of refs, which is empty then, is there.
#[test]
fn a_repository_of_which_a_manifest_alone_is_left_is_missing() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    // That of project 82 alone is on this storage.
    fs::remove_dir_all(tree.join("repositories/nfs-2")).unwrap();
    let run = dir
        .export_to(text(tree), dir.join("out"))
        .option("--project", "82")
        .ok();
    let found = entry(&run, "project_82", "repository");
    assert_eq!(
        (&found["status"], &found["total_objects_count"]),
        (&json!(1), &json!(0))
    );
    let missing = &found["missing_files"];
    assert_eq!(missing["count"], 1, "{found}");
    let path = format!("repositories: @hashed/{}.git", hashed_82());
    assert_eq!(
        missing["first"],
        json!([{ "table": "projects", "key": 82, "path": path }])
    );
}

/// By `printf 82 | sha256sum`.
fn hashed_82() -> String {
    hashed("a46e37632fa6ca51a13fe39a567b3c23b28c2f47d8af6be9bd63e030e214ba38")
}

fn hashed(digest: &str) -> String {
    format!("{}/{}/{digest}", &digest[..2], &digest[2..4])
}

/// What is taken of a damaged archive may be wrong, and what is left out of a backup is missed by nobody: both are told
/// wherever an export is looked at, not by the run alone.
#[test]
fn what_is_wrong_with_the_backup_s_files_is_told_by_whoever_looks_at_the_export() {
    let dir = Dir::new();
    let tree = changed_backup(&dir, "tree", "members", |_| {});
    let diffs = tree.join("external_diffs.tar.gz");
    let mut bytes = fs::read(&diffs).unwrap();
    // The checksum behind what is compressed.
    let at = bytes.len() - 8;
    bytes[at] ^= 1;
    fs::write(&diffs, bytes).unwrap();
    std::os::unix::fs::symlink("nowhere", tree.join("repositories/default/link")).unwrap();
    let backup = dir.join("backup.tar");
    pack_backup(&tree, &backup);
    let run = dir
        .export_to(text(backup), dir.join("out"))
        .option("--project", "81")
        .args(["--keep-going"])
        // A diff that the archive does not have may be what the damage took.
        .fails(1, &["1 row was left out (--keep-going)"]);
    let status = dir.relexport("status").arg(dir.join("out")).ok();
    let verify = dir.relexport("verify").arg(dir.join("out")).ok();
    let manifest = run.manifest()["warnings"].to_string();
    for says in [
        "external_diffs.tar.gz of the backup is damaged",
        "members that are no regular files cannot be read (1, the first is repositories/default/link)",
    ] {
        for told in [&manifest, &run.stderr, &status.stdout, &verify.stdout] {
            assert!(told.contains(says), "{says}: {told}");
        }
    }
}

#[test]
fn a_row_that_cannot_be_read_fails_its_batch_or_is_counted_and_leaves_the_others_alone() {
    let dir = Dir::new();
    let tree = changed_backup(&dir, "tree", "project_uploads", |lines| {
        let id = |line: &str| line.split('\t').next().unwrap().parse::<i64>().unwrap();
        let of_86 = |line: &&mut String| line.split('\t').nth(2) == Some("86");
        let first = lines
            .iter_mut()
            .filter(of_86)
            .min_by_key(|line| id(line))
            .unwrap();
        let mut fields: Vec<&str> = first.split('\t').collect();
        // Its size.
        fields[1] = "many";
        *first = fields.join("\t");
    });
    let export = |out: &str| {
        dir.export_to(text(tree.clone()), dir.join(out))
            .option("--project", "86")
            .args(["--batched", "--relation", "uploads"])
    };
    let rows = listed("project_86", "uploads").unwrap();
    let run = export("failed").fails(1, &["column size"]);
    let found = run.relation("uploads");
    let statuses = |found: &Value| -> Vec<Value> {
        let batches = found["batches"].as_array().unwrap().iter();
        batches.map(|batch| batch["status"].clone()).collect()
    };
    assert_eq!(statuses(&found), [json!(-1), json!(1)]);
    assert!(found.get("missing_files").is_none(), "{found}");
    check_archive(
        "failed",
        &run.raw("project_86/uploads/batch_2.tar.gz"),
        &rows[BATCH..],
    );
    let run = export("kept").args(["--keep-going"]).fails(1, &[]);
    let found = run.relation("uploads");
    assert_eq!(statuses(&found), [json!(1), json!(1)]);
    assert_eq!(
        (&found["skipped_count"], &found["total_objects_count"]),
        (&json!(1), &json!(59))
    );
    check_archive(
        "kept",
        &run.raw("project_86/uploads/batch_1.tar.gz"),
        &rows[1..BATCH],
    );
}
