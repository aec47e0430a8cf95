//! Any bytes as rows of COPY's CSV: fields lie inside, and a field becomes COPY text that reads as one field.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::codec::{copy_text, csv_text};

fuzz_target!(|bytes: &[u8]| {
    let whole = csv_text::cut(bytes);
    let (mut fields, mut split) = (Vec::new(), Vec::new());
    let (mut at, mut rows) = (0, 0);
    while at < whole {
        let Ok(next) = csv_text::next_row(&bytes[..whole], at, &mut fields) else {
            return;
        };
        assert!(next > at && next <= whole);
        for field in &fields {
            let mut text = Vec::new();
            csv_text::to_copy_text(&bytes[field.range.clone()], field.quoted, &mut text);
            text.push(b'\n');
            assert_eq!(copy_text::next_row(&text, 0, &mut split), text.len());
            assert_eq!(split.len(), 1);
        }
        at = next;
        rows += 1;
    }
    assert_eq!(csv_text::count_rows(&bytes[..whole]), rows);
});
