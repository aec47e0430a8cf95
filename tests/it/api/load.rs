//! Many clients at once, while exports run: no error, and neither memory nor descriptors grow.
//!
//! `RELEXPORT_LOAD_SECONDS` says for how long (`make load`: a minute).

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::api::Server;
use crate::support::{wait_until, with_many_notes};

const CLIENTS: usize = 200;
const STATUS: &str = "/api/v4/groups/4351/export_relations/status";
const DOWNLOAD: &str = "/api/v4/groups/4351/export_relations/download?relation=epics";

/// A connection that is used again and again.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Client(BufReader::new(stream))
    }

    fn get(&mut self, path: &str) -> (u16, Vec<u8>) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, body)
    }
}

/// Open descriptors, and KiB of memory, of a process.
fn use_of(pid: u32) -> (usize, u64) {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    (descriptors, kib.parse().unwrap())
}

#[test]
fn two_hundred_clients_poll_and_download_while_exports_run() {
    if !Path::new("/proc/self/fd").exists() {
        return;
    }
    let seconds = std::env::var("RELEXPORT_LOAD_SECONDS");
    let seconds: u64 = seconds.map_or(4, |seconds| seconds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("dump.sql");
    fs::write(&snapshot, with_many_notes(500)).unwrap();
    let server = Server::of(&snapshot, &folder.path().join("data"), &[]);
    server.export(4351, "");
    // Equal input gives equal bytes, so every export's file is this one.
    let whole = Arc::new(server.get(DOWNLOAD).body);
    let (idle_descriptors, _) = use_of(server.pid());

    let stop = Arc::new(AtomicBool::new(false));
    let requests = Arc::new(AtomicU64::new(0));
    let address = server.address;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (stop, requests) = (Arc::clone(&stop), Arc::clone(&requests));
            let whole = Arc::clone(&whole);
            let run = move || {
                let mut client = Client::new(address);
                let mut turn = number;
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let (status, body) = match turn % 4 {
                        0 => client.get(DOWNLOAD),
                        _ => client.get(STATUS),
                    };
                    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
                    match turn % 4 {
                        0 => assert!(body == *whole, "another file"),
                        _ => assert!(body.starts_with(b"[{\"relation\":\"milestones\"")),
                    }
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            };
            thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(run)
                .unwrap()
        })
        .collect();
    // Clients that ask for everything and take nothing.
    let request = format!("GET {DOWNLOAD} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(50);
    let slow: Vec<TcpStream> = (0..10)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();

    let started = Instant::now();
    let length = Duration::from_secs(seconds);
    let mut halfway = None;
    let mut exports = 0;
    while started.elapsed() < length {
        let query = if exports % 2 == 0 { "" } else { "?page=1" };
        let answer = server.post(&format!("/api/v4/groups/4351/export_relations{query}"));
        assert_eq!(answer.status, 202, "{answer:?}");
        server.wait_for_export(4351);
        exports += 1;
        if halfway.is_none() && started.elapsed() > length / 2 {
            halfway = Some(use_of(server.pid()));
        }
    }
    let (busy_descriptors, busy) = use_of(server.pid());
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    drop(slow);
    let (halfway_descriptors, halfway) = halfway.unwrap_or((busy_descriptors, busy));
    println!(
        "{} requests and {exports} exports in {seconds} s; {halfway} KiB and {halfway_descriptors} descriptors \
         halfway, {busy} KiB and {busy_descriptors} in the end",
        requests.load(Ordering::Relaxed)
    );
    assert!(requests.load(Ordering::Relaxed) >= CLIENTS as u64);
    assert!(exports > 0);
    // Allocators give memory back when they like; what leaks in thousands of requests would be more than that.
    assert!(busy < halfway + halfway / 4 + (16 << 10), "memory grows");
    wait_until("all descriptors of clients are closed", || {
        use_of(server.pid()).0 <= idle_descriptors + 4
    });
    assert!(!server.log().contains("panicked"));
}
