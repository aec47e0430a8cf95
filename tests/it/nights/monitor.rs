//! A monitoring service: a small HTTP server that keeps what it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A ping that arrived.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    /// Without the query.
    pub path: String,
    pub run_id: String,
    pub body: String,
}

/// Answers every ping with one status.
pub(super) struct Monitor {
    pub url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Monitor {
    pub(super) fn start(status: u16) -> Monitor {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let kept = Arc::clone(&arrived);
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                if let Some(ping) = read(&stream) {
                    kept.lock().unwrap().push(ping);
                }
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
                );
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Monitor { url, arrived }
    }

    pub(super) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// The paths of all pings, in their order.
    pub(super) fn paths(&self) -> Vec<String> {
        self.arrived().into_iter().map(|ping| ping.path).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Arrived> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let target = first.strip_prefix("POST ")?.strip_suffix(" HTTP/1.1")?;
    let (path, query) = target.split_once('?')?;
    let mut length = 0;
    loop {
        let header = line().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some(Arrived {
        path: path.to_owned(),
        run_id: query.strip_prefix("rid=")?.to_owned(),
        body: String::from_utf8(body).unwrap(),
    })
}
