//! Exit code 75: a server that says it is not ready may be later. All else is 3.

use crate::support::live::{Session, export, fixture};
use crate::support::server::{Database, Server, free_port};
use crate::support::{Dir, project};

/// Runs every command that reads a snapshot, and each must end with this code and these words, and leave nothing.
fn every_command_ends_with(dir: &Dir, address: &str, code: i32, says: &[&str]) {
    dir.export(address)
        .group(4351)
        .fails(code, says)
        .left_nothing();
    for arguments in [
        "export --dry-run --group 4351 --snapshot",
        "groups --snapshot",
        "inspect --snapshot",
        "snapshot take --out taken --from",
    ] {
        dir.relexport(arguments).arg(address).fails(code, says);
        assert!(!dir.join("taken").exists(), "{arguments}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_says_nothing_of_later() {
    let dir = Dir::new();
    let refuses = format!("postgres://me@127.0.0.1:{}/db", free_port());
    every_command_ends_with(&dir, &refuses, 3, &["refused"]);
    let gone = format!("postgres://me@/db?host={}", dir.path().display());
    every_command_ends_with(&dir, &gone, 3, &["No such file"]);
}

#[test]
fn a_server_without_a_connection_to_spare_may_have_one_later() {
    let dir = Dir::new();
    let server = Server::start("");
    let database = fixture(&server);
    database.run("CREATE ROLE one LOGIN CONNECTION LIMIT 0");
    let address = database.address().replacen("postgres@", "one@", 1);
    let says = ["too many connections", "53300", "try again"];
    dir.export(&address)
        .group(4351)
        .fails(75, &says)
        .left_nothing();
}

#[test]
fn what_a_server_says_no_to_stays_so() {
    let dir = Dir::new();
    let database = fixture(Server::shared());
    let nowhere = Database {
        server: database.server,
        name: "nowhere".to_owned(),
    };
    every_command_ends_with(&dir, &nowhere.address(), 3, &["3D000"]);
    let nobody = database.address().replacen("postgres@", "nobody@", 1);
    every_command_ends_with(&dir, &nobody, 3, &["nobody"]);
}

#[test]
fn a_lock_on_a_table_that_says_who_the_groups_are_goes_by() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let mut locker = Session::begin(&database);
    locker.lock("namespaces");
    export(&dir, &database, "out")
        .group(4351)
        .args(["--lock-timeout", "50ms"])
        .fails(75, &["lock timeout (SQLSTATE 55P03)"])
        .left_nothing();
    drop(locker);
    database.run("CREATE ROLE routes_only LOGIN; GRANT SELECT ON routes TO routes_only");
    let address = database.address().replacen("postgres@", "routes_only@", 1);
    dir.export(&address)
        .group(4351)
        .fails(3, &["42501"])
        .left_nothing();
}

#[test]
fn a_file_that_is_not_there_is_no_matter_of_time() {
    let dir = Dir::new();
    every_command_ends_with(&dir, "nowhere.sql", 3, &["no such file"]);
    dir.export(project("fixtures/gitlab.sql"))
        .group(99)
        .fails(3, &["99"])
        .left_nothing();
}
