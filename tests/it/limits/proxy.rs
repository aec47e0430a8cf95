//! A proxy before a PostgreSQL server that passes bytes on until it is told otherwise.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of the server's answers once so many bytes of them have gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing more comes, and the connection stays.
    Stall,
    /// The connection ends.
    Reset,
}

/// A proxy that runs until it is dropped.
pub(super) struct Proxy {
    pub(super) port: u16,
    state: Arc<State>,
}

struct State {
    socket: PathBuf,
    fate: Fate,
    /// Bytes of answers, over all connections, that pass.
    after: u64,
    passed: AtomicU64,
    /// It has happened.
    hit: AtomicBool,
    stopped: AtomicBool,
    /// Kept open as long as the proxy lives.
    held: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// `folder` is that of the server's socket.
    pub(super) fn new(folder: &Path, port: u16, fate: Fate, after: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            socket: folder.join(format!(".s.PGSQL.{port}")),
            fate,
            after,
            passed: AtomicU64::new(0),
            hit: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            held: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                shared.take(client.unwrap());
            }
        });
        Proxy { port: own, state }
    }

    /// True once it has stalled or reset a connection.
    pub(super) fn was_hit(&self) -> bool {
        self.state.hit.load(Ordering::SeqCst)
    }
}

impl State {
    fn take(self: &Arc<State>, client: TcpStream) {
        let server = UnixStream::connect(&self.socket).unwrap();
        self.held.lock().unwrap().push(client.try_clone().unwrap());
        let (mut asks, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut asks, &mut asked);
            let _ = asked.shutdown(Shutdown::Both);
        });
        let state = Arc::clone(self);
        thread::spawn(move || state.answers(server, client));
    }

    fn answers(&self, mut server: UnixStream, mut client: TcpStream) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = server.read(&mut buffer) {
            let before = self.passed.fetch_add(count as u64, Ordering::SeqCst);
            let left = usize::try_from(self.after.saturating_sub(before)).unwrap();
            if client.write_all(&buffer[..count.min(left)]).is_err() {
                return;
            }
            if count > left {
                self.hit.store(true, Ordering::SeqCst);
                match self.fate {
                    // What else comes is swallowed, so that the server notices nothing.
                    Fate::Stall => while let Ok(1..) = server.read(&mut buffer) {},
                    Fate::Reset => drop(client.shutdown(Shutdown::Both)),
                }
                return;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        for held in self.state.held.lock().unwrap().iter() {
            let _ = held.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}
