//! What the program survives: `make torture`, or the short form with all other tests: `cargo test --test torture`.
//!
//! Each fault is made to happen many times, to the program as users have it, and what is left is held against an
//! export that nothing happened to. A table says how often that was survived, lost or lied; `docs/torture.md` says
//! what these words mean. Which moments, places and bytes are hit follows from a seed, which is printed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "as in tests: what goes wrong here is a fault of the bench, and the table is printed"
)]

mod api;
mod bombs;
mod buckets;
mod calls;
mod damage;
mod judge;
mod kills;
mod machine;
mod options;
mod peers;
mod postgres;
mod process;
mod proof;
mod scenario;
mod stand;
mod table;

/// What the tests of the command line share.
#[path = "../it/support"]
#[expect(dead_code, reason = "the tests need more of it than is needed here")]
mod support {
    pub(crate) mod api;
    pub(crate) mod backup;
    pub(crate) mod live;
    pub(crate) mod server;

    mod faked_time;
    mod fixture;
    mod folder;
    mod patience;
    mod program;

    pub(crate) use faked_time::*;
    pub(crate) use fixture::*;
    pub(crate) use folder::*;
    pub(crate) use patience::*;
    pub(crate) use program::*;
}

/// What stands in for clouds in the tests of buckets.
#[path = "../it/bucket"]
#[expect(dead_code, reason = "the tests need more of it than is needed here")]
mod bucket {
    pub(crate) mod proxy;
    pub(crate) mod servers;
}

use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::Options::of_process() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("torture: {message}");
            return ExitCode::from(2);
        }
    };
    // Whoever lists tests is told that there are none by name.
    if options.is_list {
        return ExitCode::SUCCESS;
    }
    proof::run();
    let mut stand = stand::Stand::new(options);
    kills::run(&mut stand);
    calls::run(&mut stand);
    machine::run(&mut stand);
    damage::run(&mut stand);
    bombs::run(&mut stand);
    buckets::run(&mut stand);
    peers::run(&mut stand);
    api::run(&mut stand);
    stand.finish()
}
