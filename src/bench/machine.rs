//! What a measurement was made with: the machine, and a fingerprint of the snapshot.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;
use crate::snapshot::Spec;

/// Bytes that are looked at in the beginning, the middle and the end of a file.
const SAMPLE: u64 = 64 << 10;

/// A machine. What its system does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Machine {
    /// The processor's name.
    pub cpu: Option<String>,
    /// Cores that the program may use.
    pub cores: Option<usize>,
    pub memory_bytes: Option<u64>,
    /// The system and its release.
    pub system: String,
}

impl Machine {
    /// The present one.
    pub(crate) fn present() -> Machine {
        let read = |path: &str| fs::read_to_string(path).ok();
        let value = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = || {
            let total = value(&read("/proc/meminfo")?, "MemTotal")?;
            let kilobytes: u64 = total.strip_suffix("kB")?.trim().parse().ok()?;
            Some(kilobytes * 1024)
        };
        let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            cpu: read("/proc/cpuinfo").and_then(|text| value(&text, "model name")),
            cores: std::thread::available_parallelism()
                .ok()
                .map(|cores| cores.get()),
            memory_bytes: memory(),
            system: format!("{} {}", std::env::consts::OS, release.trim())
                .trim()
                .to_owned(),
        }
    }
}

/// Tells snapshots apart without reading them whole: the SHA-256 of the names and sizes of their files and of 64 KiB at the
/// beginning, the middle and the end of each. `None` of what is no file and no folder.
///
/// # Errors
/// Those of the file system.
pub(crate) fn fingerprint(snapshot: &Spec) -> io::Result<Option<(u64, String)>> {
    let Some(path) = snapshot.path() else {
        return Ok(None);
    };
    let Ok(metadata) = fs::metadata(path) else {
        return Ok(None);
    };
    let mut files = Vec::new();
    if metadata.is_dir() {
        collect(path, &mut files)?;
        // Of a backup's folder only the database counts, not the repositories beside it.
        let database = path.join("db");
        if database.is_dir() {
            collect(&database, &mut files)?;
        }
        files.sort();
    } else if metadata.is_file() {
        files.push(path.to_owned());
    } else {
        return Ok(None);
    }
    let mut sha256 = Sha256::new();
    let mut total = 0;
    for file in &files {
        // A file's own name is the user's business; a folder's files are told apart by theirs.
        if let Ok(name) = file.strip_prefix(path) {
            sha256.update(name.as_os_str().as_encoded_bytes());
        }
        total += sample(file, &mut sha256)?;
    }
    Ok(Some((total, hex::encode(&sha256.finalize()))))
}

/// The regular files in a folder, not those below its folders. Links are not followed, as nowhere in a snapshot.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn sample(path: &Path, sha256: &mut Sha256) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    sha256.update(size.to_le_bytes());
    let mut bytes = Vec::new();
    for from in [0, size / 2, size.saturating_sub(SAMPLE)] {
        file.seek(SeekFrom::Start(from))?;
        bytes.clear();
        file.by_ref().take(SAMPLE).read_to_end(&mut bytes)?;
        sha256.update(&bytes);
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_snapshots_apart() {
        let temp = tempfile::tempdir().unwrap();
        let of = |content: &[u8]| {
            let path = temp.path().join("dump.sql");
            fs::write(&path, content).unwrap();
            fingerprint(&Spec::Path(path.to_owned())).unwrap().unwrap()
        };
        let mut content = vec![b'x'; 1_000_000];
        let first = of(&content);
        assert_eq!(first.0, 1_000_000);
        for place in [0, 500_001, 999_999] {
            content[place] = b'y';
            assert_ne!(of(&content).1, first.1, "changed at {place}");
            content[place] = b'x';
        }
        assert_eq!(of(&content), first);
        let folder = fingerprint(&Spec::Path(temp.path().to_owned()))
            .unwrap()
            .unwrap();
        assert_eq!(folder.0, 1_000_000);
        assert_ne!(folder.1, first.1);
        assert_eq!(fingerprint(&Spec::StandardInput).unwrap(), None);
    }
}
