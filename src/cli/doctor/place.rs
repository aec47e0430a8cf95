//! Whether exports can be written: the place itself, its space, what lies there, and who holds it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use indicatif::HumanBytes;

use crate::bucket::{Bucket, BucketUrl, ConditionalPut};
use crate::civil::UtcTime;
use crate::output::shelf::{BucketShelf, ExportState, FolderShelf, Shelf, ShelvedExport, newest};
use crate::output::{Location, Lock};

use super::finding::Findings;

/// Looks at the place that exports of a job go to. `size` is that of the snapshot.
pub(super) fn look(
    location: &Location,
    job: Option<&str>,
    size: Option<u64>,
    findings: &mut Findings,
) {
    match location {
        Location::Folder(path) => folder(path, job, size, findings),
        Location::Bucket(url) => bucket(url, job, findings),
    }
}

fn folder(path: &Path, job: Option<&str>, size: Option<u64>, findings: &mut Findings) {
    let above = path
        .ancestors()
        .map(|above| match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        })
        .find(|above| fs::symlink_metadata(above).is_ok());
    let there = above.unwrap_or(Path::new("."));
    if let Err(error) = probe(there) {
        findings.problem(
            "destination",
            &format!("cannot write to {}: {error}", there.display()),
            "let the user of the jobs write there, or name another destination",
        );
        return;
    }
    findings.ok(
        "destination",
        match there == path {
            true => format!("{} can be listed and written", path.display()),
            false => format!(
                "{} is not there yet; {} can be written",
                path.display(),
                there.display()
            ),
        },
    );
    let shelf = FolderShelf::new(path);
    let exports = match shelf.exports() {
        Ok(exports) => exports,
        Err(error) => {
            let text = format!("cannot list the exports in {}: {error}", path.display());
            findings.problem("exports", &text, "see that it can be read");
            Vec::new()
        }
    };
    what_lies_there(&exports, job, findings);
    link(&shelf, findings);
    space(there, &exports, job, size, findings);
    locks(path, findings);
}

/// Lists a folder, makes a file in it and removes it.
fn probe(folder: &Path) -> std::io::Result<()> {
    fs::read_dir(folder)?.next().transpose()?;
    let mut file = tempfile::Builder::new()
        .prefix(".relexport-probe-")
        .tempfile_in(folder)?;
    file.write_all(b"relexport doctor looks whether files can be made here\n")?;
    file.as_file().sync_all()?;
    file.close()
}

/// What the exports that lie there tell.
fn what_lies_there(exports: &[ShelvedExport], job: Option<&str>, findings: &mut Findings) {
    let now = UtcTime::now();
    let of_job = || exports.iter().filter(|export| export.job.as_deref() == job);
    match newest(exports, job, now) {
        Some(newest) => findings.ok(
            "exports",
            format!(
                "the newest that counts is {}, of {}",
                newest.name, newest.started_at
            ),
        ),
        None => findings.ok("exports", "there is none yet that counts"),
    }
    let uncounted: Vec<String> = of_job()
        .filter(|export| export.state != ExportState::Whole)
        .map(|export| format!("{} ({})", export.name, export.state))
        .collect();
    if !uncounted.is_empty() {
        let text = format!("some do not count: {}", uncounted.join(", "));
        let advice = "look at them; `relexport forget` removes them with --unfinished or --suspect";
        findings.warning("exports", &text, advice);
    }
    let future: Vec<&str> = of_job()
        .filter(|export| export.time.is_some_and(|time| time > now))
        .map(|export| export.name.as_str())
        .collect();
    if !future.is_empty() {
        let text = format!("exports lie in the future: {}", future.join(", "));
        let advice = "set the clock by NTP; keep rules do not count these, and never remove them";
        findings.warning("clock", &text, advice);
    }
}

/// Whether `latest` is a link to an export.
fn link(shelf: &FolderShelf, findings: &mut Findings) {
    let link = Path::new(&shelf.shown()).join(crate::output::shelf::LATEST);
    match (fs::symlink_metadata(&link), shelf.latest()) {
        (Ok(found), _) if !found.is_symlink() => findings.problem(
            "latest",
            &format!(
                "{} is no link, so it cannot lead to the newest export",
                link.display()
            ),
            "move it away",
        ),
        (Ok(_), Ok(None)) => findings.warning(
            "latest",
            &format!("{} leads to no export", link.display()),
            "the next good run replaces it",
        ),
        (_, Err(error)) => {
            let text = format!("cannot read {}: {error}", link.display());
            findings.problem("latest", &text, "see that it can be read");
        }
        (Ok(_), Ok(Some(_))) | (Err(_), Ok(_)) => {}
    }
}

/// Compares free space with what the last export took, or else with the snapshot.
fn space(
    folder: &Path,
    exports: &[ShelvedExport],
    job: Option<&str>,
    size: Option<u64>,
    findings: &mut Findings,
) {
    let free = match rustix::fs::statvfs(folder) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => {
            let text = format!("cannot tell how much space is free: {error}");
            findings.warning("space", &text, "look at it by hand");
            return;
        }
    };
    let last = newest(exports, job, UtcTime::now()).map(|export| export.bytes);
    let (needed, by) = match (last, size) {
        (Some(bytes), _) => (bytes, "the newest export took"),
        (None, Some(size)) => (size, "the snapshot has"),
        (None, None) => {
            let text = format!(
                "{} are free; how much is needed is not known",
                HumanBytes(free)
            );
            findings.ok("space", text);
            return;
        }
    };
    let text = format!("{} are free, {by} {}", HumanBytes(free), HumanBytes(needed));
    let advice =
        "make room, or keep fewer exports: an older one goes only after a new one is complete";
    match last.is_some() {
        true if free < needed => findings.problem("space", &text, advice),
        // An export is most often much smaller than its snapshot.
        false if free < needed => findings.warning("space", &text, advice),
        true if free / 2 < needed => findings.warning("space", &text, advice),
        true | false => findings.ok("space", text),
    }
}

/// Locks of exports that somebody holds now.
fn locks(shelf: &Path, findings: &mut Findings) {
    let Ok(entries) = fs::read_dir(shelf) else {
        // It is not there, or it has been told already that it cannot be listed.
        return;
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_lock = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with('.') && name.ends_with(".relexport-lock"))
    };
    let mut held = false;
    for path in names.filter(is_lock) {
        if let Some(holder) = Lock::held_by(&path) {
            held = true;
            let text = format!("{} is held: {holder}", path.display());
            let advice = "a run is writing there; wait until it has ended";
            findings.warning("locks", &text, advice);
        }
    }
    if !held {
        findings.ok("locks", "no run is writing there");
    }
}

/// More than this by the server's clock, and signatures of requests begin to be refused (some minutes later).
const CLOCK_SECONDS: u64 = 60;

/// Makes an object and removes it; asks what the server does with conditions, what time it has, and what lies there.
fn bucket(url: &BucketUrl, job: Option<&str>, findings: &mut Findings) {
    let bucket = match Bucket::open(url) {
        Ok(bucket) => bucket,
        Err(error) => return findings.error("destination", &error),
    };
    if let Err(error) = bucket.list_level(url.key()) {
        return findings.error("destination", &error);
    }
    match bucket.probe(url.key()) {
        Err(error) => findings.error("destination", &error),
        Ok(probe) => {
            findings.ok(
                "destination",
                format!("{url} can be listed, written and deleted from"),
            );
            match probe.conditional_put {
                ConditionalPut::Enforced => findings.ok(
                    "conditions",
                    "the server refuses to replace an object that is there (conditional put)",
                ),
                ConditionalPut::Ignored => findings.warning(
                    "conditions",
                    "the server ignores the condition that an object is not there yet (conditional put)",
                    "nothing is lost, since every export has a name of its own; let no two jobs share one place",
                ),
            }
            clock(probe.server_now(), findings);
            shelf_in_bucket(url, job, findings);
        }
    }
}

/// Compares the server's clock with this machine's.
fn clock(server: SystemTime, findings: &mut Findings) {
    let here = SystemTime::now();
    let apart = match server.duration_since(here) {
        Ok(apart) => apart,
        Err(error) => error.duration(),
    };
    match apart.as_secs() > CLOCK_SECONDS {
        true => findings.warning(
            "clock",
            &format!(
                "the bucket's server and this machine are {} s apart",
                apart.as_secs()
            ),
            "set the clock by NTP; a server refuses requests of another time",
        ),
        false => findings.ok("clock", "the bucket's server has the time of this machine"),
    }
}

/// What lies below a prefix of a bucket.
fn shelf_in_bucket(url: &BucketUrl, job: Option<&str>, findings: &mut Findings) {
    let shelf = match BucketShelf::new(url) {
        Ok(shelf) => shelf,
        Err(error) => return findings.error("exports", &error),
    };
    match shelf.exports() {
        Ok(exports) => what_lies_there(&exports, job, findings),
        Err(error) => return findings.error("exports", &error),
    }
    if let Err(error) = shelf.latest() {
        findings.error("latest", &error);
    }
}
