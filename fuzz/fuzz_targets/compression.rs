//! Any bytes: what they are compressed by is told, and what comes out or fails is no panic and no flood.
#![no_main]

use std::io::{Cursor, Read};

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::codec::compression::{Compression, decoder};

fuzz_target!(|bytes: &[u8]| {
    let told = Compression::detect(bytes);
    let Ok(reader) = decoder(Box::new(Cursor::new(bytes.to_vec())), Default::default()) else {
        return;
    };
    let mut decoded = Vec::new();
    let read = reader.take(1 << 20).read_to_end(&mut decoded);
    if told == Compression::None {
        assert!(read.is_ok() && decoded == bytes[..bytes.len().min(1 << 20)]);
    }
});
