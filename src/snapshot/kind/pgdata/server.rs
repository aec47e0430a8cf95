//! A private server on the copy: started, waited for, asked who is who in it, and stopped.
//!
//! A shell stands between the program and the server (`supervisor.sh`). It holds the reading end of a pipe, and stops the
//! server when the writing end closes, which happens even where the program is killed. Another shell removes the
//! folder when both have gone (`work.rs`).

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use super::folder::small_file;
use super::work::{ServerUser, Work};
use crate::hex;
use crate::snapshot::error::SnapshotError;

const SUPERVISOR: &str = include_str!("supervisor.sh");

/// Asks, in single-user mode, for the role that may do everything and for the databases that can be connected to. In hexadecimal
/// digits, since names may have any letters.
const QUESTION: &str = "SELECT 'role:' || pg_catalog.encode(pg_catalog.convert_to(rolname::text, 'UTF8'), 'hex') \
     FROM pg_catalog.pg_authid WHERE oid = 10 UNION ALL \
     SELECT 'database:' || pg_catalog.encode(pg_catalog.convert_to(datname::text, 'UTF8'), 'hex') \
     FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate\n";

/// How often it is looked whether the server is ready.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// Bytes at the log's end that errors show lines of.
const LOG_END: u64 = 2000;

/// Lines of the log that errors show.
const LOG_LINES: usize = 8;

/// A server. It is stopped, and its folder removed, when this is dropped.
pub(crate) struct PrivateServer {
    /// Open as long as the server is to run; `None` at the end.
    pipe: Option<ChildStdin>,
    supervisor: Child,
    pub(crate) work: Work,
}

/// What a server answered before it was ready for connections.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The role that the server was made with, which may do everything.
    pub(crate) role: String,
    /// Databases that are no templates, by name.
    pub(crate) databases: Vec<String>,
}

impl PrivateServer {
    /// Starts a server on the copy in `work`, which has its settings already.
    pub(crate) fn start(work: Work, bin: &Path, user: &ServerUser) -> io::Result<PrivateServer> {
        user.write(&work.path().join("question"), QUESTION)?;
        user.write(&work.path().join("server.log"), "")?;
        let mut supervisor = user
            .command("/bin/sh")
            .args(["-c", SUPERVISOR, "relexport-supervisor"])
            .arg(bin)
            .arg(work.path())
            .current_dir(work.path())
            .stdin(Stdio::piped())
            .stdout(work.hold()?)
            .stderr(Stdio::null())
            // Ctrl-C at a terminal is not meant for it.
            .process_group(0)
            .spawn()?;
        Ok(PrivateServer {
            pipe: supervisor.stdin.take(),
            supervisor,
            work,
        })
    }

    /// Waits until the server takes connections. `told` is asked now and then whether to go on.
    ///
    /// # Errors
    /// The server has ended, is not ready in time, or `told` has an error. Words of the server's log are in it.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        told: &mut dyn FnMut() -> Result<(), SnapshotError>,
        failed: &dyn Fn(String) -> SnapshotError,
    ) -> Result<Answer, SnapshotError> {
        let begun = Instant::now();
        loop {
            told()?;
            let has_ended = self.supervisor.try_wait();
            if has_ended
                .map_err(|error| failed(error.to_string()))?
                .is_some()
            {
                return Err(failed(format!(
                    "the private server did not start; its log ends with\n{}",
                    self.log_end()
                )));
            }
            if self.is_ready() {
                let answer = small_file(&self.work.path().join("answer")).unwrap_or_default();
                return Answer::parse(&answer).ok_or_else(|| {
                    failed("the private server does not say which role it was made with".to_owned())
                });
            }
            if timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
                return Err(failed(format!(
                    "the private server was not ready in time; give it more with --pg-start-timeout; its log ends with\n{}",
                    self.log_end()
                )));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// A server notes its state in the eighth line of its lock file.
    fn is_ready(&self) -> bool {
        self.work.path().join("answer").exists()
            && small_file(&self.work.data().join("postmaster.pid"))
                .is_ok_and(|text| text.lines().nth(7).map(str::trim) == Some("ready"))
    }

    /// The last lines of the server's log, indented.
    fn log_end(&self) -> String {
        let read = || {
            let mut log = fs::File::open(self.work.path().join("server.log"))?;
            let size = log.metadata()?.len();
            log.seek(SeekFrom::Start(size.saturating_sub(LOG_END)))?;
            let mut bytes = Vec::new();
            log.read_to_end(&mut bytes)?;
            Ok::<_, io::Error>(bytes)
        };
        let bytes = read().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
        let lines: Vec<String> = last.iter().map(|line| format!("  {line}")).collect();
        lines.join("\n")
    }
}

impl Drop for PrivateServer {
    /// Waits until the server has ended.
    fn drop(&mut self) {
        self.pipe = None;
        // Where somebody has ended the supervisor, the server notices within a minute that its folder is gone.
        let _ = self.supervisor.wait();
    }
}

impl Answer {
    /// Finds the values among what single-user mode prints around them.
    fn parse(text: &str) -> Option<Answer> {
        let values = |name: &str| -> Vec<String> {
            text.match_indices(&format!("\"{name}:"))
                .filter_map(|(at, mark)| {
                    let digits = &text[at + mark.len()..];
                    String::from_utf8(hex::decode(&digits[..digits.find('"')?])?).ok()
                })
                .collect()
        };
        Some(Answer {
            role: values("role").pop()?,
            databases: values("database"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_single_user_mode_is_understood() {
        let text = "\nPostgreSQL stand-alone backend 15.14\n\
            backend> \t 1: ?column?\t(typeid = 25, len = -1, typmod = -1, byval = f)\n\t----\n\
            \t 1: ?column? = \"role:6722f6f\"\t(typeid = 25, len = -1, typmod = -1, byval = f)\n\t----\n\
            \t 1: ?column? = \"role:6f2272c3b66c\"\t(typeid = 25, len = -1, typmod = -1, byval = f)\n\t----\n\
            \t 1: ?column? = \"database:6462\"\t(typeid = 25, len = -1, typmod = -1, byval = f)\n\t----\n\
            \t 1: ?column? = \"database:6d792064622e2e2e\"\t(typeid = 25, len = -1, typmod = -1, byval = f)\n\t----\n\
            backend> ";
        assert_eq!(
            Answer::parse(text),
            Some(Answer {
                role: "o\"röl".to_owned(),
                databases: vec!["db".to_owned(), "my db...".to_owned()],
            })
        );
        assert_eq!(Answer::parse("backend> "), None);
    }
}
