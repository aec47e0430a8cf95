//! Backups that have lost something: what tells that it was there, and who says so.

use std::path::{Path, PathBuf};

use super::*;
use crate::redaction::{KEY, key_file};

/// A backup with manifests has one of each repository that there was, and who has designs has a repository of them.
#[test]
fn repositories_of_which_a_backup_has_nothing_are_missing() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    let of_71 = hashed("7f2253d7e228b22a08bda1f09c516f6fead81df6536eb02fa991a34bb38d9be8");
    let lost = [
        (
            81,
            "repository",
            format!(
                "{}.git",
                hashed("5316ca1c5ddca8e6ceccfce58f3b8540e540ee22f6180fb89492904051b3d531")
            ),
        ),
        (71, "design", format!("{of_71}.design.git")),
    ];
    for (_, _, path) in &lost {
        for above in ["default", "manifests/default"] {
            fs::remove_dir_all(tree.join(format!("repositories/{above}/@hashed/{path}"))).unwrap();
        }
    }
    let run = dir
        .export_to(text(tree.clone()), dir.join("out"))
        .args(["--project", "71", "--project", "81", "--project", "83"])
        .ok();
    for (project, relation, path) in &lost {
        let found = entry(&run, &format!("project_{project}"), relation);
        assert_eq!(found["total_objects_count"], 0, "{found}");
        let path = format!("repositories: @hashed/{path}");
        assert_eq!(
            found["missing_files"]["first"],
            json!([{ "table": "projects", "key": project, "path": path }]),
            "{relation}"
        );
    }
    // Projects without designs lack none.
    for project in [81, 83] {
        let found = entry(&run, &format!("project_{project}"), "design");
        assert_eq!(found["missing_files"], Value::Null, "{project}");
    }

    // Without any repository designs are missed as well.
    fs::remove_dir_all(tree.join("repositories")).unwrap();
    let run = dir
        .export_to(text(tree), dir.join("without"))
        .args(["--project", "71"])
        .ok();
    for relation in ["repository", "design"] {
        let found = entry(&run, "project_71", relation);
        assert_eq!(found["missing_files"]["count"], 1, "{relation}");
    }
}

/// The relation that reads where the repository lies need not be in the run, and the project of a branch need not be exported.
#[test]
fn branches_of_projects_on_legacy_storage_are_those_that_they_are_on_hashed_storage() {
    let dir = Dir::new();
    let tree = changed_backup(&dir, "tree", "projects", |lines| {
        let fork = lines.iter_mut().find(|line| line.starts_with("83\t"));
        let line = fork.expect("the fixture has it");
        let mut fields: Vec<&str> = line.split('\t').collect();
        // Its `storage_version`.
        assert_eq!(fields[52], "1", "{fields:?}");
        fields[52] = "\\N";
        *line = fields.join("\t");
    });
    let export = |out: &str, projects: &[&str], relation: &str| {
        let mut export = dir.export_to(text(tree.clone()), dir.join(out));
        for project in projects {
            export = export.option("--project", project);
        }
        export.args(["--relation", relation]).ok()
    };
    let of = |run: &Run, file: &str, key: &str| {
        let lines = String::from_utf8(run.contents()[file].clone()).unwrap();
        let values = lines.lines().map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            record[key].clone()
        });
        values.collect::<Vec<Value>>()
    };
    // The fixture has this one on legacy storage.
    let alone = export("self", &["85"], "self");
    let branch = of(&alone, "project_85/self.json.gz", "default_branch");
    assert_eq!(branch, ["master"]);

    // As the fixture has it, by the id alone.
    let file = "project_81/merge_requests.ndjson.gz";
    let whole = dir
        .export_to(
            project(PROJECTS_BACKUP).display().to_string(),
            dir.join("whole"),
        )
        .args(["--project", "81", "--relation", "merge_requests"])
        .ok();
    let expected = of(&whole, file, "source_branch_sha");
    assert!(expected[0].is_string(), "{expected:?}");

    // At the place where legacy storage has it.
    let repositories = tree.join("repositories");
    let hashed = format!(
        "@hashed/{}.git",
        hashed("bbb965ab0c80d6538cf2184babad2a564a010376712012bd07b0af92dcd3097d")
    );
    let legacy = "depot/crates/engine.git";
    for above in ["default", "manifests/default"] {
        let [from, to] = [&hashed[..], legacy].map(|name| repositories.join(above).join(name));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(from, &to).unwrap();
        for name in files_below(&to) {
            if name.ends_with(".toml") {
                let manifest = fs::read_to_string(to.join(&name)).unwrap();
                fs::write(to.join(&name), manifest.replace(&hashed, legacy)).unwrap();
            }
        }
    }
    let both = export("both", &["81", "83"], "merge_requests");
    assert_eq!(of(&both, file, "source_branch_sha"), expected);

    // Of a project that is not exported no row says what it is called. That is told.
    let alone = export("alone", &["81"], "merge_requests");
    let mut without = expected;
    without[0] = Value::Null;
    assert_eq!(of(&alone, file, "source_branch_sha"), without);
    let unreadable = alone.relation("merge_requests")["unreadable_values"].clone();
    assert_eq!(unreadable["count"], 1, "{unreadable}");
    let told = unreadable.to_string();
    assert!(
        told.contains("project 83 is not exported") && told.contains("legacy storage"),
        "{told}"
    );
}

/// A restore takes the newest manifest that there is, and so does an export. What came since is lost.
#[test]
fn a_repository_of_an_older_manifest_is_told() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    let name = hashed("5316ca1c5ddca8e6ceccfce58f3b8540e540ee22f6180fb89492904051b3d531");
    let manifests = tree.join(format!("repositories/manifests/default/@hashed/{name}.git"));
    for name in ["1790000000_2026_09_21_19.3.0-ee.toml", "+latest.toml"] {
        fs::remove_file(manifests.join(name)).unwrap();
    }
    let run = dir
        .export_to(text(tree), dir.join("out"))
        .args(["--project", "81", "--relation", "repository"])
        .ok();
    assert_eq!(run.relation("repository")["status"], 1);
    let says = "repositories are taken from manifests of other backups";
    assert!(run.stderr.contains(says), "{}", run.stderr);
    let warnings = run.manifest()["warnings"].to_string();
    let first = "1789900000_2026_09_20_19.3.0-ee.toml";
    assert!(
        warnings.contains(says) && warnings.contains(first),
        "{warnings}"
    );
}

/// Backups before GitLab 16.10 have no manifests, and nothing of an empty repository. A merge request is about commits.
#[test]
fn a_repository_that_an_older_backup_has_lost_is_missing_where_rows_show_that_it_had_content() {
    for layout in [Layout::Pointer, Layout::Legacy] {
        let dir = Dir::new();
        let tree = dir.join("tree");
        unpack_backup(&tree);
        lay_out(&tree, layout);
        let repositories = tree.join("repositories");
        let path = format!(
            "@hashed/{}",
            hashed("7f2253d7e228b22a08bda1f09c516f6fead81df6536eb02fa991a34bb38d9be8")
        );
        let mut left = files_below(&repositories);
        left.retain(|name| {
            name.starts_with(&format!("{path}/"))
                || name.starts_with(&format!("{path}.bundle"))
                || name.starts_with(&format!("{path}.refs"))
        });
        assert!(!left.is_empty(), "{layout:?}");
        for name in left {
            fs::remove_file(repositories.join(name)).unwrap();
        }
        let run = dir
            .export_to(text(tree), dir.join("out"))
            .args(["--project", "71", "--project", "84"])
            .args(["--relation", "repository"])
            .ok();
        let found = entry(&run, "project_71", "repository");
        assert_eq!(
            found["missing_files"]["first"],
            json!([{ "table": "projects", "key": 71, "path": format!("repositories: {path}.git") }]),
            "{layout:?}"
        );
        // Of one that has never had a merge request, nothing says that there was anything.
        let found = entry(&run, "project_84", "repository");
        assert_eq!(found["missing_files"], Value::Null, "{layout:?}");
    }
}

/// The only list of refs that an unpacked backup has of project 71.
fn list_of_refs(tree: &Path) -> PathBuf {
    let own = tree.join(format!(
        "repositories/default/@hashed/{}.git",
        hashed("7f2253d7e228b22a08bda1f09c516f6fead81df6536eb02fa991a34bb38d9be8")
    ));
    let mut lists = files_below(&own);
    lists.retain(|name| name.ends_with(".refs"));
    assert_eq!(lists.len(), 1, "{lists:?}");
    own.join(&lists[0])
}

/// Gitaly writes a bundle only of what has refs.
#[test]
fn an_empty_list_of_refs_beside_a_bundle_is_none() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    let list = list_of_refs(&tree);
    let relations = ["--relation", "self", "--relation", "merge_requests"];
    let export = |out: &str| {
        dir.export_to(text(tree.clone()), dir.join(out))
            .args(["--project", "71"])
            .args(relations)
            .ok()
            .contents()
    };
    let whole = export("whole");
    fs::write(list, "").unwrap();
    assert!(export("empty") == whole);
}

/// The list was cut off at the end of a line, or is of another moment.
#[test]
fn a_list_of_refs_that_is_not_that_of_its_bundle_is_told() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    let list = list_of_refs(&tree);
    let whole = fs::read_to_string(&list).unwrap();
    let first = whole.lines().next().unwrap();
    let more = first.replace("HEAD", "refs/heads/lost");
    for (name, refs) in [
        ("whole", whole.clone()),
        ("cut", format!("{first}\n")),
        ("more", format!("{whole}{more}\n")),
    ] {
        fs::write(&list, refs).unwrap();
        let run = dir
            .export_to(text(tree.clone()), dir.join(name))
            // Of the other one there is a chain, which git holds against its lists.
            .args(["--project", "71", "--project", "81"])
            .args(["--relation", "repository"])
            .ok();
        let warnings = run.manifest()["warnings"].to_string();
        let says = "lists of refs are not those of the bundles beside them";
        assert_eq!(
            warnings.contains(says),
            name != "whole",
            "{name}: {warnings}"
        );
        assert_eq!(run.stderr.contains(says), name != "whole", "{name}");
    }
}

/// From a pipe the rows of a database that comes behind the files have been taken from the main one by then.
#[test]
fn a_database_behind_the_files_of_a_tar_that_comes_once_is_told() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    let tar = dir.join("b.tar");
    let mut pack = Command::new("tar");
    pack.arg("-cf").arg(&tar).arg("-C").arg(&tree).args([
        "backup_information.yml",
        "db/database.sql.gz",
        "uploads.tar.gz",
        "db/ci_database.sql.gz",
        "repositories",
        "lfs.tar.gz",
        "external_diffs.tar.gz",
    ]);
    succeeds(&mut pack);
    let relations = [
        "--relation",
        "ci_pipelines",
        "--relation",
        "uploads",
        "--relation",
        "repository",
    ];
    let export = |snapshot: &str, out: &str| {
        let export = dir.export_to(snapshot, dir.join(out));
        export.args(["--project", "71"]).args(relations)
    };
    let of_file = export(&text(tar.clone()), "file").ok();
    assert_eq!(of_file.relation("ci_pipelines")["total_objects_count"], 16);
    let piped = export("-", "piped").input(fs::read(&tar).unwrap()).fails(
        1,
        &["db/ci_database.sql.gz stands behind other files in the tar"],
    );
    assert_eq!(piped.relation("repository")["status"], -1);

    // A compressed file is read a second time for files in front of the databases. Rows are not.
    let mut pack = Command::new("tar");
    pack.arg("-cf").arg(&tar).arg("-C").arg(&tree).args([
        "uploads.tar.gz",
        "db/database.sql.gz",
        "lfs.tar.gz",
        "db/ci_database.sql.gz",
        "repositories",
    ]);
    succeeds(&mut pack);
    let packed = zstd::encode_all(&fs::read(&tar).unwrap()[..], 1).unwrap();
    let packed = dir.write("b.tar.zst", packed);
    export(&text(packed), "packed").fails(
        1,
        &["db/ci_database.sql.gz stands behind other files in the tar"],
    );
}

/// GitLab has no checksum of large files, nor of old ones: their size is all that tells.
#[test]
fn an_upload_without_a_checksum_is_held_against_its_size() {
    let dir = Dir::new();
    let tree = changed_backup(&dir, "tree", "project_uploads", |lines| {
        let without = lines.iter_mut().find(|line| line.contains("note.txt"));
        let line = without.expect("the fixture has it");
        let mut fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(fields[1], "9", "{fields:?}");
        fields[1] = "10";
        *line = fields.join("\t");
    });
    let run = dir
        .export_to(text(tree), dir.join("out"))
        .args(["--project", "71", "--relation", "uploads"])
        .ok();
    let damaged = run.relation("uploads")["damaged_files"].clone();
    let told = damaged["first"].to_string();
    assert!(told.contains("note.txt"), "{damaged}");
    assert!(
        told.contains("its size is another one than its row says"),
        "{damaged}"
    );
    assert!(told.contains("\"is_written\":true"), "{damaged}");
}

/// What one row says of its file is no reason to leave out the others.
#[test]
fn a_row_that_no_file_can_be_of_fails_none_but_its_own() {
    let dir = Dir::new();
    let tree = changed_backup(&dir, "tree", "project_uploads", |lines| {
        let line = lines.iter_mut().find(|line| line.starts_with("9021\t4\t"));
        let line = line.expect("the fixture has it");
        *line = line.replacen("\t4\t", "\t-4\t", 1);
    });
    let export = |tree: PathBuf, out: &str, project: &str, relation: &str| {
        let export = dir.export_to(text(tree), dir.join(out));
        export
            .args(["--project", project, "--relation", relation])
            .ok()
    };
    let run = export(tree, "uploads", "85", "uploads");
    let damaged = run.relation("uploads")["damaged_files"].clone();
    assert_eq!(damaged["count"], 1, "{damaged}");
    let first = &damaged["first"][0];
    assert_eq!(
        (&first["key"], &first["is_written"]),
        (&json!(9021), &json!(true)),
        "{first}"
    );

    let objects = |run: &Run| members("lfs_objects", &run.raw("project_81/lfs_objects.tar.gz"));
    let whole = export(project(PROJECTS_BACKUP), "whole", "81", "lfs_objects");
    let whole = objects(&whole);
    let oid = whole[0].0.trim_start_matches("./").to_owned();
    let tree = changed_backup(&dir, "objects", "lfs_objects", |lines| {
        let line = lines.iter_mut().find(|line| line.contains(&oid));
        let line = line.expect("the archive has it");
        *line = line.replace(&oid, "zzz");
    });
    let run = export(tree, "lfs", "81", "lfs_objects");
    let found = objects(&run);
    // The map of the objects is the last.
    assert_eq!(found[..found.len() - 1], whole[1..whole.len() - 1]);
    let map = String::from_utf8(found[found.len() - 1].1.clone()).unwrap();
    assert!(!map.contains("zzz"), "{map}");
    let damaged = run.relation("lfs_objects")["damaged_files"].to_string();
    assert!(damaged.contains("its oid is no SHA-256"), "{damaged}");
}

/// They were there, so they are not missing: they are left out.
#[test]
fn files_that_a_damaged_archive_does_not_give_are_left_out_and_count() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    let uploads = tree.join("uploads.tar.gz");
    let whole = fs::read(&uploads).unwrap();
    fs::write(&uploads, &whole[..whole.len() / 2]).unwrap();
    let export = |out: &str| {
        let export = dir.export_to(text(tree.clone()), dir.join(out));
        export.args(["--project", "86", "--relation", "uploads", "--keep-going"])
    };
    let run = export("out").fails(1, &["uploads.tar.gz of the backup is damaged"]);
    // Records of such a relation are rows, so nothing says how many files were written.
    let says = "rows were left out (--keep-going); the manifest lists them as skipped";
    assert!(run.stderr.contains(says), "{}", run.stderr);
    let found = run.relation("uploads");
    assert_eq!(found["status"], 1);
    let left_out = found["skipped_count"].as_u64().unwrap();
    assert!(left_out > 0, "{found}");
    assert_eq!(found["skipped_nested_count"], left_out, "{found}");
    let first = &found["skipped"][0];
    assert_eq!(first["table"], "uploads");
    assert!(
        first["reason"].to_string().contains("uploads.tar.gz"),
        "{first}"
    );
    // No record is lost.
    dir.relexport("verify").arg(&run.out).ok();
}

#[test]
fn diffs_that_a_damaged_archive_does_not_give_are_left_out_and_count() {
    let dir = Dir::new();
    let tree = dir.join("tree");
    unpack_backup(&tree);
    let diffs = tree.join("external_diffs.tar.gz");
    let whole = fs::read(&diffs).unwrap();
    fs::write(&diffs, &whole[..whole.len() / 2]).unwrap();
    let run = dir
        .export_to(text(tree), dir.join("out"))
        .args([
            "--project",
            "81",
            "--relation",
            "merge_requests",
            "--keep-going",
        ])
        .fails(1, &["external_diffs.tar.gz of the backup is damaged"]);
    let found = run.relation("merge_requests");
    assert_eq!(found["status"], 1);
    assert!(found["skipped_count"].as_u64() > Some(0), "{found}");
    assert_eq!(found["skipped_nested_count"], found["skipped_count"]);
    let first = &found["skipped"][0];
    assert_eq!(first["table"], "merge_request_diff_files", "{first}");
    assert!(
        first["reason"]
            .to_string()
            .contains("external_diffs.tar.gz"),
        "{first}"
    );
    // Only what a whole archive does not have either is not in the snapshot.
    let missing = found["missing_files"]["count"].as_u64().unwrap_or_default();
    assert_eq!(missing, 0, "{found}");
}

/// Of an index that broke, GitLab says, two projects may come to have one path.
#[test]
fn two_projects_of_one_path_are_told() {
    let dir = Dir::new();
    let tree = changed_backup(&dir, "tree", "routes", |lines| {
        let line = lines
            .iter_mut()
            .find(|line| line.contains("depot/crates/pile"));
        let line = line.expect("the fixture has it");
        *line = line.replace("depot/crates/pile", "depot/crates/engine");
    });
    let run = dir
        .export_to(text(tree), dir.join("out"))
        .args(["--all-projects", "--all-groups", "--relation", "self"])
        .args(["--source-url", "https://gitlab.example.com"])
        .ok();
    let says = "Project depot/crates/engine: project_83, project_86 have this path";
    assert!(run.stderr.contains(says), "{}", run.stderr);
    assert!(run.manifest()["warnings"].to_string().contains(says));
    let verify = dir.relexport("verify --gitlab-offline");
    let verify = verify.arg(&run.out).run();
    assert_eq!(verify.code, Some(1));
    let says = "project_83 and project_86 have one path, depot/crates/engine";
    assert!(verify.stdout.contains(says), "{}", verify.stdout);
}

/// On legacy storage, files and repositories lie below the full path of their project.
#[test]
fn a_redacted_path_is_no_part_of_the_place_of_a_file() {
    let dir = Dir::new();
    let tree = changed_backup(&dir, "tree", "project_uploads", |lines| {
        let line = lines.iter_mut().find(|line| line.starts_with("9021\t4\t"));
        let line = line.expect("the fixture has it");
        *line = line.replacen("\t4\t", "\t5\t", 1);
    });
    let repositories = tree.join("repositories");
    let of_legacy = ["default/depot/Old.git", "manifests/default/depot/Old.git"];
    let [bundles, manifests] = of_legacy.map(|name| repositories.join(name));
    let rules = "files: keep\ncolumns:\n  routes.path: hash\n  projects.path: hash\n";
    let rules = dir.write("rules.yml", rules);
    let export = |out: &str, relations: &[&str]| {
        let mut export = dir.export_to(text(tree.clone()), dir.join(out));
        for relation in relations {
            export = export.option("--relation", relation);
        }
        export
            .args(["--project", "85"])
            .option("--redact", &rules)
            .option("--redact-key-file", key_file(&dir, KEY))
    };
    // Whatever is wrong with it: it cannot be read, and it is not there.
    fs::remove_dir_all(&manifests).unwrap();
    let damaged = export("damaged", &["self", "repository"]).run();
    assert_eq!(damaged.code, Some(1), "{}", damaged.stderr);
    fs::remove_dir_all(&bundles).unwrap();
    fs::remove_file(tree.join("lfs.tar.gz")).unwrap();
    let lost = export("lost", &["uploads", "repository", "lfs_objects"]).ok();
    fs::remove_file(tree.join("uploads.tar.gz")).unwrap();
    let without = export("without", &["uploads"]).ok();
    for run in [&damaged, &lost, &without] {
        let manifest = run.manifest().to_string();
        assert!(!manifest.contains("depot"), "{manifest}");
    }
    let unreadable = damaged.relation("self")["unreadable_values"].to_string();
    assert!(unreadable.contains("there is no manifest"), "{unreadable}");
    let upload = &lost.relation("uploads")["damaged_files"]["first"][0];
    let name = "./c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1/old.txt";
    assert_eq!(upload["path"], name, "{upload}");
    let repository = &lost.relation("repository")["missing_files"]["first"][0];
    let path = repository["path"].as_str().unwrap();
    let entity = lost.manifest()["entities"][0]["full_path"].clone();
    let entity = entity.as_str().unwrap();
    assert_eq!(path, format!("repositories: {entity}.git"));
    let missing = &without.relation("uploads")["missing_files"]["first"][0];
    assert_eq!(missing["path"], "uploads.tar.gz", "{missing}");
}
