//! Values that do not stand in rows: parts of files of external diffs, and what repositories say.

use std::borrow::Cow;
use std::ops::Range;

use super::Why;
use super::compile::Node;
use super::record::Job;
use super::value::FilePart;
use crate::export::values::{self, ValueError, decode};
use crate::pipeline::BytesRule;
use crate::resolve::CopyFields;

/// Bytes of a part of a file that are read at most. The pipeline lets through far less; a row may say anything.
const LARGEST_PART: u64 = 16 << 20;

/// Why it is not known what a repository says.
#[derive(Debug, Clone)]
pub(in crate::export) struct Unread {
    pub reason: String,
    /// Another time it may be known: of the disk, and not of what lies on it.
    pub may_pass: bool,
}

/// What values are taken from beside rows: the files of a backup.
pub(in crate::export) trait FileValues: Send + Sync {
    /// Bytes of a file of external diffs; `None` if there is no such file, or it does not reach that far.
    ///
    /// # Errors
    /// Why it is not known what the file holds.
    fn external_diff(&self, path: &str, bytes: Range<u64>) -> Result<Option<Vec<u8>>, String>;

    /// The object id of a branch in a project's repository; `None` if there is no such branch, or no repository.
    ///
    /// # Errors
    /// Why the repository's references cannot be read.
    fn branch(&self, project: i64, branch: &str) -> Result<Option<String>, Unread>;

    /// The name of the default branch of a project's repository.
    ///
    /// # Errors
    /// As of [`FileValues::branch`].
    fn default_branch(&self, project: i64) -> Result<Option<String>, Unread>;
}

/// Writes what stands for no bytes at all.
pub(super) fn write_nothing(rule: BytesRule, out: &mut Vec<u8>) {
    out.extend_from_slice(match rule.blank_as_empty {
        true => b"\"\"",
        false => b"null",
    });
}

/// Writes bytes as text.
pub(super) fn write_bytes(bytes: &[u8], rule: BytesRule, out: &mut Vec<u8>) {
    let decoded = rule.base64.then(|| decode::decode_base64(bytes)).flatten();
    // What the column itself holds is blank or not.
    let is_blank = rule.blank_as_empty && decode::is_blank(&decode::to_utf8(bytes));
    let text = match &decoded {
        _ if is_blank => Cow::Borrowed(""),
        Some(decoded) => decode::to_utf8(decoded),
        None => decode::to_utf8(bytes),
    };
    values::write_json_str(&text, out);
}

impl<'a> Job<'a> {
    /// Writes a part of a file. One that is not there is an empty text.
    pub(super) fn write_of_file(
        &mut self,
        node: &'a Node,
        part: &FilePart,
        column: usize,
        row: &CopyFields<'_>,
    ) -> Result<(), String> {
        let said = |error: ValueError| error.to_string();
        let path = self.path_of(&part.path, row).map_err(said)?;
        let path = String::from_utf8_lossy(&path).into_owned();
        let number = |column: usize| match values::is_null(row.field(column)) {
            true => Some(0),
            false => integer(row.field(column)).and_then(|number| u64::try_from(number).ok()),
        };
        let number = |column: Option<usize>| column.and_then(number);
        let bytes = number(part.offset).zip(number(part.size));
        let bytes = bytes.and_then(|(offset, size)| Some(offset..offset.checked_add(size)?));
        let bytes = bytes.filter(|bytes| bytes.end - bytes.start <= LARGEST_PART);
        let found = match (&self.renderer.files, bytes) {
            (Some(files), Some(bytes)) => files.external_diff(&path, bytes),
            (None, _) | (_, None) => Ok(None),
        };
        match found {
            // It may be there, so the record is not whole without it.
            Err(reason) if !self.renderer.keep_going => return Err(reason),
            Err(reason) => {
                self.rendered.content.extend_from_slice(b"\"\"");
                self.note_column(node, column, row, Why::LostFile(reason));
            }
            Ok(Some(bytes)) => write_bytes(&bytes, part.bytes, &mut self.rendered.content),
            Ok(None) => {
                self.rendered.content.extend_from_slice(b"\"\"");
                let told = self.text_of(node, &part.path, row).map_err(said)?;
                let told = String::from_utf8_lossy(&told).into_owned();
                self.note_column(node, column, row, Why::MissingFile(told));
            }
        }
        Ok(())
    }

    /// Writes what a project's repository says; null if it says nothing.
    pub(super) fn write_of_repository(
        &mut self,
        node: &Node,
        (project, branch): (usize, Option<usize>),
        column: usize,
        row: &CopyFields<'_>,
    ) -> Result<(), String> {
        let id = row.field(project);
        let id = match values::is_null(id) {
            true => None,
            false => integer(id),
        };
        let name = match branch.map(|branch| row.field(branch)) {
            None => None,
            Some(raw) if values::is_null(raw) => Some(None),
            Some(raw) => {
                let name = values::decode_copy(raw).map_err(|error| error.to_string())?;
                Some(Some(String::from_utf8_lossy(&name).into_owned()))
            }
        };
        let found = match (&self.renderer.files, id, name) {
            (None, ..) | (_, None, _) | (_, _, Some(None)) => Ok(None),
            (Some(files), Some(id), Some(Some(branch))) => files.branch(id, &branch),
            (Some(files), Some(id), None) => files.default_branch(id),
        };
        match found {
            Ok(Some(text)) => values::write_json_str(&text, &mut self.rendered.content),
            Ok(None) => self.rendered.content.extend_from_slice(b"null"),
            // A record without it would be kept by a run that could know it.
            Err(unread) if unread.may_pass && !self.renderer.keep_going => {
                return Err(unread.reason);
            }
            Err(unread) => {
                self.rendered.content.extend_from_slice(b"null");
                self.note_column(node, column, row, Why::Repository(unread.reason));
            }
        }
        Ok(())
    }
}

/// An integer in COPY text.
fn integer(raw: &[u8]) -> Option<i64> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}
