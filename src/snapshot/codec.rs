//! Codecs: bytes in, bytes out. Compression, chunks that end at row ends, COPY's text and CSV, members of a tar,
//! encodings other than UTF-8. None of them knows a catalog.

pub(crate) mod buffers;
pub mod chunks;
pub mod compression;
pub mod copy_text;
pub mod copy_walk;
pub mod csv_text;
pub mod csv_walk;
pub(crate) mod csv_write;
pub(crate) mod encoding;
#[cfg(test)]
pub(crate) mod faulty;
pub(crate) mod long_line;
pub(crate) mod read_errors;
pub(crate) mod row_form;
pub mod row_walk;
pub(crate) mod tar_members;
pub(crate) mod whole_member;
