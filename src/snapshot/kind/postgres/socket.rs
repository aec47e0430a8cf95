//! The way to a server: TCP or a unix socket. TLS comes on top of it, in the crate that speaks the protocol.
//!
//! tokio-postgres could open sockets, too, but it would look a host's name up anew for each connection and take any of
//! its addresses, without the zone of an IPv6 one.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::failure::{Failure, NoServer};
use super::target::{Host, HostAddress, Target};

/// Bytes that are read at a time. The crate would ask for 8 KiB.
const READ: usize = 256 << 10;

/// The silence after which a server is asked whether it is there, if the address does not say.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// The wait before a socket whose queue is full is tried again.
const QUEUE_WAIT: Duration = Duration::from_millis(20);

/// Where a server was found: one address, so that later connections go to no other.
#[derive(Clone)]
pub(super) enum SocketAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A connected socket, without TLS.
pub(super) type Socket = BufReader<FirstAnswer<Box<dyn ReadWrite>>>;

pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for S {}

/// The addresses that a host stands for.
pub(super) fn addresses(host: &Host) -> Result<Vec<SocketAddress>, Failure> {
    match &host.address {
        HostAddress::Folder(folder) => {
            let path = folder.join(format!(".s.PGSQL.{}", host.port));
            Ok(vec![SocketAddress::Unix(path)])
        }
        HostAddress::Tcp { name, number } => {
            let asked = number.as_ref().unwrap_or(name);
            let found = (asked.as_str(), host.port)
                .to_socket_addrs()
                .map_err(|error| {
                    Failure::Broken(io::Error::new(
                        error.kind(),
                        format!("the host's name cannot be looked up: {error}"),
                    ))
                })?;
            Ok(found.map(SocketAddress::Tcp).collect())
        }
    }
}

/// Connects. What listens there must answer as a server does.
pub(super) async fn connect(
    address: &SocketAddress,
    target: &Target,
    first: FirstBytes,
    heard: &Heard,
) -> io::Result<Socket> {
    let stream: Box<dyn ReadWrite> = match address {
        SocketAddress::Unix(path) => Box::new(connect_unix(path).await?),
        SocketAddress::Tcp(address) => {
            let stream = TcpStream::connect(*address).await?;
            stream.set_nodelay(true)?;
            keep_alive(&stream, target)?;
            Box::new(stream)
        }
    };
    let stream = FirstAnswer {
        stream,
        expected: first.bytes(),
        heard: heard.clone(),
    };
    Ok(BufReader::with_capacity(READ, stream))
}

async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    // Linux has names for sockets that are no files. They begin with a zero byte, which users write as an @.
    let name = match path.to_str().and_then(|path| path.strip_prefix('@')) {
        Some(name) if cfg!(target_os = "linux") => PathBuf::from(format!("\0{name}")),
        _ => path.to_owned(),
    };
    loop {
        match UnixStream::connect(&name).await {
            // Too many are waiting to be let in. A socket that blocks would wait, too.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(QUEUE_WAIT).await;
            }
            connected => return connected,
        }
    }
}

/// Has the system notice a server that is gone without a word. It is asked after earlier than by the system's defaults, which
/// are two hours for a silent connection and a quarter of an hour for one that takes nothing.
fn keep_alive(stream: &TcpStream, target: &Target) -> io::Result<()> {
    let keepalives = &target.keepalives;
    if !keepalives.on {
        return Ok(());
    }
    let idle = keepalives.idle.unwrap_or(KEEPALIVE_IDLE);
    let mut settings = socket2::TcpKeepalive::new().with_time(idle);
    if let Some(interval) = keepalives.interval {
        settings = settings.with_interval(interval);
    }
    if let Some(count) = keepalives.count {
        settings = settings.with_retries(count);
    }
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_keepalive(&settings)?;
    // Sooner than the silence is over: then another connection is tried.
    #[cfg(target_os = "linux")]
    if let Some(timeout) = keepalives
        .user_timeout
        .or(target.patience.silence.map(|silence| silence / 2))
    {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    Ok(())
}

/// What a server answers first with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstBytes {
    /// Whether it does TLS.
    WhetherTls,
    /// TLS itself, whose library looks at it.
    Tls,
    /// Messages: a way to log in, an error, a notice, or a version of the protocol.
    Message,
}

impl FirstBytes {
    fn bytes(self) -> Option<&'static [u8]> {
        match self {
            FirstBytes::WhetherTls => Some(b"SN"),
            FirstBytes::Tls => None,
            FirstBytes::Message => Some(b"RENv"),
        }
    }
}

/// A stream whose first byte is looked at. From what another server says (`HTTP/1.1 400 …`), the crate would read the length of a
/// message, and wait for the rest of it.
pub(super) struct FirstAnswer<S> {
    stream: S,
    /// `None` as soon as it was looked at.
    expected: Option<&'static [u8]>,
    heard: Heard,
}

/// Bytes that have come through a socket.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<AtomicU64>);

impl Heard {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstAnswer<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let come = (buffer.filled().len() - before) as u64;
        self.heard.0.fetch_add(come, Ordering::Relaxed);
        if let Some(first) = buffer.filled().get(before)
            && let Some(expected) = self.expected.take()
            && !expected.contains(first)
        {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, NoServer)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstAnswer<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
