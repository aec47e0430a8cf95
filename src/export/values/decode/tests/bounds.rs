//! Hostile texts end in time, in little memory and without a panic.

use super::*;

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("--- {}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(decoded(&anything(), &nested(100)).is_ok());
    assert_unreadable(
        &anything(),
        &[
            (&nested(102), Unreadable::TooDeep),
            // The parser's own bound.
            (&nested(100_000), Unreadable::NotYaml),
            (&"- ".repeat(100_000), Unreadable::TooDeep),
        ],
    );
    let printed = YamlRule {
        printed_hash: true,
        ..anything()
    };
    let nested = |depth: usize| format!("{}1{}", r#"{"a"=>"#.repeat(depth), "}".repeat(depth));
    assert!(decoded(&printed, &nested(100)).is_ok());
    assert_unreadable(&printed, &[(&nested(100_000), Unreadable::TooDeep)]);
}

#[test]
fn aliases_add_to_the_depth() {
    let mut text = "- &a0 [x]\n".to_owned();
    for at in 1..100_000 {
        text += &format!("- &a{at} [*a{}]\n", at - 1);
    }
    assert_unreadable(&anything(), &[(&text, Unreadable::TooDeep)]);
}

#[test]
fn aliases_of_aliases_are_bounded() {
    let mut text = "a0: &a0 [lol, lol]\n".to_owned();
    for at in 1..60 {
        text += &format!("a{at}: &a{at} [*a{0}, *a{0}, *a{0}, *a{0}]\n", at - 1);
    }
    assert_unreadable(&anything(), &[(&text, Unreadable::TooLarge)]);
    // One long text many times.
    let text = format!("- &a {}\n{}", "x".repeat(100_000), "- *a\n".repeat(50_000));
    assert_unreadable(&anything(), &[(&text, Unreadable::TooLarge)]);
}

#[test]
fn merged_entries_are_bounded() {
    let entries: Vec<String> = (0..1000).map(|at| format!("k{at}: 1")).collect();
    let text = format!(
        "- &a {{{}}}\n{}",
        entries.join(", "),
        "- <<: *a\n".repeat(1000)
    );
    assert_unreadable(&anything(), &[(&text, Unreadable::TooLarge)]);
}

#[test]
fn what_no_alias_makes_longer_is_written_whole() {
    // The shortest texts for what is longest in JSON.
    for (item, count) in [
        ("<", 20_000),
        ("&a", 1),
        ("\"\\e\"", 20_000),
        ("9.e+14", 20_000),
    ] {
        let items: Vec<&str> = std::iter::repeat_n(item, count).collect();
        let list = format!("[{}]", items.join(","));
        assert!(decoded(&anything(), &list).is_ok(), "{item}");
    }
    let keys: Vec<String> = (0..20_000u32)
        .map(|at| format!("<{at:b}").replace('0', "&").replace('1', "<"))
        .collect();
    assert!(decoded(&anything(), &format!("{{{}}}", keys.join(","))).is_ok());
}

#[test]
fn long_texts_are_refused() {
    let text = "x".repeat(tree::MAX_BYTES + 1);
    assert_unreadable(&anything(), &[(&text, Unreadable::TooLarge)]);
    let text = format!("[{}]", "1,".repeat(tree::MAX_NODES + 1));
    assert_unreadable(&anything(), &[(&text, Unreadable::TooLarge)]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in r#"([-:?\[\]{},&*!|>'"%#a-c0-2~. <]|\n|  |--- |!!str |!ruby/sym |&a |\*a ){0,30}"#) {
        for rule in [anything(), merge_params(), position()] {
            if let Ok(json) = decoded(&rule, &text) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
            }
        }
    }
}
