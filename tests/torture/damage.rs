//! Damaged snapshots: bytes that are others, files that are cut off. What is read of them is what PostgreSQL's own
//! programs read, or an error says where reading ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastrand::Rng;

use crate::judge;
use crate::postgres;
use crate::process::{Ended, watch};
use crate::scenario::{Scenario, Source, copy_folder, damageable};
use crate::stand::{Stand, Tried};
use crate::support::*;
use crate::table::Verdict;

pub(crate) fn run(stand: &mut Stand) {
    let snapshots = Arc::new(Dir::new());
    for kind in damageable(&snapshots) {
        let name = &kind.scenario.name;
        let flips = stand.short_or_long(6, 200);
        stand.row(&format!("another byte, {name}"), flips, |_, dice| {
            damaged(&kind, dice, |bytes, dice| flip(bytes, dice))
        });
        let cuts = stand.short_or_long(3, 50);
        stand.row(&format!("cut off, {name}"), cuts, |_, dice| {
            damaged(&kind, dice, cut)
        });
    }
}

/// A kind of snapshot, and who can say what a damaged one holds.
pub(crate) struct Kind {
    pub(crate) scenario: Scenario,
    pub(crate) judge: Judge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judge {
    /// Checksums cover every byte of it: damage is noticed, or changes nothing.
    Checksums,
    /// psql reads it.
    Psql,
    /// pg_restore reads it.
    PgRestore,
    /// COPY reads the files.
    Copy,
}

/// One byte becomes another one.
fn flip(bytes: &mut [u8], dice: &mut Rng) -> String {
    let at = dice.usize(..bytes.len());
    let (from, change) = (bytes[at], dice.u8(1..));
    bytes[at] ^= change;
    format!("byte {at}: {from:#04x} became {:#04x}", bytes[at])
}

/// The file ends too early.
fn cut(bytes: &mut Vec<u8>, dice: &mut Rng) -> String {
    let at = dice.usize(..bytes.len());
    bytes.truncate(at);
    format!("cut at {at}")
}

fn damaged(kind: &Kind, dice: &mut Rng, damage: fn(&mut Vec<u8>, &mut Rng) -> String) -> Tried {
    let dir = Dir::new();
    let Source::Path(whole) = kind.scenario.source() else {
        panic!("snapshots that are damaged are files")
    };
    let path = dir.join(whole.file_name().unwrap().to_str().unwrap());
    let file = match whole.is_dir() {
        false => {
            fs::copy(whole, &path).unwrap();
            path.clone()
        }
        true => {
            copy_folder(whole, &path);
            one_of(&path, dice)
        }
    };
    let mut bytes = fs::read(&file).unwrap();
    let what = damage(&mut bytes, dice);
    fs::write(&file, &bytes).unwrap();
    let what = format!("{}, {what}", file.file_name().unwrap().display());
    let ended = watch(kind.scenario.export_of(&dir, &path));
    Tried {
        verdict: verdict(kind, &path, &ended, &what),
        peak_kib: ended.peak_kib,
    }
}

/// A file of a folder; each of its bytes is as likely as any other.
fn one_of(folder: &Path, dice: &mut Rng) -> PathBuf {
    let files = files_below(folder).into_iter().map(|name| {
        let path = folder.join(name);
        let length = fs::metadata(&path).unwrap().len();
        (path, length)
    });
    let files: Vec<(PathBuf, u64)> = files.filter(|(_, length)| *length > 0).collect();
    let total: u64 = files.iter().map(|(_, length)| length).sum();
    let mut at = dice.u64(..total);
    for (path, length) in files {
        match at.checked_sub(length) {
            None => return path,
            Some(rest) => at = rest,
        }
    }
    panic!("the position lies in one of them")
}

fn verdict(kind: &Kind, path: &Path, ended: &Ended, what: &str) -> Verdict {
    let told = |text: String| format!("{what}: {text}");
    if let Some(fault) = ended.fault() {
        return fault.of(what);
    }
    let out = &ended.run.out;
    if out.exists() {
        // Whatever was read, what was written is what the manifest says.
        let manifest = match judge::manifest(out) {
            Ok(manifest) => manifest,
            Err(error) => return Verdict::Lied(told(format!("the manifest: {error}"))),
        };
        if let Some(wrong) = manifest.and_then(|it| judge::wrong_entry(&it, out)) {
            return Verdict::Lied(told(wrong));
        }
    }
    if ended.run.code != Some(0) {
        return match judge::says_finished(out) {
            true => Verdict::Lied(told("it failed, and the manifest says finished".to_owned())),
            false => Verdict::Survived,
        };
    }
    let Some(difference) = kind.scenario.undisturbed().difference_of_content(out) else {
        return Verdict::Survived;
    };
    let read_by_postgres = match kind.judge {
        Judge::Checksums => {
            return Verdict::Lied(told(format!("it ended with 0, and {difference}")));
        }
        Judge::Psql => postgres::of_script(path),
        Judge::PgRestore => postgres::of_archive(path),
        Judge::Copy => postgres::of_csv(path),
    };
    match read_by_postgres {
        Err(refused) => Verdict::Lied(told(format!(
            "it ended with 0, {difference}, and PostgreSQL says: {refused}"
        ))),
        Ok(database) => {
            let dir = Dir::new();
            let run = kind.scenario.export_of(&dir, database.address()).run();
            if run.code != Some(0) {
                return Verdict::Lied(told(format!(
                    "it ended with 0, {difference}, and what PostgreSQL reads of it cannot be exported: {}",
                    run.stderr
                )));
            }
            let (of_postgres, ours) = (records(&run.out), records(out));
            match of_postgres == ours {
                true => Verdict::Survived,
                false => Verdict::Lied(told(format!(
                    "it ended with 0, {difference}, and PostgreSQL reads something else"
                ))),
            }
        }
    }
}

/// The files of the entities.
fn records(out: &Path) -> BTreeMap<String, Vec<u8>> {
    ExportFolder::new(out).packed()
}
