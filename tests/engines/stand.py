"""What every part stands on: a snapshot, places that exports go to, and the export that nothing happened to."""

import contextlib
import gzip
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = ROOT / "target" / "engine-tools"
EXAMPLES = ROOT / "examples"

#: The export of all trials, in as many tasks as a plan of it may have.
EXPORT = ["--group=acme", "--subgroups", "--batched", "--source-url=https://gitlab.example.com"]
TASKS = 40

#: Longer than anything here takes.
PATIENCE = 300

#: Of two manifests of one export, what may differ: when it was made, by which run, and the metadata, which has the folder's name.
TIMES = {"started_at", "finished_at", "updated_at", "timings", "metadata"}


class Failed(Exception):
    """What should not have happened; the message is for the table."""


def expect(holds, what):
    if not holds:
        raise Failed(what)


def until(what, look, patience=PATIENCE, pause=0.05):
    """Looks again and again until there is something."""
    end = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        expect(time.monotonic() < end, f"waited {patience} s, and still not: {what}")
        time.sleep(pause)


def free_ports(number):
    """So many neighbouring ports that nobody has, as far as anybody can know."""
    for _ in range(100):
        first = random.randrange(20000, 30000)
        sockets = []
        try:
            for port in range(first, first + number):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise Failed(f"no {number} free ports in a row")


class Stand:
    """The folder of a whole run: the snapshot, a bucket's server, and a folder for each trial."""

    def __init__(self, program, folder):
        self.program, self.folder = Path(program).resolve(), folder
        self.snapshot = folder / "snapshot.dir"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("RELEXPORT_")}
        self.references = {}
        self.bucket = None

    def prepare(self):
        self.make_snapshot()
        self.make_wrapper()
        self.bucket = Server(self.folder / "bucket")
        # A server that is away is given up after seconds, so that a worker that ends with 75 can be seen.
        self.environment |= self.bucket.environment | {
            "RELEXPORT_BUCKET_TRIES": "2",
            "RELEXPORT_BUCKET_TOTAL_SECONDS": "3",
            "RELEXPORT_BUCKET_CONNECT_SECONDS": "1",
        }

    def end(self):
        if self.bucket is not None:
            self.bucket.stop()

    def make_snapshot(self):
        script = f"psql -Xq -f {ROOT}/fixtures/gitlab.sql >/dev/null && psql -Xq -f {ROOT}/tests/engines/grow.sql"
        script += f" && pg_dump --no-password -Fd -f {self.snapshot}"
        subprocess.run([ROOT / "fixtures" / "with-postgres", "bash", "-c", script], check=True)

    def make_wrapper(self):
        """The program in the PATH of workers: each notes that it begins, and lasts a little longer."""
        wrapper = self.folder / "bin" / "relexport"
        wrapper.parent.mkdir()
        wrapper.write_text(
            "#!/bin/sh\n"
            'if [ "$1" = work ]; then\n'
            '  echo "$$ ${SLURM_RESTART_COUNT:-0}" >>"$ENGINES_STARTS"\n'
            # One worker hangs, and does not listen, if a trial asks for it.
            '  if mv "$ENGINES_STARTS.hang" "$ENGINES_STARTS.hung" 2>/dev/null; then\n'
            "    trap '' TERM\n"
            "    while :; do sleep 1; done\n"
            "  fi\n"
            '  sleep "$(cat "$ENGINES_STARTS.sleep")"\n'
            "fi\n"
            f'exec {self.program} "$@"\n'
        )
        wrapper.chmod(0o755)
        tools = [wrapper.parent, TOOLS / "parallel/usr/bin", TOOLS / "slurm/usr/bin"]
        self.environment["PATH"] = ":".join([*map(str, tools), self.environment["PATH"]])

    def places(self):
        return [FolderPlace(self), BucketPlace(self)]

    def trial(self, name, place):
        return Trial(self, name, place)


class Server:
    """s3s-fs with a bucket, whose objects are files; it can be away for a while."""

    def __init__(self, root):
        self.root = root
        (root / "nightly").mkdir(parents=True)
        self.port = free_ports(1)
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        self.start()

    def start(self):
        program = ROOT / "target/bucket-tools/bin/s3s-fs"
        command = [program, "--host=127.0.0.1", f"--port={self.port}", "--access-key=key", "--secret-key=secret", self.root]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("the bucket's server listens", self.listens)

    def listens(self):
        expect(self.process.poll() is None, "the bucket's server has ended")
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.kill()
        self.process.wait()


class FolderPlace:
    """Exports in a folder."""

    name = "folder"

    def __init__(self, stand):
        self.base = stand.folder / "exports"

    def out(self, trial):
        return str(self.base / trial / "acme")

    def files(self, trial):
        return contents(self.base / trial / "acme")


class BucketPlace:
    """Exports in a bucket."""

    name = "bucket"

    def __init__(self, stand):
        self.base = stand.bucket.root / "nightly"

    def out(self, trial):
        return f"s3://nightly/{trial}/acme"

    def files(self, trial):
        return contents(self.base / trial / "acme")


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class Trial:
    """One export in one place, to which something happens."""

    def __init__(self, stand, name, place):
        self.stand, self.place = stand, place
        self.name = name.replace(" ", "-")
        self.out = place.out(self.name)
        self.folder = stand.folder / "trials" / place.name / self.name
        self.folder.mkdir(parents=True)
        Path(stand.folder / "exports" / self.name).mkdir(parents=True, exist_ok=True)
        self.starts = self.folder / "starts"
        self.starts.touch()
        self.sleep(0.2)
        self.environment = stand.environment | {"ENGINES_STARTS": str(self.starts)}
        self.options = [f"--snapshot={stand.snapshot}", *EXPORT]
        self.children = []

    def sleep(self, seconds):
        """How long workers that begin from now on wait before they do anything."""
        Path(f"{self.starts}.sleep").write_text(str(seconds))

    def hang(self):
        """The next worker that begins hangs."""
        Path(f"{self.starts}.hang").touch()

    def spawn(self, command, **environment):
        """Starts a command in the trial's folder, with more variables; its output is kept there."""
        environment = self.environment | environment
        with open(self.folder / "log", "ab") as log:
            child = subprocess.Popen(
                list(map(str, command)), cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )
        self.children.append(child)
        return child

    def end(self):
        """Ends what is left of the trial, if it failed."""
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def run(self, command):
        """Runs one to its end, and gives its exit code."""
        child = self.spawn(command)
        try:
            return child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Failed(f"{command[0]} took longer than {PATIENCE} s") from None

    def answer(self, command):
        """Runs one that has to succeed, and gives what it prints."""
        done = subprocess.run(list(map(str, command)), cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        expect(done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def begun(self):
        """The numbers of all processes that were begun as workers, and how often their engine had begun them before."""
        return [tuple(map(int, line.split())) for line in self.starts.read_text().splitlines()]

    def workers(self):
        """Those of them that are at work now: the program itself, and no longer the wrapper."""
        return [pid for pid, _ in self.begun() if is_program(pid, self.stand.program)]

    def done(self):
        """How many tasks are finished."""
        return len([name for name in self.place.files(self.name) if name.startswith(".relexport-plan/tasks/") and name.endswith(".json")])

    def kill_worker(self, how=signal.SIGKILL, after=0):
        """Kills a worker in the middle of its work, not before so many seconds of it; gives its number."""
        def hit():
            for pid in random.sample(alive := self.workers(), len(alive)):
                # Somewhere on its way.
                time.sleep(after + random.uniform(0, 0.3))
                try:
                    os.kill(pid, how)
                except ProcessLookupError:
                    continue
                return pid
            return None

        return until("a worker is at work", hit, pause=0.01)

    def tasks(self):
        """How many tasks the plan has, while it is there."""
        return len(json.loads(self.place.files(self.name)[".relexport-plan/plan.json"])["tasks"])

    def missing(self, form):
        """The tasks that are missing; some are."""
        command = [self.stand.program, "plan", "status", "--plan", self.out, "--missing", "--as", form]
        done = subprocess.run(list(map(str, command)), env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        expect(done.returncode == 1, f"plan status ended with {done.returncode} though tasks are missing: {done.stderr.strip()}")
        return done.stdout.strip()

    def check(self):
        """The export is that of one plain run, byte for byte, and there is no file more."""
        expected, found = self.reference(), self.place.files(self.name)
        expect("manifest.json" in found, "there is no manifest.json")
        lacking, extra = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
        expect(not lacking, f"{len(lacking)} files are missing: {lacking[:3]}")
        expect(not extra, f"{len(extra)} files too many: {extra[:3]}")
        differ = sorted(name for name in expected if name != "manifest.json" and found[name] != expected[name])
        if self.place.name == "bucket" and "metadata.json.gz" in differ:
            # The plain one has a prefix of its own, and its metadata names that.
            prefixes = [json.loads(gzip.decompress(files["metadata.json.gz"])) for files in (expected, found)]
            expect(prefixes[1].pop("export_prefix") == "acme", "the metadata names another prefix than the export's")
            expect(prefixes[0].pop("export_prefix") != "acme" and prefixes[0] == prefixes[1], "metadata.json.gz differs")
            differ.remove("metadata.json.gz")
        expect(not differ, f"{len(differ)} files differ: {differ[:3]}")
        manifests = [json.loads(files["manifest.json"]) for files in (expected, found)]
        wrong = sorted(difference("", *manifests))
        expect(not wrong, f"the manifests differ at {wrong[:5]}")
        expect(self.run([self.stand.program, "verify", self.out]) == 0, "verify does not take the export")
        return hashlib.sha256(b"".join(found[name] for name in sorted(found) if name != "manifest.json")).hexdigest()[:8]

    def reference(self):
        """The files of a plain export of the same, made once for each place."""
        kept = self.stand.references
        if self.place.name not in kept:
            kept[self.place.name] = self.plain()
        return kept[self.place.name]

    def plain(self):
        out = self.place.out("reference")
        if self.place.name == "folder":
            Path(out).parent.mkdir(parents=True, exist_ok=True)
        status = self.run([self.stand.program, "export", *self.options, "--out", out])
        expect(status == 0, f"the plain export ended with {status}; see {self.folder}/log")
        files = self.place.files("reference")
        if self.place.name == "bucket":
            prefixes = {name.split("/")[0] for name in files}
            expect(len(prefixes) == 1, f"below the address of the plain export there is more than that: {prefixes}")
            files = {name.split("/", 1)[1]: content for name, content in files.items()}
        return files


def difference(path, one, other):
    """Where two values of JSON differ, times apart."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in (one.keys() | other.keys()) - TIMES:
            yield from difference(f"{path}.{key}", one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other)):
            yield from difference(f"{path}[{number}]", *pair)
    elif one != other:
        yield path


def is_program(pid, program):
    """True if the process is the program, and no longer the wrapper that became it."""
    try:
        return str(program).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
