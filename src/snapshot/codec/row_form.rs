//! The forms that rows of text come in.

/// How the bytes of a block split into rows and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowForm {
    /// COPY's text format: fields end at TAB, rows at LF, `\N` is NULL.
    CopyText,
    /// COPY's CSV format: an unquoted empty field is NULL, a quoted field may hold line ends.
    Csv,
}
