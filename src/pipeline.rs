//! Pipelines: declarative files that say which rows a tenant's export holds and how they nest.
//!
//! A file's text is read into the types of `file`, checked and turned into the [`model`](Pipeline) that the rest of
//! the program works from. [`check`] holds a pipeline against a snapshot's catalog; [`json_schema`] describes the file
//! to editors. The format is described in `docs/pipeline.md`.

mod check;
mod columns;
mod conditions;
mod decoding;
mod dotted_name;
mod entity;
mod error;
mod file;
mod init;
mod misread;
mod model;
mod nested_values;
mod node;
mod node_keys;
mod notation;
mod parse;
mod reading;
mod relation;
mod scalar;
mod schema;
mod schemas;
mod table_key;
mod tree;
mod validate;
mod value_rule;
mod values;
mod ways;
mod where_file;
mod yaml;

#[cfg(test)]
mod tests;

pub use crate::entity_id::EntityId;
pub use check::keys::doubtful_keys;
pub use check::{Finding, Scope, Severity, check, lacks};
pub use decoding::{BytesRule, FixedKeys, KeysByValue, TaggedValues, YamlRoot, YamlRule};
pub use error::{Mistake, PipelineError};
pub(crate) use init::{InitOptions, init};
pub use model::*;
pub use parse::{BUILTIN, BUILTINS};
pub use reading::MAX_BYTES;
pub(crate) use reading::{FileKind, read as read_file};
pub use schema::json_schema;
pub use schemas::SchemaPattern;
pub use table_key::TableKey;
pub use value_rule::{
    Case, Digest, FileSlice, RepositoryRule, TemplatePart, TitlePart, ValuePath, ValueRule,
};
pub(crate) use yaml::{Entries, Located, Position, given};
