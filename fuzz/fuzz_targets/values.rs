//! Any bytes as a value of every type: what is written is a JSON value, what is not leaves nothing behind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::export::values::{Codec, write};
use relexport::snapshot::SqlType;

const TYPES: [&str; 14] = [
    "bigint",
    "boolean",
    "timestamp without time zone",
    "timestamp with time zone",
    "date",
    "numeric",
    "double precision",
    "jsonb",
    "bytea",
    "text",
    "text[]",
    "bigint[]",
    "jsonb[]",
    "box[]",
];

fuzz_target!(|bytes: &[u8]| {
    // A field holds neither.
    if bytes.contains(&b'\t') || bytes.contains(&b'\n') {
        return;
    }
    for name in TYPES {
        let codec = Codec::of(&SqlType::parse(name));
        let mut out = b"[".to_vec();
        match write(&codec, bytes, &mut out) {
            Ok(()) => {
                out.push(b']');
                let parsed: Result<Vec<&serde_json::value::RawValue>, _> =
                    serde_json::from_slice(&out);
                assert_eq!(parsed.map(|values| values.len()).ok(), Some(1), "{name}");
                assert!(!out.contains(&b'\n'), "{name}");
            }
            Err(_) => assert_eq!(out, b"[", "{name}"),
        }
    }
});
