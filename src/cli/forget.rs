//! `relexport forget`: which exports stay, by which rule, and the removal of the others.

use std::collections::BTreeMap;
use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::bucket::bucket_error;
use crate::civil::UtcTime;
use crate::failure::Failure as _;
use crate::output::retention::{Planned, Reason, Verdict, carry_out, plan};
use crate::output::shelf::{BucketShelf, ExportState, FolderShelf, Shelf};
use crate::output::{Location, StoreError};

use super::args::ForgetArgs;
use super::exit::{Exit, Failure};
use super::stdout;
use super::table::{Align, Table};

/// What is printed as JSON.
#[derive(Serialize)]
struct Answer<'p> {
    place: String,
    dry_run: bool,
    latest: Option<&'p str>,
    exports: Vec<ExportAnswer<'p>>,
}

/// An export in the answer.
#[derive(Serialize)]
struct ExportAnswer<'p> {
    name: &'p str,
    job: Option<&'p str>,
    started_at: &'p str,
    bytes: u64,
    /// `finished`, `suspect`, `unfinished`, `failed` or `damaged`.
    state: &'static str,
    /// What is wrong with it.
    state_reason: Option<String>,
    /// `keep` or `remove`.
    decision: &'static str,
    /// Why it stays; none for one that is not counted and that nobody asked to be removed.
    rules: Vec<String>,
    removed: bool,
    error: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &ForgetArgs) -> Result<Exit, Failure> {
    match &args.place {
        Location::Folder(folder) if !folder.is_dir() => {
            let shown = args.place.shown();
            let text = format!("cannot look for exports in {shown}: there is no such folder");
            Err(Failure::new(Exit::Snapshot, anyhow::anyhow!(text)))
        }
        Location::Folder(folder) => forget(&FolderShelf::new(folder), args),
        Location::Bucket(url) => forget(&BucketShelf::new(url)?, args),
    }
}

fn forget(shelf: &dyn Shelf, args: &ForgetArgs) -> Result<Exit, Failure> {
    let cannot_list = |error: std::io::Error| {
        let exit = match bucket_error(&error) {
            Some(error) => Exit::from(error.policy().cause()),
            None => Exit::Snapshot,
        };
        let text = format!(
            "cannot list the exports in {}: {error}\n  see that it can be read",
            shelf.shown()
        );
        Failure::new(exit, anyhow::anyhow!(text))
    };
    let keep = args.keep.rules();
    if keep.is_empty() {
        return Err(Failure::usage(crate::output::retention::EmptyPolicy));
    }
    if !args.dry_run {
        for left in shelf.clear().map_err(cannot_list)? {
            tracing::info!("removed {left}, which an earlier run left");
        }
    }
    let exports = shelf.exports().map_err(cannot_list)?;
    let latest = shelf.latest().map_err(cannot_list)?;
    let planned = plan(
        &keep,
        exports,
        latest.as_deref(),
        args.uncounted(),
        UtcTime::now(),
    )
    .map_err(Failure::usage)?;
    let failed: BTreeMap<String, StoreError> = match args.dry_run {
        true => BTreeMap::new(),
        false => carry_out(shelf, &planned).into_iter().collect(),
    };
    for error in failed.values() {
        tracing::error!("{error}");
    }
    if args.json {
        stdout::print_json(&Answer {
            place: shelf.shown(),
            dry_run: args.dry_run,
            latest: latest.as_deref(),
            exports: planned
                .iter()
                .map(|one| answer(one, args.dry_run, failed.get(&one.export.name)))
                .collect(),
        })?;
    } else {
        stdout::print(&text(&planned, args.dry_run, &failed))?;
    }
    let is_in_use = |error: &StoreError| matches!(error, StoreError::InUse { .. });
    Ok(match failed.values().all(is_in_use) {
        _ if failed.is_empty() => Exit::Success,
        true => Exit::InUse,
        false => Exit::Failed,
    })
}

fn answer<'p>(planned: &'p Planned, dry_run: bool, error: Option<&StoreError>) -> ExportAnswer<'p> {
    let export = &planned.export;
    let (state, state_reason) = match &export.state {
        ExportState::Whole => ("finished", None),
        ExportState::Suspect(reasons) => ("suspect", Some(reasons.join("; "))),
        ExportState::Unfinished => ("unfinished", None),
        ExportState::Failed(reason) => ("failed", reason.clone()),
        ExportState::Damaged(reason) => ("damaged", Some(reason.clone())),
    };
    let goes = planned.verdict.goes();
    ExportAnswer {
        name: &export.name,
        job: export.job.as_deref(),
        started_at: &export.started_at,
        bytes: export.bytes,
        state,
        state_reason,
        decision: match goes {
            true => "remove",
            false => "keep",
        },
        rules: match &planned.verdict {
            Verdict::Keep(reasons) => reasons.iter().map(Reason::to_string).collect(),
            Verdict::Remove | Verdict::Uncounted | Verdict::RemoveUncounted => Vec::new(),
        },
        removed: goes && !dry_run && error.is_none(),
        error: error.map(StoreError::to_string),
    }
}

fn text(planned: &[Planned], dry_run: bool, failed: &BTreeMap<String, StoreError>) -> String {
    let has_jobs = planned.iter().any(|one| one.export.job.is_some());
    let mut columns = vec![("", Align::Left), ("EXPORT", Align::Left)];
    if has_jobs {
        columns.push(("JOB", Align::Left));
    }
    columns.extend([
        ("BEGUN", Align::Left),
        ("SIZE", Align::Right),
        ("WHY", Align::Left),
    ]);
    let mut table = Table::new(&columns);
    for one in planned {
        let export = &one.export;
        let mut cells = vec![
            match one.verdict.goes() {
                true => "remove".to_owned(),
                false => "keep".to_owned(),
            },
            export.name.clone(),
        ];
        if has_jobs {
            cells.push(export.job.clone().unwrap_or_default());
        }
        cells.extend([
            export.started_at.clone(),
            HumanBytes(export.bytes).to_string(),
            why(one),
        ]);
        table.row(cells);
    }
    let mut text = match planned.is_empty() {
        true => String::new(),
        false => format!("{}\n", table.text()),
    };
    let goes: Vec<&Planned> = planned.iter().filter(|one| one.verdict.goes()).collect();
    let removed = goes.len() - failed.len();
    let bytes = goes
        .iter()
        .filter(|one| !failed.contains_key(&one.export.name))
        .map(|one| one.export.bytes);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} {}, {} removed ({})",
        HumanCount((planned.len() - removed) as u64),
        match planned.len() - removed {
            1 => "export stays",
            _ => "exports stay",
        },
        match dry_run {
            true => format!("{} would be", HumanCount(removed as u64)),
            false => HumanCount(removed as u64).to_string(),
        },
        HumanBytes(bytes.fold(0, u64::saturating_add))
    );
    text
}

/// Why an export stays or goes.
fn why(planned: &Planned) -> String {
    let state = &planned.export.state;
    let rules = match &planned.verdict {
        Verdict::Keep(reasons) => {
            let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
            reasons.join(", ")
        }
        Verdict::Remove => "no rule keeps it".to_owned(),
        Verdict::Uncounted | Verdict::RemoveUncounted => "not counted".to_owned(),
    };
    match state {
        ExportState::Whole => rules,
        ExportState::Suspect(_)
        | ExportState::Unfinished
        | ExportState::Failed(_)
        | ExportState::Damaged(_) => format!("{rules}; {state}"),
    }
}
