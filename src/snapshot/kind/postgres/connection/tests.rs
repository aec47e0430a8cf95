use std::io::Write;

use super::super::fake_server::*;
use super::super::login::connect_first;
use super::*;

/// A connection to a server that answers one COPY so, and then simple queries with no rows until `Terminate` comes or, when
/// it is to end, closes the connection.
fn copying(answer: Vec<u8>, ends: bool) -> Connection {
    let target = serve("sslmode=disable", move |stream| {
        let_in(stream)?;
        // Parse, Describe, Sync: parsed, no parameters, no columns.
        read_until(stream, b'S')?;
        let prepared = [
            message(b'1', b""),
            message(b't', &[0; 2]),
            message(b'n', b""),
        ];
        stream.write_all(&[prepared.concat(), ready()].concat())?;
        // Bind, Execute, Sync.
        read_until(stream, b'S')?;
        stream.write_all(&[message(b'2', b""), message(b'H', &[0, 0, 0])].concat())?;
        stream.write_all(&answer)?;
        if ends {
            return Ok(());
        }
        // Close, Sync.
        read_until(stream, b'S')?;
        stream.write_all(&[message(b'3', b""), ready()].concat())?;
        loop {
            read_until(stream, b'Q')?;
            stream.write_all(&[message(b'C', b"SELECT 0\0"), ready()].concat())?;
        }
    });
    connect_first(&target).unwrap().0
}

fn copy(connection: &mut Connection) -> Result<String, Failure> {
    let mut taken = Vec::new();
    let copied = connection.copy_out("COPY t TO STDOUT", &mut |rows: &mut Vec<u8>| {
        taken.append(rows);
        ControlFlow::<()>::Continue(())
    })?;
    assert!(matches!(copied, CopyEnd::Complete(rest) if rest.is_empty()));
    Ok(String::from_utf8(taken).unwrap())
}

fn rows() -> Vec<u8> {
    [message(b'd', b"a\n"), message(b'd', b"b\n")].concat()
}

#[test]
fn a_copy_that_comes_to_its_end_leaves_a_connection_that_can_be_used() {
    let end = [message(b'c', b""), message(b'C', b"COPY 2\0"), ready()];
    let mut connection = copying([rows(), end.concat()].concat(), false);
    assert_eq!(copy(&mut connection).unwrap(), "a\nb\n");
    assert_eq!(connection.ask("SELECT").unwrap(), None);
}

#[test]
fn a_copy_that_is_cut_is_no_end() {
    for answer in [
        vec![],
        rows(),
        rows()[..9].to_vec(),
        [rows(), message(b'c', b"")].concat(),
    ] {
        let mut connection = copying(answer, true);
        let failure = copy(&mut connection).unwrap_err();
        assert!(matches!(failure, Failure::Broken(_)), "{failure:?}");
        let words = failure.to_string();
        assert_eq!(words, "the server closed the connection");
        // Nor can anything else be asked.
        assert!(connection.ask("SELECT").unwrap_err().ends_connection());
    }
}

#[test]
fn an_error_between_rows_or_behind_them_is_the_querys() {
    for before in [rows(), [rows(), message(b'c', b"")].concat()] {
        let answer = [before, error("ERROR", "40001"), ready()].concat();
        let mut connection = copying(answer, false);
        let failure = copy(&mut connection).unwrap_err();
        assert_eq!(failure.sqlstate(), Some("40001"), "{failure:?}");
        assert!(!failure.ends_connection());
        assert_eq!(connection.ask("SELECT").unwrap(), None);
    }
    // One that ends the session counts, though the connection is closed, too.
    let answer = [rows(), error("FATAL", "57P01")].concat();
    let failure = copy(&mut copying(answer, true)).unwrap_err();
    assert_eq!(failure.sqlstate(), Some("57P01"), "{failure:?}");
    assert!(failure.ends_connection());
}

#[test]
fn a_message_that_does_not_belong_into_a_copy_is_an_error() {
    for (stray, words) in [
        (message(b'I', b""), "does not belong here"),
        (message(b'?', b""), "cannot be understood"),
    ] {
        let answer = [rows(), stray].concat();
        let failure = copy(&mut copying(answer, true)).unwrap_err();
        assert!(matches!(failure, Failure::Protocol(_)), "{failure:?}");
        assert!(failure.to_string().contains(words), "{failure}");
    }
}

#[test]
fn a_row_behind_the_end_of_the_rows_is_an_error() {
    for stray in [message(b'd', b"c\n"), message(b'c', b"")] {
        let end = [
            message(b'c', b""),
            stray,
            message(b'C', b"COPY 2\0"),
            ready(),
        ];
        let answer = [rows(), end.concat()].concat();
        let failure = copy(&mut copying(answer, false)).unwrap_err();
        assert!(matches!(failure, Failure::Protocol(_)), "{failure:?}");
    }
}

#[test]
fn rows_that_are_wanted_no_more_are_not_waited_for() {
    // The server never ends.
    let mut connection = copying(message(b'd', &vec![b'a'; 2 << 20]), false);
    let copied = connection.copy_out("COPY t TO STDOUT", &mut |_| ControlFlow::Break("enough"));
    assert!(matches!(copied, Ok(CopyEnd::BrokenOff("enough"))));
}

#[test]
fn rows_with_other_fields_than_asked_for_are_an_error() {
    let end = [message(b'c', b""), message(b'C', b"COPY 2\0"), ready()].concat();
    let answer = [rows(), end].concat();
    let found = copying(answer.clone(), false).read_all::<1>("SELECT v FROM t");
    assert_eq!(found.unwrap(), [["a"], ["b"]]);
    let found = copying(answer, false).read_all::<2>("SELECT v, w FROM t");
    assert!(matches!(found, Err(Failure::Protocol(_))));
}

#[test]
fn what_a_server_said_before_it_closed_the_connection_is_told() {
    let target = serve("sslmode=disable", |stream| {
        let_in(stream)?;
        stream.write_all(&error("FATAL", "57P01"))
    });
    let mut connection = connect_first(&target).unwrap().0;
    let failure = connection.ask("SELECT 1").unwrap_err();
    assert_eq!(failure.sqlstate(), Some("57P01"), "{failure:?}");
    assert!(failure.ends_connection());
    let again = connection.ask("SELECT 1").unwrap_err();
    assert!(matches!(again, Failure::Broken(_)), "{again:?}");
}

#[test]
fn a_text_with_a_zero_byte_is_not_sent() {
    let mut connection = copying(Vec::new(), false);
    let failure = connection.ask("SELECT '\0'").unwrap_err();
    assert!(failure.to_string().contains("zero byte"), "{failure}");
}

/// A connection to a server that answers a login, and nothing else.
fn silent(patience: Patience) -> Connection {
    let target = serve("sslmode=disable", |stream| {
        let_in(stream)?;
        read_until(stream, b'X')
    });
    let mut connection = connect_first(&target).unwrap().0;
    connection.line.patience = patience;
    connection
}

#[test]
fn a_server_that_sends_nothing_has_stalled_and_is_not_asked_again() {
    let silence = Duration::from_millis(1);
    let mut connection = silent(Patience {
        silence: Some(silence),
        interrupted: Arc::default(),
    });
    let failure = connection.ask("SELECT 1").unwrap_err();
    assert!(
        matches!(failure, Failure::Stalled { option: "--stall-timeout", silence: found } if found == silence),
        "{failure:?}"
    );
    assert!(!failure.passes() && failure.ends_connection());
}

#[test]
fn an_answer_is_not_awaited_when_the_run_is_to_end() {
    let interrupted = Arc::new(AtomicBool::new(false));
    let mut connection = silent(Patience {
        silence: None,
        interrupted: Arc::clone(&interrupted),
    });
    interrupted.store(true, Ordering::Relaxed);
    let failure = connection.ask("SELECT 1").unwrap_err();
    assert!(matches!(failure, Failure::Interrupted), "{failure:?}");
}

#[test]
fn a_statement_that_the_server_should_have_ended_is_not_awaited_much_longer() {
    let seconds = Duration::from_secs;
    // What may be silent for how long, and what a statement may take; what holds then.
    for (silence, statement, expected, option) in [
        (Some(600), Some(5), Some(15), "--statement-timeout"),
        (Some(600), Some(3600), Some(600), "--stall-timeout"),
        (Some(600), None, Some(600), "--stall-timeout"),
        (None, Some(5), None, "--stall-timeout"),
    ] {
        let mut connection = silent(Patience {
            silence: silence.map(seconds),
            interrupted: Arc::default(),
        });
        connection.expect_answers_within(statement.map(seconds));
        let line = &connection.line;
        let found = (line.patience.silence, line.option);
        assert_eq!(found, (expected.map(seconds), option));
    }
}
