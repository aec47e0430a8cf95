//! Measuring on a live server: what it was asked, with the server's own log as the judge.

use std::fs;

use crate::support::live::*;
use crate::support::server::*;
use crate::support::*;

/// Statements in the server's log, of databases that log them: those that were simply run, and those that were prepared before.
fn statements(server: &Server) -> [usize; 2] {
    let log = fs::read(server.folder.join("server.log")).unwrap();
    let log = String::from_utf8_lossy(&log);
    ["LOG:  statement: ", "LOG:  execute s"].map(|begin| log.matches(begin).count())
}

#[test]
fn queries_are_those_that_the_server_logs() {
    let server = Server::shared();
    let (dir, database) = (Dir::new(), fixture(server));
    database.run(&format!(
        "ALTER DATABASE {} SET log_statement = 'all'",
        database.name
    ));
    for connections in ["1", "3"] {
        let before = statements(server);
        let run = export(&dir, &database, &format!("out-{connections}"))
            .args(["--group", "4351", "--connections", connections])
            .ok();
        let after = statements(server);
        let [simple, prepared] = [0, 1].map(|kind| (after[kind] - before[kind]) as u64);
        assert!(simple > 4 && prepared > 12, "{simple} and {prepared}");
        let calls = &run.manifest()["timings"]["server"];
        assert_eq!(calls["queries"], simple + prepared);
        // Each query is a round trip, each that is prepared one more, and so is each login: of the session that holds the
        // instant, and of those that read.
        let logins = calls["round_trips"].as_u64().unwrap() - simple - 2 * prepared;
        assert!((2..=4).contains(&logins), "{calls}");
    }

    // The same export, measured.
    let bench = |more: &str| {
        dir.relexport("bench --group 4351 --batch-sizes 5,500 --connections 1 --runs 2 --json")
            .args(more.split_whitespace())
            .option("--snapshot", database.address())
            .env("TMPDIR", dir.path())
    };
    let before: usize = statements(server).iter().sum();
    let result = bench("--warmup 0").json();
    assert_eq!(result["options"]["from"], "snapshot");
    assert_eq!(result["snapshot"]["kind"], "postgres");
    let asked: u64 = result["points"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|point| point["runs"].as_array().unwrap())
        .map(|run| run["timings"]["server"]["queries"].as_u64().unwrap())
        .sum();
    // The bench itself looks what kind of snapshot it is, with some queries of its own.
    let logged = (statements(server).iter().sum::<usize>() - before) as u64;
    assert!(asked > 0 && asked < logged, "{asked} of {logged}");

    bench("--from resolved").fails(2, &["leave out --from resolved"]);
}
