//! What a field can be instead of a value of its type.

/// Why a field cannot be written.
///
/// An error says what the value should have been and never holds any of it: errors reach logs and
/// the manifest, and a cell of the database must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// `at` counts bytes of the value, after COPY's escapes are undone.
    #[error("the value is not valid in the snapshot's encoding from its byte {at} on")]
    InvalidUtf8 { at: usize },
    /// PostgreSQL never ends a field with a lone backslash; the row was cut or split wrongly.
    #[error("the field ends inside a backslash escape")]
    UnfinishedEscape,
    /// No text of PostgreSQL has this byte, in any encoding.
    #[error(
        "the value has an escape that stands for a zero byte, which no value of PostgreSQL has"
    )]
    ZeroByte,
    #[error("the value is not an integer of 64 bits")]
    NotAnInteger,
    #[error("the value is not a boolean (t or f)")]
    NotABoolean,
    #[error("the value is not a timestamp such as 2024-01-02 03:04:05.678901")]
    NotATimestamp,
    #[error("the value is not a timestamp with an offset such as 2024-01-02 03:04:05.678901+00")]
    NotATimestampTz,
    #[error("the value is not a date such as 2024-01-02")]
    NotADate,
    #[error("the value is not a decimal number")]
    NotANumeric,
    #[error("the value is not a floating-point number")]
    NotAFloat,
    /// `at` counts bytes of the value, after COPY's escapes are undone.
    #[error("the value is not valid JSON from its byte {at} on")]
    InvalidJson { at: usize },
    /// `at` counts bytes of the value, after COPY's escapes are undone.
    #[error("the value is not a valid array literal from its byte {at} on")]
    InvalidArray { at: usize },
    #[error("the value is not a byte string in PostgreSQL's hex or escape form")]
    NotABytea,
}
