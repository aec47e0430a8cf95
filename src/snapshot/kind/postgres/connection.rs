//! One connection: statements that answer with one value, and COPY, whose rows come in large steps.
//!
//! tokio-postgres speaks the protocol. What it needs is a runtime that waits for its socket: each connection owns one, which
//! runs on the thread that asks, as long as it waits for an answer. A server sends each row of a COPY as a message of its own,
//! so rows are taken out of the crate's stream until there are enough of them, and only then is the runtime left.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio_postgres::{CancelToken, Client, CopyOutStream, Error, SimpleQueryMessage};

use super::failure::Failure;
use super::socket::Heard;
use crate::interruption::LOOK_EVERY;
use crate::snapshot::codec::copy_text;
use crate::snapshot::error::STALL_OPTION;
use crate::snapshot::place::Patience;
use crate::timings;

/// Bytes of rows that are taken out of a COPY in one step.
const STEP: usize = 1 << 20;

/// How much later than it should the server may end a statement that takes too long.
const LATE: Duration = Duration::from_secs(10);

/// How long the server may take to hear that the connection ends.
const GOOD_BYE: Duration = Duration::from_secs(1);

/// A connection that is ready for queries.
pub(super) struct Connection {
    // Before the line: the line says good-bye when it sees that nobody can ask any more.
    client: Client,
    line: Line,
    server_version: Option<String>,
}

/// The crate's connection, which does nothing but while it is polled.
type Driver = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What logging in brings.
pub(super) struct LoggedIn {
    client: Client,
    driver: Driver,
    server_version: Option<String>,
}

impl LoggedIn {
    pub(super) fn new<S, T>(client: Client, connection: tokio_postgres::Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        LoggedIn {
            client,
            server_version: connection.parameter("server_version").map(str::to_owned),
            driver: Box::pin(connection),
        }
    }
}

/// How a COPY ended.
pub(super) enum CopyEnd<B> {
    /// The server has sent all rows. These bytes were left.
    Complete(Vec<u8>),
    /// They were not wanted any more, for this reason. The connection can do nothing else any more.
    BrokenOff(B),
}

impl Connection {
    /// A connection that has logged in in this runtime.
    pub(super) fn new(
        runtime: Runtime,
        logged_in: LoggedIn,
        patience: &Patience,
        heard: Heard,
    ) -> Self {
        Connection {
            client: logged_in.client,
            server_version: logged_in.server_version,
            line: Line {
                driver: logged_in.driver,
                runtime,
                has_ended: false,
                end: None,
                patience: patience.clone(),
                option: STALL_OPTION,
                heard,
            },
        }
    }

    /// The server is to end statements that take longer than this. One that has not, a while later, does not do anything any more.
    pub(super) fn expect_answers_within(&mut self, statement: Option<Duration>) {
        let Some(longest) = statement.and_then(|statement| statement.checked_add(LATE)) else {
            return;
        };
        let silence = &mut self.line.patience.silence;
        if silence.is_some_and(|silence| longest < silence) {
            *silence = Some(longest);
            self.line.option = "--statement-timeout";
        }
    }

    /// Lets something else than the end of the run end what is waited for, too.
    pub(super) fn ended_by(&mut self, flag: Arc<AtomicBool>) {
        self.line.patience.interrupted = flag;
    }

    /// By which another connection can end what this one is doing.
    pub(super) fn cancel_token(&self) -> CancelToken {
        self.client.cancel_token()
    }

    /// The server's version in its own words, such as `15.4 (Debian 15.4-1)`.
    pub(super) fn server_version(&self) -> Option<&str> {
        self.server_version.as_deref()
    }

    /// The server's major version, such as 15.
    pub(super) fn major_version(&self) -> u32 {
        let digits = |version: &str| version.bytes().take_while(u8::is_ascii_digit).count();
        self.server_version()
            .and_then(|version| version[..digits(version)].parse().ok())
            .unwrap_or_default()
    }

    /// Runs statements. Returns the first value of the last one that has rows; `None` if there is no such value, or if
    /// it is NULL.
    pub(super) fn ask(&mut self, sql: &str) -> Result<Option<String>, Failure> {
        self.ask_until(None, sql)
    }

    /// [`Connection::ask`] with a time at which the answer must be there.
    pub(super) fn ask_until(
        &mut self,
        deadline: Option<Instant>,
        sql: &str,
    ) -> Result<Option<String>, Failure> {
        timings::query();
        timings::round_trip();
        check_text(sql)?;
        let messages = self
            .line
            .wait_until(deadline, self.client.simple_query(sql))?;
        let mut value = None;
        let mut is_first = false;
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(_) => {
                    value = None;
                    is_first = true;
                }
                SimpleQueryMessage::Row(row) if is_first && !row.is_empty() => {
                    is_first = false;
                    let field = row.try_get(0);
                    let field = field.map_err(|_| Failure::Protocol("a value is not UTF-8"))?;
                    value = field.map(str::to_owned);
                }
                // Rows that are not asked for, and the ends of statements.
                _ => {}
            }
        }
        Ok(value)
    }

    /// All rows of a query, each field as text; NULL is an empty one. By COPY: names in a database that does not know what its
    /// bytes mean (SQL_ASCII) need not be UTF-8, and are shown as far as they are.
    ///
    /// # Errors
    /// Also if a row has not `N` fields.
    pub(super) fn read_all<const N: usize>(
        &mut self,
        query: &str,
    ) -> Result<Vec<[String; N]>, Failure> {
        let mut text = Vec::new();
        let mut take = |rows: &mut Vec<u8>| {
            text.append(rows);
            ControlFlow::<()>::Continue(())
        };
        let copy = format!("COPY ({query}) TO STDOUT");
        if let CopyEnd::Complete(rest) = self.copy_out(&copy, &mut take)? {
            text.extend_from_slice(&rest);
        }
        let (mut found, mut fields, mut value) = (Vec::new(), Vec::new(), Vec::new());
        let mut rows = copy_text::CopyRows::new(&text);
        while rows.next_row(&mut fields).is_some() {
            let mut row = Vec::with_capacity(N);
            for field in &fields {
                value.clear();
                copy_text::decode(&text[field.clone()], &mut value)
                    .map_err(|_| Failure::Protocol("a row cannot be understood"))?;
                row.push(String::from_utf8_lossy(&value).into_owned());
            }
            let row = row.try_into();
            found
                .push(row.map_err(|_| Failure::Protocol("a row has other fields than asked for"))?);
        }
        Ok(found)
    }

    /// Runs a `COPY … TO STDOUT`. `take` is given all bytes that have come and were not taken yet, each time that there are
    /// many more of them, and at the end; it may leave some.
    ///
    /// Reading ends when `take` breaks it off, and the connection cannot be used any more then.
    ///
    /// # Errors
    /// The server's own, and a COPY that does not come to its end. How many rows it had to have, tokio-postgres does not tell.
    pub(super) fn copy_out<B>(
        &mut self,
        sql: &str,
        take: &mut dyn FnMut(&mut Vec<u8>) -> ControlFlow<B>,
    ) -> Result<CopyEnd<B>, Failure> {
        timings::query();
        timings::round_trip();
        check_text(sql)?;
        // The crate prepares each statement that is not to answer in a simple way.
        let statement = self.line.wait(self.client.prepare(sql))?;
        timings::round_trip();
        let mut stream = pin!(self.line.wait(self.client.copy_out(&statement))?);
        let mut rows = Vec::new();
        loop {
            let enough = rows.len() + STEP;
            let is_over = self.line.wait_for(None, |context| {
                next_rows(stream.as_mut(), context, &mut rows, enough)
            })?;
            if let ControlFlow::Break(reason) = take(&mut rows) {
                return Ok(CopyEnd::BrokenOff(reason));
            }
            if is_over {
                break;
            }
        }
        // All rows are here, but not yet the server's word that the statement has come to its end.
        let is_end = self.line.wait_for(None, |context| {
            stream.as_mut().poll_next(context).map(|said| match said {
                Some(Err(error)) if is_end_of_command(&error) => Some(Ok(true)),
                Some(Err(error)) => Some(Err(error)),
                // Another row, or another end of them.
                Some(Ok(_)) | None => Some(Ok(false)),
            })
        })?;
        if !is_end {
            return Err(Failure::Protocol("a message that does not belong here"));
        }
        Ok(CopyEnd::Complete(rows))
    }
}

/// A message ends with a zero byte, so nothing in it may be one.
fn check_text(sql: &str) -> Result<(), Failure> {
    match memchr::memchr(0, sql.as_bytes()) {
        None => Ok(()),
        Some(_) => Err(Failure::Protocol("a text holds a zero byte")),
    }
}

/// Appends rows that have come to `rows`, until it has `enough` bytes. True when there are no more.
fn next_rows(
    mut stream: Pin<&mut CopyOutStream>,
    context: &mut Context<'_>,
    rows: &mut Vec<u8>,
    enough: usize,
) -> Poll<Option<Result<bool, Error>>> {
    let before = rows.len();
    loop {
        match stream.as_mut().poll_next(context) {
            Poll::Ready(Some(Ok(row))) => {
                rows.extend_from_slice(&row);
                if rows.len() >= enough {
                    return Poll::Ready(Some(Ok(false)));
                }
            }
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => return Poll::Ready(Some(Ok(true))),
            Poll::Pending if rows.len() > before => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        }
    }
}

/// True for what the crate says of the message behind the last row, `CommandComplete`, which it does not expect. An error that
/// has come in its place has a cause.
fn is_end_of_command(error: &Error) -> bool {
    use std::error::Error as _;

    error.source().is_none() && !error.is_closed()
}

/// The crate's connection, and the runtime in which it lives.
struct Line {
    driver: Driver,
    runtime: Runtime,
    /// The connection has ended, and cannot be polled any more.
    has_ended: bool,
    /// Why it has ended, if nobody was told yet.
    end: Option<Failure>,
    patience: Patience,
    /// Which option says how long the server may be silent.
    option: &'static str,
    heard: Heard,
}

impl Line {
    /// Waits for an answer, while the connection sends and receives.
    fn wait<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        self.wait_until(None, answer)
    }

    fn wait_until<T>(
        &mut self,
        deadline: Option<Instant>,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        let mut answer = pin!(answer);
        self.wait_for(deadline, |context| answer.as_mut().poll(context).map(Some))
    }

    /// Waits until `answer` has a result. It gives `None` if it has taken something, and so made room for more.
    fn wait_for<T>(
        &mut self,
        deadline: Option<Instant>,
        mut answer: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<T, Error>>>,
    ) -> Result<T, Failure> {
        let Line {
            driver,
            runtime,
            has_ended,
            end,
            patience,
            option,
            heard,
        } = self;
        let both = std::future::poll_fn(|context| {
            loop {
                if !*has_ended && let Poll::Ready(ended) = driver.as_mut().poll(context) {
                    *has_ended = true;
                    *end = ended.err().map(Failure::of_connection);
                }
                match answer(context) {
                    Poll::Ready(Some(Err(error))) if error.is_closed() && *has_ended => {}
                    // What came before the end counts.
                    Poll::Ready(Some(result)) => {
                        return Poll::Ready(result.map_err(Failure::of_answer));
                    }
                    Poll::Ready(None) => continue,
                    Poll::Pending if !*has_ended => return Poll::Pending,
                    Poll::Pending => {}
                }
                return Poll::Ready(Err(end.take().unwrap_or_else(Failure::closed)));
            }
        });
        let watched = watch(patience, heard, option, both);
        let result = timings::reading(|| runtime.block_on(until(deadline, watched)));
        if let Err(Failure::Stalled { .. } | Failure::Interrupted) = result {
            // Nobody says good-bye to a server that does not listen, nor when it is time to go.
            *has_ended = true;
        }
        result
    }
}

/// What comes of `work`, unless the server sends nothing for too long, or the run is to end.
pub(super) async fn watch<T>(
    patience: &Patience,
    heard: &Heard,
    option: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = pin!(work);
    let (mut bytes, mut since) = (heard.bytes(), Instant::now());
    loop {
        if let Ok(result) = tokio::time::timeout(LOOK_EVERY, work.as_mut()).await {
            return result;
        }
        if patience.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        let now = heard.bytes();
        if now != bytes {
            (bytes, since) = (now, Instant::now());
        } else if let Some(silence) = patience.silence
            && since.elapsed() >= silence
        {
            return Err(Failure::Stalled { silence, option });
        }
    }
}

/// What comes of `work`, unless a time comes before.
pub(super) async fn until<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match deadline {
        None => work.await,
        Some(deadline) => tokio::time::timeout_at(deadline.into(), work)
            .await
            .unwrap_or_else(|_| Err(Failure::timed_out())),
    }
}

impl Drop for Line {
    /// Says good-bye, so that the server logs no lost connection.
    fn drop(&mut self) {
        if !self.has_ended && !self.patience.interrupted.load(Ordering::Relaxed) {
            let driver = &mut self.driver;
            // Whoever has gone already will not miss it; whoever does not listen must not be waited for.
            let _ = self
                .runtime
                .block_on(async { tokio::time::timeout(GOOD_BYE, driver).await });
        }
    }
}

#[cfg(test)]
mod tests;
