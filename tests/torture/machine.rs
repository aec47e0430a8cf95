//! Limits of the machine, as the kernel has them: full disks, small files, few descriptors, little memory, folders that
//! cannot be written to or go away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fastrand::Rng;

use crate::judge;
use crate::kills::{healed, moment};
use crate::process::{Ended, watch, watch_and};
use crate::scenario::{Scenario, of_limits};
use crate::stand::{Stand, Tried};
use crate::support::*;
use crate::table::Verdict;

pub(crate) fn run(stand: &mut Stand) {
    let snapshots = Arc::new(Dir::new());
    let scenarios = of_limits(&snapshots);
    let tries = stand.short_or_long(3, 60);
    let drawn = |dice: &mut Rng| &scenarios[dice.usize(..scenarios.len())];
    let mounts = [
        ("a full disk of --out", Mount::Out),
        ("a full disk of --temp-dir", Mount::Temp),
        ("a folder that cannot be written to", Mount::ReadOnly),
    ];
    let cannot_mount = cannot_mount();
    for (fault, mount) in mounts {
        match &cannot_mount {
            Some(why) => stand.skip(fault, why),
            None => stand.row(fault, tries, |_, dice| mounted(drawn(dice), mount, dice)),
        }
    }
    stand.skip(
        "a quota",
        "it needs a file system with quotas; to a program it is a full disk",
    );
    stand.row("a limit of files' sizes", tries, |_, dice| {
        let scenario = drawn(dice);
        let blocks = dice.u32(0..64);
        limited(scenario, |program| program.with_small_files(blocks))
    });
    stand.row("20 descriptors, or fewer", tries, |_, dice| {
        let (scenario, limit) = (drawn(dice), dice.u32(4..=20));
        limited(scenario, |program| {
            under(program, &format!("ulimit -n {limit}"))
        })
    });
    stand.row("a limit of the address space", tries, |_, dice| {
        let (scenario, limit) = (drawn(dice), dice.u32(20..400) * 1024);
        limited(scenario, |program| {
            under(program, &format!("ulimit -v {limit}"))
        })
    });
    stand.row("the folder is removed in mid-run", tries, |_, dice| {
        removed(drawn(dice), dice)
    });
    match memory_group() {
        Err(why) => stand.skip("a memory limit of the container", &why),
        Ok(group) => {
            stand.row("a memory limit of the container", tries, |number, dice| {
                let limit = dice.u64(8..80) << 20;
                let group = group.make(number, limit);
                let enter = format!("echo $$ > {}/cgroup.procs", group.folder.display());
                let verdict = limited(drawn(dice), |program| under(program, &enter));
                drop(group);
                verdict
            });
        }
    }
}

/// The program, after a command of the shell that limits it.
fn under(program: Program, limit: &str) -> Program {
    program.through(["sh", "-c", &format!("{limit} && exec \"$@\""), "sh"])
}

/// A run under a limit, and one without.
fn limited(scenario: &Scenario, limit: impl FnOnce(Program) -> Program) -> Tried {
    let dir = Dir::new();
    let ended = watch(limit(scenario.export(&dir)));
    Tried {
        verdict: after_limit(scenario, &dir, &ended),
        peak_kib: ended.peak_kib,
    }
}

fn after_limit(scenario: &Scenario, dir: &Dir, ended: &Ended) -> Verdict {
    if is_out_of_memory(ended) {
        return healed(scenario, dir);
    }
    if let Some(fault) = ended.fault() {
        return fault;
    }
    if ended.run.code == Some(0) {
        return match scenario.undisturbed().difference(&dir.join("out")) {
            Some(difference) => Verdict::Lied(format!("it ended with 0, and {difference}")),
            None => Verdict::Survived,
        };
    }
    healed(scenario, dir)
}

/// True for a run that the kernel killed, or that was refused memory and said so: there is nothing else that it could
/// do, and what it left is judged as after any kill.
fn is_out_of_memory(ended: &Ended) -> bool {
    let said = [
        "memory allocation",
        "failed to map segment",
        "Cannot allocate memory",
    ];
    ended.run.code.is_none_or(|code| code > 128)
        && (ended.run.stderr.is_empty() || said.iter().any(|text| ended.run.stderr.contains(text)))
}

#[derive(Debug, Clone, Copy)]
enum Mount {
    Out,
    Temp,
    ReadOnly,
}

/// Mounts a small file system over a folder, runs the rest of the words, and copies what lies there out of it: it goes
/// with the shell, which has a name space of mounts for itself.
const ON_SMALL_DISK: &str =
    "mount -t tmpfs -o $1 tmpfs \"$2\" || exit 99; place=$2; copy=$3; shift 3
\"$@\"; code=$?; [ -z \"$copy\" ] || cp -a \"$place/.\" \"$copy\"; exit $code";

const READ_ONLY: &str =
    "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" || exit 99; shift; exec \"$@\"";

fn mounted(scenario: &Scenario, mount: Mount, dice: &mut Rng) -> Verdict {
    let dir = Dir::new();
    let size = format!("size={}k", 4 * dice.u32(1..60));
    let (disk, temp) = (dir.join("disk"), dir.join("temp"));
    fs::create_dir_all(&disk).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let to_disk = || scenario.export_to(&dir, disk.join("out"));
    let (program, script, words) = match mount {
        Mount::Out => (
            to_disk(),
            ON_SMALL_DISK,
            vec![size, text(&disk), text(dir.path())],
        ),
        Mount::Temp => (
            scenario.export(&dir).args(["--memory-limit", "0"]),
            ON_SMALL_DISK,
            vec![size, text(&temp), String::new()],
        ),
        Mount::ReadOnly => (to_disk(), READ_ONLY, vec![text(&disk)]),
    };
    let shell = ["unshare", "--mount", "sh", "-c", script, "sh"].map(str::to_owned);
    let ended = watch(program.through(shell.into_iter().chain(words)));
    assert_ne!(ended.run.code, Some(99), "the mount: {}", ended.run.stderr);
    // What the mount hid is not the program's.
    let _ = fs::remove_dir(&disk);
    after_limit(scenario, &dir, &ended)
}

/// Why file systems cannot be mounted on this machine.
fn cannot_mount() -> Option<String> {
    let dir = Dir::new();
    let script = format!("mount -t tmpfs tmpfs {}", dir.path().display());
    match Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .output()
    {
        Ok(output) if output.status.success() => None,
        _ => {
            Some("nothing can be mounted here: it needs root and a name space of mounts".to_owned())
        }
    }
}

/// So long before it says that all is finished, the program looks for the last time at what it wrote.
const LAST_LOOK: Duration = Duration::from_millis(50);

/// The export's folder goes away while it is written, in one step or file by file: the run says so.
fn removed(scenario: &Scenario, dice: &mut Rng) -> Verdict {
    let dir = Dir::new();
    let (out, elsewhere) = (dir.join("out"), dir.join("elsewhere"));
    let is_one_step = dice.bool();
    let mut removed_at = None;
    let ended = watch_and(scenario.export(&dir), moment(scenario, dice), || {
        if !out.exists() || judge::says_finished(&out) {
            return;
        }
        // It may be written to in this moment.
        let _ = match is_one_step {
            true => fs::rename(&out, &elsewhere),
            false => fs::remove_dir_all(&out),
        };
        removed_at = Some(SystemTime::now());
    });
    let Some(removed_at) = removed_at else {
        return Verdict::Missed;
    };
    // What is removed after the last look at it was there when it was called finished.
    let finished_at = [&out, &elsewhere]
        .into_iter()
        .find(|place| judge::says_finished(place))
        .and_then(|place| {
            fs::metadata(place.join(judge::MANIFEST))
                .ok()?
                .modified()
                .ok()
        });
    // A finished manifest that is nowhere was removed, too.
    let finished_at = finished_at.unwrap_or_else(SystemTime::now);
    if ended.run.code == Some(0) && removed_at + LAST_LOOK > finished_at {
        return Verdict::Missed;
    }
    let _ = fs::remove_dir_all(&elsewhere);
    // A manifest that was true when it was written is no lie of the program if files were removed since.
    if !is_one_step && ended.run.code != Some(0) && !judge::says_finished(&out) {
        let _ = fs::remove_dir_all(&out);
    }
    after_limit(scenario, &dir, &ended)
}

/// Where control groups for memory are made.
struct MemoryGroups {
    root: PathBuf,
    limit: &'static str,
}

struct MemoryGroup {
    folder: PathBuf,
}

impl MemoryGroups {
    fn make(&self, number: usize, limit: u64) -> MemoryGroup {
        let name = format!("relexport-torture-{}-{number}", std::process::id());
        let folder = self.root.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(self.limit), limit.to_string()).unwrap();
        MemoryGroup { folder }
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // The kernel needs a moment to find that its processes are gone.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Where control groups can be made, or why they cannot.
fn memory_group() -> Result<MemoryGroups, String> {
    let places = [
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        ("/sys/fs/cgroup", "memory.max"),
    ];
    for (root, limit) in places {
        let groups = MemoryGroups {
            root: root.into(),
            limit,
        };
        let name = format!("relexport-torture-{}", std::process::id());
        let probe = groups.root.join(name);
        if fs::create_dir(&probe).is_ok() {
            let is_limited = fs::write(probe.join(limit), "8388608").is_ok();
            let _ = fs::remove_dir(&probe);
            if is_limited {
                return Ok(groups);
            }
        }
    }
    Err("no control group for memory can be made here".to_owned())
}
