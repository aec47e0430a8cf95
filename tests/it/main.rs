//! What a user sees of the program, in one binary: `cargo test --test it`, or one room of it: `cargo test --test it live::`.
//!
//! Tests run at the same time, in threads of one process. So none changes what belongs to the process (its environment,
//! its folder, its limits): a test that needs another one starts the program with it. Every test has a temp folder, a
//! database and ports of its own.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and says what it skips and measures"
)]

mod api;
mod archives;
mod bench;
mod bucket;
mod bucket_sources;
mod cli;
mod config;
mod databases;
mod doctor;
mod encodings;
mod encryption;
mod export;
mod first_pipeline;
mod foreign_keys;
mod hostile;
mod imports;
mod keyed;
mod kinds;
mod limits;
mod live;
mod memory;
mod nights;
mod pgdata;
mod plan;
mod postgres;
mod promises;
mod public_schemas;
mod random_schemas;
mod redaction;
mod retention;
mod shards;
mod snapshot_take;
mod sql_text;
mod support;
mod tables;
mod tenants;
