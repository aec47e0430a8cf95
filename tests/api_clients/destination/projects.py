"""A project as an entity of a migration: its pipelines, stage by stage."""

import json
import re
import threading

import git
import relations
from client import check, global_id
from stages import run

PROJECT = """
query($full_path: ID!) {
  project(fullPath: $full_path) {
    id
    name
    visibility
    created_at: createdAt
  }
}
"""

MEMBERS = """
query($full_path: ID!, $cursor: String, $per_page: Int) {
  portable: project(fullPath: $full_path) {
    members: projectMembers(
      relations: [DIRECT INHERITED INVITED_GROUPS SHARED_INTO_ANCESTORS], first: $per_page, after: $cursor
    ) {
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

SNIPPETS = """
query($full_path: ID!) {
  project(fullPath: $full_path) {
    snippets {
      page_info: pageInfo { next_page: endCursor has_next_page: hasNextPage }
      nodes { title createdAt httpUrlToRepo }
    }
  }
}
"""

# The name of the branch that snippets must have: the destination's default for new ones.
SNIPPET_BRANCH = "main"


class Project:
    """A project that is being migrated."""

    def __init__(self, migration, full_path, number=None):
        self.migration, self.source, self.full_path, self.id = migration, migration.source, full_path, number
        self.result = {"kind": "project"}
        self.created_snippets = []
        self.lock = threading.Lock()

    @property
    def entity(self):
        return f"projects/{self.id}"

    def look(self):
        project = self.source.graphql(PROJECT, {"full_path": self.full_path})["project"]
        check(project, f"{self.full_path} is not there")
        number = global_id(project, "Project")
        check(self.id in (None, number), f"{self.full_path}: {project['id']}")
        self.id = number
        check(project["name"] is not None, f"{self.full_path} has no name")
        return project

    def migrate(self):
        """Runs all stages; no entities come of a project."""
        if self.id is None:
            self.look()
        self.source.export(self.entity)
        for stage in self.stages():
            run(stage)
        return []

    def stages(self):
        version, enterprise, is_new = self.migration.version, self.migration.enterprise, self.source.release >= (19, 0)
        ee = ["push_rule"] if enterprise else []
        notes = ["commit_notes"] if version >= (15, 10) else []
        iids = [self.rows("max_iids")] if version >= (18, 11) and is_new else []
        attributes = [self.rows("self")]
        return [
            [self.project],
            [*iids, self.repository, self.members] + ([] if is_new else attributes),
            [self.rows("labels"), self.rows("milestones"), self.badges] + (attributes if is_new else []),
            [self.rows("issues"), self.snippets],
            [
                self.snippets_repository,
                *map(
                    self.rows,
                    [
                        "boards",
                        "merge_requests",
                        "external_pull_requests",
                        "protected_branches",
                        "project_feature",
                        "container_expiration_policy",
                        "service_desk_setting",
                        "releases",
                        *ee,
                    ],
                ),
            ],
            [
                self.uploads,
                self.lfs_objects,
                self.design,
                self.wiki,
                self.references,
                *map(self.rows, ["ci_pipelines", "auto_devops", "pipeline_schedules", *notes]),
            ],
            [self.rows("vulnerabilities")] if enterprise and version >= (17, 7) else [],
        ]

    def rows(self, relation):
        def pipeline():
            content = relations.lines(self.source, self.entity, relation)
            self.migration.write(self.full_path, relation, content)

        return pipeline

    def project(self):
        self.result["project"] = self.look()
        self.source.no_status(self.entity, "project")

    def repository(self):
        self.result["repository"] = self.clone("repository")

    def design(self):
        self.result["design"] = self.clone("design")

    def clone(self, relation):
        bundle = relations.bundle(self.source, self.entity, relation)
        return None if bundle is None else git.cloned(bundle)

    def members(self):
        self.result["members"] = self.source.connection(MEMBERS, self.full_path, "portable", "members")
        self.source.no_status(self.entity, "members")

    def badges(self):
        found = self.source.paged(f"/{self.entity}/badges")
        self.result["badges"] = [badge for badge in found if badge["kind"] != "group"]
        self.source.no_status(self.entity, "badges")

    def snippets(self):
        content = relations.lines(self.source, self.entity, "snippets")
        self.migration.write(self.full_path, "snippets", content)
        for line in content.splitlines():
            snippet = json.loads(line)
            created_at = snippet["created_at"] and re.sub(r"\.\d+Z$", "Z", snippet["created_at"])
            self.created_snippets.append((snippet["title"], created_at))

    def snippets_repository(self):
        """Repositories of the snippets that the rows made, found by title and second."""
        # The query declares one variable, and more are sent.
        variables = {"full_path": self.full_path, "cursor": None, "per_page": 500}
        found = self.source.graphql(SNIPPETS, variables)["project"]["snippets"]
        self.source.no_status(self.entity, "snippets_repository")
        self.result["snippets"] = {}
        if found is None:
            return
        check(not found["page_info"]["has_next_page"], "the client would ask for the same page for ever")
        for node in found["nodes"]:
            known = (node["title"], node["createdAt"]) in self.created_snippets
            check(known, f"{self.full_path}: no snippet is {node['title']} of {node['createdAt']}")
            if not node["httpUrlToRepo"]:
                continue
            fetched = git.fetched(node["httpUrlToRepo"], self.source.token, SNIPPET_BRANCH)
            refs = [line.split()[1] for line in fetched["refs"].splitlines()]
            branches = [ref for ref in refs if ref.startswith("refs/heads/")]
            check(branches == [f"refs/heads/{SNIPPET_BRANCH}"], f"{node['title']}: {branches}")
            check(not any(ref.startswith("refs/tags/") for ref in refs), f"{node['title']}: tags")
            check(1 <= fetched["files"] <= 10, f"{node['title']}: {fetched['files']} files")
            self.result["snippets"][node["title"]] = fetched

    def uploads(self):
        self.result["uploads"] = relations.uploads(self.source, self.entity)

    def lfs_objects(self):
        self.result["lfs_objects"] = relations.lfs_objects(self.source, self.entity)

    def wiki(self):
        self.result["wiki"] = git.wiki(self.source, self.entity, self.full_path)

    def references(self):
        self.source.no_status(self.entity, "references")
