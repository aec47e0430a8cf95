//! Repositories made by git, and the files of a backup that Gitaly would make of them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::process::Stdio;

use super::*;
use crate::snapshot::{BackupInfo, SnapshotError};

/// `RepositoryPath::project(71)`: printf 71 | sha256sum
pub(super) const PATH: &str =
    "@hashed/7f/22/7f2253d7e228b22a08bda1f09c516f6fead81df6536eb02fa991a34bb38d9be8";

pub(super) const BACKUP_ID: &str = "1790000000_2026_09_21_19.3.0-ee";

/// A bare repository in a folder of its own.
pub(super) struct Source {
    _temp: Option<tempfile::TempDir>,
    folder: PathBuf,
    commits: std::cell::Cell<u32>,
}

impl Source {
    pub(super) fn new(format: &str) -> Source {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("source.git");
        let source = Source {
            folder: folder.clone(),
            _temp: Some(temp),
            commits: 0.into(),
        };
        let format = format!("--object-format={format}");
        let arguments = ["init", "--bare", "-q", "-b", "main", &format];
        source.start(&[&arguments[..], &[folder.to_str().unwrap()]].concat(), b"");
        source
    }

    /// A mirror of a bundle, made by git's own clone.
    pub(super) fn clone(bundle: &Path, folder: &Path) -> Source {
        let clone = Source {
            folder: folder.to_owned(),
            _temp: None,
            commits: 0.into(),
        };
        let (from, to) = (bundle.to_str().unwrap(), folder.to_str().unwrap());
        clone.start(&["clone", "-q", "--mirror", from, to], b"");
        clone
    }

    pub(super) fn at(folder: &Path) -> Source {
        Source {
            folder: folder.to_owned(),
            _temp: None,
            commits: 0.into(),
        }
    }

    fn start(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = git::command(self.folder.parent().unwrap());
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Jo")
                .env(format!("GIT_{who}_EMAIL"), "jo@example.com")
                .env(format!("GIT_{who}_DATE"), "2026-01-02T03:04:05Z");
        }
        command
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        output.stdout
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"")
    }

    fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let folder = ["--git-dir", self.folder.to_str().unwrap()];
        let output = self.start(&[&folder, arguments].concat(), input);
        String::from_utf8(output).unwrap().trim().to_owned()
    }

    /// A commit with a file of its own on top of others; returns its id.
    pub(super) fn commit(&self, parents: &[&str]) -> String {
        let number = self.commits.get() + 1;
        self.commits.set(number);
        // Enough for deltas.
        let text: String = (0..200)
            .map(|line| format!("{line} of {}\n", line % number))
            .collect();
        let blob = self.git_with(&["hash-object", "-w", "--stdin"], text.as_bytes());
        let tree = self.git_with(
            &["mktree"],
            format!("100644 blob {blob}\tfile\n").as_bytes(),
        );
        let message = format!("commit {number}");
        let mut arguments = vec!["commit-tree", &tree, "-m", &message];
        arguments.extend(parents.iter().flat_map(|parent| ["-p", parent]));
        self.git(&arguments)
    }

    /// Sets a ref, wherever it was.
    pub(super) fn set(&self, name: &str, id: &str) {
        self.git(&["update-ref", name, id]);
    }

    /// Changes refs by commands of `git update-ref --stdin`.
    pub(super) fn update(&self, commands: &str) {
        self.git_with(&["update-ref", "--stdin"], commands.as_bytes());
    }

    pub(super) fn delete(&self, name: &str) {
        self.git(&["update-ref", "-d", name]);
    }

    /// What Gitaly writes as `.refs`.
    pub(super) fn refs(&self) -> String {
        let lines = self.git(&["for-each-ref", "--format=%(objectname) %(refname)"]);
        let head = match lines.is_empty() {
            true => String::new(),
            false => self.git(&["show-ref", "--head"]),
        };
        let head: Vec<&str> = head
            .lines()
            .filter(|line| line.ends_with(" HEAD"))
            .collect();
        let all = head.into_iter().chain(lines.lines());
        all.flat_map(|line| [line, "\n"]).collect()
    }

    /// What Gitaly writes as the bundle of a full backup.
    pub(super) fn full(&self) -> Vec<u8> {
        let folder = ["--git-dir", self.folder.to_str().unwrap()];
        let create = ["bundle", "create", "-q", "-", "--all"];
        self.start(&[&folder[..], &create].concat(), b"")
    }

    /// What Gitaly writes as the bundle of an increment after a list of refs.
    pub(super) fn increment(&self, after: &str) -> Vec<u8> {
        let known = after.lines().map(|line| line.split(' ').next().unwrap());
        let mut input: String = known.map(|id| format!("^{id}\n")).collect();
        for line in self.refs().lines() {
            input.push_str(line.split(' ').nth(1).unwrap());
            input.push('\n');
        }
        let folder = ["--git-dir", self.folder.to_str().unwrap()];
        let create = ["bundle", "create", "-q", "-", "--stdin"];
        self.start(&[&folder[..], &create].concat(), input.as_bytes())
    }

    /// Its objects are all there and whole.
    pub(super) fn check(&self) {
        self.git(&["fsck", "--full", "--strict", "--no-dangling"]);
    }
}

/// The files of a backup, in memory.
#[derive(Clone, Default)]
pub(super) struct Files(pub BTreeMap<String, Vec<u8>>);

impl Files {
    pub(super) fn with(mut self, name: &str, bytes: impl AsRef<[u8]>) -> Files {
        let name = format!("repositories/{name}");
        self.0.insert(name, bytes.as_ref().to_vec());
        self
    }

    pub(super) fn into_backup(self) -> Arc<dyn BackupFiles> {
        Arc::new(Backup {
            files: self.0,
            info: BackupInfo {
                backup_id: Some(BACKUP_ID.to_owned()),
                ..BackupInfo::default()
            },
        })
    }
}

struct Backup {
    files: BTreeMap<String, Vec<u8>>,
    info: BackupInfo,
}

impl BackupFiles for Backup {
    fn size_of(&self, name: &str) -> Result<Option<u64>, SnapshotError> {
        Ok(self.files.get(name).map(|bytes| bytes.len() as u64))
    }

    fn open(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Read + Send>, SnapshotError> {
        let range = range.start as usize..range.end as usize;
        Ok(Box::new(io::Cursor::new(self.files[name][range].to_vec())))
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, SnapshotError> {
        let files = self.files.iter();
        Ok(files
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
            .collect())
    }

    fn info(&self) -> &BackupInfo {
        &self.info
    }
}

/// A manifest of steps that lie in folders, with more lines above them.
pub(super) fn manifest(above: &str, folders: &[&str]) -> String {
    let mut text = format!("{above}\n");
    for (at, folder) in folders.iter().enumerate() {
        let number = at + 1;
        text.push_str(&format!(
            "\n[[steps]]\nbundle_path = '{folder}/{number:03}.bundle'\nref_path = '{folder}/{number:03}.refs'\n\
             custom_hooks_path = '{folder}/{number:03}.custom_hooks.tar'\n"
        ));
    }
    text
}

/// Steps as the manifest layout has them, each with its refs, and a bundle where there is one.
pub(super) fn steps_in(above: &str, steps: &[(Option<Vec<u8>>, String)]) -> Files {
    let folders: Vec<String> = (1..=steps.len())
        .map(|step| format!("default/{PATH}.git/backup{step}"))
        .collect();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let mut files = Files::default().with(
        &format!("manifests/default/{PATH}.git/{BACKUP_ID}.toml"),
        manifest(above, &folders),
    );
    for (at, (bundle, refs)) in steps.iter().enumerate() {
        let name = |kind: &str| format!("{}/{:03}.{kind}", folders[at], at + 1);
        files = files.with(&name("refs"), refs);
        if let Some(bundle) = bundle {
            files = files.with(&name("bundle"), bundle);
        }
    }
    files
}
