use super::super::sample::{Told, files_toc, rows, table};
use super::super::toc::Toc;
use super::*;

const TABLE: &str = "CREATE TABLE public.t (\n    a integer,\n    b text\n);\n";
const COPY: &str = "COPY public.t (a, b) FROM stdin;\n";

fn told(copy: &str, data: &str) -> Result<String, String> {
    let samples = [table("public", "t", TABLE), rows(1, "public", "t", copy)];
    let toc = Toc::read(&mut &files_toc(&samples)[..], None).unwrap();
    let contents = Contents::new(toc, None).unwrap();
    let mut told = Told::default();
    let mut sink = |event| told.take(event);
    let flow = read_rows(
        &contents,
        &contents.data[0],
        &Owners::only(contents.data[0].head_for(&TableName::public("t"))),
        data.as_bytes(),
        Origin::default(),
        &mut sink,
    )
    .map_err(|error| error.to_string())?;
    assert!(flow.is_continue());
    Ok(told.0)
}

#[test]
fn the_rows_of_a_copy_end_at_their_line() {
    let expected = "begin t (a, b)\n1\tx\n2\t\\\\.\nend t: 2 rows\n";
    for end in ["\\.\n\n\n", "\\.\n", "\\."] {
        assert_eq!(
            told(COPY, &format!("1\tx\n2\t\\\\.\n{end}")).unwrap(),
            expected
        );
    }
    assert_eq!(
        told(COPY, "\\.\n\n\n").unwrap(),
        "begin t (a, b)\nend t: 0 rows\n"
    );
}

#[test]
fn inserts_become_rows() {
    let text = "INSERT INTO public.t VALUES (1, 'x');\nINSERT INTO public.t VALUES (2, 'a;\n\\.\n');\n\n\n";
    let expected = "begin t (a, b)\n1\tx\n2\ta;\\n\\\\.\\n\nend t: 2 rows\n";
    assert_eq!(told("", text).unwrap(), expected);
    assert_eq!(told("", "\n\n").unwrap(), "begin t (a, b)\nend t: 0 rows\n");
}

#[test]
fn data_that_ends_early_is_cut_off() {
    let cases = [
        (COPY, "", "row 1"),
        (COPY, "1\tx\n", "row 2"),
        (COPY, "1\tx\n2\t", "row 2"),
        (
            "",
            "INSERT INTO public.t VALUES (1, 'x');\nINSERT INTO public.t VALUES (2, 'x",
            "row 2",
        ),
    ];
    for (copy, data, row) in cases {
        let message = told(copy, data).unwrap_err();
        let expected = format!("the snapshot ends too early (table t, {row}");
        assert!(message.starts_with(&expected), "{data}: {message}");
    }
}

#[test]
fn what_is_not_the_tables_rows_is_an_error() {
    let cases = [
        (COPY, "\\.\n\nmore\n", "follows the end of its rows"),
        (
            "",
            "INSERT INTO public.u VALUES (1, 'x');\n",
            "rows of table u",
        ),
        ("", "INSERT INTO public.t VALUES (1);\n", "too few values"),
    ];
    for (copy, data, expected) in cases {
        let message = told(copy, data).unwrap_err();
        assert!(message.contains(expected), "{data}: {message}");
    }
}
