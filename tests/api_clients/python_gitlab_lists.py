"""Lists and looks up projects with the python-gitlab library.

    python_gitlab_lists.py URL TOKEN
"""

import sys

import gitlab

url, token = sys.argv[1:]
client = gitlab.Gitlab(url, private_token=token)

app = client.projects.get("acme/app")
assert app.id == 71 and app.path_with_namespace == "acme/app" and app.visibility == "public", app
assert client.projects.get("ACME/Old-App").id == 71
assert client.projects.get(72).namespace["full_path"] == "acme/tools"
assert [found.id for found in client.projects.list(get_all=True)] == [74, 73, 72, 71]
listed = client.projects.list(iterator=True, per_page=1, order_by="id", sort="asc")
assert [found.id for found in listed] == [71, 72, 73, 74] and listed.total == 4
assert [found.id for found in client.projects.list(search="att", simple=True)] == [73]
assert [found.id for found in client.projects.list(archived=True, visibility="private")] == [74, 73]

group = client.groups.get("Acme")
assert [found.id for found in group.projects.list(get_all=True)] == [74, 73, 71]
found = group.projects.list(include_subgroups=True, order_by="path", sort="asc", get_all=True)
assert [project.path for project in found] == ["app", "attic", "doomed", "wheel"]

badges = app.badges.list(get_all=True)
assert [(badge.id, badge.kind) for badge in badges] == [(1551, "project"), (1552, "project"), (1553, "group")]
assert client.projects.get(72).wikis.list(get_all=True) == []

for call, code, message in [
    (lambda: client.projects.get("umbrella/app"), 404, "404 Project Not Found"),
    (lambda: client.projects.get(75), 404, "404 Project Not Found"),
    (lambda: app.wikis.list(get_all=True), 403, "403 Forbidden"),
    (lambda: client.projects.list(order_by="stars"), 400, "order_by does not have a valid value"),
]:
    try:
        call()
        raise SystemExit(f"{message}: no error")
    except gitlab.GitlabError as error:
        assert error.response_code == code and message in str(error), error
