//! The server under more connections than it has descriptors, clients that are slow, and a snapshot that is replaced.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::process::DEADLINE;
use crate::stand::Stand;
use crate::support::api::Server;
use crate::support::*;
use crate::table::Verdict;

const GROUP: i64 = 4351;
const POST: &str = "/api/v4/groups/4351/export_relations";
const OVERVIEW: &str = "/-/relexport/groups/4351";

pub(crate) fn run(stand: &mut Stand) {
    let connections = stand.short_or_long(500, 2000);
    let tries = stand.short_or_long(1, 5);
    // Descriptors for both ends would else be the bench's limit.
    stand.row_on(1, "a server out of descriptors", tries, |_, _| {
        flooded(connections.min(descriptors().saturating_sub(100)), 128)
    });
    let fault = format!("a server with {connections} connections");
    match descriptors() > connections + 100 {
        true => stand.row_on(1, &fault, tries, |_, _| {
            flooded(connections, connections + 1000)
        }),
        false => stand.skip(&fault, "too few descriptors (ulimit -n)"),
    }
    stand.row_on(1, "a server with slow clients", tries, |_, dice| slow(dice));
    let tries = stand.short_or_long(3, 30);
    stand.row("a server whose snapshot is replaced", tries, |_, dice| {
        replaced(dice)
    });
}

/// How many descriptors this process may have, which is as many as the system lets it.
fn descriptors() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit
        .maximum
        .map_or(Some(65_536), |most| Some(most.min(65_536)));
    // If it is refused, what there was stays.
    let _ = setrlimit(Resource::Nofile, limit);
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap())
}

/// A server that may have so many descriptors.
fn server(dir: &Dir, snapshot: &std::path::Path, descriptors: usize) -> Server {
    let limit = format!("ulimit -n {descriptors} && exec \"$@\"");
    let program = Server::program(snapshot, &dir.join("data"));
    let server = Server::begun(program.through(["sh", "-c", &limit, "sh"]));
    server.wait_for_readiness();
    server
}

/// Connections that say nothing, more than the server has descriptors perhaps: who is connected is served, an export is
/// made and true, and when they are gone others are served again.
fn flooded(connections: usize, descriptors: usize) -> Verdict {
    let dir = Dir::new();
    let server = server(&dir, &project(BACKUP), descriptors);
    let mut client = Client::new(server.address);
    // Those that the kernel takes and the server does not are part of it.
    let wait = Duration::from_secs(1);
    let flood: Vec<TcpStream> = (0..connections)
        .map_while(|_| TcpStream::connect_timeout(&server.address, wait).ok())
        .collect();
    if let Some(wrong) = exported(&mut client) {
        return wrong.of(&format!("with {} connections", flood.len()));
    }
    drop(flood);
    let begun = Instant::now();
    let is_served = || {
        let mut client = Client::new(server.address);
        matches!(client.ask("GET", "/-/readiness"), Some((200, _)))
    };
    while !is_served() {
        if begun.elapsed() > DEADLINE {
            return Verdict::Hung("nobody is served after the flood".to_owned());
        }
        thread::sleep(Duration::from_millis(50));
    }
    said_no_fault(&server)
}

/// Asks for an export, waits for it and compares its files.
fn exported(client: &mut Client) -> Option<Verdict> {
    let no_answer = || {
        Some(Verdict::Hung(
            "no answer on a connection that was there first".to_owned(),
        ))
    };
    let Some((status, body)) = client.ask("POST", POST) else {
        return no_answer();
    };
    if status != 202 {
        let said = String::from_utf8_lossy(&body).into_owned();
        return Some(Verdict::Lost(format!(
            "the export is refused: {status} {said}"
        )));
    }
    let begun = Instant::now();
    loop {
        let Some((_, body)) = client.ask("GET", OVERVIEW) else {
            return no_answer();
        };
        let overview: serde_json::Value = serde_json::from_slice(&body).unwrap();
        match overview["state"].as_str() {
            Some("finished") => break,
            Some("failed") => return Some(Verdict::Lost(format!("the export failed: {overview}"))),
            _ if begun.elapsed() > DEADLINE => {
                return Some(Verdict::Hung(format!("no end of the export: {overview}")));
            }
            _ => thread::sleep(Duration::from_millis(20)),
        }
    }
    RELATIONS.iter().find_map(|relation| {
        let path = format!("{POST}/download?relation={relation}");
        let Some((status, body)) = client.ask("GET", &path) else {
            return no_answer();
        };
        let is_true = status == 200 && gunzip(&body) == expected(GROUP, relation);
        (!is_true).then(|| Verdict::Lied(format!("{relation} is another file ({status})")))
    })
}

fn said_no_fault(server: &Server) -> Verdict {
    let log = server.log();
    match log.contains("a fault in this program") {
        true => Verdict::Panicked(log),
        false => Verdict::Survived,
    }
}

/// Clients that send a letter at a time, and others that read as slowly, beside one that is not slow.
fn slow(dice: &mut Rng) -> Verdict {
    let dir = Dir::new();
    let server = server(&dir, &project(BACKUP), 1024);
    let mut client = Client::new(server.address);
    if let Some(wrong) = exported(&mut client) {
        return wrong;
    }
    let request = format!("GET {POST}/download?relation=epics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut slow: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    for at in 0..20 {
        for (number, stream) in slow.iter_mut().enumerate() {
            let byte = &request.as_bytes()[at..=at];
            // Half of them send all at once, and read nothing.
            let sent = match number % 2 == 0 {
                true => byte,
                false if at == dice.usize(..20) => request.as_bytes(),
                false => b"",
            };
            // The server may have had enough.
            let _ = stream.write_all(sent);
        }
        let (status, _) = match client.ask("GET", OVERVIEW) {
            Some(answer) => answer,
            None => return Verdict::Hung("no answer beside slow clients".to_owned()),
        };
        if status != 200 {
            return Verdict::Lost(format!("{status} beside slow clients"));
        }
    }
    said_no_fault(&server)
}

/// Another file takes the snapshot's place: an export is of the old one or of the new one, or fails and says so.
fn replaced(dice: &mut Rng) -> Verdict {
    let dir = Dir::new();
    let snapshot = dir.write("dump.sql", dump());
    let server = server(&dir, &snapshot, 1024);
    let other = edit_field(&dump(), "labels", "id", "801", "title", "another");
    let other = dir.write("other.sql", other);
    let is_early = dice.bool();
    let mut client = Client::new(server.address);
    if is_early {
        fs::rename(&other, &snapshot).unwrap();
    }
    let asked = client.ask("POST", POST);
    if !is_early {
        thread::sleep(Duration::from_millis(dice.u64(0..400)));
        fs::rename(&other, &snapshot).unwrap();
    }
    match asked {
        None => return Verdict::Hung("no answer to the request for an export".to_owned()),
        Some((202, _)) => {}
        // It may have noticed.
        Some((status, body)) if !body.is_empty() && status >= 400 => return said_no_fault(&server),
        Some((status, _)) => return Verdict::Lost(format!("{status} and no word")),
    }
    let rows = server.wait_for_export(GROUP);
    for relation in RELATIONS {
        let row = rows.iter().find(|row| row["relation"] == relation);
        match row.map(|row| (row["status"].as_i64(), row["error"].is_string())) {
            Some((Some(1), _)) => {
                let content = server.download(GROUP, &format!("relation={relation}"));
                let is_old = content == expected(GROUP, relation);
                // The label, and what lies on boards with it.
                let is_new = String::from_utf8_lossy(&content).contains("another");
                if !is_old && !is_new {
                    return Verdict::Lied(format!("{relation} is of neither snapshot"));
                }
            }
            Some((Some(-1), true)) => {}
            other => return Verdict::Lost(format!("{relation}: {other:?}")),
        }
    }
    said_no_fault(&server)
}

/// A connection that is used again and again.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Client(BufReader::new(stream))
    }

    /// Status and body; `None` if no answer comes.
    fn ask(&mut self, method: &str, path: &str) -> Option<(u16, Vec<u8>)> {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).ok()?;
            if line == "\r\n" || line.is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some((status, body))
    }
}
