use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use super::*;

/// Answers requests with these statuses, one each, and gives back what was asked: the first line and the body.
fn serve(statuses: &'static [u16]) -> (String, std::thread::JoinHandle<Vec<(String, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ping/secret-uuid", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let answer = |status: &u16| {
            let (stream, _) = listener.accept().unwrap();
            let asked = read_request(&stream);
            let answer =
                format!("HTTP/1.1 {status} x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK");
            (&stream).write_all(answer.as_bytes()).unwrap();
            asked
        };
        statuses.iter().map(answer).collect()
    });
    (url, thread)
}

fn read_request(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
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
    (first, String::from_utf8(body).unwrap())
}

#[test]
fn a_run_is_told_by_its_start_and_by_its_exit_status_with_the_log() {
    let (url, server) = serve(&[200, 200]);
    let (pinger, run) = (Pinger::new().unwrap(), RunId::new());
    let url = Secret::new(url);
    pinger.ping(&url, PingKind::Start, &run, "").unwrap();
    let end = PingKind::End { exit_status: 3 };
    pinger.ping(&url, end, &run, "the log\nends ü").unwrap();
    let line = |last: &str| format!("POST /ping/secret-uuid/{last}?rid={run} HTTP/1.1");
    assert_eq!(
        server.join().unwrap(),
        [
            (line("start"), String::new()),
            (line("3"), "the log\nends ü".to_owned())
        ]
    );
}

#[test]
fn what_may_pass_is_tried_three_times_and_the_rest_once() {
    let pinger = Pinger::new().unwrap();
    let ping = |url| pinger.ping(&Secret::new(url), PingKind::Start, &RunId::new(), "");
    let (url, server) = serve(&[500, 429, 200]);
    ping(url).unwrap();
    assert_eq!(server.join().unwrap().len(), 3);
    let (url, server) = serve(&[503, 503, 503]);
    let error = ping(url).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot ping 127.0.0.1: it answers with status 503\n"),
        "{error}"
    );
    assert_eq!(server.join().unwrap().len(), 3);
    let (url, server) = serve(&[404]);
    let error = ping(url).unwrap_err().to_string();
    assert!(error.contains("status 404"), "{error}");
    assert_eq!(server.join().unwrap().len(), 1);
}

#[test]
fn nobody_there_is_told_without_the_address() {
    let pinger = Pinger::new().unwrap();
    // Bound and closed again: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = Secret::new(format!("http://user:hunter2@{address}/secret-uuid"));
    let error = pinger
        .ping(&url, PingKind::Start, &RunId::new(), "")
        .unwrap_err()
        .to_string();
    assert!(error.contains("refused"), "{error}");
    assert!(
        !error.contains("secret-uuid") && !error.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn an_address_keeps_its_query_and_has_one_slash() {
    let run = RunId::new();
    let end = PingKind::End { exit_status: 0 };
    let at = |url, kind| address(url, kind, &run).map(String::from);
    for (url, whole) in [
        (
            "https://hc-ping.com/uuid",
            "https://hc-ping.com/uuid/0?rid=",
        ),
        (
            "https://hc-ping.com/uuid/ ",
            "https://hc-ping.com/uuid/0?rid=",
        ),
        (
            "https://h/ping/key/slug?create=1",
            "https://h/ping/key/slug/0?create=1&rid=",
        ),
    ] {
        assert_eq!(at(url, end), Some(format!("{whole}{run}")), "{url}");
    }
    for url in [
        "",
        "hc-ping.com/uuid",
        "ftp://h/uuid",
        "mailto:me@h",
        "file:///etc/passwd",
    ] {
        assert_eq!(at(url, PingKind::Start), None, "{url}");
    }
}
