"""Snapshots for the tests of the page: the bundled fixture's SQL, with more or worse rows in it."""

import pathlib

PROJECT = pathlib.Path(__file__).resolve().parents[2]
BACKUP = PROJECT / "fixtures/1700000000_2023_11_14_16.5.1-ee_gitlab_backup.tar"
DUMP = PROJECT / "fixtures/gitlab.sql"
PROJECTS = PROJECT / "fixtures/projects/gitlab.sql.gz"
NONE = r"\N"


class Dump:
    """The fixture's dump, to be changed."""

    def __init__(self):
        self.text = (PROJECT / "fixtures/gitlab.sql").read_text(encoding="utf-8")

    def add(self, table, rows):
        """Adds rows, given as dicts, to a table; columns that are not named stay NULL."""
        # A trap of the fixture looks like such a block, and comes earlier.
        at = self.text.rindex(f"\nCOPY public.{table} (") + 1
        begin = self.text.index("\n", at) + 1
        columns = self.text[at:begin].split("(")[1].split(")")[0].split(", ")
        lines = []
        for row in rows:
            unknown = set(row) - set(columns)
            assert not unknown, f"{table} has no {unknown}"
            lines.append("\t".join(str(row.get(column, NONE)) for column in columns) + "\n")
        self.text = self.text[:begin] + "".join(lines) + self.text[begin:]
        return self

    def replace(self, old, new):
        """Changes what must be there just once."""
        assert self.text.count(old) == 1, f"{old!r} is there {self.text.count(old)} times"
        self.text = self.text.replace(old, new)
        return self

    def groups(self, groups):
        """Adds groups: `(id, parent id or None, name, full path)`."""
        names, routes = [], []
        for number, parent, name, path in groups:
            names.append(
                {
                    "id": number,
                    "name": name,
                    "path": path.split("/")[-1],
                    "created_at": "2021-01-01 00:00:00",
                    "updated_at": "2021-01-01 00:00:00",
                    "type": "Group",
                    "membership_lock": "f",
                    "share_with_group_lock": "f",
                    "visibility_level": 0,
                    "request_access_enabled": "t",
                    "parent_id": NONE if parent is None else parent,
                    "traversal_ids": "{%d}" % number if parent is None else "{%d,%d}" % (parent, number),
                    "organization_id": 1,
                }
            )
            routes.append(
                {
                    "id": number,
                    "source_id": number,
                    "source_type": "Namespace",
                    "path": path,
                    "created_at": "2021-01-01 00:00:00",
                    "updated_at": "2021-01-01 00:00:00",
                    "name": name,
                    "namespace_id": number,
                }
            )
        return self.add("namespaces", names).add("routes", routes)

    def labels(self, group, number, first=100_000):
        """Adds many labels to a group."""
        return self.add(
            "labels",
            (
                {
                    "id": first + index,
                    "title": f"label {index}",
                    "color": "#428bca",
                    "created_at": "2021-05-04 11:25:20",
                    "updated_at": "2021-05-04 11:25:20",
                    "template": "f",
                    "description": f"What label number {index} stands for",
                    "type": "GroupLabel",
                    "group_id": group,
                    "lock_on_merge": "f",
                    "archived": "f",
                }
                for index in range(number)
            ),
        )

    def write(self, path):
        pathlib.Path(path).write_text(self.text, encoding="utf-8")
        return pathlib.Path(path)
