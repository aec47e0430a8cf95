//! What of a redaction file and of its key is refused, before anything is written.

use std::os::unix::fs::PermissionsExt;

use super::{KEY, key_file};
use crate::support::*;

#[test]
fn every_mistake_of_a_redaction_file_has_its_place() {
    let cases: [(&str, &[&str]); 12] = [
        ("column: {}", &["rules.yml:1:1:", "did you mean `columns`?"]),
        ("files: keep", &["the redaction file lacks `columns`"]),
        (
            "columns:\n  users.name: hashed\n",
            &["rules.yml:2:3:", "cannot be `hashed`", "`hash`"],
        ),
        (
            "columns:\n  users: hash\n  a.b.c.d: hash\n",
            &["rules.yml:2:3: `users` names no column", "rules.yml:3:3:"],
        ),
        (
            "columns:\n  users.name: { hash: { character: 12 } }\n",
            &["did you mean `characters`?"],
        ),
        (
            "columns:\n  users.name: { hash: { characters: 12 } }\n",
            &["rules.yml:2:37:", "from 16 to 64"],
        ),
        (
            "columns:\n  users.name: { constant: null }\n",
            &["a constant cannot be null"],
        ),
        (
            "columns:\n  users.name: { constant: a, hash: {} }\n",
            &["a rule needs one of"],
        ),
        (
            "columns:\n  users.email: { email: { domain: a b } }\n",
            &["this is no domain"],
        ),
        (
            "columns:\n  notes.position: { inside: { a: hash } }\n",
            &["a pointer is empty, or begins with `/`"],
        ),
        ("", &["holds no redaction file, it is empty"]),
        (
            "columns:\n  users.name: hash\n  users.name: name\n",
            &["`users.name` stands twice"],
        ),
    ];
    let dir = Dir::new();
    for (text, says) in cases {
        dir.write("rules.yml", text);
        dir.export(project(DUMP))
            .group(4351)
            .args(["--redact", "rules.yml"])
            .option("--redact-key-file", key_file(&dir, KEY))
            .fails(2, says)
            .left_nothing();
    }
}

#[test]
fn rules_that_are_not_for_the_type_of_their_column_are_refused() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "columns:\n  users.id: hash\n",
            &["rules.yml:2:3: column id of table users: `hash` is for texts"],
        ),
        (
            "columns:\n  users.name: { inside: { /a: hash } }\n",
            &["`inside` is for json and jsonb"],
        ),
        (
            "columns:\n  milestones.iid: { constant: many }\n",
            &["the constant is no value of the column's type"],
        ),
        (
            "columns:\n  namespaces.id: null\n",
            &["the folders of the export are named by it"],
        ),
        (
            "columns:\n  labels.title: { constant: [a] }\n",
            &["the constant is no value of the column's type"],
        ),
    ];
    let dir = Dir::new();
    for (text, says) in cases {
        dir.write("rules.yml", text);
        dir.export(project(DUMP))
            .group(4351)
            .args(["--redact", "rules.yml"])
            .option("--redact-key-file", key_file(&dir, KEY))
            .fails(2, says)
            .left_nothing();
    }
}

#[test]
fn a_key_is_needed_long_and_secret() {
    let dir = Dir::new();
    dir.write("rules.yml", "columns: { users.name: hash }\n");
    let export = || dir.export(project(DUMP)).group(4351);
    export()
        .args(["--redact", "rules.yml"])
        .fails(2, &["there is no key", "--redact-key-file"])
        .left_nothing();
    let with = |key: &std::path::Path| {
        let program = export().args(["--redact", "rules.yml"]);
        program.option("--redact-key-file", key)
    };
    with(&key_file(&dir, "short"))
        .fails(2, &["has 5 bytes", "from 32 to 4096"])
        .left_nothing();
    with(&dir.join("nowhere"))
        .fails(2, &["cannot read the redaction key"])
        .left_nothing();
    let key = key_file(&dir, KEY);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let run = with(&key).fails(2, &["can be read by others"]);
    assert!(!run.stderr.contains(KEY));
    run.left_nothing();
}
