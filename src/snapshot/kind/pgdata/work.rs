//! The folder of a copy, and whose it is. It goes away with the program, however that ends.

use std::fs::{self, DirBuilder};
use std::io::{self, PipeWriter};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::temp_folder::TempFolder;

/// Removes folders once nobody holds the other end of its standard input.
const SWEEPER: &str = "trap '' HUP INT QUIT TERM; cat >/dev/null; rm -rf -- \"$@\"";

/// Bytes that a socket's path may have; the systems' own limits are 104 and 108 with the name.
const LONGEST_SOCKET_FOLDER: usize = 80;

/// How the names of such folders begin.
const PREFIX: &str = "relexport-pgdata-";

/// Whom the server runs as. PostgreSQL refuses to run as root.
#[derive(Clone)]
pub(crate) struct ServerUser {
    /// User and group, where it is not our own.
    ids: Option<(u32, u32)>,
}

impl ServerUser {
    /// Ourselves; for root the owner of the data folder, or the user `postgres`.
    ///
    /// # Errors
    /// There is no such user; in words.
    pub(crate) fn choose(owner: (u32, u32)) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Ok(ServerUser { ids: None });
        }
        if owner.0 != 0 {
            return Ok(ServerUser { ids: Some(owner) });
        }
        let ids = ["postgres", "nobody"]
            .iter()
            .find_map(|name| Some((id("-u", name)?, id("-g", name)?)));
        match ids {
            Some(ids) => Ok(ServerUser { ids: Some(ids) }),
            None => Err(
                "a server does not run as root, and there is no user postgres; run as another user"
                    .to_owned(),
            ),
        }
    }

    /// A command that runs as this user, in messages that are not translated.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").env("TZ", "UTC");
        if let Some((user, group)) = self.ids {
            // Of root's other groups none is kept, either.
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives a file or folder to this user.
    pub(crate) fn give(&self, path: &Path) -> io::Result<()> {
        match self.ids {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Finds out whether this user can enter a folder.
    pub(crate) fn try_folder(&self, path: &Path) -> io::Result<()> {
        let entered = self
            .command("/bin/sh")
            .args(["-c", ":"])
            .current_dir(path)
            .status()?;
        match entered.success() {
            true => Ok(()),
            false => Err(io::Error::other("no program can be run in it")),
        }
    }

    /// Makes a folder for this user alone.
    pub(crate) fn make_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)?;
        self.give(path)
    }

    /// Writes a file that this user can read.
    pub(crate) fn write(&self, path: &Path, content: &str) -> io::Result<()> {
        fs::write(path, content)?;
        self.give(path)
    }
}

fn id(option: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([option, name]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().parse().ok().filter(|_| output.status.success())
}

/// The folder, which others can look into no more than they could into the data folder.
pub(crate) struct Work {
    path: PathBuf,
    /// The folder of the server's socket.
    pub(crate) sockets: PathBuf,
    /// Both of them, so that no other run takes them for a dead one's.
    _held: (TempFolder, Option<TempFolder>),
    /// Held open as long as the folder is needed; `None` at the end.
    hold: Option<PipeWriter>,
    sweeper: Child,
}

impl Work {
    /// Makes the folder below `temp_dir`.
    pub(crate) fn create(temp_dir: &Path, user: &ServerUser) -> io::Result<Work> {
        let temp_dir = temp_dir.canonicalize()?;
        let new_folder = |parent: &Path| {
            let folder = TempFolder::create(parent, PREFIX)?;
            if let Err(error) = user.give(folder.path()) {
                // It is empty, and nobody's.
                let _ = fs::remove_dir(folder.path());
                return Err(error);
            }
            Ok(folder)
        };
        let folder = new_folder(&temp_dir)?;
        let elsewhere = match folder.path().as_os_str().len() > LONGEST_SOCKET_FOLDER {
            true => Some(new_folder(Path::new("/tmp"))?),
            false => None,
        };
        let (reader, hold) = io::pipe()?;
        let sockets = elsewhere.as_ref().unwrap_or(&folder).path().to_owned();
        let sweeper = Command::new("/bin/sh")
            .args(["-c", SWEEPER, "relexport-sweeper"])
            .arg(folder.path())
            .arg(&sockets)
            .current_dir("/")
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C at a terminal is not meant for it.
            .process_group(0)
            .spawn()
            .inspect_err(|_| {
                for folder in [folder.path(), &sockets] {
                    let _ = fs::remove_dir(folder);
                }
            })?;
        Ok(Work {
            path: folder.path().to_owned(),
            sockets,
            _held: (folder, elsewhere),
            hold: Some(hold),
            sweeper,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the copy of the data folder lies.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Another end that keeps the folder: for the standard output of what works in it.
    pub(crate) fn hold(&self) -> io::Result<Stdio> {
        match &self.hold {
            Some(hold) => Ok(hold.try_clone()?.into()),
            None => Ok(Stdio::null()),
        }
    }
}

impl Drop for Work {
    /// Waits until the folder is gone.
    fn drop(&mut self) {
        self.hold = None;
        let _ = self.sweeper.wait();
        // Somebody may have ended the sweeper.
        for folder in [&self.path, &self.sockets] {
            if let Err(error) = fs::remove_dir_all(folder)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!("cannot remove {}: {error}", folder.display());
            }
        }
    }
}
