//! The table of contents of a pg_dump archive.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::snapshot::kind::archive::toc::Toc;

fuzz_target!(|bytes: &[u8]| {
    let _ = Toc::read(&mut &bytes[..], None);
});
