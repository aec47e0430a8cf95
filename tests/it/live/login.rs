//! The ways to a server: sockets, TLS, and who one is, by address, environment and files, as libpq knows them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::server::*;
use crate::support::{Program, relexport};

/// A password that would be seen anywhere.
const PASSWORD: &str = "gre'at: s\\ecret%20";
const ESCAPED: &str = "gre'at%3A%20s%5Cecret%2520";

/// A server with TLS on a port of its own, and the files of two certificate authorities.
struct Site {
    server: Server,
    files: tempfile::TempDir,
    port: u16,
}

/// Runs openssl in a folder.
fn openssl(folder: &Path, arguments: &str) {
    ok(Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder));
}

/// Makes a key and a certificate that an authority of this folder signs.
fn signed(folder: &Path, name: &str, subject: &str, names: &str) {
    let extensions = format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n");
    fs::write(folder.join(format!("{name}.ext")), extensions).unwrap();
    openssl(
        folder,
        &format!(
            "req -new -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={subject}"
        ),
    );
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -sha256 -extfile {name}.ext -out {name}.crt"
        ),
    );
}

impl Site {
    fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let folder = files.path();
        for name in ["ca", "other"] {
            openssl(
                folder,
                &format!(
                    "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -days 2 -sha256 -subj /CN={name}"
                ),
            );
        }
        signed(folder, "server", "server", "DNS:localhost,IP:::1");
        signed(folder, "client", "certified", "DNS:client");
        let port = free_port();
        let server = Server::start_on(port, "-c listen_addresses='127.0.0.1,::1'");
        for name in ["server.crt", "server.key", "ca.crt"] {
            let there = server.folder.join("data").join(name);
            fs::copy(folder.join(name), &there).unwrap();
            server.give(&there);
        }
        let site = Site {
            server,
            files,
            port,
        };
        site.run("ALTER SYSTEM SET ssl = on");
        site.run("ALTER SYSTEM SET ssl_ca_file = 'ca.crt'");
        let quoted = PASSWORD.replace('\'', "''");
        site.run(&format!(
            "SET password_encryption = 'scram-sha-256'; CREATE ROLE scram LOGIN PASSWORD '{quoted}';
             SET password_encryption = 'md5'; CREATE ROLE digest LOGIN PASSWORD '{quoted}';
             CREATE ROLE clear LOGIN PASSWORD '{quoted}'; CREATE ROLE certified LOGIN; CREATE ROLE plain LOGIN; CREATE ROLE tls LOGIN;"
        ));
        site.server.allow(
            "local all postgres trust\nlocal all scram scram-sha-256\nhost all scram all scram-sha-256\nhost all digest all md5\n\
             host all clear all password\nhostssl all certified all cert\nhostnossl all plain all trust\nhostssl all tls all trust\n",
        );
        // The server has taken its new settings when it does TLS.
        while site.run("SHOW ssl") != "on" {}
        site
    }

    fn run(&self, sql: &str) -> String {
        let database = Database {
            server: &self.server,
            name: "postgres".to_owned(),
        };
        database.run(sql)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// Looks into the server by an address; returns what is printed, and whether that worked.
    fn look(&self, address: &str, environment: &[(&str, &str)]) -> (bool, String) {
        let run = inspect(address, self.files.path(), environment).run();
        let text = run.stdout + &run.stderr;
        assert!(!text.contains("ecret"), "{text}");
        assert!(matches!(run.code, Some(0 | 3)), "{text}");
        (run.code == Some(0), text)
    }
}

/// `relexport inspect` of an address, with nothing but this environment of libpq's.
fn inspect(address: &str, home: &Path, environment: &[(&str, &str)]) -> Program {
    let mut program = relexport("inspect --json").option("--snapshot", address);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG")) {
            program = program.env_remove(name);
        }
    }
    for (name, value) in environment {
        program = program.env(name, value);
    }
    program.env("HOME", home).current_dir(home)
}

#[test]
fn every_way_to_a_server_is_libpqs() {
    let site = Site::start();
    let port = site.port;
    // sslmode, root certificate, host, user; whether it works.
    let cases = [
        ("disable", "", "localhost", "plain", true),
        ("disable", "", "localhost", "tls", false),
        ("allow", "", "localhost", "plain", true),
        ("allow", "", "localhost", "tls", true),
        ("prefer", "", "localhost", "plain", true),
        ("prefer", "", "localhost", "tls", true),
        ("require", "", "localhost", "tls", true),
        ("require", "", "localhost", "plain", false),
        ("require", "", "127.0.0.1", "tls", true),
        ("require", "ca.crt", "localhost", "tls", true),
        ("require", "other.crt", "localhost", "tls", false),
        ("verify-ca", "", "localhost", "tls", false),
        ("verify-ca", "nowhere.crt", "localhost", "tls", false),
        ("verify-ca", "server.key", "localhost", "tls", false),
        ("verify-ca", "ca.crt", "localhost", "tls", true),
        ("verify-ca", "ca.crt", "127.0.0.1", "tls", true),
        ("verify-ca", "other.crt", "localhost", "tls", false),
        ("verify-full", "ca.crt", "localhost", "tls", true),
        ("verify-full", "ca.crt", "[::1]", "tls", true),
        ("verify-full", "ca.crt", "127.0.0.1", "tls", false),
        ("verify-full", "other.crt", "localhost", "tls", false),
        ("verify-full", "system", "localhost", "tls", false),
        ("verify-ca", "system", "localhost", "tls", false),
        ("nonsense", "", "localhost", "tls", false),
    ];
    for (mode, root, host, user, expected) in cases {
        let root = match root {
            "" => String::new(),
            "system" => "&sslrootcert=system".to_owned(),
            file => format!("&sslrootcert={}", site.shown(file)),
        };
        let address = format!("postgres://{user}@{host}:{port}/postgres?sslmode={mode}{root}");
        let (is_ok, text) = site.look(&address, &[]);
        assert_eq!(is_ok, expected, "{address}: {text}");
        if expected {
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["source"], format!("{host}:{port}/postgres"));
        }
    }

    // Passwords, in each way that a server may want them.
    let escaped = ESCAPED;
    let folder = site.server.folder.display();
    for (user, host) in [
        ("scram", "localhost"),
        ("digest", "localhost"),
        ("clear", "localhost"),
        ("scram", "[::1]"),
    ] {
        for mode in ["disable", "require"] {
            let rest = format!("{host}:{port}/postgres?sslmode={mode}");
            assert!(
                site.look(&format!("postgres://{user}:{escaped}@{rest}"), &[])
                    .0
            );
            let wrong = site.look(&format!("postgres://{user}:{escaped}x@{rest}"), &[]);
            assert!(!wrong.0 && wrong.1.contains("28P01"), "{}", wrong.1);
            let none = site.look(&format!("postgres://{user}@{rest}"), &[]);
            assert!(!none.0 && none.1.contains("pgpass"), "{}", none.1);
            assert!(
                site.look(
                    &format!("postgres://{user}@{rest}"),
                    &[("PGPASSWORD", PASSWORD)]
                )
                .0
            );
        }
    }
    let by_socket = format!("postgres://scram@/postgres?host={folder}&port={port}");
    assert!(site.look(&by_socket, &[("PGPASSWORD", PASSWORD)]).0);

    // A password that is proven to the very server whose certificate was seen.
    let bound = |user: &str, mode: &str| {
        let address = format!(
            "postgres://{user}:{escaped}@localhost:{port}/postgres?channel_binding=require&sslmode={mode}"
        );
        site.look(&address, &[])
    };
    assert!(bound("scram", "require").0);
    assert!(
        !bound("scram", "disable").0
            && !bound("digest", "require").0
            && !bound("clear", "require").0
    );

    // A client's certificate.
    let certified = format!("postgres://certified@localhost:{port}/postgres?sslmode=require");
    assert!(!site.look(&certified, &[]).0);
    let (certificate, key) = (site.shown("client.crt"), site.shown("client.key"));
    let files = [
        ("PGSSLCERT", certificate.as_str()),
        ("PGSSLKEY", key.as_str()),
    ];
    let mode =
        |path: &str, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&key, 0o600);
    assert!(site.look(&certified, &files).0);
    mode(&key, 0o644);
    let open_key = site.look(&certified, &files);
    assert!(
        !open_key.0 && open_key.1.contains("chmod"),
        "{}",
        open_key.1
    );

    // The certificate itself as the one that is trusted, as for servers that signed theirs themselves.
    let there = site.server.folder.join("data/server.crt");
    openssl(
        site.files.path(),
        "req -x509 -key server.key -out own.crt -days 2 -sha256 -subj /CN=own -addext subjectAltName=DNS:localhost",
    );
    fs::copy(site.file("own.crt"), &there).unwrap();
    site.run("SELECT pg_reload_conf()");
    let own = |host: &str, root: &str, mode: &str| {
        let root = site.shown(root);
        let address =
            format!("postgres://tls@{host}:{port}/postgres?sslmode={mode}&sslrootcert={root}");
        site.look(&address, &[]).0
    };
    while own("localhost", "ca.crt", "verify-full") {}
    assert!(own("localhost", "own.crt", "verify-full") && own("127.0.0.1", "own.crt", "verify-ca"));
    assert!(!own("127.0.0.1", "own.crt", "verify-full"));
}

#[test]
fn files_and_variables_say_what_the_address_does_not() {
    let server = Server::start("");
    let database = server.database();
    database.run(&format!(
        "CREATE ROLE scram LOGIN PASSWORD '{}'",
        PASSWORD.replace('\'', "''")
    ));
    server.allow("local all postgres trust\nlocal all all scram-sha-256\n");
    let home = tempfile::tempdir().unwrap();
    let folder = server.folder.display().to_string();
    let name = database.name.as_str();
    let look = |address: &str, environment: &[(&str, &str)]| {
        let run = inspect(address, home.path(), environment).run();
        let text = run.stdout + &run.stderr;
        assert!(!text.contains("ecret"), "{text}");
        (run.code == Some(0), text)
    };
    let address = format!("postgres://scram@/{name}?host={folder}");
    let escaped = PASSWORD.replace('\\', "\\\\").replace(':', "\\:");
    let write = |file: &str, text: &str, mode| {
        let path = home.path().join(file);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };

    assert!(!look(&address, &[]).0);
    let lines = format!(
        "# mine\n{folder}:5433:*:*:wrong\n{folder}:5432:{name}:scram:{escaped}\n*:*:*:*:wrong\n"
    );
    write(".pgpass", &lines, 0o600);
    assert!(look(&address, &[]).0);
    write(".pgpass", &lines, 0o640);
    let (is_ok, text) = look(&address, &[]);
    assert!(!is_ok && text.contains("chmod 0600"), "{text}");
    let elsewhere = write("passwords", &format!("*:*:*:scram:{escaped}\n"), 0o600);
    assert!(look(&address, &[("PGPASSFILE", &elsewhere)]).0);
    assert!(look(&format!("{address}&passfile={elsewhere}"), &[]).0);
    // The first line that fits counts, and what is nearer to the address.
    let wrong = write(
        "wrong",
        &format!("*:*:*:scram:wrong\n*:*:*:scram:{escaped}\n"),
        0o600,
    );
    assert!(!look(&address, &[("PGPASSFILE", &wrong)]).0);
    assert!(
        look(
            &address,
            &[("PGPASSFILE", &wrong), ("PGPASSWORD", PASSWORD)]
        )
        .0
    );
    fs::remove_file(home.path().join(".pgpass")).unwrap();

    let service = format!(
        "[other]\nhost=nowhere\n[main]\n# the one\nhost={folder}\nuser=scram\ndbname={name}\npassword={PASSWORD}\n"
    );
    write(".pg_service.conf", &service, 0o600);
    for (address, environment) in [
        ("postgres://?service=main", &[][..]),
        ("postgres://", &[("PGSERVICE", "main")]),
        (
            "postgres://",
            &[
                ("PGSERVICE", "main"),
                ("PGHOST", "nowhere"),
                ("PGUSER", "nobody"),
            ],
        ),
    ] {
        let (is_ok, text) = look(address, environment);
        assert!(is_ok, "{address} {environment:?}: {text}");
    }
    assert!(!look("postgres://nobody@?service=main", &[]).0);
    let none = look("postgres://?service=none", &[]);
    assert!(!none.0 && none.1.contains("service none"), "{}", none.1);
    let file = write("services", &service.replace("[main]", "[moved]"), 0o600);
    assert!(look("postgres://?service=moved", &[("PGSERVICEFILE", &file)]).0);

    let variables = [
        ("PGHOST", folder.as_str()),
        ("PGUSER", "postgres"),
        ("PGDATABASE", name),
        ("PGPORT", "5432"),
        ("PGCONNECT_TIMEOUT", "20"),
        ("PGSSLMODE", "disable"),
        ("PGAPPNAME", "mine"),
        ("PGOPTIONS", "-c work_mem=1MB"),
    ];
    assert!(look("postgresql://", &variables).0);
    // The first of several hosts that answers.
    let several = format!("postgres://postgres@localhost:1,localhost/{name}?host={folder}");
    assert!(look(&several.replace("localhost:1,localhost", ""), &[]).0);
    let list = format!("postgres://postgres@/{name}?host=/nowhere,{folder}&port=1,5432");
    assert!(look(&list, &[]).0);

    for (address, said) in [
        ("postgres://h/db?nonsense=x", "no parameter of libpq"),
        ("postgres://h:port/db", "a port"),
        ("postgres://h/db?requirepeer=x", "requirepeer"),
        ("postgres://h/db?sslmode=verify", "sslmode is none of"),
        ("postgres://u:secret@x:y@h:z/db", "a port"),
        ("postgres://u:se/cret@h/db", "unescaped"),
        ("postgres://h/db?gssencmode=require", "gssencmode"),
        ("postgres://h/db?connect_timeout=soon", "connect_timeout"),
        ("postgres://localhost:1/db", "localhost:1"),
        ("postgres://no-such-host.invalid/db", "no-such-host.invalid"),
    ] {
        let (is_ok, text) = look(address, &[]);
        assert!(!is_ok && text.contains(said), "{address}: {text}");
        assert!(!text.contains("cret"), "{text}");
    }
}

#[test]
fn a_password_is_not_among_the_arguments_of_the_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let home = tempfile::tempdir().unwrap();
    let address = format!("postgres://me:{ESCAPED}@127.0.0.1:{port}/db");
    let process = inspect(&address, home.path(), &[]).start();
    // It has connected, and waits for an answer.
    let connection = listener.accept().unwrap();
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", process.pid())).unwrap();
    assert!(
        arguments.contains(&format!("postgres://me@127.0.0.1:{port}/db")),
        "{arguments}"
    );
    assert!(!arguments.contains("ecret"), "{arguments}");
    drop(connection);
    drop(listener);
    assert_eq!(process.wait().code, Some(3));
}
