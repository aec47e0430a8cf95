//! Redaction: what is written in place of columns' values, by a file that the user gives.
//!
//! [`Redaction`] is the file (`file`, `parse`), with the secret key by which values are hashed (`key`). Laid over a plan
//! it becomes [`Masks`], one for each column that has a rule. The renderer asks them wherever it reads a column in order
//! to write it, and nowhere else: rows are found, tested and ordered by what the snapshot holds. `mask` makes the value
//! that is written, in COPY's text form like the one that it stands for, so that codecs and value rules see no
//! difference; `json` goes into JSON, `texts` makes one text of another. `written` says which columns are written at
//! all, `strict` what a file leaves open of them, `first_file` makes a first one.

mod file;
mod first_file;
mod json;
mod key;
mod mask;
mod masks;
mod parse;
mod pseudonyms;
mod rule;
mod schema;
mod strict;
mod texts;
mod written;

pub(crate) use first_file::first_file;
pub(crate) use key::RedactionKey;
pub(super) use mask::Mask;
pub(super) use masks::{Masks, masks};
pub use parse::Redaction;
pub(crate) use schema::json_schema;
