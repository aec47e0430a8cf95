//! Servers that stall, reset and vanish, behind a proxy: the run ends in its time, and says why.

use std::fs;

use super::proxy::{Fate, Proxy};
use crate::support::live::*;
use crate::support::server::*;
use crate::support::*;

fn address(proxy: &Proxy, database: &Database<'_>) -> String {
    format!(
        "postgres://postgres@127.0.0.1:{}/{}?sslmode=disable",
        proxy.port, database.name
    )
}

fn before_server(fate: Fate, after: u64) -> Proxy {
    let server = Server::shared();
    Proxy::new(&server.folder, server.port, fate, after)
}

/// Bytes of answers: before the first, within the login, within the catalog, and within rows of the fixture.
const PLACES: [u64; 4] = [0, 100, 5000, 60_000];

const STALLED: [&str; 3] = [
    "it stalled, no byte has come for 2 s",
    "127.0.0.1",
    "--stall-timeout",
];

/// All at the same time, since each has to wait.
fn at_each_place(test: impl Fn(u64) + Sync) {
    std::thread::scope(|scope| {
        for place in PLACES {
            let test = &test;
            scope.spawn(move || test(place));
        }
    });
}

#[test]
fn a_server_that_falls_silent_ends_the_run_wherever_that_is() {
    let database = fixture(Server::shared());
    at_each_place(|place| {
        let dir = Dir::new();
        let proxy = before_server(Fate::Stall, place);
        let run = dir
            .export(address(&proxy, &database))
            .group(4351)
            .option("--stall-timeout", "2s")
            .run();
        assert!(proxy.was_hit(), "{place}");
        assert_eq!(run.code, Some(3), "{place}: {}", run.stderr);
        for part in STALLED {
            assert!(run.stderr.contains(part), "{place}: {}", run.stderr);
        }
    });
}

#[test]
fn a_signal_is_heard_while_a_server_is_silent() {
    let database = fixture(Server::shared());
    at_each_place(|place| {
        let dir = Dir::new();
        let proxy = before_server(Fate::Stall, place);
        let temp = dir.join("temp");
        fs::create_dir_all(&temp).unwrap();
        let mut started = dir
            .export(address(&proxy, &database))
            .group(4351)
            .option("--temp-dir", &temp)
            .option("--stall-timeout", "0")
            .start();
        started.wait_until("the server is silent", || proxy.was_hit());
        started.signal("TERM");
        let run = started.wait();
        assert_eq!(run.code, Some(130), "{place}: {}", run.stderr);
        assert!(
            run.stderr.contains("interrupted"),
            "{place}: {}",
            run.stderr
        );
        assert_eq!(files_below(&temp), [""; 0]);
    });
}

#[test]
fn a_server_whose_every_answer_is_cut_off_ends_the_run() {
    let database = fixture(Server::shared());
    let dir = Dir::new();
    // Behind this place the workers read.
    let proxy = before_server(Fate::Reset, 60_000);
    let run = dir
        .export(address(&proxy, &database))
        .group(4351)
        .option("--stall-timeout", "2s")
        .run();
    assert!(proxy.was_hit());
    // The worker is replaced, and the answers to the next one are cut off, too.
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(
        run.stderr.contains("closed the connection"),
        "{}",
        run.stderr
    );
}
