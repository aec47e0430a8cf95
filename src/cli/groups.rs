//! `relexport groups`: the groups of a snapshot, or its projects.

mod sizes;

use std::collections::{BTreeMap, BTreeSet};

use indicatif::HumanBytes;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::pipeline::{Edition, EntityId, Pipeline};
use crate::resolve::{
    EntityInfo, Id, KindChoice, Limits, Observer, Outcome, Plan, Relations, Request, ResolveError,
    Selection, WantedTables, resolve,
};
use crate::snapshot;
use crate::snapshot::{OpenOptions, SnapshotFacts, Spec, SqlType, TableName};

use super::args::{EntityArgs, GroupsArgs};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::kinds::{kinds, pipelines_of};
use super::progress::Progress;
use super::setup;
use super::stdout;
use super::table::{Align, Table};
use crate::export::ExportObserver;
use crate::visible::visible;
use sizes::{Sizes, SizesById, sizes};

/// Runs the command.
pub(crate) fn run(args: &GroupsArgs, console: &Console) -> Result<Exit, Failure> {
    let kinds = kinds(
        &args.snapshot.pipeline,
        &EntityArgs {
            all_groups: !args.projects,
            all_projects: args.projects,
            ..EntityArgs::default()
        },
    )?;
    let server = &args.snapshot.server;
    let options = setup::open_options(server, None, &pipelines_of(&kinds), console)?;
    let limits = setup::default_limits(server);
    let listing = read(
        &args.snapshot.snapshot,
        &kinds,
        &options,
        &limits,
        args.snapshot.allow_missing,
        console,
    )?;
    let mut listing = listing;
    if args.sizes {
        listing.sizes = Some(sizes(args, console)?);
    }
    let groups = &listing.entities;
    match (args.tree, args.json) {
        (false, true) => stdout::print_json(&listing.objects())?,
        (false, false) => stdout::print(&listing.text())?,
        (true, true) => stdout::print_json_text(tree_json(groups)?)?,
        (true, false) => stdout::print(&tree_text(groups))?,
    }
    Ok(Exit::Success)
}

/// The entities of a snapshot, and what is shown of them.
pub(super) struct Listing {
    /// In order of their full paths; of several kinds those of one behind those of the other.
    pub entities: Vec<EntityInfo>,
    /// By kind, each column that is shown: where its value stands, its name, and how its values are.
    shown: Vec<Vec<(usize, String, ShownAs)>>,
    /// The names of the kinds, as exports have them.
    kinds: Vec<String>,
    /// Bytes of files, if they were asked for.
    sizes: Option<SizesById>,
}

/// How the values of a column are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShownAs {
    Boolean,
    Integer,
    Text,
}

impl ShownAs {
    fn of(sql_type: &SqlType) -> ShownAs {
        match sql_type {
            SqlType::Boolean => ShownAs::Boolean,
            other if other.is_integer() => ShownAs::Integer,
            _ => ShownAs::Text,
        }
    }

    fn json(self, text: &str) -> Value {
        match (self, text) {
            (ShownAs::Boolean, "t") => true.into(),
            (ShownAs::Boolean, "f") => false.into(),
            (ShownAs::Integer, text) => text
                .parse::<i64>()
                .map_or_else(|_| Value::from(text), Value::from),
            (ShownAs::Boolean | ShownAs::Text, text) => text.into(),
        }
    }
}

/// The entities that are chosen among `kinds`, in order of their full paths. Of a snapshot that was taken with the rows of
/// some, these: what is there of others, above them, only gives them their paths.
pub(super) fn read(
    spec: &Spec,
    kinds: &[KindChoice],
    options: &OpenOptions,
    limits: &Limits,
    allow_missing: bool,
    console: &Console,
) -> Result<Listing, Failure> {
    let selection = Selection {
        relations: Relations::Only(Vec::new()),
        edition: Edition::Ee,
        files: false,
        ..Selection::default()
    };
    let tables = WantedTables::new(kinds, &selection).known();
    let snapshot = snapshot::open_with(spec, &options.needing(tables))?;
    let mut progress = Progress::new(console);
    progress.reading(snapshot.size, snapshot.progress.clone());
    let request = Request {
        kinds,
        selection: &selection,
        limits,
        pool: setup::default_pool()?,
        // No file is written that a signal could leave unfinished, so its default action will do.
        interrupted: Default::default(),
        seal_late: false,
        allow_missing,
        strict: false,
        stop_early: true,
    };
    let outcome = resolve(snapshot, &request, &mut Tables(&mut progress));
    progress.finish();
    let outcome = outcome.map_err(|error| Failure::from(error).of(spec))?;
    check(&outcome).map_err(|failure| failure.of(spec))?;
    let shown = kinds.iter().map(|kind| shown(&kind.pipeline, &outcome));
    let shown = shown.collect();
    let mut entities = outcome.resolved.entities;
    let all = entities.len();
    entities.retain(|entity| {
        let pipeline = &outcome.resolved.plan.kinds[entity.kind].pipeline;
        let only = outcome.facts.only_of(pipeline);
        only.is_none_or(|only| only.contains(&entity.id))
    });
    let left_out = all - entities.len();
    if left_out > 0 {
        console.info(
            &format!(
                "{left_out} more above these are not listed: the snapshot was taken without their rows"
            ),
            json!({ "left_out": left_out }),
        );
    }
    entities.sort_by(|a, b| (a.kind, &a.full_path, &a.id).cmp(&(b.kind, &b.full_path, &b.id)));
    Ok(Listing {
        entities,
        shown,
        kinds: kinds
            .iter()
            .map(|kind| kind.pipeline.entity.kind.clone())
            .collect(),
        sizes: None,
    })
}

/// The columns that a pipeline shows of its entities, as far as the snapshot has them.
fn shown(pipeline: &Pipeline, outcome: &Outcome) -> Vec<(usize, String, ShownAs)> {
    let plan = &outcome.resolved.plan;
    let Some(table) = plan.table(&pipeline.entity.table) else {
        return Vec::new();
    };
    let layout = &plan.tables[table].layout;
    let columns = pipeline.entity.shown.iter().enumerate();
    columns
        .filter_map(|(position, name)| {
            let column = layout.iter().find(|column| column.name == *name)?;
            Some((position, name.clone(), ShownAs::of(&column.sql_type)))
        })
        .collect()
}

/// An entity, and behind what is known of each the columns that are shown.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    entity: &'a EntityInfo,
    #[serde(flatten)]
    shown: ShownValues<'a>,
    #[serde(flatten)]
    sizes: Option<Sizes>,
}

/// The values of the columns that are shown, by name.
struct ShownValues<'a> {
    entity: &'a EntityInfo,
    columns: &'a [(usize, String, ShownAs)],
}

impl Serialize for ShownValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = |(position, name, shown_as): &'_ (usize, String, ShownAs)| {
            let value = self.entity.shown.get(*position).and_then(Option::as_deref);
            let value = value.map_or(Value::Null, |text| shown_as.json(text));
            (name.clone(), value)
        };
        serializer.collect_map(self.columns.iter().map(value))
    }
}

impl Listing {
    /// What is printed as JSON of each entity.
    fn objects(&self) -> Vec<Listed<'_>> {
        let entities = self.entities.iter();
        let listed = |entity| Listed {
            entity,
            shown: ShownValues {
                entity,
                columns: &self.shown[entity.kind.position()],
            },
            sizes: self.sizes_of(entity),
        };
        entities.map(listed).collect()
    }

    /// The bytes of an entity's files, if they were asked for.
    fn sizes_of(&self, entity: &EntityInfo) -> Option<Sizes> {
        let sizes = self.sizes.as_ref()?;
        let kind = self.kinds.get(entity.kind.position())?;
        let found = sizes.get(&(kind.clone(), entity.id.clone()));
        // One that nobody takes unless it is named has none here.
        Some(found.copied().unwrap_or_default())
    }

    /// A table for each kind that has entities; an empty one if there is none at all.
    fn text(&self) -> String {
        let same_kind = |one: &EntityInfo, other: &EntityInfo| one.kind == other.kind;
        let kinds = self.entities.chunk_by(same_kind);
        let tables: Vec<String> = kinds
            .map(|entities| {
                let kind = entities.first().map(|first| first.kind.position());
                let shown = kind.map(|kind| self.shown[kind].as_slice());
                self.list(entities, shown.unwrap_or_default())
            })
            .collect();
        match tables.is_empty() {
            true => self.list(&[], &[]),
            false => tables.join("\n"),
        }
    }

    /// A table of entities of one kind.
    fn list(&self, entities: &[EntityInfo], shown: &[(usize, String, ShownAs)]) -> String {
        let numbers = entities.iter().all(|entity| entity.id.integer().is_some());
        let align = if numbers { Align::Right } else { Align::Left };
        let titles: Vec<String> = shown
            .iter()
            .map(|(_, name, _)| name.to_uppercase())
            .collect();
        let mut columns = vec![
            ("ID", align),
            ("PARENT", align),
            ("FULL PATH", Align::Left),
            ("NAME", Align::Left),
        ];
        columns.extend(titles.iter().map(|title| (title.as_str(), Align::Left)));
        if self.sizes.is_some() {
            let titles = ["REPOSITORY", "UPLOADS", "LFS OBJECTS"];
            columns.extend(titles.map(|title| (title, Align::Right)));
        }
        let mut table = Table::new(&columns);
        for entity in entities {
            let parent = entity.parent_id.as_ref();
            let values = shown.iter().map(|(position, _, shown_as)| {
                let value = entity.shown.get(*position).and_then(Option::as_deref);
                match value.map(|text| shown_as.json(text)) {
                    None => "-".to_owned(),
                    Some(Value::String(text)) => text,
                    Some(value) => value.to_string(),
                }
            });
            let own = [
                entity.id.to_string(),
                parent.map_or("-".to_owned(), EntityId::to_string),
                entity.full_path.clone(),
                entity.name.clone(),
            ];
            let sizes = self.sizes_of(entity).map(|sizes| {
                [
                    sizes.repository_bytes,
                    sizes.uploads_bytes,
                    sizes.lfs_objects_bytes,
                ]
            });
            let sizes = sizes.into_iter().flatten();
            let sizes = sizes.map(|bytes| HumanBytes(bytes).to_string());
            table.row(own.into_iter().chain(values).chain(sizes));
        }
        table.text()
    }
}

/// A list that lacks groups would be taken for a whole one.
fn check(outcome: &Outcome) -> Result<(), Failure> {
    let wrong = |reason: String| Failure::new(Exit::Snapshot, anyhow::anyhow!(reason));
    if let Some(cut_off) = &outcome.cut_off {
        return Err(wrong(cut_off.to_string()));
    }
    let resolved = &outcome.resolved;
    if let Some((table, trouble)) = resolved.troubles.iter().next() {
        let name = &resolved.plan.tables[*table].name;
        let reason = match (&trouble.broken, trouble.bad_rows.first()) {
            (Some(reason), _) => reason.clone(),
            (None, Some(row)) => format!("row {} (byte {}): {}", row.row, row.offset, row.reason),
            (None, None) => format!("{} rows cannot be read", trouble.bad_count),
        };
        return Err(wrong(format!("table {name}: {reason}")));
    }
    Ok(())
}

/// Shows the tables as they go by.
struct Tables<'a>(&'a mut Progress);

impl Observer for Tables<'_> {
    fn planned(&mut self, _plan: &Plan, _facts: &SnapshotFacts) -> Result<(), ResolveError> {
        Ok(())
    }

    fn table(&mut self, name: &TableName) {
        self.0.table(&name.to_string());
    }
}

/// A group in the tree: how deep, whether it is the last below its parent, and which it is.
struct Twig<'a> {
    depth: usize,
    last: bool,
    group: &'a EntityInfo,
}

/// The groups, each before those below it. Every group is there once, even where a hostile snapshot's parents go in
/// a circle; nothing recurses, however deep the tree.
fn tree(groups: &[EntityInfo]) -> Vec<Twig<'_>> {
    let ids: BTreeSet<&EntityId> = groups.iter().map(|group| &group.id).collect();
    let mut below: BTreeMap<Option<&EntityId>, Vec<&EntityInfo>> = BTreeMap::new();
    for group in groups {
        // Groups whose parent the snapshot lacks stand at the top.
        let parent = group.parent_id.as_ref();
        let parent = parent.filter(|parent| ids.contains(parent));
        below.entry(parent).or_default().push(group);
    }
    let mut twigs = Vec::new();
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<Twig<'_>> = Vec::new();
    let roots = below.get(&None).map(Vec::as_slice).unwrap_or_default();
    for root in roots.iter().copied().chain(groups) {
        let twig = Twig {
            depth: 0,
            last: true,
            group: root,
        };
        waiting.push(twig);
        while let Some(twig) = waiting.pop() {
            if !seen.insert(&twig.group.id) {
                continue;
            }
            let children = below
                .get(&Some(&twig.group.id))
                .map(Vec::as_slice)
                .unwrap_or_default();
            for (position, child) in children.iter().enumerate().rev() {
                waiting.push(Twig {
                    depth: twig.depth + 1,
                    last: position + 1 == children.len(),
                    group: child,
                });
            }
            twigs.push(twig);
        }
    }
    twigs
}

/// Levels of a tree that are drawn. GitLab has 20.
const DEEPEST_DRAWN: usize = 60;

fn tree_text(groups: &[EntityInfo]) -> String {
    let mut text = String::new();
    // Of each level above, whether its last group is behind.
    let mut ended: Vec<bool> = Vec::new();
    for twig in tree(groups) {
        ended.truncate(twig.depth.saturating_sub(1));
        let shown = ended.len().min(DEEPEST_DRAWN);
        for ended in &ended[..shown] {
            text.push_str(if *ended { "    " } else { "│   " });
        }
        if ended.len() > shown {
            // Every level more would make every line of it longer.
            text.push_str(&format!("… level {} ", twig.depth));
        }
        if twig.depth > 0 {
            text.push_str(if twig.last {
                "└── "
            } else {
                "├── "
            });
            ended.push(twig.last);
        }
        let EntityInfo {
            id,
            full_path,
            name,
            ..
        } = twig.group;
        let part = match (twig.depth, full_path.rsplit_once('/')) {
            (1.., Some((_, part))) => part,
            _ => full_path,
        };
        let id = visible(&id.to_string());
        text.push_str(&format!("{} ({id})  {}\n", visible(part), visible(name)));
    }
    text
}

/// As the list, and below each group its subgroups. Written by hand, because a tree may be deeper than the stack.
fn tree_json(groups: &[EntityInfo]) -> Result<String, Failure> {
    let mut text = String::from("[");
    let mut open = 0;
    for twig in tree(groups) {
        let is_first_below = twig.depth == open;
        while open > twig.depth {
            open -= 1;
            text.push_str("]}");
        }
        if !is_first_below || text.ends_with('}') {
            text.push(',');
        }
        let group =
            serde_json::to_string(twig.group).map_err(|error| Failure::new(Exit::Output, error))?;
        // An object of the list, with one key more.
        text.push_str(group.trim_end_matches('}'));
        text.push_str(",\"subgroups\":[");
        open += 1;
    }
    text.push_str(&"]}".repeat(open));
    text.push(']');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::KindId;

    fn groups(of: &[(i64, Option<i64>)]) -> Vec<EntityInfo> {
        of.iter()
            .map(|(id, parent_id)| EntityInfo {
                id: (*id).into(),
                key: (*id).into(),
                full_path: format!("g{id}"),
                name: format!("Name {id}}}"),
                parent_id: parent_id.map(EntityId::from),
                missing_parent: None,
                root: (*id).into(),
                kind: KindId::at(0),
                set: 0,
                shown: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn every_group_is_in_the_tree_once_whatever_its_parent() {
        let groups = groups(&[
            (1, None),
            (2, Some(1)),
            (3, Some(2)),
            (4, Some(1)),
            (5, Some(99)),
            (6, Some(7)),
            (7, Some(6)),
            (8, Some(8)),
        ]);
        let expected = "\
g1 (1)  Name 1}
├── g2 (2)  Name 2}
│   └── g3 (3)  Name 3}
└── g4 (4)  Name 4}
g5 (5)  Name 5}
g6 (6)  Name 6}
└── g7 (7)  Name 7}
g8 (8)  Name 8}
";
        assert_eq!(tree_text(&groups), expected);
        let json: Value = serde_json::from_str(&tree_json(&groups).unwrap()).unwrap();
        let names = |path: &str| json.pointer(path).map(|found| found["id"].clone());
        assert_eq!(names("/0/subgroups/0/subgroups/0"), Some(3.into()));
        assert_eq!(names("/0/subgroups/1"), Some(4.into()));
        assert_eq!(names("/2/subgroups/0"), Some(7.into()));
        assert_eq!(json.as_array().unwrap().len(), 4);
    }

    #[test]
    fn no_groups_are_an_empty_list() {
        assert_eq!(tree_json(&[]).unwrap(), "[]");
        assert_eq!(tree_text(&[]), "");
    }
}
