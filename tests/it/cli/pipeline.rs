//! `relexport pipeline`.

use std::fs;

use crate::support::*;

#[test]
fn the_built_in_pipeline_is_shown_and_is_right() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("mine.yml");
    let shown = relexport("pipeline show").prints();
    assert_eq!(
        shown,
        fs::read_to_string(project("pipelines/group.yml")).unwrap()
    );
    fs::write(&file, shown).unwrap();
    let file = file.display();
    assert_eq!(
        relexport(&format!("pipeline check {file}")).prints(),
        format!("{file}: nothing is wrong\n")
    );
    for snapshot in SNAPSHOTS {
        relexport(&format!("pipeline check {file} --snapshot {snapshot}")).prints();
    }
}

#[test]
fn built_in_pipelines_are_shown_by_name() {
    for name in ["group", "project"] {
        let text = fs::read_to_string(project(&format!("pipelines/{name}.yml"))).unwrap();
        assert_eq!(
            relexport(&format!("pipeline show {name}")).prints(),
            text,
            "{name}"
        );
    }
    assert_eq!(
        relexport("pipeline show projects").err(2),
        "error: there is no built-in pipeline projects\n  there are: group, project\n"
    );
}

#[test]
fn without_a_file_all_built_in_pipelines_are_checked() {
    let right =
        "built-in pipeline group: nothing is wrong\nbuilt-in pipeline project: nothing is wrong\n";
    assert_eq!(relexport("pipeline check").prints(), right);
    let check = format!("pipeline check --snapshot {PROJECTS}");
    let text = relexport(&check).prints();
    for line in text.lines() {
        let is_told = ["group", "project"].iter().any(|name| {
            let rest = line.strip_prefix(&format!("built-in pipeline {name}: "));
            rest.is_some_and(|rest| rest.starts_with("note: ") || rest == "nothing is wrong")
        });
        assert!(is_told, "{line}");
    }
    let json = relexport(&format!("{check} --json")).json();
    assert_eq!(json["ok"], true);
    let names = json["findings"].as_array().unwrap().iter();
    let names: Vec<&str> = names
        .map(|finding| finding["pipeline"].as_str().unwrap())
        .collect();
    assert!(names.is_sorted() && names.contains(&"group") && names.contains(&"project"));
}

#[test]
fn built_in_pipelines_are_held_against_what_the_snapshot_has_entities_of() {
    let dir = Dir::new();
    let dump = fs::read_to_string(project(DUMP)).unwrap();
    // The statements of the table of projects are those of another table.
    dir.write(
        "groups.sql",
        dump.replace("public.projects", "public.plans"),
    );
    let ran = dir.relexport("pipeline check --snapshot groups.sql").ok();
    let told = "built-in pipeline project: note: entity: the snapshot has no table projects: the pipeline is not held against it\n";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    assert!(!ran.stdout.contains("pipeline project: note: relations"));
    // If it has nothing of any of them, that is an error.
    dir.write("shop.sql", "CREATE TABLE public.shops (id bigint);\n");
    let ran = dir.relexport("pipeline check --snapshot shop.sql").run();
    assert_eq!(ran.code, Some(1));
    for error in [
        "built-in pipeline group: error: entity: ",
        "built-in pipeline project: error: entity: ",
    ] {
        assert!(ran.stdout.contains(error), "{}", ran.stdout);
    }
}

#[test]
fn mistakes_are_told_with_their_lines() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("mine.yml");
    let right = relexport("pipeline show").prints();
    let line = right.lines().position(|line| line == "  members:").unwrap();
    fs::write(&file, right.replace("\n  members:\n", "\n  Mem bers:\n")).unwrap();
    let ran = relexport(&format!("pipeline check {}", file.display())).run();
    assert_eq!(ran.code, Some(1));
    let begin = format!("{}:{}:3: ", file.display(), line + 1);
    assert!(ran.stdout.starts_with(&begin), "{}", ran.stdout);
    let ran = relexport(&format!("pipeline check {} --json", file.display())).run();
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["mistakes"][0]["line"], line + 1);
    assert_eq!(json["mistakes"][0]["column"], 3);
}

#[test]
fn a_table_that_the_snapshot_lacks_is_found() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("mine.yml");
    let wrong = relexport("pipeline show").prints().replace(
        "\n    link: { source_id: key }",
        "\n    link: { no_such_id: key }",
    );
    fs::write(&file, wrong).unwrap();
    let ran = relexport(&format!(
        "pipeline check {} --snapshot {DUMP} --json",
        file.display()
    ))
    .run();
    assert_eq!(ran.code, Some(1));
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = json["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|finding| finding["severity"] == "error")
        .unwrap();
    assert_eq!(found["place"], "relations > members");
}

#[test]
fn the_schema_is_json_schema() {
    let schema = relexport("pipeline schema").json();
    assert!(jsonschema::validator_for(&schema).is_ok());
}

#[test]
fn a_file_that_cannot_be_read_is_wrong_usage() {
    let error = relexport("pipeline check nothing-here.yml").err(2);
    assert_eq!(
        error,
        "error: cannot read the pipeline nothing-here.yml: No such file or directory (os error 2)\n  \
         `relexport pipeline show` prints one to begin with\n"
    );
}

#[test]
fn a_primary_key_that_is_another_than_the_declared_one_is_found() {
    let temp = tempfile::tempdir().unwrap();
    let (pipeline, dump) = (temp.path().join("mine.yml"), temp.path().join("dump.sql"));
    let shop = "pipeline: shop\nentity: { kind: Shop, table: shops, prefix: 'shop_{key}' }\n\
        relations:\n  tasks: { table: tasks, link: { shop_id: key } }\n";
    fs::write(&pipeline, shop).unwrap();
    let text = "CREATE TABLE public.shops (id bigint);\nCREATE TABLE public.tasks (id bigint, shop_id bigint);\n\
        COPY public.tasks (id, shop_id) FROM stdin;\n1\t1\n\\.\n\
        ALTER TABLE ONLY public.tasks ADD CONSTRAINT tasks_pkey PRIMARY KEY (shop_id, id);\n";
    fs::write(&dump, text).unwrap();
    let check = format!(
        "pipeline check {} --snapshot {}",
        pipeline.display(),
        dump.display()
    );
    let ran = relexport(&check).run();
    assert_eq!(ran.code, Some(1));
    let expected = "error: relations > tasks: table tasks: the pipeline tells its rows apart by id, but its primary key \
        is (shop_id, id), so rows may share a value of id; declare the primary key, or other columns that are \
        unique, as the table's key\n";
    assert_eq!(ran.stdout, expected);
    // What stands behind the rows of a dump that is cut off is not known.
    fs::write(&dump, &text[..text.find("\\.").unwrap()]).unwrap();
    let ran = relexport(&check).run();
    assert_eq!(ran.code, Some(1));
    let begin = "warning: snapshot: primary keys that stand behind the rows are not known: ";
    assert!(ran.stdout.starts_with(begin), "{}", ran.stdout);
    fs::write(&dump, text.replace("(shop_id, id)", "(id)")).unwrap();
    assert!(relexport(&check).prints().ends_with("nothing is wrong\n"));
}

#[test]
fn a_first_pipeline_is_made_from_a_snapshot() {
    let dir = Dir::new();
    let text = "CREATE TABLE app.shops (id bigint);\nCREATE TABLE app.tasks (id bigint, shop_id bigint);\n\
        COPY app.tasks (id, shop_id) FROM stdin;\n1\t1\n\\.\n\
        ALTER TABLE ONLY app.shops ADD CONSTRAINT shops_pkey PRIMARY KEY (id);\n\
        ALTER TABLE ONLY app.tasks ADD CONSTRAINT fk FOREIGN KEY (shop_id) REFERENCES app.shops(id) ON DELETE CASCADE;\n";
    dir.write("dump.sql", text);
    let init = "pipeline init --snapshot dump.sql --entity app.shops";
    let made = dir.relexport(init).prints();
    let task = "\n  tasks:\n    table: tasks\n    link: { shop_id: key }\n";
    assert!(
        made.contains("\n  kind: Shop\n") && made.contains(task),
        "{made}"
    );
    let named = dir.relexport(&format!("{init} --kind Store")).prints();
    assert!(named.contains("\n  kind: Store\n"), "{named}");
    dir.relexport(&format!("{init} --out shops.yml")).ok();
    assert_eq!(fs::read_to_string(dir.join("shops.yml")).unwrap(), made);
    // A file that is there is somebody's work.
    let error = dir.relexport(&format!("{init} --out shops.yml")).err(4);
    assert!(
        error.contains("cannot make shops.yml: File exists"),
        "{error}"
    );
    let error = dir
        .relexport("pipeline init --snapshot dump.sql --entity shops")
        .err(3);
    assert_eq!(
        error,
        "error: dump.sql: the snapshot has no table shops\n  it has app.shops\n"
    );
    // What stands behind the rows of a dump that is cut off is not known.
    dir.write("dump.sql", &text[..text.find("\\.").unwrap()]);
    let error = dir.relexport(init).err(3);
    assert!(error.contains("the dump ends early"), "{error}");
}

#[test]
fn keys_that_stand_behind_the_rows_of_a_dump_are_those_that_links_refer_to() {
    let temp = tempfile::tempdir().unwrap();
    let (pipeline, dump) = (temp.path().join("mine.yml"), temp.path().join("dump.sql"));
    let tags = "pipeline: shop\nentity: { kind: Shop, table: shops, prefix: 'shop_{key}' }\nrelations:\n  \
        tags: { table: tags, through: { table: shop_tags, to: tag }, link: { shop_id: key } }\n";
    fs::write(&pipeline, tags).unwrap();
    let text = "CREATE TABLE public.shops (id uuid);\nCREATE TABLE public.tags (slug text);\n\
        CREATE TABLE public.shop_tags (id bigint, shop_id uuid, tag character varying(9));\n\
        COPY public.tags (slug) FROM stdin;\nred\n\\.\n\
        ALTER TABLE ONLY public.tags ADD CONSTRAINT tags_pkey PRIMARY KEY (slug);\n";
    fs::write(&dump, text).unwrap();
    let check = format!(
        "pipeline check {} --snapshot {}",
        pipeline.display(),
        dump.display()
    );
    let note = "note: relations > tags: a link is to the key of table tags, (slug), which the snapshot states and the \
        pipeline does not; a plain dump states it too late, behind its rows\n";
    assert_eq!(
        relexport(&check).prints(),
        format!("{note}{}: nothing is wrong\n", pipeline.display())
    );
    fs::write(&dump, text.replace("shop_id uuid", "shop_id text")).unwrap();
    let ran = relexport(&check).run();
    assert_eq!(ran.code, Some(1));
    let error = "error: relations > tags: column shop_id of table shop_tags (text) cannot be linked to the key of the \
        Shop (uuid): PostgreSQL has no operator text = uuid\n";
    assert_eq!(ran.stdout, format!("{note}{error}"));
}

#[test]
fn a_pipeline_of_schemas_is_held_against_each_of_them() {
    let temp = tempfile::tempdir().unwrap();
    let (pipeline, dump) = (temp.path().join("mine.yml"), temp.path().join("dump.sql"));
    let crm = "pipeline: crm\nentity: { kind: Tenant, schema: 'tenant_*', table: settings, prefix: '{key}' }\n\
        relations: { contacts: { table: contacts, where: { kind: [null, person] } } }\n";
    fs::write(&pipeline, crm).unwrap();
    let text = "CREATE TABLE tenant_1.settings (id bigint);\nCREATE TABLE tenant_2.settings (id bigint);\n\
        CREATE TABLE tenant_1.contacts (id bigint, kind text);\nCREATE TABLE tenant_2.contacts (id bigint);\n";
    fs::write(&dump, text).unwrap();
    let check = format!(
        "pipeline check {} --snapshot {}",
        pipeline.display(),
        dump.display()
    );
    let ran = relexport(&check).run();
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.stdout,
        "note: entity: 2 schemas are entities; what is found in several is told of the first one, as of tenant_1\n\
         error: relations > contacts: a condition needs column kind, which table tenant_2.contacts does not have\n"
    );
    fs::write(&dump, text.replace("tenant_2", "staff")).unwrap();
    assert!(relexport(&check).prints().ends_with("nothing is wrong\n"));
}
