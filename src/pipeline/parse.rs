//! From a pipeline file's text to the model.

use sha2::{Digest, Sha256};

use super::error::{Mistake, PipelineError};
use super::file::PipelineFile;
use super::model::Pipeline;
use super::reading::{self, FileKind, read_tree};
use super::tree::Tree;
use super::validate;
use crate::hex;

/// The pipeline that is built in: what a GitLab group export holds.
pub const BUILTIN: &str = include_str!("../../pipelines/group.yml");

/// What a GitLab project export holds.
const PROJECT: &str = include_str!("../../pipelines/project.yml");

/// What messages call a pipeline file.
const PIPELINE_FILE: FileKind = FileKind {
    what: "pipeline",
    name: "pipeline file",
    begin: "`relexport pipeline show` prints one to begin with",
    docs: "docs/pipeline.md",
    fewer: "fewer of them, or shapes",
};

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
    /// of a hostile file make this costly: it reads at most [`MAX_BYTES`](super::MAX_BYTES) and expands into a bounded tree.
    pub fn parse(text: &str, source_name: &str) -> Result<Pipeline, PipelineError> {
        let fail = |mistakes| PipelineError {
            source_name: source_name.to_owned(),
            mistakes,
        };
        let file: PipelineFile =
            reading::read(text, &PIPELINE_FILE).map_err(|mistake| fail(vec![mistake]))?;
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
