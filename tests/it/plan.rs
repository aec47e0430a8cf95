//! Plans: an export that many processes make is that of one, byte for byte, whatever happens to them.

mod bucket;
mod commit;
mod kinds;
mod refused;
mod stage;
mod twins;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::*;

/// The databases of the fixtures, as directory archives of a real pg_dump: `groups.dir` and `projects.dir`.
fn archives(dir: &Dir) {
    let output = Command::new(project("fixtures/with-postgres"))
        .args([
            "bash",
            "-c",
            "set -eu
             psql -X -q -v ON_ERROR_STOP=1 -f \"$FIXTURES/schema.sql\" -f \"$FIXTURES/seed.sql\"
             pg_dump -Fd -f groups.dir
             createdb projects
             gzip -dc \"$FIXTURES/projects/gitlab.sql.gz\" | psql -X -q -v ON_ERROR_STOP=1 -d projects >loaded
             pg_dump -Fd -f projects.dir projects",
        ])
        .env("FIXTURES", project("fixtures"))
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A plan in a folder of a test.
struct Planned<'d> {
    dir: &'d Dir,
    out: PathBuf,
}

impl<'d> Planned<'d> {
    /// Plans an export of a snapshot; the arguments are split at blanks.
    fn new(dir: &'d Dir, out: &str, snapshot: &Path, arguments: &str) -> Planned<'d> {
        let planned = Planned {
            dir,
            out: dir.join(out),
        };
        planned.plan(snapshot, arguments).ok();
        planned
    }

    fn plan(&self, snapshot: &Path, arguments: &str) -> Program {
        self.dir
            .relexport("plan --quiet")
            .option("--snapshot", snapshot)
            .option("--out", &self.out)
            .args(arguments.split_whitespace())
    }

    /// plan.json.
    fn file(&self) -> Value {
        let text = fs::read(self.out.join(".relexport-plan/plan.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn tasks(&self) -> usize {
        self.file()["tasks"].as_array().unwrap().len()
    }

    fn work(&self, arguments: &str) -> Program {
        self.dir
            .relexport("work --quiet")
            .option("--plan", &self.out)
            .args(arguments.split_whitespace())
    }

    fn work_all(&self) {
        // The last one first: nothing depends on the order.
        for task in (0..self.tasks()).rev() {
            self.work(&format!("--task {task}")).ok();
        }
    }

    fn commit(&self) -> Program {
        self.dir
            .relexport("commit --quiet")
            .option("--plan", &self.out)
    }

    fn record(&self, task: usize) -> PathBuf {
        let name = format!(".relexport-plan/tasks/{task:08}.json");
        self.out.join(name)
    }

    /// The place holds the same as another one, byte for byte, but for times in the manifest, and no file more.
    fn is_same_as(&self, other: &Path) {
        let (got, want) = (ExportFolder::new(&self.out), ExportFolder::new(other));
        let files = |folder: &ExportFolder| {
            let names = folder.files().into_iter();
            let names = names.filter(|name| name != "manifest.json" && name != "metadata.json.gz");
            let files = names.map(|name| (name.clone(), folder.raw(&name)));
            files.collect()
        };
        assert_same_files("files", &files(&got), &files(&want));
        assert_eq!(got.files(), want.files());
        let metadata = |folder: &ExportFolder| -> Value {
            let mut metadata: Value =
                serde_json::from_slice(&folder.content("metadata.json.gz")).unwrap();
            // The name of the place.
            metadata["export_prefix"] = Value::Null;
            metadata
        };
        assert_eq!(metadata(&got), metadata(&want));
        let (got, want) = (
            without_times(got.manifest()),
            without_times(want.manifest()),
        );
        assert_same("manifest", &got, &want);
    }
}

/// Compares piece by piece, so that what differs can be read.
fn assert_same(place: &str, got: &Value, want: &Value) {
    match (got, want) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = |it: &serde_json::Map<String, Value>| it.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(one), keys(other), "{place}");
            for (key, one) in one {
                assert_same(&format!("{place}.{key}"), one, &other[key]);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (position, (one, other)) in one.iter().zip(other).enumerate() {
                assert_same(&format!("{place}[{position}]"), one, other);
            }
        }
        (one, other) => assert_eq!(one, other, "{place}"),
    }
}

/// A manifest without what differs from one run to the next.
fn without_times(mut manifest: Value) -> Value {
    fn clear(value: &mut Value) {
        match value {
            Value::Object(object) => {
                for key in ["started_at", "finished_at", "updated_at"] {
                    if let Some(time) = object.get_mut(key) {
                        assert!(time.as_str().is_some_and(|time| time.len() > 18), "{time}");
                        *time = Value::Null;
                    }
                }
                object.remove("timings");
                // It has the folder's name.
                object.remove("metadata");
                // Said of an export in a bucket alone.
                object.remove("conditional_put");
                object.values_mut().for_each(clear);
            }
            Value::Array(array) => array.iter_mut().for_each(clear),
            _ => {}
        }
    }
    clear(&mut manifest);
    manifest
}

/// The export that a plan's must be like.
fn export(dir: &Dir, snapshot: &Path, arguments: &str) -> PathBuf {
    let out = dir.join("whole");
    if out.exists() {
        fs::remove_dir_all(&out).unwrap();
    }
    let run = dir
        .export_to(snapshot, &out)
        .args(arguments.split_whitespace())
        .run();
    // Both fixtures hold rows that are told in the manifest, and nothing that fails.
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    out
}
