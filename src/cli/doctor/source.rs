//! Whether a snapshot can be opened, and fits the pipelines.

use indicatif::HumanBytes;

use crate::civil::UtcTime;
use crate::export::version_by_tables;
use crate::pipeline::{Pipeline, Severity, check};
use crate::snapshot::{OpenOptions, Spec, open_with, read_catalog};

use super::finding::Findings;

/// What a clock may be wrong by, in milliseconds.
const CLOCK: i64 = 60_000;

/// Opens a snapshot as far as the definitions of its tables. Returns its size on disk, if it has one.
pub(super) fn look(
    spec: &Spec,
    options: &OpenOptions,
    pipelines: &[&Pipeline],
    findings: &mut Findings,
) -> Option<u64> {
    match spec {
        Spec::StandardInput => {
            let advice = "for runs that nobody watches, name a file or a server";
            findings.warning("source", "standard input cannot be looked at", advice);
            return None;
        }
        Spec::DataFolder(path) => {
            data_folder(path, findings);
            return None;
        }
        Spec::Path(_) | Spec::Server(_) | Spec::OtherAddress(_) | Spec::Bucket(_) => {}
    }
    file_time(spec, findings);
    let snapshot = match open_with(spec, options) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            findings.error("source", &error);
            return None;
        }
    };
    let (kind, size) = (snapshot.kind, snapshot.size);
    let (catalog, facts) = match read_catalog(snapshot) {
        Ok(read) => read,
        Err(error) => {
            findings.error("source", &error);
            return size;
        }
    };
    let bytes = size.map(|size| format!(", {}", HumanBytes(size)));
    findings.ok(
        "source",
        format!(
            "{} can be read: {}{}",
            spec.shown(),
            kind.name(),
            bytes.unwrap_or_default()
        ),
    );
    let server = facts.server_version.as_deref().unwrap_or("not known");
    let by_tables = || version_by_tables(&catalog).map(|version| format!("{version} or later"));
    let gitlab = facts.gitlab_version.clone().or_else(by_tables);
    let gitlab = gitlab.unwrap_or_else(|| "not known".to_owned());
    findings.ok("versions", format!("PostgreSQL {server}, GitLab {gitlab}"));
    let taken = facts.taken_at.as_deref().and_then(UtcTime::parse);
    if let (Spec::Server(_), Some(taken)) = (spec, taken) {
        let ahead = taken.millis_since(UtcTime::now());
        match ahead.abs() <= CLOCK {
            true => findings.ok("clock", "the server's clock and this machine's agree"),
            false => findings.warning(
                "clock",
                &format!(
                    "the server's clock is {} s off this machine's",
                    ahead / 1000
                ),
                "set both by NTP: names of exports and keep rules go by this machine's clock",
            ),
        }
    }
    let must_be_there = !pipelines.iter().any(|it| it.has_entities(&catalog));
    for pipeline in pipelines {
        if !must_be_there && !pipeline.has_entities(&catalog) {
            continue;
        }
        let found = check(pipeline, &catalog);
        let of = |severity| found.iter().filter(move |one| one.severity == severity);
        let name = &pipeline.name;
        let advice = "`relexport pipeline check --snapshot …` tells all findings";
        if let Some(first) = of(Severity::Error).next() {
            let text = format!("pipeline {name} does not fit the snapshot: {first}");
            findings.problem("pipeline", &text, advice);
        } else if let Some(first) = of(Severity::Warning).next() {
            let text = format!("pipeline {name} may not fit the snapshot: {first}");
            findings.warning("pipeline", &text, advice);
        } else {
            findings.ok("pipeline", format!("{name} fits the snapshot"));
        }
    }
    size
}

/// A data folder is not opened: it would be copied.
fn data_folder(path: &std::path::Path, findings: &mut Findings) {
    let version = path.join("PG_VERSION");
    match std::fs::read_to_string(&version) {
        Ok(version) => findings.ok(
            "source",
            format!(
                "{} is a data folder of PostgreSQL {}; each run copies it",
                path.display(),
                version.trim()
            ),
        ),
        Err(error) => findings.problem(
            "source",
            &format!("cannot read {}: {error}", version.display()),
            "name a server's data folder that the user of the jobs may read",
        ),
    }
}

/// A file that is written in the future tells of a wrong clock.
fn file_time(spec: &Spec, findings: &mut Findings) {
    let written = spec.path().and_then(|path| std::fs::metadata(path).ok());
    let Some(Ok(written)) = written.map(|found| found.modified()) else {
        // What cannot be looked at is told when it is opened.
        return;
    };
    if UtcTime::from(written).millis_since(UtcTime::now()) > CLOCK {
        findings.warning(
            "clock",
            &format!("{} was written in the future", spec.shown()),
            "set the clock of this machine, or of the one that writes the snapshot, by NTP",
        );
    }
}
