//! The built-in pipeline against the contract of a group export, written down once more by hand.

use crate::pipeline::*;
use crate::snapshot::TableName;

/// A node on one line: links, order, columns, keys. Node `notes` of `epics`, say, is
/// `notes[] <notes: noteable_id=id (noteable_type in Epic) | … ; except … ; computed … ; nested …`.
fn line(node: &Node) -> String {
    let mut parts = Vec::new();
    let links: Vec<String> = node.links.iter().map(link).collect();
    let via: String = node.via.iter().map(via).collect();
    parts.push(format!("{} by {}{via}", node.table, links.join(" | ")));
    if !node.order.is_empty() {
        let usual = |order: &OrderBy| order.nulls_last && !order.descending;
        assert!(node.order.iter().all(usual));
        let columns: Vec<&str> = node
            .order
            .iter()
            .map(|order| order.column.as_str())
            .collect();
        parts.push(format!("order {}", columns.join(" ")));
    }
    match &node.columns {
        Columns::Except(names) if names.is_empty() => {}
        Columns::Except(names) => parts.push(format!("except {}", names.join(" "))),
        Columns::Only(names) => parts.push(format!("only {}", names.join(" "))),
    }
    if !node.computed.is_empty() {
        let computed: Vec<String> = node.computed.iter().map(computed).collect();
        parts.push(format!("computed {}", computed.join(" ")));
    }
    parts.join("; ")
}

/// ` via board_labels by board_id=id`
fn via(via: &Via) -> String {
    let links: Vec<String> = via.links.iter().map(link).collect();
    format!(" via {} by {}", via.table, links.join(" | "))
}

/// `child=parent`; nothing on a side stands for the key of the table there.
fn link(link: &Link) -> String {
    let conditions: Vec<String> = link
        .filter
        .iter()
        .map(|condition| {
            let test = match &condition.test {
                Test::In { values, null } if values.is_empty() && *null => " null".to_owned(),
                Test::In {
                    values,
                    null: false,
                } => format!("={}", values.join("/")),
                Test::Between {
                    above: Some(bound),
                    below: None,
                } => format!(">{bound}"),
                other => panic!("{other:?}"),
            };
            format!(" {}{test}", condition.column)
        })
        .collect();
    let (child, parent) = (link.child.join(","), link.parent.join(","));
    format!("{child}={parent}{}", conditions.concat())
}

fn computed(computed: &Computed) -> String {
    let value = match &computed.value {
        ComputedValue::Column(column) => column.clone(),
        ComputedValue::Constant(json) => json.clone(),
        ComputedValue::Names { column, names } => format!("{column}:{}names", names.len()),
        ComputedValue::TextColor { column } => format!("text_color({column})"),
        ComputedValue::Lookup {
            table,
            link: by,
            column,
            without_table,
            names: None,
            without_row: None,
        } => {
            format!(
                "{table}.{column}({} else {})",
                link(by),
                without_table.as_deref().unwrap_or("null")
            )
        }
        ComputedValue::Ruled { .. }
        | ComputedValue::Of(_)
        | ComputedValue::First(_)
        | ComputedValue::Lookup { .. } => {
            panic!("no key of a group is of this kind")
        }
    };
    format!("{}={value}", computed.name)
}

/// The tree under a node, a node a line, indented.
fn tree(name: &str, node: &Node, depth: usize, lines: &mut Vec<String>) {
    let (many, ee) = (
        if node.many { "[]" } else { "" },
        if node.ee { " (ee)" } else { "" },
    );
    let indent = "  ".repeat(depth);
    lines.push(format!("{indent}{name}{many}{ee}: {}", line(node)));
    for nested in &node.nested {
        tree(&nested.name, nested, depth + 1, lines);
    }
}

fn relation(name: &str) -> Relation {
    let found = Pipeline::builtin()
        .relations
        .into_iter()
        .find(|relation| relation.name == name);
    found.unwrap_or_else(|| panic!("no relation {name}"))
}

#[track_caller]
fn assert_tree(name: &str, expected: &str) {
    let relation = relation(name);
    let Source::Rows(node) = &relation.source else {
        panic!("{name} has no rows")
    };
    let mut lines = Vec::new();
    tree(name, node, 0, &mut lines);
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    // The indentation of the first line is the test's own.
    let margin = expected[0].len() - expected[0].trim_start().len();
    let expected: Vec<&str> = expected.iter().map(|line| &line[margin..]).collect();
    assert_eq!(lines, expected, "\n{}", lines.join("\n"));
}

#[test]
fn the_relations_come_in_the_manifests_order_with_their_forms() {
    let seen: Vec<(String, bool, Form, bool)> = Pipeline::builtin()
        .relations
        .into_iter()
        .map(|relation| (relation.name, relation.ee, relation.form, relation.batched))
        .collect();
    let expected = [
        ("milestones", false, Form::Lines, true),
        ("badges", false, Form::Lines, true),
        ("labels", false, Form::Lines, true),
        ("boards", false, Form::Lines, true),
        ("members", false, Form::Lines, false),
        ("namespace_settings", false, Form::Single, false),
        ("user_contributions", false, Form::Lines, false),
        ("epics", true, Form::Lines, true),
        ("epic_boards", true, Form::Lines, true),
        ("iterations_cadences", true, Form::Lines, true),
        ("uploads", false, Form::Archive(Archive::Uploads), true),
        ("self", false, Form::Object, false),
        ("max_iids", false, Form::Object, false),
    ];
    assert_eq!(
        seen,
        expected.map(|(name, ee, form, batched)| (name.to_owned(), ee, form, batched))
    );
}

#[test]
fn milestones_badges_and_labels() {
    assert_tree("milestones", "milestones[]: milestones by group_id=key");
    assert_tree(
        "badges",
        "badges[]: badges by group_id=key type=GroupBadge; except type; computed type=type",
    );
    assert_tree(
        "labels",
        "labels[]: labels by group_id=key type=GroupLabel; except type; computed type=type textColor=text_color(color)",
    );
}

#[test]
fn boards_and_what_is_on_them() {
    assert_tree(
        "boards",
        "
boards[]: boards by group_id=key
  lists[]: lists by board_id=id; order list_type position
    label: labels by id=label_id; except type; computed type=type
    board: boards by id=board_id
    iteration (ee): sprints by id=iteration_id; only iid created_at updated_at start_date due_date group_id description
    milestone (ee): milestones by id=milestone_id
      events[]: events by target_id=id target_type=Milestone; except action; computed action=action:13names
        push_event_payload: push_event_payloads by event_id=id
  board_assignee (ee): board_assignees by board_id=id
  milestone (ee): milestones by id=milestone_id
  labels[] (ee): labels by =label_id via board_labels by board_id=id; order title; except type; computed type=type
",
    );
}

#[test]
fn a_boards_milestone_may_be_a_constant() {
    let Source::Rows(boards) = relation("boards").source else {
        panic!("boards have no rows")
    };
    let instead: Vec<_> = boards
        .nested
        .iter()
        .filter_map(|node| Some((&node.name, node.instead.as_ref()?)))
        .collect();
    let [(name, instead)] = instead.as_slice() else {
        panic!("{instead:?}")
    };
    assert_eq!(
        (name.as_str(), instead.column.as_str()),
        ("milestone", "milestone_id")
    );
    let objects: Vec<(i64, &str)> = instead
        .objects
        .iter()
        .map(|(id, json)| (*id, json.as_str()))
        .collect();
    let expected = [
        (-3, r##"{"title":"Started","name":"#started","id":-3}"##),
        (-2, r##"{"title":"Upcoming","name":"#upcoming","id":-2}"##),
        (-1, r#"{"title":"Any Milestone","name":"","id":-1}"#),
        (
            0,
            r#"{"title":"No Milestone","name":"No Milestone","id":0}"#,
        ),
    ];
    assert_eq!(objects, expected);
}

#[test]
fn members_and_settings() {
    assert_tree(
        "members",
        "
members[]: members by source_id=key source_type=Namespace type=GroupMember requested_at null access_level>5; except type
  user: users by id=user_id; only id public_email username name
",
    );
    assert_tree(
        "namespace_settings",
        "namespace_settings[]: namespace_settings by namespace_id=root; only prevent_sharing_groups_outside_hierarchy",
    );
}

#[test]
fn user_contributions_are_collected() {
    let Source::Collected(collected) = relation("user_contributions").source else {
        panic!("not collected")
    };
    let expected = "author_id assignee_id updated_by_id last_edited_by_id closed_by_id resolved_by_id created_by_id user_id \
                    owner_id merged_by_id merge_user_id latest_closed_by_id";
    assert_eq!(collected.columns.join(" "), expected);
    let except = ["users", "namespaces"].map(TableName::public);
    assert_eq!(collected.except_tables, except);
    assert_eq!(
        line(&collected.node).split(';').next(),
        Some("users by =key")
    );
    let only = ["id", "public_email", "username", "name"].map(str::to_owned);
    assert_eq!(collected.node.columns, Columns::Only(only.to_vec()));
}

#[test]
fn epics_and_their_work_items() {
    assert_tree(
        "epics",
        "
epics[]: epics by group_id=key; except state_id assignee_id external_key; computed state=state_id:2names
  parent: epics by id=parent_id
  award_emoji[]: award_emoji by awardable_id=id awardable_type=Epic | awardable_id=issue_id awardable_type=Issue
  events[]: events by target_id=id target_type=Epic | target_id=issue_id target_type=Issue/WorkItem; except action; computed action=action:13names
    push_event_payload: push_event_payloads by event_id=id
  label_links[]: label_links by target_id=id target_type=Epic | target_id=issue_id target_type=Issue
    label: labels by id=label_id; except type; computed type=type
  notes[]: notes by noteable_id=id noteable_type=Epic | noteable_id=issue_id noteable_type=Issue; except type note_html cached_markdown_version; computed type=type
    author: users by id=author_id; only name
    award_emoji[]: award_emoji by awardable_id=id awardable_type=Note
    events[]: events by target_id=id target_type=Note; except action; computed action=action:13names
      push_event_payload: push_event_payloads by event_id=id
    system_note_metadata: system_note_metadata by note_id=id
  resource_state_events[]: resource_state_events by issue_id=issue_id | epic_id=id
",
    );
}

#[test]
fn epic_boards_and_iterations() {
    assert_tree(
        "epic_boards",
        "
epic_boards[]: boards_epic_boards by group_id=key; only hide_backlog_list hide_closed_list group_id created_at updated_at name display_colors
  epic_lists[]: boards_epic_lists by epic_board_id=id; order list_type position; only created_at updated_at position list_type group_id
    label: labels by id=label_id; except type; computed type=type
",
    );
    assert_tree(
        "iterations_cadences",
        "
iterations_cadences[]: iterations_cadences by group_id=key; only group_id created_at updated_at start_date active roll_over title description
  iterations[]: sprints by iterations_cadence_id=id; only iid created_at updated_at start_date due_date group_id description
",
    );
}

#[test]
fn the_group_itself() {
    assert_tree(
        "self",
        "self[]: namespaces by id=key type=Group; except owner_id updated_at runners_token runners_token_encrypted \
         saml_discovery_token trial_ends_on extra_shared_runners_minutes_limit repository_size_limit max_pages_size \
         file_template_project_id custom_project_templates_group_id type description description_html \
         cached_markdown_version; computed description=namespace_details.description(namespace_id=id else description) \
         emails_enabled=namespace_settings.emails_enabled(namespace_id=id else null)",
    );
    let Source::Maxima(maxima) = relation("max_iids").source else {
        panic!("no maxima")
    };
    let seen: Vec<String> = maxima
        .iter()
        .map(|m| {
            format!(
                "{} {} {}.{} {}",
                m.name,
                m.ee,
                m.table,
                m.column,
                link(&m.link)
            )
        })
        .collect();
    let expected = [
        "group_milestones false milestones.iid group_id=key",
        "epics true epics.iid group_id=key",
        "iterations true sprints.iid group_id=key",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn values_that_are_not_what_the_column_holds() {
    let pipeline = Pipeline::builtin();
    let value =
        |table: &str, column: &str| &pipeline.tables[&TableName::public(table)].values[column];
    let names = |list: &[(i64, &str)]| {
        ValueRule::Names(
            list.iter()
                .map(|(n, name)| (*n, (*name).to_owned()))
                .collect(),
        )
    };
    let lists = [
        (0, "backlog"),
        (1, "label"),
        (2, "closed"),
        (3, "assignee"),
        (4, "milestone"),
        (5, "iteration"),
        (6, "status"),
    ];
    assert_eq!(*value("lists", "list_type"), names(&lists));
    assert_eq!(*value("boards_epic_lists", "list_type"), names(&lists[..3]));
    assert_eq!(
        *value("push_event_payloads", "action"),
        names(&[(0, "created"), (1, "removed"), (2, "pushed")])
    );
    assert_eq!(
        *value("push_event_payloads", "ref_type"),
        names(&[(0, "branch"), (1, "tag")])
    );
    let states = [
        (1, "opened"),
        (2, "closed"),
        (3, "merged"),
        (4, "locked"),
        (5, "reopened"),
    ];
    assert_eq!(*value("resource_state_events", "state"), names(&states));
    assert_eq!(
        *value("labels", "color"),
        ValueRule::NullAs("\"#6699cc\"".to_owned())
    );
    assert_eq!(
        *value("epics", "color"),
        ValueRule::NullAs("\"#1068bf\"".to_owned())
    );
    assert_eq!(
        *value("notes", "last_edited_at"),
        ValueRule::NullAsColumn("updated_at".to_owned())
    );
    let text = |text: &str| TemplatePart::Text(text.to_owned());
    let column = |name: &str| TemplatePart::Column(name.to_owned());
    let template = vec![
        text("/uploads/-/system/group/avatar/"),
        column("id"),
        text("/"),
        column("avatar"),
    ];
    assert_eq!(
        *value("namespaces", "avatar"),
        ValueRule::Object {
            field: "url".to_owned(),
            template
        }
    );
    let ValueRule::Names(imported) = &pipeline.everywhere["imported_from"] else {
        panic!("no names")
    };
    let imported: Vec<&str> = imported.values().map(String::as_str).collect();
    let expected = "none gitlab_migration gitlab_project gitlab_group github bitbucket bitbucket_server fogbugz gitea git \
                    manifest custom_template jira offline_transfer";
    assert_eq!(imported.join(" "), expected);
    assert_eq!(
        (
            pipeline.everywhere["imported_from"].clone(),
            pipeline.everywhere.len()
        ),
        (names_of(expected), 1)
    );
    let key = |column: &str| TableKey::Columns(vec![column.to_owned()]);
    for (table, expected) in [
        ("push_event_payloads", key("event_id")),
        ("namespace_settings", key("namespace_id")),
        ("namespace_details", key("namespace_id")),
        ("epics", TableKey::NotSaid),
        ("members", TableKey::NotSaid),
    ] {
        assert_eq!(
            *pipeline.key_of(&TableName::public(table)),
            expected,
            "{table}"
        );
    }
}

/// Names that count from 0.
fn names_of(names: &str) -> ValueRule {
    ValueRule::Names((0..).zip(names.split(' ').map(str::to_owned)).collect())
}

#[test]
fn events_and_epics_have_their_names() {
    let Source::Rows(epics) = relation("epics").source else {
        panic!("epics have no rows")
    };
    let events = epics
        .nested
        .iter()
        .find(|node| node.name == "events")
        .unwrap();
    let ComputedValue::Names { names, .. } = &events.computed[0].value else {
        panic!("{events:?}")
    };
    let expected = "created updated closed reopened pushed commented merged joined left destroyed expired approved transferred";
    let seen: Vec<(i64, &str)> = names.iter().map(|(n, name)| (*n, name.as_str())).collect();
    assert_eq!(seen, (1..).zip(expected.split(' ')).collect::<Vec<_>>());
    let ComputedValue::Names { names, .. } = &epics.computed[0].value else {
        panic!("{epics:?}")
    };
    assert_eq!(
        names
            .iter()
            .map(|(n, name)| (*n, name.as_str()))
            .collect::<Vec<_>>(),
        [(1, "opened"), (2, "closed")]
    );
}

#[test]
fn groups_are_found_by_number_and_path() {
    let pipeline = Pipeline::builtin();
    let equals = |column: &str, value: &str| {
        vec![Condition {
            column: column.to_owned(),
            test: Test::In {
                values: vec![value.to_owned()],
                null: false,
            },
        }]
    };
    let some = |text: &str| Some(text.to_owned());
    let path = |table: &str, former| PathLookup {
        table: TableName::public(table),
        key: "source_id".to_owned(),
        path: "path".to_owned(),
        filter: equals("source_type", "Namespace"),
        former,
    };
    let expected = Entity {
        kind: "Group".to_owned(),
        table: TableName::public("namespaces"),
        key: some("id"),
        schemas: None,
        filter: equals("type", "Group"),
        prefix: "group_{key}".to_owned(),
        name: some("name"),
        parent: some("parent_id"),
        ancestors: some("traversal_ids"),
        segment: some("path"),
        path: Vec::new(),
        paths: vec![path("routes", false), path("redirect_routes", true)],
        within: None,
        leave_out: Vec::new(),
        shown: Vec::new(),
    };
    assert_eq!(
        (pipeline.name.as_str(), pipeline.entity),
        ("group", expected)
    );
    assert_eq!(pipeline.sha256.len(), 64);
}
