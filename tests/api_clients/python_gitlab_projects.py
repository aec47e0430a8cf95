"""Exports a project with the python-gitlab library, which has no methods of its own for it, by its generic calls.

    python_gitlab_projects.py URL TOKEN OUT
"""

import sys
import time

import gitlab

url, token, out = sys.argv[1:]
client = gitlab.Gitlab(url, private_token=token)

group = client.groups.get("depot")
listed = {project.path_with_namespace: project for project in group.projects.list(iterator=True)}
assert set(listed) == {"depot/engine", "depot/vault", "depot/bare", "depot/Old"}, listed
assert listed["depot/engine"].id == 81

# The path in any case, a number, and one that is not there.
project = client.projects.get("Depot/Engine")
assert project.id == 81 and project.path_with_namespace == "depot/engine", project
assert client.projects.get(83).path_with_namespace == "depot/crates/engine"
assert [page.slug for page in project.wikis.list(get_all=True)] != []
assert client.projects.get("acme/app").badges.list(get_all=True) != []

path = f"/projects/{project.encoded_id}/export_relations"
assert client.http_post(path, post_data={"batched": True}) == {"message": "202 Accepted"}
while any(row["status"] == 0 for row in client.http_get(f"{path}/status")):
    time.sleep(0.05)
rows = {row["relation"]: row for row in client.http_get(f"{path}/status")}
for relation, batches in [("uploads", 1), ("lfs_objects", 1), ("design", 0)]:
    row = rows[relation]
    assert (row["status"], row["batched"], row["batches_count"]) == (1, True, batches), row
assert rows["repository"]["batched"] is False and rows["repository"]["status"] == 1, rows["repository"]

answer = client.http_get(f"{path}/download", query_data={"relation": "repository"}, streamed=True)
with open(out, "wb") as file:
    for chunk in answer.iter_content(1 << 16):
        file.write(chunk)

for path, query, code, message in [
    ("/projects/nothing/export_relations/status", {}, 404, "404 Project Not Found"),
    (f"{path}/status", {"relation": "wiki"}, 404, "Export not found"),
    (f"{path}/download", {"relation": "wiki"}, 400, "relation is not portable"),
    (f"{path}/download", {"relation": "uploads"}, 400, "Export is batched"),
    (f"{path}/download", {"relation": "repository", "batched": True, "batch_number": 1}, 400, "Export is not batched"),
    (f"{path}/download", {}, 400, "relation is missing"),
]:
    try:
        client.http_get(path, query_data=query)
        raise SystemExit(f"{path}: no error")
    except gitlab.GitlabHttpError as error:
        assert error.response_code == code and message in str(error), error
