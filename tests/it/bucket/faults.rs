//! Whatever happens to requests: the export is complete in the end, or the run says in bounded time why it is not, and
//! no manifest speaks of what is not there.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::proxy::{Fate, Proxy, Seen};
use super::servers::*;
use crate::support::*;

const GROUP: i64 = 4351;

/// An export through a proxy, with limits that a test can wait for.
fn export_through(
    server: &Server,
    rule: impl Fn(&Seen) -> Fate + Send + Sync + 'static,
) -> (Run, usize) {
    let dir = Dir::new();
    let proxy = Proxy::new(server.port, rule);
    let program = dir
        .export_to(project(DUMP), "s3://nightly/gitlab")
        .group(GROUP);
    let run = with_s3(program, proxy.port)
        .env("RELEXPORT_BUCKET_TRIES", "4")
        .env("RELEXPORT_BUCKET_TOTAL_SECONDS", "20")
        .env("RELEXPORT_BUCKET_IDLE_SECONDS", "2")
        .run();
    (run, proxy.hits())
}

/// A rule for the first requests that are meant, and no others.
fn first(
    count: usize,
    fate: Fate,
    is_meant: impl Fn(&Seen) -> bool + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Fate + Send + Sync + 'static {
    let met = AtomicUsize::new(0);
    move |seen| match is_meant(seen) && met.fetch_add(1, Ordering::SeqCst) < count {
        true => fate,
        false => Fate::Pass,
    }
}

fn assert_whole(case: &str, server: &Server, (run, hits): &(Run, usize)) {
    assert_eq!(run.code, Some(0), "{case}: {}{}", run.stdout, run.stderr);
    assert_eq!(run.stderr, "", "{case}");
    assert!(*hits > 0, "{case}: the fault did not happen");
    let verify = relexport("verify s3://nightly/gitlab");
    let verified = with_s3(verify, server.port).run();
    assert_eq!(verified.code, Some(0), "{case}: {}", verified.stdout);
    let files = server.export().files();
    let is_left = |name: &&String| name.contains("unfinished") || name.contains(".relexport");
    assert_eq!(files.iter().find(is_left), None, "{case}");
}

#[test]
fn what_fails_once_is_done_again() {
    for (case, fate) in [
        ("an error", Fate::Answer(500, "InternalError")),
        ("a server that is busy", Fate::Answer(503, "SlowDown")),
        ("too many requests", Fate::Answer(429, "TooManyRequests")),
        ("a connection that ends", Fate::Reset),
        ("an answer that is lost", Fate::LoseAnswer),
    ] {
        let server = s3s();
        // Every third request of whatever kind, the one that asks again among those that pass.
        let rule = move |seen: &Seen| match seen.number % 3 {
            2 => fate,
            _ => Fate::Pass,
        };
        assert_whole(case, &server, &export_through(&server, rule));
    }
}

#[test]
fn a_connection_that_stalls_is_given_up_and_begun_again() {
    let server = s3s();
    let rule = first(1, Fate::Stall, Seen::is_put_of_file);
    assert_whole("a stall", &server, &export_through(&server, rule));
}

#[test]
fn the_last_puts_are_done_though_their_answers_are_lost() {
    for name in [
        "manifest.json",
        "metadata.json.gz",
        "manifest.unfinished.json",
    ] {
        let server = s3s();
        let rule = first(1, Fate::LoseAnswer, move |seen| seen.is_put_of(name));
        assert_whole(name, &server, &export_through(&server, rule));
    }
}

#[test]
fn what_arrived_as_something_else_is_sent_again() {
    let server = s3s();
    let rule = first(2, Fate::WrongEtag, Seen::is_put_of_file);
    assert_whole("wrong ETags", &server, &export_through(&server, rule));
}

#[test]
fn what_always_arrives_as_something_else_ends_the_run() {
    let server = s3s();
    let rule = first(usize::MAX, Fate::WrongEtag, Seen::is_put_of_file);
    let (run, _) = export_through(&server, rule);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert!(
        run.stderr.contains("is not what was sent"),
        "{}",
        run.stderr
    );
    assert_nothing_finished(&server);
}

#[test]
fn a_server_that_does_not_recover_ends_the_run_with_try_again() {
    for (case, fate) in [
        ("500 InternalError", Fate::Answer(500, "InternalError")),
        ("503 SlowDown", Fate::Answer(503, "SlowDown")),
        ("the connection fails", Fate::Reset),
        ("does not answer in time", Fate::Stall),
    ] {
        // Of a file, and of the last object of all but one.
        for name in ["labels.ndjson.gz", "manifest.json"] {
            let server = s3s();
            let rule = first(usize::MAX, fate, move |seen| seen.is_put_of(name));
            let (run, _) = export_through(&server, rule);
            assert_eq!(run.code, Some(75), "{case} {name}: {}", run.stderr);
            for part in [case, name, "try again"] {
                assert!(run.stderr.contains(part), "no {part:?} in {}", run.stderr);
            }
            assert!(!run.stderr.contains(SECRET), "{}", run.stderr);
            assert_nothing_finished(&server);
        }
    }
}

/// No export is there that anybody would take for one.
fn assert_nothing_finished(server: &Server) {
    for export in server.exports() {
        assert!(!export.join("manifest.json").exists(), "{export:?}");
    }
}
