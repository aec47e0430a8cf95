use std::collections::HashMap;

use super::*;

/// An environment of these variables alone.
struct Variables(HashMap<&'static str, &'static str>);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| (*value).to_owned())
    }
}

fn read(address: &str, variables: &[(&'static str, &'static str)]) -> Result<Target, String> {
    Target::read(address, &Variables(variables.iter().copied().collect()))
}

fn hosts(address: &str) -> Vec<String> {
    let target = read(address, &[("PGUSER", "me")]).unwrap_or_else(|error| panic!("{error}"));
    target
        .hosts
        .iter()
        .map(|host| match &host.address {
            HostAddress::Folder(folder) => format!("{} {}", folder.display(), host.port),
            HostAddress::Tcp { name, number } => format!("{name} {number:?} {}", host.port),
        })
        .collect()
}

fn wrong(address: &str) -> String {
    match read(address, &[("PGUSER", "me")]) {
        Ok(_) => panic!("{address}"),
        Err(error) => error,
    }
}

#[test]
fn hosts_have_their_ports() {
    assert_eq!(hosts("postgres://h"), ["h None 5432"]);
    assert_eq!(
        hosts("postgres://a:1,b,[::1]:3"),
        ["a None 1", "b None 5432", "::1 None 3"]
    );
    assert_eq!(hosts("postgres://a,b/?port=7"), ["a None 7", "b None 7"]);
    assert_eq!(
        hosts("postgres://a,b/?hostaddr=1.2.3.4,::1"),
        ["a Some(\"1.2.3.4\") 5432", "b Some(\"::1\") 5432"]
    );
    assert_eq!(hosts("postgres:///db?host=/run/x&port=9"), ["/run/x 9"]);
    for address in [
        "postgres://a:0",
        "postgres://a:65536",
        "postgres://a,b/?port=1,2,3",
        "postgres://a,b/?hostaddr=::1",
        "postgres://a/?sslmode=maybe",
        "postgres://a/?sslnegotiation=direct",
        "postgres://a/?sslrootcert=system&sslmode=require",
        "postgres://a/?ssl_min_protocol_version=SSLv3",
        "postgres://a/?target_session_attrs=any-thing",
        "postgres://a/?sslpassword=x",
        "postgres://a/db%20host%3Db",
    ] {
        wrong(address);
    }
}

#[test]
fn the_address_is_stronger_than_the_environment() {
    let variables = [
        ("PGUSER", "me"),
        ("PGPASSWORD", "weak"),
        ("PGSSLMODE", "verify-full"),
        ("PGDATABASE", "mine"),
        ("PGCONNECT_TIMEOUT", "0"),
    ];
    let target = read("postgres://h", &variables).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (target.user.as_str(), target.dbname.as_str()),
        ("me", "mine")
    );
    assert_eq!(target.tls.mode, SslMode::VerifyFull);
    assert_eq!(target.connect_timeout, None);
    assert_eq!(target.hosts[0].password.as_deref(), Some("weak"));
    let address =
        "postgres://you:strong@h/yours?sslmode=disable&connect_timeout=7&application_name=x";
    let target = read(address, &variables).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (target.user.as_str(), target.dbname.as_str()),
        ("you", "yours")
    );
    assert_eq!(target.tls.mode, SslMode::Disable);
    assert_eq!(target.connect_timeout, Some(Duration::from_secs(7)));
    assert_eq!(target.hosts[0].password.as_deref(), Some("strong"));
    assert_eq!(target.application_name, "x");
    let hidden = [
        ("PGUSER", "me"),
        ("RELEXPORT_PASSWORD", "hidden"),
        ("PGPASSWORD", "weak"),
    ];
    let target = read("postgres://h", &hidden).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(target.hosts[0].password.as_deref(), Some("hidden"));
    // As in libpq, the database has the user's name where nothing else is said.
    assert_eq!(target.dbname, "me");
    assert_eq!(target.application_name, "relexport");
}

#[test]
fn authorities_of_the_system_are_for_names_that_are_checked() {
    let target =
        read("postgres://u@h/?sslrootcert=system", &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(target.tls.mode, SslMode::VerifyFull);
    assert!(target.tls.system_roots);
}
