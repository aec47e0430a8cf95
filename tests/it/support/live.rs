//! Databases of a real server that hold the fixture, for tests of the command line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::server::{Database, Server};
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
