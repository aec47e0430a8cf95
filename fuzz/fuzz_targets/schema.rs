//! Any bytes as DDL.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::read_schema;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_schema(bytes);
    // Its types, too, which are deep in the text.
    let _ = read_schema(&[b"CREATE TABLE public.t (a ", bytes, b");\n"].concat());
});
