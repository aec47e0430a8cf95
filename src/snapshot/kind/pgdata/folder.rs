//! What a data folder is, and whether it may be trusted, as far as its files tell.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::snapshot::codec::read_errors::io_error;
use crate::snapshot::error::SnapshotError;

/// The oldest major version that is read.
const OLDEST: u32 = 10;

/// Small files are read no further than this.
const SMALL: u64 = 64 << 10;

/// A data folder, or a base backup of one.
pub(crate) struct DataFolder {
    /// Without links.
    pub(crate) path: PathBuf,
    /// PostgreSQL's major version.
    pub(crate) version: u32,
    /// User and group that it belongs to.
    pub(crate) owner: (u32, u32),
    /// It is a base backup that no server was started on yet.
    pub(crate) has_label: bool,
    /// A server on it would replay a log that comes from elsewhere: it is a base backup or a standby's.
    pub(crate) needs_archive_recovery: bool,
}

impl DataFolder {
    /// Looks at a folder. `is_atomic` says that the user vouches for it being of one instant.
    ///
    /// # Errors
    /// It is no data folder, is too old, cannot be read, or is in use; or nobody knows whether all its files are of one
    /// instant.
    pub(crate) fn examine(path: &Path, is_atomic: bool) -> Result<DataFolder, SnapshotError> {
        let not_one = |reason: &str| SnapshotError::NotASnapshot {
            path: path.display().to_string(),
            reason: reason.to_owned(),
        };
        let path = &path
            .canonicalize()
            .map_err(|error| unreadable(path, error))?;
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        if !metadata.is_dir() {
            return Err(not_one(
                "pgdata: reads a PostgreSQL data folder, and it is no folder",
            ));
        }
        let version = match small_file(&path.join("PG_VERSION")) {
            Ok(version) => version,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(not_one(if path.join("base.tar").exists() {
                    "it holds a base backup as tar files; unpack base.tar, pg_wal.tar into its folder pg_wal, and tablespaces"
                } else {
                    "it is no PostgreSQL data folder, since it holds no PG_VERSION; name the folder that a server's \
                     data_directory is, or that pg_basebackup wrote"
                }));
            }
            Err(error) => return Err(unreadable(&path.join("PG_VERSION"), error)),
        };
        let digits = version
            .trim()
            .split('.')
            .next()
            .and_then(|digits| digits.parse().ok());
        let Some(version) = digits else {
            return Err(not_one("its PG_VERSION is no version of PostgreSQL"));
        };
        if version < OLDEST {
            return Err(SnapshotError::Unsupported {
                what: format!("a data folder of PostgreSQL {version}"),
                reason: format!("{OLDEST} or newer is needed; dump it with pg_dump"),
            });
        }
        let control = path.join("global/pg_control");
        match fs::metadata(&control) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(not_one(
                    "it is no whole PostgreSQL data folder, since it holds no global/pg_control",
                ));
            }
            Err(error) => return Err(unreadable(&control, error)),
        }
        let has = |name: &str| path.join(name).exists();
        let has_label = has("backup_label");
        check_not_in_use(path, has_label || is_atomic)?;
        Ok(DataFolder {
            path: path.clone(),
            version,
            owner: (metadata.uid(), metadata.gid()),
            has_label,
            needs_archive_recovery: has_label
                || has("standby.signal")
                || has("recovery.signal")
                || has("recovery.conf"),
        })
    }

    /// The bytes of the file that a server changes first of all.
    pub(crate) fn control(&self) -> Result<Vec<u8>, SnapshotError> {
        let path = self.path.join("global/pg_control");
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(SMALL).read_to_end(&mut bytes))
            .map_err(|error| unreadable(&path, error))?;
        Ok(bytes)
    }
}

/// The text of a file that is small in every data folder.
pub(crate) fn small_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(SMALL).read_to_string(&mut text)?;
    Ok(text)
}

/// Data folders belong to a user of their own, so this happens to everybody.
pub(crate) fn unreadable(path: &Path, error: io::Error) -> SnapshotError {
    io_error(
        path,
        match error.kind() {
            io::ErrorKind::PermissionDenied => io::Error::new(
                error.kind(),
                "permission denied; run as the user that the data folder belongs to, or as root",
            ),
            _ => error,
        },
    )
}

/// A running server's files are of many instants, unless they were copied in one (a snapshot of a file system), or as
/// a base backup.
fn check_not_in_use(path: &Path, is_trusted: bool) -> Result<(), SnapshotError> {
    let lock = path.join("postmaster.pid");
    let text = match small_file(&lock) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(&lock, error)),
    };
    let mut lines = text.lines();
    // The process, negative where it is a server for a single user; then the folder it runs on.
    let process = lines
        .next()
        .and_then(|line| line.trim().parse::<i32>().ok())
        .map(i32::unsigned_abs);
    let home = lines.next().map(Path::new);
    let is_home =
        home.is_some_and(|home| home == path || home.canonicalize().is_ok_and(|home| home == path));
    let refuse = |reason: &str| {
        Err(SnapshotError::Unreachable {
            server: path.display().to_string(),
            reason: reason.to_owned(),
        })
    };
    match process {
        Some(process) if is_home && runs(process, path) => refuse(
            "a server is running on it, so its files are not of one instant; connect to that server \
             (postgres://…), or take a base backup with pg_basebackup",
        ),
        _ if is_home || is_trusted => Ok(()),
        _ => refuse(
            "it holds the postmaster.pid of a server that ran in another folder: where files were copied one by one while \
             a server ran, they are not of one instant\n  take a base backup with pg_basebackup; for a file system's snapshot, \
             taken in one instant, say so with --pg-atomic",
        ),
    }
}

/// True where a process may be a server that runs on a folder.
fn runs(process: u32, folder: &Path) -> bool {
    let about = Path::new("/proc").join(process.to_string());
    if Path::new("/proc/self/cwd").exists() {
        return match about.join("cwd").read_link() {
            Ok(current) => current == folder,
            // Somebody else's, whose folder is not shown.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                small_file(&about.join("comm")).is_ok_and(|name| name.starts_with("post"))
            }
            Err(_) => false,
        };
    }
    Command::new("ps")
        .args(["-o", "comm=", "-p", &process.to_string()])
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("post"))
}
