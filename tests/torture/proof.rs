//! Whether the bench would notice: exports that are not complete and true, made by hand, must be found out.

use std::fs;
use std::path::Path;

use crate::scenario::{Scenario, copy_folder};
use crate::support::*;

const LABELS: &str = "group_4351/labels.ndjson.gz";

/// What is done to a complete export, and how.
type Wrong = (&'static str, fn(&Path));

const WRONGS: [Wrong; 5] = [
    ("a file that is cut off", |out| {
        let bytes = fs::read(out.join(LABELS)).unwrap();
        fs::write(out.join(LABELS), &bytes[..bytes.len() / 2]).unwrap();
    }),
    ("a byte that is another one", |out| {
        let mut bytes = fs::read(out.join(LABELS)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(out.join(LABELS), bytes).unwrap();
    }),
    ("a file that is missing", |out| {
        fs::remove_file(out.join(LABELS)).unwrap()
    }),
    ("a file more", |out| {
        fs::write(out.join("group_4351/more"), "").unwrap()
    }),
    ("a manifest that says less", |out| {
        let text = fs::read_to_string(out.join("manifest.json")).unwrap();
        let text = text.replacen(
            "\"total_objects_count\": 13",
            "\"total_objects_count\": 12",
            1,
        );
        fs::write(out.join("manifest.json"), text).unwrap();
    }),
];

/// Makes exports that lie, and panics if the judge believes one of them.
pub(crate) fn run() {
    let scenario = Scenario::of_dump("--group 4351");
    let undisturbed = scenario.undisturbed();
    let dir = Dir::new();
    let whole = scenario.export(&dir).ok();
    assert_eq!(undisturbed.lie(&whole.out), None);
    for (wrong, make) in WRONGS {
        let out = dir.join(wrong);
        copy_folder(&whole.out, &out);
        make(&out);
        assert!(undisturbed.lie(&out).is_some(), "nobody noticed {wrong}");
    }
    // And the undisturbed one is what the contract says, not only what the program says.
    assert_same_files("undisturbed", &whole.contents(), &expected_files(&[4351]));
}
