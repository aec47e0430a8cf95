//! Any bytes as rows of COPY's CSV: fields lie inside, a field becomes COPY text that reads as one field, and a walk over the
//! rows tells what splitting them tells.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::codec::row_walk::WantedFields;
use relexport::snapshot::codec::{copy_text, csv_text, csv_walk};

fuzz_target!(|bytes: &[u8]| {
    let ends = csv_walk::row_ends(bytes);
    let whole = ends.end;
    let mut walked = Vec::new();
    let wanted = WantedFields::new([0, 2, 5]);
    let stopped = csv_walk::walk_rows(&bytes[..whole], &wanted, |row| {
        let told = [0, 2, 5].map(|field| {
            let (plain, quoted) = row.field(field)?;
            Some((plain.to_vec(), quoted))
        });
        walked.push((row.range().start, row.fields(), told));
    });
    let mut walked = walked.into_iter();
    let (mut fields, mut split, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    let (mut at, mut rows) = (0, 0u64);
    while at < whole {
        let Ok(next) = csv_text::next_row(&bytes[..whole], at, &mut fields) else {
            assert!(at >= stopped);
            return;
        };
        if at < stopped {
            let told = [0, 2, 5].map(|field| {
                let field = fields.get(field)?;
                Some((bytes[field.range.clone()].to_vec(), field.quoted))
            });
            assert_eq!(walked.next(), Some((at, fields.len(), told)));
        }
        assert!(next > at && next <= whole);
        let row = at..next - 1;
        if csv_text::is_plain(&bytes[row.clone()]) {
            csv_text::split_plain(bytes, row, &mut plain);
            assert!(fields.iter().all(|field| !field.quoted));
            assert!(plain.iter().eq(fields.iter().map(|field| &field.range)));
        }
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
    assert_eq!((ends.rows, stopped), (rows, whole));
});
