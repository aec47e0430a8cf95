//! `relexport export --encrypt-to`: Debian's `age` reads what was encrypted, and finds what an export without it holds.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::*;

/// A program of `fixtures/install-tools`, or of the system.
fn tool(name: &str) -> PathBuf {
    let installed = project("target/night-tools/usr/bin").join(name);
    match installed.exists() {
        true => installed,
        false => PathBuf::from(name),
    }
}

/// A new identity as `age-keygen` writes it, and its recipient.
pub(crate) fn identity(dir: &Dir, name: &str) -> (PathBuf, String) {
    let path = dir.join(name);
    let made = Command::new(tool("age-keygen"))
        .arg("-o")
        .arg(&path)
        .output()
        .expect("age is there (fixtures/install-tools)");
    assert!(made.status.success());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.contains("public key: "));
    let (_, recipient) = line.unwrap().split_once("public key: ").unwrap();
    (path, recipient.to_owned())
}

/// What `age` makes of a file.
fn decrypted(identity: &Path, file: &Path) -> Vec<u8> {
    let output = Command::new(tool("age"))
        .arg("--decrypt")
        .arg("--identity")
        .args([identity, file])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// All files but the manifest, as `age` decrypts them, by their names without its ending.
fn all_decrypted(identity: &Path, out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in files_below(out) {
        if name == "manifest.json" {
            continue;
        }
        let plain = name.strip_suffix(".age").expect("every file is encrypted");
        let content = decrypted(identity, &out.join(&name));
        files.insert(plain.to_owned(), content);
    }
    files
}

#[test]
fn age_finds_what_an_export_without_encryption_holds_and_each_recipient_can_read_it() {
    let dir = Dir::new();
    let (first, one) = identity(&dir, "first");
    let (second, other) = identity(&dir, "second");
    let file = dir.write("recipients", format!("# the auditors\n\n{other}\n"));
    for arguments in [&["--batched", "--batch-size", "2"][..], &[]] {
        let name = format!("{}", arguments.len());
        let export = |name: &str| {
            let program = dir.export_to(project(DUMP), dir.join(name));
            program.args(["--all-groups"]).args(arguments)
        };
        let plain = export(&format!("{name}-plain")).ok();
        let mut expected = plain.packed();
        expected.insert("metadata.json.gz".to_owned(), plain.raw("metadata.json.gz"));
        let sealed = dir.join(&name);
        let run = export(&name)
            .option("--encrypt-to", &one)
            .option("--encrypt-to-file", &file)
            .ok();
        let mut recipients = vec![one.clone(), other.clone()];
        recipients.sort();
        assert_eq!(
            run.manifest()["encrypted_for"],
            serde_json::json!(recipients)
        );
        // The metadata has the folder's own name in it.
        for identity in [&first, &second] {
            let mut found = all_decrypted(identity, &sealed);
            let metadata = found.remove("metadata.json.gz").unwrap();
            assert!(
                String::from_utf8(gunzip(&metadata))
                    .unwrap()
                    .contains("group_4351")
            );
            expected.remove("metadata.json.gz");
            assert_same_files(&name, &found, &expected);
        }
        // Checksums and sizes are those of what lies there.
        dir.relexport("verify").arg(&sealed).ok();
        dir.relexport("verify")
            .arg(&sealed)
            .option("--identity", &second)
            .ok();
        dir.relexport("status").arg(&sealed).ok();
        let offline = dir.relexport("verify --gitlab-offline").arg(&sealed).run();
        assert_eq!(offline.code, Some(1));
        let said = "GitLab reads no encrypted files";
        assert!(offline.stdout.contains(said), "{}", offline.stdout);
    }
}

#[test]
fn verify_tells_damage_and_content_that_is_for_others() {
    let dir = Dir::new();
    let (own, recipient) = identity(&dir, "own");
    let (other, _) = identity(&dir, "other");
    let export = || dir.export(project(DUMP)).group(4351);
    export().option("--encrypt-to", &recipient).ok();
    let file = dir.join("out/group_4351/labels.ndjson.gz.age");
    let verify = || dir.relexport("verify out");
    let run = verify().option("--identity", &other).run();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stdout
            .contains("labels.ndjson.gz.age: it cannot be decrypted"),
        "{}",
        run.stdout
    );
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let run = verify().run();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stdout.contains("labels.ndjson.gz.age: its SHA-256 is"),
        "{}",
        run.stdout
    );
    let run = verify().option("--identity", &own).run();
    assert!(
        run.stdout
            .contains("labels.ndjson.gz.age: it cannot be decrypted"),
        "{}",
        run.stdout
    );
}

#[test]
fn an_interrupted_export_goes_on_for_the_same_recipients_only() {
    let dir = Dir::new();
    let (own, recipient) = identity(&dir, "own");
    // A row that cannot be read fails its relation, and what is finished stays.
    let broken = edit_field(&dump(), "labels", "id", "801", "created_at", "no time");
    let dump_file = dir.write("dump.sql", broken);
    let export = || dir.export(&dump_file).group(4351);
    let first = export().option("--encrypt-to", &recipient).run();
    assert_eq!(first.code, Some(1), "{}", first.stderr);
    let name = "group_4351/epics.ndjson.gz.age";
    let kept = fs::read(dir.join("out").join(name)).unwrap();
    export().args(["--resume"]).fails(
        2,
        &["it was begun for other recipients (--encrypt-to), or for none"],
    );
    let again = export()
        .option("--encrypt-to", &recipient)
        .args(["--resume", "--keep-going"])
        .run();
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert_eq!(fs::read(dir.join("out").join(name)).unwrap(), kept);
    decrypted(&own, &dir.join("out/group_4351/labels.ndjson.gz.age"));
}

#[test]
fn what_is_no_recipient_and_no_identity_is_refused() {
    let dir = Dir::new();
    let (own, recipient) = identity(&dir, "own");
    let secret = fs::read_to_string(&own).unwrap();
    let secret = secret.lines().last().unwrap();
    let export = || dir.export(project(DUMP)).group(4351);
    export()
        .option("--encrypt-to", "age1nobody")
        .fails(2, &["`age1nobody` is no recipient"])
        .left_nothing();
    let run = export()
        .option("--encrypt-to", secret)
        .fails(2, &["is no recipient"]);
    assert!(!run.stderr.contains(secret), "{}", run.stderr);
    dir.write("empty", "# nobody\n");
    export()
        .args(["--encrypt-to-file", "empty"])
        .fails(2, &["there is no recipient in it"])
        .left_nothing();
    dir.write("bad", format!("{recipient}\nssh-ed25519 AAAA\n"));
    export()
        .args(["--encrypt-to-file", "bad"])
        .fails(2, &["bad:2: `ssh-ed25519 AAAA` is no recipient"])
        .left_nothing();
    export().option("--encrypt-to", &recipient).ok();
    dir.relexport("verify out --identity empty").run();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o644)).unwrap();
    dir.relexport("verify out")
        .option("--identity", &own)
        .fails(2, &["can be read by others"]);
}
