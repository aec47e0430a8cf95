//! `relexport config`: files of configuration, checked, shown and begun.

mod init;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use clap::FromArgMatches;
use serde::Serialize;
use serde_json::json;

use super::args::{
    ConfigCheckArgs, ConfigCommand, ConfigFileArgs, ConfigInitArgs, ConfigShowArgs, ExportArgs,
};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::job_export::{job_arguments, job_export, read_given};
use super::options::{ClapOptions, export_command};
use super::setup;
use super::stdout;
use crate::jobs::config::{self, ConfigError, Credentials, quoted, shell_words, shown_job};
use crate::jobs::{Config, Job, Mistake};
use crate::snapshot::Spec;
use crate::visible::visible;

/// Runs the command.
pub(crate) fn run(command: &ConfigCommand, console: &Console) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Init(args) => init(args, console),
        ConfigCommand::Check(args) => check(args, console),
        ConfigCommand::Show(args) => show(args),
        ConfigCommand::Schema => {
            stdout::print_json(&config::schema(&ClapOptions::of_export()))?;
            Ok(Exit::Success)
        }
    }
}

/// Reads the configuration. Jobs with mistakes are among those that are broken.
///
/// # Errors
/// Mistakes that concern all jobs.
pub(crate) fn load(
    args: &ConfigFileArgs,
    credentials: &Credentials,
) -> Result<Config, ConfigError> {
    let files = config::find(args.config.as_deref())?;
    config::read(&files, &ClapOptions::of_export(), credentials)
}

fn init(args: &ConfigInitArgs, console: &Console) -> Result<Exit, Failure> {
    let text = match args.sample {
        true => init::sample(),
        false => init::text(&init::Found::below(Path::new("/"))),
    };
    let Some(path) = &args.file else {
        stdout::print(&text)?;
        return Ok(Exit::Success);
    };
    let shown = path.display();
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    match written {
        Ok(()) => {
            console.info(
                &format!(
                    "wrote {shown}; edit it, then run: relexport config check --config {shown}"
                ),
                json!({"file": path}),
            );
            Ok(Exit::Success)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::usage(format!(
            "cannot write {shown}: it is there already\n  name another file, or print one to compare it with: relexport config init"
        ))),
        Err(error) => Err(Failure::new(
            Exit::Output,
            anyhow::anyhow!(
                "cannot write {shown}: {error}\n  name a file in a folder that can be written"
            ),
        )),
    }
}

/// What a check found.
#[derive(Default, Serialize)]
struct Checked {
    files: Vec<String>,
    jobs: Vec<CheckedJob>,
    mistakes: Vec<Told>,
    warnings: Vec<Told>,
}

#[derive(Serialize)]
struct CheckedJob {
    name: String,
    file: String,
    line: usize,
    ok: bool,
}

/// A mistake or a warning, for programs.
#[derive(Serialize)]
struct Told {
    file: String,
    line: usize,
    column: usize,
    message: String,
}

impl From<&Mistake> for Told {
    fn from(mistake: &Mistake) -> Told {
        Told {
            file: mistake.file.display().to_string(),
            line: mistake.line,
            column: mistake.column,
            message: mistake.message.clone(),
        }
    }
}

fn check(args: &ConfigCheckArgs, console: &Console) -> Result<Exit, Failure> {
    let credentials = match args.secrets {
        true => Credentials::of_process(),
        false => Credentials::Unread,
    };
    let (mut checked, mistakes, warnings) = match load(&args.files, &credentials) {
        Ok(config) => {
            let mut mistakes = config.mistakes();
            let mut checked = Checked {
                files: config
                    .files
                    .iter()
                    .map(|file| file.display().to_string())
                    .collect(),
                ..Checked::default()
            };
            for job in &config.jobs {
                let wrong = check_export(job).err();
                checked.jobs.push(checked_job(
                    job.name.as_str(),
                    &job.file,
                    job.line,
                    wrong.is_none(),
                ));
                mistakes.extend(wrong);
            }
            for job in &config.broken {
                checked
                    .jobs
                    .push(checked_job(job.name.as_str(), &job.file, job.line, false));
            }
            (checked, mistakes, config.warnings)
        }
        Err(error) => {
            let mut checked = Checked::default();
            for job in &error.jobs {
                checked
                    .jobs
                    .push(checked_job(job.name.as_str(), &job.file, job.line, false));
            }
            (checked, error.mistakes, Vec::new())
        }
    };
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    if args.json {
        checked.mistakes = mistakes.iter().map(Told::from).collect();
        checked.warnings = warnings.iter().map(Told::from).collect();
        stdout::print_json(&checked)?;
    } else {
        for mistake in &mistakes {
            console.error(
                &mistake.to_string(),
                json!({"exit_status": Exit::Usage as u8}),
            );
        }
    }
    if !mistakes.is_empty() {
        return Ok(Exit::Usage);
    }
    if !args.json {
        let names: Vec<&str> = checked.jobs.iter().map(|job| job.name.as_str()).collect();
        let jobs = match names.as_slice() {
            [] => "no job, so there is nothing to run".to_owned(),
            [name] => format!("1 job: {name}"),
            names => format!("{} jobs: {}", names.len(), names.join(", ")),
        };
        stdout::print(&format!("{} is right: {jobs}\n", checked.files.join(", ")))?;
    }
    Ok(Exit::Success)
}

fn checked_job(name: &str, file: &Path, line: usize, ok: bool) -> CheckedJob {
    CheckedJob {
        name: name.to_owned(),
        file: file.display().to_string(),
        line,
        ok,
    }
}

/// What only an export's own code can tell: of pipelines, and of relations that they do not have.
fn check_export(job: &Job) -> Result<(), Mistake> {
    let mut arguments = job.export.clone();
    arguments.extend(["--snapshot=x".into(), "--out=x".into()]);
    let parsed = export_command()
        .try_get_matches_from(arguments)
        .and_then(|matches| ExportArgs::from_arg_matches(&matches));
    let wrong = match parsed {
        Ok(args) => match setup::check(&args) {
            Ok(()) => return Ok(()),
            Err(failure) => failure.error.to_string(),
        },
        Err(error) => error.render().to_string(),
    };
    Err(Mistake {
        file: job.file.clone(),
        line: job.line,
        column: 1,
        message: format!("job {}: {wrong}", job.name),
    })
}

fn show(args: &ConfigShowArgs) -> Result<Exit, Failure> {
    let mut config = load(&args.files, &Credentials::Unread)?;
    read_given(&mut config.jobs, &args.given)?;
    if let Some(broken) = config
        .broken
        .iter()
        .find(|job| job.name.as_str() == args.job)
    {
        return Err(ConfigError::of_job(broken).into());
    }
    let Some(job) = config.jobs.iter().find(|job| job.name.as_str() == args.job) else {
        return Err(no_job(&config, &args.job));
    };
    let (snapshot, read) = match job.snapshot.choose() {
        Ok(spec) => (spec, None),
        Err(error) => (
            Spec::Path(job.snapshot.shown().into()),
            Some(error.to_string()),
        ),
    };
    let out = job.destination.to_string();
    // What cannot stand beside one another is refused.
    job_export(job, &args.given, &snapshot, &out)?;
    let arguments = job_arguments(job, &args.given, &snapshot, &out).arguments;
    let arguments: Vec<_> = arguments
        .iter()
        .map(|argument| argument.to_string_lossy())
        .collect();
    let command = shell_words(arguments.iter().map(|argument| &**argument));
    let mut notes = vec![
        format!(
            "{} line {}; state in {}, locks in {}",
            job.file.display(),
            job.line,
            config.state_dir.display(),
            config.lock_dir.display()
        ),
        format!("reads {}", job.snapshot.shown()),
    ];
    notes.extend(
        config
            .metrics_dir
            .iter()
            .map(|dir| format!("metrics in {}", dir.display())),
    );
    notes.extend(read);
    notes.push(format!("relexport export {command}"));
    let mut text = String::new();
    for line in notes.iter().flat_map(|note| note.lines()) {
        text.push_str(&format!("# {}\n", visible(line.trim_start())));
    }
    stdout::print(&format!("{text}\n{}", shown_job(job)))?;
    Ok(Exit::Success)
}

/// Says which jobs there are.
pub(crate) fn no_job(config: &Config, name: &str) -> Failure {
    let jobs = config.jobs.iter().map(|job| job.name.as_str());
    let broken = config.broken.iter().map(|job| job.name.as_str());
    let names: Vec<&str> = jobs.chain(broken).collect();
    let files: Vec<String> = config
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let there = match (
        config::nearest(name, names.iter().copied()),
        names.is_empty(),
    ) {
        (Some(nearest), _) => format!("did you mean {nearest}?"),
        (None, false) => format!("there are {}", names.join(", ")),
        (None, true) => "there is none; add [job.NAME]".to_owned(),
    };
    Failure::usage(format!(
        "there is no job {} in {}\n  {there}",
        quoted(name),
        files.join(", ")
    ))
}
