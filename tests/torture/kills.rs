//! Kills at random moments, as a power cut or the kernel's memory killer would, each followed by another run.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fastrand::Rng;

use crate::judge::{self, Undisturbed};
use crate::process::{Ended, kill_after, watch};
use crate::scenario::{Scenario, copy_folder, scenarios};
use crate::stand::{Stand, Tried};
use crate::support::*;
use crate::table::Verdict;

pub(crate) fn run(stand: &mut Stand) {
    let snapshots = Arc::new(Dir::new());
    let tries = stand.short_or_long(2, 20);
    for scenario in scenarios(&snapshots) {
        stand.row(&format!("kill -9, {}", scenario.name), tries, |_, dice| {
            killed(&scenario, dice)
        });
        if scenario.name == "plain SQL" {
            let older = LazyLock::new(|| Older::of(&scenario));
            let tries = stand.short_or_long(3, 40);
            stand.row("kill -9, --force over an older export", tries, |_, dice| {
                replaced(&scenario, &older, dice)
            });
        }
    }
}

/// A moment of a run, a little longer than one takes: which moments there are differs from run to run.
pub(crate) fn moment(scenario: &Scenario, dice: &mut Rng) -> Duration {
    scenario.duration().mul_f64(dice.f64() * 1.2)
}

/// A run that is killed, then perhaps runs that go on and are killed, too, then one that comes to its end.
fn killed(scenario: &Scenario, dice: &mut Rng) -> Tried {
    let dir = Dir::new();
    let out = dir.join("out");
    let undisturbed = scenario.undisturbed();
    let first = kill_after(scenario.export(&dir), moment(scenario, dice));
    let mut peak_kib = first.peak_kib;
    if let Some(fault) = first.fault() {
        return Tried {
            verdict: fault,
            peak_kib,
        };
    }
    if !first.was_killed {
        return Verdict::Missed.into();
    }
    // Every second one is followed by a kill of the run that goes on, every fourth one by two.
    while dice.bool() && !judge::says_finished(&out) {
        if let Some(lie) = undisturbed.lie(&out) {
            return Tried {
                verdict: Verdict::Lied(lie),
                peak_kib,
            };
        }
        let again = scenario.export(&dir).arg(scenario.again());
        let ended = kill_after(again, moment(scenario, dice));
        peak_kib = peak_kib.max(ended.peak_kib);
        if let Some(fault) = ended.fault() {
            return Tried {
                verdict: fault,
                peak_kib,
            };
        }
    }
    Tried {
        verdict: healed(scenario, &dir),
        peak_kib,
    }
}

/// After a fault: nothing that is said is wrong, and another run makes of it the export that nothing happened to.
pub(crate) fn healed(scenario: &Scenario, dir: &Dir) -> Verdict {
    let out = dir.join("out");
    let undisturbed = scenario.undisturbed();
    if let Some(lie) = undisturbed.lie(&out) {
        return Verdict::Lied(lie);
    }
    if judge::says_finished(&out) {
        return Verdict::Survived;
    }
    let ended = watch(scenario.export(dir).arg(scenario.again()));
    complete(&ended, undisturbed, dir)
}

/// The run must have made the export that nothing happened to, and nothing of dead runs may lie beside it.
fn complete(ended: &Ended, undisturbed: &Undisturbed, dir: &Dir) -> Verdict {
    if let Some(fault) = ended.fault() {
        return fault;
    }
    if ended.run.code != Some(0) {
        return Verdict::Lost(format!(
            "the next run ends with {:?}: {}",
            ended.run.code, ended.run.stderr
        ));
    }
    if let Some(difference) = undisturbed.difference(&dir.join("out")) {
        return Verdict::Lied(format!("after the next run {difference}"));
    }
    match litter(dir) {
        Some(litter) => Verdict::Lied(format!("{litter} is left of the dead run")),
        None => Verdict::Survived,
    }
}

/// What nobody needs any more.
fn litter(dir: &Dir) -> Option<String> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let mut beside = names(dir.path());
    beside.retain(|name| name != "out" && name != "temp");
    beside.extend(names(&dir.join("temp")));
    beside.into_iter().next()
}

/// An export of one group that a new one replaces.
struct Older {
    dir: Dir,
    export: Undisturbed,
}

impl Older {
    fn of(scenario: &Scenario) -> Older {
        let dir = Dir::new();
        let run = scenario.export(&dir).args(["--relation", "labels"]).ok();
        let export = Undisturbed::of(&run.out);
        Older { dir, export }
    }
}

/// A killed run that replaces an older export: one of the two is there, whole.
fn replaced(scenario: &Scenario, older: &Older, dice: &mut Rng) -> Tried {
    let dir = Dir::new();
    let out = dir.join("out");
    copy_folder(&older.dir.join("out"), &out);
    let undisturbed = scenario.undisturbed();
    let export = || scenario.export(&dir).arg("--force");
    let first = kill_after(export(), moment(scenario, dice));
    let peak_kib = first.peak_kib;
    if let Some(verdict) = first.fault() {
        return Tried { verdict, peak_kib };
    }
    if !first.was_killed {
        return Verdict::Missed.into();
    }
    let (of_older, of_new) = (older.export.difference(&out), undisturbed.difference(&out));
    if let (Some(of_older), Some(of_new)) = (of_older, of_new) {
        let what = format!("neither export is whole: {of_older}; {of_new}");
        return Tried {
            verdict: Verdict::Lost(what),
            peak_kib,
        };
    }
    let verdict = complete(&watch(export()), undisturbed, &dir);
    Tried { verdict, peak_kib }
}
