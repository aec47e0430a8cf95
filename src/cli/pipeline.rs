//! `relexport pipeline`: checks, prints and makes pipelines.

use std::fmt::Write;

use serde::Serialize;

use crate::pipeline::{
    BUILTINS, Finding, InitOptions, Mistake, Pipeline, Severity, check, init, json_schema,
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
        PipelineCommand::Show(args) => show(&args.name),
        PipelineCommand::Schema => stdout::print_json(&json_schema()).map(|()| Exit::Success),
    }
}

/// Prints the built-in pipeline of a name.
fn show(name: &str) -> Result<Exit, Failure> {
    let Some((_, text)) = BUILTINS.iter().find(|(own, _)| *own == name) else {
        let names: Vec<&str> = BUILTINS.iter().map(|(name, _)| *name).collect();
        return Err(Failure::usage(format!(
            "there is no built-in pipeline {name}\n  there are: {}",
            names.join(", ")
        )));
    };
    stdout::print(text).map(|()| Exit::Success)
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
    /// The name of the pipeline.
    pipeline: String,
    severity: String,
    place: String,
    message: String,
    /// The snapshot does not have what the pipeline names, and it does not say that it may be missing.
    lack: bool,
}

fn run_check(args: &PipelineCheckArgs, console: &Console) -> Result<Exit, Failure> {
    let pipelines = match &args.file {
        None => {
            let all = BUILTINS.iter();
            let all = all.filter_map(|(name, _)| Pipeline::builtin_named(name));
            all.map(|pipeline| (format!("built-in pipeline {}", pipeline.name), pipeline))
                .collect()
        }
        Some(file) => {
            let text = setup::read_pipeline(file)?;
            let name = file.display().to_string();
            match Pipeline::parse(&text, &name) {
                Ok(pipeline) => vec![(name, pipeline)],
                Err(error) => return tell(args, &format!("{error}\n"), error.mistakes, Vec::new()),
            }
        }
    };
    let names: Vec<&str> = pipelines.iter().map(|(name, _)| name.as_str()).collect();
    let all: Vec<&Pipeline> = pipelines.iter().map(|(_, pipeline)| pipeline).collect();
    let mut found = findings(&all, args, console)?;
    for ((_, pipeline), found) in pipelines.iter().zip(&mut found) {
        found.extend(outer_finding(pipeline));
    }
    let mut text = String::new();
    for (name, found) in names.iter().zip(&found) {
        for finding in found {
            // Which of several is told. Writing to a string cannot fail.
            let _ = match names.len() {
                1 => writeln!(text, "{finding}"),
                _ => writeln!(text, "{name}: {finding}"),
            };
        }
        if is_right(found, args.strict) {
            let _ = writeln!(text, "{name}: nothing is wrong");
        }
    }
    let named = all.iter().map(|pipeline| pipeline.name.clone());
    tell(args, &text, Vec::new(), named.zip(found).collect())
}

/// True if nothing but notes was found: what is left out by an older snapshot is as it should be. Not if it is to be `strict`.
fn is_right(findings: &[Finding], strict: bool) -> bool {
    let mut findings = findings.iter();
    findings.all(|finding| finding.severity == Severity::Note && !(strict && finding.is_lack))
}

/// Prints what a check came to. Findings are those of each pipeline, with its name.
fn tell(
    args: &PipelineCheckArgs,
    text: &str,
    mistakes: Vec<Mistake>,
    findings: Vec<(String, Vec<Finding>)>,
) -> Result<Exit, Failure> {
    let mut all = findings.iter();
    let ok = mistakes.is_empty() && all.all(|(_, findings)| is_right(findings, args.strict));
    match args.json {
        true => stdout::print_json(&answer(ok, mistakes, findings))?,
        false => stdout::print(text)?,
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
        is_lack: false,
    })
}

/// What is found of each pipeline in the snapshot, if one is named.
fn findings(
    pipelines: &[&Pipeline],
    args: &PipelineCheckArgs,
    console: &Console,
) -> Result<Vec<Vec<Finding>>, Failure> {
    let Some(spec) = &args.snapshot else {
        return Ok(pipelines.iter().map(|_| Vec::new()).collect());
    };
    let options = setup::open_options(&args.server, Some(1), pipelines, console)?;
    let definitions = read_definitions(snapshot::open_with(spec, &options)?)
        .map_err(|error| Failure::from(error).of(spec))?;
    let catalog = &definitions.catalog;
    // Of a file it is an error that the snapshot has nothing of it; so it is if it has nothing of any of them.
    let must_be_there = !pipelines.iter().any(|it| it.has_entities(catalog));
    let of_each = pipelines.iter().map(|pipeline| {
        if !must_be_there && !pipeline.has_entities(catalog) {
            return vec![Finding {
                severity: Severity::Note,
                place: "entity".to_owned(),
                message: format!(
                    "the snapshot has no table {}: the pipeline is not held against it",
                    pipeline.entity.table
                ),
                is_lack: false,
            }];
        }
        let mut findings = check(pipeline, catalog);
        if let Some(error) = &definitions.error {
            findings.push(Finding {
                severity: Severity::Warning,
                place: "snapshot".to_owned(),
                message: format!("primary keys that stand behind the rows are not known: {error}"),
                is_lack: false,
            });
        }
        findings
    });
    Ok(of_each.collect())
}

fn answer(ok: bool, mistakes: Vec<Mistake>, findings: Vec<(String, Vec<Finding>)>) -> Answer {
    let mistakes = mistakes.into_iter().map(|mistake| MistakeEntry {
        line: mistake.line,
        column: mistake.column,
        message: mistake.message,
    });
    let findings = findings.into_iter().flat_map(|(pipeline, findings)| {
        let entry = move |finding: Finding| FindingEntry {
            pipeline: pipeline.clone(),
            severity: finding.severity.to_string(),
            place: finding.place,
            message: finding.message,
            lack: finding.is_lack,
        };
        findings.into_iter().map(entry)
    });
    Answer {
        ok,
        mistakes: mistakes.collect(),
        findings: findings.collect(),
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
    setup::make_file(&text, args.out.as_deref())
}
