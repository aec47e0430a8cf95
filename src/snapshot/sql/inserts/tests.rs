use super::*;

#[test]
fn heads_are_read_in_all_their_forms() {
    let head_of = |table: TableName, columns: Option<&[&str]>| {
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Some(InsertHead {
            table,
            columns,
            rows: InsertRows::Values,
        })
    };
    let made = |reason| {
        Some(InsertHead {
            table: TableName::public("t"),
            columns: None,
            rows: InsertRows::Made(reason),
        })
    };
    let query = "its rows come from a query";
    let parentheses = "a query, or parts of columns, stand in parentheses";
    let cases = [
        (
            "INSERT INTO public.notes VALUES",
            head_of(TableName::public("notes"), None),
        ),
        (
            "insert into notes values",
            head_of(TableName::public("notes"), None),
        ),
        (
            "INSERT INTO audit.\"N o\" (id, \"position\") VALUES",
            head_of(TableName::new("audit", "N o"), Some(&["id", "position"])),
        ),
        (
            "INSERT INTO public.t (id) OVERRIDING SYSTEM VALUE VALUES",
            head_of(TableName::public("t"), Some(&["id"])),
        ),
        (
            "INSERT INTO t OVERRIDING USER VALUE VALUES",
            made("OVERRIDING USER VALUE has the database make up values"),
        ),
        (
            "INSERT /* a */ INTO -- b\n t /* c */ AS x (id, /* d */ \"b\" -- e\n) VALUES",
            head_of(TableName::public("t"), Some(&["id", "b"])),
        ),
        (
            "INSERT INTO t DEFAULT VALUES",
            Some(InsertHead {
                table: TableName::public("t"),
                columns: None,
                rows: InsertRows::Default,
            }),
        ),
        ("INSERT INTO t SELECT 1;", made(query)),
        ("INSERT INTO t TABLE u;", made(query)),
        ("INSERT INTO t WITH x AS (SELECT 1) VALUES", made(query)),
        ("INSERT INTO t (VALUES (1));", made(parentheses)),
        ("INSERT INTO t (a[1]) VALUES", made(parentheses)),
        ("INSERT INTO t (a b) VALUES", made(parentheses)),
        ("INSERT INTO 't' VALUES", None),
    ];
    for (text, expected) in cases {
        assert_eq!(head(text.as_bytes(), &Ddl::default()), expected, "{text}");
    }
}

#[test]
fn rows_become_copy_text() {
    let cases: [(&str, &[bool], Result<&str, &str>); 36] = [
        ("(1, -2.5e3, 'x')", &[false; 3], Ok("1\t-2.5e3\tx\n")),
        ("( true ,FALSE, NULL )", &[false; 3], Ok("t\tf\t\\N\n")),
        ("('it''s', '''', '')", &[false; 3], Ok("it's\t'\t\n")),
        ("('', '')", &[false; 2], Ok("\t\n")),
        (
            "('a\tb\nc\\d', 'NULL', '\\N')",
            &[false; 3],
            Ok("a\\tb\\nc\\\\d\tNULL\t\\\\N\n"),
        ),
        (
            "(E'a\\'b\\n\\\\', e'''')",
            &[false; 2],
            Ok("a'b\\n\\\\\t'\n"),
        ),
        ("('), (', ';')", &[false; 2], Ok("), (\t;\n")),
        (
            "(B'0101', X'1f', x'')",
            &[false; 3],
            Ok("0101\t00011111\t\n"),
        ),
        (
            "('{\"a\": \"é\"}', '\\x00ff')",
            &[false; 2],
            Ok("{\"a\": \"é\"}\t\\\\x00ff\n"),
        ),
        (
            "(DEFAULT, 'b', DEFAULT, 'd')",
            &[true, false, true, false],
            Ok("b\td\n"),
        ),
        ("(DEFAULT)", &[true], Ok("\n")),
        (
            "(DEFAULT)",
            &[false],
            Err("a value is DEFAULT, which only the database could fill in"),
        ),
        ("(1)", &[true], Err("a generated column has a value")),
        (
            "(1, 2)",
            &[false],
            Err("the row has too many values, or one that is not a literal"),
        ),
        (
            "(1)",
            &[false; 2],
            Err("the row has too few values, or one that is not a literal"),
        ),
        ("(now())", &[false], Err("a value is not a literal")),
        (
            "('a'::text)",
            &[false],
            Err("the row has too many values, or one that is not a literal"),
        ),
        ("(nextval('x'))", &[false], Err("a value is not a literal")),
        ("(X'1g')", &[false], Err("a bit string has other digits")),
        (
            "(/* a */ 1 -- it's\n, /* (b */ 'x' /* ' */ , NULL--,\n)",
            &[false; 3],
            Ok("1\tx\t\\N\n"),
        ),
        ("(-5--x\n, 1/**/)", &[false; 2], Ok("-5\t1\n")),
        (
            "('a'\n 'b', E'\\n' -- x\n '\\t')",
            &[false; 2],
            Ok("ab\t\\n\\t\n"),
        ),
        (
            "('a' 'b')",
            &[false],
            Err("the row has too many values, or one that is not a literal"),
        ),
        (
            "($$it's$$, $x$\\ $$\n$x$)",
            &[false; 2],
            Ok("it's\t\\\\ $$\\n\n"),
        ),
        ("(U&'d\\0061', N'x')", &[false; 2], Ok("da\tx\n")),
        (
            "(U&'d!0061' UESCAPE '!')",
            &[false],
            Err("the row has too many values, or one that is not a literal"),
        ),
        (
            "(U&'\\1')",
            &[false],
            Err("a string U&'…' has an escape that is none"),
        ),
        (
            "(+5, 007, -0, .5, -.50, 1., 0)",
            &[false; 7],
            Ok("5\t7\t0\t0.5\t-0.50\t1\t0\n"),
        ),
        (
            "(1e5, -0.0, 1.5E-07)",
            &[false; 3],
            Ok("1e5\t0.0\t1.5E-07\n"),
        ),
        ("(1+1)", &[false], Err("a value is not a literal")),
        ("(1-1)", &[false], Err("a value is not a literal")),
        ("(1e)", &[false], Err("a value is not a literal")),
        ("(-)", &[false], Err("a value is not a literal")),
        ("(0x1F)", &[false], Err("a value is not a literal")),
        ("(:id)", &[false], Err("a value is not a literal")),
        (
            "1, 2",
            &[false],
            Err("the row has too few values, or one that is not a literal"),
        ),
    ];
    for (text, generated, expected) in cases {
        let mut out = Vec::new();
        let result = row(text.as_bytes(), generated, false, &mut out);
        assert_eq!(
            result.map(|()| std::str::from_utf8(&out).unwrap()),
            expected,
            "{text}"
        );
    }
}

#[test]
fn what_follows_the_rows_is_known_or_refused() {
    for text in [
        ";",
        "ON CONFLICT DO NOTHING;",
        "/* a */ on conflict (id, lower(do)) WHERE x > (1) DO -- b\n NOTHING RETURNING id;",
        "ON CONFLICT ON CONSTRAINT \"do\" DO NOTHING;",
        "RETURNING *, (SELECT 1);",
    ] {
        let leaves_out = text.to_lowercase().contains("conflict");
        assert_eq!(tail(text.as_bytes()), Ok(leaves_out), "{text}");
    }
    for text in [
        "UNION ALL VALUES (2);",
        "ON CONFLICT DO;",
        "ON CONFLICT DO NOTHING WHERE;",
        "ORDER BY 1;",
        "(2, 'x');",
        "AS x;",
        "ON x;",
    ] {
        assert_eq!(tail(text.as_bytes()), Err(UNKNOWN_TAIL), "{text}");
    }
    let update = "ON CONFLICT (id) DO UPDATE SET a = 1;";
    assert!(tail(update.as_bytes()).unwrap_err().contains("DO UPDATE"));
}

#[test]
fn strings_have_escapes_where_the_dump_says_so() {
    let mut out = Vec::new();
    assert_eq!(
        row(b"('a\\\\b\\'c', 'd''e')", &[false; 2], true, &mut out),
        Ok(())
    );
    assert_eq!(out, b"a\\\\b'c\td'e\n");
}
