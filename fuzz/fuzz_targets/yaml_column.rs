//! Any text as a YAML column: what is written is one JSON value, what is not leaves nothing behind. Printed hashes, too.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use relexport::export::values::decode::{decode_yaml, write_null_object};
use relexport::pipeline::{FixedKeys, KeysByValue, TaggedValues, YamlRoot, YamlRule};
use serde_json::value::RawValue;

const POSITION: &str = "!ruby/object:Gitlab::Diff::Position";

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn rules() -> [YamlRule; 3] {
    let tags = BTreeMap::from([
        (
            POSITION.to_owned(),
            TaggedValues::Under("attributes".to_owned()),
        ),
        (
            "!ruby/hash:ActiveSupport::HashWithIndifferentAccess".to_owned(),
            TaggedValues::Itself,
        ),
    ]);
    let keys = FixedKeys {
        keys: names(&["old_path", "position_type"]),
        by: Some(KeysByValue {
            key: "position_type".to_owned(),
            default: "text".to_owned(),
            more: BTreeMap::from([
                ("text".to_owned(), names(&["new_line"])),
                ("image".to_owned(), names(&["x"])),
            ]),
        }),
    };
    let rule = |root, printed_hash, keys| YamlRule {
        root,
        tags: tags.clone(),
        printed_hash,
        keys,
    };
    [
        rule(YamlRoot::Tagged(names(&[POSITION])), true, Some(keys)),
        rule(YamlRoot::Mapping, false, None),
        rule(YamlRoot::Anything, true, None),
    ]
}

fuzz_target!(|text: &str| {
    for rule in rules() {
        let mut out = b"[".to_vec();
        if decode_yaml(text, &rule, &mut out).is_err() {
            assert_eq!(out, b"[");
            write_null_object(&rule, &mut out);
        }
        out.push(b']');
        let parsed: Result<Vec<&RawValue>, _> = serde_json::from_slice(&out);
        assert_eq!(parsed.map(|values| values.len()).ok(), Some(1));
        assert!(!out.contains(&b'\n'));
    }
});
