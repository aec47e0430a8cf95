"""Git as a destination's Gitaly runs it: bundles are cloned, wikis and snippets fetched over HTTP."""

import os
import pathlib
import subprocess
import tempfile

from client import check

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
}
# What is tolerated in old histories; everything else that git's own check finds refuses a fetch.
FETCH = ["transfer.fsckObjects=true", "http.followRedirects=false", "credential.helper="] + [
    f"fetch.fsck.{name}=ignore" for name in ("zeroPaddedFilemode", "badTimezone", "missingSpaceBeforeDate")
]
VERSIONS = (b"# v2 git bundle\n", b"# v3 git bundle\n")


def git(*arguments, settings=(), text=None):
    options = [option for setting in settings for option in ("-c", setting)]
    ran = subprocess.run(
        ["git", *options, *arguments], env=ENVIRONMENT, input=text, capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout, ran.stderr


def must(*arguments, **more):
    code, stdout, stderr = git(*arguments, **more)
    check(code == 0, f"git {arguments}: {stderr}")
    return stdout


def repository(path):
    """What is in a bare repository: all its refs, and the branch that HEAD names."""
    must("-C", path, "fsck", "--strict", "--no-dangling")
    _, refs, _ = git("-C", path, "show-ref")
    return {"refs": refs, "head": must("-C", path, "symbolic-ref", "HEAD").strip()}


def cloned(bundle):
    """A bundle is read by a mirroring clone into a repository that is not there yet."""
    check(bundle[:16] in VERSIONS, f"no git bundle: {bundle[:16]}")
    with tempfile.TemporaryDirectory() as folder:
        file, target = pathlib.Path(folder, "bundle"), pathlib.Path(folder, "repository.git")
        file.write_bytes(bundle)
        must("clone", "--quiet", "--bare", "--mirror", str(file), str(target))
        return repository(target)


def fetched(url, token, head):
    """Mirrors a repository over HTTP: a dry run that brings the objects, then the refs by its report."""
    scheme, rest = url.split("://", 1)
    address = f"{scheme}://oauth2:{token}@{rest}"
    with tempfile.TemporaryDirectory() as folder:
        must("init", "--quiet", "--bare", f"--initial-branch={head}", folder)
        fetch = ("fetch", "--prune", "--tags", "--dry-run", "--porcelain", "--no-write-fetch-head")
        code, said, errors = git("-C", folder, *fetch, address, "refs/*:refs/*", settings=FETCH)
        check(code == 0, f"git fetch {url}: {errors}")
        updates = [line.rsplit(" ", 3) for line in said.splitlines()]
        orders = "".join(f"update {ref} {new}\n" for _, _, new, ref in updates)
        must("-C", folder, "update-ref", "--stdin", text=orders)
        found = repository(folder)
        count = must("-C", folder, "ls-tree", "-r", "--name-only", head) if found["refs"] else ""
        return found | {"files": len(count.splitlines())}


def wiki(source, entity, full_path):
    """The wiki of a group or project, if there is one: its pages are only counted, the repository is fetched."""
    pages, _, code = source.rest(f"/{entity}/wikis", final=(403, 404))
    source.no_status(entity, "wiki")
    if code in (403, 404) or not pages:
        return None
    return fetched(f"{source.url}/{full_path}.wiki.git", source.token, "main")
