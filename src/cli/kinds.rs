//! From arguments to the kinds of entity of a run: which pipelines, and which of their entities.
//!
//! `--group` names entities that lie within no others, `--project` those that lie within them.

use std::path::PathBuf;

use crate::pipeline::{BUILTINS, Edition, Pipeline};
use crate::resolve::{Choice, KindChoice, is_named};

use super::args::EntityArgs;
use super::exit::Failure;
use super::setup::load_pipeline;

/// The kinds of a run, each behind the one that its entities lie within. A kind of which nothing is wanted is there if another
/// one lies within it.
///
/// # Errors
/// Wrong usage, and files that are no pipelines.
pub(crate) fn kinds(files: &[PathBuf], wanted: &EntityArgs) -> Result<Vec<KindChoice>, Failure> {
    let wants_inner = wanted.with_projects || wanted.all_projects || !wanted.project.is_empty();
    let given = files.len();
    let pipelines = pipelines(files, wants_inner)?;
    let inner: Vec<&str> = pipelines
        .iter()
        .filter(|it| is_inner(it))
        .map(name)
        .collect();
    let outer: Vec<&str> = pipelines
        .iter()
        .filter(|it| !is_inner(it))
        .map(name)
        .collect();
    let one_of = |names: &[&str], option: &str| match names {
        [] | [_] => Ok(()),
        several => Err(Failure::usage(format!(
            "cannot tell whom {option} names: pipelines {} take such entities\n  give one of them at a time",
            several.join(", ")
        ))),
    };
    if !wanted.group.is_empty() {
        one_of(&outer, "--group")?;
    }
    if !wanted.project.is_empty() {
        one_of(&inner, "--project")?;
    }
    if wants_inner && inner.is_empty() {
        return Err(Failure::usage(
            "cannot take what lies within others: no pipeline of the run says `within`\n  name one that does with --pipeline",
        ));
    }
    let choice = |pipeline: &Pipeline| match is_inner(pipeline) {
        false if wanted.all_groups => Choice::All,
        false => Choice::Named {
            names: wanted.group.clone(),
            descendants: wanted.subgroups,
        },
        true if wanted.all_projects => Choice::All,
        true if wanted.with_projects => Choice::Within {
            names: wanted.project.clone(),
        },
        true => Choice::Named {
            names: wanted.project.clone(),
            descendants: false,
        },
    };
    let mut kinds: Vec<(bool, KindChoice)> = pipelines
        .into_iter()
        .enumerate()
        .map(|(position, pipeline)| {
            let choice = choice(&pipeline);
            (position < given, KindChoice { pipeline, choice })
        })
        .collect();
    if wanted.with_projects
        && kinds
            .iter()
            .all(|(_, kind)| is_inner(&kind.pipeline) || kind.choice.is_nobody())
    {
        return Err(Failure::usage(
            "cannot take what lies within groups: no group is named\n  name one with --group, or all with --all-groups",
        ));
    }
    // What is in nobody's way and that nobody lies within is not needed.
    while let Some(position) = kinds.iter().position(|(_, kind)| {
        let mut others = kinds.iter().map(|(_, other)| other);
        kind.choice.is_nobody()
            && !others.any(|other| within(&other.pipeline) == Some(name(&kind.pipeline)))
    }) {
        let (is_given, unused) = kinds.remove(position);
        if is_given {
            let options = match is_inner(&unused.pipeline) {
                true => "--project, --with-projects or --all-projects",
                false => "--group or --all-groups",
            };
            return Err(Failure::usage(format!(
                "pipeline {} has nothing to take: no {} is asked for\n  ask by {options}, or leave the pipeline out",
                unused.pipeline.name, unused.pipeline.entity.kind
            )));
        }
    }
    in_order(kinds.into_iter().map(|(_, kind)| kind).collect())
}

/// All entities of the given pipelines, or of the built-in ones, and of what they lie within.
///
/// # Errors
/// Files that are no pipelines, or do not go together.
pub(crate) fn all_kinds(files: &[PathBuf]) -> Result<Vec<KindChoice>, Failure> {
    let pipelines = pipelines(files, files.is_empty())?;
    let kinds = pipelines.into_iter().map(|pipeline| KindChoice {
        pipeline,
        choice: Choice::All,
    });
    in_order(kinds.collect())
}

/// The pipelines of kinds. The table of the first one's entities tells a database from others.
pub(crate) fn pipelines_of(kinds: &[KindChoice]) -> Vec<&Pipeline> {
    kinds.iter().map(|kind| &kind.pipeline).collect()
}

/// The pipelines of the run: the given files, the built-in ones if there is none, and what they lie within.
fn pipelines(files: &[PathBuf], wants_inner: bool) -> Result<Vec<Pipeline>, Failure> {
    let mut pipelines: Vec<Pipeline> = Vec::new();
    for file in files {
        let pipeline = load_pipeline(file)?;
        if pipelines.iter().any(|other| other.name == pipeline.name) {
            return Err(Failure::usage(format!(
                "two pipelines have the name {}\n  name each once, or give one of them another name",
                pipeline.name
            )));
        }
        pipelines.push(pipeline);
    }
    if files.is_empty() && !wants_inner {
        pipelines.push(Pipeline::builtin());
    }
    if wants_inner && !pipelines.iter().any(is_inner) {
        if files.is_empty() {
            pipelines.push(Pipeline::builtin());
        }
        // A changed file of what is built in goes with the others that are.
        let built_in = BUILTINS.iter();
        let built_in = built_in.filter_map(|(name, _)| Pipeline::builtin_named(name));
        let inner: Vec<Pipeline> = built_in
            .filter(|inner| {
                let mut outer = pipelines.iter();
                outer.any(|outer| within(inner) == Some(name(outer)))
            })
            .collect();
        pipelines.extend(inner);
    }
    // What they lie within, as far as it is not there.
    let mut position = 0;
    while let Some(pipeline) = pipelines.get(position) {
        position += 1;
        let Some(outer) = within(pipeline) else {
            continue;
        };
        if pipelines.iter().any(|other| other.name == outer) {
            continue;
        }
        let Some(built_in) = Pipeline::builtin_named(outer) else {
            return Err(Failure::usage(format!(
                "pipeline {} says that its entities lie within those of pipeline {outer}, which is not there\n  \
                 name that one, too, with --pipeline",
                pipeline.name
            )));
        };
        pipelines.push(built_in);
    }
    Ok(pipelines)
}

/// Puts each kind behind the one that its entities lie within; otherwise they stay in their order.
fn in_order(mut kinds: Vec<KindChoice>) -> Result<Vec<KindChoice>, Failure> {
    let mut ordered: Vec<KindChoice> = Vec::new();
    while !kinds.is_empty() {
        let next = kinds.iter().position(|kind| {
            let outer = within(&kind.pipeline);
            let mut before = ordered.iter();
            outer.is_none_or(|outer| before.any(|other| other.pipeline.name == outer))
        });
        let Some(next) = next else {
            let names: Vec<&str> = kinds.iter().map(|kind| name(&kind.pipeline)).collect();
            return Err(Failure::usage(format!(
                "the entities of pipelines {} lie within each other in a circle\n  leave one `within` out",
                names.join(", ")
            )));
        };
        ordered.push(kinds.remove(next));
    }
    check_prefixes(&ordered)?;
    Ok(ordered)
}

/// Makes sure that entities of two kinds do not go to the same folder.
fn check_prefixes(kinds: &[KindChoice]) -> Result<(), Failure> {
    for (position, kind) in kinds.iter().enumerate() {
        let prefix = &kind.pipeline.entity.prefix;
        let mut before = kinds[..position].iter();
        if let Some(other) = before.find(|other| other.pipeline.entity.prefix == *prefix) {
            return Err(Failure::usage(format!(
                "pipelines {} and {} send entities to the same folder: both say the prefix {prefix}\n  \
                 say another one in one of them",
                other.pipeline.name, kind.pipeline.name
            )));
        }
    }
    Ok(())
}

/// Makes sure that relations which have a batch size of their own are there, and are cut into batches.
///
/// # Errors
/// Wrong usage.
pub(crate) fn check_batched(
    names: &[String],
    edition: Edition,
    kinds: &[KindChoice],
) -> Result<(), Failure> {
    check_relations(names, edition, kinds)?;
    for name in names {
        let pipelines = kinds.iter().map(|kind| &kind.pipeline);
        let mut meant = pipelines.flat_map(|pipeline| {
            let relations = pipeline.relations.iter();
            relations.filter(|relation| is_named(name, &pipeline.name, &relation.name))
        });
        if meant.all(|relation| !relation.batched) {
            return Err(Failure::usage(format!(
                "cannot give relation {name} a batch size: it is never cut into batches\n  leave it out of --batch-size"
            )));
        }
    }
    Ok(())
}

/// Makes sure that relations which are asked for by name are there, and belong to the edition.
///
/// # Errors
/// Wrong usage.
pub(crate) fn check_relations(
    names: &[String],
    edition: Edition,
    kinds: &[KindChoice],
) -> Result<(), Failure> {
    let wanted: Vec<&Pipeline> = kinds
        .iter()
        .filter(|kind| !kind.choice.is_nobody())
        .map(|kind| &kind.pipeline)
        .collect();
    let all = || {
        wanted.iter().flat_map(|pipeline| {
            let relations = pipeline.relations.iter();
            relations.map(move |relation| (*pipeline, relation))
        })
    };
    for name in names {
        let mut meant = all()
            .filter(|(pipeline, relation)| is_named(name, &pipeline.name, &relation.name))
            .peekable();
        if meant.peek().is_none() {
            let shown = |(pipeline, relation): (&Pipeline, &crate::pipeline::Relation)| match wanted
                .len()
            {
                1 => relation.name.clone(),
                _ => format!("{}.{}", pipeline.name, relation.name),
            };
            let names: Vec<String> = all().map(shown).collect();
            let lack = match wanted.as_slice() {
                [only] => format!("pipeline {} does not have it\n  its", only.name),
                _ => "no pipeline of the run has it\n  their".to_owned(),
            };
            return Err(Failure::usage(format!(
                "cannot export relation {name}: {lack} relations are: {}",
                names.join(", ")
            )));
        }
        if edition == Edition::Ce && meant.all(|(_, relation)| relation.ee) {
            return Err(Failure::usage(format!(
                "cannot export relation {name}: edition ce does not have it\n  leave out --edition ce, or the relation"
            )));
        }
    }
    Ok(())
}

fn name(pipeline: &Pipeline) -> &str {
    &pipeline.name
}

fn within(pipeline: &Pipeline) -> Option<&str> {
    let within = pipeline.entity.within.as_ref();
    within.map(|within| within.pipeline.as_str())
}

fn is_inner(pipeline: &Pipeline) -> bool {
    pipeline.entity.within.is_some()
}
