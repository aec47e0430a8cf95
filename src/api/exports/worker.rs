//! The threads that run exports, one run at a time each.

use std::fs;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use rayon::ThreadPool;

use super::progress::Watch;
use super::queue::Queue;
use super::run::{Run, RunOutcome};
use crate::api::entity::Kind;
use crate::api::metrics::Metrics;
use crate::api::served_kinds::ServedKinds;
use crate::export::{
    DEFAULT_BATCH_SIZE, Destination, ExportError, ExportOptions, ExportRequest, Share,
    run as run_export,
};
use crate::failure::{Failure, Policy};
use crate::output::{Begin, GzipLevel, Manifest, Partial, Status};
use crate::pipeline::Edition;
use crate::resolve::{Limits, Relations, Selection};
use crate::snapshot::{OpenOptions, Opening, Spec};

/// A run that the server did not survive so often is not begun again.
const ATTEMPTS: u32 = 3;

/// What all exports have in common.
#[derive(Clone)]
pub(crate) struct Engine {
    pub snapshot: Spec,
    /// The snapshot's fingerprint when the server started.
    pub fingerprint: Option<String>,
    /// The server's own folder.
    pub data: PathBuf,
    pub kinds: ServedKinds,
    pub edition: Edition,
    /// Take tables without data as empty ones.
    pub allow_missing: bool,
    pub gzip_level: GzipLevel,
    pub limits: Limits,
    pub pool: Arc<ThreadPool>,
    pub gitlab_version: Option<String>,
    pub source_url: Option<String>,
    /// How long a pipe that is served may bring nothing; `None` is for ever.
    pub pipe_silence: Option<Duration>,
}

/// What a thread works with.
struct Worker {
    engine: Engine,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
}

/// The running threads.
pub(crate) struct Workers(Vec<JoinHandle<()>>);

impl Workers {
    /// Starts so many threads.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub(crate) fn start(
        jobs: usize,
        engine: &Engine,
        queue: &Arc<Queue>,
        metrics: &Arc<Metrics>,
    ) -> std::io::Result<Workers> {
        let threads = (0..jobs)
            .map(|index| {
                let worker = Worker {
                    engine: engine.clone(),
                    queue: Arc::clone(queue),
                    metrics: Arc::clone(metrics),
                };
                std::thread::Builder::new()
                    .name(format!("export-{index}"))
                    .spawn(move || {
                        while let Some(run) = worker.queue.next() {
                            worker.work(&run);
                        }
                    })
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Workers(threads))
    }

    /// Waits until every thread has ended; after [`Queue::close`].
    pub(crate) fn join(self) {
        for thread in self.0 {
            // A thread that panicked has said so; its run waits on disk.
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn work(&self, run: &Arc<Run>) {
        let queue = &self.queue;
        let request = run.request();
        if request.attempts > ATTEMPTS {
            let reason = format!("the server ended {ATTEMPTS} times while this export ran");
            return self.finish(run, RunOutcome::Failed(reason));
        }
        if let Err(error) = queue.keep(run) {
            let reason = format!("cannot write the request: {error}");
            return self.finish(run, RunOutcome::Failed(reason));
        }
        let (number, entities) = (run.number, request.entities.len());
        tracing::info!(
            number,
            entities,
            batched = run.options.batched,
            "export begins"
        );
        let index = self.queue.folder().file_index();
        let exported = catch_unwind(AssertUnwindSafe(|| export(&self.engine, run, &index)));
        let exported = exported.unwrap_or_else(|_| {
            // What it was doing is on standard error; the next export begins with nothing of it.
            let reason = "the export broke off because of a fault in this program";
            Err(ExportError::Plan(reason.to_owned()))
        });
        match exported {
            Ok(manifest) => self.finish(run, RunOutcome::Exported(Box::new(manifest))),
            Err(error) if error.policy().is_interruption() && queue.is_closed() => {
                tracing::info!(number, "export waits for the server's next start");
                run.wait_again();
                if let Err(error) = queue.keep(run) {
                    tracing::warn!("cannot write the request of export {number}: {error}");
                }
                queue.ended(run);
            }
            Err(error) if error.policy().is_interruption() => {
                tracing::info!(number, "export is not needed any more");
                queue.dropped(run);
            }
            Err(error) => {
                let reason = self.engine.without_folders(&error.to_string());
                self.finish(run, RunOutcome::Failed(reason));
            }
        }
    }

    fn finish(&self, run: &Arc<Run>, outcome: RunOutcome) {
        let number = run.number;
        let (failed, finished) = match &outcome {
            RunOutcome::Exported(manifest) => {
                let finished = manifest.status == Status::Finished;
                tracing::info!(number, finished, "export ended");
                for finding in Partial::of(manifest).untold() {
                    tracing::warn!(number, "{}", finding.says);
                }
                (false, finished)
            }
            RunOutcome::Failed(error) => {
                tracing::error!(number, "export failed: {error}");
                (true, false)
            }
        };
        let (rows, bytes) = run.progress.totals();
        let timing = run.end(outcome);
        let seconds = Duration::from_millis(timing.elapsed_ms).as_secs_f64();
        self.metrics.export_ended(finished, seconds, rows, bytes);
        if failed && let Err(error) = self.queue.keep(run) {
            tracing::warn!("cannot write why export {number} failed: {error}");
        }
        run.keep(&timing);
        self.queue.ended(run);
    }
}

/// Runs an export. `index` is the file that says where the backup's files are in it, made by the first who looks.
fn export(engine: &Engine, run: &Run, index: &Path) -> Result<Manifest, ExportError> {
    let destination = Destination {
        store: run.store(),
        // What a server that was stopped or killed had finished is kept.
        begin: Begin::Resume,
        lock_wait: Duration::ZERO,
    };
    let request = ExportRequest {
        redaction: None,
        recipients: None,
        snapshot: engine.snapshot.clone(),
        open: OpenOptions {
            files_index: Some(index.to_owned()),
            temp_dir: engine.limits.temp_dir.clone(),
            pipe_silence: engine.pipe_silence,
            opening: Opening {
                interrupted: Arc::clone(&run.interrupted),
                ..Opening::default()
            },
            ..OpenOptions::of_databases(engine.kinds.routing())
        },
        kinds: engine
            .kinds
            .choices(&run.ids(Kind::Group), &run.ids(Kind::Project)),
        share: Share::default(),
        selection: Selection {
            relations: Relations::All,
            edition: engine.edition,
            files: true,
            ..Selection::default()
        },
        options: ExportOptions {
            batched: run.options.batched,
            batch_size: NonZeroU32::new(run.options.batch_size).unwrap_or(DEFAULT_BATCH_SIZE),
            batch_sizes: Default::default(),
            batch_bytes: None,
            gzip_level: engine.gzip_level,
            edition: engine.edition,
            keep_going: false,
            allow_missing: engine.allow_missing,
            strict: false,
        },
        limits: engine.limits.clone(),
        pool: Arc::clone(&engine.pool),
        gitlab_version: engine.gitlab_version.clone(),
        source_url: engine.source_url.clone(),
        job: None,
        judge: None,
        interrupted: Arc::clone(&run.interrupted),
    };
    if let Ok(now) = engine.snapshot.fingerprint()
        && now != engine.fingerprint
    {
        let reason =
            "the snapshot was written again since the server started: start the server again";
        return Err(ExportError::Plan(reason.to_owned()));
    }
    let mut report = run_export(&request, &destination, &mut Watch(&run.progress));
    // The folder is this run's own: what cannot be gone on with is in nobody's way.
    if let Err(error) = &report
        && error.policy() == Policy::BeginAnew
    {
        tracing::warn!("beginning anew: {error}");
        run.clear().map_err(ExportError::Write)?;
        report = run_export(&request, &destination, &mut Watch(&run.progress));
    }
    let report = report?;
    // What came between the last look and the end is no reason to throw the export away.
    run.interrupted.store(false, Ordering::Relaxed);
    Ok(report.manifest)
}

impl Engine {
    /// A message for others than the one who started the server: it names the snapshot without its folders, not at all where
    /// the server keeps its files, and gives no advice on options of the command line, which stands on lines of its own.
    fn without_folders(&self, message: &str) -> String {
        let name = self.snapshot.file_name().unwrap_or_default();
        let reason = message.lines().next().unwrap_or_default();
        let mut reason = reason.replace(&self.snapshot.shown(), &name);
        // Files are named by where the path that was given leads.
        let data = [fs::canonicalize(&self.data).ok(), Some(self.data.clone())];
        for path in data.into_iter().flatten() {
            reason = reason.replace(&*path.to_string_lossy(), "the data folder");
        }
        reason
    }
}
