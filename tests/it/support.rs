//! What the tests of the command line share: a temp folder, the program, and what it left behind.

pub mod api;
pub mod archive;
pub mod cli;
pub mod keyed;
pub mod live;
pub mod server;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The groups of the fixture.
pub const GROUPS: [i64; 4] = [4350, 4351, 4352, 7001];

/// The relations of the group pipeline, in the order of the manifest.
pub const RELATIONS: [&str; 12] = [
    "milestones",
    "badges",
    "labels",
    "boards",
    "members",
    "namespace_settings",
    "user_contributions",
    "epics",
    "epic_boards",
    "iterations_cadences",
    "self",
    "max_iids",
];

/// A file of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The fixture as a plain dump.
pub fn dump() -> String {
    fs::read_to_string(project("fixtures/gitlab.sql")).unwrap()
}

/// The name of a relation's file, without folder and `.gz`.
pub fn file_name(relation: &str) -> String {
    match relation {
        "self" | "max_iids" => format!("{relation}.json"),
        _ => format!("{relation}.ndjson"),
    }
}

/// What a relation of a group of the fixture must be, byte for byte.
pub fn expected(group: i64, relation: &str) -> Vec<u8> {
    let path = project(&format!(
        "tests/expected/group_{group}/{}",
        file_name(relation)
    ));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files of some groups, as [`Run::contents`] gives them.
pub fn expected_files(groups: &[i64]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for group in groups {
        for relation in RELATIONS {
            let name = format!("group_{group}/{}.gz", file_name(relation));
            files.insert(name, expected(*group, relation));
        }
    }
    files
}

/// Replaces the one place where `from` stands. A test whose edit does not fit the fixture any more fails here.
pub fn edit(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?} must stand once");
    text.replacen(from, to, 1)
}

/// The COPY block of a table of schema `public`: from its header to its end mark, with the line end.
pub fn copy_block<'d>(dump: &'d str, table: &str) -> &'d str {
    let from = dump
        .find(&format!("\nCOPY public.{table} ("))
        .unwrap_or_else(|| panic!("the dump has no data of {table}"))
        + 1;
    let end = dump[from..].find("\n\\.\n").unwrap() + 4;
    &dump[from..from + end]
}

/// Edits the rows of a table's COPY block (without header and end mark).
pub fn edit_rows(dump: &str, table: &str, change: impl FnOnce(&str) -> String) -> String {
    let block = copy_block(dump, table);
    let (head, rest) = block.split_once('\n').unwrap();
    let rows = rest.strip_suffix("\\.\n").unwrap();
    edit(dump, block, &format!("{head}\n{}\\.\n", change(rows)))
}

/// Changes one field of one row: the row whose field in `key` is `id`.
pub fn edit_field(
    dump: &str,
    table: &str,
    key: &str,
    id: &str,
    column: &str,
    value: &str,
) -> String {
    let head = copy_block(dump, table).lines().next().unwrap();
    let list = &head[head.find('(').unwrap() + 1..head.rfind(')').unwrap()];
    let place = |name: &str| {
        list.split(", ")
            .position(|column| column.trim_matches('"') == name)
            .unwrap_or_else(|| panic!("{table} has no column {name}"))
    };
    let (key, column) = (place(key), place(column));
    edit_rows(dump, table, |rows| {
        let mut found = 0;
        let rows: String = rows
            .lines()
            .map(|row| {
                let mut fields: Vec<&str> = row.split('\t').collect();
                if fields[key] == id {
                    fields[column] = value;
                    found += 1;
                }
                fields.join("\t") + "\n"
            })
            .collect();
        assert_eq!(found, 1, "{table} {id}");
        rows
    })
}

/// The fixture with so many more notes of a kilobyte on epic 21, by users 2 and 3: more than a segment of kept rows.
pub fn with_many_notes(count: usize) -> String {
    let dump = dump();
    let head = copy_block(&dump, "notes").lines().next().unwrap();
    let columns: Vec<&str> = head.split(['(', ')']).nth(1).unwrap().split(", ").collect();
    edit_rows(&dump, "notes", |rows| {
        let mut rows = rows.to_owned();
        for number in 0..count {
            let fields: Vec<String> = columns
                .iter()
                .map(|column| match *column {
                    "id" => (500_000 - number).to_string(),
                    "note" => format!("{number} {}", "abcdefghij".repeat(100)),
                    "noteable_type" => "Epic".to_owned(),
                    "noteable_id" => "21".to_owned(),
                    "author_id" => (2 + number % 2).to_string(),
                    "system" | "internal" => "f".to_owned(),
                    "imported_from" => "0".to_owned(),
                    _ => "\\N".to_owned(),
                })
                .collect();
            rows.push_str(&fields.join("\t"));
            rows.push('\n');
        }
        rows
    })
}

/// All bytes of a gzip file that must be one member and nothing else.
pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut member = flate2::bufread::GzDecoder::new(bytes);
    let mut content = Vec::new();
    member.read_to_end(&mut content).unwrap();
    let mut rest = member.into_inner();
    assert!(rest.fill_buf().unwrap().is_empty(), "more than one member");
    content
}

/// A folder of a test's own, gone after it.
pub struct Dir(tempfile::TempDir);

impl Dir {
    pub fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// `relexport export` of a snapshot into the folder `out`, which is not to be there yet.
    pub fn export(&self, snapshot: impl AsRef<OsStr>) -> Export {
        self.export_to(snapshot, self.join("out"))
    }

    /// `relexport export` into another folder.
    pub fn export_to(&self, snapshot: impl AsRef<OsStr>, out: impl Into<PathBuf>) -> Export {
        let out = out.into();
        let mut command = Command::new(env!("CARGO_BIN_EXE_relexport"));
        command
            .current_dir(self.path())
            .args(["export", "--quiet", "--snapshot"])
            .arg(snapshot)
            .arg("--out")
            .arg(&out);
        Export {
            command,
            input: None,
            out,
        }
    }

    /// Exports a snapshot of the fixture's group 4351 from text that a test made.
    pub fn export_text(&self, dump: &str) -> Export {
        let path = self.write("dump.sql", dump);
        self.export(path).args(["--group", "4351"])
    }
}

/// All files below a folder, relative, sorted.
pub fn files_below(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), names);
            } else {
                names.push(name);
            }
        }
    }
    let mut names = Vec::new();
    walk(folder, "", &mut names);
    names.sort();
    names
}

/// A run of the program that is being put together.
pub struct Export {
    pub command: Command,
    input: Option<Vec<u8>>,
    pub out: PathBuf,
}

impl Export {
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Export {
        self.command.args(args);
        self
    }

    /// An option with a path.
    pub fn arg(mut self, option: &str, path: &Path) -> Export {
        self.command.arg(option).arg(path);
        self
    }

    pub fn group(self, group: impl ToString) -> Export {
        let group = group.to_string();
        self.args(["--group", &group])
    }

    pub fn relations(self, relations: &[&str]) -> Export {
        self.args(relations.iter().flat_map(|name| ["--relation", name]))
    }

    /// What standard input gives.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Export {
        self.input = Some(bytes.into());
        self
    }

    pub fn run(mut self) -> Run {
        let mut child = self
            .command
            .stdin(match self.input {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let feeder = self.input.take().map(|bytes| {
            let mut stdin = child.stdin.take().unwrap();
            // The program may end before it has read everything.
            std::thread::spawn(move || drop(stdin.write_all(&bytes)))
        });
        let output = child.wait_with_output().unwrap();
        if let Some(feeder) = feeder {
            feeder.join().unwrap();
        }
        Run {
            code: output.status.code(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            out: self.out,
        }
    }

    /// Runs, and everything must have gone well.
    pub fn ok(self) -> Run {
        let run = self.run();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run
    }

    /// Runs, and must end with an exit code and a message with all these parts.
    pub fn fails(self, code: i32, says: &[&str]) -> Run {
        let run = self.run();
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        for part in says {
            assert!(run.stderr.contains(part), "no {part:?} in: {}", run.stderr);
        }
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        run
    }
}

/// A run that has ended.
pub struct Run {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub stderr: String,
    pub out: PathBuf,
}

impl Run {
    /// The raw bytes of a file of the export.
    pub fn raw(&self, name: &str) -> Vec<u8> {
        let path = self.out.join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A file of the export, unpacked.
    pub fn content(&self, name: &str) -> Vec<u8> {
        gunzip(&self.raw(name))
    }

    /// The records of a relation of a group, parsed; not batched.
    pub fn records(&self, group: i64, relation: &str) -> Vec<Value> {
        let content = self.content(&format!("group_{group}/{}.gz", file_name(relation)));
        std::str::from_utf8(&content)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Names of all files of the export.
    pub fn files(&self) -> Vec<String> {
        files_below(&self.out)
    }

    /// All files of the entities, unpacked, by name.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.files().into_iter().filter(|name| name.contains('/'));
        files
            .map(|name| (name.clone(), self.content(&name)))
            .collect()
    }

    /// All files of the entities, packed, by name.
    pub fn packed(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.files().into_iter().filter(|name| name.contains('/'));
        files.map(|name| (name.clone(), self.raw(&name))).collect()
    }

    pub fn manifest(&self) -> Value {
        serde_json::from_slice(&self.raw("manifest.json")).unwrap()
    }

    /// The manifest's entry of a relation of the first entity.
    pub fn relation(&self, relation: &str) -> Value {
        self.relations()
            .into_iter()
            .find(|entry| entry["relation"] == relation)
            .unwrap_or_else(|| panic!("no {relation} in the manifest"))
    }

    /// The manifest's entries of the first entity.
    pub fn relations(&self) -> Vec<Value> {
        let manifest = self.manifest();
        manifest["entities"][0]["relations"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Nothing of an export is there.
    pub fn left_nothing(&self) {
        assert!(!self.out.exists(), "{:?}", self.files());
    }
}

/// Compares files by name, and says which differ rather than all their bytes.
pub fn assert_same_files(
    what: &str,
    got: &BTreeMap<String, Vec<u8>>,
    want: &BTreeMap<String, Vec<u8>>,
) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(want), "{what}");
    for (name, want) in want {
        let got = &got[name];
        assert!(
            got == want,
            "{what}: {name} differs\n got: {}\nwant: {}",
            String::from_utf8_lossy(got),
            String::from_utf8_lossy(want)
        );
    }
}
