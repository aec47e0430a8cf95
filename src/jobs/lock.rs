//! The lock of a job: two runs of it are never at work at the same time, wherever they write to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::job::JobName;
use crate::failure::{Cause, Failure, Policy};
use crate::output::{Lock, LockError};

/// How often it is looked whether the other run has ended.
const LOOK: Duration = Duration::from_millis(100);

/// For so long it is tried in any case: whoever looks whether a lock is held ([`is_run`]) holds it for a moment.
const LEAST: Duration = Duration::from_millis(300);

/// Why a job's lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobLockError {
    #[error(
        "job {job} is being run already{holder}\n  wait until that run has ended, or for it with --lock-wait"
    )]
    Held { job: String, holder: String },
    #[error(
        "cannot lock job {job} at {path}: {source}\n  see that its folder can be written by the user who runs the jobs"
    )]
    Io {
        job: String,
        path: String,
        source: io::Error,
    },
    #[error("interrupted")]
    Interrupted,
}

impl Failure for JobLockError {
    fn policy(&self) -> Policy {
        Policy::EndRun(match self {
            JobLockError::Held { .. } => Cause::AnotherRun,
            JobLockError::Io { .. } => Cause::Machine,
            JobLockError::Interrupted => Cause::Interruption,
        })
    }
}

/// Where the locks of jobs lie.
#[derive(Debug, Clone)]
pub(crate) struct LockFolder {
    folder: PathBuf,
}

impl LockFolder {
    /// The folder of locks, which is made if it is not there; that of the state, if this is not possible.
    pub(crate) fn new(lock_dir: &Path, state_dir: &Path) -> LockFolder {
        let folder = match usable(lock_dir) {
            Ok(()) => lock_dir,
            Err(error) => {
                tracing::warn!(
                    "locks of jobs are in {}, since {} cannot be used: {error}; every user who runs a job must use the same",
                    state_dir.display(),
                    lock_dir.display()
                );
                // What is wrong with this one is told when the lock is taken.
                let _ = fs::create_dir_all(state_dir);
                state_dir
            }
        };
        LockFolder {
            folder: folder.to_owned(),
        }
    }

    /// Takes the lock of a job; waits so long for a run that holds it. `None` on a file system without locks, which is
    /// warned of.
    ///
    /// # Errors
    /// If another run holds it to the end, it cannot be written, or a signal came.
    pub(crate) fn take(
        &self,
        job: &JobName,
        wait: Duration,
        interrupted: &AtomicBool,
    ) -> Result<Option<Lock>, JobLockError> {
        let path = path_of(&self.folder, job);
        let started = Instant::now();
        let mut is_told = false;
        loop {
            let holder = match Lock::take(&path) {
                Ok(lock) => return Ok(lock),
                Err(LockError::Held(holder)) => {
                    holder.map(|who| format!(": {who}")).unwrap_or_default()
                }
                Err(LockError::Io(source)) => {
                    return Err(JobLockError::Io {
                        job: job.to_string(),
                        path: path.display().to_string(),
                        source,
                    });
                }
            };
            if interrupted.load(Ordering::Relaxed) {
                return Err(JobLockError::Interrupted);
            }
            if started.elapsed() >= wait.max(LEAST) {
                return Err(JobLockError::Held {
                    job: job.to_string(),
                    holder,
                });
            }
            if !is_told && wait > LEAST {
                tracing::info!(
                    "job {job} is being run already{holder}; waiting for up to {} s",
                    wait.as_secs()
                );
                is_told = true;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// The lock of a job in a folder.
fn path_of(folder: &Path, job: &JobName) -> PathBuf {
    folder.join(format!("{job}.lock"))
}

/// True if a run of the job goes on now, as far as its lock tells.
pub(crate) fn is_run(lock_dir: &Path, state_dir: &Path, job: &JobName) -> bool {
    let folders = [lock_dir, state_dir];
    folders
        .iter()
        .any(|folder| Lock::is_held(&path_of(folder, job)))
}

/// Makes sure that files can be made in a folder, by making one.
fn usable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_of_the_first_and_can_wait_for_it() {
        let temp = tempfile::tempdir().unwrap();
        let (run, lib) = (temp.path().join("run"), temp.path().join("lib"));
        let locks = LockFolder::new(&run, &lib);
        let (job, go_on) = (JobName::parse("acme").unwrap(), AtomicBool::new(false));
        assert!(!is_run(&run, &lib, &job));
        let first = locks.take(&job, Duration::ZERO, &go_on).unwrap();
        assert!(first.is_some() && is_run(&run, &lib, &job));
        let error = locks.take(&job, Duration::ZERO, &go_on).unwrap_err();
        let message = error.to_string();
        let who = format!(
            "job acme is being run already: pid {} on ",
            std::process::id()
        );
        assert!(message.starts_with(&who), "{message}");
        let other = JobName::parse("other").unwrap();
        locks.take(&other, Duration::ZERO, &go_on).unwrap();
        std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| locks.take(&job, Duration::from_secs(600), &go_on).map(drop));
            drop(first);
            waiting.join().unwrap().unwrap();
        });
        let interrupted = AtomicBool::new(true);
        let _held = locks.take(&job, Duration::ZERO, &go_on).unwrap();
        let error = locks.take(&job, Duration::from_secs(600), &interrupted);
        assert!(matches!(error, Err(JobLockError::Interrupted)));
    }

    #[test]
    fn locks_are_in_the_state_folder_if_there_can_be_none_in_their_own() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        let locks = LockFolder::new(&file.join("run"), &temp.path().join("lib"));
        let job = JobName::parse("acme").unwrap();
        let _held = locks
            .take(&job, Duration::ZERO, &AtomicBool::new(false))
            .unwrap();
        assert!(temp.path().join("lib/acme.lock").exists());
    }
}
