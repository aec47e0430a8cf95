//! `snapshot hold`: one process keeps an instant, others read it, and all of them notice when it is gone.

use std::fs;

use super::export::Writers;
use crate::support::live::{PRIMARY, Standby, export, fixture};
use crate::support::server::{Database, Server, free_port};
use crate::support::*;

/// A holder of the present instant of a server, once it is held.
struct Holder {
    started: Started,
    id: String,
}

impl Holder {
    fn start(dir: &Dir, address: &str, more: &[&str]) -> Holder {
        let file = dir.join("instant");
        let mut started = dir
            .relexport("snapshot hold --id-file instant --from")
            .arg(address)
            .args(more)
            .start();
        started.wait_for_line("is held at this instant");
        let text = fs::read_to_string(file).unwrap();
        let id = text.strip_suffix('\n').unwrap().to_owned();
        Holder { started, id }
    }

    /// Waits for its end, which must be that the instant was lost.
    fn loses_it(self, dir: &Dir, says: &str) {
        let run = self.started.wait();
        assert_eq!(run.code, Some(3), "{}", run.stderr);
        assert!(run.stderr.contains("is lost: "), "{}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
        assert!(run.stderr.contains("hold another one"), "{}", run.stderr);
        assert!(!dir.join("instant").exists());
    }
}

/// An export at an instant that nobody holds.
fn nobody_holds(dir: &Dir, database: &Database<'_>, id: &str) {
    export(dir, database, "late")
        .args(["--group", "4351", "--pg-snapshot", id])
        .fails(3, &["snapshot hold", "hold another one"])
        .left_nothing();
}

/// The sessions of ours.
fn sessions(database: &Database<'_>) -> String {
    database.run(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'relexport' AND datname = current_database()",
    )
}

#[test]
fn exports_at_a_held_instant_are_of_it_whatever_is_written_meanwhile() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let holder = Holder::start(&dir, &database.address(), &[]);
    let id = holder.id.clone();
    let dump = database.dump(&["--snapshot", &id, "--schema", "public"]);
    let dump = dir.write("dump.sql", dump);
    let of_dump = dir.export_to(&dump, dir.join("of-dump")).group(4351).ok();
    let before = database.run("SELECT md5(string_agg(l::text, '' ORDER BY id)) FROM labels l");
    let writers = Writers::start(&dir, &database);
    let mut known = before;
    for number in 0..3 {
        wait_until("something was written", || {
            let now = database.run("SELECT md5(string_agg(l::text, '' ORDER BY id)) FROM labels l");
            std::mem::replace(&mut known, now.clone()) != now
        });
        let run = export(&dir, &database, &format!("out-{number}"))
            .args(["--group", "4351", "--pg-snapshot", &id])
            .ok();
        assert_same_files("at the instant", &run.packed(), &of_dump.packed());
    }
    let now = export(&dir, &database, "now").group(4351).ok();
    assert_ne!(now.packed(), of_dump.packed(), "the writers wrote nothing");
    drop(writers);
    holder.started.signal("TERM");
    let run = holder.started.wait();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.stdout, format!("{id}\n"));
    assert!(!dir.join("instant").exists());
    wait_until("its session has ended", || sessions(&database) == "0");
    nobody_holds(&dir, &database, &id);
}

#[test]
fn the_instant_of_a_holder_that_was_killed_is_gone_for_all() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let holder = Holder::start(&dir, &database.address(), &[]);
    let id = holder.id.clone();
    holder.started.kill();
    wait_until("its session has ended", || sessions(&database) == "0");
    nobody_holds(&dir, &database, &id);
    // The file is still there, and the next holder puts its own in its place.
    let next = Holder::start(&dir, &database.address(), &[]);
    let third = Holder::start(&dir, &database.address(), &[]);
    // One that ends leaves the file of another.
    next.started.signal("INT");
    assert_eq!(next.started.wait().code, Some(0));
    let file = fs::read_to_string(dir.join("instant")).unwrap();
    assert_eq!(file, format!("{}\n", third.id));
}

#[test]
fn a_holder_notices_that_its_session_or_its_server_has_ended() {
    let (dir, server) = (Dir::new(), Server::start(""));
    let database = fixture(&server);
    let holder = Holder::start(&dir, &database.address(), &[]);
    assert_eq!(database.terminate("application_name = 'relexport'"), 1);
    holder.loses_it(&dir, "57P01");
    let holder = Holder::start(&dir, &database.address(), &["--json"]);
    let id = holder.id.clone();
    let data = server.folder.join("data");
    let data = data.to_str().unwrap();
    server.as_server(&["pg_ctl", "stop", "-D", data, "-m", "immediate", "-w", "-s"]);
    holder.loses_it(&dir, &id);
}

#[test]
fn a_holder_gives_signs_of_life_and_ends_with_the_instant_if_it_cannot() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    database.run(&format!(
        "ALTER DATABASE {} SET idle_in_transaction_session_timeout = '300ms'",
        database.name
    ));
    let holder = Holder::start(&dir, &database.address(), &["--idle-timeout", "900ms"]);
    let mut last = String::new();
    for _ in 0..5 {
        wait_until("a sign of life", || {
            let now = database.run(
                "SELECT query_start FROM pg_stat_activity
                 WHERE application_name = 'relexport' AND datname = current_database()",
            );
            assert_ne!(now, "", "its session has ended");
            std::mem::replace(&mut last, now.clone()) != now
        });
    }
    holder.started.signal("STOP");
    wait_until("the server has ended the session", || {
        sessions(&database) == "0"
    });
    holder.started.signal("CONT");
    holder.loses_it(&dir, "25P03");
}

#[test]
fn a_standby_that_removes_rows_takes_the_instant_away() {
    let (dir, primary) = (Dir::new(), Server::start(PRIMARY));
    let database = fixture(&primary);
    let standby = Standby::start(&database);
    let holder = Holder::start(&dir, &standby.address(), &[]);
    let run = dir
        .export(standby.address())
        .args(["--group", "4351", "--pg-snapshot", &holder.id])
        .ok();
    assert_same_files("a standby", &run.contents(), &expected_files(&[4351]));
    standby.lose_rows_of("award_emoji");
    holder.loses_it(&dir, "conflict with recovery");
}

#[test]
fn what_is_held_is_said_as_json_in_a_line() {
    let (dir, database) = (Dir::new(), Server::shared().database());
    let holder = Holder::start(&dir, &database.address(), &["--json"]);
    holder.started.signal("INT");
    let run = holder.started.wait();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.stdout.matches('\n').count(), 1, "{}", run.stdout);
    let said = run.json();
    assert_eq!(said["snapshot"], holder.id);
    let server = said["server"].as_str().unwrap();
    assert!(server.ends_with(&format!("/{}", database.name)), "{said}");
    let version = database.run("SHOW server_version");
    let version = version.split(' ').next().unwrap();
    assert_eq!(said["server_version"], version);
    assert!(
        said["taken_at"].as_str().unwrap().ends_with("UTC"),
        "{said}"
    );
    assert!(said["lsn"].as_str().unwrap().contains('/'), "{said}");
}

#[test]
fn what_cannot_be_held_is_told() {
    let (dir, database) = (Dir::new(), Server::shared().database());
    let hold = || dir.relexport("snapshot hold --from");
    hold()
        .arg("dump.sql")
        .fails(2, &["dump.sql", "only a live server"]);
    hold().arg("pgdata:x").fails(2, &["only a live server"]);
    let refuses = format!("postgres://me@127.0.0.1:{}/db", free_port());
    let run = hold()
        .arg(refuses)
        .option("--id-file", "id")
        .fails(3, &["refused"]);
    assert_eq!(run.stdout, "");
    hold()
        .arg(database.address())
        .option("--id-file", "nowhere/id")
        .fails(
            4,
            &["cannot write the snapshot's id: nowhere/id", "--id-file"],
        );
    wait_until("its session has ended", || sessions(&database) == "0");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
