//! The comments that frame a plain dump: what it says of itself, and whether it is complete.
//!
//! pg_dump begins with `-- PostgreSQL database dump` and ends with `-- PostgreSQL database dump
//! complete`; pg_dumpall does so for the cluster and, within, for each database.

use super::SnapshotFacts;

/// What the comments so far have said.
#[derive(Debug, Default)]
pub(super) struct DumpFrame {
    pub(super) facts: SnapshotFacts,
    database_open: bool,
    cluster_open: bool,
}

impl DumpFrame {
    /// Takes a line that stands between statements.
    pub(super) fn comment(&mut self, line: &[u8]) {
        let Some(text) = line.strip_prefix(b"-- ") else {
            return;
        };
        let text = String::from_utf8_lossy(text);
        let text = text.trim_end();
        match text {
            "PostgreSQL database dump" => self.database_open = true,
            "PostgreSQL database dump complete" => self.database_open = false,
            "PostgreSQL database cluster dump" => self.cluster_open = true,
            "PostgreSQL database cluster dump complete" => self.cluster_open = false,
            _ => {}
        }
        // The distribution follows the version: `15.18 (Debian 15.18-0+deb12u1)`.
        let version = |text: &str| text.split_whitespace().next().map(str::to_owned);
        if let Some(rest) = text.strip_prefix("Dumped from database version ") {
            self.facts.server_version = version(rest);
        } else if let Some(rest) = text.strip_prefix("Dumped by pg_dump version ") {
            self.facts.dump_version = version(rest);
        } else if let Some(rest) = text.strip_prefix("Started on ") {
            // Only with --verbose.
            self.facts.taken_at = Some(rest.to_owned());
        }
    }

    /// True where a dump has begun that has not said that it is complete.
    pub(super) fn is_open(&self) -> bool {
        self.database_open || self.cluster_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_says_what_it_is() {
        let mut frame = DumpFrame::default();
        let lines = [
            "--",
            "-- PostgreSQL database dump",
            "\\restrict abc",
            "-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)",
            "-- Dumped by pg_dump version 16.2",
            "-- Started on 2024-01-02 03:04:05 UTC\r",
        ];
        for line in lines {
            frame.comment(line.as_bytes());
        }
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(frame.facts.server_version, text("15.18"));
        assert_eq!(frame.facts.dump_version, text("16.2"));
        assert_eq!(frame.facts.taken_at, text("2024-01-02 03:04:05 UTC"));
        assert!(frame.is_open());
        frame.comment(b"-- PostgreSQL database dump complete");
        assert!(!frame.is_open());
    }

    #[test]
    fn a_cluster_dump_is_open_until_its_own_end() {
        let mut frame = DumpFrame::default();
        frame.comment(b"-- PostgreSQL database cluster dump");
        frame.comment(b"-- PostgreSQL database dump");
        frame.comment(b"-- PostgreSQL database dump complete");
        assert!(frame.is_open());
        frame.comment(b"-- PostgreSQL database cluster dump complete");
        assert!(!frame.is_open());
    }
}
