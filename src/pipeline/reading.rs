//! Reading a YAML file into types that know the place of every value, and saying what is wrong with it.

use serde::de::DeserializeOwned;
use serde_saphyr::options::{MergeKeyPolicy, Options};

use super::error::Mistake;
use super::misread;
use super::tree::Tree;
use super::yaml::Position;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// A kind of file, as messages call it.
pub(crate) struct FileKind {
    /// What it is: `pipeline`.
    pub what: &'static str,
    /// What a user names: `pipeline file`.
    pub name: &'static str,
    /// Where one comes from that is right.
    pub begin: &'static str,
    /// The page that describes it.
    pub docs: &'static str,
    /// What to do where anchors and aliases are too many.
    pub fewer: &'static str,
}

impl FileKind {
    /// A message, with the names of this kind put in.
    pub(super) fn named(&self, text: &str) -> String {
        text.replace("{file}", self.what)
            .replace("{name}", self.name)
            .replace("{begin}", self.begin)
            .replace("{fewer}", self.fewer)
    }
}

/// Reads a file.
///
/// # Errors
/// Text that is no YAML, or YAML of another shape (an unknown key, a list for a map): what follows it cannot be told
/// apart.
pub(crate) fn read<T: DeserializeOwned + Send>(text: &str, kind: &FileKind) -> Result<T, Mistake> {
    if text.len() > MAX_BYTES {
        let message = format!(
            "the file cannot be a {}: it has {} bytes, and at most {MAX_BYTES} are read; name a {}",
            kind.what,
            text.len(),
            kind.name,
        );
        return Err(Mistake::new(Position::default(), message));
    }
    let read = || serde_saphyr::from_str_with_options(text, options());
    with_deep_stack(read).map_err(|error| misread::mistake(&error, kind, &|| read_tree(text)))
}

/// Limits far above what such files need and far below what hurts.
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
pub(super) fn read_tree(text: &str) -> Option<Tree> {
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
