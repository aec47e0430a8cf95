//! Where to connect to, and as whom: parameters checked and completed by libpq's defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use super::environment::{Environment, home};
use super::parameters::Parameters;
use super::passfile;
use super::tls::{SslMode, TlsSettings};
use crate::snapshot::place::Patience;

/// Time for making a connection, where nothing is said of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostAddress {
    /// By name or by number.
    Tcp {
        /// The name that its certificate must bear.
        name: String,
        /// An address in numbers, to which it is connected without looking the name up.
        number: Option<String>,
    },
    /// The folder of a unix socket.
    Folder(PathBuf),
}

/// One of the servers that may be connected to.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) address: HostAddress,
    pub(super) port: u16,
    pub(super) password: Option<String>,
}

impl Host {
    /// The host as messages and the manifest name it.
    pub(super) fn shown(&self) -> String {
        match &self.address {
            HostAddress::Tcp { name, .. } if name.contains(':') => {
                format!("[{name}]:{}", self.port)
            }
            HostAddress::Tcp { name, .. } => format!("{name}:{}", self.port),
            // The folder is of no interest to who reads the manifest elsewhere.
            HostAddress::Folder(_) => format!("[local]:{}", self.port),
        }
    }
}

/// What a server must be to be taken (`target_session_attrs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerRole {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// TCP's signs of life, in seconds where they are times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keepalives {
    pub(super) on: bool,
    pub(super) idle: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) count: Option<u32>,
    pub(super) user_timeout: Option<Duration>,
}

/// Everything that it takes to connect. It holds passwords, so it is never printed.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) dbname: String,
    pub(super) options: Option<String>,
    pub(super) application_name: String,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalives: Keepalives,
    pub(super) tls: TlsSettings,
    pub(super) role: ServerRole,
    /// How long its silence is borne, and what ends that.
    pub(super) patience: Patience,
    /// Whether a password is proven over a channel that is bound to the server's certificate.
    pub(super) channel_binding: ChannelBinding,
}

impl Target {
    /// A server that is reached by a socket in a folder, and asks for no password.
    pub(super) fn local(folder: &Path, user: &str, dbname: &str, options: &str) -> Target {
        Target {
            hosts: vec![Host {
                address: HostAddress::Folder(folder.to_owned()),
                port: 5432,
                password: None,
            }],
            user: user.to_owned(),
            dbname: dbname.to_owned(),
            options: Some(options.to_owned()),
            application_name: "relexport".to_owned(),
            connect_timeout: Some(CONNECT_TIMEOUT),
            keepalives: Keepalives {
                on: false,
                idle: None,
                interval: None,
                count: None,
                user_timeout: None,
            },
            tls: TlsSettings {
                mode: SslMode::Disable,
                direct: false,
                only_13: false,
                name_is_sent: false,
                system_roots: false,
                root: None,
                certificate: None,
                key: None,
            },
            role: ServerRole::Any,
            patience: Patience::default(),
            channel_binding: ChannelBinding::Disable,
        }
    }

    /// Reads an address, with what the environment and the user's files add to it.
    ///
    /// # Errors
    /// What is wrong, in words that hold no password.
    pub(super) fn read(address: &str, environment: &dyn Environment) -> Result<Target, String> {
        let parameters = Parameters::gather(address, environment)?;
        let get = |name: &str| parameters.get(name);
        let user = match get("user") {
            Some(user) => user.to_owned(),
            None => whoami::username().map_err(|error| {
                format!("no user is named, and the system's is not known: {error}")
            })?,
        };
        let dbname = get("dbname").unwrap_or(&user).to_owned();
        if dbname.contains('=')
            || super::address::SCHEMES
                .iter()
                .any(|scheme| dbname.starts_with(scheme))
        {
            return Err("the name of the database holds connection parameters".to_owned());
        }
        if let Some("require") = get("gssencmode") {
            return Err("gssencmode=require is not supported; use sslmode".to_owned());
        }
        let channel_binding = one_of(
            &parameters,
            "channel_binding",
            &[
                ("prefer", ChannelBinding::Prefer),
                ("disable", ChannelBinding::Disable),
                ("require", ChannelBinding::Require),
            ],
        )?;
        let mut hosts = hosts(&parameters)?;
        let passwords = Passwords {
            given: get("password").map(str::to_owned),
            file: get("passfile")
                .map(PathBuf::from)
                .or_else(|| home(environment).map(|home| home.join(".pgpass"))),
        };
        for host in &mut hosts {
            host.password = passwords.of(host, &dbname, &user);
        }
        if get("load_balance_hosts").is_some_and(|value| value == "random") {
            let turn = std::process::id() as usize % hosts.len();
            hosts.rotate_left(turn);
        }
        Ok(Target {
            hosts,
            options: get("options").map(str::to_owned),
            application_name: get("application_name")
                .or_else(|| get("fallback_application_name"))
                .unwrap_or("relexport")
                .to_owned(),
            connect_timeout: match parameters.number("connect_timeout")? {
                None => Some(CONNECT_TIMEOUT),
                Some(seconds) if seconds <= 0 => None,
                Some(seconds) => seconds_of(Some(seconds)),
            },
            keepalives: Keepalives {
                on: parameters.number("keepalives")? != Some(0),
                idle: seconds_of(parameters.number("keepalives_idle")?),
                interval: seconds_of(parameters.number("keepalives_interval")?),
                count: parameters
                    .number("keepalives_count")?
                    .and_then(|count| u32::try_from(count).ok())
                    .filter(|count| *count > 0),
                user_timeout: parameters
                    .number("tcp_user_timeout")?
                    .and_then(|milliseconds| u64::try_from(milliseconds).ok())
                    .filter(|milliseconds| *milliseconds > 0)
                    .map(Duration::from_millis),
            },
            tls: tls_settings(&parameters, home(environment).as_deref())?,
            role: one_of(
                &parameters,
                "target_session_attrs",
                &[
                    ("any", ServerRole::Any),
                    ("read-write", ServerRole::ReadWrite),
                    ("read-only", ServerRole::ReadOnly),
                    ("primary", ServerRole::Primary),
                    ("standby", ServerRole::Standby),
                    ("prefer-standby", ServerRole::PreferStandby),
                ],
            )?,
            patience: Patience::default(),
            channel_binding,
            user,
            dbname,
        })
    }
}

fn seconds_of(seconds: Option<i64>) -> Option<Duration> {
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}

/// The value that a parameter's word stands for; the first one where the parameter is not set.
fn one_of<T: Copy>(parameters: &Parameters, name: &str, words: &[(&str, T)]) -> Result<T, String> {
    let word = parameters.get(name).unwrap_or(words[0].0);
    words
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
            format!("{name} is none of {}", known.join(", "))
        })
}

/// Hosts and their ports.
fn hosts(parameters: &Parameters) -> Result<Vec<Host>, String> {
    let list = |name: &str| -> Vec<String> {
        let value = parameters.get(name).unwrap_or_default();
        value
            .split(',')
            .map(|item| item.trim().to_owned())
            .collect()
    };
    let (names, numbers, ports) = (list("host"), list("hostaddr"), list("port"));
    let has_numbers = parameters.get("hostaddr").is_some();
    let count = match has_numbers {
        true => numbers.len(),
        false => names.len(),
    };
    if has_numbers && parameters.get("host").is_some() && names.len() != count {
        return Err("host and hostaddr name different numbers of hosts".to_owned());
    }
    if ports.len() != 1 && ports.len() != count {
        return Err("there are not as many ports as hosts".to_owned());
    }
    (0..count)
        .map(|index| {
            let name = names.get(index).cloned().unwrap_or_default();
            let number = numbers.get(index).filter(|number| !number.is_empty());
            let port = ports.get(index).unwrap_or(&ports[0]);
            let port = match port.as_str() {
                "" => 5432,
                // Not repeated: an unescaped password may have been taken for a port.
                text => text
                    .parse()
                    .ok()
                    .filter(|port| *port > 0)
                    .ok_or("a port is no number from 1 to 65535")?,
            };
            let address = match (name.as_str(), number) {
                (_, Some(number)) => HostAddress::Tcp {
                    name: match name.is_empty() {
                        true => number.clone(),
                        false => name,
                    },
                    number: Some(number.clone()),
                },
                ("", None) => HostAddress::Folder(socket_folder()),
                (folder, None) if folder.starts_with(['/', '@']) => {
                    HostAddress::Folder(PathBuf::from(folder))
                }
                (_, None) => HostAddress::Tcp { name, number: None },
            };
            Ok(Host {
                address,
                port,
                password: None,
            })
        })
        .collect()
}

/// Where servers of this system have their sockets.
fn socket_folder() -> PathBuf {
    let usual = Path::new("/var/run/postgresql");
    match usual.is_dir() {
        true => usual.to_owned(),
        false => PathBuf::from("/tmp"),
    }
}

struct Passwords {
    given: Option<String>,
    file: Option<PathBuf>,
}

impl Passwords {
    fn of(&self, host: &Host, dbname: &str, user: &str) -> Option<String> {
        if self.given.is_some() {
            return self.given.clone();
        }
        let name = match &host.address {
            HostAddress::Tcp { name, .. } => name.clone(),
            // A socket in its usual place is named so in the file.
            HostAddress::Folder(folder) if *folder == socket_folder() => "localhost".to_owned(),
            HostAddress::Folder(folder) => folder.to_string_lossy().into_owned(),
        };
        let file = self.file.as_deref()?;
        passfile::find(file, [&name, &host.port.to_string(), dbname, user])
    }
}

fn tls_settings(parameters: &Parameters, home: Option<&Path>) -> Result<TlsSettings, String> {
    let folder = home.map(|home| home.join(".postgresql"));
    let usual = |name: &str| {
        folder
            .as_ref()
            .map(|folder| folder.join(name))
            .filter(|path| path.exists())
    };
    let path = |name: &str| parameters.get(name).map(PathBuf::from);
    let system_roots = parameters.get("sslrootcert") == Some("system");
    let mode = match (parameters.get("sslmode"), system_roots) {
        (None, true) => SslMode::VerifyFull,
        _ => one_of(
            parameters,
            "sslmode",
            &[
                ("prefer", SslMode::Prefer),
                ("disable", SslMode::Disable),
                ("allow", SslMode::Allow),
                ("require", SslMode::Require),
                ("verify-ca", SslMode::VerifyCa),
                ("verify-full", SslMode::VerifyFull),
            ],
        )?,
    };
    if system_roots && mode != SslMode::VerifyFull {
        return Err("sslrootcert=system needs sslmode=verify-full".to_owned());
    }
    let direct = one_of(
        parameters,
        "sslnegotiation",
        &[("postgres", false), ("direct", true)],
    )?;
    if direct && mode < SslMode::Require {
        return Err("sslnegotiation=direct needs sslmode=require or stronger".to_owned());
    }
    let only_13 = match parameters.get("ssl_min_protocol_version") {
        None | Some("TLSv1" | "TLSv1.1" | "TLSv1.2") => false,
        Some("TLSv1.3") => true,
        Some(_) => return Err("ssl_min_protocol_version is none of TLSv1.2, TLSv1.3".to_owned()),
    };
    Ok(TlsSettings {
        mode,
        direct,
        only_13,
        name_is_sent: parameters.get("sslsni") != Some("0"),
        system_roots,
        root: match system_roots {
            true => None,
            false => path("sslrootcert").or_else(|| usual("root.crt")),
        },
        certificate: path("sslcert").or_else(|| usual("postgresql.crt")),
        key: path("sslkey").or_else(|| usual("postgresql.key")),
    })
}

#[cfg(test)]
mod tests;
