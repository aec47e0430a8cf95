use std::io::Write;
use std::time::Duration;

use super::super::fake_server::*;
use super::*;

/// Why nobody can log in at a server that answers the first message so, and then closes the connection.
fn refused(parameters: &str, answer: &'static [u8]) -> Failure {
    let target = serve(parameters, move |stream| {
        read_first(stream)?;
        stream.write_all(answer)
    });
    connect_first(&target).err().unwrap()
}

fn assert_setup(failure: &Failure, words: &str) {
    assert!(matches!(failure, Failure::Setup(_)), "{failure:?}");
    assert!(failure.to_string().contains(words), "{failure}");
}

fn assert_protocol(failure: &Failure, words: &str) {
    assert!(matches!(failure, Failure::Protocol(_)), "{failure:?}");
    assert!(failure.to_string().contains(words), "{failure}");
}

#[test]
fn what_a_server_says_while_one_logs_in_keeps_its_sqlstate() {
    for sqlstate in ["57P03", "28P01"] {
        let target = serve("sslmode=disable", move |stream| {
            read_first(stream)?;
            stream.write_all(&error("FATAL", sqlstate))
        });
        let failure = connect_first(&target).err().unwrap();
        assert_eq!(failure.sqlstate(), Some(sqlstate), "{failure:?}");
        assert_eq!(failure.passes(), sqlstate == "57P03");
        assert_eq!(failure.may_pass_later(), sqlstate == "57P03");
        assert!(failure.to_string().contains("what the server says"));
    }
}

#[test]
fn ways_to_log_in_that_are_not_known_are_named() {
    let plain = "sslmode=disable";
    let with_password = "sslmode=disable&password=x";
    // AuthenticationGSS; AuthenticationSASL with a mechanism of another name.
    for answer in [
        b"R\0\0\0\x08\0\0\0\x07".as_slice(),
        b"R\0\0\0\x0f\0\0\0\x0aOTHER\0\0",
    ] {
        assert_setup(&refused(with_password, answer), "that is not supported");
    }
    // In clear text; by MD5; by SCRAM.
    for answer in [
        b"R\0\0\0\x08\0\0\0\x03".as_slice(),
        b"R\0\0\0\x0c\0\0\0\x05salt",
        b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0",
    ] {
        assert_setup(&refused(plain, answer), "put it into ~/.pgpass");
        let bound = "sslmode=disable&password=x&channel_binding=require";
        assert_setup(&refused(bound, answer), "channel_binding=require");
    }
    let open = "sslmode=disable&channel_binding=require";
    assert_setup(
        &refused(open, b"R\0\0\0\x08\0\0\0\0"),
        "channel_binding=require",
    );
}

#[test]
fn a_server_that_proves_nothing_is_not_believed() {
    let target = serve("sslmode=disable&password=x", |stream| {
        read_first(stream)?;
        stream.write_all(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0")?;
        read_until(stream, b'p')?;
        stream.write_all(&message(b'R', b"\0\0\0\x0br=other,s=c2FsdA==,i=1"))
    });
    let failure = connect_first(&target).err().unwrap();
    assert_protocol(&failure, "SCRAM authentication went wrong");
}

#[test]
fn what_is_no_server_is_noticed_at_once() {
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    for mode in ["disable", "prefer", "require"] {
        let failure = refused(&format!("sslmode={mode}&connect_timeout=0"), http);
        assert_protocol(&failure, "first byte");
    }
    // Messages that are none: one with a tag that nobody knows, one with an impossible length, one that is too short for what it is.
    for answer in [
        b"R\0\0\0\x08\0\0\0\0?\0\0\0\x04".as_slice(),
        b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x01",
        b"R\0\0\0\x08\0\0\0\x4d",
    ] {
        assert_protocol(&refused("sslmode=disable", answer), "cannot be understood");
    }
    let failure = refused("sslmode=disable", b"");
    assert!(matches!(failure, Failure::Broken(_)), "{failure:?}");
    assert!(
        failure
            .to_string()
            .contains("the server closed the connection")
    );
    let cut = refused("sslmode=disable", b"R\0\0\0\x08\0\0");
    assert!(matches!(cut, Failure::Broken(_)), "{cut:?}");
}

#[test]
fn a_server_without_tls_is_taken_as_sslmode_says() {
    assert_setup(
        &refused("sslmode=require", b"N"),
        "the server does not do TLS",
    );
    let failure = refused("sslmode=require", b"Sno TLS at all");
    assert_setup(&failure, "TLS with the server failed");
    let target = serve("sslmode=prefer", |stream| {
        read_first(stream)?;
        stream.write_all(b"N")?;
        let_in(stream)?;
        read_until(stream, b'X')
    });
    let (connection, _) = connect_first(&target).unwrap();
    assert_eq!(connection.major_version(), 15);
}

#[test]
fn one_time_limit_holds_for_all_of_a_login() {
    // Each byte comes in time.
    let target = serve("sslmode=disable&connect_timeout=1", |stream| {
        read_first(stream)?;
        stream.write_all(b"R\0\0\x10\0")?;
        loop {
            stream.write_all(b"\0")?;
            thread::sleep(Duration::from_millis(10));
        }
    });
    let failure = connect_first(&target).err().unwrap();
    assert!(
        failure.to_string().contains("did not answer in time"),
        "{failure}"
    );
    // And for the question which server it is.
    let attributes = "sslmode=disable&connect_timeout=1&target_session_attrs=standby";
    let target = serve(attributes, |stream| {
        let_in(stream)?;
        read_until(stream, b'X')
    });
    let failure = connect_first(&target).err().unwrap();
    assert!(
        failure.to_string().contains("did not answer in time"),
        "{failure}"
    );
}

#[test]
fn a_socket_that_cannot_be_is_told_in_the_systems_words() {
    let mut target = serve("sslmode=disable", |_| Ok(()));
    target.hosts[0].address = HostAddress::Folder("/long".repeat(40).into());
    let failure = connect_first(&target).err().unwrap();
    assert!(matches!(failure, Failure::Broken(_)), "{failure:?}");
    assert!(failure.to_string().contains("path"), "{failure}");
    target.hosts[0].address = HostAddress::Folder("@relexport/no/such".into());
    let failure = connect_first(&target).err().unwrap();
    assert!(failure.to_string().contains("refused"), "{failure}");
}

#[test]
fn a_server_that_is_not_there_is_told_whatever_its_name() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    for mode in ["prefer", "require"] {
        let mut target = serve(&format!("sslmode={mode}"), |_| Ok(()));
        target.hosts[0].port = port;
        target.hosts[0].address = HostAddress::Tcp {
            name: "/a/folder".to_owned(),
            number: Some("127.0.0.1".to_owned()),
        };
        let failure = connect_first(&target).err().unwrap();
        assert!(matches!(failure, Failure::Broken(_)), "{failure:?}");
        assert!(failure.to_string().contains("refused"), "{failure}");
    }
}
