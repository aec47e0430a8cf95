//! Any text as a file of configuration: mistakes are told, each with its place, and never by a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::jobs::config::mistakes_in;

fuzz_target!(|text: &str| {
    for mistake in mistakes_in(text) {
        assert!(mistake.starts_with("fuzz.toml"));
    }
});
