//! Any bytes as a plain dump: every block that is handed out ends at a row's end, and rows are counted right.
#![no_main]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::{Event, PlainDump, StreamSource};

fuzz_target!(|bytes: &[u8]| {
    let dump = PlainDump::new(Box::new(Cursor::new(bytes.to_vec())), "fuzz", None);
    let mut rows = BTreeMap::new();
    let _ = Box::new(dump).read(&|_| true, &mut |event| {
        match event {
            Event::Begin(head) => {
                rows.insert(head.table.clone(), 0);
            }
            Event::Rows(block) => {
                let rows = rows.entry(block.head.table.clone()).or_insert(u64::MAX);
                assert_eq!(block.first_row, *rows);
                assert_eq!(block.bytes().last(), Some(&b'\n'));
                *rows += block.bytes().iter().filter(|byte| **byte == b'\n').count() as u64;
            }
            Event::Catalog(..)
            | Event::Keys(_)
            | Event::Damage(_)
            | Event::DatabaseEnd(_)
            | Event::Holdings(_) => {}
            Event::End(end) => assert_eq!(Some(&end.rows), rows.get(&end.table)),
        }
        ControlFlow::Continue(())
    });
});
