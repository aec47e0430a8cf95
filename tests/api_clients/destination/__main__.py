"""A stand-in for a GitLab that migrates a group or a project by direct transfer: it asks a source what GitLab asks, in
GitLab's order, with GitLab's parameters and headers, and holds the answers to what GitLab requires of them.

    python3 destination URL TOKEN FULL_PATH OUT [--project] [--release 18.9]

Writes what it got to OUT: `<full path>/<relation>.ndjson` (batches joined), and `result.json` with the rest: for each
entity what came of its files (by checksums) and repositories (by refs). Any answer that GitLab would not take ends it
with an error. Only Python's standard library and git are needed.
"""

import argparse
import json
import pathlib
import re

from client import Refused, Source, check
from groups import Group
from projects import Project
from stages import migrate

GHOSTS = """
{
  users(usernames: ["ghost", "ghost1", "ghost2", "ghost3", "ghost4", "ghost5", "ghost6"], humans: false) {
    nodes { id username type }
  }
}
"""

USERS = """
query($ids: [ID!], $cursor: String) {
  users(ids: $ids, after: $cursor) {
    pageInfo { next_page: endCursor has_next_page: hasNextPage }
    nodes { id name username }
  }
}
"""

USER = """
query($id: UserID!) {
  user(id: $id) { id name username }
}
"""


class Migration:
    """One import: the source, what it says of itself, and where results go."""

    def __init__(self, source, out):
        self.source, self.out = source, pathlib.Path(out)
        self.metadata = source.metadata()
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", self.metadata["version"][:128])
        check(found, f"no version: {self.metadata}")
        self.version = (int(found[1]), int(found[2]))
        check(self.version[0] >= 14, f"too old: {self.metadata}")
        self.enterprise = self.metadata.get("enterprise", True)

    def write(self, full_path, relation, content):
        folder = self.out / full_path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{relation}.ndjson").write_bytes(content)


def main():
    options = argparse.ArgumentParser()
    for name in ("url", "token", "full_path", "out"):
        options.add_argument(name)
    options.add_argument("--project", action="store_true")
    options.add_argument("--release", default="19.3")
    options = options.parse_args()
    release = tuple(int(number) for number in options.release.split("."))
    source = Source(options.url, options.token, release)
    migration = Migration(source, options.out)
    check("api" in source.instance("/personal_access_tokens/self")["scopes"], "the token has no scope api")
    kind = Project if options.project else Group
    # What is asked before the migration is accepted.
    first = kind(migration, options.full_path)
    first.look()
    source.get(f"/{first.entity}/export_relations/status")
    ghosts = source.graphql(GHOSTS, {})["users"]["nodes"]
    entities = migrate([kind(migration, options.full_path)])
    # Contributors whose names are not known yet; `after` is sent, though the query declares `cursor`.
    ids = ["gid://gitlab/User/2", "gid://gitlab/User/9007199254740993", "gid://gitlab/User/404"]
    users = source.graphql(USERS, {"ids": ids, "after": None})["users"]
    check(not users["pageInfo"]["has_next_page"], "the client would ask for ever")
    known = {user["id"] for user in users["nodes"]}
    missing = [source.graphql(USER, {"id": gid})["user"] for gid in ids if gid not in known]
    result = {
        "metadata": migration.metadata,
        "ghosts": ghosts,
        "entities": {entity.full_path: entity.result for entity in entities},
        "users": users["nodes"],
        "missing": missing,
        "requests": source.requests,
        "retries": source.retries,
        "slowest": source.slowest,
    }
    migration.out.mkdir(parents=True, exist_ok=True)
    (migration.out / "result.json").write_text(json.dumps(result), encoding="utf-8")


try:
    main()
except Refused as refused:
    raise SystemExit(str(refused)) from None
