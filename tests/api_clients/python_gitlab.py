"""Exports a group with the python-gitlab library, which has no methods of its own for it, by its generic calls.

    python_gitlab.py URL TOKEN OUT
"""

import sys
import time

import gitlab

url, token, out = sys.argv[1:]
client = gitlab.Gitlab(url, private_token=token)
print(client.version())

group = client.groups.get("acme/platform")
assert group.id == 4351 and group.full_path == "acme/platform", group
assert [child.full_path for child in group.subgroups.list(iterator=True)] == ["acme/platform/core"]
assert [found.id for found in client.groups.list(search="umb", get_all=True)] == [7001]
assert len(group.badges.list(get_all=True)) == 6

path = f"/groups/{group.encoded_id}/export_relations"
assert client.http_post(path, post_data={"batched": True}) == {"message": "202 Accepted"}
while any(row["status"] == 0 for row in client.http_get(f"{path}/status")):
    time.sleep(0.05)
row = client.http_get(f"{path}/status", query_data={"relation": "labels"})
assert row["status"] == 1 and row["batched"] is True, row

answer = client.http_get(
    f"{path}/download",
    query_data={"relation": "labels", "batched": True, "batch_number": 1},
    streamed=True,
)
with open(out, "wb") as file:
    for chunk in answer.iter_content(1 << 16):
        file.write(chunk)

for path, query, code, message in [
    ("/groups/nothing/export_relations/status", {}, 404, "404 Group Not Found"),
    (f"{path}/download", {"relation": "labels"}, 400, "Export is batched"),
    (f"{path}/download", {}, 400, "relation is missing"),
]:
    try:
        client.http_get(path, query_data=query)
        raise SystemExit(f"{path}: no error")
    except gitlab.GitlabHttpError as error:
        assert error.response_code == code and message in str(error), error
