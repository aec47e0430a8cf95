//! Making a connection: which server, TLS as `sslmode` wants it, and one time limit for all of it.
//!
//! tokio-postgres logs in. It knows fewer of `sslmode`'s values than libpq, asks no server whether it is a standby, and its
//! time limit is for the socket alone: these are done here.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};
use rustls::pki_types::ServerName;
use tokio::runtime::Runtime;
use tokio_postgres::config::{SslMode as Negotiated, SslNegotiation};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::{Connection, LoggedIn, until, watch};
use super::failure::Failure;
use super::socket::{self, FirstBytes, Heard, Socket, SocketAddress};
use super::target::{Host, HostAddress, ServerRole, Target};
use super::tls::SslMode;
use crate::interruption::LOOK_EVERY;
use crate::snapshot::error::STALL_OPTION;
use crate::snapshot::place::Patience;
use crate::timings;

/// A server that was connected to, so that later connections go to it and no other.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) host: Host,
    address: SocketAddress,
}

/// Connects to the first server of a target that can be reached and is what is wanted.
///
/// # Errors
/// The last server's failure, if none will do.
pub(super) fn connect_first(target: &Target) -> Result<(Connection, Server), Failure> {
    let tls = tls(target)?;
    let mut last = Failure::Setup("no host is named".to_owned());
    let roles = match target.role {
        ServerRole::PreferStandby => vec![ServerRole::Standby, ServerRole::Any],
        role => vec![role],
    };
    for role in roles {
        for host in &target.hosts {
            let addresses = match addresses(host, &target.patience) {
                Ok(addresses) => addresses,
                Err(Failure::Interrupted) => return Err(Failure::Interrupted),
                Err(error) => {
                    last = of_host(error, host);
                    continue;
                }
            };
            for address in addresses {
                let server = Server {
                    host: host.clone(),
                    address,
                };
                match connect(target, &server, tls.as_ref(), role) {
                    Ok(connection) => return Ok((connection, server)),
                    Err(Failure::Interrupted) => return Err(Failure::Interrupted),
                    Err(error) => last = of_host(error, host),
                }
            }
        }
    }
    Err(last)
}

/// Looks up where a host is, on a thread of its own: nobody can end a look into the system's names.
fn addresses(host: &Host, patience: &Patience) -> Result<Vec<SocketAddress>, Failure> {
    let (sender, found) = bounded(1);
    let looked_up = host.clone();
    let look = move || {
        // If nobody waits for it any more, nobody needs it.
        let _ = sender.send(socket::addresses(&looked_up));
    };
    thread::Builder::new()
        .name("names".to_owned())
        .spawn(look)
        .map_err(|error| Failure::Setup(format!("cannot start a thread: {error}")))?;
    loop {
        match timings::waiting(|| found.recv_timeout(LOOK_EVERY)) {
            Ok(addresses) => return addresses,
            Err(RecvTimeoutError::Timeout) if patience.interrupted.load(Ordering::Relaxed) => {
                return Err(Failure::Interrupted);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Setup(
                    "the host's name cannot be looked up".to_owned(),
                ));
            }
        }
    }
}

/// Connects to a server once more.
pub(super) fn connect_again(target: &Target, server: &Server) -> Result<Connection, Failure> {
    connect(target, server, tls(target)?.as_ref(), ServerRole::Any)
        .map_err(|error| of_host(error, &server.host))
}

/// How long the server may take to hear that it is to stop.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Tells the server to stop what a connection is doing, by TLS if the connection has it. Whether it heard is not known.
pub(super) fn cancel(target: &Target, server: &Server, token: &CancelToken) -> Result<(), Failure> {
    let tls = tls(target)?.filter(|_| server.is_tcp());
    let heard = Heard::default();
    let work = async {
        let told = match tls {
            Some(tls) => {
                let tls = tls_connect(&tls, &server.host)?;
                let first = first_of_tls(target);
                let socket = socket::connect(&server.address, target, first, &heard).await?;
                token.cancel_query_raw(socket, tls).await
            }
            None => {
                let first = FirstBytes::Message;
                let socket = socket::connect(&server.address, target, first, &heard).await?;
                token.cancel_query_raw(socket, NoTls).await
            }
        };
        told.map_err(Failure::of_login)
    };
    let runtime = runtime()?;
    let deadline = Instant::now() + CANCEL_TIME;
    let watched = watch(&target.patience, &heard, STALL_OPTION, work);
    timings::reading(|| runtime.block_on(until(Some(deadline), watched)))
}

impl Server {
    fn is_tcp(&self) -> bool {
        matches!(self.address, SocketAddress::Tcp(_))
    }
}

/// When a connection that is begun now must be there.
fn deadline(target: &Target) -> Option<Instant> {
    // A time that no clock can hold is none.
    Instant::now().checked_add(target.connect_timeout?)
}

/// Where a connection lives.
fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(Failure::Broken)
}

/// What TLS needs; `None` if there is none.
fn tls(target: &Target) -> Result<Option<MakeRustlsConnect>, Failure> {
    let is_tcp = |host: &Host| matches!(host.address, HostAddress::Tcp { .. });
    if target.tls.mode == SslMode::Disable || !target.hosts.iter().any(is_tcp) {
        return Ok(None);
    }
    let config = target.tls.config().map_err(Failure::Setup)?;
    Ok(Some(MakeRustlsConnect::new(config)))
}

/// TLS with a host, whose name its certificate may have to bear.
fn tls_connect(
    tls: &MakeRustlsConnect,
    host: &Host,
) -> Result<<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect, Failure> {
    let HostAddress::Tcp { name, .. } = &host.address else {
        return Err(Failure::Setup("TLS is for TCP only".to_owned()));
    };
    if ServerName::try_from(name.as_str()).is_err() {
        return Err(Failure::Setup(
            "the host's name cannot be in a certificate".to_owned(),
        ));
    }
    let Ok(connect) = MakeTlsConnect::<Socket>::make_tls_connect(&mut tls.clone(), name);
    Ok(connect)
}

/// What a server that is asked for TLS answers first with.
fn first_of_tls(target: &Target) -> FirstBytes {
    match target.tls.direct {
        true => FirstBytes::Tls,
        false => FirstBytes::WhetherTls,
    }
}

/// Says which host a failure is of.
fn of_host(failure: Failure, host: &Host) -> Failure {
    let shown = host.shown();
    match failure {
        Failure::Server {
            message,
            sqlstate,
            fatal,
        } => Failure::Server {
            message: format!("{shown}: {message}"),
            sqlstate,
            fatal,
        },
        Failure::Broken(error) => Failure::Broken(std::io::Error::new(
            error.kind(),
            format!("{shown}: {error}"),
        )),
        Failure::Setup(reason) => Failure::Setup(format!("{shown}: {reason}")),
        protocol => protocol,
    }
}

/// Logs in, and makes sure that the server is in this role.
fn connect(
    target: &Target,
    server: &Server,
    tls: Option<&MakeRustlsConnect>,
    role: ServerRole,
) -> Result<Connection, Failure> {
    let deadline = deadline(target);
    timings::round_trip();
    let runtime = runtime()?;
    let heard = Heard::default();
    let attempt = Attempt {
        target,
        server,
        tls: tls.filter(|_| server.is_tcp()),
        heard: &heard,
    };
    let log_in = watch(&target.patience, &heard, STALL_OPTION, attempt.log_in());
    let logged_in = timings::reading(|| runtime.block_on(until(deadline, log_in)))?;
    let mut connection = Connection::new(runtime, logged_in, &target.patience, heard);
    check_role(&mut connection, role, deadline)?;
    Ok(connection)
}

/// One try to log in at a server.
struct Attempt<'a> {
    target: &'a Target,
    server: &'a Server,
    /// `None` if there can be no TLS.
    tls: Option<&'a MakeRustlsConnect>,
    heard: &'a Heard,
}

impl Attempt<'_> {
    async fn log_in(&self) -> Result<LoggedIn, Failure> {
        let Some(tls) = self.tls else {
            return self.without_tls().await;
        };
        match self.target.tls.mode {
            SslMode::Disable => self.without_tls().await,
            // As libpq does: the other way is tried if this one was refused, and not if nobody answered.
            SslMode::Allow => match self.without_tls().await {
                Err(failure @ Failure::Server { .. }) => {
                    let tried = self.with_tls(tls, Negotiated::Prefer).await;
                    tried.map_err(|_| failure)
                }
                result => result,
            },
            SslMode::Prefer => match self.with_tls(tls, Negotiated::Prefer).await {
                Err(failure @ (Failure::Server { .. } | Failure::Setup(_))) => {
                    self.without_tls().await.map_err(|_| failure)
                }
                result => result,
            },
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
                self.with_tls(tls, Negotiated::Require).await
            }
        }
    }

    async fn without_tls(&self) -> Result<LoggedIn, Failure> {
        let first = FirstBytes::Message;
        let socket = socket::connect(&self.server.address, self.target, first, self.heard).await?;
        self.introduce(socket, NoTls, Negotiated::Disable).await
    }

    async fn with_tls(
        &self,
        tls: &MakeRustlsConnect,
        negotiated: Negotiated,
    ) -> Result<LoggedIn, Failure> {
        // First: a server that is not there may be tried again, whatever is wrong with its name.
        let first = first_of_tls(self.target);
        let socket = socket::connect(&self.server.address, self.target, first, self.heard).await?;
        let tls = tls_connect(tls, &self.server.host)?;
        self.introduce(socket, tls, negotiated).await
    }

    /// Says who we are, and proves it.
    async fn introduce<T>(
        &self,
        socket: Socket,
        tls: T,
        negotiated: Negotiated,
    ) -> Result<LoggedIn, Failure>
    where
        T: TlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let target = self.target;
        let mut config = Config::new();
        config
            .user(&target.user)
            .dbname(&target.dbname)
            .application_name(&target.application_name)
            .ssl_mode(negotiated)
            .channel_binding(target.channel_binding);
        if let Some(options) = &target.options {
            config.options(options);
        }
        if let Some(password) = &self.server.host.password {
            config.password(password);
        }
        if target.tls.direct {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        let logged_in = config.connect_raw(socket, tls).await;
        let (client, connection) = logged_in.map_err(Failure::of_login)?;
        Ok(LoggedIn::new(client, connection))
    }
}

fn check_role(
    connection: &mut Connection,
    role: ServerRole,
    deadline: Option<Instant>,
) -> Result<(), Failure> {
    let (sql, is) = match role {
        ServerRole::Any | ServerRole::PreferStandby => return Ok(()),
        ServerRole::ReadWrite => ("SHOW transaction_read_only", "off"),
        ServerRole::ReadOnly => ("SHOW transaction_read_only", "on"),
        ServerRole::Primary => ("SELECT pg_catalog.pg_is_in_recovery()", "f"),
        ServerRole::Standby => ("SELECT pg_catalog.pg_is_in_recovery()", "t"),
    };
    match connection.ask_until(deadline, sql)? {
        Some(answer) if answer == is => Ok(()),
        _ => Err(Failure::Setup(
            "the server is not what target_session_attrs wants".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests;
