//! From arguments to what the other floors take.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indicatif::HumanBytes;
use serde_json::json;

use crate::export::{DEFAULT_BATCH_SIZE, Destination, ExportOptions, ExportRequest, WORKER_STACK};
use crate::output::{Begin, FolderStore, GzipLevel};
use crate::pipeline::{Edition, MAX_BYTES, Pipeline};
use crate::resolve::{Limits, Relations, Selection};
use crate::snapshot::{
    Databases, Listener, OpenOptions, Opening, OpeningStep, OtherDatabase, PgdataOptions, Timeouts,
};

use super::args::{DatabaseArgs, EditionArg, ExportArgs, LimitArgs, ServerArgs};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::interrupt;
use super::kinds::{check_batched, check_relations, kinds, pipelines_of};

/// The request that the arguments of an export make.
///
/// # Errors
/// Wrong usage, told before anything is read.
pub(crate) fn request(args: &ExportArgs, console: &Console) -> Result<ExportRequest, Failure> {
    let kinds = kinds(&args.snapshot.pipeline, &args.entities)?;
    let edition = edition(args.edition);
    check_relations(&args.relation, edition, &kinds)?;
    let (batch_size, batch_sizes) = batch_sizes(&args.batch_size)?;
    let named: Vec<String> = batch_sizes.keys().cloned().collect();
    check_batched(&named, edition, &kinds)?;
    let server = &args.snapshot.server;
    let interrupted = interrupt::flag().map_err(|error| Failure::new(Exit::Output, error))?;
    let mut open = open_options(server, args.limits.threads, &pipelines_of(&kinds), console)?;
    open.opening.interrupted = Arc::clone(&interrupted);
    Ok(ExportRequest {
        snapshot: args.snapshot.snapshot.clone(),
        open,
        kinds,
        selection: Selection {
            relations: match args.relation.is_empty() {
                true => Relations::All,
                false => Relations::Only(args.relation.clone()),
            },
            edition,
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
        gitlab_version: args.gitlab_version.clone(),
        source_url: args.source_url.clone(),
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
pub(crate) fn destination(args: &ExportArgs) -> Option<Destination> {
    let out = args.out.as_ref()?;
    let begin = match (args.force, args.resume) {
        (true, _) => Begin::Replace,
        (false, true) => Begin::Resume,
        (false, false) => Begin::New,
    };
    Some(Destination {
        store: Arc::new(FolderStore::new(out)),
        begin,
    })
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
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!(
            "cannot read the pipeline {shown}: {error}\n  `relexport pipeline show` prints one to begin with"
        ))
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_BYTES as u64 {
        return Err(Failure::usage(format!(
            "cannot read the pipeline {shown}: it is larger than a pipeline can be ({MAX_BYTES} bytes)\n  \
             name a pipeline file"
        )));
    }
    std::fs::read_to_string(path).map_err(unreadable)
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
    let console = console.clone();
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
        },
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
            ..defaults.opening
        },
        databases: databases(&args.databases, pipelines)?,
        temp_dir: temp_dir(args),
    })
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
