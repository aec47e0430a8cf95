//! What the tests of the server share: the server itself on a free port, and a plain HTTP client that can also say
//! what no decent client would.

pub(crate) mod destination;
pub(crate) mod pipe;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use serde_json::Value;

use super::{BACKUP, PATIENCE, Program, Started, gunzip, project, relexport, wait_until};

/// Makes a token with these options; returns it.
pub(crate) fn new_token(file: &Path, options: &[&str]) -> String {
    let program = relexport("token new").option("--token-file", file);
    program.args(options).prints().trim().to_owned()
}

/// A running server. It is killed when the test is over.
pub(crate) struct Server {
    process: Started,
    pub address: SocketAddr,
    /// How much of standard error came before the address, and the address itself.
    greeting: usize,
}

impl Server {
    /// Serves the fixture from a data folder, and waits until it is ready.
    pub(crate) fn start(data: &Path, options: &[&str]) -> Server {
        Server::of(&project(BACKUP), data, options)
    }

    /// Serves another snapshot.
    pub(crate) fn of(snapshot: &Path, data: &Path, options: &[&str]) -> Server {
        let server = Server::unready(snapshot, data, options);
        server.wait_for_readiness();
        server
    }

    /// As [`Server::of`], without waiting for the groups.
    pub(crate) fn unready(snapshot: &Path, data: &Path, options: &[&str]) -> Server {
        Server::begun(Server::program(snapshot, data).args(options))
    }

    /// What serves a snapshot, before it is started.
    pub(crate) fn program(snapshot: &Path, data: &Path) -> Program {
        relexport("serve --listen 127.0.0.1:0")
            .option("--snapshot", snapshot)
            .option("--data", data)
    }

    /// The server of such a program, started in its own surroundings. It may not be ready yet.
    pub(crate) fn begun(program: Program) -> Server {
        let mut process = program.start();
        let greeting = process.wait_for_line("serving at ");
        let url = greeting.split("serving at ").nth(1).unwrap();
        let authority = url.split("://").nth(1).unwrap();
        let address = authority.split('/').next().unwrap().parse().unwrap();
        Server {
            process,
            address,
            greeting: greeting.len(),
        }
    }

    /// What the server has written to standard error so far, after its address.
    pub(crate) fn log(&self) -> String {
        self.process.stderr()[self.greeting..].to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn wait_for_readiness(&self) {
        wait_until("the server is ready", || {
            self.get("/-/readiness").status == 200
        });
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A GET without a token.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    /// A POST without a token and without a body.
    pub(crate) fn post(&self, path: &str) -> Answer {
        self.request("POST", path, &[], b"")
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.raw(&[head.as_bytes(), body].concat())
            .unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// Sends bytes and reads the answer to its end; `None` if there is none.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        // A server that refuses a request need not read all of it.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let is_head = bytes.starts_with(b"HEAD");
        Answer::parse(&answer, is_head)
    }

    /// Asks for a group's export and waits for its end; every relation must be finished.
    pub(crate) fn export(&self, group: i64, query: &str) {
        let path = format!("/api/v4/groups/{group}/export_relations{query}");
        let answer = self.post(&path);
        assert_eq!(answer.status, 202, "{answer:?}");
        let rows = self.wait_for_export(group);
        for row in &rows {
            assert_eq!(row["status"], 1, "{row}");
        }
    }

    /// Waits until no relation of a group is at status 0, and the run is over.
    pub(crate) fn wait_for_export(&self, group: i64) -> Vec<Value> {
        wait_until("the export has ended", || {
            let overview = self.get(&format!("/-/relexport/groups/{group}")).json();
            overview["state"] == "finished" || overview["state"] == "failed"
        });
        self.status(group)
    }

    pub(crate) fn status(&self, group: i64) -> Vec<Value> {
        let path = format!("/api/v4/groups/{group}/export_relations/status");
        let answer = self.get(&path);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json().as_array().unwrap().clone()
    }

    /// A downloaded file, unpacked.
    pub(crate) fn download(&self, group: i64, query: &str) -> Vec<u8> {
        let path = format!("/api/v4/groups/{group}/export_relations/download?{query}");
        let answer = self.get(&path);
        assert_eq!(answer.status, 200, "{answer:?}");
        gunzip(&answer.body)
    }

    /// Kills the server as a power cut would.
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// Ends the server as a service manager would; returns its exit code.
    pub(crate) fn end(self) -> Option<i32> {
        self.process.signal("TERM");
        self.wait()
    }

    /// Waits for the server to end by itself.
    pub(crate) fn wait(self) -> Option<i32> {
        self.process.wait().code
    }
}

/// An answer, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8], is_head: bool) -> Option<Answer> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let answer = Answer {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
        };
        if let (Some(length), false) = (answer.header("content-length"), is_head) {
            assert_eq!(length, answer.body.len().to_string(), "the body's length");
        }
        Some(answer)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
