"""A Slurm array: the example is submitted, and things happen to it."""

import re
import signal
import threading
import time

from cluster import Cluster, patiently
from stand import EXAMPLES, TASKS, expect, until

EXAMPLE = EXAMPLES / "slurm"


class Slurm:
    """A cluster for all trials, each of which leaves it as it was."""

    def __init__(self, stand):
        self.stand = stand
        self.cluster = Cluster(stand)

    def start(self):
        self.cluster.start(EXAMPLE / "slurm.conf")
        self.stand.environment |= self.cluster.environment

    def stop(self):
        self.cluster.stop()

    def trials(self):
        found = []
        for place in self.stand.places():
            found += [
                ("nothing happens", place, self.nothing),
                ("a worker is killed", place, self.killed_worker),
                ("a node is lost", place, self.lost_node),
                ("two arrays at the same time", place, self.twins),
            ]
        folder, bucket = self.stand.places()
        found += [
            ("fewer workers than tasks", folder, self.strided),
            ("a worker is told to stop", folder, self.told),
            ("a node is silent, its worker goes on", folder, self.silent_node),
            ("a worker stands still, until its time is over", folder, self.stopped),
            ("a worker hangs, until its time is over", folder, self.hung),
            ("the bucket is away for a while", bucket, self.away),
        ]
        # The last ones: a controller that forgot jobs gives their numbers to others, which nodes may take amiss.
        found += [("the controller is killed", place, self.killed_controller) for place in (folder, bucket)]
        return [(f"slurm: {what}", place, trial) for what, place, trial in found]

    def submit(self, trial, **environment):
        """Submits the example; gives the numbers of its two jobs."""
        trial.environment |= environment
        said = trial.answer([EXAMPLE / "submit", trial.out, TASKS, *trial.options])
        work, commit = said.split()
        return work, commit

    def again(self, trial, array):
        """Submits some tasks once more, and another commit behind them, as the example's README says."""
        work = trial.answer(["sbatch", "--parsable", f"--array={array}", EXAMPLE / "work.sbatch", trial.out])
        commit = trial.answer(["sbatch", "--parsable", f"--dependency=afterany:{work}", EXAMPLE / "commit.sbatch", trial.out])
        return work, commit

    def committed(self, trial, commit, status=0):
        state, code = self.cluster.wait(commit)
        expect(code == status, f"the commit ended with {code} and not {status} ({state}); see {trial.folder}")

    def requeued(self, trial):
        return len([pid for pid, restarts in trial.begun() if restarts > 0])

    def nothing(self, trial):
        _, commit = self.submit(trial)
        self.committed(trial, commit)
        return f"{len(trial.begun())} workers on 3 nodes"

    def killed_worker(self, trial):
        """A worker that is killed is one that failed: Slurm does not begin it again by itself."""
        _, commit = self.submit(trial)
        trial.kill_worker()
        self.committed(trial, commit, 1)
        listed = self.listed(trial, commit)
        _, commit = self.again(trial, listed)
        self.committed(trial, commit)
        return f"the commit listed task {listed}; done once it was submitted"

    def lost_node(self, trial):
        _, commit = self.submit(trial)
        until("some tasks are done", lambda: trial.done() >= 5)
        # Each node's next worker waits long enough that the node is lost while it is at work.
        trial.sleep(20)
        begun = len(trial.begun())
        until("three workers wait", lambda: len(trial.begun()) >= begun + 3)
        trial.sleep(0.2)
        node = until("a node is at work", self.cluster.nodes_at_work)[0]
        self.cluster.kill_node(node)
        try:
            self.committed(trial, commit)
        finally:
            self.cluster.start_node(node)
        expect(self.requeued(trial) > 0, "no task was begun again")
        return f"{self.requeued(trial)} task begun again by Slurm"

    def silent_node(self, trial):
        """A node's daemon dies, and what it started goes on: the task is begun again elsewhere, beside itself."""
        trial.sleep(60)
        _, commit = self.submit(trial)
        until("three workers wait", lambda: len(trial.begun()) >= 3)
        trial.sleep(0.2)
        node = until("a node is at work", self.cluster.nodes_at_work)[0]
        self.cluster.kill(node)
        try:
            self.committed(trial, commit)
        finally:
            self.cluster.start_node(node)
        expect(self.requeued(trial) > 0, "no task was begun again")
        return f"{self.requeued(trial)} task begun again by Slurm, beside itself"

    def twins(self, trial):
        work, one = self.submit(trial)
        second, other = self.again(trial, f"0-{TASKS - 1}")
        self.committed(trial, one)
        self.committed(trial, other)
        return f"{len(trial.begun())} workers; both commits ended with 0"

    def killed_controller(self, trial):
        _, commit = self.submit(trial)
        # What was submitted in the seconds before is lost with it.
        until("the controller has saved its jobs", self.cluster.saved_since(time.time()))
        until("some tasks are done", lambda: trial.done() >= 5)
        self.cluster.kill("slurmctld")
        patiently(3)
        self.cluster.start_controller()
        self.committed(trial, commit)
        return f"{len(trial.begun())} workers, {self.requeued(trial)} of them begun again"

    def strided(self, trial):
        trial.answer([self.stand.program, "plan", *trial.options, "--out", trial.out, "--tasks", TASKS])
        tasks = trial.tasks()
        _, commit = self.again(trial, "0-6")
        self.committed(trial, commit)
        expect(len(trial.begun()) == 7, f"{len(trial.begun())} workers began, and not 7")
        return f"7 workers did {tasks} tasks"

    def told(self, trial):
        """scancel's SIGTERM: 75, and RequeueExit."""
        work, commit = self.submit(trial)
        until("some tasks are done", lambda: trial.done() >= 3)
        trial.kill_worker(signal.SIGTERM, after=0.1)
        self.committed(trial, commit)
        expect(self.requeued(trial) > 0, "no task was begun again")
        return f"{self.requeued(trial)} task ended with 75, and was begun again by Slurm"

    def stopped(self, trial):
        """Slurm wakes it before it tells it to stop, so that it ends as one that was told."""
        _, commit = self.submit(trial, SBATCH_TIMELIMIT="1", SBATCH_SIGNAL="B:TERM@10")
        until("some tasks are done", lambda: trial.done() >= 3)
        trial.kill_worker(signal.SIGSTOP, after=0.1)
        self.committed(trial, commit)
        expect(self.requeued(trial) > 0, "no task was begun again")
        return f"{self.requeued(trial)} task ended with 75, and was begun again by Slurm"

    def hung(self, trial):
        trial.hang()
        _, commit = self.submit(trial, SBATCH_TIMELIMIT="1", SBATCH_SIGNAL="B:TERM@10")
        self.committed(trial, commit, 1)
        listed = self.listed(trial, commit)
        for name in ("SBATCH_TIMELIMIT", "SBATCH_SIGNAL"):
            del trial.environment[name]
        _, commit = self.again(trial, listed)
        self.committed(trial, commit)
        return f"killed after its minute; the commit listed task {listed}; done once it was submitted"

    def away(self, trial):
        _, commit = self.submit(trial)
        until("some tasks are done", lambda: trial.done() >= 3)
        bucket = self.stand.bucket
        bucket.stop()
        back = threading.Timer(15, bucket.start)
        back.start()
        state, code = self.cluster.wait(commit)
        back.join()
        requeued = self.requeued(trial)
        expect(requeued > 0, "no task ended with 75, and was begun again")
        expect(code == 0, f"the commit ended with {code}; see {trial.folder}")
        return f"{requeued} times a task ended with 75, and was begun again by Slurm"

    def listed(self, trial, commit):
        """The one task that a commit says is missing, in its log and as --array= takes it."""
        missing = trial.missing("slurm")
        expect(re.fullmatch(r"\d+", missing), f"{missing!r} is missing, and not one task")
        log = (trial.folder / f"relexport-{commit}.log").read_text().splitlines()
        expect(missing in log, f"the commit did not list {missing}")
        return missing
