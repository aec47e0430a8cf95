//! Any text as a redaction file: mistakes are reported, each with its place, and never by a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relexport::export::Redaction;

fuzz_target!(|text: &str| {
    if let Err(mistakes) = Redaction::parse(text, "fuzz.yml") {
        assert!(mistakes.to_string().contains("fuzz.yml"));
    }
});
