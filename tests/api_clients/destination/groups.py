"""A group as an entity of a migration: its pipelines, stage by stage, and the entities that it leads to."""

import git
import relations
from client import check, global_id
from projects import Project
from stages import run

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


class Group:
    """A group that is being migrated."""

    def __init__(self, migration, full_path):
        self.migration, self.source, self.full_path = migration, migration.source, full_path
        self.result = {"kind": "group"}

    def look(self):
        """What is asked before and when a group becomes an entity."""
        group = self.source.graphql(GROUP, {"full_path": self.full_path})["group"]
        check(group, f"{self.full_path} is not there")
        self.id = global_id(group, "Group")
        self.entity = f"groups/{self.id}"
        return group

    def migrate(self):
        """Runs all stages; returns the entities of the last one."""
        self.look()
        self.source.export(self.entity)
        for stage in self.stages():
            run(stage)
        projects = [
            Project(self.migration, node["full_path"], global_id(node, "Project")) for node in self.result["projects"]
        ]
        return projects + [Group(self.migration, path) for path in self.result["subgroups"]]

    def stages(self):
        version, enterprise = self.migration.version, self.migration.enterprise
        first = ["self", "namespace_settings", "labels", "milestones"]
        if version >= (18, 11):
            first.append("max_iids")
        if enterprise and version >= (15, 4):
            first.append("iterations_cadences")
        second = ["boards"]
        if enterprise:
            second.append("epics")
            if version >= (18, 4):
                second.append("epic_boards")
        more = [self.badges, self.members]
        if enterprise and version <= (15, 3):
            more.append(self.iterations)
        late = [self.uploads, self.projects] + ([self.wiki] if enterprise else [])
        return [
            [self.group],
            [self.rows(relation) for relation in first] + more,
            [self.rows(relation) for relation in second] + late,
            [self.subgroups],
        ]

    def rows(self, relation):
        def pipeline():
            content = relations.lines(self.source, self.entity, relation)
            self.migration.write(self.full_path, relation, content)

        return pipeline

    def group(self):
        self.result["group"] = self.look()
        self.source.no_status(self.entity, "group")

    def badges(self):
        self.result["badges"] = self.source.paged(f"/{self.entity}/badges")
        self.source.no_status(self.entity, "badges", or_any=True)

    def members(self):
        self.result["members"] = self.source.connection(MEMBERS, self.full_path, "portable", "members")
        self.source.no_status(self.entity, "members", or_any=True)

    def iterations(self):
        self.result["iterations"] = self.source.connection(ITERATIONS, self.full_path, "group", "iterations")

    def uploads(self):
        self.result["uploads"] = relations.uploads(self.source, self.entity)

    def projects(self):
        self.result["projects"] = self.source.connection(PROJECTS, self.full_path, "group", "projects")
        self.source.no_status(self.entity, "project_entities")

    def wiki(self):
        self.result["wiki"] = git.wiki(self.source, self.entity, self.full_path)

    def subgroups(self):
        found = self.source.paged(f"/{self.entity}/subgroups")
        for subgroup in found:
            check(subgroup["full_path"] == f"{self.full_path}/{subgroup['path']}", f"{subgroup}")
        self.result["subgroups"] = [subgroup["full_path"] for subgroup in found]
        self.source.no_status(self.entity, "subgroup_entities")
