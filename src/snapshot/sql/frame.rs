//! The lines that frame a plain dump: what it says of itself, and whether it is complete.
//!
//! pg_dump begins with `-- PostgreSQL database dump` and ends with `-- PostgreSQL database dump
//! complete`; pg_dumpall does so for the cluster and, within, for each database. Since August 2025 `\restrict` stands behind
//! the first of these lines and `\unrestrict` behind the last, also where comments were taken out.

use std::collections::HashSet;

use crate::snapshot::catalog::Catalog;
use crate::snapshot::facts::{Holdings, SnapshotFacts};
use crate::snapshot::table_name::TableName;

/// What the comments so far have said.
#[derive(Debug, Default)]
pub(crate) struct DumpFrame {
    pub(crate) facts: SnapshotFacts,
    database_open: bool,
    cluster_open: bool,
    /// `\\restrict` has come, and not what ends it.
    restricted: bool,
    data: DataSeen,
}

/// Of which tables data went by, as statements and the headings before them say it.
#[derive(Debug, Default)]
struct DataSeen {
    /// Tables that a statement with rows named.
    named: HashSet<TableName>,
    /// Tables under pg_dump's heading for a table's data. An empty table has the heading and no INSERT.
    headings: HashSet<TableName>,
    /// The last heading, as long as no statement with rows followed it.
    heading: Option<TableName>,
    /// The table of the last heading, until something else begins.
    section: Option<TableName>,
    any_heading: bool,
    copies: bool,
    inserts: bool,
    /// Tables whose rows have a column that their definition lacks.
    contradicted: HashSet<TableName>,
}

impl DataSeen {
    /// True for a table whose data went by, if only to say that it has no row. Every table of a dump of COPY has its
    /// COPY. INSERTs without headings are somebody's own SQL, in which an empty table leaves no trace.
    fn has(&self, table: &TableName) -> bool {
        let silent =
            !self.copies && (self.headings.contains(table) || self.inserts && !self.any_heading);
        self.named.contains(table) || silent
    }
}

impl DumpFrame {
    /// Takes a line that stands between statements. True if the data of a table begins behind it, or ends before it.
    pub(crate) fn comment(&mut self, line: &[u8]) -> bool {
        if line.starts_with(b"\\restrict ") {
            self.restricted = true;
        } else if line.starts_with(b"\\unrestrict ") {
            self.restricted = false;
        }
        let Some(text) = line.strip_prefix(b"-- ") else {
            return false;
        };
        let text = String::from_utf8_lossy(text);
        let text = text.trim_end();
        // A heading belongs to the statement that follows it.
        let heading = data_heading(text);
        let is_end = heading.is_some() || text.starts_with("Name: ") || text.ends_with(" complete");
        if is_end {
            self.end_heading();
            self.data.section.clone_from(&heading);
            self.data.any_heading |= heading.is_some();
            self.data.heading = heading;
        }
        match text {
            "PostgreSQL database dump" => self.database_open = true,
            "PostgreSQL database dump complete" => {
                self.database_open = false;
                self.restricted = false;
            }
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
        is_end
    }

    /// True in what pg_dumpall wrote, of a server with all its databases.
    pub(crate) fn is_of_cluster(&self) -> bool {
        self.cluster_open
    }

    /// What follows is data of this table, as a heading says it.
    pub(crate) fn begin_section(&mut self, table: TableName) {
        self.data.section = Some(table);
    }

    /// The table that the rows of a statement stand in, which names `table`: under the heading of a partition of it that
    /// partition, which pg_dump loads by way of its root.
    pub(crate) fn stands_in(&self, table: TableName, catalog: &Catalog) -> TableName {
        match &self.data.section {
            Some(part) if catalog.is_partition_below(part, &table) => part.clone(),
            _ => table,
        }
    }

    /// The table under the last heading has no row.
    fn end_heading(&mut self) {
        self.data.headings.extend(self.data.heading.take());
    }

    /// True if a statement with rows of the table went by.
    pub(crate) fn has_rows_of(&self, table: &TableName) -> bool {
        self.data.named.contains(table)
    }

    /// A statement with rows begins: a COPY, or else an INSERT.
    pub(crate) fn rows_of(&mut self, table: &TableName, is_copy: bool) {
        self.data.copies |= is_copy;
        self.data.inserts |= !is_copy;
        // Rows under another table's heading say nothing of that one.
        self.data.heading = None;
        if !self.data.named.contains(table) {
            self.data.named.insert(table.clone());
        }
    }

    /// The columns that a statement names for the rows of a table.
    pub(crate) fn columns_of(&mut self, table: &TableName, columns: &[String], catalog: &Catalog) {
        if catalog.undefined_column(table, columns).is_some() {
            self.data.contradicted.insert(table.clone());
        }
    }

    /// Where the dump's definitions and its data do not match, once it has ended.
    pub(crate) fn holdings(&mut self, catalog: &Catalog) -> Holdings {
        self.end_heading();
        let mut holdings = catalog.holdings(self.data.named.iter(), |table| self.data.has(table));
        holdings.undefined.extend(self.data.contradicted.drain());
        holdings.undefined.sort();
        holdings.undefined.dedup();
        holdings
    }

    /// True where a dump has begun that has not said that it is complete.
    pub(crate) fn is_open(&self) -> bool {
        self.database_open || self.cluster_open || self.restricted
    }
}

/// The table of `Data for Name: labels; Type: TABLE DATA; Schema: public; Owner: gitlab`.
fn data_heading(text: &str) -> Option<TableName> {
    let rest = text.strip_prefix("Data for Name: ")?;
    let (name, rest) = rest.rsplit_once("; Type: TABLE DATA; Schema: ")?;
    let schema = rest.rsplit_once("; Owner: ").map_or(rest, |parts| parts.0);
    Some(TableName::new(schema, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(table: &str) -> Vec<u8> {
        format!("-- Data for Name: {table}; Type: TABLE DATA; Schema: public; Owner: -").into()
    }

    #[test]
    fn an_empty_table_has_a_heading_where_others_have_inserts() {
        let [full, empty, other] = ["full", "empty", "other"].map(TableName::public);
        for is_copy in [false, true] {
            let mut frame = DumpFrame::default();
            frame.comment(&heading("full"));
            frame.rows_of(&full, is_copy);
            frame.comment(&heading("empty"));
            frame.comment(b"-- Name: labels_pkey; Type: CONSTRAINT; Schema: public; Owner: -");
            assert!(frame.data.has(&full));
            // Among COPYs a heading without one is a COPY that was lost.
            assert_eq!(frame.data.has(&empty), !is_copy);
            assert!(!frame.data.has(&other));
        }
    }

    #[test]
    fn rows_of_another_table_under_a_heading_leave_its_own_without_data() {
        let mut frame = DumpFrame::default();
        frame.comment(&heading("labels"));
        frame.rows_of(&TableName::public("labelz"), false);
        frame.comment(b"-- PostgreSQL database dump complete");
        assert!(!frame.data.has(&TableName::public("labels")));
    }

    #[test]
    fn without_headings_a_table_without_inserts_is_empty() {
        let mut frame = DumpFrame::default();
        let empty = TableName::public("empty");
        assert!(!frame.data.has(&empty), "no data at all");
        frame.rows_of(&TableName::public("full"), false);
        assert!(frame.data.has(&empty));
        frame.rows_of(&TableName::public("copied"), true);
        assert!(!frame.data.has(&empty));
    }

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
    fn a_dump_without_comments_is_open_until_it_is_unrestricted() {
        let mut frame = DumpFrame::default();
        assert!(!frame.is_open());
        frame.comment(b"\\restrict abc\r");
        assert!(frame.is_open());
        frame.comment(b"\\unrestrict abc\r");
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
