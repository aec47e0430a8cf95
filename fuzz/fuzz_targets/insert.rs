//! Any bytes as the values of an INSERT: what comes out is rows of COPY text with as many fields as the table.
#![no_main]

use std::io::Cursor;
use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::codec::copy_text;
use relexport::snapshot::{Event, PlainDump, StreamSource};

const TABLE: &[u8] =
    b"CREATE TABLE public.t (a integer, b text, c bytea);\nINSERT INTO public.t VALUES (";

fuzz_target!(|bytes: &[u8]| {
    let text = [TABLE, bytes, b");\n"].concat();
    let dump = PlainDump::new(Box::new(Cursor::new(text)), "fuzz", None);
    let _ = Box::new(dump).read(&|table| table.name == "t", &mut |event| {
        if let Event::Rows(block) = event {
            let (bytes, mut at, mut fields) = (block.bytes(), 0, Vec::new());
            while at < bytes.len() {
                at = copy_text::next_row(bytes, at, &mut fields);
                assert_eq!(fields.len(), block.head.columns.len());
            }
        }
        ControlFlow::Continue(())
    });
});
