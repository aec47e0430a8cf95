//! A snapshot in shards: taken by one read, and each shard exported from as its source is.

mod bucket;
mod trouble;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use crate::support::live::fixture;
use crate::support::server::Server;
use crate::support::*;
use relexport::pipeline::Pipeline;
use relexport::resolve::{Choice, KindChoice, Limits};
use relexport::snapshot::{OpenOptions, Routing, TableName};
use relexport::take::{TakeError, TakeObserver, TakeRequest, TakenShard, take_shards};

/// Somebody who is told, and may end the run when a table goes by.
#[derive(Default)]
struct Onlooker {
    ends_at: Option<(&'static str, Arc<AtomicBool>)>,
}

impl TakeObserver for Onlooker {
    fn reading(&mut self, _size: Option<u64>, _read: Arc<AtomicU64>) {}

    fn table(&mut self, name: &TableName) {
        if let Some((table, interrupted)) = &self.ends_at
            && name.name == *table
        {
            interrupted.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// A pipeline and which of its entities.
fn kind(pipeline: &str, choice: Choice) -> KindChoice {
    let pipeline = Pipeline::builtin_named(pipeline).unwrap();
    KindChoice { pipeline, choice }
}

fn all_groups() -> Vec<KindChoice> {
    vec![kind("group", Choice::All)]
}

fn groups_and_projects() -> Vec<KindChoice> {
    vec![kind("group", Choice::All), kind("project", Choice::All)]
}

/// What is to be taken, with little memory and few threads.
pub(crate) fn request(from: &str, out: PathBuf, kinds: Vec<KindChoice>) -> TakeRequest {
    let mut routing = Routing::default();
    for kind in &kinds {
        routing.merge(&kind.pipeline.databases).unwrap();
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    TakeRequest {
        from: from.into(),
        open: OpenOptions {
            connections: 2,
            ..OpenOptions::of_databases(&routing)
        },
        out,
        force: false,
        lock_wait: Duration::ZERO,
        kinds,
        limited: true,
        limits: Limits {
            memory: 1 << 20,
            temp_dir: std::env::temp_dir(),
        },
        pool: Arc::new(pool.unwrap()),
        interrupted: Arc::default(),
    }
}

pub(crate) fn take(request: &TakeRequest, shards: usize) -> Result<Vec<TakenShard>, TakeError> {
    take_shards(request, shards, &mut Onlooker::default()).map(|taken| taken.shards)
}

/// The ids of a shard's entities of a pipeline.
fn ids(shard: &TakenShard, pipeline: &str) -> Vec<String> {
    let ids = shard.only.get(pipeline).into_iter().flatten();
    ids.map(ToString::to_string).collect()
}

/// An export of a shard's entities, by their ids.
fn export_of(dir: &Dir, snapshot: impl AsRef<Path>, shard: &TakenShard, out: &str) -> Run {
    let mut program = dir.export_to(snapshot.as_ref(), dir.join(out));
    for (pipeline, option) in [("group", "--group"), ("project", "--project")] {
        for id in ids(shard, pipeline) {
            program = program.option(option, id);
        }
    }
    program.ok()
}

/// What the manifest says of the entities, without what is of the kind of snapshot: the checksums say the same of both.
fn entities(run: &Run) -> Vec<serde_json::Value> {
    let mut entities = run.manifest()["entities"].as_array().unwrap().clone();
    for entity in &mut entities {
        for relation in entity["relations"].as_array_mut().unwrap() {
            let relation = relation.as_object_mut().unwrap();
            // Of a limited snapshot fewer rows are read, and its times are others.
            for of_run in ["rows_read", "started_at", "finished_at", "updated_at"] {
                relation.remove(of_run);
            }
        }
    }
    entities
}

/// The rows of a table in a shard.
fn rows(shard: &TakenShard, table: &str) -> u64 {
    let mut tables = shard.taken.described.tables.iter();
    tables.find(|it| it.table == table).unwrap().rows
}

#[test]
fn every_shard_s_entities_are_those_of_the_source_whatever_the_number_of_shards() {
    let dir = Dir::new();
    // Its records are those of a dump of all its databases, and a taken snapshot has no files.
    let source = project(PROJECTS);
    let whole = dir.export_to(&source, dir.join("whole"));
    let whole = whole.args(["--all-groups", "--all-projects"]).ok();
    let expected = whole.packed();
    let every: Vec<String> = entities(&whole)
        .iter()
        .map(|it| it["id"].to_string())
        .collect();
    let mut issues_of_all = None;
    for (from, number) in [(PROJECTS_BACKUP, 2), (PROJECTS_BACKUP, 100), (PROJECTS, 4)] {
        let stage = dir.join(&format!("stage-{number}"));
        let from = project(from).display().to_string();
        let request = request(&from, stage.clone(), groups_and_projects());
        let shards = take(&request, number).unwrap();
        assert_eq!(shards.len(), number.min(every.len()));
        assert_eq!(fs::read_dir(&stage).unwrap().count(), shards.len());
        let (mut all_groups, mut all_projects) = (Vec::new(), Vec::new());
        let mut files = BTreeMap::new();
        let mut told = Vec::new();
        let mut issues = 0;
        for (position, shard) in shards.iter().enumerate() {
            assert_eq!(shard.folder, format!("shard-{position:04}"));
            let count = ids(shard, "group").len() + ids(shard, "project").len();
            assert!(count > 0 && (number != 100 || count == 1), "{number}");
            all_groups.extend(ids(shard, "group"));
            all_projects.extend(ids(shard, "project"));
            issues += rows(shard, "issues");
            let folder = stage.join(&shard.folder);
            dir.relexport("snapshot verify --quiet").arg(&folder).ok();
            let name = |what: &str| format!("{what}-{number}-{position}");
            let run = export_of(&dir, &folder, shard, &name("shard"));
            if number == 2 {
                let of_source = export_of(&dir, &source, shard, &name("source"));
                assert_same_files(&name("shard"), &run.packed(), &of_source.packed());
            }
            files.extend(run.packed());
            told.extend(entities(&run));
        }
        all_groups.extend(all_projects);
        assert_eq!(all_groups, every, "{number}");
        assert_same_files(&format!("{number} shards"), &files, &expected);
        // Groups come before projects in each export.
        let by_id = |entities: &mut Vec<serde_json::Value>| {
            entities.sort_by_key(|entity| entity["prefix"].to_string())
        };
        let mut of_whole = entities(&whole);
        by_id(&mut of_whole);
        by_id(&mut told);
        assert_eq!(told, of_whole, "{number}");
        // Each issue is in one shard, and in no other.
        assert_eq!(issues, *issues_of_all.get_or_insert(issues), "{number}");
    }
    assert!(issues_of_all > Some(0));
}

#[test]
fn what_is_expected_of_groups_comes_from_shards_of_every_kind_of_snapshot() {
    let (dir, database) = (Dir::new(), fixture(Server::shared()));
    let custom = dir.write("gitlab.dump", database.dump(&["-Fc"]));
    let file = |path: PathBuf| path.display().to_string();
    for (what, from) in [
        ("plain", file(project(DUMP))),
        ("backup", file(project(BACKUP))),
        ("csv", file(project(CSV))),
        ("custom", file(custom)),
        ("server", database.address()),
    ] {
        let stage = dir.join(what);
        let shards = take(&request(&from, stage.clone(), all_groups()), 3).unwrap();
        assert_eq!(shards.len(), 3, "{what}");
        let mut files = BTreeMap::new();
        for shard in &shards {
            let out = format!("{what}-{}", shard.folder);
            let run = export_of(&dir, stage.join(&shard.folder), shard, &out);
            files.extend(run.contents());
        }
        assert_same_files(what, &files, &expected_files(&GROUPS));
    }
}

#[test]
fn a_shard_of_projects_has_what_lies_above_them_though_their_groups_are_in_another() {
    let dir = Dir::new();
    let from = project(PROJECTS_BACKUP).display().to_string();
    let named = |names: &[&str], descendants| Choice::Named {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        descendants,
    };
    let within = Choice::Within { names: Vec::new() };
    let kinds = vec![kind("group", named(&["50"], true)), kind("project", within)];
    let shards = take(&request(&from, dir.join("stage"), kinds), 100).unwrap();
    let last = shards.last().unwrap();
    assert_eq!(
        (ids(last, "group").len(), ids(last, "project").len()),
        (0, 1)
    );
    let listed = dir
        .relexport("groups --projects --json")
        .option("--snapshot", dir.join("stage").join(&last.folder))
        .json();
    let id = &ids(last, "project")[0];
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["id"].to_string(), *id);
    let all = dir
        .relexport("groups --projects --json")
        .option("--snapshot", &from)
        .json();
    let own = all.as_array().unwrap().iter();
    let own = own.clone().find(|project| project["id"] == listed[0]["id"]);
    assert_eq!(listed[0], *own.unwrap());
    // An entity of another shard is none of this one's.
    let other = ids(&shards[0], "group");
    dir.export(dir.join("stage").join(&last.folder))
        .group(&other[0])
        .fails(
            3,
            &["is not among those whose rows the snapshot was taken with"],
        )
        .left_nothing();
}
