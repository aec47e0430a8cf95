//! Values that do not stand in the file: in files of their own, as systemd's credentials, in variables.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::super::secret::Secret;
use super::document::{Entry, Table};
use super::keys::family;
use super::table::Mistakes;
use crate::environment;
use crate::snapshot::Pipe;

/// The variable that names the folder of systemd's credentials.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The longest secret, in bytes.
const LONGEST: u64 = 64 << 10;

/// Where secrets are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// For a run: all have to be there. The folder of systemd's credentials, if there is one.
    Folder(Option<PathBuf>),
    /// Only to look at the configuration: by somebody for whom the service's credentials are not there, and who may not be
    /// allowed to read its files. Secrets stay empty.
    Unread,
}

impl Credentials {
    /// Those of a run of this process.
    pub fn of_process() -> Credentials {
        Credentials::Folder(environment::variable(CREDENTIALS_DIRECTORY).map(PathBuf::from))
    }
}

/// A secret, and how it was come by.
pub(super) struct FoundSecret {
    pub(super) secret: Secret,
    /// True if it stands in the file of configuration itself.
    pub(super) is_literal: bool,
    /// What a key, a file and so on are like that should not be.
    pub(super) warning: Option<String>,
}

/// The secret of a family of keys in a table: `name`, `name-file`, `name-credential` or `name-variable`.
pub(super) fn secret(
    name: &str,
    table: &Table,
    credentials: &Credentials,
    mistakes: &mut Mistakes,
) -> Option<FoundSecret> {
    let mut given = table
        .entries
        .iter()
        .filter(|entry| family(&entry.key) == name);
    let entry = given.next()?;
    if let Some(second) = given.next() {
        let message = format!(
            "`{}` is said by `{}` already; leave one of them out",
            name, entry.key
        );
        mistakes.at(&second.place, message);
        return None;
    }
    let text = mistakes.text(&entry.key, &entry.value)?;
    let source = entry.key.strip_prefix(name).unwrap_or_default();
    let found = match source {
        "" => {
            return Some(FoundSecret {
                secret: Secret::new(text),
                is_literal: true,
                warning: None,
            });
        }
        _ if *credentials == Credentials::Unread => Ok((String::new(), None)),
        "-file" => read(Path::new(text)),
        "-credential" => credential(text, credentials),
        _ => variable(text),
    };
    match found {
        Ok((text, warning)) => Some(FoundSecret {
            secret: Secret::new(text),
            is_literal: false,
            warning,
        }),
        Err(wrong) => {
            told(entry, &wrong, mistakes);
            None
        }
    }
}

fn told(entry: &Entry, wrong: &str, mistakes: &mut Mistakes) {
    mistakes.at(&entry.value.place, format!("`{}`: {wrong}", entry.key));
}

fn credential(name: &str, credentials: &Credentials) -> Result<(String, Option<String>), String> {
    if name.contains('/') || name == ".." || name == "." {
        return Err("a credential's name has no / in it".to_owned());
    }
    match credentials {
        Credentials::Folder(Some(folder)) => {
            let (text, _) = read(&folder.join(name))?;
            // systemd minds who can read it.
            Ok((text, None))
        }
        Credentials::Folder(None) | Credentials::Unread => Err(format!(
            "there are no credentials here: ${CREDENTIALS_DIRECTORY} is not set; the service needs LoadCredential={name}:FILE"
        )),
    }
}

fn variable(name: &str) -> Result<(String, Option<String>), String> {
    let value = std::env::var(name)
        .map_err(|_| format!("there is no variable {name}; set it, or leave the key out"))?;
    one_line(value, name)
}

/// The text of a file, without the end of its line.
fn read(path: &Path) -> Result<(String, Option<String>), String> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| format!("cannot read {shown}: {error}");
    let file = Pipe::of_settings(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!(
            "{shown} is larger than a secret can be ({LONGEST} bytes)"
        ));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| format!("{shown} holds something other than text"))?;
    let warning = (mode & 0o004 != 0)
        .then(|| format!("{shown} holds a secret, and everybody can read it; take that from them: chmod o-r {shown}"));
    let (text, _) = one_line(text, &shown.to_string())?;
    Ok((text, warning))
}

fn one_line(text: String, shown: &str) -> Result<(String, Option<String>), String> {
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err(format!("{shown} is empty; put the secret into it")),
        line if line.contains('\0') => Err(format!("{shown} has a zero byte in it")),
        line => Ok((line.to_owned(), None)),
    }
}
