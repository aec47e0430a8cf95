//! GitLab backups of an instance with several databases: as a tar, as a folder, and out of a pipe.

use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

use super::*;

const INFORMATION: &[u8] = b":gitlab_version: 18.9.0-ee\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The members of a backup, as `gitlab-backup` writes them.
fn members(databases: &Decomposed<'_>) -> Vec<(String, Vec<u8>)> {
    let mut members = vec![("backup_information.yml".to_owned(), INFORMATION.to_vec())];
    for (name, database) in databases.with_names() {
        members.push((name.to_owned(), gzip(&database.dump(&[]))));
    }
    members.push(("repositories/a.bundle".to_owned(), b"x".to_vec()));
    members
}

/// A tar of the members that stand at these places, in that order.
fn tar(members: &[(String, Vec<u8>)], order: &[usize]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for place in order {
        let (name, content) = &members[*place];
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        builder
            .append_data(&mut header, name, &content[..])
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn folder(dir: &Dir, name: &str, members: &[(String, Vec<u8>)]) -> PathBuf {
    for (member, content) in members {
        dir.write(&format!("{name}/{member}"), content);
    }
    dir.join(name)
}

#[test]
fn each_table_is_taken_from_the_database_that_it_belongs_to() {
    let databases = Decomposed::new(Server::shared());
    let members = members(&databases);
    let dir = Dir::new();
    let path = folder(&dir, "backup", &members);
    let run = assert_whole("folder", export(&dir, &path, "folder-out"));
    let manifest = run.manifest();
    assert_eq!(manifest["snapshot"]["kind"], "gitlab-backup");
    assert_eq!(manifest["snapshot"]["gitlab_version"], "18.9.0-ee");
    assert_eq!(manifest["warnings"], Value::Null, "{manifest}");
    // The main database's dump comes first, last and between the others; the information may come last.
    let orders: [&[usize]; 4] = [
        &[0, 1, 2, 3, 4],
        &[0, 2, 3, 1, 4],
        &[0, 2, 1, 3, 4],
        &[3, 2, 1, 0],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let tar = tar(&members, order);
        let path = dir.write(&format!("{number}.tar"), &tar);
        let name = format!("tar {order:?}");
        assert_whole(&name, export(&dir, path, &format!("{number}-file")));
        let name = format!("stdin {order:?}");
        let program = export(&dir, "-", &format!("{number}-stdin")).input(&tar);
        assert_whole(&name, program);
        let name = format!("compressed {order:?}");
        let packed = zstd::encode_all(&tar[..], 1).unwrap();
        let path = dir.write(&format!("{number}.tar.zst"), packed);
        assert_whole(&name, export(&dir, path, &format!("{number}-packed")));
    }
}

#[test]
fn dumps_may_be_unpacked_or_of_another_form() {
    let databases = Decomposed::new(Server::shared());
    let dir = Dir::new();
    let dumps = databases.with_names().map(|(name, database)| {
        let name = name.strip_suffix(".gz").unwrap();
        (name.to_owned(), database.dump(&["--column-inserts"]))
    });
    let path = folder(&dir, "backup", &dumps);
    assert_whole("inserts", export(&dir, &path, "inserts"));
    let path = dir.write("backup.tar", tar(&dumps, &[1, 0, 2]));
    assert_whole("unpacked in a tar", export(&dir, &path, "tar"));
}

#[test]
fn tables_of_a_database_that_is_not_there_come_from_the_main_one() {
    let databases = Decomposed::new(Server::shared());
    let members = members(&databases);
    let dir = Dir::new();
    // Without the sec database the main one has its rows. The build of this one is still the CI database's.
    let finding = r#"{"id":5,"project_id":1,"build_id":70,"severity":0,"build":{"id":70,"partition_id":100,"project_id":1,"mr_id":10,"name":"lint"}}
"#;
    let mut files = expected();
    files.insert("project_1/findings.ndjson.gz".to_owned(), finding.into());
    let tar = tar(&members, &[0, 1, 2, 4]);
    let path = dir.write("backup.tar", &tar);
    for (name, program) in [
        ("file", export(&dir, &path, "file")),
        ("stdin", export(&dir, "-", "stdin").input(&tar)),
    ] {
        let run = program.ok();
        assert_same_files(name, &run.contents(), &files);
        assert_eq!(run.manifest()["warnings"], Value::Null);
    }
}

#[test]
fn a_database_of_which_nothing_is_said_is_warned_of() {
    let databases = Decomposed::new(Server::shared());
    let members = members(&databases);
    let dir = Dir::new();
    let path = dir.write("backup.tar", tar(&members, &[0, 1, 2, 3, 4]));
    let warned = |pipeline: &str, out: &str| {
        let pipeline = dir.write("other.yml", pipeline);
        let program = dir.export_to(&path, dir.join(out));
        let run = program.option("--pipeline", pipeline).group(1).ok();
        let manifest = run.manifest();
        let warnings = manifest["warnings"].as_array().cloned();
        let warnings = warnings.unwrap_or_default();
        let names = warnings.iter().map(|warning| {
            let warning = warning.as_str().unwrap();
            assert!(run.stderr.contains(warning), "{}", run.stderr);
            warning.split(' ').next().unwrap().to_owned()
        });
        names.collect::<Vec<_>>()
    };
    let without = PIPELINE.replace("  sec: [findings]\n", "");
    assert_eq!(warned(&without, "a"), ["db/sec_database.sql.gz"]);
    // To say that nothing of it is needed is enough.
    let empty = PIPELINE.replace("sec: [findings]", "sec: []");
    assert_eq!(warned(&empty, "b"), Vec::<String>::new());
    let nothing = PIPELINE.replace("databases:\n  ci: [p_builds]\n  sec: [findings]\n", "");
    assert_eq!(
        warned(&nothing, "c"),
        ["db/ci_database.sql.gz", "db/sec_database.sql.gz"]
    );
}

/// The relations that failed, and those that are finished.
fn outcome(run: &Run) -> (Vec<String>, Vec<String>) {
    let relations = run.relations();
    let name = |entry: &Value| entry["relation"].as_str().unwrap().to_owned();
    let (finished, failed): (Vec<_>, Vec<_>) =
        relations.iter().partition(|entry| entry["status"] == 1);
    (
        failed.into_iter().map(name).collect(),
        finished.into_iter().map(name).collect(),
    )
}

#[test]
fn a_dump_that_is_cut_off_fails_what_needs_it_alone() {
    let databases = Decomposed::new(Server::shared());
    let whole = members(&databases);
    let sql = databases.ci.dump(&[]);
    let first = "COPY public.findings";
    let head = String::from_utf8_lossy(&sql).find(first).unwrap();
    let dir = Dir::new();
    // Within rows, before any rows, before the definitions, and empty: of the latter the tables are not even known.
    let packed = gzip(&sql);
    let cases = [
        ("rows", gzip(&sql[..sql.len() / 2 + head / 2])),
        ("definitions", gzip(&sql[..head / 2])),
        ("compressed", packed[..packed.len() / 2].to_vec()),
        ("start", packed[..5].to_vec()),
        ("empty", Vec::new()),
        (
            "damaged",
            [&packed[..40], &[0xff; 40], &packed[80..]].concat(),
        ),
    ];
    for (name, ci) in cases {
        let mut members = whole.clone();
        members[2].1 = ci;
        for (order, way) in [
            ([0, 1, 2, 3, 4], "main first"),
            ([0, 2, 3, 1, 4], "main last"),
        ] {
            let tar = tar(&members, &order);
            let what = format!("{name}, {way}");
            let run = export(&dir, "-", &what).input(&tar).run();
            assert_eq!(run.code, Some(1), "{what}: {}", run.stderr);
            let (failed, finished) = outcome(&run);
            assert_eq!(failed, ["builds", "merge_requests", "findings"], "{what}");
            assert_eq!(finished, ["project"], "{what}");
            let error = run.manifest()["error"].to_string();
            assert!(error.contains("db/ci_database.sql.gz"), "{what}: {error}");
            // So does each relation.
            let error = run.relation("builds")["error"].to_string();
            assert!(error.contains("db/ci_database.sql.gz"), "{what}: {error}");
            // What does not need it does not notice.
            let what = format!("{what}, project alone");
            let program = export(&dir, "-", &what).input(&tar);
            program.relations(&["project"]).ok();
        }
    }
}

#[test]
fn a_tar_that_ends_among_the_databases_may_have_held_another() {
    let databases = Decomposed::new(Server::shared());
    let members = members(&databases);
    let dir = Dir::new();
    let whole = tar(&members, &[0, 1, 2, 3, 4]);
    let main = members[1].1.len().next_multiple_of(512);
    // Inside of the CI database, of the header before it, and in front of that.
    let ci = 1024 + 512 + main;
    for (name, end) in [
        ("dump", ci + 512 + 100),
        ("header", ci + 100),
        ("boundary", ci),
    ] {
        let tar = &whole[..end];
        let path = dir.write(&format!("{name}.tar"), tar);
        for (way, program) in [
            ("file", export(&dir, &path, &format!("{name}-file"))),
            (
                "stdin",
                export(&dir, "-", &format!("{name}-stdin")).input(tar),
            ),
        ] {
            let run = program.run();
            assert_eq!(run.code, Some(1), "{name} {way}: {}", run.stderr);
            let (failed, finished) = outcome(&run);
            assert_eq!(
                failed,
                ["builds", "merge_requests", "findings"],
                "{name} {way}"
            );
            assert_eq!(finished, ["project"], "{name} {way}");
        }
    }
}

#[test]
fn a_main_dump_that_is_cut_off_keeps_what_others_have() {
    let databases = Decomposed::new(Server::shared());
    let mut members = members(&databases);
    let sql = databases.main.dump(&[]);
    let text = String::from_utf8(sql).unwrap();
    // Behind the projects, which come last, of all tables' data.
    let keys = text.find("Type: CONSTRAINT").unwrap();
    members[1].1 = gzip(&text.as_bytes()[..keys]);
    let dir = Dir::new();
    let path = folder(&dir, "backup", &members);
    let run = export(&dir, &path, "out").run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let error = run.manifest()["error"].to_string();
    assert!(error.contains("db/database.sql.gz"), "{error}");
    // All rows had gone by whole.
    assert_same_files("cut off", &run.contents(), &expected());
}

#[test]
fn other_commands_know_the_databases() {
    let databases = Decomposed::new(Server::shared());
    let members = members(&databases);
    let dir = Dir::new();
    let path = folder(&dir, "backup", &members);
    let pipeline = dir.write("pipeline.yml", PIPELINE);
    let command = |arguments: &str| {
        let program = dir.relexport(arguments);
        program.option("--pipeline", &pipeline)
    };
    let inspected = command("inspect --json").option("--snapshot", &path).json();
    let rows: BTreeMap<String, i64> = inspected["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| {
            let name = table["table"].as_str().unwrap().to_owned();
            (name, table["rows"].as_i64().unwrap())
        })
        .collect();
    let expected = [
        ("findings", 2),
        ("merge_requests", 3),
        ("p_builds", 4),
        ("projects", 2),
    ];
    let expected = expected.map(|(name, rows)| (name.to_owned(), rows));
    assert_eq!(rows, BTreeMap::from(expected));

    let groups = command("groups --json").option("--snapshot", &path).json();
    assert_eq!(groups.as_array().unwrap().len(), 2);

    let csv = dir.join("taken");
    let take = command("snapshot take").option("--from", &path);
    take.option("--out", &csv).ok();
    assert_whole("taken whole", export(&dir, &csv, "from-taken"));
    let csv = dir.join("taken-one");
    let take = command("snapshot take").option("--from", &path).group(1);
    take.option("--out", &csv).ok();
    assert_whole("taken with one", export(&dir, &csv, "from-taken-one"));
    let check = dir.relexport("pipeline check").arg(&pipeline);
    check.option("--snapshot", &path).ok();
}
