//! Databases of a real server that hold the fixture, for tests of the command line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::server::{Database, Server, free_port, ok};
use super::{Dir, Program, project, wait_until};

/// A database with the fixture's tables and rows.
pub(crate) fn fixture(server: &Server) -> Database<'_> {
    let database = server.database();
    for file in ["fixtures/schema.sql", "fixtures/seed.sql"] {
        database.load(&project(file));
    }
    database
}

/// `relexport export` of a database, into a folder of the test's.
pub(crate) fn export(dir: &Dir, database: &Database<'_>, out: &str) -> Program {
    dir.export_to(database.address(), dir.join(out))
}

/// The condition on pg_stat_activity for sessions of ours that wait for a lock.
pub(crate) const BLOCKED: &str = "application_name = 'relexport' AND wait_event_type = 'Lock'";

/// Waits until a session of ours waits for a lock.
pub(crate) fn wait_until_blocked(database: &Database<'_>) {
    let blocked = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {BLOCKED}"
    );
    wait_until("a session waits for the lock", || {
        database.run(&blocked) != "0"
    });
}

/// A session of psql that stays open.
pub(crate) struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Session {
    pub(crate) fn begin(database: &Database<'_>) -> Session {
        let mut child = database
            .psql()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Session {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Runs SQL that gives one value.
    pub(crate) fn one(&mut self, sql: &str) -> String {
        writeln!(self.stdin.as_mut().unwrap(), "{sql};").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Begins a transaction, exports its snapshot and returns the id.
    pub(crate) fn export_snapshot(&mut self) -> String {
        self.one("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_export_snapshot()")
    }

    /// Begins a transaction beside which nobody can read a table.
    pub(crate) fn lock(&mut self, table: &str) {
        assert_eq!(
            self.one(&format!("BEGIN; LOCK TABLE {table}; SELECT 1")),
            "1"
        );
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}

/// Settings of a server that has a [`Standby`].
pub(crate) const PRIMARY: &str = "-c wal_level=replica -c max_wal_senders=4 -c autovacuum=off";

/// A standby of a database's server, which never waits for those who read.
pub(crate) struct Standby<'a> {
    database: &'a Database<'a>,
    folder: String,
    port: String,
}

impl<'a> Standby<'a> {
    pub(crate) fn start(database: &'a Database<'a>) -> Standby<'a> {
        let primary = database.server;
        let folder = primary.folder.join("standby");
        let folder = folder.to_str().unwrap();
        let backup = ["pg_basebackup", "-D", folder, "-R", "-X", "stream"];
        primary.as_server(&[&backup[..], &["-c", "fast"]].concat());
        let port = free_port().to_string();
        let settings = format!(
            "-c port={port} -c listen_addresses='' -c unix_socket_directories='{}' -c max_standby_streaming_delay=0 \
             -c hot_standby_feedback=off",
            primary.folder.display()
        );
        let log = primary.folder.join("standby.log");
        let start = ["pg_ctl", "start", "-D", folder, "-w", "-s", "-l"];
        let more = [log.to_str().unwrap(), "-o", &settings];
        primary.as_server(&[&start[..], &more].concat());
        Standby {
            database,
            folder: folder.to_owned(),
            port,
        }
    }

    /// The address of the database there.
    pub(crate) fn address(&self) -> String {
        format!("{}&port={}", self.database.address(), self.port)
    }

    fn run(&self, sql: &str) -> String {
        let mut psql = self.database.psql();
        let output = ok(psql.args(["-p", &self.port, "-c", sql]));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Takes away rows of a table that the standby still shows to who reads it, which it must follow at once.
    pub(crate) fn lose_rows_of(&self, table: &str) {
        self.database.run(&format!("DELETE FROM {table}"));
        self.database.run(&format!("VACUUM {table}"));
        let end = self.database.run("SELECT pg_current_wal_lsn()");
        wait_until("the standby has followed", || {
            self.run(&format!("SELECT pg_last_wal_replay_lsn() >= '{end}'")) == "t"
        });
    }
}

impl Drop for Standby<'_> {
    fn drop(&mut self) {
        let folder = &self.folder;
        let stop = [
            "pg_ctl",
            "stop",
            "-D",
            folder,
            "-m",
            "immediate",
            "-w",
            "-s",
        ];
        self.database.server.as_server(&stop);
    }
}
