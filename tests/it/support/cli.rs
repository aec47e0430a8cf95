//! Runs the program as a user would, over the fixtures.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The fixtures' dump; its group 4351 is `acme/platform`.
pub const DUMP: &str = "fixtures/gitlab.sql";
/// The same database as a GitLab backup.
pub const BACKUP: &str = "fixtures/1700000000_2023_11_14_16.5.1-ee_gitlab_backup.tar";
/// The same database as a folder of CSV files.
pub const CSV: &str = "fixtures/csv";
/// Every kind of snapshot that the fixtures hold.
pub const SNAPSHOTS: [&str; 3] = [DUMP, BACKUP, CSV];

/// What a run came to.
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Standard output, of a run that did everything.
    pub fn ok(self) -> String {
        assert_eq!(self.status, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Standard output as JSON, of a run that did everything.
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// Standard error, of a run that ended with this code and printed no result.
    pub fn err(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        self.stderr
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Ran {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The program, in the project's folder.
pub fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relexport"));
    command
        .args(arguments.split_whitespace())
        .env_remove("RELEXPORT_LOG")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    command
}

/// Runs the program; arguments are split at blanks.
pub fn relexport(arguments: &str) -> Ran {
    command(arguments).output().unwrap().into()
}

/// Runs the program with something on its standard input.
pub fn relexport_reading(arguments: &str, input: &[u8]) -> Ran {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may end before it has read everything.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output.into()
}

/// A temp folder with an export in it.
pub struct Exported {
    pub temp: tempfile::TempDir,
}

impl Exported {
    pub fn new(arguments: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let exported = Exported { temp };
        relexport(&format!("export {arguments} --out {}", exported.out())).ok();
        exported
    }

    pub fn out(&self) -> String {
        self.path("").display().to_string()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join("out").join(name)
    }
}

/// The project's folder.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
