//! Physical backups: a data folder, or a base backup of one, read through a private server on a copy of it.
//!
//! Only PostgreSQL itself can read a data folder. So its programs are looked for, the folder is copied to where only we can
//! look, and a server is started on the copy that nobody else can connect to and that reads from nobody. It is then
//! read like any other server. The original is never written to, and nothing stays behind.

mod control;
mod copy;
mod folder;
mod programs;
mod server;
mod settings;
mod work;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::snapshot::catalog::Catalog;
use crate::snapshot::codec::read_errors::io_error;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::event::Sink;
use crate::snapshot::facts::{Holdings, SnapshotFacts, TableSize};
use crate::snapshot::keyed::{Ending, KeyedSource, Query};
use crate::snapshot::kind::postgres::{Local, PostgresSource, Timeouts};
use crate::snapshot::opening::{Opening, OpeningStep};
use crate::snapshot::place::Patience;
use crate::snapshot::table_name::TableName;
use control::Control;
use copy::Listing;
use folder::DataFolder;
use server::{Answer, PrivateServer};
use work::{ServerUser, Work};

/// What a snapshot's name begins with where it is a data folder.
pub(crate) const SCHEME: &str = "pgdata:";

/// How often it is told how far the copying or the start is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How a data folder is read.
#[derive(Debug, Clone)]
pub struct PgdataOptions {
    /// Where the copy is made.
    pub temp_dir: PathBuf,
    /// Folder of PostgreSQL's programs, where they are not to be looked for.
    pub bindir: Option<PathBuf>,
    /// The database to read.
    pub database: Option<String>,
    /// Where no database is named, the one to read is that which holds this table.
    pub table: Option<TableName>,
    /// The folder is a copy that was made in one instant, even if it looks as if a server had run on it.
    pub is_atomic: bool,
    /// The longest time until the server is ready; `None` is for ever.
    pub start_timeout: Option<Duration>,
}

impl Default for PgdataOptions {
    fn default() -> Self {
        PgdataOptions {
            temp_dir: std::env::temp_dir(),
            bindir: None,
            database: None,
            table: None,
            is_atomic: false,
            start_timeout: Some(Duration::from_secs(60 * 60)),
        }
    }
}

/// A server that is there until one of those who know it ends it.
struct RunningServer(Mutex<Option<PrivateServer>>);

impl RunningServer {
    /// Stops the server, and waits until nothing is left of it.
    fn end(&self) {
        // A panic elsewhere leaves nothing half changed here.
        let mut server = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(server.take());
    }
}

/// Tells of steps now and then, and notices that it is time to end.
struct Watch<'a> {
    opening: &'a Opening,
    last: Instant,
}

impl Watch<'_> {
    fn pass(&mut self, step: OpeningStep) -> Result<(), SnapshotError> {
        if self.opening.interrupted.load(Ordering::Relaxed) {
            return Err(SnapshotError::Interrupted);
        }
        if self.last.elapsed() >= TELL_EVERY {
            self.last = Instant::now();
            self.opening.listener.tell(step);
        }
        Ok(())
    }
}

/// A data folder that is read through a server of its own.
pub(crate) struct PgdataSource {
    source: PostgresSource,
    /// Tables that the server emptied as it replayed the log.
    emptied: Vec<TableName>,
    // Behind those who are connected to it: they end first.
    server: EndsServer,
}

/// Ends a server when it is dropped.
struct EndsServer(Arc<RunningServer>);

impl Drop for EndsServer {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl PgdataSource {
    /// Copies the folder, and starts a server on the copy.
    ///
    /// # Errors
    /// The folder is no data folder or in use, the programs are missing, there is no room, the server does not start, or it is not
    /// clear which database is meant.
    pub(crate) fn open(
        path: &Path,
        options: &PgdataOptions,
        connections: usize,
        timeouts: Timeouts,
        opening: &Opening,
    ) -> Result<Self, SnapshotError> {
        let failed = |reason: String| SnapshotError::Unreachable {
            server: format!("{SCHEME}{}", path.display()),
            reason,
        };
        let mut watch = Watch {
            opening,
            last: Instant::now(),
        };
        let folder = DataFolder::examine(path, options.is_atomic)?;
        let bin = programs::find(folder.version, options.bindir.as_deref()).map_err(failed)?;
        tracing::info!("reading by the programs in {}", bin.display());
        let user = ServerUser::choose(folder.owner).map_err(failed)?;
        let work = make_work(&options.temp_dir, &user)?;
        let before = folder.control()?;
        copy(&folder, &work, &user, &mut watch)?;
        if folder.control()? != before {
            return Err(failed(
                "a server wrote to it while it was copied, so the copy is not of one instant"
                    .to_owned(),
            ));
        }
        let control = Control::read(&bin, &work.data(), &user).map_err(failed)?;
        control
            .check_log(&bin, &work.data(), &user)
            .map_err(failed)?;
        configure(&folder, &work, &user, connections, &control)
            .map_err(|error| io_error(work.path(), error))?;
        let server = PrivateServer::start(work, &bin, &user);
        let mut server =
            server.map_err(|error| failed(format!("no server can be started: {error}")))?;
        let begun = Instant::now();
        let mut told = || {
            watch.pass(OpeningStep::Starting {
                since: begun.elapsed(),
            })
        };
        let answer = server.wait(options.start_timeout, &mut told, &failed)?;
        tracing::info!("the private server is ready");
        let local = Local {
            folder: &server.work.sockets,
            user: &answer.role,
            options: session_options(folder.version),
            patience: Patience {
                silence: timeouts.silence,
                interrupted: Arc::clone(&opening.interrupted),
            },
        };
        let unless_interrupted = |reason| match opening.interrupted.load(Ordering::Relaxed) {
            true => SnapshotError::Interrupted,
            false => failed(reason),
        };
        let dbname = choose_database(&local, &answer, options).map_err(unless_interrupted)?;
        let source = local.open(&dbname, connections, timeouts);
        let source = source.map_err(unless_interrupted)?;
        // A base backup has no rows of them, and after a crash nobody knows which ones are whole.
        let emptied = match folder.needs_archive_recovery || !control.is_shut_down {
            true => source.unlogged().to_vec(),
            false => Vec::new(),
        };
        Ok(PgdataSource {
            source,
            emptied,
            server: EndsServer(Arc::new(RunningServer(Mutex::new(Some(server))))),
        })
    }

    /// Bytes of rows that have come.
    pub(crate) fn progress(&self) -> Arc<AtomicU64> {
        self.source.progress()
    }
}

fn make_work(temp_dir: &Path, user: &ServerUser) -> Result<Work, SnapshotError> {
    let unusable = |error: std::io::Error| {
        let reason = format!(
            "{error}; a private server cannot use this folder for its copy, name another one with --temp-dir"
        );
        io_error(temp_dir, std::io::Error::new(error.kind(), reason))
    };
    let work = Work::create(temp_dir, user).map_err(unusable)?;
    user.try_folder(work.path()).map_err(unusable)?;
    Ok(work)
}

fn copy(
    folder: &DataFolder,
    work: &Work,
    user: &ServerUser,
    watch: &mut Watch<'_>,
) -> Result<(), SnapshotError> {
    let listing = Listing::of(folder, work.path())?;
    let total = listing.bytes;
    listing.copy(work.path(), user, &mut |done| {
        watch.pass(OpeningStep::Copying { done, total })
    })
}

/// Writes the files that say how the server is to be.
fn configure(
    folder: &DataFolder,
    work: &Work,
    user: &ServerUser,
    connections: usize,
    control: &Control,
) -> std::io::Result<()> {
    let path = work.path();
    let text = settings::text(folder.version, path, &work.sockets, connections, control);
    user.write(&path.join("postgresql.conf"), &text)?;
    // Nobody else can come to the socket.
    user.write(&path.join("pg_hba.conf"), "local all all trust\n")?;
    user.write(&path.join("pg_ident.conf"), "")?;
    if folder.needs_archive_recovery {
        let (name, content) = settings::recovery_file(folder.version);
        user.write(&work.data().join(name), &content)?;
    }
    Ok(())
}

/// Settings of sessions, which a database or role could have others of.
fn session_options(version: u32) -> &'static str {
    match version {
        17.. => {
            "-c session_preload_libraries= -c local_preload_libraries= -c event_triggers=off \
             -c default_transaction_read_only=on"
        }
        _ => {
            "-c session_preload_libraries= -c local_preload_libraries= \
             -c default_transaction_read_only=on"
        }
    }
}

/// The database that is named, or else the only one that holds the table.
fn choose_database(
    local: &Local<'_>,
    answer: &Answer,
    options: &PgdataOptions,
) -> Result<String, String> {
    let all = answer.databases.join(", ");
    if let Some(name) = &options.database {
        return match answer.databases.contains(name) {
            true => Ok(name.clone()),
            false => Err(format!(
                "there is no database {name}; its databases are: {all}"
            )),
        };
    }
    let Some(table) = &options.table else {
        return match &*answer.databases {
            [only] => Ok(only.clone()),
            _ => Err(format!("name one of its databases by --pg-database: {all}")),
        };
    };
    let mut holders = Vec::new();
    let mut trouble = String::new();
    for name in &answer.databases {
        match local.has_table(name, table) {
            Ok(true) => holders.push(name.as_str()),
            Ok(false) => {}
            Err(reason) => trouble.push_str(&format!("\n  {name} cannot be looked into: {reason}")),
        }
    }
    match &*holders {
        [only] => Ok((*only).to_owned()),
        [] => Err(format!(
            "none of its databases holds a table {table}; name one of them by --pg-database, or the pipeline of its own by \
             --pipeline: {all}{trouble}"
        )),
        _ => Err(format!(
            "several of its databases hold a table {table}; name one of them by --pg-database: {}",
            holders.join(", ")
        )),
    }
}

impl KeyedSource for PgdataSource {
    fn catalog(&self) -> Arc<Catalog> {
        self.source.catalog()
    }

    /// When the server was started says nothing of when the data is from.
    fn facts(&self) -> SnapshotFacts {
        SnapshotFacts {
            taken_at: None,
            lsn: None,
            ..self.source.facts()
        }
    }

    fn holdings(&self) -> Holdings {
        Holdings {
            without_data: self.emptied.clone(),
            ..Holdings::default()
        }
    }

    fn connections(&self) -> usize {
        self.source.connections()
    }

    fn estimate(&self, table: &TableName) -> Option<TableSize> {
        self.source.estimate(table)
    }

    fn is_indexed(&self, table: &TableName, column: &str, known: &[&str]) -> bool {
        self.source.is_indexed(table, column, known)
    }

    fn read(&self, query: &Query<'_>, sink: Sink<'_>) -> Result<(), SnapshotError> {
        self.source.read(query, sink)
    }

    fn ending(&self) -> Option<Ending> {
        let server = Arc::clone(&self.server.0);
        Some(Ending::new(move || server.end()))
    }
}
