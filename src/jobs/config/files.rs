//! Which files the configuration is made of.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{ConfigError, ConfigFile, MAX_BYTES};
use crate::snapshot::Pipe;

/// The file that is read unless another one is named.
pub const MAIN_FILE: &str = "/etc/relexport/relexport.toml";

/// The folder of files that are read after it.
pub const FOLDER: &str = "/etc/relexport/conf.d";

/// The names of both in any other folder.
const MAIN_NAME: &str = "relexport.toml";
const FOLDER_NAME: &str = "conf.d";

/// The files of the configuration, with their texts: of a file that is named that one alone; of a folder that is named its
/// `relexport.toml` and `conf.d/*.toml`; else those below `/etc/relexport`.
///
/// # Errors
/// If there is none, or one cannot be read.
pub fn find(named: Option<&Path>) -> Result<Vec<ConfigFile>, ConfigError> {
    match named {
        Some(path) if path.is_dir() => of_folder(&path.join(MAIN_NAME), &path.join(FOLDER_NAME)),
        Some(path) => {
            Ok(vec![open(path).map_err(|error| {
                ConfigError::of_file(path, unreadable(&error))
            })?])
        }
        None => of_folder(Path::new(MAIN_FILE), Path::new(FOLDER)),
    }
}

fn unreadable(error: &io::Error) -> String {
    format!(
        "cannot read the configuration: {error}; `relexport config init` writes one to begin with"
    )
}

/// A main file and those of a folder beside it, either of which may be missing.
fn of_folder(main: &Path, folder: &Path) -> Result<Vec<ConfigFile>, ConfigError> {
    let mut paths = vec![main.to_owned()];
    let fail = |path: &Path, error: &io::Error| ConfigError::of_file(path, unreadable(error));
    match names(folder) {
        Ok(names) => paths.extend(names),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail(folder, &error)),
    }
    let (mut files, mut mistakes) = (Vec::new(), Vec::new());
    for path in &paths {
        match open(path) {
            Ok(file) => files.push(file),
            Err(error) if path == main && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => mistakes.extend(fail(path, &error).mistakes),
        }
    }
    match (files.is_empty(), mistakes.is_empty()) {
        (_, false) => Err(ConfigError {
            mistakes,
            ..ConfigError::default()
        }),
        (true, true) => Err(ConfigError::of_file(
            main,
            format!(
                "there is no configuration, here or in {}; `relexport config init` writes one to begin with",
                folder.display()
            ),
        )),
        (false, true) => Ok(files),
    }
}

/// The files of a folder whose names end in `.toml`, in the order of their names. What editors and packages leave beside
/// them (`.#a.toml`, `a.toml~`, `a.toml.dpkg-old`) is none of them.
fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".toml") && !text.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

fn open(path: &Path) -> io::Result<ConfigFile> {
    let file = Pipe::of_settings(path)?;
    let found = file.metadata()?;
    if found.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("line {} is not UTF-8", line + 1),
        )
    })?;
    Ok(ConfigFile {
        path: path.to_owned(),
        text,
        is_public: found.permissions().mode() & 0o004 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_folder_come_after_the_main_one_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), name).unwrap();
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        for name in [
            "relexport.toml",
            "conf.d/20-b.toml",
            "conf.d/10-a.toml",
            "conf.d/.#10-a.toml",
            "conf.d/10-a.toml~",
            "conf.d/30.toml.dpkg-old",
        ] {
            write(name);
        }
        let texts = |named: &Path| -> Vec<String> {
            let files = find(Some(named)).unwrap().into_iter();
            files.map(|file| file.text).collect()
        };
        let all = ["relexport.toml", "conf.d/10-a.toml", "conf.d/20-b.toml"];
        assert_eq!(texts(folder.path()), all);
        assert_eq!(texts(&folder.path().join("relexport.toml")), all[..1]);
        fs::remove_file(folder.path().join("relexport.toml")).unwrap();
        assert_eq!(texts(folder.path()), all[1..]);
        fs::remove_dir_all(folder.path().join("conf.d")).unwrap();
        let error = find(Some(folder.path())).unwrap_err().to_string();
        assert!(
            error.contains("there is no configuration, here or in"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let missing = find(Some(&path)).unwrap_err().to_string();
        assert!(
            missing.contains("a.toml: cannot read the configuration: No such file"),
            "{missing}"
        );
        fs::write(&path, b"a = 1\nb = \"\xff\"\n").unwrap();
        let latin = find(Some(&path)).unwrap_err().to_string();
        assert!(latin.contains("line 2 is not UTF-8"), "{latin}");
    }
}
