//! Addresses of servers: `postgresql://user:password@host:port/dbname?parameter=value`, as libpq reads them.

/// What every address begins with.
pub(super) const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// True for the address of a server.
pub(crate) fn is_address(spec: &str) -> bool {
    without_scheme(spec).is_some()
}

/// An address without its scheme; `None` for what is no address.
fn without_scheme(text: &str) -> Option<&str> {
    SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme))
}

/// An address cut at its separators; nothing is decoded.
struct AddressParts<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
    /// Hosts with their ports, separated by commas.
    hosts: &'a str,
    dbname: &'a str,
    query: &'a str,
}

fn cut(address: &str) -> Option<AddressParts<'_>> {
    let rest = without_scheme(address)?;
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, dbname) = before.split_once('/').unwrap_or((before, ""));
    // The last one: a password with an unescaped `@` must not become a part of the host's name, which is shown.
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
        Some((user, password)) => (Some(user), Some(password)),
        None => (None, None),
    };
    Some(AddressParts {
        user,
        password: password.filter(|password| !password.is_empty()),
        hosts,
        dbname,
        query,
    })
}

/// The parameters that an address states, by libpq's names.
///
/// # Errors
/// What is wrong, without a word of the address: anything in it may be a part of a password.
pub(super) fn parse(address: &str) -> Result<Vec<(String, String)>, String> {
    let parts = cut(address).ok_or("it is no address of a server")?;
    if parts.dbname.contains(['@', '/']) || (parts.query.contains('@') && !is_query(&parts)) {
        return Err(
            "in its user name or password, one of @ / ? : stands unescaped; write them as %40 %2F %3F %3A"
                .to_owned(),
        );
    }
    let mut found = Vec::new();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            found.push((name.to_owned(), value));
        }
    };
    add("user", decode(parts.user.unwrap_or_default())?);
    add("password", decode(parts.password.unwrap_or_default())?);
    let (hosts, ports) = hosts(parts.hosts)?;
    add("host", hosts);
    add("port", ports);
    add("dbname", decode(parts.dbname)?);
    for pair in parts.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or("a parameter behind its ? lacks its =")?;
        found.push((decode(name)?, decode(value)?));
    }
    Ok(found)
}

/// True where what stands behind the `?` must be parameters, and not the rest of a password: all of them have names that
/// are known, and no port is anything but a number.
fn is_query(parts: &AddressParts<'_>) -> bool {
    let is_known = |pair: &str| {
        let name = pair.split_once('=').map(|(name, _)| name);
        name.is_some_and(super::parameter_names::is_known)
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let mut pairs = parts.query.split('&').filter(|pair| !pair.is_empty());
    pairs.all(is_known) && hosts(parts.hosts).is_ok_and(|(_, ports)| ports.split(',').all(is_port))
}

/// The hosts and the ports of a list of both, each separated by commas; no ports at all where none is given.
fn hosts(list: &str) -> Result<(String, String), String> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for place in list.split(',') {
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest
                    .split_once(']')
                    .ok_or("an IPv6 address lacks its closing ]")?;
                match rest.strip_prefix(':') {
                    Some(port) => (host, port),
                    None if rest.is_empty() => (host, ""),
                    None => return Err("something other than a port follows a ]".to_owned()),
                }
            }
            None => place.split_once(':').unwrap_or((place, "")),
        };
        hosts.push(decode(host)?);
        ports.push(decode(port)?);
    }
    let ports = match ports.iter().all(String::is_empty) {
        true => String::new(),
        false => ports.join(","),
    };
    let hosts = match hosts.iter().all(String::is_empty) {
        true => String::new(),
        false => hosts.join(","),
    };
    Ok((hosts, ports))
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, String> {
    const WRONG: &str = "a % in it is not followed by two hexadecimal digits that make a letter";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = behind;
            continue;
        }
        let digits = behind
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .ok_or(WRONG)?;
        let decoded = u8::from_str_radix(digits, 16).map_err(|_| WRONG)?;
        if decoded == 0 {
            return Err(WRONG.to_owned());
        }
        bytes.push(decoded);
        rest = &behind[2..];
    }
    String::from_utf8(bytes).map_err(|_| WRONG.to_owned())
}

/// A name of a snapshot as it may be shown: what is no address stays as it is; of an address its hosts and
/// database stay, without user, password and parameters.
pub(crate) fn shown(spec: &str) -> String {
    let Some(parts) = cut(spec) else {
        return match is_nearly_address(spec) {
            true => "…".to_owned(),
            false => spec.to_owned(),
        };
    };
    let scheme = SCHEMES
        .iter()
        .find(|scheme| spec.starts_with(**scheme))
        .copied()
        .unwrap_or_default();
    match parse(spec) {
        Ok(_) if parts.dbname.is_empty() => format!("{scheme}{}", parts.hosts),
        Ok(_) => format!("{scheme}{}/{}", parts.hosts, parts.dbname),
        // Who knows which part of it is the password.
        Err(_) => format!("{scheme}…"),
    }
}

/// True for what was meant as an address, but is none that is read: another scheme, or libpq's words. It may hold a
/// password.
pub(crate) fn is_nearly_address(spec: &str) -> bool {
    let mut words = spec.split_whitespace();
    without_scheme(spec).is_none()
        && (spec
            .split_once("://")
            .is_some_and(|(_, rest)| rest.contains('@'))
            || words.any(|word| word.starts_with("password=")))
}

/// Where in an argument an address of a server begins.
pub(crate) fn address_start(argument: &str) -> Option<usize> {
    SCHEMES
        .iter()
        .filter_map(|scheme| argument.find(scheme))
        .min()
}

/// Takes the password out of an address: the address without it, and the password. `None` where there is none,
/// or where it cannot be told for certain.
pub(crate) fn split_password(spec: &str) -> Option<(String, String)> {
    let parts = cut(spec)?;
    let parameters = parse(spec).ok()?;
    // A parameter behind the `?` comes later, and so counts.
    let (_, password) = parameters
        .into_iter()
        .rev()
        .find(|(name, _)| name == "password")?;
    let scheme = SCHEMES.iter().find(|scheme| spec.starts_with(**scheme))?;
    let mut address = (*scheme).to_owned();
    if let Some(user) = parts.user {
        address.push_str(user);
        address.push('@');
    }
    address.push_str(parts.hosts);
    if !parts.dbname.is_empty() {
        address.push('/');
        address.push_str(parts.dbname);
    }
    let is_password = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        decode(name).is_ok_and(|name| name == "password")
    };
    let query: Vec<&str> = parts
        .query
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_password(pair))
        .collect();
    if !query.is_empty() {
        address.push('?');
        address.push_str(&query.join("&"));
    }
    Some((address, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> Vec<(String, String)> {
        parse(address).unwrap()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn an_at_sign_may_stand_in_a_parameter_that_libpq_knows() {
        assert_eq!(
            parsed("postgres://h:5433/db?user=me@azure&application_name=a"),
            pairs(&[
                ("host", "h"),
                ("port", "5433"),
                ("dbname", "db"),
                ("user", "me@azure"),
                ("application_name", "a"),
            ])
        );
        // These are passwords with a `?` in them.
        for address in ["postgres://u:pa?user=x@h/db", "postgres://u:1?a=x@h/db"] {
            assert!(parse(address).is_err(), "{address}");
            assert_eq!(shown(address), "postgres://…");
        }
    }

    #[test]
    fn what_is_nearly_an_address_is_not_shown() {
        for spec in [
            "POSTGRES://u:secret@h/db",
            "postgress://u:secret@h/db",
            "host=h password=secret",
        ] {
            assert!(is_nearly_address(spec), "{spec}");
            assert_eq!(shown(spec), "…");
        }
        for spec in ["dump.sql.gz", "/a/b@c", "postgres://u:secret@h/db", "-"] {
            assert!(!is_nearly_address(spec), "{spec}");
        }
    }

    #[test]
    fn addresses_are_read_as_libpq_reads_them() {
        let cases: [(&str, &[(&str, &str)]); 11] = [
            ("postgres://", &[]),
            ("postgresql://localhost", &[("host", "localhost")]),
            (
                "postgresql://localhost:5433",
                &[("host", "localhost"), ("port", "5433")],
            ),
            (
                "postgresql://localhost/mydb",
                &[("host", "localhost"), ("dbname", "mydb")],
            ),
            (
                "postgresql://user@localhost",
                &[("user", "user"), ("host", "localhost")],
            ),
            (
                "postgresql://user:s%40cret@localhost",
                &[
                    ("user", "user"),
                    ("password", "s@cret"),
                    ("host", "localhost"),
                ],
            ),
            (
                "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=my%20app",
                &[
                    ("user", "other"),
                    ("host", "localhost"),
                    ("dbname", "otherdb"),
                    ("connect_timeout", "10"),
                    ("application_name", "my app"),
                ],
            ),
            (
                "postgresql://h1:123,h2,[2001:db8::1]:456/db",
                &[
                    ("host", "h1,h2,2001:db8::1"),
                    ("port", "123,,456"),
                    ("dbname", "db"),
                ],
            ),
            (
                "postgresql:///mydb?host=/run/postgresql&port=5433",
                &[
                    ("dbname", "mydb"),
                    ("host", "/run/postgresql"),
                    ("port", "5433"),
                ],
            ),
            (
                "postgresql://%2Frun%2Fpostgresql/mydb",
                &[("host", "/run/postgresql"), ("dbname", "mydb")],
            ),
            ("postgres://?service=main", &[("service", "main")]),
        ];
        for (address, expected) in cases {
            assert_eq!(parsed(address), pairs(expected), "{address}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_address() {
        for address in [
            "postgres://u:se@cr/et@h/db",
            "postgres://u:secret?@h/db",
            "postgres://u:sec%ret@h/db",
            "postgres://u:secr%00et@h/db",
            "postgres://u:secret@[::1/db",
            "postgres://u:secret@[::1]x/db",
            "postgres://h/db?secret",
        ] {
            let error = parse(address).unwrap_err();
            assert!(!error.contains("sec") && !error.contains("ret"), "{error}");
            assert!(!shown(address).contains("sec"), "{}", shown(address));
        }
    }

    #[test]
    fn a_password_never_shows() {
        let cases = [
            ("postgres://u:secret@h:1/db", "postgres://h:1/db"),
            ("postgres://u:se@cret@h/db", "postgres://h/db"),
            ("postgres://h/db?password=secret&x=y", "postgres://h/db"),
            ("postgresql://h", "postgresql://h"),
            ("folder/dump:x@y", "folder/dump:x@y"),
        ];
        for (address, expected) in cases {
            assert_eq!(shown(address), expected);
        }
    }

    #[test]
    fn a_password_is_taken_out_of_an_address() {
        let split = |address: &str| split_password(address);
        let some = |address: &str, password: &str| Some((address.to_owned(), password.to_owned()));
        assert_eq!(
            split("postgres://u:p%20w@h:1/db?sslmode=require"),
            some("postgres://u@h:1/db?sslmode=require", "p w")
        );
        assert_eq!(
            split("postgres://h/db?a=b&pass%77ord=x&c=d"),
            some("postgres://h/db?a=b&c=d", "x")
        );
        assert_eq!(split("postgres://u@h/db"), None);
        assert_eq!(split("dump.sql"), None);
    }
}
