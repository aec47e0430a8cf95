//! From arguments to what the other floors take.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use indicatif::HumanBytes;
use serde_json::json;

use crate::bounds::Bounds;
use crate::export::{
    DEFAULT_BATCH_SIZE, Destination, ExportOptions, ExportRequest, Share, WORKER_STACK,
};
use crate::interruption;
use crate::output::encryption::Recipients;
use crate::output::{Begin, GzipLevel, Location, StoreError};
use crate::pipeline::{Edition, MAX_BYTES, Pipeline};
use crate::resolve::{KindChoice, Limits, Relations, Selection};
use crate::snapshot::{
    Databases, Listener, OpenOptions, Opening, OpeningStep, OtherDatabase, PgdataOptions, Pipe,
    Timeouts,
};

use super::args::{DatabaseArgs, EditionArg, EncryptionArgs, ExportArgs, LimitArgs, ServerArgs};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::interrupt;
use super::kinds::{check_batched, check_relations, kinds, pipelines_of};
use super::redaction;
use super::stdout;

/// Looks at the arguments of an export and its pipelines, and at nothing else.
///
/// # Errors
/// Wrong usage.
pub(crate) fn check(args: &ExportArgs) -> Result<(), Failure> {
    checked(args)?;
    redaction::check(&args.redaction)
}

/// What the arguments of an export say of entities and batches.
struct Checked {
    kinds: Vec<KindChoice>,
    batch_size: NonZeroU32,
    batch_sizes: BTreeMap<String, NonZeroU32>,
}

fn checked(args: &ExportArgs) -> Result<Checked, Failure> {
    let kinds = kinds(&args.snapshot.pipeline, &args.entities)?;
    let edition = edition(args.edition);
    check_relations(&args.relation, edition, &kinds)?;
    let (batch_size, batch_sizes) = batch_sizes(&args.batch_size)?;
    let named: Vec<String> = batch_sizes.keys().cloned().collect();
    check_batched(&named, edition, &kinds)?;
    Ok(Checked {
        kinds,
        batch_size,
        batch_sizes,
    })
}

/// The request that the arguments of an export make.
///
/// # Errors
/// Wrong usage, told before anything is read.
pub(crate) fn request(args: &ExportArgs, console: &Console) -> Result<ExportRequest, Failure> {
    let interrupted = interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?;
    request_until(args, console, interrupted)
}

/// As [`request`], of an export that somebody else's flag ends.
///
/// # Errors
/// As [`request`].
pub(crate) fn request_until(
    args: &ExportArgs,
    console: &Console,
    interrupted: Arc<AtomicBool>,
) -> Result<ExportRequest, Failure> {
    let Checked {
        kinds,
        batch_size,
        batch_sizes,
    } = checked(args)?;
    let edition = edition(args.edition);
    let redaction = redaction::load(&args.redaction)?;
    let EncryptionArgs {
        encrypt_to,
        encrypt_to_file,
    } = &args.encryption;
    let recipients = Recipients::read(encrypt_to, encrypt_to_file)?;
    let server = &args.snapshot.server;
    let mut open = open_options(server, args.limits.threads, &pipelines_of(&kinds), console)?;
    open.opening.interrupted = Arc::clone(&interrupted);
    Ok(ExportRequest {
        snapshot: args.snapshot.snapshot.clone(),
        open,
        kinds,
        share: Share::default(),
        selection: Selection {
            relations: match args.relation.is_empty() {
                true => Relations::All,
                false => Relations::Only(args.relation.clone()),
            },
            edition,
            files: !args.no_files && redaction.as_ref().is_none_or(|it| it.keeps_files),
            ..Selection::default()
        },
        options: ExportOptions {
            batched: args.batched,
            batch_size,
            batch_sizes,
            batch_bytes: args.batch_bytes,
            // clap has checked the range.
            gzip_level: GzipLevel::new(args.gzip_level).unwrap_or_default(),
            edition,
            keep_going: args.keep_going,
            allow_missing: args.snapshot.allow_missing,
            strict: args.strict,
        },
        limits: limits(args.limits.memory_limit, server),
        pool: pool(&args.limits)?,
        redaction: redaction.map(Arc::new),
        recipients: recipients.map(Arc::new),
        gitlab_version: args.gitlab_version.clone(),
        source_url: args.source_url.clone(),
        job: None,
        judge: None,
        interrupted,
    })
}

/// The batch size of all relations, and those of single ones.
fn batch_sizes(
    given: &[(Option<String>, NonZeroU32)],
) -> Result<(NonZeroU32, BTreeMap<String, NonZeroU32>), Failure> {
    let mut of_all = None;
    let mut own = BTreeMap::new();
    for (relation, size) in given {
        let before = match relation {
            None => of_all.replace(*size),
            Some(relation) => own.insert(relation.clone(), *size),
        };
        if before.is_some() {
            let of = relation
                .as_deref()
                .map_or(String::new(), |name| format!(" of {name}"));
            return Err(Failure::usage(format!(
                "--batch-size{of} is given twice\n  give it once"
            )));
        }
    }
    Ok((of_all.unwrap_or(DEFAULT_BATCH_SIZE), own))
}

/// Where the arguments of an export send it; `None` if they name no place, as a dry run may.
///
/// # Errors
/// If a setting of a bucket is wrong.
pub(crate) fn destination(args: &ExportArgs) -> Result<Option<Destination>, Failure> {
    let Some(out) = &args.out else {
        return Ok(None);
    };
    let begin = match (args.force, args.resume) {
        (true, _) => Begin::Replace,
        (false, true) => Begin::Resume,
        (false, false) => Begin::New,
    };
    if let (Location::Bucket(_), Begin::Replace) = (out, begin) {
        return Err(StoreError::NothingToReplace(out.shown()).into());
    }
    let store = match begin {
        Begin::Resume => out.store_to_resume()?,
        Begin::New | Begin::Replace => out.store()?,
    };
    Ok(Some(Destination {
        store,
        begin,
        lock_wait: args.lock_wait,
    }))
}

/// A place that another run holds: says that it can be waited for, or how long it was.
pub(crate) fn told_of_wait(failure: Failure, waited: Duration) -> Failure {
    if failure.exit != Exit::InUse {
        return failure;
    }
    let more = match waited.is_zero() {
        true => "; --lock-wait 1h waits for it, up to an hour".to_owned(),
        false => format!(
            "; it was waited for for {} s (--lock-wait)",
            waited.as_secs_f64()
        ),
    };
    Failure {
        exit: failure.exit,
        error: anyhow::anyhow!("{}{more}", failure.error),
    }
}

/// The edition that an argument names.
pub(crate) fn edition(argument: EditionArg) -> Edition {
    match argument {
        EditionArg::Ce => Edition::Ce,
        EditionArg::Ee => Edition::Ee,
    }
}

/// The pipeline in a file.
pub(crate) fn load_pipeline(path: &Path) -> Result<Pipeline, Failure> {
    let text = read_pipeline(path)?;
    Pipeline::parse(&text, &path.display().to_string())
        .map_err(|mistakes| Failure::new(Exit::Usage, mistakes))
}

/// The text of a pipeline file.
pub(crate) fn read_pipeline(path: &Path) -> Result<String, Failure> {
    read_yaml(
        path,
        "pipeline",
        "`relexport pipeline show` prints one to begin with",
    )
}

/// The text of a file that is YAML: `what` it is, and where one comes from that is right.
pub(super) fn read_yaml(path: &Path, what: &str, begin: &str) -> Result<String, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!(
            "cannot read the {what} {shown}: {error}\n  {begin}"
        ))
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_BYTES as u64 {
        return Err(Failure::usage(format!(
            "cannot read the {what} {shown}: it is larger than one can be ({MAX_BYTES} bytes)\n  \
             name another file"
        )));
    }
    let mut text = String::new();
    let file = Pipe::of_settings(path).map_err(unreadable)?;
    // What comes out of a pipe has no size before.
    let read = file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text);
    read.map_err(unreadable).map(|_| text)
}

/// Makes a file of a text, which is not to be there yet; without a path, prints it.
pub(super) fn make_file(text: &str, path: Option<&Path>) -> Result<Exit, Failure> {
    let Some(path) = path else {
        return stdout::print(text).map(|()| Exit::Success);
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

/// How a snapshot is opened, by the arguments. `threads` says how many connections there are where the user does
/// not; the first pipeline, which database of a data folder is meant; all of them, which tables belong to others.
///
/// # Errors
/// Databases are named of which the pipeline says nothing.
pub(crate) fn open_options(
    args: &ServerArgs,
    threads: Option<u16>,
    pipelines: &[&Pipeline],
    console: &Console,
) -> Result<OpenOptions, Failure> {
    let defaults = OpenOptions::default();
    let some = |time: Duration| Some(time).filter(|time| !time.is_zero());
    let silence = args.stall_timeout.map(some);
    let console = console.clone();
    Bounds {
        window: args.max_window as u64,
        row: args.max_row as u64,
    }
    .set();
    Ok(OpenOptions {
        connections: args
            .connections
            .or(threads)
            .map_or(defaults.connections, usize::from),
        pg_snapshot: args.pg_snapshot.clone(),
        timeouts: Timeouts {
            statement: some(args.statement_timeout),
            lock: some(args.lock_timeout),
            idle: some(args.idle_timeout),
            silence: silence.unwrap_or(defaults.timeouts.silence),
        },
        pipe_silence: pipe_silence(args),
        pgdata: PgdataOptions {
            temp_dir: temp_dir(args),
            bindir: args.pg_bindir.clone(),
            database: args.pg_database.clone(),
            table: pipelines.first().map(|first| first.entity.table.clone()),
            is_atomic: args.pg_atomic,
            start_timeout: some(args.pg_start_timeout),
        },
        opening: Opening {
            listener: Listener::new(move |step| tell_step(step, &console)),
            interrupted: interruption::flag(),
        },
        databases: databases(&args.databases, pipelines)?,
        temp_dir: temp_dir(args),
        files_index: None,
    })
}

/// How long a pipe may bring nothing; `None` is for ever.
pub(crate) fn pipe_silence(args: &ServerArgs) -> Option<Duration> {
    match args.stall_timeout {
        Some(time) => Some(time).filter(|time| !time.is_zero()),
        None => OpenOptions::default().pipe_silence,
    }
}

/// The databases that are read: what the pipelines of a run say of them, and those that the arguments name.
///
/// # Errors
/// The pipelines contradict each other, or say nothing of a database that is named.
fn databases(args: &DatabaseArgs, pipelines: &[&Pipeline]) -> Result<Databases, Failure> {
    let mut databases = Databases::default();
    for pipeline in pipelines {
        let merged = databases.routing.merge(&pipeline.databases);
        merged.map_err(|error| {
            Failure::usage(format!(
                "cannot use these pipelines together: {error}\n  let their `databases` agree"
            ))
        })?;
    }
    let routing = &databases.routing;
    for (option, name, snapshot) in args.given() {
        if !routing.knows(name) {
            return Err(Failure::usage(format!(
                "cannot use {option}: the pipeline does not say which tables belong to database {name}\n  \
                 name them in it, under `databases`"
            )));
        }
        if routing.tables_of(name).next().is_none() {
            tracing::warn!("{option} is not read: the pipeline names no table of database {name}");
            continue;
        }
        databases.others.push(OtherDatabase {
            name: name.to_owned(),
            snapshot: snapshot.clone(),
        });
    }
    Ok(databases)
}

/// Says how far it is with what takes long before a data folder can be read.
fn tell_step(step: OpeningStep, console: &Console) {
    match step {
        OpeningStep::Copying { done, total } => console.info(
            &format!(
                "copying the data folder: {} of {}",
                HumanBytes(done),
                HumanBytes(total)
            ),
            json!({"phase": "copying", "bytes": done, "total_bytes": total}),
        ),
        OpeningStep::Starting { since } => console.info(
            &format!("waiting for the private server, for {} s", since.as_secs()),
            json!({"phase": "starting", "seconds": since.as_secs()}),
        ),
    }
}

fn temp_dir(args: &ServerArgs) -> PathBuf {
    args.temp_dir.clone().unwrap_or_else(std::env::temp_dir)
}

/// The limits that the arguments name.
pub(crate) fn limits(memory: usize, args: &ServerArgs) -> Limits {
    Limits {
        memory,
        temp_dir: temp_dir(args),
    }
}

/// The thread pool for pure computation.
pub(crate) fn pool(args: &LimitArgs) -> Result<Arc<rayon::ThreadPool>, Failure> {
    let threads = args.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(WORKER_STACK)
        .thread_name(|index| format!("worker-{index}"));
    pool.build().map(Arc::new).map_err(no_threads)
}

fn no_threads(error: rayon::ThreadPoolBuildError) -> Failure {
    let text = format!(
        "cannot start the threads: {error}\n  raise the limit of processes (ulimit -u), or lower --threads"
    );
    Failure::new(Exit::Output, anyhow::anyhow!(text))
}

/// Starts the threads that verifications share.
pub(crate) fn start_shared_pool() -> Result<(), Failure> {
    rayon::ThreadPoolBuilder::new()
        .build_global()
        .map_err(no_threads)
}

/// The limits of commands that keep next to nothing.
pub(crate) fn default_limits(args: &ServerArgs) -> Limits {
    limits(512 << 20, args)
}

/// A pool with a thread per core.
pub(crate) fn default_pool() -> Result<Arc<rayon::ThreadPool>, Failure> {
    rayon::ThreadPoolBuilder::new()
        .stack_size(WORKER_STACK)
        .build()
        .map(Arc::new)
        .map_err(no_threads)
}
