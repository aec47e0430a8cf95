"""A stand-in for a GitLab that migrates a group by direct transfer: it asks a source what GitLab 19.3 asks, in GitLab's
order, with GitLab's parameters and headers, and holds the answers to what GitLab requires of them.

    destination.py URL TOKEN FULL_PATH OUT

Writes what it got to OUT: `<full path>/<relation>.ndjson` (batches joined), and `result.json` with the rest. Any answer
that GitLab would not take ends it with an error. Only Python's standard library is needed.
"""

import gzip
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL, TOKEN, FULL_PATH, OUT = sys.argv[1:]
SIZE_LIMIT = 5120 << 20
LINE_LIMIT = 50 << 20
requests = []


def call(method, path, query, headers=None, body=None):
    requests.append(f"{method} {path}")
    address = URL + path
    if query:
        address += "?" + urllib.parse.urlencode(query)
    request = urllib.request.Request(address, method=method, headers=headers or {}, data=body)
    try:
        return urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {path}: {error.code} {error.read()[:500]}") from None


def is_json(answer):
    return answer.headers.get_content_type() == "application/json"


def rest(path, query=None, method="GET"):
    """The token is in the query on every request, and so is a page, wanted or not."""
    query = {"page": 1, "per_page": 30, "private_token": TOKEN, **(query or {})}
    body = b"" if method == "POST" else None
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
    answer = call(method, "/api/v4" + path, query, headers, body)
    check(200 <= answer.status < 300, f"{path}: {answer.status}")
    check(is_json(answer), f"{path}: {answer.headers['content-type']}")
    return json.load(answer), answer


def instance(path):
    """Three addresses are asked without a page, and with a content type that a GET has no use for."""
    answer = call("GET", "/api/v4" + path, {"private_token": TOKEN}, {"Content-Type": "application/json"})
    check(is_json(answer), f"{path}: {answer.headers['content-type']}")
    return json.load(answer)


def paged(path):
    rows, page = [], ""
    while True:
        found, answer = rest(path, {"page": page, "per_page": 100})
        check(isinstance(found, list), f"{path}: no list")
        rows += found
        page = answer.headers.get("x-next-page")
        if not page:
            return rows


def graphql(query, variables):
    body = json.dumps({"query": query, "operationName": None, "variables": variables}).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    answer = call("POST", "/api/graphql", None, headers, body)
    check(is_json(answer), f"GraphQL: {answer.headers['content-type']}")
    found = json.load(answer)
    # `errors` is never read; what is missing in `data` is taken as not there. A test is stricter.
    check("errors" not in found, f"GraphQL: {found}")
    return found["data"]


def check(is_right, what):
    if not is_right:
        raise SystemExit(what)


GROUP = """
query($full_path: ID!) {
  group(fullPath: $full_path) {
    id
    name
    path
    description
    visibility
    emails_disabled: emailsDisabled
    lfs_enabled: lfsEnabled
    mentions_disabled: mentionsDisabled
    project_creation_level: projectCreationLevel
    request_access_enabled: requestAccessEnabled
    require_two_factor_authentication: requireTwoFactorAuthentication
    share_with_group_lock: shareWithGroupLock
    subgroup_creation_level: subgroupCreationLevel
    two_factor_grace_period: twoFactorGracePeriod
  }
}
"""

GHOSTS = """
{
  users(usernames: ["ghost", "ghost1", "ghost2", "ghost3", "ghost4", "ghost5", "ghost6"], humans: false) {
    nodes { id username type }
  }
}
"""

MEMBERS = """
query($full_path: ID!, $cursor: String, $per_page: Int) {
  portable: group(fullPath: $full_path) {
    members: groupMembers(relations: [DIRECT INHERITED SHARED_FROM_GROUPS], first: $per_page, after: $cursor) {
      page_info: pageInfo { next_page: endCursor has_next_page: hasNextPage }
      nodes {
        created_at: createdAt
        updated_at: updatedAt
        expires_at: expiresAt
        access_level: accessLevel { integer_value: integerValue }
        user { user_gid: id public_email: publicEmail username name }
      }
    }
  }
}
"""

ITERATIONS = """
query($full_path: ID!, $cursor: String, $per_page: Int) {
  group(fullPath: $full_path) {
    iterations(first: $per_page, after: $cursor, includeAncestors: false) {
      page_info: pageInfo { next_page: endCursor has_next_page: hasNextPage }
      nodes {
        iid
        title
        description
        state
        start_date: startDate
        due_date: dueDate
        created_at: createdAt
        updated_at: updatedAt
      }
    }
  }
}
"""

PROJECTS = """
query($full_path: ID!, $cursor: String, $per_page: Int) {
  group(fullPath: $full_path) {
    projects(includeSubgroups: false, notAimedForDeletion: true, first: $per_page, after: $cursor) {
      page_info: pageInfo { next_page: endCursor has_next_page: hasNextPage }
      nodes { id name path full_path: fullPath }
    }
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


def connection(query, full_path, *keys):
    """Pages of 500, of which the server gives as many as it likes."""
    rows, cursor = [], None
    while True:
        found = graphql(query, {"full_path": full_path, "cursor": cursor, "per_page": 500})
        for key in keys:
            found = found[key]
        rows += found["nodes"]
        if not found["page_info"]["has_next_page"]:
            return rows
        cursor = found["page_info"]["next_page"]


def start(entity):
    """What is asked before and when a group becomes an entity."""
    group = graphql(GROUP, {"full_path": entity})["group"]
    check(group, f"{entity} is not there")
    found = re.fullmatch(r"gid://gitlab/Group/(\d+)", group["id"])
    check(found, f"no global id: {group['id']}")
    return group, found[1]


def download(xid, relation, batch=None):
    query = {"relation": relation, "page": 1, "per_page": 30, "private_token": TOKEN}
    if batch is not None:
        query |= {"batched": "true", "batch_number": batch}
    path = f"/api/v4/groups/{xid}/export_relations/download"
    answer = call("GET", path, query, {"Accept-Encoding": "identity"})
    check(answer.status == 200, f"{relation}: {answer.status}")
    # The whole header, not only the type.
    kind = answer.headers["content-type"]
    check(kind in ("application/gzip", "application/octet-stream"), f"{relation}: {kind}")
    packed = answer.read()
    check(len(packed) <= SIZE_LIMIT, f"{relation}: too large")
    check(len(packed) == int(answer.headers["content-length"]), f"{relation}: broken off")
    content = gzip.decompress(packed)
    for line in content.split(b"\n"):
        check(len(line) <= LINE_LIMIT, f"{relation}: a line is too long")
        if line:
            json.loads(line)
    return content


def relation_file(xid, relation):
    """Waits for a relation and fetches it. A 404 would be its end, so the row must be there."""
    while True:
        status, _ = rest(f"/groups/{xid}/export_relations/status", {"relation": relation})
        if isinstance(status, list):
            status = next(row for row in status if row["relation"] == relation)
        check(status["relation"] == relation, f"{relation}: {status}")
        check(status["status"] != -1, f"{relation}: {status['error']}")
        if status["status"] == 1:
            break
        time.sleep(0.05)
    if status["batched"] is not True:
        return download(xid, relation)
    if status["batches_count"] < 1:
        return b""
    # GitLab fetches up to 25 batches at a time, in no order.
    for batch in status["batches"]:
        check(batch["status"] == 1, f"{relation}: {batch}")
    return b"".join(download(xid, relation, n) for n in range(1, status["batches_count"] + 1))


def migrate(full_path, version, enterprise):
    group, xid = start(full_path)
    accepted, _ = rest(f"/groups/{xid}/export_relations", {"batched": "true"}, "POST")
    # Stage 0 asks for the group itself once more.
    group, _ = start(full_path)
    files = ["self", "namespace_settings", "labels", "milestones"]
    if version >= (18, 11):
        files.append("max_iids")
    if enterprise and version >= (15, 4):
        files.append("iterations_cadences")
    later = ["boards", "uploads"]
    if enterprise:
        later.append("epics")
        if version >= (18, 4):
            later.append("epic_boards")
    folder = os.path.join(OUT, full_path)
    os.makedirs(folder)

    def fetch(relations):
        for relation in relations:
            with open(os.path.join(folder, relation + ".ndjson"), "wb") as out:
                out.write(relation_file(xid, relation))

    result = {"group": group}
    fetch(files)
    result["badges"] = paged(f"/groups/{xid}/badges")
    result["members"] = connection(MEMBERS, full_path, "portable", "members")
    if enterprise and version <= (15, 3):
        result["iterations"] = connection(ITERATIONS, full_path, "group", "iterations")
    fetch(later)
    result["projects"] = connection(PROJECTS, full_path, "group", "projects")
    if enterprise:
        result["wikis"], _ = rest(f"/groups/{xid}/wikis")
    everything = {full_path: result}
    for subgroup in paged(f"/groups/{xid}/subgroups"):
        check(subgroup["full_path"] == f"{full_path}/{subgroup['path']}", f"{subgroup}")
        everything |= migrate(subgroup["full_path"], version, enterprise)
    return everything


def main():
    metadata = instance("/metadata")
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", metadata["version"][:128])
    check(found, f"no version: {metadata}")
    version = (int(found[1]), int(found[2]))
    check(version[0] >= 14, f"too old: {metadata}")
    enterprise = metadata.get("enterprise", True)
    check("api" in instance("/personal_access_tokens/self")["scopes"], "the token has no scope api")
    _, xid = start(FULL_PATH)
    rest(f"/groups/{xid}/export_relations/status")
    ghosts = graphql(GHOSTS, {})["users"]["nodes"]
    entities = migrate(FULL_PATH, version, enterprise)
    # Contributors whose names are not known yet; `after` is sent, though the query declares `cursor`.
    ids = ["gid://gitlab/User/2", "gid://gitlab/User/9007199254740993", "gid://gitlab/User/404"]
    users = graphql(USERS, {"ids": ids, "after": None})["users"]
    check(not users["pageInfo"]["has_next_page"], "the client would ask for ever")
    known = {user["id"] for user in users["nodes"]}
    missing = [graphql(USER, {"id": gid})["user"] for gid in ids if gid not in known]
    result = {
        "metadata": metadata,
        "ghosts": ghosts,
        "entities": entities,
        "users": users["nodes"],
        "missing": missing,
        "requests": requests,
    }
    with open(os.path.join(OUT, "result.json"), "w") as out:
        json.dump(result, out)


main()
