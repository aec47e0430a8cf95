//! Blocks of CSV, scanned whatever stands in them: no row is lost, and none is counted twice.

use proptest::prelude::*;

use super::*;
use crate::resolve::keys::RowOrder;
use crate::resolve::plan::LayoutColumn;
use crate::snapshot::codec::csv_walk::row_ends;
use crate::snapshot::{TableName, read_schema};

/// What comes before the block in its table.
const ROWS_BEFORE: u64 = 100;
const BYTES_BEFORE: u64 = 5_000;

/// Scans a block of CSV of two columns, all of whose rows are kept.
fn scan(text: &str) -> Scanned {
    let catalog = read_schema(b"CREATE TABLE public.t (a text, b text);").unwrap();
    let name = TableName::public("t");
    let definition = catalog.table(&name).unwrap();
    let columns: Vec<String> = ["a", "b"].map(str::to_owned).to_vec();
    let layout = columns.iter().map(|name| LayoutColumn {
        name: name.clone(),
        sql_type: definition.column(name).unwrap().1.sql_type.clone(),
        form: Some(KeyForm::Text),
    });
    let table = PlanTable {
        name: name.clone(),
        layout: layout.collect(),
        key: Vec::new(),
        key_order: RowOrder::default(),
        key_is_late: false,
        observed_by: Vec::new(),
        in_parts: false,
        relatives: Vec::new(),
        collected: Vec::new(),
    };
    let head = BlockHead {
        table: name,
        columns,
        form: RowForm::Csv,
    };
    let purpose = ScanFor {
        observed: true,
        texts: false,
    };
    let scanner = Scanner::new(&table, definition, &head, Vec::new(), purpose).unwrap();
    scanner.scan(&Block {
        head: Arc::new(head),
        range: 0..text.len(),
        buffer: Arc::new(text.as_bytes().to_vec()),
        offset: BYTES_BEFORE,
        first_row: ROWS_BEFORE,
        converted: None,
    })
}

/// The rows that were kept, as COPY text.
fn kept(scanned: &Scanned) -> Vec<&str> {
    let text = std::str::from_utf8(&scanned.observed).unwrap();
    text.lines().collect()
}

#[test]
fn a_row_that_does_not_split_costs_itself_alone() {
    let scanned = scan("1,a\n2,b\rc\n3,\"c\nd\"\n\"4\"\r,e\n5,f,g\n6,h\r\n");
    assert_eq!(scanned.rows, 6);
    assert_eq!(kept(&scanned), ["1\ta", "3\tc\\nd", "6\th"]);
    let bad = |row, offset, reason: &str| BadRow {
        row,
        offset,
        reason: reason.to_owned(),
    };
    let stray = "a carriage return stands outside quotes";
    assert_eq!(
        scanned.bad,
        [
            bad(102, 5_004, stray),
            bad(104, 5_018, stray),
            bad(105, 5_025, "3 fields, but the table's data has 2 columns"),
        ]
    );
    assert_eq!((scanned.bad_rows, scanned.broken), (3, None));
    let places: Vec<u64> = scanned.observed_positions.iter().map(|at| at.row).collect();
    assert_eq!(places, [101, 103, 106]);
}

#[test]
fn a_quote_that_stands_wrongly_breaks_the_table() {
    for (text, offset, reason) in [
        (
            "1,a\n2,b\"c\"\n3,d\n",
            5_007,
            "a quote stands inside an unquoted field",
        ),
        (
            "1,a\n2,\"b\"c\n3,d\n",
            5_009,
            "text follows the closing quote of a field",
        ),
        // The carriage return comes first, and is no reason to go on.
        (
            "1,a\n2,\rb\"c\"\n3,d\n",
            5_008,
            "a quote stands inside an unquoted field",
        ),
    ] {
        let scanned = scan(text);
        let broken = scanned.broken.as_ref().unwrap();
        assert_eq!((broken.row, broken.offset), (102, offset), "{text:?}");
        assert_eq!(broken.reason, reason, "{text:?}");
        assert_eq!(kept(&scanned), ["1\ta"], "{text:?}");
    }
}

proptest! {
    #[test]
    fn rows_that_are_kept_and_rows_that_are_told_as_bad_are_all_rows(
        rows in proptest::collection::vec("([a-c]{0,70}|\"([a,\n]|\"\"|\r\n){0,70}\"),[a-c]{0,3}\r?\n", 1..12),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), "[\r\",\na]?"), 0..4),
    ) {
        let mut text = rows.concat();
        for (at, instead) in damage {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            text.replace_range(at..=at, &instead);
        }
        // As the reader cuts blocks.
        let ends = row_ends(text.as_bytes());
        text.truncate(ends.end);
        let scanned = scan(&text);
        prop_assert_eq!(kept(&scanned).len() as u64 + scanned.bad_rows + u64::from(scanned.broken.is_some()), scanned.rows);
        match scanned.broken {
            None => prop_assert_eq!(scanned.rows, ends.rows),
            Some(_) => prop_assert!(text.contains('"')),
        }
    }
}
