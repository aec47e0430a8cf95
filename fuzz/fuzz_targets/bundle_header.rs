//! Any bytes as a git bundle: its header ends within them, and before a pack.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::export::BundleHeader;

fuzz_target!(|bytes: &[u8]| {
    for begin in [&b""[..], b"# v2 git bundle\n", b"# v3 git bundle\n"] {
        let bundle = [begin, bytes].concat();
        if let Ok(header) = BundleHeader::read(&bundle[..]) {
            let at = usize::try_from(header.length).unwrap();
            assert!(bundle[at..].starts_with(b"PACK\0\0\0"));
            assert!(bundle[..at].ends_with(b"\n\n"));
            let lines = bundle[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert!(header.refs + header.prerequisites + 2 <= lines);
        }
    }
});
