//! What is wrong with a pipeline file.

use std::fmt;

use super::yaml::Position;

/// A mistake in a pipeline file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Line, counted from 1; 0 where the mistake is the whole file's.
    pub line: u64,
    /// Column in characters, counted from 1; 0 where the mistake is the whole file's.
    pub column: u64,
    pub message: String,
}

impl Mistake {
    pub(crate) fn new(position: Position, message: impl Into<String>) -> Self {
        Mistake {
            line: position.line,
            column: position.column,
            message: message.into(),
        }
    }
}

/// Why a pipeline file, or a redaction file, cannot be used: every mistake that was found, in the order of the file.
///
/// Shown as one line a mistake, `file:line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineError {
    /// The file as the user named it.
    pub source_name: String,
    /// Never empty.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            let Mistake {
                line,
                column,
                message,
            } = mistake;
            write!(
                f,
                "{separator}{}:{line}:{column}: {message}",
                self.source_name
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for PipelineError {}
