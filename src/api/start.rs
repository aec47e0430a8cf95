//! From options to a running server, and to its end.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use tokio::sync::{mpsc, watch};

use super::descriptors;
use super::directory::{self, Directory, DirectoryError, Source};
use super::exports::{DataFolder, DataFolderError, Queue, SnapshotFolder, Workers};
use super::fingerprint::fingerprint;
use super::git::GitServer;
use super::listen;
use super::metrics::Metrics;
use super::status::Templates;
use super::tls::{self, TlsError};
use super::tokens::{TokenError, Tokens};
use super::{App, AppState, ServeOptions, prepare, routes};
use crate::civil::utc_millis_to_iso;
use crate::failure::{Cause, Failure, Policy};
use crate::fault::caught;
use crate::interruption;
use crate::output::now;
use crate::pipeline::Edition;
use crate::snapshot::{SnapshotError, Spec};

/// Threads that answer requests. They compute little; what blocks is elsewhere.
const THREADS: usize = 2;
/// Threads that read files for downloads at the most.
const BLOCKING_THREADS: usize = 16;
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
    /// A group cannot be prepared, for this reason.
    Prepare(String),
}

/// Serves until SIGINT or SIGTERM. `listening` is told the address once connections are accepted.
///
/// # Errors
/// Where the server cannot start, or the groups of the snapshot cannot be read.
pub(crate) fn serve(
    options: ServeOptions,
    listening: impl FnOnce(std::net::SocketAddr),
) -> Result<(), ServeError> {
    check(&options)?;
    let data = DataFolder::take(&options.data)?;
    let snapshot = options.engine.snapshot.shown();
    let edition = match options.engine.edition {
        Edition::Ce => "ce",
        Edition::Ee => "ee",
    };
    let kinds = &options.engine.kinds;
    let mut served = vec![kinds.group().sha256.as_str(), edition];
    served.extend(kinds.project().map(|project| project.sha256.as_str()));
    let fingerprint =
        fingerprint(&options.engine.snapshot, &served).map_err(|source| ServeError::Snapshot {
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
    let stop = Arc::new(AtomicBool::new(false));
    let git = GitServer::new(folder.repositories(), Arc::clone(&stop));
    let queue = Queue::open(folder, options.queue).map_err(|source| DataFolderError::Io {
        path: options.data.display().to_string(),
        source,
    })?;
    descriptors::check().map_err(ServeError::Start)?;
    let connections = descriptors::connections(options.max_connections, options.jobs);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(ServeError::Start)?;
    let snapshot_changed_at = changed_at(&options.engine.snapshot);
    let app: App = Arc::new(AppState {
        options,
        queue: Arc::new(queue),
        git,
        metrics: Arc::new(Metrics::default()),
        tokens,
        directory: OnceLock::new(),
        ghosts: OnceLock::new(),
        templates: OnceLock::new(),
        started_at: now(),
        snapshot_changed_at,
    });
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
            listen::Bounds {
                connections,
                silence: app.options.client_timeout,
            },
            closed,
        ));
        let why = ending.recv().await;
        tracing::info!("ending");
        // No export begins from here on, and those that run stop where they can go on later.
        stop.store(true, Ordering::Relaxed);
        interruption::flag().store(true, Ordering::Relaxed);
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
        Some(Ending::Prepare(reason)) => Err(ServeError::Usage(reason)),
        Some(Ending::Signal) | None => Ok(()),
    }
}

/// Makes sure that this can be served.
fn check(options: &ServeOptions) -> Result<(), ServeError> {
    if !matches!(options.engine.snapshot, Spec::Path(_) | Spec::Bucket(_)) {
        return Err(ServeError::Usage(
            "cannot serve this snapshot: it has to be there, and stay the same, for every export\n  name a file, a folder or an object of a bucket; `relexport snapshot take` makes a folder of a server"
                .to_owned(),
        ));
    }
    let mut pipelines = options.engine.kinds.pipelines().into_iter();
    if let Some(pipeline) = pipelines.find(|pipeline| pipeline.entity.schemas.is_some()) {
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
    Ok(())
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
                pipeline: engine.kinds.group(),
                projects: engine.kinds.project(),
                edition: engine.edition,
                allow_missing: engine.allow_missing,
                limits: &engine.limits,
                pool: Arc::clone(&engine.pool),
                interrupted: stop,
                pipe_silence: engine.pipe_silence,
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
            app.git
                .open(&engine.snapshot, &app.queue.folder().file_index());
            // This thread alone sets them.
            let _ = app
                .templates
                .set(Templates::new(engine, &directory.instance));
            let _ = app.directory.set(directory);
            let workers = match Workers::start(app.options.jobs, engine, &app.queue, &app.metrics) {
                Ok(workers) => Some(workers),
                Err(error) => {
                    tracing::error!("cannot start the threads for exports: {error}");
                    None
                }
            };
            let prepared = match prepare::ask(&app) {
                Ok(prepared) => prepared,
                Err(reason) => {
                    let _ = ended.blocking_send(Ending::Prepare(reason));
                    return workers;
                }
            };
            app.git.warm();
            app.git.tell_lost(app.directory.get());
            match directory::read_ghosts(&source, &app.queue.folder().ghosts()) {
                Ok(ghosts) => {
                    let _ = app.ghosts.set(ghosts);
                }
                // A destination does without them, too.
                Err(error) => tracing::info!("no users that stand for deleted ones: {error}"),
            }
            prepare::tell(&app, &prepared);
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

/// When a snapshot was written last, as manifests write times.
fn changed_at(snapshot: &Spec) -> Option<String> {
    let since = snapshot.modified()?.duration_since(UNIX_EPOCH).ok()?;
    Some(utc_millis_to_iso(i64::try_from(since.as_millis()).ok()?))
}
