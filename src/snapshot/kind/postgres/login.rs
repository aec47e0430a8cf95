//! Making a connection: the socket, TLS as `sslmode` wants it, and proving who we are.

use std::io::{Read, Write};
use std::sync::Arc;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use rustls::ClientConfig;

use super::connection::{CancelKey, Connection};
use super::failure::Failure;
use super::socket::{self, Place, Socket};
use super::target::{Address, Host, Target, Wanted};
use super::tls::SslMode;

/// A server that was connected to, so that later connections go to it and no other.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) host: Host,
    place: Place,
}

/// Connects to the first server of a target that can be reached and is what is wanted.
///
/// # Errors
/// The last server's failure, where none will do.
pub(super) fn connect_first(target: &Target) -> Result<(Connection, Server), Failure> {
    let tls = tls_config(target)?;
    let mut last = Failure::Setup("no host is named".to_owned());
    let wants = match target.wanted {
        Wanted::PreferStandby => vec![Wanted::Standby, Wanted::Any],
        wanted => vec![wanted],
    };
    for wanted in wants {
        for host in &target.hosts {
            let places = match socket::places(host) {
                Ok(places) => places,
                Err(error) => {
                    last = of_host(error, host);
                    continue;
                }
            };
            for place in places {
                let found = connect_place(target, host, &place, tls.as_ref())
                    .and_then(|connection| check_wanted(connection, wanted));
                match found {
                    Ok(connection) => {
                        let host = host.clone();
                        return Ok((connection, Server { host, place }));
                    }
                    Err(error) => last = of_host(error, host),
                }
            }
        }
    }
    Err(last)
}

/// Connects to a server once more.
pub(super) fn connect_again(target: &Target, server: &Server) -> Result<Connection, Failure> {
    let tls = tls_config(target)?;
    connect_place(target, &server.host, &server.place, tls.as_ref())
        .map_err(|error| of_host(error, &server.host))
}

/// Tells the server to stop what a connection is doing. Whether it heard is not known.
pub(super) fn cancel(target: &Target, server: &Server, key: CancelKey) -> Result<(), Failure> {
    let mut socket = socket::connect(&server.place, target)?;
    if let Some(tls) = tls_config(target)?.filter(|_| matches!(server.place, Place::Tcp(_)))
        && target.tls.mode > SslMode::Allow
    {
        let (asked, has_tls) = ask_for_tls(socket, target)?;
        socket = match has_tls {
            true => asked.into_tls(&server.host, &tls)?,
            false => asked,
        };
    }
    let mut bytes = BytesMut::new();
    frontend::cancel_request(key.0, key.1, &mut bytes);
    socket.write_all(&bytes)?;
    socket.flush()?;
    // The server closes the connection once it has done so.
    let _ = socket.read(&mut [0]);
    Ok(())
}

/// What TLS needs; `None` where there is none.
fn tls_config(target: &Target) -> Result<Option<Arc<ClientConfig>>, Failure> {
    let is_tcp = |host: &Host| matches!(host.address, Address::Tcp { .. });
    if target.tls.mode == SslMode::Disable || !target.hosts.iter().any(is_tcp) {
        return Ok(None);
    }
    target.tls.config().map(Some).map_err(Failure::Setup)
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

fn check_wanted(mut connection: Connection, wanted: Wanted) -> Result<Connection, Failure> {
    let (sql, is) = match wanted {
        Wanted::Any | Wanted::PreferStandby => return Ok(connection),
        Wanted::ReadWrite => ("SHOW transaction_read_only", "off"),
        Wanted::ReadOnly => ("SHOW transaction_read_only", "on"),
        Wanted::Primary => ("SELECT pg_catalog.pg_is_in_recovery()", "f"),
        Wanted::Standby => ("SELECT pg_catalog.pg_is_in_recovery()", "t"),
    };
    let rows = connection.query(sql)?;
    match rows.first().and_then(|row| row.first()) {
        Some(Some(answer)) if answer == is => Ok(connection),
        _ => Err(Failure::Setup(
            "the server is not what target_session_attrs wants".to_owned(),
        )),
    }
}

fn connect_place(
    target: &Target,
    host: &Host,
    place: &Place,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Connection, Failure> {
    let tls = tls.filter(|_| matches!(place, Place::Tcp(_)));
    let plain = || log_in(socket::connect(place, target)?, target, host);
    let Some(tls) = tls else {
        return plain();
    };
    let with_tls = || -> Result<Connection, Failure> {
        let socket = socket::connect(place, target)?;
        match ask_for_tls(socket, target)? {
            (socket, true) => log_in(socket.into_tls(host, tls)?, target, host),
            (socket, false) if target.tls.mode < SslMode::Require => log_in(socket, target, host),
            _ => Err(Failure::Setup(
                "the server does not do TLS, and sslmode wants it".to_owned(),
            )),
        }
    };
    match target.tls.mode {
        SslMode::Disable => plain(),
        // As libpq does: the other way is tried where this one was refused, and not where nobody answered.
        SslMode::Allow => plain().or_else(|failure| match &failure {
            Failure::Server { .. } => with_tls().map_err(|_| failure),
            _ => Err(failure),
        }),
        SslMode::Prefer => with_tls().or_else(|failure| match &failure {
            Failure::Server { .. } | Failure::Setup(_) => plain().map_err(|_| failure),
            _ => Err(failure),
        }),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => with_tls(),
    }
}

/// Asks whether the server does TLS.
fn ask_for_tls(mut socket: Socket, target: &Target) -> Result<(Socket, bool), Failure> {
    if target.tls.direct {
        return Ok((socket, true));
    }
    let mut bytes = BytesMut::new();
    frontend::ssl_request(&mut bytes);
    socket.write_all(&bytes)?;
    // One byte and no more: what came behind it without TLS could be from anybody.
    let mut answer = [0];
    socket.read_exact(&mut answer)?;
    match answer[0] {
        b'S' => Ok((socket, true)),
        b'N' => Ok((socket, false)),
        _ => Err(Failure::Protocol("it does not answer whether it does TLS")),
    }
}

fn log_in(socket: Socket, target: &Target, host: &Host) -> Result<Connection, Failure> {
    let mut connection = Connection::new(socket);
    let mut parameters = vec![
        ("user", target.user.as_str()),
        ("database", target.dbname.as_str()),
        ("client_encoding", "UTF8"),
        ("application_name", target.application_name.as_str()),
    ];
    parameters.extend(
        target
            .options
            .as_deref()
            .map(|options| ("options", options)),
    );
    connection.send(|bytes| frontend::startup_message(parameters, bytes))?;
    authenticate(&mut connection, target, host)?;
    loop {
        if let Message::ReadyForQuery(_) = connection.message()? {
            break;
        }
    }
    connection.socket().set_timeout(None)?;
    Ok(connection)
}

fn authenticate(connection: &mut Connection, target: &Target, host: &Host) -> Result<(), Failure> {
    let password = || {
        host.password.as_deref().ok_or_else(|| {
            Failure::Setup(
                "the server wants a password, and none is given; put it into ~/.pgpass or PGPASSWORD"
                    .to_owned(),
            )
        })
    };
    let unbound = || match target.needs_channel_binding {
        true => Err(Failure::Setup(
            "channel_binding=require, and the server asks for a password without it".to_owned(),
        )),
        false => Ok(()),
    };
    loop {
        match connection.message()? {
            Message::AuthenticationOk => {
                unbound()?;
                return Ok(());
            }
            Message::AuthenticationCleartextPassword => {
                unbound()?;
                let password = password()?.as_bytes();
                connection.send(|bytes| frontend::password_message(password, bytes))?;
            }
            Message::AuthenticationMd5Password(body) => {
                unbound()?;
                let hash = md5_hash(target.user.as_bytes(), password()?.as_bytes(), body.salt());
                connection.send(|bytes| frontend::password_message(hash.as_bytes(), bytes))?;
            }
            Message::AuthenticationSasl(body) => {
                let mechanisms: Vec<String> = body
                    .mechanisms()
                    .map(|mechanism| Ok(mechanism.to_owned()))
                    .collect()
                    .map_err(|_| Failure::Protocol("its ways to authenticate cannot be read"))?;
                let has = |name: &str| mechanisms.iter().any(|mechanism| mechanism == name);
                let end_point = connection
                    .socket()
                    .end_point()
                    .filter(|_| target.may_bind_channel);
                let (mechanism, binding) = match end_point {
                    Some(end_point) if has(SCRAM_SHA_256_PLUS) => (
                        SCRAM_SHA_256_PLUS,
                        ChannelBinding::tls_server_end_point(end_point),
                    ),
                    _ if has(SCRAM_SHA_256) => {
                        unbound()?;
                        (SCRAM_SHA_256, ChannelBinding::unsupported())
                    }
                    _ => {
                        return Err(Failure::Setup(
                            "the server wants a way to authenticate that is not supported"
                                .to_owned(),
                        ));
                    }
                };
                scram(connection, password()?, mechanism, binding)?;
                if mechanism == SCRAM_SHA_256_PLUS {
                    return match connection.message()? {
                        Message::AuthenticationOk => Ok(()),
                        _ => Err(Failure::Protocol("it does not end authentication")),
                    };
                }
            }
            _ => {
                return Err(Failure::Setup(
                    "the server wants a way to authenticate that is not supported (password, md5 and \
                     scram-sha-256 are, and client certificates)"
                        .to_owned(),
                ));
            }
        }
    }
}

fn scram(
    connection: &mut Connection,
    password: &str,
    mechanism: &str,
    binding: ChannelBinding,
) -> Result<(), Failure> {
    const STRANGE: Failure = Failure::Protocol("SCRAM authentication went wrong");
    let mut scram = ScramSha256::new(password.as_bytes(), binding);
    connection.send(|bytes| frontend::sasl_initial_response(mechanism, scram.message(), bytes))?;
    let Message::AuthenticationSaslContinue(body) = connection.message()? else {
        return Err(STRANGE);
    };
    scram.update(body.data()).map_err(|_| STRANGE)?;
    connection.send(|bytes| frontend::sasl_response(scram.message(), bytes))?;
    let Message::AuthenticationSaslFinal(body) = connection.message()? else {
        return Err(STRANGE);
    };
    // The server proves that it knows the password, too.
    scram.finish(body.data()).map_err(|_| STRANGE)
}
