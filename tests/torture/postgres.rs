//! What PostgreSQL reads of a snapshot: it is loaded into a database of its own.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

use crate::scenario::database;
use crate::support::files_below;
use crate::support::server::Database;

type Loaded = Result<Database<'static>, String>;

/// A database of a plain dump, as psql reads it.
pub(crate) fn of_script(script: &Path) -> Loaded {
    let database = database().server.database();
    load(psql(&database).stdin(File::open(script).unwrap()))?;
    Ok(database)
}

/// A database of an archive, as pg_restore reads it.
pub(crate) fn of_archive(archive: &Path) -> Loaded {
    let database = database().server.database();
    let mut restore = database.server.program("pg_restore");
    let script = succeeded(restore.args(["-f", "-"]).arg(archive).output().unwrap())?.stdout;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    load(psql(&database).stdin(File::open(file.path()).unwrap()))?;
    Ok(database)
}

/// A database of CSV files with the schema beside them, as COPY reads them.
pub(crate) fn of_csv(folder: &Path) -> Loaded {
    let database = database().server.database();
    load(psql(&database).stdin(File::open(folder.join("schema.sql")).unwrap()))?;
    for name in files_below(folder) {
        let Some((table, packed)) = name.split_once(".csv") else {
            continue;
        };
        let mut unpack = match packed {
            ".gz" => Command::new("gzip"),
            ".zst" => Command::new("zstd"),
            _ => Command::new("cat"),
        };
        if !packed.is_empty() {
            unpack.arg("-dc");
        }
        let unpacked = succeeded(unpack.arg(folder.join(&name)).output().unwrap())?.stdout;
        let rows = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(rows.path(), unpacked).unwrap();
        let copy = format!("COPY {table} FROM STDIN WITH (FORMAT csv, HEADER MATCH)");
        let mut psql = psql(&database);
        load(
            psql.args(["-c", &copy])
                .stdin(File::open(rows.path()).unwrap()),
        )?;
    }
    Ok(database)
}

/// psql that goes on after errors, as it does if nobody asks it to stop; keys of other tables are not looked at.
fn psql(database: &Database<'_>) -> Command {
    let mut psql = database.psql();
    psql.args(["-v", "ON_ERROR_STOP=0"])
        .env("PGOPTIONS", "-c session_replication_role=replica");
    psql
}

/// Loads what standard input gives. Rows that are refused are an error; definitions that are (a unique index over rows
/// that are not unique any more, say) change no row.
fn load(psql: &mut Command) -> Result<(), String> {
    let output = psql.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("ERROR:"))
        .collect();
    let is_of_rows = said.contains("COPY ") || said.contains("INSERT");
    match errors.first() {
        Some(error) if is_of_rows => Err((*error).to_owned()),
        _ => Ok(()),
    }
}

/// The output of a program that must end well.
fn succeeded(output: Output) -> Result<Output, String> {
    match output.status.success() {
        true => Ok(output),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(said.lines().next().unwrap_or("nothing").to_owned())
        }
    }
}
