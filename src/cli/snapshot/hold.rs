//! `relexport snapshot hold`: holds a server at one instant, for exports that are given its id.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::cli::args::SnapshotHoldArgs;
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{interrupt, stdout};
use crate::output::atomic;
use crate::snapshot::{HeldInstant, HoldEnd, Spec, Timeouts};

/// What is printed as JSON, in one line: whoever waits for it knows when it is whole.
#[derive(Serialize)]
struct Answer<'a> {
    snapshot: &'a str,
    server: &'a str,
    server_version: Option<&'a str>,
    taken_at: Option<&'a str>,
    lsn: Option<&'a str>,
}

pub(super) fn run(args: &SnapshotHoldArgs, console: &Console) -> Result<Exit, Failure> {
    let Spec::Server(address) = &args.from else {
        return Err(Failure::usage(format!(
            "cannot hold {} at an instant: only a live server changes\n  name the server by its address \
             (postgres://USER@HOST/DATABASE)",
            args.from.shown()
        )));
    };
    let interrupted = interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?;
    let some = |time: Duration| Some(time).filter(|time| !time.is_zero());
    let timeouts = Timeouts {
        idle: some(args.idle_timeout),
        silence: some(args.stall_timeout),
        ..Timeouts::default()
    };
    let instant = HeldInstant::begin(address, &timeouts, &interrupted)?;
    let file = args.id_file.as_deref();
    let file = file.map(|path| IdFile::write(path, instant.id()));
    let _file = file.transpose()?;
    let facts = instant.facts();
    match args.json {
        true => stdout::print_compact(&Answer {
            snapshot: instant.id(),
            server: instant.server(),
            server_version: facts.server_version.as_deref(),
            taken_at: facts.taken_at.as_deref(),
            lsn: facts.lsn.as_deref(),
        })?,
        false => stdout::print(&format!("{}\n", instant.id()))?,
    }
    console.info(
        &format!(
            "{} is held at this instant until Ctrl-C; others read it with --pg-snapshot {}",
            instant.server(),
            instant.id()
        ),
        json!({"server": instant.server(), "snapshot": instant.id()}),
    );
    match instant.wait() {
        HoldEnd::AskedFor => Ok(Exit::Success),
        HoldEnd::Lost(reason) => Err(Failure::new(
            Exit::Snapshot,
            anyhow::anyhow!(
                "the instant {} of {} is lost: {reason}\n  hold another one, and begin again what was reading this one",
                instant.id(),
                instant.server()
            ),
        )),
    }
}

/// The file with the id, which is removed when nobody can read at the instant any more.
struct IdFile {
    path: PathBuf,
    content: String,
}

impl IdFile {
    fn write(path: &Path, id: &str) -> Result<IdFile, Failure> {
        let content = format!("{id}\n");
        atomic::replace(path, content.as_bytes()).map_err(|error| {
            let text = format!(
                "cannot write the snapshot's id: {error}\n  name another file with --id-file"
            );
            Failure::new(Exit::Output, anyhow::anyhow!(text))
        })?;
        Ok(IdFile {
            path: path.to_owned(),
            content,
        })
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        // Another holder may have put its own there.
        let is_own = fs::read(&self.path).is_ok_and(|now| now == self.content.as_bytes());
        if is_own && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(
                "cannot remove {}, which names an instant that is not held any more: {error}",
                self.path.display()
            );
        }
    }
}
