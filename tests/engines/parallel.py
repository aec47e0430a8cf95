"""GNU parallel: its example is run, and things happen to it."""

import os
import signal
import threading
from pathlib import Path

from stand import EXAMPLES, TASKS, expect, until

RUN = EXAMPLES / "parallel" / "run"


def trials(stand):
    found = []
    for place in stand.places():
        found += [
            ("nothing happens", place, nothing),
            ("three workers are killed", place, killed_workers),
            ("parallel is killed, and run again at once", place, killed_parallel),
            ("two of it at the same time", place, twins),
            ("a worker stands still until all is committed", place, outlived),
        ]
    folder, bucket = stand.places()
    found += [
        ("a worker hangs, until --timeout", folder, hung),
        ("the bucket is away for a while", bucket, away),
    ]
    return [(f"parallel: {what}", place, trial) for what, place, trial in found]


def command(trial):
    return [RUN, trial.out, TASKS, *trial.options]


def begin(trial, **environment):
    return trial.spawn(command(trial), **{"JOBS": "3", **environment})


def ended(trial, child, status=0):
    found = child.wait(300)
    expect(found == status, f"it ended with {found} and not {status}; see {trial.folder}/log")


def nothing(trial):
    ended(trial, begin(trial))
    return f"{len(trial.begun())} workers"


def killed_workers(trial):
    child = begin(trial)
    for _ in range(3):
        trial.kill_worker()
    tasks = trial.tasks()
    ended(trial, child)
    expect(len(trial.begun()) > tasks, "no worker was begun again")
    return f"{len(trial.begun())} workers for {tasks} tasks"


def killed_parallel(trial):
    child = begin(trial, JOBLOG=str(trial.folder / "first.joblog"))
    until("some tasks are done", lambda: trial.done() >= 5)
    until("workers are at work", trial.workers, pause=0.01)
    os.kill(parallel_of(child.pid), signal.SIGKILL)
    going_on = trial.workers()
    # What it had begun goes on meanwhile.
    second = begin(trial)
    first = child.wait(300)
    ended(trial, second)
    return f"{len(going_on)} workers went on; its own commit ended with {first}"


def twins(trial):
    one = begin(trial, JOBLOG="one.joblog")
    # Of two that plan at the same moment, one is told so, and ends with 11.
    until("workers are at work", trial.workers)
    tasks = trial.tasks()
    other = begin(trial, JOBLOG="other.joblog")
    ended(trial, one)
    ended(trial, other)
    return f"{len(trial.begun())} workers for {tasks} tasks"


def outlived(trial):
    """A worker is stopped in its middle, and goes on when its task was done by another one and the export is committed."""
    trial.answer([trial.stand.program, "plan", *trial.options, "--out", trial.out, "--tasks", TASKS])
    task = str(trial.tasks() - 1)
    late = trial.spawn(["relexport", "work", "--plan", trial.out, "--task", task])
    trial.kill_worker(signal.SIGSTOP)
    ended(trial, begin(trial))
    trial.check()
    os.kill(late.pid, signal.SIGCONT)
    ended(trial, late)
    return "it went on behind the commit, and ended with 0"


def hung(trial):
    child = begin(trial, PARALLEL="--timeout 20")
    pid = trial.kill_worker(signal.SIGSTOP)
    ended(trial, child)
    expect(not Path(f"/proc/{pid}").exists(), "the worker that hung is still there")
    return "killed after its time, and done again"


def away(trial):
    child = begin(trial, JOBS="2")
    until("some tasks are done", lambda: trial.done() >= 3)
    bucket = trial.stand.bucket
    bucket.stop()
    back = threading.Timer(12, bucket.start)
    back.start()
    status = child.wait(300)
    back.join()
    if status != 0:
        ended(trial, begin(trial))
    return "at once" if status == 0 else f"it ended with {status}, and the same call again with 0"


def parallel_of(pid):
    """The process of parallel below the example's script."""
    def look():
        for child in children(pid):
            if b"/parallel\0" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        return None

    return until("parallel runs", look)


def children(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]
