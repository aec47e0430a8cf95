//! A server that says what a test wants it to, in the protocol's own bytes.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::environment::Environment;
use super::target::Target;

/// An environment without variables.
struct NoVariables;

impl Environment for NoVariables {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// Serves every connection by `script`; returns how it is connected to, with more parameters. A script that fails has lost
/// its client, and its connection is closed.
pub(super) fn serve(
    parameters: &str,
    script: impl Fn(&mut TcpStream) -> io::Result<()> + Send + 'static,
) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = script(&mut stream.unwrap());
        }
    });
    let address = format!("postgres://me@127.0.0.1:{port}/db?{parameters}");
    Target::read(&address, &NoVariables).unwrap()
}

/// A message of a server.
pub(super) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], length.as_slice(), body].concat()
}

/// An ErrorResponse.
pub(super) fn error(severity: &str, sqlstate: &str) -> Vec<u8> {
    let body = format!("S{severity}\0V{severity}\0C{sqlstate}\0Mwhat the server says\0\0");
    message(b'E', body.as_bytes())
}

pub(super) fn ready() -> Vec<u8> {
    message(b'Z', b"T")
}

/// What a client says first, which has no tag.
pub(super) fn read_first(stream: &mut TcpStream) -> io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    stream.read_exact(&mut vec![0; u32::from_be_bytes(length) as usize - 4])
}

/// Reads messages of the client up to one with this tag.
pub(super) fn read_until(stream: &mut TcpStream, last: u8) -> io::Result<()> {
    loop {
        let mut tag = [0];
        stream.read_exact(&mut tag)?;
        read_first(stream)?;
        if tag[0] == last {
            return Ok(());
        }
    }
}

/// Lets a client in.
pub(super) fn let_in(stream: &mut TcpStream) -> io::Result<()> {
    read_first(stream)?;
    stream.write_all(&message(b'R', &[0; 4]))?;
    stream.write_all(&message(b'S', b"server_version\x0015.4 (fake)\0"))?;
    stream.write_all(&message(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]))?;
    stream.write_all(&message(b'Z', b"I"))
}
