//! One connection: queries that answer with a few rows, and COPY, whose rows come in large pieces.
//!
//! The protocol's messages are those of the postgres-protocol crate. The reading is done here, since a server sends each
//! row of a COPY as a message of its own: their heads are cut out where they lie in the read buffer.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use crate::timings;

use super::failure::Failure;
use super::socket::Socket;

/// Bytes that are read at a time.
const READ: usize = 256 << 10;

/// A message that is longer than any that a server sends.
const LONGEST: usize = 1 << 30;

/// Rows of an answer: the text of each field, `None` for NULL.
pub(super) type Rows = Vec<Vec<Option<String>>>;

/// A connection that is ready for queries.
pub(super) struct Connection {
    socket: Socket,
    buffer: Vec<u8>,
    /// The part of `buffer` that holds bytes not looked at yet.
    start: usize,
    end: usize,
    /// What the server says of itself.
    parameters: HashMap<String, String>,
    cancel_key: Option<CancelKey>,
}

/// By which another connection can end what this one is doing: process and secret.
pub(super) type CancelKey = (i32, i32);

impl Connection {
    pub(super) fn new(socket: Socket) -> Self {
        Connection {
            socket,
            buffer: vec![0; 16 << 10],
            start: 0,
            end: 0,
            parameters: HashMap::new(),
            cancel_key: None,
        }
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) fn cancel_key(&self) -> Option<CancelKey> {
        self.cancel_key
    }

    /// A setting that the server reports, such as `server_version`.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The server's major version, such as 15.
    pub(super) fn major_version(&self) -> u32 {
        let digits = |version: &str| version.bytes().take_while(u8::is_ascii_digit).count();
        self.parameter("server_version")
            .and_then(|version| version[..digits(version)].parse().ok())
            .unwrap_or_default()
    }

    pub(super) fn send(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut bytes = BytesMut::new();
        write(&mut bytes).map_err(|_| Failure::Protocol("a text holds a zero byte"))?;
        timings::round_trip();
        timings::reading(|| {
            self.socket.write_all(&bytes)?;
            self.socket.flush()
        })?;
        Ok(())
    }

    /// The next message, apart from those that may come at any time.
    pub(super) fn message(&mut self) -> Result<Message, Failure> {
        loop {
            let length = self.whole_message()?;
            let message = &self.buffer[self.start..self.start + length];
            let message = Message::parse(&mut BytesMut::from(message))
                .map_err(|_| Failure::Protocol("a message cannot be understood"))?
                .ok_or(Failure::Protocol("a message is not as long as it says"))?;
            self.start += length;
            match message {
                Message::ParameterStatus(status) => {
                    let (name, value) = (status.name(), status.value());
                    if let (Ok(name), Ok(value)) = (name, value) {
                        self.parameters.insert(name.to_owned(), value.to_owned());
                    }
                }
                Message::BackendKeyData(data) => {
                    self.cancel_key = Some((data.process_id(), data.secret_key()));
                }
                Message::NoticeResponse(_) | Message::NotificationResponse(_) => {}
                Message::ErrorResponse(error) => {
                    let mut fields = error.fields();
                    let (mut message, mut sqlstate, mut severity) =
                        (String::new(), String::new(), String::new());
                    while let Ok(Some(field)) = fields.next() {
                        let value = || String::from_utf8_lossy(field.value_bytes()).into_owned();
                        match field.type_() {
                            b'M' => message = value(),
                            b'C' => sqlstate = value(),
                            // Not translated, as against `S`.
                            b'V' => severity = value(),
                            // Details and hints may hold values of rows.
                            _ => {}
                        }
                    }
                    return Err(Failure::Server {
                        message,
                        sqlstate,
                        fatal: severity != "ERROR",
                    });
                }
                message => return Ok(message),
            }
        }
    }

    /// Reads until a whole message is in the buffer; returns its length with its head.
    fn whole_message(&mut self) -> Result<usize, Failure> {
        loop {
            let there = self.end - self.start;
            if let Some(head) = self.buffer[self.start..self.end].first_chunk::<5>() {
                let length = message_length(head)?;
                if there >= length {
                    return Ok(length);
                }
                self.fill(length)?;
            } else {
                self.fill(5)?;
            }
        }
    }

    /// Reads once more, with room for a message of this length.
    fn fill(&mut self, length: usize) -> Result<(), Failure> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < length {
            // No further than what has come: a length that lies must not take memory.
            let room = length.min((self.buffer.len() * 2).max(READ));
            self.buffer.resize(room, 0);
        }
        match timings::reading(|| self.socket.read(&mut self.buffer[self.end..])) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => {
                self.end += count;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Runs statements and returns the rows of the last one that has any.
    pub(super) fn query(&mut self, sql: &str) -> Result<Rows, Failure> {
        timings::query();
        self.send(|bytes| frontend::query(sql, bytes))?;
        let mut rows = Rows::new();
        let mut failure = None;
        loop {
            match self.message() {
                Ok(Message::RowDescription(_)) => rows.clear(),
                Ok(Message::DataRow(row)) => {
                    let mut ranges = row.ranges();
                    let mut fields = Vec::new();
                    while let Some(range) = ranges
                        .next()
                        .map_err(|_| Failure::Protocol("a row cannot be understood"))?
                    {
                        fields.push(range.map(|range| {
                            String::from_utf8_lossy(&row.buffer()[range]).into_owned()
                        }));
                    }
                    rows.push(fields);
                }
                Ok(Message::CommandComplete(_) | Message::EmptyQueryResponse) => {}
                Ok(Message::ReadyForQuery(_)) => {
                    return match failure {
                        None => Ok(rows),
                        Some(failure) => Err(failure),
                    };
                }
                Ok(_) => return Err(Failure::Protocol("a message that does not belong here")),
                // The server becomes ready again, unless it ends the connection.
                Err(error) if error.ends_connection() => return Err(failure.unwrap_or(error)),
                Err(error) => failure = Some(error),
            }
        }
    }

    /// Runs a `COPY … TO STDOUT`. Its bytes are appended to `out`, which `take` may empty each time that more have
    /// come. Returns how many rows the server says that it sent.
    ///
    /// `Break` ends it; the connection cannot be used any more then, and `None` is returned.
    pub(super) fn copy_out(
        &mut self,
        sql: &str,
        take: &mut dyn FnMut(&mut Vec<u8>) -> ControlFlow<()>,
        out: &mut Vec<u8>,
    ) -> Result<Option<u64>, Failure> {
        timings::query();
        self.send(|bytes| frontend::query(sql, bytes))?;
        if self.buffer.len() < READ {
            self.buffer.resize(READ, 0);
        }
        let mut failure = None;
        let mut rows = None;
        loop {
            if self.take_rows(out)? && take(out) == ControlFlow::Break(()) {
                return Ok(None);
            }
            match self.message() {
                // A row that is longer than the buffer, and comes alone.
                Ok(Message::CopyData(data)) => out.extend_from_slice(data.data()),
                Ok(Message::CopyOutResponse(_) | Message::CopyDone) => {}
                Ok(Message::CommandComplete(complete)) => {
                    let tag = complete.tag().unwrap_or_default();
                    rows = tag.strip_prefix("COPY ").and_then(|rows| rows.parse().ok());
                }
                Ok(Message::ReadyForQuery(_)) => {
                    return match (failure, rows) {
                        (Some(failure), _) => Err(failure),
                        (None, Some(rows)) => Ok(Some(rows)),
                        (None, None) => {
                            Err(Failure::Protocol("COPY ended without its number of rows"))
                        }
                    };
                }
                Ok(_) => return Err(Failure::Protocol("a message that does not belong here")),
                Err(error) if error.ends_connection() => return Err(failure.unwrap_or(error)),
                Err(error) => failure = Some(error),
            }
        }
    }

    /// Appends the content of the COPY messages that are whole in the buffer. True where there was any.
    fn take_rows(&mut self, out: &mut Vec<u8>) -> Result<bool, Failure> {
        let before = self.start;
        while let Some(head) = self.buffer[self.start..self.end].first_chunk::<5>() {
            if head[0] != b'd' {
                break;
            }
            let length = message_length(head)?;
            let Some(message) = self.buffer[self.start..self.end].get(..length) else {
                break;
            };
            out.extend_from_slice(&message[5..]);
            self.start += length;
        }
        Ok(self.start > before || !out.is_empty())
    }
}

impl Drop for Connection {
    /// Says good-bye, so that the server logs no lost connection.
    fn drop(&mut self) {
        let mut bytes = BytesMut::new();
        frontend::terminate(&mut bytes);
        // Whoever has gone already will not miss it; whoever does not read must not be waited for.
        let _ = self
            .socket
            .set_timeout(Some(std::time::Duration::from_secs(1)));
        let _ = self.socket.write_all(&bytes);
        let _ = self.socket.flush();
    }
}

/// The length of a message with its head.
fn message_length(head: &[u8; 5]) -> Result<usize, Failure> {
    let [_, length @ ..] = head;
    let length = u32::from_be_bytes(*length) as usize;
    match length {
        4..=LONGEST => Ok(length + 1),
        _ => Err(Failure::Protocol("a message has an impossible length")),
    }
}
