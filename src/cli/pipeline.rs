//! `relexport pipeline`: checks, prints and makes pipelines.

use std::fmt::Write;
use std::fs::File;
use std::io::Write as _;

use serde::Serialize;

use crate::pipeline::{
    BUILTIN, BUILTINS, Finding, InitOptions, Mistake, Pipeline, Severity, check, init, json_schema,
};
use crate::snapshot;
use crate::snapshot::{TableName, read_definitions};

use super::args::{PipelineCheckArgs, PipelineCommand, PipelineInitArgs};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::setup;
use super::stdout;

/// Runs one of the commands.
pub(crate) fn run(command: &PipelineCommand, console: &Console) -> Result<Exit, Failure> {
    match command {
        PipelineCommand::Check(args) => run_check(args, console),
        PipelineCommand::Init(args) => run_init(args, console),
        PipelineCommand::Show => stdout::print(BUILTIN).map(|()| Exit::Success),
        PipelineCommand::Schema => stdout::print_json(&json_schema()).map(|()| Exit::Success),
    }
}

/// What a check came to, as it is printed as JSON.
#[derive(Serialize)]
struct Answer {
    ok: bool,
    mistakes: Vec<MistakeEntry>,
    findings: Vec<FindingEntry>,
}

#[derive(Serialize)]
struct MistakeEntry {
    line: u64,
    column: u64,
    message: String,
}

#[derive(Serialize)]
struct FindingEntry {
    severity: String,
    place: String,
    message: String,
}

fn run_check(args: &PipelineCheckArgs, console: &Console) -> Result<Exit, Failure> {
    let (name, parsed) = match &args.file {
        None => ("the built-in pipeline".to_owned(), Ok(Pipeline::builtin())),
        Some(file) => {
            let text = setup::read_pipeline(file)?;
            let name = file.display().to_string();
            let parsed = Pipeline::parse(&text, &name);
            (name, parsed)
        }
    };
    let mut text = String::new();
    let (mistakes, findings) = match parsed {
        Err(error) => {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{error}");
            (error.mistakes, Vec::new())
        }
        Ok(pipeline) => {
            let mut findings = findings(&pipeline, args, console)?;
            findings.extend(outer_finding(&pipeline));
            (Vec::new(), findings)
        }
    };
    for finding in &findings {
        let _ = writeln!(text, "{finding}");
    }
    // What is left out by an older snapshot is as it should be.
    let ok = mistakes.is_empty()
        && findings
            .iter()
            .all(|finding| finding.severity == Severity::Note);
    if ok {
        let _ = writeln!(text, "{name}: nothing is wrong");
    }
    if args.json {
        stdout::print_json(&answer(ok, mistakes, findings))?;
    } else {
        stdout::print(&text)?;
    }
    Ok(if ok { Exit::Success } else { Exit::Failed })
}

/// Says that what entities lie within is not known here.
fn outer_finding(pipeline: &Pipeline) -> Option<Finding> {
    let within = pipeline.entity.within.as_ref()?;
    let is_built_in = BUILTINS.iter().any(|(name, _)| *name == within.pipeline);
    (!is_built_in).then(|| Finding {
        severity: Severity::Note,
        place: "entity > within".to_owned(),
        message: format!(
            "there is no built-in pipeline {}: name its file, too, wherever this one is used",
            within.pipeline
        ),
    })
}

fn findings(
    pipeline: &Pipeline,
    args: &PipelineCheckArgs,
    console: &Console,
) -> Result<Vec<Finding>, Failure> {
    let Some(spec) = &args.snapshot else {
        return Ok(Vec::new());
    };
    let options = setup::open_options(&args.server, Some(1), &[pipeline], console)?;
    let definitions = read_definitions(snapshot::open_with(spec, &options)?)
        .map_err(|error| Failure::from(error).of(spec))?;
    let mut findings = check(pipeline, &definitions.catalog);
    if let Some(error) = definitions.error {
        findings.push(Finding {
            severity: Severity::Warning,
            place: "snapshot".to_owned(),
            message: format!("primary keys that stand behind the rows are not known: {error}"),
        });
    }
    Ok(findings)
}

fn answer(ok: bool, mistakes: Vec<Mistake>, findings: Vec<Finding>) -> Answer {
    Answer {
        ok,
        mistakes: mistakes
            .into_iter()
            .map(|mistake| MistakeEntry {
                line: mistake.line,
                column: mistake.column,
                message: mistake.message,
            })
            .collect(),
        findings: findings
            .into_iter()
            .map(|finding| FindingEntry {
                severity: finding.severity.to_string(),
                place: finding.place,
                message: finding.message,
            })
            .collect(),
    }
}

fn run_init(args: &PipelineInitArgs, console: &Console) -> Result<Exit, Failure> {
    let mut options = setup::open_options(&args.server, Some(1), &[&Pipeline::builtin()], console)?;
    options.pgdata.table = Some(match args.entity.rsplit_once('.') {
        Some((schema, name)) => TableName::new(schema, name),
        None => TableName::public(args.entity.as_str()),
    });
    let definitions = read_definitions(snapshot::open_with(&args.snapshot, &options)?)
        .map_err(|error| Failure::from(error).of(&args.snapshot))?;
    if let Some(error) = definitions.error {
        // Foreign keys stand at the end.
        return Err(Failure::from(error).of(&args.snapshot));
    }
    let options = InitOptions {
        entity: &args.entity,
        kind: args.kind.as_deref(),
        every_way: args.every_way,
    };
    let text = init(&definitions.catalog, &options)
        .map_err(|error| Failure::new(Exit::Snapshot, error).of(&args.snapshot))?;
    let Some(path) = &args.out else {
        return stdout::print(&text).map(|()| Exit::Success);
    };
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(Exit::Success),
        Err(error) => {
            let shown = path.display();
            let text = format!("cannot make {shown}: {error}\n  name another file with --out");
            Err(Failure::new(Exit::Output, anyhow::anyhow!(text)))
        }
    }
}
