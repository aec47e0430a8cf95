use super::*;

/// The statements of a text that is given to the scanner line by line.
fn statements(text: &str) -> Vec<String> {
    let mut scanner = Scanner::default();
    let (mut statements, mut pending) = (Vec::new(), String::new());
    for line in text.split_inclusive('\n') {
        let mut start = 0;
        while let Some(end) = scanner.scan(line.as_bytes(), start, Stop::Statement) {
            pending.push_str(&line[start..end]);
            statements.push(std::mem::take(&mut pending).trim().to_owned());
            start = end;
        }
        pending.push_str(&line[start..]);
    }
    if !pending.trim().is_empty() {
        statements.push(format!("unfinished: {}", pending.trim()));
    }
    statements
}

#[test]
fn statements_end_where_psql_ends_them() {
    let cases: [(&str, &[&str]); 21] = [
        ("a; b;\n", &["a;", "b;"]),
        ("a 'x;''y' b;\n", &["a 'x;''y' b;"]),
        ("a 'x\n;\n' b;\nc;", &["a 'x\n;\n' b;", "c;"]),
        ("a 'x\\'; b;", &["a 'x\\';", "b;"]),
        ("a E'x\\'; b'';' ;c;", &["a E'x\\'; b'';' ;", "c;"]),
        ("a \"x;\"\"y\" b;", &["a \"x;\"\"y\" b;"]),
        ("a $$x; 'y$$; b;", &["a $$x; 'y$$;", "b;"]),
        ("a $t$x; $$ $u$\n$t$; b;", &["a $t$x; $$ $u$\n$t$;", "b;"]),
        ("a$b$c; d$b$;", &["a$b$c;", "d$b$;"]),
        ("a $1; b;", &["a $1;", "b;"]),
        ("a -- b; c'\n d; e;", &["a -- b; c'\n d;", "e;"]),
        ("a -- b; c'\r d; e;", &["a -- b; c'\r d;", "e;"][..]),
        (
            "a E'x' -- y\n 'z\\'; b'; c;",
            &["a E'x' -- y\n 'z\\'; b';", "c;"],
        ),
        ("a E'x' 'z\\'; c;", &["a E'x' 'z\\';", "c;"]),
        ("a U&'x\\'; b;", &["a U&'x\\';", "b;"]),
        ("a U&\"x;\\\"; b;", &["a U&\"x;\\\";", "b;"]),
        (
            "a /* ; /* ' */ ; */ b; c;",
            &["a /* ; /* ' */ ; */ b;", "c;"],
        ),
        ("a (b; c (d;)); e;", &["a (b; c (d;));", "e;"]),
        (
            "CREATE FUNCTION f() BEGIN ATOMIC\n SELECT CASE WHEN x THEN y END;\n SELECT 2;\nEND; a;",
            &[
                "CREATE FUNCTION f() BEGIN ATOMIC\n SELECT CASE WHEN x THEN y END;\n SELECT 2;\nEND;",
                "a;",
            ],
        ),
        (
            "create or replace procedure p() begin atomic a; end; BEGIN; a;",
            &[
                "create or replace procedure p() begin atomic a; end;",
                "BEGIN;",
                "a;",
            ],
        ),
        ("a 'b;\n", &["unfinished: a 'b;"]),
    ];
    for (text, expected) in cases {
        assert_eq!(statements(text), expected, "{text}");
    }
}

#[test]
fn rows_of_an_insert_are_found() {
    let text = b"INSERT INTO \"values\" (\"a)\") VALUES\n\t(1, ')', (2)),\n\t(E'\\')');\n";
    let mut scanner = Scanner::default();
    let (mut place, mut stop, mut parts) = (0, Stop::Values, Vec::new());
    while let Some(end) = scanner.scan(text, place, stop) {
        parts.push(std::str::from_utf8(&text[place..end]).unwrap());
        (place, stop) = (end, Stop::Tuple);
    }
    let expected = [
        "INSERT INTO \"values\" (\"a)\") VALUES",
        "\n\t(1, ')', (2))",
        ",\n\t(E'\\')')",
        ";",
    ];
    assert_eq!(parts, expected);
}

#[test]
fn a_command_of_psql_inside_of_a_statement_is_a_stop() {
    for (text, at) in [("SELECT 1 \\g\n", 10), ("SELECT (1 \\; ", 11)] {
        let mut scanner = Scanner::default();
        assert_eq!(
            scanner.scan(text.as_bytes(), 0, Stop::Statement),
            Some(at),
            "{text}"
        );
        assert!(scanner.at_command);
    }
    let mut scanner = Scanner::default();
    let text = b"SELECT '\\', \"\\\" /* \\ */ -- \\\n;";
    assert_eq!(scanner.scan(text, 0, Stop::Statement), Some(text.len()));
    assert!(!scanner.at_command);
}

#[test]
fn blanks_are_white_space_and_comments() {
    for (text, rest) in [
        (" \t\r\n x", "x"),
        ("-- a\n/* b /* c */ */x", "x"),
        ("/**/-- a\r -b", "-b"),
        ("/ * x", "/ * x"),
        ("/* not closed", ""),
        ("", ""),
    ] {
        assert_eq!(&text[skip_blank(text.as_bytes(), 0)..], rest, "{text}");
    }
}

#[test]
fn statements_have_tokens() {
    let word = |text: &str| Token::Word(text.into());
    let text = |text: &str| Token::Text(text.into());
    let cases = [
        ("Create x_1$", vec![word("create"), word("x_1$")]),
        (
            "\"A b\"\"c\".d",
            vec![Token::Name("A b\"c".into()), Token::Symbol(b'.'), word("d")],
        ),
        (
            "'a''b' E'a\\'\\n\\u00e9\\x41\\101'",
            vec![text("a'b"), text("a'\néAA")],
        ),
        (
            "$x$a'b$x$, 1.5",
            vec![
                text("a'b"),
                Token::Symbol(b','),
                word("1"),
                Token::Symbol(b'.'),
                word("5"),
            ],
        ),
        (
            "a -- b\n/* c /* d */ e */ - /",
            vec![word("a"), Token::Symbol(b'-'), Token::Symbol(b'/')],
        ),
        (
            "'a' -- x\n 'b' E'\\''\n'\\'' 'c' 'd'",
            vec![text("ab"), text("''"), text("c"), text("d")],
        ),
        (
            "U&\"d\\0061ta\".u & \"a\"",
            vec![
                Token::Name("data".into()),
                Token::Symbol(b'.'),
                word("u"),
                Token::Symbol(b'&'),
                Token::Name("a".into()),
            ],
        ),
        ("'not closed", vec![text("not closed")]),
        ("a /* not closed", vec![word("a")]),
        ("$", vec![Token::Symbol(b'$')]),
    ];
    for (statement, expected) in cases {
        assert_eq!(tokens(statement.as_bytes()), expected, "{statement}");
    }
}
