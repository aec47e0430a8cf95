//! `relexport export` of a live server: the bytes of a dump of the same instant, whatever goes on beside it.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Stdio};

use crate::support::live::*;
use crate::support::server::*;
use crate::support::*;

/// Settings of a database that change how values look, if a client lets them.
const HOSTILE: &str = "ALTER DATABASE this SET bytea_output = 'escape';
    ALTER DATABASE this SET timezone = 'Asia/Kathmandu';
    ALTER DATABASE this SET datestyle = 'German';
    ALTER DATABASE this SET intervalstyle = 'iso_8601';
    ALTER DATABASE this SET extra_float_digits = -5;
    ALTER DATABASE this SET search_path = 'elsewhere';
    ALTER DATABASE this SET standard_conforming_strings = off;
    ALTER DATABASE this SET default_transaction_isolation = 'serializable';
    ALTER DATABASE this SET client_encoding = 'LATIN1';
    ALTER DATABASE this SET statement_timeout = '5ms';
    CREATE SCHEMA elsewhere;
    CREATE TABLE elsewhere.labels (id bigint, group_id bigint, type text);
    INSERT INTO elsewhere.labels VALUES (1, 4351, 'GroupLabel');";

#[test]
fn every_group_is_as_expected_whatever_the_database_is_set_to() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    database.run(&HOSTILE.replace("this", &database.name));
    for connections in ["1", "4"] {
        let run = export(&dir, &database, &format!("all-{connections}"))
            .args(["--all-groups", "--connections", connections])
            .ok();
        assert_same_files("all groups", &run.contents(), &expected_files(&GROUPS));
        let snapshot = &run.manifest()["snapshot"];
        assert_eq!(snapshot["kind"], "postgres");
        assert_eq!(
            snapshot["source"],
            format!("[local]:5432/{}", database.name)
        );
        assert!(snapshot["lsn"].as_str().unwrap().contains('/'));
        assert!(snapshot["taken_at"].as_str().unwrap().ends_with("UTC"));
    }
    for name in [
        "4351",
        "acme/platform",
        "Acme/Platform",
        "acme/old-platform",
    ] {
        let run = export(&dir, &database, &format!("one-{}", name.replace('/', "-")))
            .args(["--group", name])
            .ok();
        assert_same_files(name, &run.contents(), &expected_files(&[4351]));
    }
    let run = export(&dir, &database, "below")
        .args(["--group", "acme", "--subgroups"])
        .ok();
    assert_same_files(
        "below",
        &run.contents(),
        &expected_files(&[4350, 4351, 4352]),
    );
    export(&dir, &database, "none")
        .group("acme/platfrom")
        .fails(
            3,
            &[
                "there is no Group acme/platfrom in the snapshot",
                "the nearest paths are: acme/platform",
            ],
        );
}

#[test]
fn groups_are_listed_as_those_of_a_dump() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let groups = |snapshot: &str, tree: &[&str]| {
        let groups = dir.relexport("groups --quiet").args(tree);
        groups.option("--snapshot", snapshot).prints()
    };
    let dump = project("fixtures/gitlab.sql");
    for tree in [&[][..], &["--tree"], &["--json"]] {
        let list = groups(&database.address(), tree);
        assert!(list.contains("4351"), "{list}");
        assert_eq!(list, groups(dump.to_str().unwrap(), tree));
    }
}

#[test]
fn batches_are_those_of_a_dump() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    for size in ["1", "2", "1000"] {
        let batched = ["--all-groups", "--batched", "--batch-size", size];
        let from_dump = dir
            .export_to(
                project("fixtures/gitlab.sql"),
                dir.join(&format!("dump-{size}")),
            )
            .args(batched)
            .ok();
        let run = export(&dir, &database, &format!("live-{size}"))
            .args(batched)
            .ok();
        assert_same_files(size, &run.packed(), &from_dump.packed());
    }
}

#[test]
fn a_dry_run_counts_what_a_dump_holds() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let dry_run = |snapshot: &str| {
        let counts = dir
            .relexport("export --dry-run --json --quiet --group 4351")
            .option("--snapshot", snapshot)
            .json();
        (
            counts["entities"].clone(),
            counts["rows"].clone(),
            counts["bytes"].clone(),
        )
    };
    let dump = project("fixtures/gitlab.sql");
    assert_eq!(
        dry_run(&database.address()),
        dry_run(dump.to_str().unwrap())
    );
}

/// How often the writers write in a second: many times during an export, and not so often that they take the processor
/// from it.
const RATE: &str = "50";

/// What the writers do, at random.
const WRITES: &str = "\\set n random(1, 1000000)
    UPDATE epics SET title = 'title ' || :n, updated_at = now() WHERE id = 21;
    INSERT INTO notes (note, noteable_type, noteable_id, author_id, created_at, updated_at)
      SELECT 'note ' || :n, noteable_type, noteable_id, 2 + :n % 2, now(), now() FROM notes
      WHERE noteable_type = 'Epic' AND noteable_id = 21 ORDER BY id LIMIT 1;
    UPDATE notes SET note = 'changed ' || :n WHERE id = (SELECT max(id) FROM notes);
    DELETE FROM notes WHERE id IN (SELECT id FROM notes WHERE note LIKE 'note %' ORDER BY id LIMIT 1);
    INSERT INTO labels (title, color, type, group_id, created_at, updated_at)
      VALUES ('label ' || :n, '#' || lpad(to_hex(:n), 6, '0'), 'GroupLabel', 4351, now(), now())
      ON CONFLICT DO NOTHING;
    DELETE FROM labels WHERE id IN (SELECT id FROM labels WHERE title LIKE 'label %' ORDER BY id LIMIT 1 OFFSET 20);
    UPDATE users SET name = 'name ' || :n WHERE id = 2;
    UPDATE milestones SET title = 'milestone ' || :n WHERE group_id = 4351;
    UPDATE namespaces SET name = 'group ' || :n WHERE id = 4351;
    UPDATE members SET access_level = 10 + :n % 2 * 10 WHERE source_id = 4351 AND source_type = 'Namespace';";

/// Writers that go on until they are dropped.
pub(super) struct Writers(Child);

impl Writers {
    pub(super) fn start(dir: &Dir, database: &Database<'_>) -> Writers {
        // Beyond the fixture's own ids.
        database.run("SELECT setval('labels_id_seq', 100000), setval('notes_id_seq', 100000)");
        let script = dir.write("writes.sql", WRITES.replace("\n    ", "\n"));
        let child = database
            .server
            .program("pgbench")
            .args(["-n", "-c", "2", "-T", "3600", "--max-tries", "1000"])
            .args(["--rate", RATE, "-f"])
            .arg(script)
            .arg(&database.name)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Writers(child)
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        assert!(
            self.0.try_wait().unwrap().is_none(),
            "the writers have ended"
        );
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn exports_beside_writers_are_each_of_one_instant() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let writers = Writers::start(&dir, &database);
    let mut labels = BTreeSet::new();
    let mut number = 0;
    // Between two fast exports the writers may not have come to anything.
    while number < 12 || labels.len() <= 6 && number < 50 {
        number += 1;
        let mut holder = Session::begin(&database);
        let id = holder.export_snapshot();
        let run = export(&dir, &database, &format!("live-{number}"))
            .args(["--group", "4351", "--gzip-level", "1", "--pg-snapshot", &id])
            .ok();
        let dump = database.dump(&["--snapshot", &id, "--schema", "public"]);
        let dump = dir.write("dump.sql", dump);
        let from_dump = dir
            .export_to(&dump, dir.join(&format!("dump-{number}")))
            .args(["--group", "4351", "--gzip-level", "1"])
            .ok();
        assert_same_files(
            &format!("export {number}"),
            &run.packed(),
            &from_dump.packed(),
        );
        labels.insert(run.content("group_4351/labels.ndjson.gz"));
    }
    drop(writers);
    assert!(
        labels.len() > 6,
        "the writers wrote {} times only",
        labels.len()
    );
}

#[test]
fn an_export_without_a_given_snapshot_is_of_one_instant_too() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    // Each statement changes the group's name and its epic's title together.
    database.run(
        "CREATE FUNCTION rename() RETURNS void LANGUAGE plpgsql AS $$
         DECLARE n text := clock_timestamp()::text;
         BEGIN
           UPDATE namespaces SET name = n WHERE id = 4351;
           UPDATE epics SET title = n WHERE group_id = 4351;
           UPDATE labels SET title = n || id WHERE group_id = 4351 AND type = 'GroupLabel';
         END $$",
    );
    database.run("SELECT rename()");
    let script = dir.write("rename.sql", "SELECT rename();\n");
    let child = database
        .server
        .program("pgbench")
        .args(["-n", "-T", "3600", "--rate", RATE, "-f"])
        .arg(script)
        .arg(&database.name)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let writer = Writers(child);
    let mut names = BTreeSet::new();
    for number in 0..8 {
        let run = export(&dir, &database, &format!("out-{number}"))
            .group(4351)
            .ok();
        let group: serde_json::Value =
            serde_json::from_slice(&run.content("group_4351/self.json.gz")).unwrap();
        let name = group["name"].as_str().unwrap().to_owned();
        for epic in run.records(4351, "epics") {
            assert_eq!(epic["title"], name.as_str());
        }
        for label in run.records(4351, "labels") {
            assert!(label["title"].as_str().unwrap().starts_with(&name));
        }
        names.insert(name);
    }
    drop(writer);
    assert!(names.len() > 4, "{names:?}");
}

#[test]
fn nothing_is_written_and_no_row_has_a_query_of_its_own() {
    let options = "-c log_statement=all -c log_line_prefix='[%a] '";
    let (dir, server) = (Dir::new(), Server::start(options));
    let database = fixture(&server);
    let statements = |out: &str| -> Vec<String> {
        let log = || fs::read_to_string(server.folder.join("server.log")).unwrap();
        let before = log().len();
        export(&dir, &database, out).group(4351).ok();
        let log = log();
        let lines = log[before..].lines();
        lines
            .filter_map(|line| line.strip_prefix("[relexport] LOG:  "))
            // Prepared ones have names: `execute s1: …`.
            .filter(|line| line.starts_with("statement: ") || line.starts_with("execute s"))
            .filter_map(|line| line.split_once(": "))
            .map(|(_, statement)| statement.to_owned())
            .collect()
    };
    let few = statements("few");
    for statement in &few {
        let begins = [
            "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
            "COPY (SELECT ",
            "SELECT ",
            "SET LOCAL statement_timeout = 0; SELECT ",
            "SHOW ",
            "WITH ",
        ];
        assert!(
            begins.iter().any(|begin| statement.starts_with(begin)),
            "{statement}"
        );
        assert!(!statement.contains("TEMP"), "{statement}");
    }
    let copies = |statements: &[String]| {
        statements
            .iter()
            .filter(|statement| statement.starts_with("COPY"))
            .count()
    };
    database.run(
        "INSERT INTO notes (note, noteable_type, noteable_id, author_id, created_at, updated_at)
           SELECT 'note ' || n, 'Epic', 21, 2 + n % 2, now(), now() FROM generate_series(1, 3000) n;
         INSERT INTO labels (title, color, type, group_id, created_at, updated_at)
           SELECT 'label ' || n, '#112233', 'GroupLabel', 4351, now(), now() FROM generate_series(1, 50) n",
    );
    let many = statements("many");
    assert!(
        copies(&few) > 20,
        "{} queries: the log is not read",
        copies(&few)
    );
    assert_eq!(copies(&few), copies(&many));
}

#[test]
fn a_primary_key_that_occurs_twice_fails_its_relation() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    database.run(
        "ALTER TABLE milestones DROP CONSTRAINT milestones_pkey CASCADE;
         INSERT INTO milestones SELECT * FROM milestones WHERE group_id = 4351 LIMIT 1",
    );
    let words = "table milestones: two rows have the same id, by which rows are asked for; name a unique column as the \
                 table's key, or export from a snapshot of the server (`relexport snapshot take`)";
    let run = export(&dir, &database, "out")
        .group(4351)
        .fails(1, &[words]);
    assert_eq!(run.relation("milestones")["error"], words);
    assert_eq!(run.relation("labels")["status"], 1);
}

#[test]
fn numbers_in_columns_of_text_are_compared_nowhere() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    database.run("ALTER TABLE members ALTER COLUMN access_level TYPE text");
    let dump = dir.write("dump.sql", database.dump(&[]));
    let reason = "column access_level of table members: it is neither a number nor a date or time";
    let live = export(&dir, &database, "out").args(["--all-groups"]);
    live.fails(1, &[reason]);
    let from_dump = dir.export_to(dump, dir.join("from-dump"));
    from_dump.args(["--all-groups"]).fails(1, &[reason]);
}

#[test]
fn a_table_that_may_not_be_read_fails_its_relations_in_the_servers_words() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    database.run(
        "CREATE ROLE reader LOGIN;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
         REVOKE SELECT ON notes FROM reader",
    );
    let as_reader = || database.address().replacen("postgres@", "reader@", 1);
    let run = dir
        .export_to(as_reader(), dir.join("out"))
        .group(4351)
        .fails(1, &["permission denied for table notes (SQLSTATE 42501)"]);
    assert_eq!(run.manifest()["status"], -1);
    for entry in run.relations() {
        let failed = entry["relation"] == "epics";
        // Users are collected from the records of epics, too.
        let fails = failed || entry["relation"] == "user_contributions";
        assert_eq!(entry["status"], if fails { -1 } else { 1 }, "{entry}");
        if failed {
            let words = "the server refused to give rows of table notes: permission denied for table notes (SQLSTATE 42501)";
            assert_eq!(entry["error"], words);
            assert_eq!(entry["file"], serde_json::Value::Null);
        }
    }
    database.run("REVOKE SELECT ON namespaces FROM reader");
    let run = dir
        .export_to(as_reader(), dir.join("nothing"))
        .group(4351)
        .fails(
            3,
            &["permission denied for table namespaces (SQLSTATE 42501)"],
        );
    run.left_nothing();
}

#[test]
fn a_table_that_was_dropped_meanwhile_fails_its_relations() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let mut holder = Session::begin(&database);
    let id = holder.export_snapshot();
    database.run("DROP TABLE award_emoji CASCADE");
    let run = export(&dir, &database, "out")
        .args(["--group", "4351", "--pg-snapshot", &id])
        .fails(1, &["award_emoji"]);
    let failed: Vec<_> = run
        .relations()
        .into_iter()
        .filter(|entry| entry["status"] != 1)
        .collect();
    let names: Vec<_> = failed
        .iter()
        .map(|entry| entry["relation"].clone())
        .collect();
    // Users are collected from the records of epics, too.
    assert_eq!(names, ["user_contributions", "epics"]);
    assert!(failed[1]["error"].as_str().unwrap().contains("award_emoji"));
}

#[test]
fn a_query_that_takes_too_long_fails_its_relations() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let mut locker = Session::begin(&database);
    locker.lock("badges");
    for (out, options, says) in [
        (
            "lock",
            ["--lock-timeout", "100ms"],
            "lock timeout (SQLSTATE 55P03)",
        ),
        (
            "statement",
            ["--statement-timeout", "500ms"],
            "statement timeout (SQLSTATE 57014)",
        ),
    ] {
        let run = export(&dir, &database, out)
            .group(4351)
            .args(options)
            .fails(1, &[says]);
        for entry in run.relations() {
            assert_eq!(
                entry["status"],
                if entry["relation"] == "badges" { -1 } else { 1 }
            );
        }
    }
}

#[test]
fn a_connection_that_is_killed_is_made_again_and_the_bytes_are_the_same() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let mut locker = Session::begin(&database);
    locker.lock("badges");
    let export = export(&dir, &database, "out").group(4351);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| export.ok());
        wait_until_blocked(&database);
        assert_ne!(database.terminate(BLOCKED), 0);
        drop(locker);
        let run = run.join().unwrap();
        assert_same_files("killed", &run.contents(), &expected_files(&[4351]));
    });
}

#[test]
fn without_its_instant_an_export_ends_and_leaves_nothing() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let mut locker = Session::begin(&database);
    locker.lock("badges");
    let export = export(&dir, &database, "out").group(4351);
    std::thread::scope(|scope| {
        let run =
            scope.spawn(|| export.fails(3, &["the server's snapshot is lost", "export again"]));
        wait_until_blocked(&database);
        assert!(database.terminate("application_name = 'relexport'") > 1);
        run.join().unwrap().left_nothing();
    });
}
