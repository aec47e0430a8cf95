//! PostgreSQL's programs of a version: found where packages put them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a server's folder of programs must hold.
const NEEDED: [&str; 3] = ["postgres", "pg_controldata", "pg_waldump"];

/// Where packages put the programs of a version `N`.
const USUAL: [&str; 10] = [
    "/usr/lib/postgresql/N/bin",
    "/usr/lib64/postgresql-N/bin",
    "/usr/pgsql-N/bin",
    "/opt/homebrew/opt/postgresql@N/bin",
    "/usr/local/opt/postgresql@N/bin",
    "/opt/local/lib/postgresqlN/bin",
    "/Applications/Postgres.app/Contents/Versions/N/bin",
    "/opt/gitlab/embedded/postgresql/N/bin",
    "/usr/libexec/postgresqlN",
    "/usr/local/pgsql/bin",
];

/// Finds the folder with the programs of a major version: `given` or nothing, else those of `PATH`, of `pg_config` and the
/// usual ones.
///
/// # Errors
/// What was looked for and where, in words.
pub(crate) fn find(version: u32, given: Option<&Path>) -> Result<PathBuf, String> {
    let folders = match given {
        Some(given) => vec![given.to_owned()],
        None => candidates(version),
    };
    let mut seen = BTreeSet::new();
    let mut others = Vec::new();
    for folder in folders {
        if !seen.insert(folder.clone()) || !folder.join("postgres").is_file() {
            continue;
        }
        let shown = folder.display();
        match version_of(&folder.join("postgres")) {
            Some(found) if found == version => {
                let missing = NEEDED.iter().find(|name| !folder.join(name).is_file());
                match missing {
                    None => return Ok(folder),
                    Some(missing) => others.push(format!("{shown} lacks {missing}")),
                }
            }
            Some(found) => others.push(format!("{shown} has version {found}")),
            None => others.push(format!("{shown}/postgres does not say its version")),
        }
    }
    let found = match others.is_empty() {
        true => "no program postgres was found".to_owned(),
        false => others.join(", "),
    };
    Err(match given {
        Some(given) => format!(
            "it needs the programs of PostgreSQL {version}, and {} does not hold them ({found}); name their folder by \
             --pg-bindir",
            given.display()
        ),
        None => format!(
            "it needs the programs of PostgreSQL {version}, which are not in PATH or the usual folders ({found}); install them \
             (Debian: postgresql-{version}), or name their folder by --pg-bindir"
        ),
    })
}

fn candidates(version: u32) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    // An empty entry of PATH is the current folder, which nobody means.
    folders.retain(|folder| folder.is_absolute());
    if let Some(folder) = answer(Command::new("pg_config").arg("--bindir")) {
        folders.push(PathBuf::from(folder.trim()));
    }
    let number = version.to_string();
    folders.extend(
        USUAL
            .iter()
            .map(|folder| PathBuf::from(folder.replace('N', &number))),
    );
    folders
}

/// The major version that a program `postgres` says it is: `postgres (PostgreSQL) 15.14 (Debian …)`.
fn version_of(program: &Path) -> Option<u32> {
    let text = answer(Command::new(program).arg("--version"))?;
    let number = text.split_whitespace().nth(2)?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    number[..digits].parse().ok()
}

fn answer(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout)
        .ok()
        .filter(|_| output.status.success())
}
