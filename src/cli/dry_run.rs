//! `relexport export --dry-run`: what an export would hold.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};

use crate::export::{DryRun, dry_run};
use crate::visible::visible;

use super::args::ExportArgs;
use super::console::Console;
use super::effects;
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::setup;
use super::stdout;
use super::table::{Align, Table};

/// Runs the command.
pub(crate) fn run(args: &ExportArgs, console: &Console) -> Result<Exit, Failure> {
    let request = setup::request(args, console)?;
    let mut progress = Progress::new(console);
    let destination = setup::destination(args)?;
    let result = dry_run(&request, destination.as_ref(), &mut progress);
    progress.finish();
    let would_be = result?;
    if args.json {
        effects::tell_version(args, would_be.snapshot.gitlab_version.as_deref());
        stdout::print_json(&would_be)?;
    } else {
        stdout::print(&text(&would_be))?;
    }
    Ok(if would_be.is_complete() {
        Exit::Success
    } else {
        Exit::Failed
    })
}

fn text(would_be: &DryRun) -> String {
    let mut text = String::new();
    for entity in &would_be.entities {
        let mut table = Table::new(&[
            ("RELATION", Align::Left),
            ("TABLE", Align::Left),
            ("ROWS", Align::Right),
            ("BATCHES", Align::Right),
            ("FILES", Align::Right),
            ("NDJSON", Align::Right),
            ("ERROR", Align::Left),
        ]);
        for relation in &entity.relations {
            let batches = match relation.batched {
                true => HumanCount(u64::from(relation.batches_count)).to_string(),
                false => "-".to_owned(),
            };
            table.row([
                relation.relation.clone(),
                relation.table.clone().unwrap_or_default(),
                HumanCount(relation.rows).to_string(),
                batches,
                HumanCount(relation.files).to_string(),
                HumanBytes(relation.bytes).to_string(),
                relation.error.clone().unwrap_or_default(),
            ]);
            for nested in &relation.nested {
                table.row([
                    format!("  {}", nested.path),
                    nested.table.clone(),
                    HumanCount(nested.rows).to_string(),
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                ]);
            }
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{} ({}) in {}/\n\n{}",
            visible(&entity.full_path),
            visible(&entity.id.to_string()),
            entity.prefix,
            table.text()
        );
    }
    let _ = writeln!(
        text,
        "{} rows in {} files, {} of NDJSON before compression, {} of temp files; nothing was written",
        HumanCount(would_be.rows),
        HumanCount(would_be.files),
        HumanBytes(would_be.bytes),
        HumanBytes(would_be.temp_bytes)
    );
    if let Some(error) = &would_be.error {
        let _ = writeln!(text, "the export would not be relied on: {error}");
    }
    text
}
