//! Any bytes as a metrics file: what is read of it is what is written of that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::jobs::{parse_metrics, write_metrics};

fuzz_target!(|bytes: &[u8]| {
    if let Some(jobs) = parse_metrics(bytes) {
        let text = write_metrics(&jobs);
        assert_eq!(parse_metrics(text.as_bytes()), Some(jobs));
    }
});
