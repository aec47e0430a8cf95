//! What a file's first bytes show it to be.

use crate::snapshot::codec::tar_members::is_old_header;
use crate::snapshot::sql::start::begins_like_sql;

/// What a file's first bytes, decompressed, show it to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Sql,
    Tar,
    /// pg_dump -Fc.
    CustomArchive,
    /// pg_dump -Ft.
    TarArchive,
    Unknown,
}

impl Content {
    pub(super) fn tell(start: &[u8]) -> Self {
        if start.starts_with(b"PGDMP") {
            return Content::CustomArchive;
        }
        // The magic of a tar header, of POSIX's kind and GNU's.
        if start.get(257..262) == Some(b"ustar") {
            // pg_dump writes its table of contents first.
            return match start.starts_with(b"toc.dat\0") {
                true => Content::TarArchive,
                false => Content::Tar,
            };
        }
        if is_old_header(start) {
            return Content::Tar;
        }
        let text = start
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(start)
            .trim_ascii_start();
        // What psql, ssh or docker said may stand before what pg_dump writes first.
        let is_sql = begins_like_sql(text)
            || text
                .split(|byte| *byte == b'\n')
                .any(|line| line.starts_with(b"-- PostgreSQL database "));
        match is_sql && !text.contains(&0) {
            true => Content::Sql,
            false => Content::Unknown,
        }
    }
}
