//! Clients of the server: very many at once, those who send or take nothing, and a system that lets it open few files.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::support::api::Server;
use crate::support::*;

const STATUS: &str = "/api/v4/groups/4351/export_relations/status";

/// Opens connections to a port, says so, and asks something on each of them when it is told to; says then how many were
/// answered.
const CROWD: &str = r#"
exec 2>/dev/null
connections=()
for ((n = 0; n < $2; n++)); do
  exec {connection}<>"/dev/tcp/127.0.0.1/$1" || break
  connections+=("$connection")
done
echo "${#connections[@]}"
read -r
answered=0
for connection in "${connections[@]}"; do
  printf 'GET /-/readiness HTTP/1.1\r\nHost: localhost\r\n\r\n' >&"$connection"
  read -r -u "$connection" _ status _ && [ "$status" = 200 ] && answered=$((answered + 1))
done
echo "$answered"
read -r
"#;

/// A process with many connections: none of them counts against this one's limit of open files.
struct Crowd {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Crowd {
    fn new(server: &Server, count: usize) -> Crowd {
        let mut child = Command::new("bash")
            .args(["-c", CROWD, "crowd"])
            .args([server.address.port().to_string(), count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Crowd { child, lines }
    }

    fn number(&mut self) -> usize {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }

    fn go_on(&mut self) {
        writeln!(self.child.stdin.as_mut().unwrap()).unwrap();
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_thousand_connections_at_once_are_answered_while_an_export_runs() {
    let dir = Dir::new();
    let server = Server::start(
        &dir.join("data"),
        &["--max-connections", "2100", "--client-timeout", "0"],
    );
    let mut crowds: Vec<Crowd> = (0..4).map(|_| Crowd::new(&server, 500)).collect();
    let open: usize = crowds.iter_mut().map(Crowd::number).sum();
    assert_eq!(open, 2000);
    server.export(4351, "");
    crowds.iter_mut().for_each(Crowd::go_on);
    let answered: usize = crowds.iter_mut().map(Crowd::number).sum();
    // All of them were open until the last one was answered.
    assert_eq!(answered, 2000);
}

#[test]
fn a_server_that_may_open_few_files_fails_no_export_and_serves_who_waited() {
    let dir = Dir::new();
    let program = Server::program(&project(BACKUP), &dir.join("data"))
        .args(["--client-timeout", "0", "--threads", "2"])
        .through(["sh", "-c", "ulimit -n 80 && exec \"$@\"", "sh"]);
    let server = Server::begun(program);
    server.wait_for_readiness();
    // More than there is room for. The first ones keep what they have.
    let crowd: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    let mut first = &crowd[0];
    let request = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    };
    let mut ask = |text: String| {
        first.write_all(text.as_bytes()).unwrap();
        let mut reader = BufReader::new(first);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    };
    let (head, _) = ask(request("POST", "/api/v4/groups/4351/export_relations"));
    assert!(head.starts_with("HTTP/1.1 202"), "{head}");
    let mut state = String::new();
    wait_until("the export has ended", || {
        let (_, body) = ask(request("GET", "/-/relexport/groups/4351"));
        let overview: serde_json::Value = serde_json::from_str(&body).unwrap();
        state = overview["state"].as_str().unwrap().to_owned();
        state == "finished" || state == "failed"
    });
    assert_eq!(state, "finished");
    let (_, body) = ask(request("GET", STATUS));
    let rows: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| row["status"] == 1),
        "{rows}"
    );
    // When they are gone, it is the turn of others.
    drop(crowd);
    assert_eq!(server.get("/-/readiness").status, 200);
}

#[test]
fn a_client_that_sends_nothing_is_let_go() {
    let dir = Dir::new();
    let server = Server::start(&dir.join("data"), &["--client-timeout", "200ms"]);
    let request = "GET /-/readiness HTTP/1.1\r\nHost: localhost\r\n";
    // Nothing at all; a part of a head; one request, and no other.
    for sent in ["", request, &format!("{request}\r\n")] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
    }
    assert_eq!(server.get("/-/readiness").status, 200);
}

#[test]
fn a_client_that_takes_nothing_is_let_go() {
    let dir = Dir::new();
    let snapshot = dir.write("dump.sql", with_many_notes(3000));
    let server = Server::of(&snapshot, &dir.join("data"), &["--client-timeout", "200ms"]);
    server.export(4351, "");
    let path = "/api/v4/groups/4351/export_relations/download?relation=epics";
    // More than fits into the buffers of both sides.
    let requests = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(500);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    let open = "relexport_connections";
    wait_until("its connection has ended", || {
        let metrics = server.get("/-/metrics");
        let line = metrics.text().lines().find(|line| line.starts_with(open));
        // Who asks has one, too.
        line.is_some_and(|line| line.ends_with(" 1"))
    });
}
