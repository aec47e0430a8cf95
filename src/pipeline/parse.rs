//! From a pipeline file's text to the model.

use serde_saphyr::options::{MergeKeyPolicy, Options};
use sha2::{Digest, Sha256};

use super::error::{Mistake, PipelineError};
use super::file::PipelineFile;
use super::misread;
use super::model::Pipeline;
use super::tree::Tree;
use super::validate;
use super::yaml::Position;
use crate::hex;

/// The pipeline that is built in: what a GitLab group export holds.
pub const BUILTIN: &str = include_str!("../../pipelines/group.yml");

/// What a GitLab project export holds.
const PROJECT: &str = include_str!("../../pipelines/project.yml");

/// The largest pipeline file that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// The pipelines that are built in, by their names: what a kind of entity lies within stands before it.
pub const BUILTINS: &[(&str, &str)] = &[("group", BUILTIN), ("project", PROJECT)];

impl Pipeline {
    /// The pipeline of [`BUILTIN`].
    pub fn builtin() -> Pipeline {
        Pipeline::of_program("group", BUILTIN)
    }

    /// The pipeline of this name that is built in, if there is one.
    pub fn builtin_named(name: &str) -> Option<Pipeline> {
        let mut all = BUILTINS.iter();
        let (name, text) = all.find(|(own, _)| *own == name)?;
        Some(Pipeline::of_program(name, text))
    }

    fn of_program(name: &str, text: &str) -> Pipeline {
        // The text is part of the program, and a test of this module parses it.
        #[expect(
            clippy::expect_used,
            reason = "the built-in files are proved right by a test"
        )]
        Pipeline::parse(text, &format!("pipelines/{name}.yml"))
            .expect("the built-in pipelines are right")
    }

    /// Reads a pipeline file. `source_name` is what messages call it.
    ///
    /// Text that is no YAML, or YAML of another shape (an unknown key, a list for a map), is reported alone: what
    /// follows it cannot be told apart. Every other mistake is found in one go. Neither size nor aliases nor nesting
    /// of a hostile file make this costly: it reads at most [`MAX_BYTES`] and expands into a bounded tree.
    pub fn parse(text: &str, source_name: &str) -> Result<Pipeline, PipelineError> {
        let fail = |mistakes| PipelineError {
            source_name: source_name.to_owned(),
            mistakes,
        };
        if text.len() > MAX_BYTES {
            let message = format!(
                "the file cannot be a pipeline: it has {} bytes, and at most {MAX_BYTES} are read; name a pipeline file",
                text.len()
            );
            return Err(fail(vec![Mistake::new(Position::default(), message)]));
        }
        let read = || serde_saphyr::from_str_with_options(text, options());
        let file: PipelineFile = with_deep_stack(read)
            .map_err(|error| fail(vec![misread::mistake(&error, &|| read_tree(text))]))?;
        // The program's own text is right, and read at every start.
        let empty = match BUILTINS.iter().any(|(_, own)| text == *own) {
            true => Vec::new(),
            false => empty_keys(read_tree(text).as_ref()),
        };
        match validate::pipeline(&file, text, sha256(text)) {
            Ok(pipeline) if empty.is_empty() => Ok(pipeline),
            Ok(_) => Err(fail(empty)),
            Err(mut mistakes) => {
                mistakes.extend(empty);
                mistakes.sort();
                Err(fail(mistakes))
            }
        }
    }
}

/// Limits far above what a pipeline needs and far below what hurts.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_nodes: 500_000,
            max_events: 1_000_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 1,
        },
        merge_keys: MergeKeyPolicy::Merge,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 16,
        },
        // A condition's 007 is a text, and so is 1_000; only what reads as a number anywhere is one.
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        // No table, column or other name is a number or true, unless it is in quotes.
        no_schema: true,
        reject_unsupported_tags: true,
    }
}

/// Bytes of stack for reading a file: beyond what its greatest depth takes.
const READING_STACK: usize = 64 << 20;

/// The file as plain YAML; `None` if it is none.
fn read_tree(text: &str) -> Option<Tree> {
    with_deep_stack(|| serde_saphyr::from_str_with_options(text, options()).ok())
}

/// Reads on a thread of its own, because readers recurse as deep as a hostile file is nested.
fn with_deep_stack<T: Send>(read: impl Fn() -> T + Sync) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(READING_STACK);
        match thread.spawn_scoped(scope, &read) {
            Ok(reader) => reader
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // Without a thread it has the stack that there is.
            Err(_) => read(),
        }
    })
}

/// Keys without a value. Their types would take them for keys that are not there.
fn empty_keys(tree: Option<&Tree>) -> Vec<Mistake> {
    let keys = tree.map(Tree::empty_keys).unwrap_or_default().into_iter();
    keys.map(|(position, path)| {
        let message = format!("`{path}` has no value; give it one, or leave the key out");
        Mistake::new(position, message)
    })
    .collect()
}

fn sha256(text: &str) -> String {
    hex::encode(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_pipelines_are_right() {
        for (name, text) in BUILTINS {
            match Pipeline::parse(text, name) {
                Ok(pipeline) => assert_eq!(pipeline.name, *name),
                Err(error) => panic!("{error}"),
            }
            assert_eq!(empty_keys(read_tree(text).as_ref()), []);
        }
    }
}
