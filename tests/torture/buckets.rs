//! Exports to a bucket: runs that are killed, and a server that resets, stalls and loses answers.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use fastrand::Rng;

use crate::bucket::proxy::{Fate, Proxy};
use crate::bucket::servers::{Server, s3s, with_s3};
use crate::judge;
use crate::process::{Ended, kill_after, watch};
use crate::scenario::{Scenario, of_buckets};
use crate::stand::{Stand, Tried};
use crate::support::*;
use crate::table::Verdict;

const KILLS: &str = "kill -9, a bucket";
const FATES: &str = "a bucket that resets, stalls, loses answers";

pub(crate) fn run(stand: &mut Stand) {
    if !project("target/bucket-tools/bin/s3s-fs").exists() {
        for fault in [KILLS, FATES] {
            stand.skip(fault, "s3s-fs is not installed (fixtures/install-tools)");
        }
        return;
    }
    let snapshots = Arc::new(Dir::new());
    let scenarios = of_buckets(&snapshots);
    let server = LazyLock::new(s3s);
    let tries = stand.short_or_long(4, 60);
    stand.row(KILLS, tries, |number, dice| {
        let scenario = &scenarios[number % scenarios.len()];
        killed(scenario, &server, &format!("killed-{number}"), dice)
    });
    let tries = stand.short_or_long(2, 60);
    stand.row(FATES, tries, |number, dice| {
        let scenario = &scenarios[number % scenarios.len()];
        disturbed(scenario, &server, &format!("disturbed-{number}"), dice)
    });
}

/// An export below a prefix of the bucket.
struct Place<'a> {
    scenario: &'a Scenario,
    server: &'a Server,
    prefix: String,
    dir: Dir,
}

impl Place<'_> {
    fn export(&self, port: u16) -> Program {
        let url = format!("s3://nightly/{}", self.prefix);
        let export = self.scenario.export_to(&self.dir, url);
        with_s3(export, port)
            .env("RELEXPORT_BUCKET_TRIES", "2")
            .env("RELEXPORT_BUCKET_TOTAL_SECONDS", "4")
            .env("RELEXPORT_BUCKET_IDLE_SECONDS", "1")
    }

    /// All that lies right below the prefix: runs, and single objects.
    fn entries(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let below = self.server.root.join("nightly").join(&self.prefix);
        let entries = fs::read_dir(below).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path())
    }

    /// What runs have written, each below a prefix of its own.
    fn runs(&self) -> Vec<PathBuf> {
        self.entries().filter(|path| path.is_dir()).collect()
    }

    /// What is said below the prefix that is not so.
    fn lie(&self) -> Option<String> {
        // A run that was killed may have left the object by which it asks what the bucket can do.
        let is_probe = |path: &PathBuf| path.to_string_lossy().contains("/.relexport-probe-");
        let mut objects = self.entries().filter(|path| path.is_file());
        let other = objects.find(|path| !is_probe(path));
        let other = other.map(|path| format!("{path:?} lies beside the runs"));
        other.or_else(|| self.runs().iter().find_map(|run| self.lie_of(run)))
    }

    fn lie_of(&self, run: &Path) -> Option<String> {
        let undisturbed = self.scenario.undisturbed();
        if judge::says_finished(run) {
            return undisturbed
                .difference_of_content(run)
                .map(|difference| format!("the manifest says finished, and {difference}"));
        }
        match judge::manifest(run) {
            Err(error) => Some(format!("the manifest cannot be read: {error}")),
            Ok(Some(_)) => Some("there is a manifest of an unfinished export".to_owned()),
            Ok(None) => undisturbed.wrong_file(run),
        }
    }

    /// As if so much time had passed that nobody takes the dead run for a living one.
    fn grow_old(&self) {
        for run in self.runs() {
            let claim = run.join(".relexport-claim");
            if claim.exists() {
                let then = SystemTime::now() - Duration::from_secs(3600);
                File::options()
                    .write(true)
                    .open(claim)
                    .unwrap()
                    .set_modified(then)
                    .unwrap();
            }
        }
    }

    /// Nothing that is said is wrong, and another run completes the export.
    fn healed(&self) -> Verdict {
        if let Some(lie) = self.lie() {
            return Verdict::Lied(lie);
        }
        if self.runs().iter().any(|run| judge::says_finished(run)) {
            return Verdict::Survived;
        }
        self.grow_old();
        let ended = watch(self.export(self.server.port).arg("--resume"));
        self.complete(&ended)
    }

    fn complete(&self, ended: &Ended) -> Verdict {
        if let Some(fault) = ended.fault() {
            return fault;
        }
        if ended.run.code != Some(0) {
            return Verdict::Lost(format!(
                "the next run ends with {:?}: {}",
                ended.run.code, ended.run.stderr
            ));
        }
        let runs = self.runs();
        let finished = runs.iter().find(|run| judge::says_finished(run));
        let Some(finished) = finished else {
            return Verdict::Lied(format!(
                "it ended with 0, and no export is finished: {runs:?}"
            ));
        };
        let left = files_below(finished);
        let left = left.iter().find(|name| {
            name.contains("unfinished") || name.contains(".relexport") || name.ends_with(".part")
        });
        match (left, self.lie()) {
            (Some(left), _) => Verdict::Lied(format!("{left} is left of the dead run")),
            (None, Some(lie)) => Verdict::Lied(lie),
            (None, None) => Verdict::Survived,
        }
    }
}

fn killed(scenario: &Scenario, server: &Server, prefix: &str, dice: &mut Rng) -> Tried {
    let place = Place {
        scenario,
        server,
        // Each draw has a place of its own.
        prefix: format!("{prefix}-{:x}", dice.u64(..)),
        dir: Dir::new(),
    };
    // To a bucket a run takes longer than to a folder.
    let moment = scenario.duration().mul_f64(dice.f64() * 4.0);
    let ended = kill_after(place.export(server.port), moment);
    let peak_kib = ended.peak_kib;
    if let Some(verdict) = ended.fault() {
        return Tried { verdict, peak_kib };
    }
    if !ended.was_killed {
        return Verdict::Missed.into();
    }
    Tried {
        verdict: place.healed(),
        peak_kib,
    }
}

/// An export through a proxy that does to some requests what networks do, or to all from one on.
fn disturbed(scenario: &Scenario, server: &Server, prefix: &str, dice: &mut Rng) -> Verdict {
    let place = Place {
        scenario,
        server,
        prefix: format!("{prefix}-{:x}", dice.u64(..)),
        dir: Dir::new(),
    };
    let fates = [
        Fate::Answer(500, "InternalError"),
        Fate::Answer(503, "SlowDown"),
        Fate::Reset,
        Fate::LoseAnswer,
        Fate::Stall,
    ];
    let fate = fates[dice.usize(..fates.len())];
    let (first, is_for_ever) = (dice.usize(..60), dice.bool());
    let proxy = Proxy::new(server.port, move |seen| {
        match seen.number == first || is_for_ever && seen.number > first {
            true => fate,
            false => Fate::Pass,
        }
    });
    let ended = watch(place.export(proxy.port));
    if proxy.hits() == 0 {
        return Verdict::Missed;
    }
    let what = format!("{fate:?} of request {first}, for ever: {is_for_ever}");
    let verdict = match ended.run.code {
        Some(0) => place.complete(&ended),
        _ => match ended.fault() {
            Some(fault) => fault,
            None => place.healed(),
        },
    };
    verdict.of(&what)
}
