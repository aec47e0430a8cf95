//! Imports go one way: from a floor to those below it, and inside `src/snapshot/` from a room to those below it. What
//! `use` lines and paths in the source say is held against the two lists here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, and those that each imports from. Files right below `src/` are the ground that all stand on.
const FLOORS: [(&str, &[&str]); 15] = [
    ("snapshot", &[]),
    ("key", &["snapshot"]),
    ("pipeline", &["key", "snapshot"]),
    ("resolve", &["key", "pipeline", "snapshot"]),
    ("output", &["key", "pipeline", "snapshot"]),
    (
        "export",
        &["key", "output", "pipeline", "resolve", "snapshot"],
    ),
    (
        "take",
        &["key", "output", "pipeline", "resolve", "snapshot"],
    ),
    // Neither what finds rows nor what renders them: it counts again what those two have done.
    ("against", &["key", "output", "pipeline", "snapshot"]),
    ("diff", &["output", "pipeline"]),
    (
        "bench",
        &["export", "key", "output", "pipeline", "resolve", "snapshot"],
    ),
    (
        "api",
        &["export", "key", "output", "pipeline", "resolve", "snapshot"],
    ),
    (
        "jobs",
        &["export", "key", "output", "pipeline", "resolve", "snapshot"],
    ),
    ("engine", &[]),
    (
        "plan",
        &[
            "export", "output", "pipeline", "resolve", "snapshot", "take",
        ],
    ),
    (
        "cli",
        &[
            "against", "api", "bench", "diff", "engine", "export", "jobs", "key", "output",
            "pipeline", "plan", "resolve", "snapshot", "take",
        ],
    ),
];

/// The rooms of `src/snapshot/`, from the ground up: a room imports from its own row and from those before it.
const ROOMS: [&[&str]; 8] = [
    &["error", "fingerprint", "opening", "place", "table_name"],
    &["codec"],
    &[
        "block",
        "catalog",
        "described",
        "facts",
        "foreign_keys",
        "ownership",
        "routing",
        "sql_type",
        "stated_keys",
    ],
    &["sql"],
    &["event", "files", "keyed", "owners", "source"],
    &["kind", "several"],
    &["spec"],
    &["databases", "drive", "open", "survey"],
];

/// The kinds of snapshot that are made of another kind.
const KINDS: [(&str, &[&str]); 3] = [
    ("archive", &["plain"]),
    ("backup", &["archive", "plain"]),
    ("pgdata", &["postgres"]),
];

/// A source file: its module's path below the crate, and what it imports of the crate.
struct Source {
    module: Vec<String>,
    imports: Vec<Vec<String>>,
}

#[test]
fn floors_import_from_those_below_them_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let floor = &*source.module[0];
        let allowed: &[&str] = match FLOORS.iter().find(|(name, _)| *name == floor) {
            Some((_, allowed)) => allowed,
            None => &[],
        };
        for import in &source.imports {
            let other = &*import[0];
            if is_floor(other) && other != floor && !allowed.contains(&other) {
                wrong.push(said(&source, import));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_of_snapshots_import_from_those_below_them_only() {
    let mut wrong = Vec::new();
    let face = face();
    for source in sources() {
        let [floor, room, inside @ ..] = &source.module[..] else {
            continue;
        };
        if floor != "snapshot" {
            continue;
        }
        let own = row(room).unwrap_or_else(|| panic!("room {room} is in no row of ROOMS"));
        for import in &source.imports {
            let [floor, name, rest @ ..] = &import[..] else {
                continue;
            };
            if floor != "snapshot" {
                continue;
            }
            let (other, behind) = match row(name) {
                Some(_) => (name, rest.first()),
                // The face hands on what is in a room.
                None => match face.get(name) {
                    Some(path) => (&path[0], path.get(1)),
                    None => panic!("{}: no room and no name of the face", said(&source, import)),
                },
            };
            let goes_up = row(other).is_none_or(|row| row > own);
            let is_other_kind = room == "kind" && other == "kind" && {
                let (kind, others) = (inside.first(), KINDS);
                let of = others
                    .iter()
                    .find(|(name, _)| kind.is_some_and(|kind| kind == name));
                behind != kind
                    && behind.is_some_and(|behind| {
                        !of.is_some_and(|(_, kinds)| kinds.contains(&behind.as_str()))
                    })
            };
            if goes_up || is_other_kind {
                wrong.push(said(&source, import));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let text = "use std::io;\nuse crate::output::{atomic, Claim as Held};\npub(crate) use super::codec::{\n    self,\n    \
                chunks::{CHUNK, Chunks},\n};\n// use crate::api::serve;\nfn f() -> crate::resolve::Plan {}\n\
                #[cfg(test)]\nmod tests {\n    use crate::cli::run;\n}\n";
    let module = ["snapshot", "open"].map(str::to_owned);
    let mut found: Vec<String> = imports(text, &module)
        .iter()
        .map(|path| path.join("::"))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "output::Claim",
            "output::atomic",
            "resolve::Plan",
            "snapshot::codec",
            "snapshot::codec::chunks::CHUNK",
            "snapshot::codec::chunks::Chunks",
        ]
    );
}

fn said(source: &Source, import: &[String]) -> String {
    format!("{} imports {}", source.module.join("::"), import.join("::"))
}

fn is_floor(name: &str) -> bool {
    FLOORS.iter().any(|(floor, _)| *floor == name)
}

fn row(room: &str) -> Option<usize> {
    ROOMS.iter().position(|row| row.contains(&room))
}

/// All source files but tests and what is made for them.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.extend(source(&root, &path));
            }
        }
    }
    assert!(sources.len() > 200, "only {} files", sources.len());
    sources
}

fn source(root: &Path, path: &Path) -> Option<Source> {
    let module: PathBuf = path.strip_prefix(root).unwrap().with_extension("");
    let module: Vec<String> = module
        .iter()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    let is_test = |name: &String| {
        name == "tests" || name.ends_with("_tests") || name == "faulty" || name == "sample"
    };
    if module.iter().any(is_test) || ["lib", "main"].contains(&module[0].as_str()) {
        return None;
    }
    let imports = imports(&fs::read_to_string(path).unwrap(), &module);
    Some(Source { module, imports })
}

/// The paths below the crate that a file imports, by `use` or in full.
fn imports(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let text = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut found = Vec::new();
    for statement in text.split(';') {
        // What stands before it (attributes, the end of a block) ends with its line.
        let Some(at) = statement.rfind("use ").filter(|at| {
            let line = statement[..*at]
                .rsplit('\n')
                .next()
                .unwrap_or_default()
                .trim();
            line.is_empty() || line.starts_with("pub")
        }) else {
            continue;
        };
        let mut paths = Vec::new();
        tree(&[], &statement[at + 4..], &mut paths);
        found.extend(paths.iter().filter_map(|path| absolute(path, module)));
    }
    for (at, _) in text.match_indices("crate::") {
        let path = &text[at + "crate::".len()..];
        let end = path.find(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter)));
        let path = &path[..end.unwrap_or(path.len())];
        // What ends like this is followed by braces, and was found as a tree.
        if !path.ends_with("::") {
            found.push(path.split("::").map(str::to_owned).collect());
        }
    }
    found.sort();
    found.dedup();
    found.retain(|path| !path.is_empty());
    found
}

/// The paths of a tree of `use`.
fn tree(before: &[String], text: &str, found: &mut Vec<Vec<String>>) {
    let text = text.trim();
    let Some((head, inner)) = text.split_once('{') else {
        let name = text.split(" as ").next().unwrap_or_default();
        let names = name.split("::").map(|name| name.trim().to_owned());
        let names = names.filter(|name| !name.is_empty() && name != "self");
        found.push(before.iter().cloned().chain(names).collect());
        return;
    };
    let names = head.split("::").map(|name| name.trim().to_owned());
    let before: Vec<String> = before
        .iter()
        .cloned()
        .chain(names.filter(|name| !name.is_empty()))
        .collect();
    let inner = &inner[..inner.rfind('}').unwrap_or(inner.len())];
    let (mut depth, mut begin) = (0, 0);
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[begin..at].trim().is_empty() {
                    tree(&before, &inner[begin..at], found);
                }
                begin = at + 1;
            }
            _ => {}
        }
    }
}

/// A path below the crate; `None` for one that leads elsewhere.
fn absolute(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let up = path.iter().take_while(|name| *name == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "super" => Some([&module[..module.len().checked_sub(up)?], &path[up..]].concat()),
        _ => None,
    }
}

/// The rooms that the names of the face are in.
fn face() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/snapshot.rs");
    let text = fs::read_to_string(path).unwrap();
    let mut names = BTreeMap::new();
    for statement in text.split(';') {
        if let Some(at) = statement.find("pub use ") {
            let mut paths = Vec::new();
            tree(&[], &statement[at + 8..], &mut paths);
            for path in paths {
                names.insert(path[path.len() - 1].clone(), path);
            }
        }
    }
    names
}
