"""Engines that cannot be run here: their examples are held to schemas, and the pipeline of GitLab CI is run by a
program that does what a runner does."""

import re
import shutil
import subprocess

from stand import EXAMPLES, TOOLS, expect

MANIFESTS = EXAMPLES / "kubernetes"
#: The oldest version that has all that the manifests use, and the newest one whose schema there is.
VERSIONS = ("1.33", "1.37")


def trials(stand):
    folder, bucket = stand.places()
    return [
        ("kubernetes: the manifests against its schema", folder, manifests),
        ("gitlab-ci: its pipeline by gitlab-ci-local", folder, pipeline),
        ("gitlab-ci: its pipeline by gitlab-ci-local", bucket, pipeline),
    ]


def checked(files):
    """The exit codes of a strict check against each version."""
    validate = TOOLS.parent / "package-tools/venv/bin/kubernetes-validate"
    found = []
    for version in VERSIONS:
        done = subprocess.run([validate, "--strict", "-k", f"{version}.0", *files], capture_output=True, text=True)
        found.append((done.returncode, done.stdout + done.stderr))
    return found


def manifests(trial):
    files = sorted(MANIFESTS.glob("*.yaml"))
    expect(len(files) == 3, f"in {MANIFESTS} there are {len(files)} manifests and not 3")
    for status, said in checked(files):
        expect(status == 0, said.strip())
    # The check finds something if there is something.
    wrong = trial.folder / "wrong.yaml"
    wrong.write_text((MANIFESTS / "job.yaml").read_text().replace("podFailurePolicy:", "podFailurePolcy:"))
    expect(all(status != 0 for status, _ in checked([wrong])), "a misspelt key passes the check")
    # What no schema knows: one plan's numbers and addresses stand in three files.
    texts = {file.stem: file.read_text() for file in files}
    tasks = re.search(r"--tasks=(\d+)", texts["plan"])[1]
    expect(f"completions: {tasks}\n" in texts["job"], "completions of job.yaml is not what plan.yaml plans")
    out = re.search(r"--out=(\S+)", texts["plan"])[1]
    for name in ("job", "commit"):
        expect(f"--plan={out}\n" in texts[name], f"{name}.yaml names another plan than plan.yaml makes")
    return f"3 manifests, Kubernetes {' and '.join(VERSIONS)}"


def pipeline(trial):
    """All of it: eight jobs work at the same time. It is the example's own file; where the export goes is said from outside,
    as a project's variables would."""
    project = trial.folder / "project"
    shutil.copytree(EXAMPLES / "gitlab-ci", project)
    for command in (["init", "--quiet"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "-m", "x"],
                    ["remote", "add", "origin", "git@localhost:x/x.git"]):
        trial.answer(["git", "-C", project, *command])
    programs = TOOLS / "ci/node_modules/.bin"
    trial.environment["PATH"] = ":".join([str(programs), trial.environment["PATH"], str(TOOLS / "rsync/usr/bin")])
    trial.environment["LD_LIBRARY_PATH"] = str(TOOLS / "rsync/usr/lib/x86_64-linux-gnu")
    variables = {"SNAPSHOT": trial.stand.snapshot, "OUT": trial.out, "CI_SERVER_URL": "https://gitlab.example.com"}
    given = [f"--variable={name}={value}" for name, value in variables.items()]
    status = trial.run(["gitlab-ci-local", "--cwd", "project", "--force-shell-executor", "--no-color", *given])
    expect(status == 0, f"the pipeline ended with {status}; see {trial.folder}/log")
    expect(len(trial.begun()) == 8, f"{len(trial.begun())} jobs worked, and not 8")
    trial.check()
    return f"{len(trial.begun())} jobs"
