//! A proxy before a server that does to requests what networks and busy servers do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    /// An error in the server's place.
    Answer(u16, &'static str),
    /// The connection ends before the server has seen it.
    Reset,
    /// The server does it, but its answer is lost.
    LoseAnswer,
    /// Nothing comes back, and the connection stays.
    Stall,
    /// The answer names other content.
    WrongEtag,
}

/// A request as the proxy sees it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With the parameters.
    pub(crate) path: String,
    /// How many requests came before it.
    pub(crate) number: usize,
}

impl Seen {
    /// True for a put of an object, or of a part, of the export itself.
    pub(crate) fn is_put_of_file(&self) -> bool {
        self.method == "PUT" && self.path.contains("/group_")
    }

    pub(crate) fn is_put_of(&self, name: &str) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        self.method == "PUT" && path.ends_with(&format!("/{name}"))
    }
}

type Rule = dyn Fn(&Seen) -> Fate + Send + Sync;

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    server: u16,
    rule: Box<Rule>,
    requests: AtomicUsize,
    seen: Mutex<Vec<(Seen, Fate)>>,
    stopped: AtomicBool,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Proxy {
    pub(crate) fn new(server: u16, rule: impl Fn(&Seen) -> Fate + Send + Sync + 'static) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            server,
            rule: Box::new(rule),
            requests: AtomicUsize::new(0),
            seen: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A connection that breaks is what this is about.
                thread::spawn(move || drop(serve(&shared, client.unwrap())));
            }
        });
        Proxy { port, state }
    }

    /// How many requests had another fate than to pass.
    pub(crate) fn hits(&self) -> usize {
        let seen = self.state.seen.lock().unwrap();
        seen.iter().filter(|(_, fate)| *fate != Fate::Pass).count()
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.state.seen.lock().unwrap();
        seen.iter().map(|(seen, _)| seen.clone()).collect()
    }
}

/// One request of a connection; the client begins another for the next.
fn serve(state: &State, client: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = Vec::new();
    loop {
        let before = head.len();
        if reader.read_until(b'\n', &mut head)? == 0 {
            return Ok(());
        }
        if head.len() - before <= 2 {
            break;
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split(' ');
    let seen = Seen {
        method: words.next().unwrap_or_default().to_owned(),
        path: words.next().unwrap_or_default().to_owned(),
        number: state.requests.fetch_add(1, Ordering::SeqCst),
    };
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let fate = (state.rule)(&seen);
    state.seen.lock().unwrap().push((seen.clone(), fate));
    let mut client = client;
    match fate {
        Fate::Reset => return client.shutdown(Shutdown::Both),
        Fate::Stall => {
            // Until the client has had enough.
            let mut rest = [0; 1];
            let _ended = client.read(&mut rest);
            return Ok(());
        }
        Fate::Answer(status, code) => {
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
            let length = body.len();
            return write!(
                client,
                "HTTP/1.1 {status} Fault\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{body}"
            );
        }
        Fate::Pass | Fate::LoseAnswer | Fate::WrongEtag => {}
    }
    let mut server = TcpStream::connect(("127.0.0.1", state.server))?;
    server.write_all(&head[..head.len() - 2])?;
    server.write_all(b"connection: close\r\n\r\n")?;
    server.write_all(&body)?;
    if fate == Fate::Pass {
        std::io::copy(&mut server, &mut client)?;
        return client.shutdown(Shutdown::Both);
    }
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    if fate == Fate::WrongEtag {
        client.write_all(&with_wrong_etag(&answer))?;
    }
    client.shutdown(Shutdown::Both)
}

/// The answer with another first digit in its ETag.
fn with_wrong_etag(answer: &[u8]) -> Vec<u8> {
    let mut answer = answer.to_vec();
    let lower = answer.to_ascii_lowercase();
    let at = lower
        .windows(7)
        .position(|window| window == b"etag: \"")
        .expect("an ETag");
    let digit = &mut answer[at + 7];
    *digit = if *digit == b'0' { b'1' } else { b'0' };
    answer
}
