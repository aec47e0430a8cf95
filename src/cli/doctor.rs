//! `relexport doctor`: whether jobs can run, and what to do if not.

mod finding;
mod machine;
mod place;
mod source;

use std::fmt::Write;

use serde::Serialize;

use crate::environment;
use crate::jobs::Job;
use crate::jobs::config::Credentials;
use crate::output::Location;
use crate::pipeline::{BUILTINS, Pipeline};
use crate::snapshot::Spec;
use crate::visible::visible;

use super::args::{DoctorArgs, ExportArgs, GivenExport};
use super::config::load;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::job_export::job_export;
use super::kinds::{kinds, pipelines_of};
use super::setup;
use super::stdout;
use finding::{Finding, Findings, Level};

/// What is printed as JSON.
#[derive(Serialize)]
struct Answer<'f> {
    ok: bool,
    findings: &'f [Finding],
}

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs, console: &Console) -> Result<Exit, Failure> {
    let mut findings = Findings::default();
    match (&args.snapshot, &args.out) {
        (None, None) => of_config(args, console, &mut findings)?,
        (spec, out) => of_places(args, spec.as_ref(), out.as_ref(), console, &mut findings)?,
    }
    let findings = findings.all();
    let ok = findings
        .iter()
        .all(|finding| finding.level != Level::Problem);
    match args.json {
        true => stdout::print_json(&Answer {
            ok,
            findings: &findings,
        })?,
        false => stdout::print(&text(&findings))?,
    }
    Ok(match ok {
        true => Exit::Success,
        false => Exit::Failed,
    })
}

/// Looks at a snapshot and at a place that are named on the command line.
fn of_places(
    args: &DoctorArgs,
    spec: Option<&Spec>,
    out: Option<&Location>,
    console: &Console,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let mut size = None;
    if let Some(spec) = spec {
        let builtin = BUILTINS.iter().map(|(name, _)| name);
        let pipelines: Vec<Pipeline> = builtin
            .filter_map(|name| Pipeline::builtin_named(name))
            .collect();
        let pipelines: Vec<&Pipeline> = pipelines.iter().collect();
        let options = setup::open_options(&args.server, Some(1), &pipelines, console)?;
        size = source::look(spec, &options, &pipelines, findings);
    }
    if let Some(out) = out {
        place::look(out, None, size, findings);
    }
    Ok(())
}

/// Looks at the jobs of the configuration.
fn of_config(args: &DoctorArgs, console: &Console, findings: &mut Findings) -> Result<(), Failure> {
    let config = match load(&args.files, &Credentials::of_process()) {
        Ok(config) => config,
        Err(error) => {
            for mistake in &error.mistakes {
                let advice = "correct the file; `relexport config check` tells all mistakes";
                findings.problem("configuration", &mistake.to_string(), advice);
            }
            return Ok(());
        }
    };
    let named = |name: &str| args.jobs.is_empty() || args.jobs.iter().any(|job| job == name);
    let known = config.jobs.iter().map(|job| job.name.as_str());
    let known: Vec<&str> = known
        .chain(config.broken.iter().map(|job| job.name.as_str()))
        .collect();
    if let Some(unknown) = args.jobs.iter().find(|job| !known.contains(&job.as_str())) {
        return Err(Failure::usage(format!(
            "there is no job {unknown}\n  there are: {}",
            known.join(", ")
        )));
    }
    if known.is_empty() {
        let advice = "write a job; `relexport config init` prints an example";
        findings.problem("configuration", "there is no job", advice);
    }
    machine::folders(&config, findings);
    for broken in config.broken.iter().filter(|job| named(job.name.as_str())) {
        findings.job(broken.name.as_str());
        for mistake in &broken.mistakes {
            findings.problem("configuration", &mistake.to_string(), "correct the file");
        }
    }
    for job in config.jobs.iter().filter(|job| named(job.name.as_str())) {
        findings.job(job.name.as_str());
        let variables = job.environment.iter();
        let _lent = environment::lend(
            variables
                .map(|(name, value)| (name.clone(), value.expose().to_owned()))
                .collect(),
        );
        machine::job_lock(&config, job, findings);
        machine::hooks(&job.hooks, findings);
        of_job(job, console, findings);
    }
    Ok(())
}

fn of_job(job: &Job, console: &Console, findings: &mut Findings) {
    let out = job
        .destination
        .shelf(job.name.as_str())
        .or_else(|| job.destination.fixed(job.name.as_str()));
    let mut size = None;
    match job.snapshot.choose() {
        Err(error) => {
            let text = error.to_string();
            let (text, advice) = text.split_once("\n  ").unwrap_or((&text, ""));
            findings.problem("source", text, advice);
        }
        Ok(spec) => {
            // Where the export goes matters to no check of the source.
            let arguments = job_export(job, &GivenExport::default(), &spec, "out");
            match arguments.and_then(|args| opening(&args, console)) {
                Ok((options, kinds)) => {
                    size = source::look(&spec, &options, &pipelines_of(&kinds), findings);
                }
                Err(failure) => {
                    let advice = "correct the job; `relexport config check` says more";
                    findings.problem("configuration", &failure.error.to_string(), advice);
                }
            }
        }
    }
    match out.map(|out| Location::parse(&out)) {
        Some(Ok(location)) => place::look(&location, Some(job.name.as_str()), size, findings),
        Some(Err(error)) => findings.problem("destination", &error, "correct `destination`"),
        None => {}
    }
}

type Opening = (
    crate::snapshot::OpenOptions,
    Vec<crate::resolve::KindChoice>,
);

/// How a job's export opens its snapshot, and what it takes out of it.
fn opening(args: &ExportArgs, console: &Console) -> Result<Opening, Failure> {
    let kinds = kinds(&args.snapshot.pipeline, &args.entities)?;
    let server = &args.snapshot.server;
    let options = setup::open_options(server, Some(1), &pipelines_of(&kinds), console)?;
    Ok((options, kinds))
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut job = None;
    for finding in findings {
        if finding.job != job {
            let heading = finding.job.as_deref().unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\njob {heading}");
            job.clone_from(&finding.job);
        }
        let level = finding.level.name();
        let _ = writeln!(
            text,
            "{level:8} {:13} {}",
            finding.check,
            visible(&finding.message)
        );
        if let Some(advice) = &finding.advice {
            let _ = writeln!(text, "{:22} {}", "", visible(advice));
        }
    }
    let count = |level| findings.iter().filter(|one| one.level == level).count();
    let told = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let _ = writeln!(
        text,
        "\n{}, {}",
        told(count(Level::Problem), "problem"),
        told(count(Level::Warning), "warning")
    );
    text
}
