//! `relexport redact`, and the redaction of an export: the file that says what stands in place of columns' values, and the
//! key.

use super::args::{RedactCommand, RedactInitArgs, RedactionArgs};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::setup;
use super::stdout;
use crate::export::Redaction;
use crate::export::redact::{RedactionKey, first_file, json_schema};
use crate::pipeline::{BUILTINS, Pipeline};
use crate::resolve::{Relations, Selection, plan};
use crate::snapshot;
use crate::snapshot::read_definitions;

/// The redaction that the arguments name, with its key.
///
/// # Errors
/// Every mistake of the file; a key that is missing, or is no secret.
pub(crate) fn load(args: &RedactionArgs) -> Result<Option<Redaction>, Failure> {
    match (without_key(args)?, &args.redact_key_file) {
        (Some(redaction), Some(key)) => Ok(Some(redaction.with_key(RedactionKey::read(key)?))),
        (redaction, _) => Ok(redaction),
    }
}

/// Looks at the file, and not at the key, which may be for other eyes.
///
/// # Errors
/// Every mistake of the file; a key that no option names.
pub(crate) fn check(args: &RedactionArgs) -> Result<(), Failure> {
    without_key(args).map(drop)
}

fn without_key(args: &RedactionArgs) -> Result<Option<Redaction>, Failure> {
    let Some(path) = &args.redact else {
        return Ok(None);
    };
    let begin = "`relexport redact init` makes one to begin with";
    let text = setup::read_yaml(path, "redaction file", begin)?;
    let redaction = Redaction::parse(&text, &path.display().to_string())
        .map_err(|mistakes| Failure::new(Exit::Usage, mistakes))?;
    match &args.redact_key_file {
        None if redaction.needs_key() => Err(Failure::usage(format!(
            "the redaction file {} hashes values, and there is no key to do it with\n  name its file with \
             --redact-key-file; `openssl rand -hex 32` makes a key",
            path.display()
        ))),
        _ => Ok(Some(redaction)),
    }
}

/// Runs one of the commands.
pub(crate) fn run(command: &RedactCommand, console: &Console) -> Result<Exit, Failure> {
    match command {
        RedactCommand::Init(args) => run_init(args, console),
        RedactCommand::Schema => stdout::print_json(&json_schema()).map(|()| Exit::Success),
    }
}

fn run_init(args: &RedactInitArgs, console: &Console) -> Result<Exit, Failure> {
    let pipelines = match args.pipeline.is_empty() {
        true => {
            let all = BUILTINS.iter();
            all.filter_map(|(name, _)| Pipeline::builtin_named(name))
                .collect()
        }
        false => {
            let files = args.pipeline.iter();
            let files = files.map(|file| setup::load_pipeline(file));
            files.collect::<Result<Vec<_>, _>>()?
        }
    };
    let all: Vec<&Pipeline> = pipelines.iter().collect();
    let options = setup::open_options(&args.server, Some(1), &all, console)?;
    let definitions = read_definitions(snapshot::open_with(&args.snapshot, &options)?)
        .map_err(|error| Failure::from(error).of(&args.snapshot))?;
    if let Some(error) = &definitions.error {
        // Keys that stand behind the rows are columns of numbers.
        tracing::warn!("{error}");
    }
    let catalog = &definitions.catalog;
    let there = all.iter().copied();
    let there: Vec<&Pipeline> = there.filter(|it| it.has_entities(catalog)).collect();
    let pipelines = match (there.is_empty(), args.pipeline.is_empty()) {
        // The built-in ones are for whatever of GitLab is there; a file is for the snapshot.
        (false, true) => there,
        _ => all,
    };
    let selection = Selection {
        relations: Relations::All,
        edition: setup::edition(args.edition),
        files: false,
        ..Selection::default()
    };
    let plan = plan(&pipelines, &selection, catalog)
        .map_err(|error| Failure::new(Exit::Snapshot, error).of(&args.snapshot))?;
    setup::make_file(&first_file(&plan, &pipelines), args.out.as_deref())
}
