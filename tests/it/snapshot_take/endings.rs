//! Runs of `snapshot take` that come to nothing: what they leave, and what they tell.

use super::*;

#[test]
fn an_unknown_group_leaves_nothing() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    for from in [
        project("fixtures/gitlab.sql"),
        project("fixtures/csv"),
        database.address().into(),
    ] {
        let says = [
            "there is no Group acme/platfrom",
            "the nearest paths are: acme/platform",
        ];
        take_of(&dir, from).group("acme/platfrom").fails(3, &says);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_is_there_is_replaced_only_by_force_and_only_if_it_is_a_snapshot() {
    let dir = Dir::new();
    let from = project("fixtures/csv");
    let folder = take(&dir, &from, "taken", &[]);
    let before = fs::read(folder.join("snapshot.json")).unwrap();
    take_of(&dir, &from).fails(2, &["is there already", "replace the snapshot"]);
    assert_eq!(fs::read(folder.join("snapshot.json")).unwrap(), before);
    // What fails changes nothing.
    take_of(&dir, &from)
        .args(["--force", "--group", "none"])
        .fails(3, &["there is no Group none"]);
    assert_eq!(fs::read(folder.join("snapshot.json")).unwrap(), before);
    take(&dir, &from, "taken", &["--force", "--group", "4351"]);
    assert_eq!(described(&folder)["only"], serde_json::json!([4351]));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    dir.export(&folder).group(4351).ok();
    snapshot(&dir, "take --out out --force")
        .option("--from", &from)
        .fails(2, &["something other than a snapshot"]);
    snapshot(&dir, "take --out taken/snapshot.json/x")
        .option("--from", &from)
        .fails(2, &["below a file"]);
}

#[test]
fn a_damaged_or_cut_source_leaves_nothing() {
    let dir = Dir::new();
    let dump = dump();
    let cut = dir.write("cut.sql", &dump[..dump.len() / 2]);
    let row = edit_rows(&dump, "labels", |rows| {
        format!("{rows}only\tthree\tfields\n")
    });
    let row = dir.write("row.sql", row);
    let none = dir.write("none.sql", "CREATE TABLE t (a integer);\n");
    for (from, says) in [
        (&cut, "ends too early"),
        (&row, "3 fields, but the table's data has"),
        (&none, "no data of any table that pipeline group needs"),
        (&dir.join("nothing"), "there is no such file"),
    ] {
        take_of(&dir, from).fails(3, &[says]);
    }
    take_of(&dir, &row).group(4351).fails(3, &["labels"]);
    assert_eq!(files_below(dir.path()), ["cut.sql", "none.sql", "row.sql"]);
}

#[test]
fn a_table_that_a_server_refuses_leaves_nothing_and_no_password_is_told() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    database.run(
        "CREATE ROLE taker LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO taker; REVOKE ALL ON labels FROM taker",
    );
    let address = format!(
        "postgresql://taker:sesame@/{}?host={}",
        database.name,
        database.server.folder.display()
    );
    for more in [&["--quiet"][..], &["--group", "4351"]] {
        let says = ["labels", "permission denied", "42501"];
        let run = take_of(&dir, &address).args(more).fails(3, &says);
        assert!(!run.stderr.contains("sesame"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    database.run("GRANT SELECT ON labels TO taker");
    let folder = take(&dir, &address, "taken", &[]);
    let text = fs::read_to_string(folder.join("snapshot.json")).unwrap();
    assert!(!text.contains("sesame") && text.contains(&format!("/{}", database.name)));
    database.run("DROP OWNED BY taker; DROP ROLE taker");
}

#[test]
fn a_snapshot_is_of_the_instant_that_is_given() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let mut holder = Session::begin(&database);
    let id = holder.export_snapshot();
    database.run(
        "UPDATE labels SET title = 'later ' || id; DELETE FROM epics; UPDATE users SET name = 'later'",
    );
    let folder = take(&dir, database.address(), "taken", &["--pg-snapshot", &id]);
    assert_exports_all(&dir, &folder, "instant");
    let folder = take(
        &dir,
        database.address(),
        "some",
        &["--pg-snapshot", &id, "--group", "4351"],
    );
    let run = dir.export(&folder).group(4351).ok();
    assert_same_files("some", &run.contents(), &expected_files(&[4351]));
}

#[test]
fn a_full_disk_is_an_output_error_and_leaves_nothing() {
    let dir = Dir::new();
    let from = project("fixtures/gitlab.sql");
    for (blocks, more) in [(12, &[][..]), (0, &[]), (12, &["--group", "4351"])] {
        take_of(&dir, &from)
            .args(more)
            .with_small_files(blocks)
            .fails(4, &["cannot write the snapshot"]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    let dump = dump();
    for more in [&[][..], &["--group", "acme/platform"]] {
        let dir = Dir::new();
        let mut started = take_of(&dir, "-").args(more).piped().start();
        started.give(&dump.as_bytes()[..dump.len() / 2]);
        started.wait_until("it has begun", || {
            fs::read_dir(dir.path()).unwrap().next().is_some()
        });
        started.signal("INT");
        // The program must not wait for its input's end.
        let run = started.wait();
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn an_interruption_does_not_wait_for_a_server() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let mut holder = Session::begin(&database);
    holder.lock("labels");
    let started = take_of(&dir, database.address())
        .args(["--lock-timeout", "0"])
        .start();
    wait_until_blocked(&database);
    started.signal("INT");
    let run = started.wait();
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
