//! Any bytes as rows of COPY's CSV: fields lie inside, a field becomes COPY text that reads as one field, and a walk over the
//! rows tells what splitting them tells. A row that does not split has an end unless quotes stand wrongly in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::codec::{copy_text, csv_text, csv_walk};

fuzz_target!(|bytes: &[u8]| {
    let ends = csv_walk::row_ends(bytes);
    let whole = ends.end;
    let mut walked = Vec::new();
    let told = csv_walk::walk_rows(&bytes[..whole], |row| {
        let fields = (0..row.fields()).filter_map(|field| row.field(field));
        let fields = fields.map(|(plain, quoted)| (plain.to_vec(), quoted));
        walked.push((row.range().start, fields.collect::<Vec<_>>()));
    });
    assert_eq!(told.has_zero, bytes[..whole].contains(&0));
    let stopped = told.end;
    let mut walked = walked.into_iter();
    let (mut fields, mut split) = (Vec::new(), Vec::new());
    let (mut at, mut rows, mut malformed) = (0, 0u64, false);
    while at < whole {
        let end = csv_text::row_end(&bytes[..whole], at);
        let Ok(next) = csv_text::next_row(&bytes[..whole], at, &mut fields) else {
            assert!(at >= stopped);
            // Where quotes stand wrongly nobody knows where rows end.
            let Ok(end) = end else {
                return;
            };
            assert!(end > at && end <= whole);
            (at, rows, malformed) = (end, rows + 1, true);
            continue;
        };
        assert_eq!(end, Ok(next));
        if at < stopped {
            let told = fields.iter();
            let told = told.map(|field| (bytes[field.range.clone()].to_vec(), field.quoted));
            assert_eq!(walked.next(), Some((at, told.collect())));
        }
        assert!(next > at && next <= whole);
        let is_plain = csv_text::is_plain(&bytes[at..next - 1]);
        for field in &fields {
            let mut text = Vec::new();
            csv_text::to_copy_text(&bytes[field.range.clone()], field.quoted, &mut text);
            if is_plain && !field.range.is_empty() {
                assert_eq!(text, &bytes[field.range.clone()]);
            }
            text.push(b'\n');
            assert_eq!(copy_text::next_row(&text, 0, &mut split), text.len());
            assert_eq!(split.len(), 1);
        }
        at = next;
        rows += 1;
    }
    assert_eq!(ends.rows, rows);
    assert_eq!(stopped < whole, malformed);
});
