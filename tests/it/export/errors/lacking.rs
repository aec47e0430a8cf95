//! Tables and columns that are missing, and groups that are not there.

use super::*;

#[test]
fn a_definition_that_lacks_a_column_of_its_rows_fails_what_asks_for_the_table() {
    // Two columns run together, or one is gone. Older snapshots have none of that name, and null in its place.
    let whole = "    cached_markdown_version integer,\n    description text,\n    description_html text,\n    creator_id bigint,\n";
    for (from, to) in [
        ("integer,\n    description ", "integer,\n    descripti0n "),
        ("    description text,\n", ""),
    ] {
        let dump = edit(&dump(), whole, &edit(whole, from, to));
        let dir = Dir::new();
        let run = dir
            .export_text(&dump)
            .fails(1, &["table namespace_details", "lacks columns"]);
        assert_eq!(run.relation("self")["status"], -1);
        assert_eq!(run.relation("labels")["status"], 1);
    }
    let dump = edit(
        &dump(),
        whole,
        &edit(whole, "integer,\n", "integer\u{fffd}\n"),
    );
    Dir::new()
        .export_text(&dump)
        .fails(
            3,
            &[
                "namespace_details",
                "a table's definition cannot be understood",
            ],
        )
        .left_nothing();
}

/// The dump without a column of a table, in its definition and its data.
fn without_column(dump: &str, table: &str, column: &str) -> String {
    let from = dump
        .find(&format!("\nCREATE TABLE public.{table} ("))
        .unwrap()
        + 1;
    let end = dump[from..].find("\n);\n").unwrap() + 4;
    let definition = &dump[from..from + end];
    let line = definition
        .lines()
        .find(|line| line.trim_start().starts_with(&format!("{column} ")))
        .unwrap();
    let dump_without = edit(
        dump,
        definition,
        &edit(definition, &format!("{line}\n"), ""),
    );
    let block = copy_block(dump, table);
    let head = block.lines().next().unwrap();
    let list = &head[head.find('(').unwrap() + 1..head.rfind(')').unwrap()];
    let place = list.split(", ").position(|name| name == column).unwrap();
    let remove = |line: &str, by: &str| {
        let mut parts: Vec<&str> = line.split(by).collect();
        parts.remove(place);
        parts.join(by)
    };
    let rows: String = block
        .lines()
        .skip(1)
        .map(|row| match row {
            "\\." => "\\.\n".to_owned(),
            row => remove(row, "\t") + "\n",
        })
        .collect();
    let head = head.replace(list, &remove(list, ", "));
    edit(&dump_without, block, &format!("{head}\n{rows}"))
}

#[test]
fn a_missing_key_column_fails_its_relation() {
    let dir = Dir::new();
    let run = dir
        .export_text(&without_column(&dump(), "badges", "group_id"))
        .run();
    only_failed(&run, &["badges"], &["badges", "no column group_id"]);
}

#[test]
fn a_missing_key_column_of_a_nested_table_is_no_silent_gap() {
    let dir = Dir::new();
    let run = dir
        .export_text(&without_column(&dump(), "label_links", "target_id"))
        .run();
    only_failed(&run, &["epics"], &["label_links", "no column target_id"]);
}

#[test]
fn without_namespaces_there_is_no_group() {
    let dir = Dir::new();
    let dump = dump();
    let from = dump.find("\nCREATE TABLE public.namespaces (").unwrap();
    let end = dump[from..].find("\n);\n").unwrap() + 4;
    let without = edit(&dump, &dump[from..from + end], "\n");
    let without = edit(&without, copy_block(&without, "namespaces"), "");
    dir.export_text(&without)
        .fails(3, &["no table namespaces", "Group", "--pipeline"])
        .left_nothing();
    dir.export_text(&without_column(&dump, "namespaces", "type"))
        .fails(3, &["namespaces", "no column type"])
        .left_nothing();
}

#[test]
fn an_unknown_group_gets_the_nearest_paths_as_a_hint() {
    let dir = Dir::new();
    for snapshot in ["fixtures/gitlab.sql", "fixtures/csv"] {
        dir.export(project(snapshot))
            .group("acme/platfrom")
            .fails(
                3,
                &["no Group acme/platfrom", "nearest paths", "acme/platform"],
            )
            .left_nothing();
        // A number is an id, a project's path none of a group.
        dir.export(project(snapshot))
            .group(99)
            .fails(3, &["no Group 99"])
            .left_nothing();
        for path in ["", "/"] {
            dir.export(project(snapshot))
                .group(path)
                .fails(2, &["the name of a group is empty"])
                .left_nothing();
        }
        for path in ["acme/platform/tools", "acme/old-tools", "Ácme"] {
            dir.export(project(snapshot))
                .group(path)
                .fails(3, &["no Group"])
                .left_nothing();
        }
        // One of several is enough.
        dir.export(project(snapshot))
            .args(["--group", "acme", "--group", "nobody"])
            .fails(3, &["no Group nobody"])
            .left_nothing();
    }
}

#[test]
fn a_personal_namespace_is_no_group() {
    let dir = Dir::new();
    for snapshot in ["fixtures/gitlab.sql", "fixtures/csv"] {
        for name in ["alice", "4000", "4353"] {
            dir.export(project(snapshot))
                .group(name)
                .fails(3, &[name, "is not a Group", "name a Group instead"])
                .left_nothing();
        }
    }
}
