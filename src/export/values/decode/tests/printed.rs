//! Printed hashes.

use super::*;

/// Any mapping, printed or not.
fn printed() -> YamlRule {
    YamlRule {
        printed_hash: true,
        ..merge_params()
    }
}

#[test]
fn printed_hashes_are_read() {
    assert_decoded(
        &printed(),
        &[
            (r#"{"a"=>1}"#, r#"{"a":1}"#),
            (r#"{:a=>1, "b c"=>nil}"#, r#"{"a":1,"b c":null}"#),
            (r#" {"a" => 1}"#, r#"{"a":1}"#),
            (
                r#"{:"a b"=>:c, :d_1=>:"e f"}"#,
                r#"{"a b":"c","d_1":"e f"}"#,
            ),
            (
                r#"{"a"=>{"b"=>[], "c"=>{}}, "d"=>[1, -2.5, 1.0e+20, true, false, nil, NaN]}"#,
                r#"{"a":{"b":[],"c":{}},"d":[1,-2.5,1.0e+20,true,false,null,null]}"#,
            ),
            (
                r#"{"a"=>"\"\\\/\b\f\n\r\t\u00e9<=>, }"}"#,
                r#"{"a":"\"\\/\b\f\n\r\té\u003c=\u003e, }"}"#,
            ),
            (r#"{"a"=>1, :a=>2}"#, r#"{"a":2}"#),
            // YAML, in which no tag is needed here.
            ("{a: 1}", r#"{"a":1}"#),
            ("{}", "{}"),
        ],
    );
    let position = position();
    assert_decoded(
        &position,
        &[(
            r#"{:position_type=>"image", "x"=>1, :old_path=>"a.png", :z=>5}"#,
            concat!(
                r#"{"base_sha":null,"start_sha":null,"head_sha":null,"old_path":"a.png","new_path":null,"#,
                r#""position_type":"image","width":null,"height":null,"x":1,"y":null}"#,
            ),
        )],
    );
}

#[test]
fn what_is_printed_otherwise_is_unreadable() {
    let bad = [
        r#"{"a"=>"\e[0m"}"#,
        r#"{"a"=>"\#{b}"}"#,
        r#"{"a"=>"\x00"}"#,
        r#"{"a"=>"\u{1F600}"}"#,
        r#"{"a"=>"\u12"}"#,
        r#"{"a"=>"\u+123"}"#,
        r#"{"a"=>"\ud800"}"#,
        r#"{"a"=>"\"#,
        r#"{"a"=>"b}"#,
        r#"{"a"=>#<Object>}"#,
        r#"{"a"=>1"#,
        r#"{"a"=>1} "b""#,
        r#"{"a"=>1,}"#,
        r#"{"a"=>1 "b"=>2}"#,
        r#"{"a"=>1, "b": 2}"#,
        r#"{"a"=>[1,]}"#,
        r#"{"a"=>}"#,
        r#"{"a"=>01}"#,
        r#"{"a"=>nul}"#,
        r#"{"a"=>:1}"#,
        r#"{"a"=>{1=>2}}"#,
    ];
    for text in bad {
        assert_eq!(
            decoded(&printed(), text),
            Err(Unreadable::NotAPrintedHash),
            "{text}"
        );
    }
}

/// Values that both Ruby's printing and JSON have.
fn values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[ -~äß€\n\t\u{1F600}]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec(("[a-z_]{1,3}|[ -~ä]{0,5}", inner), 0..4)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// As Ruby prints a value.
fn print(value: &serde_json::Value, symbols: bool, out: &mut String) {
    match value {
        serde_json::Value::Null => out.push_str("nil"),
        serde_json::Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                print(item, symbols, out);
            }
            out.push(']');
        }
        serde_json::Value::Object(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                let is_name =
                    !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                match (symbols, is_name) {
                    (true, true) => *out += &format!(":{key}"),
                    (true, false) => *out += &format!(":{}", serde_json::json!(key)),
                    (false, _) => *out += &serde_json::json!(key).to_string(),
                }
                out.push_str("=>");
                print(value, symbols, out);
            }
            out.push('}');
        }
        // JSON's escapes are Ruby's.
        scalar => *out += &scalar.to_string(),
    }
}

proptest! {
    #[test]
    fn what_is_printed_comes_back(value in values(), symbols: bool) {
        let hash = serde_json::json!({ "root": value });
        let mut text = String::new();
        print(&hash, symbols, &mut text);
        let json = decoded(&printed(), &text).expect("a printed hash");
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON"), hash);
    }

    #[test]
    fn any_text_after_a_brace_is_read_or_refused(text in r#"\{("a"|:b)=>[\[\]{}",:a-c=>0-9nil. \\]{0,20}"#) {
        if let Ok(json) = decoded(&printed(), &text) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
        }
    }
}
