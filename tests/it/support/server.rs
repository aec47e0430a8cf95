//! Real PostgreSQL servers for tests: each lives as long as its value.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::project;

/// A server in a temp folder of its own.
pub(crate) struct Server {
    child: Child,
    /// The folder of its socket; its data are in `data` below.
    pub folder: PathBuf,
    pub port: u16,
    path: String,
}

impl Server {
    /// Starts a server with more settings (`-c name=value`), on a socket alone.
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_on(5432, settings)
    }

    /// Starts a server on a port that nobody else has.
    pub(crate) fn start_on(port: u16, settings: &str) -> Self {
        // The server ends with this command, which ends when its standard input does: with this process at the latest.
        let mut child = Command::new(project("fixtures/with-postgres"))
            .args(["bash", "-c", "echo \"$PGHOST\"; echo \"$PATH\"; exec cat"])
            .env(
                "WITH_POSTGRES_OPTIONS",
                format!("-c port={port} {settings}"),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().expect("the server started").unwrap();
        Server {
            folder: line().into(),
            port,
            path: line(),
            child,
        }
    }

    /// The server that tests share; each has a database of its own there.
    pub(crate) fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Server::start("-c max_connections=100"))
    }

    /// Makes a database.
    pub(crate) fn database(&self) -> Database<'_> {
        self.database_in("UTF8")
    }

    /// A new database whose texts are in this encoding.
    pub(crate) fn database_in(&self, encoding: &str) -> Database<'_> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = Database {
            server: self,
            name: "postgres".to_owned(),
        };
        server.run(&format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
        ));
        Database { server: self, name }
    }

    /// A program of PostgreSQL's, for this server.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for variable in ["PGPASSWORD", "PGSERVICE", "PGOPTIONS"] {
            command.env_remove(variable);
        }
        command
            .env("PATH", &self.path)
            .env("PGHOST", &self.folder)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .current_dir("/");
        command
    }

    /// Runs a program as the user that the server belongs to.
    pub(crate) fn as_server(&self, arguments: &[&str]) -> Output {
        use std::os::unix::fs::MetadataExt;

        let owner = std::fs::metadata(&self.folder).unwrap().uid();
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        let mut command = match owner == own {
            true => self.program(arguments[0]),
            false => {
                let group = std::fs::metadata(self.folder.join("data")).unwrap().gid();
                let mut command = self.program("setpriv");
                command.args([
                    &format!("--reuid={owner}"),
                    &format!("--regid={group}"),
                    "--clear-groups",
                    arguments[0],
                ]);
                command
            }
        };
        ok(command.args(&arguments[1..]))
    }

    /// Makes a file belong to the server's user, who alone may read it.
    pub(crate) fn give(&self, file: &Path) {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

        let data = std::fs::metadata(self.folder.join("data")).unwrap();
        chown(file, Some(data.uid()), Some(data.gid())).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Replaces the rules of who may log in how.
    pub(crate) fn allow(&self, rules: &str) {
        std::fs::write(self.folder.join("data/pg_hba.conf"), rules).unwrap();
        let database = Database {
            server: self,
            name: "postgres".to_owned(),
        };
        database.run("SELECT pg_reload_conf()");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// Runs a command that must succeed.
pub(crate) fn ok(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A database of a server.
pub(crate) struct Database<'a> {
    pub server: &'a Server,
    pub name: String,
}

impl Database<'_> {
    /// Its address, by the server's socket.
    pub(crate) fn address(&self) -> String {
        format!(
            "postgresql://postgres@/{}?host={}",
            self.name,
            self.server.folder.display()
        )
    }

    /// psql on it, unaligned, which ends at the first error.
    pub(crate) fn psql(&self) -> Command {
        let mut psql = self.server.program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"]);
        psql.arg(&self.name);
        psql
    }

    /// Runs the SQL of a file.
    pub(crate) fn load(&self, file: &Path) {
        ok(self.psql().arg("-f").arg(file));
    }

    /// Runs SQL; returns what psql prints.
    pub(crate) fn run(&self, sql: &str) -> String {
        String::from_utf8(ok(self.psql().args(["-c", sql])).stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// What pg_dump writes.
    pub(crate) fn dump(&self, arguments: &[&str]) -> Vec<u8> {
        let mut dump = self.server.program("pg_dump");
        ok(dump.args(arguments).args(["-d", &self.name])).stdout
    }

    /// Ends sessions of this database that are described by a condition on pg_stat_activity.
    pub(crate) fn terminate(&self, condition: &str) -> usize {
        let ended = self.run(&format!(
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
        ));
        ended.parse().unwrap()
    }
}
