//! `relexport export --redact`: what stands in place of columns' values, everywhere, and that nothing of them is left.
//!
//! What has to be written is computed by Python from the hand-made files of `tests/expected/`, by what `docs/redaction.md`
//! says and with nothing of the program.

mod everywhere;
mod refused;
mod strict;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::*;

/// A key, as a file would hold it.
pub(crate) const KEY: &str = "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf-and-more";

/// A key file that nobody else can read.
pub(crate) fn key_file(dir: &Dir, key: &str) -> PathBuf {
    let path = dir.write("key", format!("{key}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// The names that stand in place of people's, as the program has them: their number and order are part of the contract.
fn pseudonyms(list: &str) -> Vec<String> {
    let source = std::fs::read_to_string(project("src/export/redact/pseudonyms.rs")).unwrap();
    let (_, behind) = source
        .split_once(&format!("{list}: [&str; 64] = ["))
        .unwrap();
    let (list, _) = behind.split_once("];").unwrap();
    let names = list.split('"').skip(1).step_by(2).map(str::to_owned);
    names.collect()
}

/// The files of an export with keys of their records redacted, by Python. `rules` are those of keys, from the relation
/// inwards.
pub(crate) fn redacted(
    files: &BTreeMap<String, Vec<u8>>,
    rules: &Value,
) -> BTreeMap<String, Vec<u8>> {
    let texts: BTreeMap<&String, &str> = files
        .iter()
        .map(|(name, bytes)| (name, std::str::from_utf8(bytes).unwrap()))
        .collect();
    let asked = json!({
        "key": KEY,
        "given": pseudonyms("GIVEN"),
        "family": pseudonyms("FAMILY"),
        "rules": rules,
        "files": texts,
    });
    let mut python = Command::new("python3")
        .arg(project("tests/it/redaction/independent.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    input.write_all(asked.to_string().as_bytes()).unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let files: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
    files
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()))
        .collect()
}
