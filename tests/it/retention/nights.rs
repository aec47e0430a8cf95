//! Thirty nights of a job, by the real program under libfaketime: the clock and the dump change from night to night, one
//! night fails, one brings too little, and one finds another run at work. What is left is exactly what the rules give, on
//! a folder and in a bucket.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::shelf::TestShelf;
use crate::bucket::servers::{Server, s3s, with_s3};
use crate::bucket::shelf as in_bucket;
use crate::support::*;

/// What lies on the shelf after the last night, by hand from a calendar: November 1, 2026 is a Sunday.
///
/// - keep-daily 7: 30, 29, 28, 27, 26, 25, 24;
/// - keep-weekly 4: 30 (Monday), 29, 22, and of the week before the 14th, because the 15th does not count;
/// - keep-monthly 2: 30, and while there is no second month, the oldest, the 1st;
/// - the 15th, which is suspect: it is not counted, and not removed.
const LEFT: [&str; 12] = [
    "2026-11-01",
    "2026-11-14",
    "2026-11-15",
    "2026-11-22",
    "2026-11-24",
    "2026-11-25",
    "2026-11-26",
    "2026-11-27",
    "2026-11-28",
    "2026-11-29",
    "2026-11-30",
    "latest",
];

/// The nights on which something goes wrong.
const FAILING: u32 = 10;
const SHRINKING: u32 = 15;
const OVERLAPPING: u32 = 20;

struct Nights {
    shelf: TestShelf,
    /// Where the exports lie, if not on the shelf.
    server: Option<Server>,
}

impl Nights {
    fn new(server: Option<Server>) -> Nights {
        let nights = Nights {
            shelf: TestShelf::new(),
            server,
        };
        let destination = match nights.server {
            Some(_) => "s3://nightly/gitlab/{job}".to_owned(),
            None => format!("{}/{{date}}", nights.shelf.root().display()),
        };
        let path = |name: &str| nights.shelf.beside(name);
        for folder in ["state", "locks"] {
            fs::create_dir(path(folder)).unwrap();
        }
        let text = format!(
            "state-dir = {state:?}\nlock-dir = {locks:?}\n\n\
             [job.acme]\nsnapshot = {dump:?}\ngroup = [4351]\nrelation = [\"badges\", \"self\"]\n\
             destination = {destination:?}\n\
             keep-daily = 7\nkeep-weekly = 4\nkeep-monthly = 2\n\n\
             [job.acme.guard]\nmax-shrink = [\"badges=50%\"]\n",
            state = path("state"),
            locks = path("locks"),
            dump = path("dump.sql"),
        );
        fs::write(path("relexport.toml"), text).unwrap();
        nights
    }

    /// Runs the job at two in the night of a day of November.
    fn run(&mut self, day: u32) -> Run {
        let at = format!("@2026-11-{day:02} 02:00:00");
        self.server = self.server.take().map(|server| server.started_at(&at));
        let config = self.shelf.beside("relexport.toml");
        self.at(&at, &format!("run --config {}", config.display()))
            .run()
    }

    /// A program that is started at a time.
    fn at(&self, at: &str, arguments: &str) -> Program {
        let program = relexport(arguments);
        let program = match &self.server {
            None => program,
            Some(server) => with_s3(program, server.port),
        };
        let faked = faked_time(at).expect("libfaketime is there (fixtures/install-tools)");
        let with = |program: Program, (name, value)| program.env(name, value);
        faked.into_iter().fold(program.env("TZ", "UTC"), with)
    }

    fn write_dump(&self, text: &str) {
        fs::write(self.shelf.beside("dump.sql"), text).unwrap();
    }

    /// The day that `latest` leads to.
    fn latest(&self) -> String {
        match &self.server {
            None => {
                let link = fs::read_link(self.shelf.path("latest")).unwrap();
                link.to_str().unwrap().to_owned()
            }
            Some(server) => {
                let object = fs::read(in_bucket::root(server).join("latest.json")).unwrap();
                let latest: serde_json::Value = serde_json::from_slice(&object).unwrap();
                day(latest["export"].as_str().unwrap()).to_owned()
            }
        }
    }

    /// What lies there: exports by their days.
    fn names(&self) -> Vec<String> {
        match &self.server {
            None => self.shelf.names(),
            Some(server) => {
                let names = in_bucket::names(server).into_iter();
                names.map(|name| day(&name).to_owned()).collect()
            }
        }
    }

    /// The export of a day, as a path and as the program is told it.
    fn export(&self, of: &str) -> (PathBuf, String) {
        match &self.server {
            None => {
                let path = self.shelf.path(of);
                let shown = path.display().to_string();
                (path, shown)
            }
            Some(server) => {
                let names = in_bucket::names(server);
                let name = names.iter().find(|name| day(name) == of).unwrap();
                let path = in_bucket::root(server).join(name);
                (path, format!("s3://nightly/gitlab/acme/{name}"))
            }
        }
    }
}

/// The day in the name of an export in a bucket; any other name without its ending.
fn day(name: &str) -> &str {
    match name.split_once("_02-00-") {
        Some((day, _)) => day,
        None => name.strip_suffix(".json").unwrap_or(name),
    }
}

#[test]
fn thirty_nights_leave_exactly_what_the_rules_give() {
    thirty_nights(|| None);
}

#[test]
fn thirty_nights_in_a_bucket_leave_exactly_what_the_rules_give() {
    thirty_nights(|| Some(s3s()));
}

fn thirty_nights(server: impl FnOnce() -> Option<Server>) {
    let mut nights = Nights::new(server());
    let whole = dump();
    let few = edit_rows(&whole, "badges", |_| String::new());
    // What is somebody else's, and a link: both stay as they are.
    let foreign: &[&str] = match &nights.server {
        None => {
            fs::create_dir(nights.shelf.path("photos")).unwrap();
            symlink("photos", nights.shelf.path("link")).unwrap();
            &["link", "photos"]
        }
        Some(server) => {
            let photos = in_bucket::root(server).join("photos");
            fs::create_dir_all(&photos).unwrap();
            fs::write(photos.join("cat.jpg"), "meow").unwrap();
            &["photos"]
        }
    };
    for day in 1..=30 {
        let text = if day == SHRINKING { &few } else { &whole };
        nights.write_dump(&format!("{text}\n-- of night {day}\n"));
        let before = (nights.names(), day);
        let lock = nights.shelf.beside("locks").join("acme.lock");
        match day {
            FAILING => {
                fs::remove_file(nights.shelf.beside("dump.sql")).unwrap();
                let run = nights.run(day);
                assert_eq!(run.code, Some(3), "{}", run.stderr);
                assert_eq!(nights.names(), before.0, "a failed night removes nothing");
                assert_eq!(nights.latest(), "2026-11-09");
            }
            SHRINKING => {
                let run = nights.run(day);
                assert_eq!(run.code, Some(1), "{}", run.stderr);
                let mut expected = before.0;
                expected.push("2026-11-15".to_owned());
                expected.sort();
                assert_eq!(nights.names(), expected, "a suspect night removes nothing");
                assert_eq!(nights.latest(), "2026-11-14");
            }
            OVERLAPPING => {
                fs::write(&lock, "").unwrap();
                let _held = Held::new(&lock);
                let run = nights.run(day);
                assert_eq!(run.code, Some(11), "{}", run.stderr);
                assert_eq!(nights.names(), before.0);
            }
            _ => {
                let run = nights.run(day);
                assert_eq!(run.code, Some(0), "night {day}: {}", run.stderr);
                assert_eq!(nights.latest(), format!("2026-11-{day:02}"));
            }
        }
    }
    let mut expected: Vec<&str> = LEFT.to_vec();
    expected.extend(foreign);
    expected.sort_unstable();
    assert_eq!(nights.names(), expected);
    for name in LEFT.into_iter().filter(|name| *name != "latest") {
        let (path, shown) = nights.export(name);
        let export = ExportFolder::new(path);
        let is_suspect = export.manifest().get("suspect").is_some();
        assert_eq!(is_suspect, name == "2026-11-15", "{name}");
        let verify = format!("verify {shown}");
        nights.at("@2026-11-30 02:01:00", &verify).ok();
    }
}
