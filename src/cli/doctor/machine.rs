//! What the machine must have: folders for state and locks, and the programs of hooks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::jobs::{Config, Hooks, Job};
use crate::output::Lock;

use super::finding::Findings;

/// The folders of the history and of the locks.
pub(super) fn folders(config: &Config, findings: &mut Findings) {
    for (check, what, path) in [
        ("state", "state-dir", &config.state_dir),
        ("locks", "lock-dir", &config.lock_dir),
    ] {
        match tempfile::tempfile_in(path) {
            Ok(_) => findings.ok(check, format!("{} can be written", path.display())),
            Err(error) => {
                let text = format!("cannot write to {}: {error}", path.display());
                let advice = format!(
                    "make the folder, and let the user of the jobs write there, or say another `{what}`"
                );
                findings.problem(check, &text, &advice);
            }
        }
    }
}

/// Whether a run of the job goes on.
pub(super) fn job_lock(config: &Config, job: &Job, findings: &mut Findings) {
    let name = format!("{}.lock", job.name);
    let folders = [&config.lock_dir, &config.state_dir];
    let holder = folders
        .iter()
        .find_map(|folder| Lock::held_by(&folder.join(&name)));
    match holder {
        Some(holder) => findings.warning(
            "locks",
            &format!("a run of the job goes on: {holder}"),
            "another one waits for it (`lock-wait`), or ends with exit status 11",
        ),
        None => findings.ok("locks", "no run of the job goes on"),
    }
}

/// Whether the programs of hooks are there.
pub(super) fn hooks(hooks: &Hooks, findings: &mut Findings) {
    let lists = [
        ("before", &hooks.before),
        ("after", &hooks.after),
        ("success", &hooks.success),
        ("failure", &hooks.failure),
    ];
    let mut count = 0;
    for (when, programs) in lists {
        for program in programs.iter().filter_map(|program| program.first()) {
            match find(program) {
                Some(_) => count += 1,
                None => findings.problem(
                    "hooks",
                    &format!("the program of hook `{when}` cannot be started: {program}"),
                    "install it, let the user of the jobs run it, or write its whole path",
                ),
            }
        }
    }
    if count > 0 {
        findings.ok("hooks", format!("{count} programs are there"));
    }
}

/// The file that a program's name leads to.
fn find(program: &str) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        let found = fs::metadata(path).ok();
        found.is_some_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let path = PathBuf::from(program);
        return is_program(&path).then_some(path);
    }
    let path = crate::environment::variable("PATH")?;
    let mut folders = std::env::split_paths(&path);
    folders.find_map(|folder| Some(folder.join(program)).filter(|path| is_program(path)))
}
