//! The way to a server: TCP or a unix socket, with TLS or without.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::failure::Failure;
use super::target::{Address, Host, Keepalives, Target};
use super::tls;

/// Where a server was found: one address, so that later connections go to no other.
#[derive(Clone)]
pub(super) enum Place {
    Tcp(SocketAddr),
    Unix(std::path::PathBuf),
}

/// A connected socket.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// The addresses that a host stands for.
pub(super) fn places(host: &Host) -> Result<Vec<Place>, Failure> {
    match &host.address {
        Address::Folder(folder) => {
            let path = folder.join(format!(".s.PGSQL.{}", host.port));
            Ok(vec![Place::Unix(path)])
        }
        Address::Tcp { name, number } => {
            let asked = number.as_ref().unwrap_or(name);
            let found = (asked.as_str(), host.port)
                .to_socket_addrs()
                .map_err(|error| {
                    Failure::Broken(io::Error::new(
                        error.kind(),
                        format!("the host's name cannot be looked up: {error}"),
                    ))
                })?;
            Ok(found.map(Place::Tcp).collect())
        }
    }
}

/// Connects, without TLS.
pub(super) fn connect(place: &Place, target: &Target) -> io::Result<Socket> {
    let timeout = target.connect_timeout;
    let socket = match place {
        Place::Unix(path) => Socket::Unix(connect_unix(path)?),
        Place::Tcp(address) => {
            let stream = match timeout {
                Some(timeout) => TcpStream::connect_timeout(address, timeout)?,
                None => TcpStream::connect(address)?,
            };
            stream.set_nodelay(true)?;
            keep_alive(&stream, &target.keepalives)?;
            Socket::Tcp(stream)
        }
    };
    socket.set_timeout(timeout)?;
    Ok(socket)
}

fn connect_unix(path: &std::path::Path) -> io::Result<UnixStream> {
    #[cfg(target_os = "linux")]
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix('@')) {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return UnixStream::connect_addr(&address);
    }
    UnixStream::connect(path)
}

fn keep_alive(stream: &TcpStream, keepalives: &Keepalives) -> io::Result<()> {
    if !keepalives.on {
        return Ok(());
    }
    let mut settings = socket2::TcpKeepalive::new();
    if let Some(idle) = keepalives.idle {
        settings = settings.with_time(idle);
    }
    if let Some(interval) = keepalives.interval {
        settings = settings.with_interval(interval);
    }
    if let Some(count) = keepalives.count {
        settings = settings.with_retries(count);
    }
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_keepalive(&settings)?;
    #[cfg(target_os = "linux")]
    if let Some(timeout) = keepalives.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    Ok(())
}

impl Socket {
    /// How long reading and writing may wait; `None` is for ever.
    pub(super) fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => {
                stream.set_read_timeout(timeout)?;
                stream.set_write_timeout(timeout)
            }
            Socket::Unix(stream) => {
                stream.set_read_timeout(timeout)?;
                stream.set_write_timeout(timeout)
            }
            Socket::Tls(stream) => {
                stream.sock.set_read_timeout(timeout)?;
                stream.sock.set_write_timeout(timeout)
            }
        }
    }

    /// Goes on with TLS, and does its handshake.
    pub(super) fn into_tls(
        self,
        host: &Host,
        config: &Arc<ClientConfig>,
    ) -> Result<Socket, Failure> {
        let (Socket::Tcp(mut stream), Address::Tcp { name, .. }) = (self, &host.address) else {
            return Err(Failure::Setup("TLS is for TCP only".to_owned()));
        };
        let name = ServerName::try_from(name.clone())
            .map_err(|_| Failure::Setup("the host's name cannot be in a certificate".to_owned()))?;
        let mut connection = ClientConnection::new(Arc::clone(config), name)
            .map_err(|error| Failure::Setup(format!("TLS cannot be used: {error}")))?;
        while connection.is_handshaking() {
            // A certificate that is not trusted stays so, however often it is looked at.
            connection
                .complete_io(&mut stream)
                .map_err(|error| match error.get_ref() {
                    Some(inner) if inner.is::<rustls::Error>() => {
                        Failure::Setup(format!("TLS with the server failed: {inner}"))
                    }
                    _ => Failure::Broken(error),
                })?;
        }
        Ok(Socket::Tls(Box::new(StreamOwned::new(connection, stream))))
    }

    /// What a password's proof can be bound to.
    pub(super) fn end_point(&self) -> Option<Vec<u8>> {
        match self {
            Socket::Tls(stream) => tls::end_point(stream.conn.peer_certificates()?.first()?),
            _ => None,
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(buffer),
            Socket::Unix(stream) => stream.read(buffer),
            Socket::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.write(bytes),
            Socket::Unix(stream) => stream.write(bytes),
            Socket::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.flush(),
            Socket::Unix(stream) => stream.flush(),
            Socket::Tls(stream) => stream.flush(),
        }
    }
}
