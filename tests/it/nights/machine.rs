//! A machine that runs jobs at night: its configuration, dumps, exports, and what is left of the runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::*;

/// A folder with everything of a machine that runs jobs.
pub(super) struct Machine {
    pub dir: Dir,
}

impl Machine {
    /// A machine whose configuration is this, after the folders of its own. `@` stands for the machine's folder.
    pub(super) fn new(config: &str) -> Machine {
        let machine = Machine { dir: Dir::new() };
        for folder in ["metrics", "dumps"] {
            fs::create_dir(machine.dir.join(folder)).unwrap();
        }
        machine.dump("today.sql", &dump());
        machine.configure(config);
        machine
    }

    /// Replaces the configuration.
    pub(super) fn configure(&self, config: &str) {
        let folders =
            "state-dir = \"@/state\"\nlock-dir = \"@/locks\"\nmetrics-dir = \"@/metrics\"\n";
        let text = format!("{folders}\n{config}").replace('@', self.dir.path().to_str().unwrap());
        self.dir.write("relexport.toml", text);
    }

    pub(super) fn dump(&self, name: &str, text: &str) -> PathBuf {
        self.dir.write(&format!("dumps/{name}"), text)
    }

    /// `relexport run`, with these arguments behind the configuration.
    pub(super) fn run(&self, arguments: &str) -> Program {
        self.command("run", arguments)
    }

    /// `relexport jobs --json` of a run that ends with this code: what it says of each job.
    pub(super) fn jobs(&self, code: i32) -> Value {
        let run = self.command("jobs", "--json").run();
        assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
        run.json()
    }

    pub(super) fn command(&self, command: &str, arguments: &str) -> Program {
        let config = self.dir.join("relexport.toml");
        self.dir
            .relexport(command)
            .option("--config", config)
            .args(arguments.split_whitespace())
    }

    /// The names of the exports of a job that lie on its shelf, the oldest first, without `latest`.
    pub(super) fn exports(&self, job: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.shelf(job)) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("20")).collect();
        names.sort();
        names
    }

    /// The name that `latest` leads to.
    pub(super) fn latest(&self, job: &str) -> Option<String> {
        let link = fs::read_link(self.shelf(job).join("latest")).ok()?;
        Some(link.to_str().unwrap().to_owned())
    }

    pub(super) fn manifest(&self, job: &str, name: &str) -> Value {
        let path = self.shelf(job).join(name).join("manifest.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    fn shelf(&self, job: &str) -> PathBuf {
        self.dir.join("exports").join(job)
    }

    pub(super) fn metrics(&self, job: &str) -> String {
        let path = self
            .dir
            .join("metrics")
            .join(format!("relexport_{job}.prom"));
        super::metrics::assert_promtool_accepts(&path);
        fs::read_to_string(path).unwrap()
    }

    /// What a hook of [`noting`] wrote down.
    pub(super) fn noted(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.dir.join(name)).ok()
    }
}

/// A job that exports group 4351 of today's dump, and what more its table says.
pub(super) fn job(name: &str, more: &str) -> String {
    format!(
        "[job.{name}]\nsnapshot = \"@/dumps/today.sql\"\ngroup = [\"4351\"]\n\
         destination = \"@/exports/{{job}}/{{date}}_{{time}}\"\n{more}\n"
    )
}

/// A hook that writes down what it is told of the run, in a file of the machine's folder.
pub(super) fn noting(file: &str) -> String {
    let facts = [
        "JOB",
        "STATUS",
        "EXIT_STATUS",
        "OUT",
        "MANIFEST",
        "ERROR",
        "RUN_ID",
    ];
    let facts = facts
        .map(|fact| format!("\\\"$RELEXPORT_{fact}\\\""))
        .join(" ");
    format!("[\"sh\", \"-c\", \"printf '%s|' {facts} > @/{file}\"]")
}

/// The JSON lines of a run.
pub(super) fn lines(run: &Run) -> Vec<Value> {
    let lines = run.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Those of one type, about one job.
pub(super) fn of_type<'l>(lines: &'l [Value], kind: &str, job: &str) -> Vec<&'l Value> {
    let lines = lines.iter();
    lines
        .filter(|line| line["message_type"] == kind && line["job"] == job)
        .collect()
}

/// A named pipe: whoever reads it waits until somebody writes.
pub(super) fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}
