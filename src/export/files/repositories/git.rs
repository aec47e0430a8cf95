//! The `git` program, in surroundings that are ours alone: no configuration of the system or of a user, no hooks, nobody
//! who could be asked for a password, no protocols.

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use super::error::RepositoryError;
use crate::visible::visible;

/// Settings of every call. They come before those of a repository's own file, which is ours, too.
const SETTINGS: [&str; 12] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=true",
    "credential.helper=",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    // The folder may lie on a volume whose files belong to somebody else; what is in it was made by this program.
    "safe.directory=*",
    // As Gitaly clones, and git without settings.
    "init.defaultBranch=master",
    // Several threads would race for deltas, and each run give other bytes.
    "pack.threads=1",
    "pack.writeReverseIndex=false",
    "core.commitGraph=false",
];

/// How long it is waited before it is looked whether a program has ended, at first and at the most.
const WAITS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(100)];

/// How long a program that takes no input is waited for before it is looked whether the run is to end.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Bytes that are fed to a program at once.
const PIECE: usize = 256 << 10;

/// Bytes of what git said that messages show.
const SAID: usize = 512;

/// Why what is as it should be cannot be written, and how git says it: in words of its own, or in those of the C library.
const FULL: [(Errno, &str); 4] = [
    (Errno::NOSPC, "No space left on device"),
    (Errno::NOSPC, "Out of diskspace"),
    (Errno::DQUOT, "Disk quota exceeded"),
    (Errno::FBIG, "File too large"),
];

/// `git`, not started yet; `home` is where it may think to be at home. Nothing is on its standard input.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new("git");
    command.env_clear();
    // Where to find git is all that it gets to know of this program's own surroundings.
    command.envs(env::var_os("PATH").map(|path| ("PATH", path)));
    command
        .env("HOME", home)
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_DEFAULT_REF_FORMAT", "files")
        .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C at a terminal is not meant for it: this program ends it, with all that it started.
        .process_group(0);
    command
}

/// The first release that serves repositories in the way that is used here.
const SERVES: [u32; 2] = [2, 34];

/// Makes sure that there is a `git` which can serve repositories.
///
/// # Errors
/// Why there is none.
pub(crate) fn can_serve() -> Result<(), String> {
    let mut version = command(Path::new("/"));
    version.arg("--version").stdout(Stdio::piped());
    let output = version.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => "git is not installed".to_owned(),
        _ => format!("git cannot be started: {error}"),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(found) = read_version(&text).filter(|_| output.status.success()) else {
        return Err("git does not say which version it is".to_owned());
    };
    match found >= SERVES {
        true => Ok(()),
        false => Err(format!("git {}.{} is too old", found[0], found[1])),
    }
}

/// Reads `git version 2.47.3`.
fn read_version(text: &str) -> Option<[u32; 2]> {
    let number = text.split_ascii_whitespace().nth(2)?;
    let mut parts = number.split('.').map(str::parse);
    Some([parts.next()?.ok()?, parts.next()?.ok()?])
}

/// Ends a program and all that it started.
pub(crate) fn kill_group(id: u32) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    if let Some(id) = id {
        // It may have ended by itself.
        let _ = kill_process_group(id, Signal::KILL);
    }
}

/// Runs `git` for a repository of the backup.
pub(super) struct Git<'a> {
    /// Where it may think to be at home.
    pub home: &'a Path,
    /// What messages call the repository.
    pub member: &'a str,
    pub interrupted: &'a AtomicBool,
}

impl Git<'_> {
    /// `git` on a bare repository, with arguments.
    pub(super) fn on(&self, repository: &Path, arguments: &[&str]) -> Command {
        let mut command = command(self.home);
        command.arg("--git-dir").arg(repository).args(arguments);
        command
    }

    /// Makes a bare repository.
    pub(super) fn init(&self, repository: &Path, format: &str) -> Result<(), RepositoryError> {
        let mut init = command(self.home);
        init.args(["init", "--bare", "--quiet", "--template="])
            .arg(format!("--object-format={format}"))
            .arg(repository);
        self.run(init, "init", None)
    }

    /// Runs a command to its end, with `input` on its standard input. It is killed where the run is interrupted.
    ///
    /// # Errors
    /// It is not installed, it fails, the input cannot be read, or the run is interrupted.
    pub(super) fn run(
        &self,
        mut command: Command,
        what: &'static str,
        input: Option<&mut dyn Read>,
    ) -> Result<(), RepositoryError> {
        let mut said = room_to_speak(self.home).map_err(RepositoryError::Folder)?;
        command.stderr(said.try_clone().map_err(RepositoryError::Folder)?);
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let spawned = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => RepositoryError::NoGit {
                member: self.member.to_owned(),
            },
            _ => self.failed(what, format!(": {error}")),
        })?;
        let mut running = Running(Some(spawned));
        if let Some(input) = input {
            self.feed(&mut running, input, what)?;
        }
        let status = self.wait(&mut running, what)?;
        match status.success() {
            true => Ok(()),
            false => Err(self.ended(what, status, first_line(&mut said))),
        }
    }

    /// Why it failed, by what it said.
    fn ended(&self, what: &'static str, status: ExitStatus, said: String) -> RepositoryError {
        let full = FULL.into_iter().find(|(_, words)| said.contains(words));
        match (full, said.is_empty()) {
            (Some((full, _)), _) => RepositoryError::Folder(full.into()),
            (None, true) => self.failed(what, format!(": {status}")),
            (None, false) => self.failed(what, said),
        }
    }

    fn failed(&self, what: &'static str, said: String) -> RepositoryError {
        RepositoryError::Git {
            member: self.member.to_owned(),
            what,
            said,
        }
    }

    fn feed(
        &self,
        running: &mut Running,
        input: &mut dyn Read,
        what: &'static str,
    ) -> Result<(), RepositoryError> {
        let Some(mut pipe) = running.0.as_mut().and_then(|child| child.stdin.take()) else {
            return Ok(());
        };
        // It is ours alone: a program has the other end.
        let no_wait = fcntl_setfl(&pipe, OFlags::NONBLOCK);
        no_wait.map_err(|error| self.failed(what, format!(": {error}")))?;
        let mut piece = vec![0; PIECE];
        loop {
            self.check_interrupted()?;
            let read = match input.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(RepositoryError::unreadable(self.member, error)),
            };
            if self.give(&mut pipe, &piece[..read])?.is_break() {
                // It has ended before its time, and its exit status says why.
                return Ok(());
            }
        }
    }

    /// Gives a program more of its input, without being held up by one that takes none. `Break` if it takes no more.
    fn give(
        &self,
        pipe: &mut ChildStdin,
        mut bytes: &[u8],
    ) -> Result<ControlFlow<()>, RepositoryError> {
        while !bytes.is_empty() {
            match pipe.write(bytes) {
                Ok(0) => return Ok(ControlFlow::Break(())),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.check_interrupted()?;
                    let mut files = [PollFd::new(&*pipe, PollFlags::OUT)];
                    // Whatever it says, it is tried again.
                    let _ = poll(&mut files, Some(&LOOK));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Ok(ControlFlow::Break(())),
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn wait(
        &self,
        running: &mut Running,
        what: &'static str,
    ) -> Result<ExitStatus, RepositoryError> {
        let [mut wait, longest] = WAITS;
        while let Some(child) = running.0.as_mut() {
            let status = child
                .try_wait()
                .map_err(|error| self.failed(what, format!(": {error}")))?;
            if let Some(status) = status {
                running.0 = None;
                return Ok(status);
            }
            self.check_interrupted()?;
            std::thread::sleep(wait);
            wait = (wait * 2).min(longest);
        }
        Err(self.failed(what, String::new()))
    }

    pub(super) fn check_interrupted(&self) -> Result<(), RepositoryError> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(RepositoryError::Interrupted),
            false => Ok(()),
        }
    }
}

/// A program that runs; it is killed when this is dropped before its end.
struct Running(Option<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            kill_group(child.id());
            let _ = child.wait();
        }
    }
}

/// A file without a name for what a program says. It has its bytes already, so that a full disk can be told, too.
fn room_to_speak(folder: &Path) -> io::Result<File> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&[b'\n'; SAID])?;
    rewind(&mut file)?;
    Ok(file)
}

/// The first line of what a program said, behind a colon. Further ones may hold subjects of commits.
pub(crate) fn first_line(said: &mut File) -> String {
    let mut text = Vec::new();
    let read = said
        .seek(SeekFrom::Start(0))
        .and_then(|_| said.take(SAID as u64).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    match (read, text.lines().next()) {
        (Ok(_), Some(line)) if !line.trim().is_empty() => format!(": {}", visible(line.trim())),
        _ => String::new(),
    }
}

/// Reads what a program printed into a file from its beginning.
pub(super) fn rewind(file: &mut File) -> io::Result<()> {
    file.seek(SeekFrom::Start(0)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        let cases = [
            ("git version 2.47.3\n", Some([2, 47])),
            ("git version 2.39.5 (Apple Git-154)", Some([2, 39])),
            ("git version 2.34.1.windows.1", Some([2, 34])),
            ("git version 3.0", Some([3, 0])),
            ("git version", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read_version(text), expected, "{text}");
        }
        for (version, serves) in [([2, 100], true), ([3, 0], true), ([2, 9], false)] {
            assert_eq!(version >= SERVES, serves, "{version:?}");
        }
    }
}
