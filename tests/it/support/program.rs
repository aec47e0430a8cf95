//! The program, started as a user would: put together, run to its end or watched on its way, and what came of it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::Value;

use super::{ExportFolder, project, wait_while};

/// Where the program is, for scripts and other programs that start it.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_relexport");

/// `relexport` in the project's folder. The arguments are split at blanks.
pub(crate) fn relexport(arguments: &str) -> Program {
    Program::new(project("").as_path(), arguments)
}

/// A folder of a test's own, gone after it.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// `relexport` in this folder. The arguments are split at blanks.
    pub(crate) fn relexport(&self, arguments: &str) -> Program {
        Program::new(self.path(), arguments)
    }

    /// `relexport export` of a snapshot into the folder `out`, which is not to be there yet.
    pub(crate) fn export(&self, snapshot: impl AsRef<OsStr>) -> Program {
        self.export_to(snapshot, self.join("out"))
    }

    /// `relexport export` into another folder.
    pub(crate) fn export_to(
        &self,
        snapshot: impl AsRef<OsStr>,
        out: impl Into<PathBuf>,
    ) -> Program {
        let out = out.into();
        let mut program = self
            .relexport("export --quiet")
            .option("--snapshot", snapshot)
            .option("--out", &out);
        program.out = out;
        program
    }

    /// Exports a snapshot of the fixture's group 4351 from text that a test made.
    pub(crate) fn export_text(&self, dump: &str) -> Program {
        let path = self.write("dump.sql", dump);
        self.export(path).group(4351)
    }
}

/// What the program finds on its standard input.
enum Input {
    Nothing,
    Bytes(Vec<u8>),
    /// What the test gives while it runs.
    Pipe,
    Handle(Stdio),
}

/// A run of the program that is being put together. Unless told otherwise, nothing is on its standard input, what it
/// prints is kept, and what it writes is expected in the folder `out` of the one that it runs in.
pub(crate) struct Program {
    command: Command,
    input: Input,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    out: PathBuf,
}

impl Program {
    fn new(folder: &Path, arguments: &str) -> Program {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments.split_whitespace())
            .current_dir(folder);
        // Options, and what is for the tests themselves.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RELEXPORT_") {
                command.env_remove(name);
            }
        }
        Program {
            command,
            input: Input::Nothing,
            stdout: None,
            stderr: None,
            out: folder.join("out"),
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Program {
        self.command.args(arguments);
        self
    }

    /// An option with a value, which may hold blanks.
    pub(crate) fn option(self, option: &str, value: impl AsRef<OsStr>) -> Program {
        self.arg(option).arg(value)
    }

    pub(crate) fn group(self, group: impl ToString) -> Program {
        self.option("--group", group.to_string())
    }

    pub(crate) fn relations(self, relations: &[&str]) -> Program {
        self.args(relations.iter().flat_map(|name| ["--relation", name]))
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.command.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: impl AsRef<OsStr>) -> Program {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn current_dir(mut self, folder: impl AsRef<Path>) -> Program {
        self.command.current_dir(folder);
        self
    }

    /// Lets another program start it: the words, then the program and its arguments.
    pub(crate) fn through<S: AsRef<OsStr>>(
        mut self,
        words: impl IntoIterator<Item = S>,
    ) -> Program {
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().expect("a program that starts it"));
        command
            .args(words)
            .arg(self.command.get_program())
            .args(self.command.get_args());
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        self.command = command;
        self
    }

    /// Lets no file become larger than some blocks of 512 bytes. The signal for that, which would end the program, is
    /// ignored: writing fails as on a full disk.
    pub(crate) fn with_small_files(self, blocks: u32) -> Program {
        let script = format!("trap '' XFSZ; ulimit -f {blocks} && exec \"$@\"");
        self.through(["sh", "-c", &script, "sh"])
    }

    /// What standard input gives.
    pub(crate) fn input(mut self, bytes: impl AsRef<[u8]>) -> Program {
        self.input = Input::Bytes(bytes.as_ref().to_vec());
        self
    }

    /// Standard input is what [`Started::give`] gives, until it is closed.
    pub(crate) fn piped(mut self) -> Program {
        self.input = Input::Pipe;
        self
    }

    pub(crate) fn stdin(mut self, input: impl Into<Stdio>) -> Program {
        self.input = Input::Handle(input.into());
        self
    }

    pub(crate) fn stdout(mut self, output: impl Into<Stdio>) -> Program {
        self.stdout = Some(output.into());
        self
    }

    pub(crate) fn stderr(mut self, output: impl Into<Stdio>) -> Program {
        self.stderr = Some(output.into());
        self
    }

    pub(crate) fn start(mut self) -> Started {
        let (stdin, bytes) = match self.input {
            Input::Nothing => (Stdio::null(), None),
            Input::Bytes(bytes) => (Stdio::piped(), Some(bytes)),
            Input::Pipe => (Stdio::piped(), None),
            Input::Handle(handle) => (handle, None),
        };
        let mut child = self
            .command
            .stdin(stdin)
            .stdout(self.stdout.unwrap_or_else(Stdio::piped))
            .stderr(self.stderr.unwrap_or_else(Stdio::piped))
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take();
        if let Some(bytes) = bytes {
            let mut stdin = stdin.take().unwrap();
            // The program may end before it has read everything.
            std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        }
        Started {
            stdin,
            stdout: Printed::new(child.stdout.take()),
            stderr: Printed::new(child.stderr.take()),
            child,
            out: self.out,
        }
    }

    /// Runs to the end.
    pub(crate) fn run(self) -> Run {
        self.start().wait()
    }

    /// Runs, and everything must have gone well.
    pub(crate) fn ok(self) -> Run {
        let run = self.run();
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
        run
    }

    /// Runs, and must end with an exit code and a message with all these parts.
    pub(crate) fn fails(self, code: i32, says: &[&str]) -> Run {
        let run = self.run();
        assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
        for part in says {
            assert!(run.stderr.contains(part), "no {part:?} in: {}", run.stderr);
        }
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        run
    }

    /// Standard output, of a run that does everything.
    pub(crate) fn prints(self) -> String {
        self.ok().stdout
    }

    /// Standard output as JSON, of a run that does everything.
    pub(crate) fn json(self) -> Value {
        self.ok().json()
    }

    /// Standard error, of a run that ends with this code and prints no result.
    pub(crate) fn err(self, code: i32) -> String {
        let run = self.fails(code, &[]);
        assert_eq!(run.stdout, "");
        run.stderr
    }
}

/// What a program has printed so far. A thread reads on, so that the program never waits for its reader.
struct Printed {
    pipe: Option<Arc<Mutex<Pipe>>>,
    reader: Option<JoinHandle<()>>,
}

/// The end of a pipe that is read from, and what came out of it.
struct Pipe {
    file: File,
    bytes: Vec<u8>,
}

impl Pipe {
    /// Reads what the pipe holds now; false at its end.
    fn take(&mut self) -> bool {
        let mut buffer = [0; 8192];
        loop {
            let mut ready = [PollFd::new(&self.file, PollFlags::IN)];
            match poll(&mut ready, Some(&Timespec::default())) {
                Ok(0) | Err(Errno::INTR) => return true,
                polled => polled.unwrap(),
            };
            match self.file.read(&mut buffer).unwrap() {
                0 => return false,
                count => self.bytes.extend(&buffer[..count]),
            }
        }
    }
}

impl Printed {
    fn new(pipe: Option<impl Into<OwnedFd>>) -> Printed {
        let Some(pipe) = pipe else {
            return Printed {
                pipe: None,
                reader: None,
            };
        };
        let file = File::from(pipe.into());
        let waiting = file.try_clone().unwrap();
        let bytes = Vec::new();
        let pipe = Arc::new(Mutex::new(Pipe { file, bytes }));
        let reader = std::thread::spawn({
            let pipe = Arc::clone(&pipe);
            move || loop {
                let mut ready = [PollFd::new(&waiting, PollFlags::IN)];
                match poll(&mut ready, None) {
                    Err(Errno::INTR) => continue,
                    polled => polled.unwrap(),
                };
                if !pipe.lock().unwrap().take() {
                    return;
                }
            }
        });
        Printed {
            pipe: Some(pipe),
            reader: Some(reader),
        }
    }

    /// What it has printed before this moment: a test that was told something by the program finds what the program
    /// said before.
    fn so_far(&self) -> String {
        let Some(pipe) = &self.pipe else {
            return String::new();
        };
        let mut pipe = pipe.lock().unwrap();
        pipe.take();
        String::from_utf8_lossy(&pipe.bytes).into_owned()
    }

    /// Everything, once nobody can print any more.
    fn whole(mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        let pipe = self.pipe.take();
        let bytes = pipe.map(|pipe| std::mem::take(&mut pipe.lock().unwrap().bytes));
        String::from_utf8(bytes.unwrap_or_default()).unwrap()
    }
}

/// A run that is on its way. It is killed when the test is over.
pub(crate) struct Started {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Printed,
    stderr: Printed,
    out: PathBuf,
}

impl Started {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Gives it more of its standard input.
    pub(crate) fn give(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("it has a pipe");
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// Gives it the last of its standard input. It may end before it has read all of it.
    pub(crate) fn give_last(&mut self, bytes: &[u8]) {
        let mut stdin = self.stdin.take().expect("it has a pipe");
        let _ = stdin.write_all(bytes);
    }

    /// Waits until something is so, which must be while it runs.
    pub(crate) fn wait_until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        let child = &mut self.child;
        wait_while(what, || {
            if is_so() {
                return false;
            }
            let ended = child.try_wait().unwrap();
            assert_eq!(ended, None, "it ended before {what}");
            true
        });
    }

    /// Waits until a line with a text stands on its standard error; returns everything up to this line's end.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> String {
        let Started { child, stderr, .. } = self;
        let mut lines = None;
        wait_while(text, || {
            // Looked at first: what it says last is read after it has ended.
            let ended = child.try_wait().unwrap();
            let said = stderr.so_far();
            let line_end = said
                .find(text)
                .and_then(|at| said[at..].find('\n').map(|end| at + end + 1));
            assert!(
                line_end.is_some() || ended.is_none(),
                "it ended without {text:?}: {said}"
            );
            lines = line_end.map(|end| said[..end].to_owned());
            lines.is_none()
        });
        lines.unwrap()
    }

    /// Sends a signal, `INT` for example.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(pid)
            .status();
        assert!(sent.unwrap().success());
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end. Standard input stays open until then, unless it was closed.
    pub(crate) fn wait(mut self) -> Run {
        let code = self.child.wait().unwrap().code();
        let nothing = || Printed::new(None::<OwnedFd>);
        Run {
            code,
            stdout: std::mem::replace(&mut self.stdout, nothing()).whole(),
            stderr: std::mem::replace(&mut self.stderr, nothing()).whole(),
            folder: ExportFolder::new(&self.out),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Nothing happens to one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that has ended, and the folder that it wrote.
pub(crate) struct Run {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    folder: ExportFolder,
}

impl Run {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl Deref for Run {
    type Target = ExportFolder;

    fn deref(&self) -> &ExportFolder {
        &self.folder
    }
}
