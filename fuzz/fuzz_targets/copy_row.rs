//! Any bytes as rows of COPY text: the fields lie inside, both ways to split agree, and decoding a field and
//! encoding its value again gives a field of the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::codec::copy_text::{CopyRows, decode, encode, next_row};

fuzz_target!(|bytes: &[u8]| {
    let (mut fields, mut same) = (Vec::new(), Vec::new());
    let mut rows = CopyRows::new(bytes);
    let mut at = 0;
    while at < bytes.len() {
        let next = next_row(bytes, at, &mut fields);
        assert!(next > at && next <= bytes.len());
        assert!(rows.next_row(&mut same).is_some());
        assert_eq!(fields, same);
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
});
