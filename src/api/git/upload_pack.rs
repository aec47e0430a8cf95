//! `git upload-pack`, with a request on its standard input, and its output as the answer.
//!
//! The program runs no longer than somebody waits for it: it is ended with the answer's body, with all that it started.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use crate::api::App;
use crate::api::errors::ApiError;
use crate::export::git_program;

/// Bytes of a request's body, unpacked. A fetch names each object that it wants, and some that it has.
const BODY: usize = 256 << 20;
/// How long a client may take for a piece of the body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How long an answer may take; Gitaly waits as long for a fetch.
const ANSWER_TIME: Duration = Duration::from_secs(3 * 60 * 60);
/// How long it is waited until fewer programs run.
const ROOM_TIME: Duration = Duration::from_secs(50);
/// Bytes of output that are read at once.
const PIECE: usize = 64 << 10;
/// Bytes of a body that are inflated at once, which may become a thousand times as many.
const DEFLATED: usize = 4 << 10;
/// Letters of the header `Git-Protocol`.
const PROTOCOL: usize = 256;

/// Answers with what the repository has.
pub(super) async fn advertise(
    app: &App,
    repository: &Path,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let protocol = protocol(headers);
    // The newer protocol needs no line that names the service.
    let greeting = match is_version_2(protocol) {
        true => None,
        false => Some(Bytes::from_static(b"001e# service=git-upload-pack\n0000")),
    };
    let program = Program::start(app, repository, protocol, &["--http-backend-info-refs"]).await?;
    let media_type = "application/x-git-upload-pack-advertisement";
    program.answer(media_type, greeting, None).await
}

/// Answers a fetch.
pub(super) async fn answer(
    app: &App,
    repository: &Path,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    let text = |name: header::HeaderName| {
        let value = headers.get(name).map(|value| value.to_str());
        value.transpose().map_err(|_| unsupported())
    };
    if text(header::CONTENT_TYPE)? != Some("application/x-git-upload-pack-request") {
        return Err(unsupported());
    }
    let is_gzip = match text(header::CONTENT_ENCODING)? {
        None | Some("identity") => false,
        Some("gzip" | "x-gzip") => true,
        Some(_) => return Err(unsupported()),
    };
    let program = Program::start(app, repository, protocol(headers), &[]).await?;
    let input = Input {
        body: request.into_body(),
        inflating: is_gzip.then(|| MultiGzDecoder::new(Vec::new())),
        left: BODY,
    };
    let media_type = "application/x-git-upload-pack-result";
    program.answer(media_type, None, Some(input)).await
}

fn unsupported() -> ApiError {
    ApiError::error(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "415 Unsupported Media Type",
    )
}

/// What the client says of the protocol; `None` for what it could not mean.
fn protocol(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("git-protocol")?.to_str().ok()?;
    let is_meant = value.len() <= PROTOCOL
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"=:._-".contains(&byte));
    is_meant.then_some(value)
}

fn is_version_2(protocol: Option<&str>) -> bool {
    let mut keys = protocol.unwrap_or_default().split(':');
    keys.any(|key| key == "version=2")
}

/// Pieces of a program's output, none of them empty; an empty one at its end.
type Pieces = mpsc::Receiver<Result<Bytes, Broken>>;

/// Why there is no answer, or not all of it.
enum Broken {
    /// What the client sent is wrong.
    Request(ApiError),
    /// The program failed.
    Program(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Broken::Program(error.to_string())
    }
}

/// A request's body.
struct Input {
    body: Body,
    inflating: Option<MultiGzDecoder<Vec<u8>>>,
    /// Bytes that may still come.
    left: usize,
}

/// A program that runs.
struct Program {
    child: Child,
    said: File,
    _room: OwnedSemaphorePermit,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Program {
    fn kill(&self) {
        // It has no number when it is known to have ended.
        if let Some(id) = self.child.id() {
            git_program::kill_group(id);
        }
    }

    async fn start(
        app: &App,
        repository: &Path,
        protocol: Option<&str>,
        options: &[&str],
    ) -> Result<Program, ApiError> {
        let room = timeout(ROOM_TIME, Arc::clone(&app.git.processes).acquire_owned()).await;
        let Ok(Ok(room)) = room else {
            return Err(ApiError::busy());
        };
        let failed = |error| ApiError::internal("cannot start git", error);
        let said = tempfile::tempfile_in(&app.git.folder).map_err(failed)?;
        let mut command = git_program::command(&app.git.folder);
        command
            .args(["upload-pack", "--strict", "--stateless-rpc"])
            .args(options)
            .arg(repository)
            .envs(protocol.map(|protocol| ("GIT_PROTOCOL", protocol)))
            .stdout(Stdio::piped())
            .stderr(said.try_clone().map_err(failed)?);
        if options.is_empty() {
            command.stdin(Stdio::piped());
        }
        let mut command = Command::from(command);
        let child = command.kill_on_drop(true).spawn().map_err(failed)?;
        Ok(Program {
            child,
            said,
            _room: room,
        })
    }

    /// The answer, once the first bytes of it are there.
    async fn answer(
        self,
        media_type: &'static str,
        greeting: Option<Bytes>,
        input: Option<Input>,
    ) -> Result<Response, ApiError> {
        let (sender, mut pieces) = mpsc::channel(2);
        tokio::spawn(self.work(input, sender));
        let failed = |reason: &str| ApiError::internal("git upload-pack failed", reason);
        let first = match pieces.recv().await {
            Some(Ok(first)) => first,
            Some(Err(Broken::Request(error))) => return Err(error),
            Some(Err(Broken::Program(reason))) => return Err(failed(&reason)),
            None => return Err(failed("it did not come to its end")),
        };
        let has_ended = first.is_empty();
        let body = Output {
            first: [greeting, Some(first).filter(|first| !first.is_empty())],
            pieces: (!has_ended).then_some(pieces),
        };
        Ok(([(header::CONTENT_TYPE, media_type)], Body::new(body)).into_response())
    }

    /// Runs until it has ended, or nobody takes its output any more.
    async fn work(mut self, input: Option<Input>, sender: mpsc::Sender<Result<Bytes, Broken>>) {
        let ended = tokio::select! {
            () = sender.closed() => Ok(()),
            ended = timeout(ANSWER_TIME, self.go(input, &sender)) => ended.unwrap_or_else(|_| {
                Err(Broken::Program("it takes too long".to_owned()))
            }),
        };
        self.kill();
        // It stays in the system's list until it has been asked for.
        let _ = self.child.wait().await;
        if let Err(Broken::Program(reason)) = &ended {
            tracing::warn!("git upload-pack: {reason}");
        }
        // Nobody may wait for it any more.
        let _ = sender.send(ended.map(|()| Bytes::new())).await;
    }

    async fn go(
        &mut self,
        input: Option<Input>,
        sender: &mpsc::Sender<Result<Bytes, Broken>>,
    ) -> Result<(), Broken> {
        let (stdin, stdout) = (self.child.stdin.take(), self.child.stdout.take());
        tokio::try_join!(feed(input, stdin), drain(stdout, sender))?;
        let status = self.child.wait().await?;
        match status.success() {
            true => Ok(()),
            false => {
                let said = git_program::first_line(&mut self.said);
                Err(Broken::Program(format!("{status}{said}")))
            }
        }
    }
}

async fn drain(
    stdout: Option<ChildStdout>,
    sender: &mpsc::Sender<Result<Bytes, Broken>>,
) -> Result<(), Broken> {
    let Some(mut stdout) = stdout else {
        return Ok(());
    };
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if stdout.read_buf(&mut piece).await? == 0 || sender.send(Ok(piece.into())).await.is_err() {
            return Ok(());
        }
    }
}

async fn feed(input: Option<Input>, stdin: Option<ChildStdin>) -> Result<(), Broken> {
    let (Some(mut input), Some(mut stdin)) = (input, stdin) else {
        return Ok(());
    };
    loop {
        let piece = input.next().await.map_err(Broken::Request)?;
        let Some(piece) = piece else {
            return Ok(());
        };
        // It needs no more if it has closed its input; how it ended says whether that was right.
        if stdin.write_all(&piece).await.is_err() {
            return Ok(());
        }
    }
}

impl Input {
    /// The next piece of the body, unpacked; `None` at its end.
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let wrong = || ApiError::error(StatusCode::BAD_REQUEST, "400 Bad Request");
        let frame = timeout(BODY_TIME, self.body.frame())
            .await
            .map_err(|_| ApiError::error(StatusCode::REQUEST_TIMEOUT, "408 Request Timeout"))?;
        let piece = match frame {
            Some(frame) => {
                let data = frame.map_err(|_| wrong())?.into_data();
                // Trailers say nothing here.
                let data = data.unwrap_or_default();
                match &mut self.inflating {
                    None => data,
                    Some(inflating) => inflate(inflating, &data, self.left).ok_or_else(wrong)?,
                }
            }
            None => match self.inflating.take() {
                None => return Ok(None),
                // Cut off, it is no gzip.
                Some(inflating) => inflating.finish().map_err(|_| wrong())?.into(),
            },
        };
        let left = self.left.checked_sub(piece.len());
        self.left = left.ok_or_else(|| {
            ApiError::error(StatusCode::PAYLOAD_TOO_LARGE, "413 Content Too Large")
        })?;
        Ok(Some(piece))
    }
}

/// What some bytes inflate to, a little more than `limit` at the most; `None` for what is no gzip.
fn inflate(inflating: &mut MultiGzDecoder<Vec<u8>>, data: &[u8], limit: usize) -> Option<Bytes> {
    for piece in data.chunks(DEFLATED) {
        inflating.write_all(piece).ok()?;
        if inflating.get_ref().len() > limit {
            break;
        }
    }
    // What is still in the decoder comes with the next bytes.
    Some(std::mem::take(inflating.get_mut()).into())
}

/// The body of an answer.
struct Output {
    /// What comes before the pieces.
    first: [Option<Bytes>; 2],
    /// `None` after the end.
    pieces: Option<Pieces>,
}

impl HttpBody for Output {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.iter_mut().find_map(Option::take) {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some(pieces) = &mut self.pieces else {
            return Poll::Ready(None);
        };
        let frame = match ready!(pieces.poll_recv(context)) {
            Some(Ok(piece)) if piece.is_empty() => None,
            Some(Ok(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
            // An error breaks the answer off, which the client takes for no end.
            Some(Err(_)) | None => Some(Err(io::Error::other("git upload-pack failed"))),
        };
        self.pieces = None;
        Poll::Ready(frame)
    }
}
