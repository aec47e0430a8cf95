//! Databases of a real server that hold the fixture, for tests of the command line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::support::server::{Database, Server, ok};
use crate::support::{Dir, Export, project};

/// A database with the fixture's tables and rows.
pub fn fixture(server: &Server) -> Database<'_> {
    let database = server.database();
    for file in ["fixtures/schema.sql", "fixtures/seed.sql"] {
        let mut psql = server.program("psql");
        psql.args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &database.name,
            "-f",
        ]);
        ok(psql.arg(project(file)));
    }
    database
}

/// `relexport export` of a database, into a folder of the test's.
pub fn export(dir: &Dir, database: &Database<'_>, out: &str) -> Export {
    dir.export_to(database.address(), dir.join(out))
}

/// The condition on pg_stat_activity for sessions of ours that wait for a lock.
pub const BLOCKED: &str = "application_name = 'relexport' AND wait_event_type = 'Lock'";

/// Waits until a session of ours waits for a lock.
pub fn wait_until_blocked(database: &Database<'_>) {
    let blocked = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {BLOCKED}"
    );
    let begun = std::time::Instant::now();
    while database.run(&blocked) == "0" {
        assert!(begun.elapsed().as_secs() < 60, "nothing waits for the lock");
    }
}

/// A session of psql that stays open.
pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Session {
    pub fn begin(database: &Database<'_>) -> Session {
        let mut child = database
            .server
            .program("psql")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                &database.name,
            ])
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
    fn one(&mut self, sql: &str) -> String {
        writeln!(self.stdin.as_mut().unwrap(), "{sql};").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Begins a transaction, exports its snapshot and returns the id.
    pub fn export_snapshot(&mut self) -> String {
        self.one("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_export_snapshot()")
    }

    /// Begins a transaction beside which nobody can read a table.
    pub fn lock(&mut self, table: &str) {
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
