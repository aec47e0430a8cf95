//! The runs: points take turns, what they write is checked and taken away, what they took is kept.

mod whole;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::export::{
    BatchObserver, Expected, ExportError, ExportObserver, ExportRequest, Prepared, WORKER_STACK,
    prepare,
};
use crate::failure::{Cause, Failure, Policy};
use crate::memory;
use crate::output::{Contents, FolderStore, GzipLevel, Manifest, Status, now};
use crate::pipeline::{Edition, Pipeline};
use crate::resolve::{Choice, KindChoice, Relations};
use crate::temp_folder::TempFolder;

use super::content::{self, RelationContent};
use super::machine::{Machine, fingerprint};
use super::point::Point;
use super::recommend::recommend;
use super::result::{
    BenchOptions, BenchResult, PointResult, Run, RunScope, SnapshotFacts, VERSION, Written,
};

/// Files of an export beside those of its relations: the manifest and the metadata.
const OTHER_FILES: u64 = 2;

/// What is to be measured.
pub(crate) struct BenchRequest {
    /// The export; its options of the points and, if runs are processes, its pool are not used.
    pub export: ExportRequest,
    pub points: Vec<Point>,
    /// Runs of each point.
    pub runs: u32,
    /// Runs of each point before those, which do not count.
    pub warmup: u32,
    pub from: RunScope,
    /// The folder below which exports are written and taken away again.
    pub work: PathBuf,
    /// This program.
    pub program: PathBuf,
    /// Its arguments for the export, without those of a point.
    pub arguments: Vec<OsString>,
}

/// Told how far a bench is.
pub(crate) trait BenchObserver: ExportObserver {
    /// A run begins: how many are behind, of how many, and which point it is.
    fn run(&mut self, behind: u64, of: u64, point: &Point);
}

/// A bench that has ended.
pub(crate) struct Bench {
    pub result: BenchResult,
    /// Why it ended before all runs were made.
    pub stopped: Option<BenchError>,
}

/// Why a bench ends early, or gives nothing at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("cannot use the folder {path}: {source}\n  name another one with --out or --temp-dir")]
    Work { path: String, source: io::Error },
    /// A run in a process of its own failed.
    #[error("a run of {point} failed: {message}")]
    Process {
        point: Point,
        /// Its exit code; none where a signal ended it.
        code: Option<i32>,
        message: String,
    },
    #[error(
        "relation {relation} of {entity} cannot be exported: {error}\n  leave it out with --relations"
    )]
    Relation {
        entity: String,
        relation: String,
        error: String,
    },
    #[error(
        "the records of relation {relation} of {entity} are not those of the first run: {point} wrote others"
    )]
    OtherRecords {
        point: Point,
        entity: String,
        relation: String,
    },
    #[error("the files of {point} are not those of its first run")]
    OtherFiles { point: Point },
    #[error("cannot measure: {0}")]
    System(io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl Failure for BenchError {
    fn policy(&self) -> Policy {
        let cause = match self {
            BenchError::Export(error) => return error.policy(),
            BenchError::Process { code, .. } => match code {
                // As the program itself exits.
                Some(2) => Cause::Request,
                Some(3) => Cause::Snapshot,
                Some(11) => Cause::AnotherRun,
                Some(75) => Cause::TryAgain,
                Some(130) => Cause::Interruption,
                Some(_) | None => Cause::Machine,
            },
            BenchError::Relation { .. }
            | BenchError::OtherRecords { .. }
            | BenchError::OtherFiles { .. } => Cause::Finding,
            BenchError::Work { .. } | BenchError::System(_) => Cause::Machine,
            BenchError::Interrupted => Cause::Interruption,
        };
        Policy::EndRun(cause)
    }
}

/// A point, and what is known of it so far.
struct Measured {
    point: Point,
    runs: Vec<Run>,
    /// What it writes, and the checksums of the files: those of its first run, warm-up included.
    written: Option<(Written, Vec<String>)>,
}

/// Runs a bench.
///
/// # Errors
/// Where not even one run was made; a bench that ends later gives what was measured until then.
pub(crate) fn run(
    request: BenchRequest,
    observer: &mut dyn BenchObserver,
) -> Result<Bench, BenchError> {
    let started_at = now();
    let work = WorkFolder::create(&request.work)?;
    let mut runner = Runner::new(request, work, observer)?;
    let mut stopped = runner.rounds().err();
    let Runner {
        request,
        prepared,
        measured,
        content,
        snapshot,
        ..
    } = runner;
    let points: Vec<PointResult> = measured
        .into_iter()
        .filter_map(|measured| PointResult::of(measured.point, measured.written?.0, measured.runs))
        .collect();
    if points.is_empty()
        && let Some(error) = stopped.take()
    {
        return Err(error);
    }
    Ok(Bench {
        result: BenchResult {
            bench_version: VERSION,
            generator: concat!("relexport ", env!("CARGO_PKG_VERSION")).to_owned(),
            started_at,
            finished_at: now(),
            machine: Machine::present(),
            snapshot,
            options: options(&request),
            finding: prepared.as_ref().map(Prepared::times),
            stopped: stopped.as_ref().map(ToString::to_string),
            recommendation: recommend(&points),
            content: content.unwrap_or_default(),
            points,
        },
        stopped,
    })
}

fn options(request: &BenchRequest) -> BenchOptions {
    let export = &request.export;
    let kinds = || export.kinds.iter().filter(|kind| !kind.choice.is_nobody());
    let all =
        |of: fn(&Pipeline) -> &str| kinds().map(|kind| of(&kind.pipeline)).collect::<Vec<_>>();
    let is_inner = |kind: &&KindChoice| kind.pipeline.entity.within.is_some();
    let names = |is_wanted: &dyn Fn(&&KindChoice) -> bool| {
        let kinds = kinds().filter(|kind| is_wanted(kind));
        kinds
            .flat_map(|kind| kind.choice.names().to_vec())
            .collect()
    };
    let has = |is_meant: fn(&Choice) -> bool| kinds().any(|kind| is_meant(&kind.choice));
    BenchOptions {
        pipeline: all(|pipeline| &pipeline.name).join(", "),
        pipeline_sha256: all(|pipeline| &pipeline.sha256).join(", "),
        groups: names(&|kind| !is_inner(kind)),
        subgroups: has(|choice| {
            matches!(
                choice,
                Choice::Named {
                    descendants: true,
                    ..
                }
            )
        }),
        projects: names(&is_inner),
        with_projects: has(|choice| matches!(choice, Choice::Within { .. })),
        relations: match &export.selection.relations {
            Relations::All => Vec::new(),
            Relations::Only(names) => names.clone(),
        },
        edition: match export.selection.edition {
            Edition::Ce => "ce".to_owned(),
            Edition::Ee => "ee".to_owned(),
        },
        from: request.from,
        runs: request.runs,
        warmup: request.warmup,
        memory_limit_bytes: export.limits.memory as u64,
    }
}

/// How the names of work folders begin.
const WORK: &str = ".relexport-bench-";

/// A folder that is gone with its content when this is.
struct WorkFolder(TempFolder);

impl WorkFolder {
    fn create(parent: &Path) -> Result<WorkFolder, BenchError> {
        TempFolder::create(parent, WORK)
            .map(WorkFolder)
            .map_err(|source| BenchError::Work {
                path: parent.display().to_string(),
                source,
            })
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(self.path()) {
            tracing::warn!("cannot take away {}: {error}", self.path().display());
        }
    }
}

struct Runner<'a> {
    request: BenchRequest,
    work: WorkFolder,
    observer: &'a mut dyn BenchObserver,
    /// The rows, where they are found once.
    prepared: Option<Prepared>,
    /// Pools by number of threads, where runs are made in this process.
    pools: Vec<(u16, Arc<ThreadPool>)>,
    measured: Vec<Measured>,
    content: Option<Vec<RelationContent>>,
    snapshot: SnapshotFacts,
}

impl<'a> Runner<'a> {
    fn new(
        request: BenchRequest,
        work: WorkFolder,
        observer: &'a mut dyn BenchObserver,
    ) -> Result<Self, BenchError> {
        let spec = &request.export.snapshot;
        let fingerprint = fingerprint(spec).map_err(BenchError::System)?;
        let prepared = match request.from {
            RunScope::Resolved => Some(prepare(&request.export, observer)?),
            RunScope::Snapshot => None,
        };
        let entry = prepared.as_ref().map(Prepared::snapshot);
        let snapshot = SnapshotFacts {
            // Where runs are processes, the first one's manifest says it.
            kind: entry
                .as_ref()
                .map(|entry| entry.kind.clone())
                .unwrap_or_default(),
            source: entry
                .as_ref()
                .map(|entry| entry.source.clone())
                .unwrap_or_default(),
            server_version: entry
                .as_ref()
                .and_then(|entry| entry.server_version.clone()),
            gitlab_version: entry.and_then(|entry| entry.gitlab_version),
            size_bytes: fingerprint.as_ref().map(|(size, _)| *size),
            fingerprint: fingerprint.map(|(_, sha256)| sha256),
        };
        let measured = request.points.iter().map(|point| Measured {
            point: *point,
            runs: Vec::new(),
            written: None,
        });
        Ok(Runner {
            measured: measured.collect(),
            request,
            work,
            observer,
            prepared,
            pools: Vec::new(),
            content: None,
            snapshot,
        })
    }

    /// All rounds: in each, every point has a run. Who begins changes, so that no point always follows the same one.
    fn rounds(&mut self) -> Result<(), BenchError> {
        let count = self.measured.len();
        let (warmup, runs) = (self.request.warmup as usize, self.request.runs as usize);
        let all = ((warmup + runs) * count) as u64;
        for round in 0..warmup + runs {
            for turn in 0..count {
                let index = (turn + round) % count;
                let point = self.measured[index].point;
                let behind = (round * count + turn) as u64;
                self.observer.run(behind, all, &point);
                let run = self.turn(index)?;
                if round >= warmup {
                    self.measured[index].runs.push(run);
                }
            }
        }
        Ok(())
    }

    /// One run of a point.
    fn turn(&mut self, index: usize) -> Result<Run, BenchError> {
        let point = self.measured[index].point;
        let out = self.work.path().join("out");
        let (manifest, peak_memory_bytes) = match self.request.from {
            RunScope::Resolved => self.write(&point, &out)?,
            RunScope::Snapshot => whole::export(&self.request, &point, &out)?,
        };
        self.check(index, &manifest, &FolderStore::new(&out))?;
        if self.snapshot.kind.is_empty() {
            self.snapshot.kind = manifest.snapshot.kind;
            self.snapshot.source = manifest.snapshot.source;
            self.snapshot.server_version = manifest.snapshot.server_version;
            self.snapshot.gitlab_version = manifest.snapshot.gitlab_version;
        }
        let removed = fs::remove_dir_all(&out);
        removed.map_err(|source| BenchError::Work {
            path: out.display().to_string(),
            source,
        })?;
        Ok(Run {
            // Every manifest of a run that has ended has them.
            timings: manifest.timings.unwrap_or_default(),
            peak_memory_bytes,
        })
    }

    /// Writes the rows that were found, in this process.
    fn write(&mut self, point: &Point, out: &Path) -> Result<(Manifest, Option<u64>), BenchError> {
        let pool = self.pool(point.threads)?;
        let export = &mut self.request.export;
        export.pool = pool;
        export.options.batched = point.batched;
        export.options.batch_size = point.batch_size;
        export.options.gzip_level = GzipLevel::new(point.gzip_level).unwrap_or_default();
        let is_reset = memory::reset_peak();
        let written = match &self.prepared {
            Some(prepared) => prepared.write(export, &FolderStore::new(out), &mut Silent),
            None => return Err(BenchError::System(io::Error::other("no rows were found"))),
        };
        let peak = memory::peak().filter(|_| is_reset);
        match written {
            Ok(manifest) => Ok((manifest, peak)),
            Err(ExportError::Interrupted) => Err(BenchError::Interrupted),
            Err(error) => Err(error.into()),
        }
    }

    fn pool(&mut self, threads: u16) -> Result<Arc<ThreadPool>, BenchError> {
        if let Some((_, pool)) = self.pools.iter().find(|(count, _)| *count == threads) {
            return Ok(Arc::clone(pool));
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(usize::from(threads))
            .stack_size(WORKER_STACK)
            .thread_name(|index| format!("worker-{index}"))
            .build()
            .map_err(|error| BenchError::System(io::Error::other(error)))?;
        let pool = Arc::new(pool);
        self.pools.push((threads, Arc::clone(&pool)));
        Ok(pool)
    }

    /// The first run of a point must have written the records of all others; its other runs the same files.
    fn check(
        &mut self,
        index: usize,
        manifest: &Manifest,
        store: &FolderStore,
    ) -> Result<(), BenchError> {
        let relations = || {
            let entities = manifest.entities.iter();
            entities.flat_map(|entity| entity.relations.iter().map(move |entry| (entity, entry)))
        };
        if let Some((entity, entry)) =
            relations().find(|(_, entry)| entry.status != Status::Finished)
        {
            return Err(BenchError::Relation {
                entity: entity.prefix.clone(),
                relation: entry.relation.clone(),
                error: entry.error.clone().unwrap_or_default(),
            });
        }
        let point = self.measured[index].point;
        let checksums: Vec<String> = relations()
            .flat_map(|(_, entry)| entry.files().map(|file| file.sha256.clone()))
            .collect();
        if let Some((_, first)) = &self.measured[index].written {
            return match *first == checksums {
                true => Ok(()),
                false => Err(BenchError::OtherFiles { point }),
            };
        }
        let content =
            content::read(store, manifest, &self.request.export.kinds).map_err(|source| {
                BenchError::Work {
                    path: store.shown(""),
                    source,
                }
            })?;
        let written = Written {
            records: content.iter().map(|relation| relation.records).sum(),
            ndjson_bytes: content.iter().map(|relation| relation.bytes).sum(),
            bytes: relations()
                .flat_map(|(_, entry)| entry.files().map(|file| file.bytes))
                .sum(),
            files: checksums.len() as u64 + OTHER_FILES,
        };
        self.measured[index].written = Some((written, checksums));
        let first = self.content.get_or_insert_with(|| content.clone());
        match content::first_difference(first, &content) {
            None => Ok(()),
            Some(differs) => Err(BenchError::OtherRecords {
                point,
                entity: differs.entity.clone(),
                relation: differs.relation.clone(),
            }),
        }
    }
}

/// The manifest that a run left.
fn read_manifest(out: &Path) -> Result<Manifest, BenchError> {
    FolderStore::new(out)
        .manifest()
        .map_err(|error| BenchError::System(io::Error::other(error)))
}

/// Watches runs that are measured: it costs nothing.
struct Silent;

impl ExportObserver for Silent {
    fn reading(&mut self, _size: Option<u64>, _read: Arc<AtomicU64>) {}
    fn table(&mut self, _name: &str) {}
    fn writing(&mut self, _expected: Expected) {}
}

impl BatchObserver for Silent {
    fn relation(&mut self, _entity: usize, _relation: &str, _rows: u64) {}
    fn rendered(&mut self, _entity: usize, _relation: &str, _rows: u64, _bytes: u64) {}
}

/// True where a signal has asked the bench to end.
fn is_interrupted(request: &BenchRequest) -> bool {
    request.export.interrupted.load(Ordering::Relaxed)
}
