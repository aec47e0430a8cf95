//! What stands between the program and a bucket's server, and lets through what a test wants.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What becomes of a request.
pub(super) enum Fate {
    Forward,
    /// It is answered with this status.
    Refuse(u16),
    /// Its answer breaks off after so many bytes of the body.
    BreakAfter(u64),
    /// It is never answered.
    Hang,
}

/// Starts one. `decide` is told each request's head, and says what becomes of it; it may do what it likes before. Returns the
/// port.
pub(super) fn start(server: u16, decide: impl Fn(&str) -> Fate + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let decide = Arc::new(decide);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let decide = Arc::clone(&decide);
            // A client that goes away ends its connection.
            std::thread::spawn(move || serve(&client, server, &*decide));
        }
    });
    port
}

fn serve(client: &TcpStream, server: u16, decide: &dyn Fn(&str) -> Fate) -> io::Result<()> {
    let upstream = TcpStream::connect(("127.0.0.1", server))?;
    let (mut requests, mut answers) = (BufReader::new(client), BufReader::new(&upstream));
    let (mut to_client, mut to_server) = (client, &upstream);
    loop {
        let head = head(&mut requests)?;
        let fate = decide(&head);
        if let Fate::Refuse(status) = fate {
            let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
            to_client.write_all(answer.as_bytes())?;
            continue;
        }
        if let Fate::Hang = fate {
            // Until the client has had enough.
            let _ = requests.read(&mut [0])?;
            return Ok(());
        }
        to_server.write_all(head.as_bytes())?;
        let answer = self::head(&mut answers)?;
        to_client.write_all(answer.as_bytes())?;
        let length = match head.starts_with("HEAD ") {
            true => 0,
            false => length(&answer),
        };
        let most = match fate {
            Fate::BreakAfter(most) => most,
            Fate::Forward | Fate::Refuse(_) | Fate::Hang => u64::MAX,
        };
        if io::copy(&mut (&mut answers).take(length.min(most)), &mut to_client)? < length {
            return Ok(());
        }
    }
}

/// A request's or an answer's head, with the empty line that ends it.
fn head(from: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn length(answer: &str) -> u64 {
    let mut lines = answer.lines().map(str::to_ascii_lowercase);
    let length = lines.find_map(|line| Some(line.strip_prefix("content-length:")?.trim().parse()));
    length.expect("an answer of known length").unwrap()
}
