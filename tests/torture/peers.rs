//! A server of PostgreSQL behind a proxy that resets, goes away, falls silent or is slow in mid-run.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use socket2::SockRef;

use crate::judge;
use crate::kills::healed;
use crate::process::watch;
use crate::scenario::{Scenario, database, of_server};
use crate::stand::Stand;
use crate::support::*;
use crate::table::Verdict;

/// What becomes of the connections when so many bytes have come from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Reset,
    Close,
    /// Nothing comes any more, and the connection stays.
    Stall,
    /// A few bytes come at a time.
    Trickle,
}

pub(crate) fn run(stand: &mut Stand) {
    let scenario = of_server();
    let fates = [
        ("a server that resets connections", Fate::Reset),
        ("a server that goes away", Fate::Close),
        ("a server that falls silent", Fate::Stall),
        ("a server that is slow", Fate::Trickle),
    ];
    for (fault, fate) in fates {
        let tries = stand.short_or_long(2, 30);
        stand.row(fault, tries, |_, dice| disturbed(&scenario, fate, dice));
    }
}

/// An export through a proxy, and one without.
fn disturbed(scenario: &Scenario, fate: Fate, dice: &mut Rng) -> Verdict {
    let dir = Dir::new();
    // An export of all groups of the fixture brings about 150 KB.
    let proxy = Proxy::start(fate, dice.usize(..150_000), dice.bool());
    let address = format!(
        "postgresql://postgres@127.0.0.1:{}/{}?sslmode=disable&gssencmode=disable",
        proxy.port,
        database().name
    );
    let export = scenario
        .export_of(&dir, address)
        .args(["--stall-timeout", "2s"]);
    let ended = watch(export);
    let hits = proxy.state.hits.load(Ordering::SeqCst);
    drop(proxy);
    if hits == 0 {
        return Verdict::Missed;
    }
    if let Some(fault) = ended.fault() {
        return fault;
    }
    let out = dir.join("out");
    if ended.run.code == Some(0) {
        return match scenario.undisturbed().difference_of_content(&out) {
            Some(difference) => Verdict::Lied(format!("it ended with 0, and {difference}")),
            None => Verdict::Survived,
        };
    }
    // What was read by the proxy's address is another server's: the next run begins anew.
    match out.exists() && judge::says_finished(&out) {
        true => Verdict::Lied("it failed, and the manifest says finished".to_owned()),
        false => {
            if let Some(wrong) = scenario.undisturbed().wrong_file(&out) {
                return Verdict::Lied(wrong);
            }
            let _ = std::fs::remove_dir_all(&out);
            healed(scenario, &dir)
        }
    }
}

/// A proxy before the server's socket.
struct Proxy {
    port: u16,
    state: Arc<State>,
}

struct State {
    fate: Fate,
    /// How many bytes of the server pass, of all connections together.
    passes: usize,
    /// Only one connection meets its fate, and others go on.
    is_once: bool,
    passed: AtomicUsize,
    hits: AtomicUsize,
    is_over: AtomicBool,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Proxy {
    fn start(fate: Fate, passes: usize, is_once: bool) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            fate,
            passes,
            is_once,
            passed: AtomicUsize::new(0),
            hits: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A connection that breaks is what this is about.
                thread::spawn(move || drop(serve(&shared, &client)));
            }
        });
        Proxy { port, state }
    }
}

fn serve(state: &State, client: &TcpStream) -> std::io::Result<()> {
    let server = database().server;
    let socket = server.folder.join(format!(".s.PGSQL.{}", server.port));
    let server = UnixStream::connect(socket)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let (mut server, mut client) = (&server, client);
    let mut buffer = [0; 4096];
    loop {
        let count = server.read(&mut buffer)?;
        if count == 0 {
            return client.shutdown(Shutdown::Both);
        }
        let before = state.passed.fetch_add(count, Ordering::SeqCst);
        if before + count <= state.passes {
            client.write_all(&buffer[..count])?;
            continue;
        }
        if state.is_once && state.hits.load(Ordering::SeqCst) > 0 {
            client.write_all(&buffer[..count])?;
            continue;
        }
        state.hits.fetch_add(1, Ordering::SeqCst);
        let rest = state.passes.saturating_sub(before);
        client.write_all(&buffer[..rest])?;
        match state.fate {
            Fate::Reset => {
                // Closed without linger, which the thread that still reads does last, a socket is reset.
                SockRef::from(client).set_linger(Some(Duration::ZERO))?;
                server.shutdown(Shutdown::Both)?;
                return client.shutdown(Shutdown::Read);
            }
            Fate::Close => {
                server.shutdown(Shutdown::Both)?;
                return client.shutdown(Shutdown::Both);
            }
            Fate::Stall => {
                while !state.is_over.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(20));
                }
                return Ok(());
            }
            Fate::Trickle => {
                for piece in buffer[rest..count].chunks(64) {
                    client.write_all(piece)?;
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }
}
