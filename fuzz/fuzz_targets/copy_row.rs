//! Any bytes as rows of COPY text: the fields lie inside, both ways to split agree, and so does a walk; decoding a field and
//! encoding its value again gives a field of the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::codec::copy_text::{CopyRows, decode, encode, next_row};
use relexport::snapshot::codec::copy_walk::walk_rows;

fuzz_target!(|bytes: &[u8]| {
    let (mut fields, mut same) = (Vec::new(), Vec::new());
    let mut rows = CopyRows::new(bytes);
    let mut walked = Vec::new();
    let has_zero = walk_rows(bytes, |row| {
        let places: Vec<_> = (0..row.fields()).filter_map(|field| row.place(field)).collect();
        walked.push((row.range().start, places));
    });
    assert_eq!(has_zero, bytes.contains(&0));
    let mut walked = walked.into_iter();
    let mut at = 0;
    while at < bytes.len() {
        let next = next_row(bytes, at, &mut fields);
        assert!(next > at && next <= bytes.len());
        assert!(rows.next_row(&mut same).is_some());
        assert_eq!(fields, same);
        assert_eq!(walked.next(), Some((at, fields.clone())));
        for field in &fields {
            let mut value = Vec::new();
            if let Ok(Some(())) = decode(&bytes[field.clone()], &mut value) {
                let (mut encoded, mut again) = (Vec::new(), Vec::new());
                encode(&value, &mut encoded);
                assert_eq!(decode(&encoded, &mut again), Ok(Some(())));
                assert_eq!(again, value);
            }
        }
        at = next;
    }
    assert_eq!(walked.next(), None);
});
