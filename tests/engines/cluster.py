"""A Slurm cluster of three nodes on this machine: munged, slurmctld and three slurmd, on loopback, without a service
manager and without root. Its programs are unpacked packages (install-tools)."""

import os
import re
import secrets
import signal
import subprocess
import time
from pathlib import Path

from stand import TOOLS, expect, free_ports, until

ROOT = TOOLS / "slurm"
LIBRARIES = ROOT / "usr/lib/x86_64-linux-gnu"
NODES = ("n1", "n2", "n3")

CONF = """\
ClusterName=relexport
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CryptoType=crypto/munge
PluginDir={plugins}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmctldTimeout=30
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={nodes} NodeHostname=localhost NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=1 RealMemory=2000
PartitionName=all Nodes={nodes} Default=YES MaxTime=INFINITE State=UP
"""

#: Times of the example's slurm.conf that nobody wants to wait for here.
SHORT = {"KillWait": "5", "SlurmdTimeout": "10"}


class Cluster:
    def __init__(self, stand):
        self.folder = stand.folder / "slurm"
        self.environment = {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "LD_LIBRARY_PATH": f"{LIBRARIES}:{LIBRARIES}/slurm-wlm",
        }
        self.running = os.environ | self.environment
        self.daemons = {}

    def start(self, example):
        """Starts all of it, with the lines of an example's slurm.conf."""
        for folder in ("state", "munge", *(f"spool/{node}" for node in NODES)):
            (self.folder / folder).mkdir(parents=True)
        key = self.folder / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        socket = self.folder / "munge/socket"
        port = free_ports(1 + len(NODES))
        conf = CONF.format(
            port=port, first=port + 1, last=port + len(NODES), user=os.environ.get("USER") or "root",
            plugins=LIBRARIES / "slurm-wlm", folder=self.folder, nodes=",".join(NODES),
        )
        (self.folder / "slurm.conf").write_text(conf + lines_of(example, socket))
        self.daemon("munged", "munged", "--foreground", "--force", f"--socket={socket}", f"--key-file={key}",
                    f"--pid-file={self.folder}/munge/pid", f"--seed-file={self.folder}/munge/seed", f"--log-file={self.folder}/munge/log")
        until("munged listens", socket.exists, 30)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        until("three nodes are idle", lambda: self.ask("sinfo", "-h", "-o", "%D %t") == f"{len(NODES)} idle", 60)

    def daemon(self, name, program, *options):
        with open(self.folder / f"{name}.out", "ab") as out:
            command = [ROOT / "usr/sbin" / program, *options]
            self.daemons[name] = subprocess.Popen(list(map(str, command)), env=self.running, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def start_controller(self):
        self.daemon("slurmctld", "slurmctld-wlm", "-D")
        until("slurmctld answers", lambda: "UP" in self.ask("scontrol", "ping"), 30)

    def saved_since(self, moment):
        """Looks whether the controller has written its jobs to disk since then."""
        state = self.folder / "state/job_state"
        return lambda: state.exists() and state.stat().st_mtime > moment

    def start_node(self, node):
        self.daemon(node, "slurmd-wlm", "-D", "-N", node, "-d", ROOT / "usr/sbin/slurmstepd-wlm")

    def kill(self, name):
        """SIGKILL of one daemon alone."""
        self.daemons[name].kill()
        self.daemons[name].wait()

    def kill_node(self, node):
        """SIGKILL of a node's daemon and of all that it started, as when its power fails."""
        below = self.steps(node)
        self.kill(node)
        for pid in below:
            end(pid)

    def steps(self, node):
        """The processes that shepherd jobs on a node, and then the jobs' own: the former would tell how these ended."""
        jobs = self.ask("squeue", "-h", "-t", "running", "-w", node, "-o", "%A").split()
        folders = [folder for folder in Path("/proc").iterdir() if folder.name.isdigit()]
        shepherds = [folder for folder in folders if any(is_shepherd(folder, job) for job in jobs)]
        own = [folder for folder in folders if any(is_of_job(folder, job) for job in jobs)]
        return [int(folder.name) for folder in shepherds + own]

    def nodes_at_work(self):
        return [node for node in NODES if self.ask("squeue", "-h", "-t", "running", "-w", node, "-o", "%A")]

    def ask(self, program, *options):
        done = subprocess.run([ROOT / "usr/bin" / program, *options], env=self.running, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def job(self, number):
        """State and exit code of a job that is no array."""
        shown = self.ask("scontrol", "show", "job", str(number))
        state, code = re.search(r"JobState=(\S+)", shown), re.search(r"ExitCode=(\d+):", shown)
        return (state[1], int(code[1])) if state and code else None

    def wait(self, number, patience=300):
        """Waits for the end of a job, and gives its state and exit code."""
        ends = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
        found = until(f"job {number} ends", lambda: (job := self.job(number)) and job[0] in ends and job, patience, 0.3)
        return found

    def wait_queue(self, number, patience=300):
        """Waits until nothing of an array is left in the queue."""
        until(f"array {number} ends", lambda: not self.ask("squeue", "-h", "-j", str(number), "-o", "%i"), patience, 0.3)

    def states(self, number):
        """The states of an array's elements, by their numbers."""
        shown = self.ask("scontrol", "-o", "show", "job", str(number))
        return {int(line[1]): line[2] for line in re.finditer(r"ArrayTaskId=(\d+) .*?JobState=(\S+)", shown)}

    def stop(self):
        for name in (*NODES, "slurmctld", "munged"):
            daemon = self.daemons.get(name)
            if daemon is not None and daemon.poll() is None:
                daemon.terminate()
        for name, daemon in self.daemons.items():
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def lines_of(example, socket):
    """An administrator's lines, with shorter times. The trial is one of these lines, so each has to be there."""
    text = example.read_text()
    for key, value in SHORT.items():
        text, found = re.subn(rf"(?m)^{key}=\d+$", f"{key}={value}", text)
        expect(found == 1, f"{example} does not say {key}")
    text, found = re.subn(r"(?m)^AuthInfo=cred_expire=\d+$", f"AuthInfo=socket={socket},cred_expire=8", text)
    expect(found == 1, f"{example} does not say AuthInfo=cred_expire")
    expect("\nRequeueExit=75\n" in text, f"{example} does not say RequeueExit=75")
    return text


def is_shepherd(process, job):
    """True for the slurmstepd of a job."""
    shown = read(process / "cmdline")
    return shown.startswith(b"slurmstepd") and f": [{job}.".encode() in shown


def is_of_job(process, job):
    """True for a process in a job's environment."""
    return f"SLURM_JOB_ID={job}\0".encode() in read(process / "environ")


def read(file):
    """What is in a file of a process, and nothing if the process is gone."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def end(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        # It ended by itself meanwhile.
        pass


def patiently(seconds):
    """What no sign tells of: a time during which something is away."""
    time.sleep(seconds)
