//! From options to a running server, and to its end.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use tokio::sync::{mpsc, watch};

use super::directory::{self, Directory, DirectoryError, Source};
use super::exports::{DataFolder, DataFolderError, Queue, SnapshotFolder, Workers};
use super::fingerprint::fingerprint;
use super::listen;
use super::metrics::Metrics;
use super::status::templates;
use super::tls::{self, TlsError};
use super::tokens::{TokenError, Tokens};
use super::{App, AppState, ServeOptions, routes};
use crate::civil::utc_millis_to_iso;
use crate::failure::{Cause, Failure, Policy};
use crate::fault::caught;
use crate::output::now;
use crate::pipeline::Edition;
use crate::snapshot::SnapshotError;

/// Threads that answer requests. They compute little; what blocks is elsewhere.
const THREADS: usize = 2;
/// Threads that read files for downloads at the most.
const BLOCKING_THREADS: usize = 16;
/// Files that are open as soon as the server is: six of the runtime, the listener, the snapshot and the list of groups.
const DESCRIPTORS: usize = 9;
/// What a query's limits let through needs far less; what is not touched costs nothing.
const STACK: usize = 2 << 20;

/// Why the server does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("{0}")]
    Usage(String),
    #[error("cannot read {snapshot}: {source}")]
    Snapshot { snapshot: String, source: io::Error },
    #[error(transparent)]
    Data(#[from] DataFolderError),
    #[error(transparent)]
    Tokens(#[from] TokenError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{snapshot}: {source}")]
    Directory {
        snapshot: String,
        source: Box<DirectoryError>,
    },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error(
        "cannot start the server: {0}\n  raise the limits of open files (ulimit -n) and of processes (ulimit -u)"
    )]
    Start(io::Error),
}

impl Failure for ServeError {
    fn policy(&self) -> Policy {
        let cause = match self {
            ServeError::Directory { source, .. } => return source.policy(),
            ServeError::Data(error) => return error.policy(),
            ServeError::Usage(_) | ServeError::Tokens(_) | ServeError::Tls(_) => Cause::Request,
            ServeError::Snapshot { .. } => Cause::Snapshot,
            ServeError::Listen { .. } | ServeError::Start(_) => Cause::Machine,
        };
        Policy::EndRun(cause)
    }
}

/// What ends a server.
enum Ending {
    Signal,
    Directory(DirectoryError),
}

/// Serves until SIGINT or SIGTERM. `listening` is told the address once connections are accepted.
///
/// # Errors
/// Where the server cannot start, or the groups of the snapshot cannot be read.
pub(crate) fn serve(
    options: ServeOptions,
    listening: impl FnOnce(std::net::SocketAddr),
) -> Result<(), ServeError> {
    let path = check(&options)?;
    let data = DataFolder::take(&options.data)?;
    let snapshot = options.engine.snapshot.shown();
    let edition = match options.engine.edition {
        Edition::Ce => "ce",
        Edition::Ee => "ee",
    };
    let served = [options.engine.pipeline.sha256.as_str(), edition];
    let fingerprint = fingerprint(&path, &served).map_err(|source| ServeError::Snapshot {
        snapshot: snapshot.clone(),
        source,
    })?;
    let tokens = options
        .token_file
        .as_deref()
        .map(Tokens::open)
        .transpose()?;
    let acceptor = options.tls.as_ref().map(tls::acceptor).transpose()?;
    let folder = SnapshotFolder::open(data, &fingerprint)?;
    let queue = Queue::open(folder, options.queue).map_err(|source| DataFolderError::Io {
        path: options.data.display().to_string(),
        source,
    })?;
    check_descriptors().map_err(ServeError::Start)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(ServeError::Start)?;
    let app: App = Arc::new(AppState {
        options,
        queue: Arc::new(queue),
        metrics: Arc::new(Metrics::default()),
        tokens,
        directory: OnceLock::new(),
        ghosts: OnceLock::new(),
        templates: OnceLock::new(),
        started_at: now(),
        snapshot_changed_at: changed_at(&path),
    });
    let stop = Arc::new(AtomicBool::new(false));
    let (ended, mut ending) = mpsc::channel(1);
    let (closing, closed) = watch::channel(false);
    let result = runtime.block_on(async {
        let address = app.options.listen;
        let listener = listen::bind(address)
            .await
            .map_err(|source| ServeError::Listen {
                address: address.to_string(),
                source,
            })?;
        let signals = listen::signals().map_err(ServeError::Start)?;
        listening(listener.local_addr().unwrap_or(address));
        let reader = read_directory(&app, &stop, &ended).map_err(ServeError::Start)?;
        let signal_ended = ended.clone();
        tokio::spawn(async move {
            signals.await;
            // The receiver lives until the server has ended.
            let _ = signal_ended.send(Ending::Signal).await;
        });
        let accepting = tokio::spawn(listen::accept(
            listener,
            acceptor,
            routes::router(&app),
            Arc::clone(&app.metrics),
            closed,
        ));
        let why = ending.recv().await;
        tracing::info!("ending");
        // No export begins from here on, and those that run stop where they can go on later.
        stop.store(true, Ordering::Relaxed);
        app.queue.close();
        let _ = closing.send(true);
        let _ = accepting.await;
        Ok::<_, ServeError>((why, reader))
    });
    let (why, reader) = result?;
    // Threads that wait for a disk are not waited for.
    runtime.shutdown_background();
    if let Ok(Some(workers)) = reader.join() {
        workers.join();
    }
    match why {
        Some(Ending::Directory(source)) => Err(ServeError::Directory {
            snapshot,
            source: Box::new(source),
        }),
        Some(Ending::Signal) | None => Ok(()),
    }
}

/// Makes sure that this can be served, and says where the snapshot lies.
fn check(options: &ServeOptions) -> Result<PathBuf, ServeError> {
    let Some(path) = options.engine.snapshot.path() else {
        return Err(ServeError::Usage(
            "cannot serve this snapshot: it has to be there, and stay the same, for every export\n  name a file or a folder; `relexport snapshot take` makes one of a server"
                .to_owned(),
        ));
    };
    let pipeline = &options.engine.pipeline;
    if pipeline.entity.schemas.is_some() {
        return Err(ServeError::Usage(format!(
            "cannot serve pipeline {}: its entities are schemas, which have no integers as ids\n  \
             export them by `relexport export --group SCHEMA`",
            pipeline.name
        )));
    }
    if options.token_file.is_none() && !options.listen.ip().is_loopback() {
        return Err(ServeError::Usage(format!(
            "cannot listen on {} without tokens: everybody could export everything\n  \
             name a token file with --token-file (`relexport token new` makes one), or listen on 127.0.0.1",
            options.listen
        )));
    }
    Ok(path.to_owned())
}

/// Makes sure that the process may open as many files as a server needs before it can answer anybody. Some of them tokio
/// takes for granted: without them it panics.
fn check_descriptors() -> io::Result<()> {
    let opened = (0..DESCRIPTORS).map(|_| File::open("/dev/null"));
    opened.collect::<io::Result<Vec<_>>>().map(drop)
}

type Reader = std::thread::JoinHandle<Option<Workers>>;

/// Reads the groups on a thread of its own, and starts the exports when they are known.
fn read_directory(
    app: &App,
    stop: &Arc<AtomicBool>,
    ended: &mpsc::Sender<Ending>,
) -> io::Result<Reader> {
    let (app, stop, ended) = (Arc::clone(app), Arc::clone(stop), ended.clone());
    std::thread::Builder::new()
        .name("directory".to_owned())
        .spawn(move || {
            let engine = &app.options.engine;
            let source = Source {
                snapshot: &engine.snapshot,
                pipeline: &engine.pipeline,
                edition: engine.edition,
                allow_missing: engine.allow_missing,
                limits: &engine.limits,
                pool: Arc::clone(&engine.pool),
                interrupted: stop,
            };
            // A server whose thread just died would wait for its groups for ever.
            let read = caught(|| directory::read(&source, &app.queue.folder().directory()));
            let directory =
                match read.unwrap_or_else(|fault| Err(SnapshotError::from(fault).into())) {
                    Ok(directory) => directory,
                    Err(error) => {
                        // Where nobody receives it any more, the server is ending anyway.
                        let _ = ended.blocking_send(Ending::Directory(error));
                        return None;
                    }
                };
            tracing::info!(groups = directory.groups().len(), "the groups are known");
            for warning in &directory.instance.warnings {
                tracing::warn!("{warning}");
            }
            for (token, group) in strange_groups(&app, &directory) {
                tracing::warn!(
                    "token {token} is for group {group}, which the snapshot does not have"
                );
            }
            let left_out = &directory.instance.left_out;
            let templates = templates(&engine.pipeline, engine.edition, left_out);
            // This thread alone sets them.
            let _ = app.templates.set(templates);
            let _ = app.directory.set(directory);
            let workers = match Workers::start(app.options.jobs, engine, &app.queue, &app.metrics) {
                Ok(workers) => Some(workers),
                Err(error) => {
                    tracing::error!("cannot start the threads for exports: {error}");
                    None
                }
            };
            match directory::read_ghosts(&source, &app.queue.folder().ghosts()) {
                Ok(ghosts) => {
                    let _ = app.ghosts.set(ghosts);
                }
                // A destination does without them, too.
                Err(error) => tracing::info!("no users that stand for deleted ones: {error}"),
            }
            workers
        })
}

/// Groups that tokens name, and the snapshot does not have, each with the token's name or place in the file.
fn strange_groups(app: &App, directory: &Directory) -> Vec<(String, String)> {
    let tokens = app.tokens.as_ref().map(Tokens::current).unwrap_or_default();
    let mut strange = Vec::new();
    for token in tokens {
        let name = token.name.clone().unwrap_or_else(|| token.id.to_string());
        let groups = token.groups.iter();
        let unknown = groups.filter(|group| directory.find(group).is_none());
        strange.extend(unknown.map(|group| (name.clone(), group.clone())));
    }
    strange
}

/// When a file was written last, as manifests write times.
fn changed_at(path: &Path) -> Option<String> {
    let changed = std::fs::metadata(path).and_then(|found| found.modified());
    let since = changed.ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(utc_millis_to_iso(i64::try_from(since.as_millis()).ok()?))
}
