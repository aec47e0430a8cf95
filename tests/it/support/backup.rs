//! The fixture backup with files as a folder, with its repositories in the layouts of older releases, and what its
//! archives must hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{PROJECTS_BACKUP, files_below, project};

/// The id of the fixture backup.
const BACKUP_ID: &str = "1790000000_2026_09_21_19.3.0-ee";

/// How repositories lie in a backup of GitLab before 18.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Files named LATEST say what the newest files are. Names of storages are lost.
    Pointer,
    /// A bundle beside its refs. There are no increments: a repository that has some is left out.
    Legacy,
}

/// Unpacks the fixture backup into a folder.
pub(crate) fn unpack_backup(folder: &Path) {
    let file = fs::File::open(project(PROJECTS_BACKUP)).unwrap();
    tar::Archive::new(file).unpack(folder).unwrap();
}

/// Makes a tar of a backup's folder, as GitLab does. What the database is in comes first.
pub(crate) fn pack_backup(folder: &Path, tar: &Path) {
    let members = [
        "backup_information.yml",
        "db",
        "repositories",
        "uploads.tar.gz",
        "lfs.tar.gz",
        "external_diffs.tar.gz",
    ];
    let members = members
        .into_iter()
        .filter(|name| folder.join(name).exists());
    let mut command = Command::new("tar");
    command.args(["--create", "--format=gnu", "--sort=name", "--file"]);
    succeeds(command.arg(tar).arg("-C").arg(folder).args(members));
}

/// A step of a repository's backup: its files by the manifest, without their endings.
struct Step {
    stem: String,
}

/// Moves the repositories of an unpacked fixture backup into another layout, and takes their manifests away.
pub(crate) fn lay_out(folder: &Path, layout: Layout) {
    let repositories = folder.join("repositories");
    let manifests = repositories.join("manifests");
    let laid = folder.join("laid");
    for name in files_below(&manifests) {
        let Some(repository) = name.strip_suffix(&format!(".git/{BACKUP_ID}.toml")) else {
            continue;
        };
        let (_storage, path) = repository.split_once('/').unwrap();
        let manifest = fs::read_to_string(manifests.join(&name)).unwrap();
        let stems = manifest.lines().filter_map(|line| {
            let stem = line.strip_prefix("ref_path = '")?.strip_suffix(".refs'")?;
            Some(Step {
                stem: stem.to_owned(),
            })
        });
        let stems: Vec<Step> = stems.collect();
        match layout {
            Layout::Pointer => {
                let inner = laid.join(path).join(BACKUP_ID);
                for (number, step) in (1..).zip(&stems) {
                    let to = |ending: &str| inner.join(format!("{number:03}.{ending}"));
                    for ending in ["bundle", "refs", "custom_hooks.tar"] {
                        move_file(
                            &repositories.join(format!("{}.{ending}", step.stem)),
                            &to(ending),
                        );
                    }
                }
                fs::create_dir_all(&inner).unwrap();
                fs::write(inner.join("LATEST"), format!("{:03}", stems.len())).unwrap();
                fs::write(laid.join(path).join("LATEST"), BACKUP_ID).unwrap();
            }
            Layout::Legacy => {
                let [step] = stems.as_slice() else { continue };
                let from = |ending: &str| repositories.join(format!("{}.{ending}", step.stem));
                for ending in ["bundle", "refs"] {
                    move_file(&from(ending), &laid.join(format!("{path}.{ending}")));
                }
                move_file(
                    &from("custom_hooks.tar"),
                    &laid.join(path).join("custom_hooks.tar"),
                );
            }
        }
    }
    fs::remove_dir_all(&repositories).unwrap();
    fs::rename(laid, repositories).unwrap();
}

/// Moves a file that may be absent: one without bytes is not written, refs of an empty repository apart.
fn move_file(from: &Path, to: &Path) {
    if from.exists() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(from, to).unwrap();
    }
}

/// A line of a list in `tests/expected/projects/archives`; the script there says what it means.
#[derive(Debug, Clone)]
pub(crate) struct ListedFile {
    pub id: i64,
    pub state: String,
    pub sha256: String,
    pub types: String,
    pub name: String,
}

impl ListedFile {
    /// True if the archive has it.
    pub(crate) fn is_there(&self) -> bool {
        matches!(self.state.as_str(), "whole" | "differs")
    }
}

fn archives() -> PathBuf {
    project("tests/expected/projects/archives")
}

/// What the archive of a relation must hold; `None` if there must be none, or it is not known byte for byte.
pub(crate) fn listed(entity: &str, relation: &str) -> Option<Vec<ListedFile>> {
    let list = fs::read_to_string(archives().join(format!("{entity}/{relation}.txt"))).ok()?;
    let files = list.lines().map(|line| {
        let mut fields = line.splitn(5, ' ').map(str::to_owned);
        let mut next = || {
            fields
                .next()
                .unwrap_or_else(|| panic!("{entity}/{relation}: {line}"))
        };
        ListedFile {
            id: next().parse().unwrap(),
            state: next(),
            sha256: next(),
            types: next(),
            name: next(),
        }
    });
    Some(files.collect())
}

/// The refs that a clone of a bundle must have, as git prints them, HEAD first; `None` if there must be no bundle.
pub(crate) fn listed_refs(entity: &str, relation: &str) -> Option<String> {
    fs::read_to_string(archives().join(format!("{entity}/{relation}.refs"))).ok()
}

/// Clones a bundle as a destination does, and returns the refs of the clone, HEAD first.
pub(crate) fn cloned_refs(bundle: &Path, clone: &Path) -> String {
    succeeds(
        git()
            .args(["clone", "--quiet", "--mirror"])
            .arg(bundle)
            .arg(clone),
    );
    succeeds(git().arg("-C").arg(clone).args(["fsck", "--strict"]));
    let refs = succeeds(git().arg("-C").arg(clone).args(["show-ref", "--head"]));
    String::from_utf8(refs.stdout).unwrap()
}

/// Git without anybody's settings.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C");
    command
}

/// Runs a program, which must end well.
pub(crate) fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    output
}
