//! Expected JSON is by hand; the texts are as Ruby 3.1 dumps them, and what it reads of scalars is from it, too.

use proptest::prelude::*;

use super::*;
use crate::pipeline::{FixedKeys, KeysByValue, TaggedValues};

mod bounds;
mod printed;
mod scalars;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// The tags that a rule accepts, and the key under which values lie.
fn tags(list: &[(&str, Option<&str>)]) -> std::collections::BTreeMap<String, TaggedValues> {
    let values = |key: Option<&str>| match key {
        Some(key) => TaggedValues::Under(key.to_owned()),
        None => TaggedValues::Itself,
    };
    list.iter()
        .map(|(tag, key)| ((*tag).to_owned(), values(*key)))
        .collect()
}

const POSITION: &str = "!ruby/object:Gitlab::Diff::Position";
const INDIFFERENT: &str = "!ruby/hash:ActiveSupport::HashWithIndifferentAccess";
const PARAMETERS: &str = "!ruby/object:ActionController::Parameters";
const OLD_PARAMETERS: &str = "!ruby/hash-with-ivars:ActionController::Parameters";

fn position() -> YamlRule {
    let more = [
        ("text", &["old_line", "new_line", "line_range"][..]),
        ("image", &["width", "height", "x", "y"]),
        ("file", &[]),
    ];
    YamlRule {
        root: YamlRoot::Tagged(texts(&[POSITION])),
        tags: tags(&[
            (POSITION, Some("attributes")),
            (INDIFFERENT, None),
            (PARAMETERS, Some("parameters")),
        ]),
        printed_hash: true,
        keys: Some(FixedKeys {
            keys: texts(&[
                "base_sha",
                "start_sha",
                "head_sha",
                "old_path",
                "new_path",
                "position_type",
            ]),
            by: Some(KeysByValue {
                key: "position_type".to_owned(),
                default: "text".to_owned(),
                more: more
                    .map(|(name, keys)| (name.to_owned(), texts(keys)))
                    .into(),
            }),
        }),
    }
}

fn merge_params() -> YamlRule {
    YamlRule {
        root: YamlRoot::Mapping,
        tags: tags(&[
            (INDIFFERENT, None),
            (PARAMETERS, Some("parameters")),
            (OLD_PARAMETERS, Some("elements")),
        ]),
        printed_hash: false,
        keys: None,
    }
}

fn anything() -> YamlRule {
    YamlRule {
        root: YamlRoot::Anything,
        tags: tags(&[]),
        printed_hash: false,
        keys: None,
    }
}

fn decoded(rule: &YamlRule, text: &str) -> Result<String, Unreadable> {
    let mut out = b"[".to_vec();
    let result = decode_yaml(text, rule, &mut out);
    let written = String::from_utf8(out).expect("UTF-8");
    match result {
        Ok(()) => Ok(written
            .strip_prefix('[')
            .expect("what was there")
            .to_owned()),
        Err(error) => {
            assert_eq!(written, "[");
            Err(error)
        }
    }
}

fn assert_decoded(rule: &YamlRule, cases: &[(&str, &str)]) {
    for (text, json) in cases {
        assert_eq!(decoded(rule, text).as_deref(), Ok(*json), "{text:?}");
    }
}

fn assert_unreadable(rule: &YamlRule, cases: &[(&str, Unreadable)]) {
    for (text, error) in cases {
        let start: String = text.chars().take(80).collect();
        assert_eq!(decoded(rule, text), Err(*error), "{start:?}");
    }
}

#[test]
fn positions_of_text_have_lines() {
    let text = concat!(
        "--- !ruby/object:Gitlab::Diff::Position\n",
        "attributes:\n",
        "  :base_sha: a1\n",
        "  :start_sha: '2e5'\n",
        "  :head_sha: '0123456789012345678901234567890123456789'\n",
        "  :old_path: files/a.rb\n",
        "  :new_path: \"files/\\u00FCber\\tb.rb\"\n",
        "  :position_type: text\n",
        "  :old_line:\n",
        "  :new_line: 14\n",
        "  :line_range:\n",
        "    start:\n",
        "      line_code: 2f6fcd96b88b36ce98c38da085c795a27d92a3dd_10_12\n",
        "      type: new\n",
        "      old_line:\n",
        "      new_line: 12\n",
        "    end: !ruby/hash:ActiveSupport::HashWithIndifferentAccess\n",
        "      line_code: 2f6fcd96b88b36ce98c38da085c795a27d92a3dd_10_14\n",
        "      type: old\n",
        "      old_line: 10\n",
        "      new_line: 14\n",
        "  :ignore_whitespace_change: false\n",
    );
    let json = concat!(
        r#"{"base_sha":"a1","start_sha":"2e5","head_sha":"0123456789012345678901234567890123456789","#,
        r#""old_path":"files/a.rb","new_path":"files/über\tb.rb","position_type":"text","old_line":null,"new_line":14,"#,
        r#""line_range":{"start":{"line_code":"2f6fcd96b88b36ce98c38da085c795a27d92a3dd_10_12","type":"new","#,
        r#""old_line":null,"new_line":12},"end":{"line_code":"2f6fcd96b88b36ce98c38da085c795a27d92a3dd_10_14","#,
        r#""type":"old","old_line":10,"new_line":14}}}"#,
    );
    assert_decoded(&position(), &[(text, json)]);
}

/// A position with some attributes, dumped.
fn dumped(attributes: &str) -> String {
    format!("--- !ruby/object:Gitlab::Diff::Position\nattributes:\n{attributes}")
}

#[test]
fn keys_go_by_the_type_of_a_position() {
    const SHAS: &str =
        r#"{"base_sha":null,"start_sha":null,"head_sha":"c","old_path":null,"new_path":"a.png","#;
    let cases = [
        (
            "  :new_path: a.png\n  :x: 7\n  :y: 8\n  :width: 100\n  :height: 50\n  :position_type: image\n  :head_sha: c\n",
            r#""position_type":"image","width":100,"height":50,"x":7,"y":8}"#,
        ),
        (
            "  :new_path: a.png\n  :position_type: file\n  :head_sha: c\n  :old_line: 5\n",
            r#""position_type":"file"}"#,
        ),
        (
            "  :new_path: a.png\n  :head_sha: c\n  :old_line: 5\n",
            r#""position_type":"text","old_line":5,"new_line":null,"line_range":null}"#,
        ),
        (
            "  :new_path: a.png\n  :head_sha: c\n  :position_type: hologram\n",
            r#""position_type":"text","old_line":null,"new_line":null,"line_range":null}"#,
        ),
        (
            "  :new_path: a.png\n  :head_sha: c\n  :position_type: 5\n",
            r#""position_type":"text","old_line":null,"new_line":null,"line_range":null}"#,
        ),
        (
            "  :new_path: a.png\n  :head_sha: c\n  :position_type: :file\n",
            r#""position_type":"file"}"#,
        ),
    ];
    for (attributes, rest) in cases {
        let json = decoded(&position(), &dumped(attributes));
        assert_eq!(json, Ok(format!("{SHAS}{rest}")), "{attributes:?}");
    }
}

#[test]
fn a_position_needs_its_tag() {
    assert_unreadable(
        &position(),
        &[
            ("", Unreadable::NotAMapping),
            ("---\n", Unreadable::NotAMapping),
            ("--- {}\n", Unreadable::NotTagged),
            ("{}", Unreadable::NotTagged),
            ("---\n:old_path: a\n", Unreadable::NotTagged),
            (r#"{"old_path": "a"}"#, Unreadable::NotTagged),
            (
                "--- !ruby/hash:ActiveSupport::HashWithIndifferentAccess\nold_path: a\n",
                Unreadable::NotTagged,
            ),
            ("--- text\n", Unreadable::NotAMapping),
            (
                "--- !ruby/object:Gitlab::Diff::Other\nattributes: {}\n",
                Unreadable::ForeignTag,
            ),
            (
                "--- !ruby/object:Gitlab::Diff::Position {}\n",
                Unreadable::NotAMapping,
            ),
            (
                "--- !ruby/object:Gitlab::Diff::Position\nattributes: 5\n",
                Unreadable::NotAMapping,
            ),
            (
                "--- !ruby/object:Gitlab::Diff::Position\nattributes:\n  :a: [1\n",
                Unreadable::NotYaml,
            ),
            (
                "--- !ruby/object:Gitlab::Diff::Position ''\n",
                Unreadable::ForeignTag,
            ),
            (
                &dumped("  :old_path: !ruby/object:Set {}\n"),
                Unreadable::ForeignTag,
            ),
            (
                &dumped("  :old_path: !ruby/regexp /a/\n"),
                Unreadable::ForeignTag,
            ),
            (
                &dumped("  :other: !ruby/object:File 5\n"),
                Unreadable::ForeignTag,
            ),
        ],
    );
}

#[test]
fn a_column_without_text_gives_the_keys() {
    let mut out = b"[".to_vec();
    write_null_object(&position(), &mut out);
    let json = concat!(
        r#"[{"base_sha":null,"start_sha":null,"head_sha":null,"old_path":null,"new_path":null,"#,
        r#""position_type":"text","old_line":null,"new_line":null,"line_range":null}"#,
    );
    assert_eq!(String::from_utf8_lossy(&out), json);
    let mut out = b"[".to_vec();
    write_null_object(&merge_params(), &mut out);
    assert_eq!(out, b"[null");
}

#[test]
fn merge_params_are_mappings() {
    assert_decoded(
        &merge_params(),
        &[
            (
                "---\nforce_remove_source_branch: '1'\n",
                r#"{"force_remove_source_branch":"1"}"#,
            ),
            ("--- {}\n", "{}"),
            (
                "force_remove_source_branch: true",
                r#"{"force_remove_source_branch":true}"#,
            ),
            (
                concat!(
                    "--- !ruby/hash:ActiveSupport::HashWithIndifferentAccess\n",
                    "force_remove_source_branch: '0'\n",
                    "commit_message: |-\n  Merge <a> & \"b\"\n\n  See !1\n",
                    "should_remove_source_branch: true\n",
                    "squash: !ruby/symbol once\n",
                ),
                concat!(
                    r#"{"force_remove_source_branch":"0","#,
                    r#""commit_message":"Merge \u003ca\u003e \u0026 \"b\"\n\nSee !1","#,
                    r#""should_remove_source_branch":true,"squash":"once"}"#,
                ),
            ),
            (
                concat!(
                    "--- !ruby/object:ActionController::Parameters\n",
                    "parameters: !ruby/hash:ActiveSupport::HashWithIndifferentAccess\n",
                    "  force_remove_source_branch: '1'\n",
                    "permitted: true\n",
                ),
                r#"{"force_remove_source_branch":"1"}"#,
            ),
            (
                concat!(
                    "--- !ruby/hash-with-ivars:ActionController::Parameters\n",
                    "elements:\n  sha: abc\n",
                    "ivars:\n  :@permitted: false\n",
                ),
                r#"{"sha":"abc"}"#,
            ),
            (
                "a: &x {b: 1}\nc: *x\nd: *x\n",
                r#"{"a":{"b":1},"c":{"b":1},"d":{"b":1}}"#,
            ),
        ],
    );
    assert_unreadable(
        &merge_params(),
        &[
            ("", Unreadable::NotAMapping),
            ("--- \n", Unreadable::NotAMapping),
            ("--- text", Unreadable::NotAMapping),
            ("--- [1]", Unreadable::NotAMapping),
            ("--- \na: !ruby/object:Object {}\n", Unreadable::ForeignTag),
            (
                "--- \na: [{b: !<tag:example.com,2000:x> 1}]\n",
                Unreadable::ForeignTag,
            ),
            ("--- !ruby/struct:A\na: 1\n", Unreadable::ForeignTag),
            (
                "--- !ruby/hash-with-ivars:ActionController::Parameters\nelements:\n  sha: abc\nivars:\n  :@a: !ruby/class B\n",
                Unreadable::ForeignTag,
            ),
            (r#"{"a"=>1}"#, Unreadable::NotYaml),
            ("a: 1\n b: 2\n", Unreadable::NotYaml),
            ("a: *x\n", Unreadable::NotYaml),
            ("a: &x [*x]\n", Unreadable::NotYaml),
            ("? [1]\n: 2\n", Unreadable::BadKey),
            ("a: \"\\q\"\n", Unreadable::NotYaml),
            ("a: |\n  b\u{2028}  c\n", Unreadable::OldLineBreak),
        ],
    );
}

#[test]
fn old_diffs_are_hashes_and_lists() {
    assert_decoded(
        &anything(),
        &[
            (
                concat!(
                    "---\n",
                    ":diff: |\n  --- a/CHANGELOG\n  +++ b/CHANGELOG\n  @@ -1,4 +1,6 @@\n  -<b>\n  +\tc\n",
                    ":new_path: CHANGELOG\n",
                    ":old_path: \"a\\x1Eb\"\n",
                    ":a_mode: '100644'\n",
                    ":b_mode: '100644'\n",
                    ":new_file: false\n",
                    ":too_large: \n",
                ),
                concat!(
                    r#"{"diff":"--- a/CHANGELOG\n+++ b/CHANGELOG\n@@ -1,4 +1,6 @@\n-\u003cb\u003e\n+\tc\n","#,
                    r#""new_path":"CHANGELOG","old_path":"a\u001eb","a_mode":"100644","b_mode":"100644","#,
                    r#""new_file":false,"too_large":null}"#,
                ),
            ),
            (
                "---\n- :diff: !binary |-\n    QEAgLTEgKzEg\n    w7w=\n  :new_path: a\n- - 1\n  - b\n- {}\n",
                r#"[{"diff":"@@ -1 +1 ü","new_path":"a"},[1,"b"],{}]"#,
            ),
            ("", "null"),
            ("--- \n...\n", "null"),
            ("# nothing\n", "null"),
            ("--- first\n--- [second", r#""first""#),
        ],
    );
}

#[test]
fn entries_of_a_name_count_once() {
    assert_decoded(
        &anything(),
        &[
            ("a: 1\nb: 2\na: 3\n", r#"{"a":3,"b":2}"#),
            (":a: 1\na: 2\n", r#"{"a":2}"#),
            ("1: a\n'1': b\n", r#"{"1":"b"}"#),
            (
                "yes: 1\n~: 2\n1.5: 3\n:s: 4\n",
                r#"{"true":1,"":2,"1.5":3,"s":4}"#,
            ),
            (
                "a: &x\n  b: 1\nc:\n  b: 0\n  <<: *x\n  d: 1\n",
                r#"{"a":{"b":1},"c":{"b":1,"d":1}}"#,
            ),
            (
                "- &x {a: 1, b: 1}\n- &y {b: 2, c: 2}\n- <<: [*x, *y]\n",
                r#"[{"a":1,"b":1},{"b":2,"c":2},{"b":1,"c":2,"a":1}]"#,
            ),
            ("<<: text\n", r#"{"\u003c\u003c":"text"}"#),
            ("!!str <<: {a: 1}\n", r#"{"\u003c\u003c":{"a":1}}"#),
        ],
    );
}
