//! Any bytes as a text column: as base64, as text in an unknown encoding, as a name, as what a digest is made of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::export::values::decode::{decode_base64, is_blank, sha1_hex, titleize, to_utf8};

fuzz_target!(|bytes: &[u8]| {
    let text = to_utf8(bytes);
    match std::str::from_utf8(bytes) {
        Ok(same) => assert_eq!(text, same),
        Err(_) => assert!(!text.contains('\0')),
    }
    if let Some(decoded) = decode_base64(bytes) {
        // Four characters stand for three bytes, with padding for what is missing.
        let padding = bytes.iter().filter(|byte| **byte == b'=').count();
        assert_eq!(decoded.len(), bytes.len() / 4 * 3 - padding);
        to_utf8(&decoded);
    }
    let title = titleize(&text);
    assert!(is_blank(&title) || !is_blank(&text));
    assert_eq!(sha1_hex(bytes).len(), 40);
});
