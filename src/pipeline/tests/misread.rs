//! What is said of files that are no YAML or have another shape, word by word.

use crate::pipeline::{BUILTIN, Pipeline};

/// A small pipeline with `relation` for its relations, which start in line 4.
fn with_relation(relation: &str) -> String {
    format!(
        "pipeline: shop\nentity: {{ kind: C, table: c, prefix: 'c_{{key}}' }}\nrelations:\n{relation}"
    )
}

/// What is said of each text, which has one mistake; `§` stands where it is reported.
fn check(cases: &[(&str, String, &str)]) {
    let mut failures = String::new();
    for (name, marked, expected) in cases {
        let (before, after) = marked.split_once('§').unwrap();
        let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
        let last = before.rsplit('\n').next().unwrap_or_default();
        let column = last.chars().count() + 1;
        let expected = format!("shop.yml:{line}:{column}: {expected}");
        let shown = match Pipeline::parse(&format!("{before}{after}"), "shop.yml") {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        if shown != expected {
            failures.push_str(&format!("{name}: expected\n{expected}\n{shown}\n\n"));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_value_of_another_kind_is_named_with_what_is_needed() {
    let cases = [
        (
            "a list for a text",
            "  o: { table: §[a], link: { a: key } }",
            "`relations.o.table` is a list, where a text is needed; write one name or text",
        ),
        (
            "a map for a text",
            "  o: { table: §{ a: b }, link: { a: key } }",
            "`relations.o.table` is a map, where a text is needed; write one name or text",
        ),
        (
            "a map in block style for a text",
            "  o:\n    table:\n      §a: b\n    link: { a: key }\n",
            "`relations.o.table` is a map, where a text is needed; write one name or text",
        ),
        (
            "a text for a link",
            "  o: { table: o, §link: a }",
            "`relations.o.link` is a text, where a map or a list of maps is needed; docs/pipeline.md has examples",
        ),
        (
            "a text in a list of links",
            "  o: { table: o, link: [§a] }",
            "`relations.o.link` is a text, where a map is needed; write it as `link: { key: value }`",
        ),
        (
            "a list for a column",
            "  o: { table: o, link: { a: §[b] } }",
            "`relations.o.link.a` is a list, where a text is needed; write one name or text",
        ),
        (
            "a number for a column",
            "  o: { table: o, link: { a: §5 } }",
            "`relations.o.link.a` is an integer, where a text is needed; \
             write one name or text; if this is one, put it in quotes",
        ),
        (
            "true for a table",
            "  o: { table: §true, link: { a: key } }",
            "`relations.o.table` is a boolean, where a text is needed; \
             write one name or text; if this is one, put it in quotes",
        ),
        (
            "a number for a column of a condition",
            "  o: { table: o, link: { a: key }, where: { §5: x } }",
            "a key of `relations.o.where` is an integer, where a text is needed; \
             write one name or text; if this is one, put it in quotes",
        ),
        (
            "nothing for a column",
            "  o: { table: o, link: { a: §~ } }",
            "`relations.o.link.a` is empty, where a text is needed; write one name or text",
        ),
        (
            "a number for tests",
            "  o: { table: o, link: { a: key, where: §5 } }",
            "`relations.o.link.where` is an integer, where a map is needed; write it as `where: { key: value }`",
        ),
        (
            "a text for a list",
            "  o: { table: o, link: { a: key }, only: §a }",
            "`relations.o.only` is a text, where a list is needed; write it as `only: [first, second]`",
        ),
        (
            "a map for a list",
            "  o: { table: o, link: { a: key }, except: §{ a: b } }",
            "`relations.o.except` is a map, where a list is needed; write it as `except: [first, second]`",
        ),
        (
            "a list in a list of names",
            "  o: { table: o, link: { a: key }, only: [§[a]] }",
            "`relations.o.only` is a list, where a text is needed; write one name or text",
        ),
        (
            "yes for true",
            "  o: { table: o, link: { a: key }, batched: §yes }",
            "`relations.o.batched` is a text, where true or false is needed; write one of them, without quotes",
        ),
        (
            "a number for true",
            "  o: { table: o, link: { a: key }, batched: §1 }",
            "`relations.o.batched` is an integer, where true or false is needed; write one of them, without quotes",
        ),
        (
            "a list for a bound",
            "  o: { table: o, link: { a: key }, where: { a: { §above: [1] } } }",
            "`relations.o.where.a.above` is a list, where null, a boolean, a number or a text is needed; \
             docs/pipeline.md has examples",
        ),
        (
            "a test in not",
            "  o: { table: o, link: { a: key }, where: { a: { not: §{ above: 5 } } } }",
            "`relations.o.where.a.not` is wrong: a test cannot stand in `not`; write a value or a list of values",
        ),
        (
            "two tests in one",
            "  o: { table: o, link: { a: key }, where: { a: §{ above: 1, not: 2 } } }",
            "`relations.o.where.a` is wrong: a test is one of { not: … }, { like: … }, { length: … }, { above: … }, { below: … }, or \
             both of the last two",
        ),
        (
            "no test",
            "  o: { table: o, link: { a: key }, where: { a: §{} } }",
            "`relations.o.where.a` is wrong: a test is one of { not: … }, { like: … }, { length: … }, { above: … }, { below: … }, or \
             both of the last two",
        ),
        (
            "a number for the beginning of a text",
            "  o: { table: o, link: { a: key }, where: { a: { like: §5 } } }",
            "`relations.o.where.a.like` is an integer, where a text is needed; \
             write one name or text; if this is one, put it in quotes",
        ),
        (
            "a number for a tree",
            "  o: { table: o, link: { a: key }, §tree: 5 }",
            "`relations.o.tree` is an integer, where a column, or a map with a link, such as { link: { parent_id: id } } \
             is needed; docs/pipeline.md has examples",
        ),
        (
            "a tree without a link",
            "  o: { table: o, link: { a: key }, tree: { §as: replies } }",
            "`relations.o.tree` lacks `link`; add it",
        ),
        (
            "a map for a chain of tables",
            "  o: { table: o, link: { a: b }, via: §{ table: t, link: { b: key } } }",
            "`relations.o.via` is a map, where a list is needed; write it as `via: [first, second]`",
        ),
        (
            "an unknown choice",
            "  o: { table: o, link: { a: key }, nested: { n: { one: t, link: { b: id }, pick: §newest } } }",
            "`relations.o.nested.n.pick` cannot be `newest`; write `first` or `last`",
        ),
        (
            "a number for columns",
            "  o: { table: o, link: { a: key }, through: { table: t, §to: 5 } }",
            "`relations.o.through.to` is an integer, where a text or a list of texts is needed; write one name, in quotes \
             if it is a number, or a list: `to: [first, second]`",
        ),
        (
            "an unknown test",
            "  o: { table: o, link: { a: key }, where: { a: { §is: 2 } } }",
            "there is no key `is` here; the keys are `not`, `above`, `below`, `like` and `length`",
        ),
        (
            "no number",
            "  o: { table: o, link: { a: key }, where: { a: §.nan } }",
            "this is no number that a column can hold; write digits, or a text in quotes",
        ),
        (
            "a text for an integer key",
            "  o: { table: o, link: { a: key }, computed: { n: { column: c, names: { §x: y } } } }",
            "the key `x` of `relations.o.computed.n.names` is a text, where an integer is needed; write digits, without quotes",
        ),
        (
            "an unknown form",
            "  o: { table: o, link: { a: key }, form: §xml }",
            "`relations.o.form` cannot be `xml`; write `lines`, `single` or `object`",
        ),
        (
            "an unknown edition",
            "  o: { table: o, link: { a: key }, edition: §ce }",
            "`relations.o.edition` cannot be `ce`; write `ee`, or leave it out",
        ),
        (
            "a list for a word",
            "  o: { table: o, link: { a: key }, form: §[lines] }",
            "`relations.o.form` is a list, where one word is needed; docs/pipeline.md has examples",
        ),
        (
            "a text for a relation",
            "  o: §table",
            "`relations.o` is a text, where a map is needed; write it as `o: { key: value }`",
        ),
        (
            "a list for a key",
            "  §[o]: { table: o, link: { a: key } }",
            "a key of `relations` is a list, where a text is needed; write one name or text",
        ),
    ];
    check(&cases.map(|(name, text, says)| (name, with_relation(text), says)));
}

#[test]
fn a_number_is_a_name_in_quotes_only() {
    let with_key = |key: &str| {
        format!(
            "pipeline: shop\nentity: {{ kind: C, table: c, key: {key}, prefix: 'c_{{key}}' }}\n\
             relations: {{ o: {{ table: o, link: {{ a: key }} }} }}\n"
        )
    };
    let cases = [(
        "a number for a key",
        with_key("5").replace("key: 5", "§key: 5"),
        "`entity.key` is an integer, where a text or a list of texts is needed; write one name, in quotes if it is a \
         number, or a list: `key: [first, second]`",
    )];
    check(&cases);
    for key in ["\"5\"", "'5'", "5a"] {
        let pipeline = Pipeline::parse(&with_key(key), "shop.yml").unwrap();
        let key = key.trim_matches(['"', '\'']);
        assert_eq!(pipeline.entity.key.as_deref(), Some(key));
    }
}

#[test]
fn keys_that_are_unknown_missing_empty_or_there_twice_are_named() {
    let cases = [
        (
            "a slip of the pen",
            "  o: { §tabel: o, link: { a: key } }",
            "there is no key `tabel` here; did you mean `table`?",
        ),
        (
            "a key of another place",
            "  o: { table: o, link: { a: key }, §instead: {} }",
            "there is no key `instead` here; the keys are `edition`, `form`, `files`, `batched`, `maxima`, `collected`, \
             `table`, `link`, `where`, `through`, `via`, `tree`, `order`, `batch_order`, `pick`, `without_row`, `only`, `except`, \
             `ee_columns`, `as`, `values`, `overlay`, `computed` and `nested`",
        ),
        (
            "a key that is needed",
            "  o: { table: o, link: { a: key }, through: { §table: t } }",
            "`relations.o.through` lacks `to`; add it",
        ),
        (
            "a key twice",
            "  o: { table: o, §table: p, link: { a: key } }",
            "`table` stands twice in one map; rename or remove one of them",
        ),
        (
            "a key that is needed, in block style",
            "  o:\n    table: o\n    link: { a: key }\n    through:\n      §table: t\n",
            "`relations.o.through` lacks `to`; add it",
        ),
        (
            "a key that is needed, of a map without any",
            "  o: { table: o, link: { a: key }, through: §{} }",
            "`relations.o.through` lacks `table`; add it",
        ),
        (
            "columns that are left empty",
            "  o:\n    table: o\n    link: { a: key }\n    §except:\n",
            "`relations.o.except` has no value; give it one, or leave the key out",
        ),
    ];
    check(&cases.map(|(name, text, says)| (name, with_relation(text), says)));
    let whole = [
        (
            "no entity",
            "§pipeline: shop\n",
            "the pipeline lacks `entity`; add it",
        ),
        (
            "no table",
            "pipeline: shop\nentity: { §kind: C }\nrelations: {}\n",
            "`entity` lacks `table`; add it",
        ),
        (
            "a list",
            "§- a\n- b\n",
            "the file is a list, where the map of a pipeline is needed; `relexport pipeline show` prints one to begin with",
        ),
        (
            "a text",
            "§shop",
            "the file is a text, where the map of a pipeline is needed; `relexport pipeline show` prints one to begin with",
        ),
        (
            "nothing",
            "§",
            "the file holds no pipeline, it is empty; `relexport pipeline show` prints one to begin with",
        ),
        (
            "a comment only",
            "# later\n§",
            "the file holds no pipeline, it is empty; `relexport pipeline show` prints one to begin with",
        ),
    ];
    check(&whole.map(|(name, text, says)| (name, text.to_owned(), says)));
}

#[test]
fn text_that_is_no_yaml_is_said_with_what_to_look_at() {
    let cases = [
        (
            "an open brace",
            "  o: §{ table: o, link: { a: key }",
            "this bracket is never closed; close it with `]` or `}`",
        ),
        (
            "a brace too many",
            "  o: { table: o, link: { a: key } }§]",
            "this bracket closes nothing; remove it, or open one before it",
        ),
        (
            "an open quote",
            "  o: { table: §'o, link: { a: key } }",
            "this quote is never closed; close it with the same one",
        ),
        (
            "no comma",
            "  o: { table: o link§: { a: key } }",
            "a comma or `}` is missing before this; add it",
        ),
        (
            "a tab",
            "  o:\n\t §table: o",
            "a tab indents this line, and YAML does not take tabs there; use spaces",
        ),
        (
            "one space too few",
            "  o: { table: o, link: { a: key } }\n §p: 5",
            "this line is not indented as those beside it; use the same number of spaces",
        ),
        (
            "an alias of nothing",
            "  o: §*a",
            "this alias (`*…`) has no anchor before it; define one with `&…`, or write the value out",
        ),
        (
            "an anchor in itself",
            "  o: &a { table: o, link: { a: key }, nested: { x: §*a } }",
            "an alias (`*…`) cannot stand inside its own anchor (`&…`); write the value out",
        ),
        (
            "no map to take in",
            "  o: { <<: §5, table: o, link: { a: key } }",
            "`<<` takes in a map or a list of maps, and this is neither; give it the alias of a map",
        ),
        (
            "a tag",
            "  o: { table: !foo §abc, link: { a: key } }",
            "a tag (`!…`) cannot stand in a pipeline; leave it out",
        ),
        (
            "a character that begins nothing",
            "  o: { table: §@abc, link: { a: key } }",
            "no value can begin with this character; put the text into quotes",
        ),
        (
            "a backslash",
            "  o: { table: §\"\\q\", link: { a: key } }",
            "this text in double quotes has a `\\` that stands for nothing; write `\\\\`, or use single quotes",
        ),
    ];
    check(&cases.map(|(name, text, says)| (name, with_relation(text), says)));
    let whole = [
        (
            "a directive",
            "§%YAML 9.9\n---\na: 1\n",
            "a directive (`%…`) cannot stand in a pipeline; leave it out",
        ),
        (
            "binary",
            "§\u{0}\u{1}\u{2}",
            "no value can begin with this character; put the text into quotes",
        ),
    ];
    check(&whole.map(|(name, text, says)| (name, text.to_owned(), says)));
}

/// Words that only the reader's library uses.
const LIBRARY_WORDS: [&str; 12] = [
    "scalar",
    "sequence",
    "mapping",
    "deserialize",
    "invalid type",
    "variant",
    "expected",
    "struct ",
    "i64",
    "Option<",
    "Options",
    "field",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_message_has_the_words_of_a_library(
        start in 0..BUILTIN.len(),
        length in 0_usize..60,
        put in "[\\[\\]{}:,&*<!|>\"' \n\ta-c0-9.~-]{0,8}",
    ) {
        let end = (start + length).min(BUILTIN.len());
        let mut text = BUILTIN.to_owned();
        proptest::prop_assume!(text.is_char_boundary(start) && text.is_char_boundary(end));
        text.replace_range(start..end, &put);
        if let Err(error) = Pipeline::parse(&text, "group.yml") {
            for mistake in &error.mistakes {
                // Names that the file itself has stand in backticks.
                let ours: String = mistake.message.split('`').step_by(2).collect();
                for word in LIBRARY_WORDS {
                    proptest::prop_assert!(!ours.contains(word), "{}", mistake.message);
                }
            }
        }
    }
}
