//! What lies in an export's place after a fault, held against an export that nothing happened to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::files_below;

pub(crate) const MANIFEST: &str = "manifest.json";

/// The manifest's number for what is finished.
const FINISHED: i64 = 1;

/// An export that nothing happened to.
pub(crate) struct Undisturbed {
    /// Every file but the manifest.
    files: BTreeMap<String, Vec<u8>>,
    /// The manifest without times.
    manifest: Value,
}

impl Undisturbed {
    pub(crate) fn of(out: &Path) -> Undisturbed {
        let mut names = files_below(out);
        names.retain(|name| name != MANIFEST);
        let files = names
            .into_iter()
            .map(|name| {
                let bytes = fs::read(out.join(&name)).unwrap();
                (name, bytes)
            })
            .collect();
        let mut manifest = manifest(out).unwrap().unwrap();
        forget_times(&mut manifest);
        Undisturbed { files, manifest }
    }

    /// What is said in a place that is not so: a file under a final name that is not the whole file, a manifest that
    /// speaks of what is not there. A place that says nothing, or does not exist, says nothing wrong.
    pub(crate) fn lie(&self, out: &Path) -> Option<String> {
        if !out.exists() {
            return None;
        }
        if let Some(wrong) = self.wrong_file(out) {
            return Some(wrong);
        }
        match manifest(out) {
            Err(error) => Some(format!("{MANIFEST} cannot be read: {error}")),
            Ok(None) => None,
            Ok(Some(manifest)) if is_finished(&manifest) => self
                .difference(out)
                .map(|difference| format!("the manifest says finished, and {difference}")),
            Ok(Some(manifest)) => wrong_entry(&manifest, out),
        }
    }

    /// A file of an entity that has its final name, and is not the whole file.
    pub(crate) fn wrong_file(&self, out: &Path) -> Option<String> {
        if !out.exists() {
            return None;
        }
        let names = files_below(out).into_iter();
        let mut names = names.filter(|name| name.contains('/') && !name.ends_with(".part"));
        names.find_map(|name| match self.files.get(&name) {
            None => Some(format!("{name} is in no undisturbed export")),
            Some(want) if fs::read(out.join(&name)).unwrap() != *want => {
                Some(format!("{name} has its final name, and is not whole"))
            }
            Some(_) => None,
        })
    }

    /// In what the files of the entities differ, whatever manifest and metadata say of the snapshot.
    pub(crate) fn difference_of_content(&self, out: &Path) -> Option<String> {
        let names = files_below(out);
        let mut wanted = self.files.iter().filter(|(name, _)| name.contains('/'));
        let other = wanted.find_map(|(name, want)| match fs::read(out.join(name)) {
            Err(_) => Some(format!("{name} is missing")),
            Ok(bytes) if bytes != *want => Some(format!("{name} is another file")),
            Ok(_) => None,
        });
        other.or_else(|| {
            let mut names = names.into_iter().filter(|name| name.contains('/'));
            let more = names.find(|name| !self.files.contains_key(name));
            more.map(|name| format!("{name} is there, too"))
        })
    }

    /// In what a place differs from the undisturbed export; `None` if it holds the same files and the same manifest,
    /// times apart.
    pub(crate) fn difference(&self, out: &Path) -> Option<String> {
        if !out.exists() {
            return Some("there is no export".to_owned());
        }
        let mut names = files_below(out);
        names.retain(|name| name != MANIFEST);
        for name in self.files.keys() {
            if !names.contains(name) {
                return Some(format!("{name} is missing"));
            }
        }
        for name in &names {
            match self.files.get(name) {
                None => return Some(format!("{name} is there, too")),
                Some(want) if fs::read(out.join(name)).unwrap() != *want => {
                    return Some(format!("{name} is another file"));
                }
                Some(_) => {}
            }
        }
        match manifest(out) {
            Err(error) => Some(format!("{MANIFEST} cannot be read: {error}")),
            Ok(None) => Some(format!("{MANIFEST} is missing")),
            Ok(Some(mut manifest)) => {
                forget_times(&mut manifest);
                difference_of(&manifest, &self.manifest, "")
                    .map(|at| format!("the manifest is another one at {at}"))
            }
        }
    }
}

/// True if the manifest in a place says that its export is finished.
pub(crate) fn says_finished(out: &Path) -> bool {
    matches!(manifest(out), Ok(Some(manifest)) if is_finished(&manifest))
}

fn is_finished(manifest: &Value) -> bool {
    manifest["status"] == FINISHED
}

/// The manifest of a place; `None` if there is none.
pub(crate) fn manifest(out: &Path) -> Result<Option<Value>, String> {
    let path = out.join(MANIFEST);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// A file that a manifest names with a checksum, and that is not there with it.
pub(crate) fn wrong_entry(value: &Value, out: &Path) -> Option<String> {
    match value {
        Value::Object(object) => {
            let text = |key: &str| object.get(key).and_then(Value::as_str);
            if let (Some(name), Some(sha256)) = (text("file"), text("sha256")) {
                match fs::read(out.join(name)) {
                    Err(error) => return Some(format!("the manifest names {name}: {error}")),
                    Ok(bytes) if hex(&Sha256::digest(&bytes)) != sha256 => {
                        return Some(format!("{name} is not what the manifest says"));
                    }
                    Ok(_) => {}
                }
            }
            object.values().find_map(|value| wrong_entry(value, out))
        }
        Value::Array(items) => items.iter().find_map(|item| wrong_entry(item, out)),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where two values differ first.
fn difference_of(one: &Value, other: &Value, at: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys());
            keys.into_iter().find_map(|key| {
                let nothing = &Value::Null;
                let values = (one.get(key), other.get(key));
                let (one, other) = (values.0.unwrap_or(nothing), values.1.unwrap_or(nothing));
                difference_of(one, other, &format!("{at}.{key}"))
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs.into_iter().find_map(|(number, (one, other))| {
                difference_of(one, other, &format!("{at}[{number}]"))
            })
        }
        _ if one == other => None,
        _ => Some(at.to_owned()),
    }
}

/// Takes out of a manifest what is another one in each run.
fn forget_times(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for time in [
                "started_at",
                "finished_at",
                "updated_at",
                "timings",
                // It has the folder's name.
                "metadata",
                "taken_at",
                "lsn",
            ] {
                object.remove(time);
            }
            object.values_mut().for_each(forget_times);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        _ => {}
    }
}
