//! Exports that faults happen to: from every kind of snapshot, in one file a relation and in batches.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::damage::{Judge, Kind};
use crate::judge::Undisturbed;
use crate::support::live::fixture;
use crate::support::server::{Database, Server, ok};
use crate::support::*;

/// Where rows come from.
pub(crate) enum Source {
    Path(PathBuf),
    /// Standard input, which cannot be read a second time.
    Input(Vec<u8>),
    Server(String),
}

/// An export of one snapshot with some options.
pub(crate) struct Scenario {
    pub name: String,
    make: Box<dyn Fn() -> Source + Send + Sync>,
    source: OnceLock<Source>,
    options: Vec<String>,
    undisturbed: OnceLock<(Undisturbed, Duration)>,
}

impl Scenario {
    /// The snapshot is made when it is needed.
    pub(crate) fn new(
        name: &str,
        options: &str,
        make: impl Fn() -> Source + Send + Sync + 'static,
    ) -> Scenario {
        Scenario {
            name: name.to_owned(),
            make: Box::new(make),
            source: OnceLock::new(),
            options: options.split_whitespace().map(str::to_owned).collect(),
            undisturbed: OnceLock::new(),
        }
    }

    /// An export of the fixture as a plain dump.
    pub(crate) fn of_dump(options: &str) -> Scenario {
        Scenario::new("plain SQL", options, || Source::Path(project(DUMP)))
    }

    pub(crate) fn source(&self) -> &Source {
        self.source.get_or_init(&self.make)
    }

    /// The export into the folder `out` of a folder, with temp files in `temp`.
    pub(crate) fn export(&self, dir: &Dir) -> Program {
        self.export_to(dir, dir.join("out"))
    }

    pub(crate) fn export_to(&self, dir: &Dir, out: impl Into<PathBuf>) -> Program {
        let program = match self.source() {
            Source::Path(path) => dir.export_to(path, out),
            Source::Input(bytes) => dir.export_to("-", out).input(bytes),
            Source::Server(address) => dir.export_to(address, out),
        };
        self.with_options(program, dir)
    }

    /// The same export of another snapshot.
    pub(crate) fn export_of(&self, dir: &Dir, snapshot: impl AsRef<OsStr>) -> Program {
        self.with_options(dir.export(snapshot), dir)
    }

    fn with_options(&self, program: Program, dir: &Dir) -> Program {
        let temp = dir.join("temp");
        fs::create_dir_all(&temp).unwrap();
        program
            .args(&self.options)
            .args(["--threads", "2"])
            .option("--temp-dir", temp)
    }

    /// What makes a run go on with one that was cut off: what cannot be read a second time is begun anew.
    pub(crate) fn again(&self) -> &'static str {
        match self.source() {
            Source::Path(_) => "--resume",
            Source::Input(_) | Source::Server(_) => "--force",
        }
    }

    /// The export that nothing happens to.
    pub(crate) fn undisturbed(&self) -> &Undisturbed {
        &self.measured().0
    }

    /// How long it takes.
    pub(crate) fn duration(&self) -> Duration {
        self.measured().1
    }

    fn measured(&self) -> &(Undisturbed, Duration) {
        self.undisturbed.get_or_init(|| {
            let dir = Dir::new();
            // Once to warm up.
            self.export_to(&dir, dir.join("warm")).ok();
            let begun = Instant::now();
            let run = self.export(&dir).ok();
            (Undisturbed::of(&run.out), begun.elapsed())
        })
    }
}

/// How dump programs pack.
#[derive(Clone, Copy)]
pub(crate) enum Packed {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
    Lz4,
}

impl Packed {
    pub(crate) fn pack(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Packed::Gzip => {
                let level = flate2::Compression::new(6);
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packed::Zstd => {
                // With a checksum, as the program zstd writes it.
                let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
                encoder.include_checksum(true).unwrap();
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packed::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packed::Bzip2 => {
                let mut encoder =
                    bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packed::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
        }
    }
}

const ALL: &str = "--all-groups";
const BATCHED: &str = "--all-groups --batched --batch-size 1";
const PROJECTS_OF: &str = "--group acme --subgroups --with-projects";

/// An export of the fixture in every kind of snapshot; `dir` is where snapshots are made.
pub(crate) fn scenarios(dir: &Arc<Dir>) -> Vec<Scenario> {
    let written = |name: &'static str, bytes: fn() -> Vec<u8>| {
        let dir = Arc::clone(dir);
        move || Source::Path(dir.write(name, bytes()))
    };
    let of_project = |path: &'static str| move || Source::Path(project(path));
    let (backup, taken, directory) = (Arc::clone(dir), Arc::clone(dir), Arc::clone(dir));
    vec![
        Scenario::new("plain SQL", ALL, of_project(DUMP)),
        Scenario::new("plain SQL, batched", BATCHED, of_project(DUMP)),
        Scenario::new(
            "gzip",
            ALL,
            written("dump.sql.gz", || Packed::Gzip.pack(dump().as_bytes())),
        ),
        Scenario::new(
            "zstd, batched",
            BATCHED,
            written("dump.sql.zst", || Packed::Zstd.pack(dump().as_bytes())),
        ),
        Scenario::new("standard input", ALL, || Source::Input(dump().into_bytes())),
        Scenario::new("CSV", ALL, of_project(CSV)),
        Scenario::new("CSV, batched", BATCHED, of_project(CSV)),
        Scenario::new("backup", ALL, of_project(BACKUP)),
        Scenario::new("folder of a backup", ALL, move || {
            let folder = backup.join("backup");
            tar::Archive::new(fs::File::open(project(BACKUP)).unwrap())
                .unpack(&folder)
                .unwrap();
            Source::Path(folder)
        }),
        Scenario::new(
            "projects and files of a backup",
            PROJECTS_OF,
            of_project(PROJECTS_BACKUP),
        ),
        Scenario::new("taken snapshot", ALL, move || {
            let folder = taken.join("taken");
            taken
                .relexport("--quiet snapshot take")
                .option("--from", project(DUMP))
                .option("--out", &folder)
                .ok();
            Source::Path(folder)
        }),
        Scenario::new(
            "INSERT statements",
            ALL,
            written("inserts.sql", || database().dump(&["--inserts"])),
        ),
        Scenario::new(
            "pg_dump -Fc",
            ALL,
            written("dump.custom", || database().dump(&["-Fc"])),
        ),
        Scenario::new("pg_dump -Fd, batched", BATCHED, move || {
            let folder = directory.join("directory");
            let mut pg_dump = database().server.program("pg_dump");
            let pg_dump = pg_dump.args(["-Fd", "-d", &database().name, "-f"]);
            ok(pg_dump.arg(&folder));
            Source::Path(folder)
        }),
        Scenario::new(
            "pg_dump -Ft",
            ALL,
            written("dump.tar", || database().dump(&["-Ft"])),
        ),
        Scenario::new("server", ALL, || Source::Server(database().address())),
    ]
}

/// Exports of few files, whose calls can all be made to fail one after the other.
pub(crate) fn of_faults(dir: &Arc<Dir>) -> Vec<Scenario> {
    let of_project = |path: &'static str| move || Source::Path(project(path));
    let custom = Arc::clone(dir);
    vec![
        Scenario::of_dump("--group 4351"),
        Scenario::new(
            "CSV, batched, rows in temp files",
            "--group 4351 --batched --batch-size 3 --memory-limit 0",
            of_project(CSV),
        ),
        Scenario::new(
            "pg_dump -Fc",
            "--group acme/platform --relation labels",
            move || Source::Path(custom.write("dump.custom", database().dump(&["-Fc"]))),
        ),
        Scenario::new(
            "a project and files of a backup",
            "--project 71",
            of_project(PROJECTS_BACKUP),
        ),
    ]
}

/// Exports that limits of the machine are held against.
pub(crate) fn of_limits(dir: &Arc<Dir>) -> Vec<Scenario> {
    let mut scenarios = scenarios(dir);
    let names = [
        "plain SQL, batched",
        "CSV",
        "projects and files of a backup",
    ];
    scenarios.retain(|scenario| names.contains(&scenario.name.as_str()));
    scenarios
}

/// Snapshots whose bytes may be damaged, and who can say what is left of them.
pub(crate) fn damageable(dir: &Arc<Dir>) -> Vec<Kind> {
    let judges = [
        ("plain SQL", Judge::Psql),
        ("INSERT statements", Judge::Psql),
        ("gzip", Judge::Checksums),
        ("zstd, batched", Judge::Checksums),
        ("CSV", Judge::Copy),
        ("backup", Judge::Checksums),
        ("folder of a backup", Judge::Checksums),
        ("taken snapshot", Judge::Checksums),
        ("pg_dump -Fc", Judge::PgRestore),
        ("pg_dump -Fd, batched", Judge::PgRestore),
        ("pg_dump -Ft", Judge::PgRestore),
    ];
    let kinds = scenarios(dir).into_iter().filter_map(|scenario| {
        let (_, judge) = judges.iter().find(|(name, _)| *name == scenario.name)?;
        Some(Kind {
            scenario,
            judge: *judge,
        })
    });
    kinds.collect()
}

/// Exports that go to a bucket.
pub(crate) fn of_buckets(dir: &Arc<Dir>) -> Vec<Scenario> {
    let mut scenarios = scenarios(dir);
    let names = ["plain SQL", "CSV, batched"];
    scenarios.retain(|scenario| names.contains(&scenario.name.as_str()));
    scenarios
}

/// An export of a live server.
pub(crate) fn of_server() -> Scenario {
    Scenario::new("server", ALL, || Source::Server(database().address()))
}

/// A database of a real server with the fixture; it stays until the process ends.
pub(crate) fn database() -> &'static Database<'static> {
    static DATABASE: OnceLock<Database<'static>> = OnceLock::new();
    DATABASE.get_or_init(|| fixture(Server::shared()))
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for name in files_below(from) {
        let to = to.join(&name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from.join(&name), to).unwrap();
    }
}
