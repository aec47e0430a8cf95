//! The language of pipelines over small tables: what it says of values, of rows that lie over others and of rows that are
//! not there. Expected records are written by hand; dumps, rows moved out of memory, archives and a server give the same.

use crate::support::server::*;
use crate::support::*;
use serde_json::json;

/// Tenant 1 is exported.
const TENANTS: &str =
    "CREATE TABLE tenants (id bigint PRIMARY KEY);\nINSERT INTO tenants VALUES (1), (2);\n";

const TOP: &str = "pipeline: small\nentity: { kind: Tenant, table: tenants, prefix: 't_{key}' }\n";

/// Exports tenant 1 from every kind of snapshot of a database that this SQL makes, and compares its files.
fn expect(sql: &str, pipeline: &str, arguments: &[&str], files: &[(&str, &str)]) {
    let (dir, database) = (Dir::new(), Server::shared().database());
    database.load(&dir.write("tables.sql", format!("{TENANTS}{sql}")));
    let pipeline = dir.write("small.yml", format!("{TOP}{pipeline}"));
    let want = files
        .iter()
        .map(|(name, content)| (format!("t_1/{name}.gz"), content.as_bytes().to_vec()))
        .collect();
    let plain = dir.write("plain.sql", database.dump(&[]));
    let archive = dir.write("archive", database.dump(&["-Fc"]));
    let address = database.address();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let mut first = None;
    for (name, snapshot, memory) in [
        ("plain", path(&plain), "512MiB"),
        ("spilled", path(&plain), "0"),
        ("archive", path(&archive), "512MiB"),
        ("live", address.clone(), "512MiB"),
        ("live spilled", address, "0"),
    ] {
        let run = dir
            .export_to(snapshot, dir.join(&format!("out {name}")))
            .option("--pipeline", &pipeline)
            .group(1)
            .args(["--memory-limit", memory])
            .args(arguments)
            .ok();
        assert_same_files(name, &run.contents(), &want);
        for entry in run.relations() {
            assert_eq!(entry["status"], 1, "{name}: {entry}");
        }
        // What the manifest says of values is the same, too.
        let noted = |run: &Run| {
            let entries = run.relations().into_iter();
            let noted = entries.map(|entry| {
                let part = |key: &str| entry.get(key).cloned();
                (part("unreadable_values"), part("missing_files"))
            });
            noted.collect::<Vec<_>>()
        };
        let noted = noted(&run);
        assert_eq!(*first.get_or_insert_with(|| noted.clone()), noted, "{name}");
    }
}

const COMMITS: &str = "
    CREATE TABLE authors (id bigint PRIMARY KEY, name text);
    CREATE TABLE teams (id bigint PRIMARY KEY, author_id bigint, title text);
    CREATE TABLE diffs (id bigint PRIMARY KEY, tenant_id bigint, project_id bigint);
    CREATE TABLE commits (diff_id bigint, pos integer, sha text, author_id bigint, meta_id bigint, project_id bigint,
        PRIMARY KEY (diff_id, pos));
    CREATE TABLE metas (id bigint, project_id numeric, sha text, author_id bigint, message text,
        PRIMARY KEY (id, project_id));
    INSERT INTO authors VALUES (10, 'own'), (11, 'of meta'), (12, 'decoy'), (13, 'decoy too');
    INSERT INTO teams VALUES (1, 10, 'owners'), (2, 11, 'metas'), (3, 12, 'decoys');
    INSERT INTO diffs VALUES (100, 1, 7), (101, 1, NULL), (200, 2, 7);
    INSERT INTO commits VALUES
        (100, 1, 'a1', 10, NULL, 7), (100, 2, 'a2', 12, 50, NULL), (100, 3, 'a3', 12, 51, 8), (100, 4, 'a4', 10, 99, 7),
        (100, 5, 'a5', NULL, 50, 8), (101, 1, 'b1', 10, 50, NULL), (200, 1, 'decoy', 13, 50, 7);
    INSERT INTO metas VALUES (50, 7.0, 'm50', 11, E'tab\\there'), (50, 9, 'decoy', 12, 'decoy'), (51, 8.00, NULL, NULL, NULL);
    CREATE INDEX ON diffs (tenant_id);
    CREATE INDEX ON teams (author_id);
";

/// The columns of what lies over a row are its own in everything: what is written, what is nested by them at any distance,
/// and what rows further in ask of it. What must match is equal as numbers are.
#[test]
fn rows_lie_over_others() {
    let pipeline = "
tables: { commits: { key: [diff_id, pos] }, metas: { key: [id, project_id] } }
relations:
  diffs:
    table: diffs
    link: { tenant_id: key }
    only: [id]
    computed: { first: { of: commits.author.name }, message: { of: commits.meta.message } }
    nested:
      commits:
        many: commits
        link: { diff_id: id }
        only: [pos, sha]
        overlay: { nested: meta, columns: [sha, author_id] }
        computed: { mark: { column: sha, value: [{ when: { sha: null }, constant: none }, { text: '<{sha}>' }] } }
        nested:
          author:
            one: authors
            link: { id: author_id }
            only: [name]
            computed: { of: { column: name, value: [{ when: { commits.sha: { like: 'm%' } }, text: 'M {commits.sha}' }] } }
          meta:
            one: metas
            link: { id: meta_id }
            match: { project_id: [project_id, diffs.project_id] }
            only: [message]
          teams:
            many: teams
            link: { id: id }
            via: [{ table: teams, link: { author_id: author_id } }]
            only: [title]
  authors: { table: authors, only: [id], collected: { columns: [author_id], except_tables: [authors, teams] } }
";
    let diffs = concat!(
        r#"{"id":100,"first":"own","message":null,"commits":["#,
        r#"{"pos":1,"sha":"a1","mark":"\u003ca1\u003e","author":{"name":"own","of":"own"},"teams":[{"title":"owners"}]},"#,
        // The project is that of the diff, and 7 is 7.0.
        r#"{"pos":2,"sha":"m50","mark":"\u003cm50\u003e","author":{"name":"of meta","of":"M m50"},"#,
        r#""meta":{"message":"tab\there"},"teams":[{"title":"metas"}]},"#,
        // NULLs lie over the row, too.
        r#"{"pos":3,"sha":null,"mark":"none","meta":{"message":null},"teams":[]},"#,
        // There is no row of that number.
        r#"{"pos":4,"sha":"a4","mark":"\u003ca4\u003e","author":{"name":"own","of":"own"},"teams":[{"title":"owners"}]},"#,
        // There is one, of another project.
        r#"{"pos":5,"sha":"a5","mark":"\u003ca5\u003e","teams":[]}]}"#,
        "\n",
        // Neither the commit nor its diff has a project, so that nothing matches.
        r#"{"id":101,"first":"own","message":null,"commits":["#,
        r#"{"pos":1,"sha":"b1","mark":"\u003cb1\u003e","author":{"name":"own","of":"own"},"teams":[{"title":"owners"}]}]}"#,
        "\n",
    );
    // Nobody is collected from what lies under another row.
    let authors = "{\"id\":10}\n{\"id\":11}\n";
    expect(
        COMMITS,
        pipeline,
        &[],
        &[("diffs.ndjson", diffs), ("authors.ndjson", authors)],
    );
}

const THINGS: &str = "
    CREATE TABLE authors (id bigint PRIMARY KEY, name text);
    CREATE TABLE kinds (id bigint PRIMARY KEY, code integer);
    CREATE TABLE things (id bigint PRIMARY KEY, tenant_id bigint, kind integer, author_id bigint, cfg text,
        grade integer);
    CREATE TABLE parts (id bigint PRIMARY KEY, thing_id bigint, cfg text);
    CREATE TABLE pieces (id bigint PRIMARY KEY, part_id bigint, name text);
    INSERT INTO authors VALUES (10, 'ann'), (11, NULL);
    INSERT INTO kinds VALUES (1, 7), (2, 8), (3, NULL);
    INSERT INTO things VALUES (1, 1, 1, 10, 'a: 1', 4), (2, 1, 2, 10, 'a: [', NULL), (3, 1, 3, 11, NULL, NULL),
        (4, 1, 9, NULL, 'x', 3), (5, 1, NULL, NULL, 'a: !foo x', NULL), (6, 2, 1, 10, 'a: [', NULL);
    INSERT INTO parts VALUES (2, 1, 'b: 2'), (1, 1, 'b: ['), (3, 2, NULL);
    INSERT INTO pieces VALUES (1, 2, 'decoy'), (2, 1, 'first'), (3, 1, 'second');
    CREATE INDEX ON things (tenant_id);
";

/// Keys of nested rows, the first value of several, and a key that is left out: what is noted is noted once.
#[test]
fn values_come_from_elsewhere() {
    let pipeline = "
relations:
  things:
    table: things
    link: { tenant_id: key }
    only: [id]
    computed:
      type:
        first:
          - { lookup: kinds, link: { id: kind }, column: code, names: { 7: seven } }
          - { column: kind, value: { names: { 9: nine }, null_as: zero } }
          - { lookup: gone_table, link: { id: kind }, column: name }
          - { lookup: authors, link: { id: author_id }, column: name }
        object: name
        last: true
        unless_null: true
      part: { of: parts.cfg }
      piece: { of: parts.pieces.name }
      late: { of: parts.late }
      none: { of: gone.authors.name }
      missing: { of: gone.x }
      cfg: { column: cfg, value: { yaml: { root: mapping } } }
      level: { first: [{ column: grade, names: { 3: three } }] }
    nested:
      parts:
        many: parts
        link: { thing_id: id }
        only: [id, cfg]
        values: { cfg: { yaml: { root: mapping } } }
        computed: { late: { column: id, last: true } }
        nested: { pieces: { many: pieces, link: { part_id: id }, only: [name] } }
      gone: { one: gone_table, link: { id: kind }, nested: { authors: { one: authors, link: { id: x } } } }
";
    let things = concat!(
        r#"{"id":1,"part":null,"piece":"first","late":1,"none":null,"missing":null,"cfg":{"a":1},"level":null,"parts":["#,
        r#"{"id":1,"cfg":null,"pieces":[{"name":"first"},{"name":"second"}],"late":1},"#,
        r#"{"id":2,"cfg":{"b":2},"pieces":[{"name":"decoy"}],"late":2}],"type":{"name":"seven"}}"#,
        "\n",
        // 8 and 2 have no names; the author has one.
        r#"{"id":2,"part":null,"piece":null,"late":3,"none":null,"missing":null,"cfg":null,"level":null,"parts":["#,
        r#"{"id":3,"cfg":null,"pieces":[],"late":3}],"type":{"name":"ann"}}"#,
        "\n",
        r#"{"id":3,"part":null,"piece":null,"late":null,"none":null,"missing":null,"cfg":null,"level":null,"parts":[]}"#,
        "\n",
        r#"{"id":4,"part":null,"piece":null,"late":null,"none":null,"missing":null,"cfg":null,"level":"three","parts":[],"#,
        r#""type":{"name":"nine"}}"#,
        "\n",
        r#"{"id":5,"part":null,"piece":null,"late":null,"none":null,"missing":null,"cfg":null,"level":null,"parts":[],"#,
        r#""type":{"name":"zero"}}"#,
        "\n",
    );
    expect(THINGS, pipeline, &[], &[("things.ndjson", things)]);
    let (dir, value) = (
        Dir::new(),
        |table: &str, key: i64, column: &str, reason: &str| json!({ "table": table, "key": key, "column": column, "reason": reason }),
    );
    let database = Server::shared().database();
    database.load(&dir.write("tables.sql", format!("{TENANTS}{THINGS}")));
    let pipeline = dir.write("small.yml", format!("{TOP}{pipeline}"));
    let run = dir
        .export(database.address())
        .option("--pipeline", &pipeline)
        .group(1)
        .ok();
    let no_mapping = "the text, or what a tag in it stands for, is not a mapping";
    let noted = [
        value("parts", 1, "cfg", "the text is not valid YAML"),
        value("things", 2, "cfg", "the text is not valid YAML"),
        value(
            "things",
            3,
            "type",
            "there is no value, and the key is left out",
        ),
        value("things", 4, "cfg", no_mapping),
        value(
            "things",
            5,
            "cfg",
            "the text holds a tag that is not accepted",
        ),
    ];
    let got = run.relation("things")["unreadable_values"].clone();
    assert_eq!(got, json!({ "count": noted.len(), "first": noted }));
    // A row that is left out takes with it what was noted of it.
    let dump = String::from_utf8(database.dump(&[])).unwrap();
    let dump = edit(
        &dump,
        "\n2\t1\t2\t10\ta: [\t\\N\n",
        "\n2\t1\t2\t10\ta: [\tx3\n",
    );
    let dump = dir.write("bad.sql", dump);
    let run = dir
        .export_to(dump, dir.join("bad"))
        .option("--pipeline", &pipeline)
        .group(1)
        .args(["--keep-going"])
        .run();
    let got = run.relation("things");
    assert_eq!(got["unreadable_values"]["count"], noted.len() - 1);
    assert_eq!(got["skipped"][0]["column"], "level", "{got}");
}

const RULED: &str = "
    CREATE TABLE builds (id bigint PRIMARY KEY, tenant_id bigint, sha text, size integer, stored boolean, state integer,
        url text, org text);
    CREATE TABLE files (id bigint PRIMARY KEY, build_id bigint, data text, size integer);
    CREATE TABLE lines (id bigint PRIMARY KEY, file_id bigint, text text);
    INSERT INTO builds VALUES (1, 1, repeat('ä', 4), 5, true, 1, 'https://x/p/my-org/a_bC/', NULL),
        (2, 1, 'abc', NULL, false, 9, 'https://x', NULL), (3, 1, NULL, 7, NULL, NULL, NULL, 'Kept'), (4, 2, 'x', 1, true, 1, '', '');
    INSERT INTO files VALUES (1, 1, 'aGk=', 3), (2, 1, NULL, NULL), (3, 2, E'a\\nb', 9), (4, 3, ' ', 1);
    INSERT INTO lines VALUES (1, 1, 'one'), (2, 3, 'two');
    CREATE INDEX ON builds (tenant_id);
";

/// Rules by conditions on the row and on rows further up, those under a `many` among them; columns that are not there are
/// NULL, and a rule for one has nothing to hold for.
#[test]
fn rules_hold_under_conditions() {
    let pipeline = r#"
relations:
  builds:
    table: builds
    link: { tenant_id: key }
    values:
      sha: [{ when: { sha: { length: 4 } }, text: "{id}:{sha}", digest: sha1 }, { null_as: none }]
      size: [{ when: { size: { above: 4, below: 7 } }, json: '{ "a": [1] }' }, { when: { gone: { above: 1 } }, constant: 0 }]
      stored: [{ when: { gone: null, stored: null }, constant: false }]
      state: { names: { 1: done }, null_as: 0 }
      org: [{ when: { org: null }, title: { column: url, behind: /p/, part: 1 } }]
      url: { count: files }
      gone: [{ when: { id: 1 }, constant: 1 }]
    nested:
      files:
        many: files
        link: { build_id: id }
        only: [data, size]
        values:
          data:
            - { when: { builds.stored: false }, file: { path: "{builds.sha}/{id}", offset: size, size: size } }
            - { when: { builds.stored: true }, bytes: { base64: true, blank_as_empty: true } }
            - bytes: {}
          size: [{ when: { builds.state: [null, 9], builds.gone: null }, column: id }, { null_as_column: id }]
        nested:
          lines:
            many: lines
            link: { file_id: id }
            only: [text]
            values: { text: [{ when: { builds.stored: true, files.size: 3 }, text: "{files.data}{builds.sha}{builds.org}-{text}" }] }
"#;
    let builds = concat!(
        // printf '1:ääää' | sha1sum
        r#"{"id":1,"tenant_id":1,"sha":"0c3b0359b7378e2e732dd4cd4dbecec0f480f488","#,
        r#""size":{"a":[1]},"stored":true,"state":"done","url":2,"org":"My Org","#,
        r#""files":[{"data":"hi","size":3,"lines":[{"text":"aGk=ääää-one"}]},{"data":"","size":2,"lines":[]}]}"#,
        "\n",
        r#"{"id":2,"tenant_id":1,"sha":"abc","size":null,"stored":false,"state":9,"url":1,"org":null,"#,
        r#""files":[{"data":"","size":3,"lines":[{"text":"two"}]}]}"#,
        "\n",
        r#"{"id":3,"tenant_id":1,"sha":"none","size":7,"stored":false,"state":0,"url":1,"org":"Kept","#,
        r#""files":[{"data":" ","size":4,"lines":[]}]}"#,
        "\n",
    );
    expect(RULED, pipeline, &[], &[("builds.ndjson", builds)]);
}

/// What reads well on a colour is told by what is written of it, whatever rule that is of.
#[test]
fn a_colour_is_what_its_rule_makes_of_it() {
    let sql = "
        CREATE TABLE labels (id bigint PRIMARY KEY, tenant_id bigint, color text);
        INSERT INTO labels VALUES (1, 1, NULL), (2, 1, NULL), (3, 1, '#ffffff'), (4, 1, E'#ff\\tfff'), (5, 1, '#000000');
        CREATE INDEX ON labels (tenant_id);
    ";
    let pipeline = "
relations:
  labels:
    table: labels
    link: { tenant_id: key }
    only: [id]
    values: { color: [{ when: { id: { above: 1 } }, null_as: '#000000' }, { null_as: '#ffffff' }] }
    computed: { ink: { text_color: color } }
";
    let (black, white) = ("#1F1E24", "#FFFFFF");
    let labels: String = [black, white, black, white, white]
        .iter()
        .zip(1..)
        .map(|(ink, id)| format!("{{\"id\":{id},\"ink\":\"{ink}\"}}\n"))
        .collect();
    expect(sql, pipeline, &[], &[("labels.ndjson", &labels)]);
}

const CHOICES: &str = "
    CREATE TABLE rules (id bigint PRIMARY KEY, tenant_id bigint, rank integer, title text);
    CREATE TABLE things (id bigint PRIMARY KEY, tenant_id bigint, rank integer, secret text);
    CREATE TABLE empties (id bigint PRIMARY KEY, tenant_id bigint);
    CREATE TABLE parts (id bigint PRIMARY KEY, thing_id bigint, rank integer, amount numeric, state text);
    INSERT INTO rules VALUES (3, 1, 5, 'c'), (1, 1, 9, 'a'), (2, 1, NULL, 'b'), (4, 1, 9, 'd'), (5, 2, 1, 'x');
    INSERT INTO things VALUES (1, 1, 5, 's'), (2, 1, 4, 's'), (3, 1, NULL, 's'), (4, 1, 2, 's'), (5, 1, 1, 's');
    INSERT INTO parts VALUES (1, 1, 3, 1.50, 'a'), (2, 1, NULL, 2, 'b'), (3, 1, 3, 3, 'c'), (4, 2, 1, 4, 'd'),
        (5, 4, NULL, 1, 'x');
    CREATE INDEX ON rules (tenant_id);
    CREATE INDEX ON things (tenant_id);
    CREATE INDEX ON empties (tenant_id);
    CREATE INDEX ON parts (thing_id);
";

const CHOOSING: &str = "
relations:
  lowest: { table: rules, form: single, pick: first, link: { tenant_id: key }, only: [id, title] }
  highest:
    { table: rules, form: single, pick: first, order: [rank desc nulls last], link: { tenant_id: key }, only: [id, title] }
  last: { table: rules, form: object, pick: last, order: [rank nulls first], link: { tenant_id: key }, only: [id, title] }
  none: { table: empties, form: single, pick: first, without_row: null, link: { tenant_id: key } }
  none_as_object: { table: empties, form: object, without_row: null, link: { tenant_id: key } }
  empty: { table: empties, form: single, link: { tenant_id: key } }
  things:
    table: things
    link: { tenant_id: key }
    order: [rank nulls last]
    ee_columns: [secret]
    nested:
      last_part:
        one: parts
        link: { thing_id: id }
        order: [rank nulls first]
        pick: last
        only: [id, amount, state]
        without_row: { state: none, amount: 1.50, kind: nothing }
        computed: { kind: { constant: part } }
        nested:
          all: { many: parts, link: { thing_id: thing_id }, only: [id] }
          itself: { one: parts, link: { id: id }, only: [id] }
  by_key: { table: things, link: { tenant_id: key }, order: [rank nulls last], batch_order: key, only: [id] }
";

/// The lines of `things`, by id.
fn things(edition: &str) -> [String; 5] {
    let none = r#"{"id":null,"amount":1.50,"state":"none","kind":"nothing","all":[]}"#;
    let one = r#"{"id":3,"amount":"3.0","state":"c","kind":"part","all":[{"id":1},{"id":2},{"id":3}],"itself":{"id":3}}"#;
    let two =
        r#"{"id":4,"amount":"4.0","state":"d","kind":"part","all":[{"id":4}],"itself":{"id":4}}"#;
    let four =
        r#"{"id":5,"amount":"1.0","state":"x","kind":"part","all":[{"id":5}],"itself":{"id":5}}"#;
    let secret = if edition == "ee" {
        r#","secret":"s""#
    } else {
        ""
    };
    [
        ("5", one),
        ("4", two),
        ("null", none),
        ("2", four),
        ("1", none),
    ]
    .iter()
    .zip(1..)
    .map(|((rank, part), id)| {
        format!("{{\"id\":{id},\"tenant_id\":1,\"rank\":{rank}{secret},\"last_part\":{part}}}\n")
    })
    .collect::<Vec<_>>()
    .try_into()
    .unwrap()
}

const CHOSEN: [(&str, &str); 6] = [
    ("lowest.ndjson", r#"{"id":1,"title":"a"}"#),
    ("highest.ndjson", r#"{"id":1,"title":"a"}"#),
    ("last.json", r#"{"id":4,"title":"d"}"#),
    ("none.ndjson", "null"),
    ("none_as_object.json", "null"),
    ("empty.ndjson", ""),
];

#[test]
fn one_row_is_chosen_and_something_stands_for_none() {
    for edition in ["ee", "ce"] {
        let [one, two, three, four, five] = things(edition);
        let things = [five, four, two, one, three].concat();
        let by_key = [5, 4, 2, 1, 3]
            .map(|id| format!("{{\"id\":{id}}}\n"))
            .concat();
        let mut files = CHOSEN.to_vec();
        files.extend([
            ("things.ndjson", things.as_str()),
            ("by_key.ndjson", &by_key),
        ]);
        expect(CHOICES, CHOOSING, &["--edition", edition], &files);
    }
}

#[test]
fn batches_are_in_their_own_order() {
    let [one, two, three, four, five] = things("ee");
    let batches = [[two, one].concat(), [four, three].concat(), five];
    let mut files = CHOSEN.to_vec();
    files.extend([
        ("things/batch_1.ndjson", batches[0].as_str()),
        ("things/batch_2.ndjson", &batches[1]),
        ("things/batch_3.ndjson", &batches[2]),
        ("by_key/batch_1.ndjson", "{\"id\":1}\n{\"id\":2}\n"),
        ("by_key/batch_2.ndjson", "{\"id\":3}\n{\"id\":4}\n"),
        ("by_key/batch_3.ndjson", "{\"id\":5}\n"),
    ]);
    expect(
        CHOICES,
        CHOOSING,
        &["--batched", "--batch-size", "2"],
        &files,
    );
}

/// A template needs its columns: the relation fails, and no other one.
#[test]
fn a_template_without_its_column_fails_its_relation_alone() {
    let (dir, database) = (Dir::new(), Server::shared().database());
    database.load(&dir.write("tables.sql", format!("{TENANTS}{CHOICES}")));
    let pipeline = dir.write(
        "small.yml",
        format!(
            "{TOP}relations:
  bad: {{ table: things, link: {{ tenant_id: key }}, values: {{ rank: [{{ when: {{ rank: null }}, text: 'x{{gone}}' }}] }} }}
  good: {{ table: things, link: {{ tenant_id: key }}, only: [id] }}\n"
        ),
    );
    let plain = dir.write("plain.sql", database.dump(&[]));
    let snapshots = [
        ("plain", plain.to_str().unwrap().to_owned()),
        ("live", database.address()),
    ];
    for (name, snapshot) in snapshots {
        let run = dir
            .export_to(snapshot, dir.join(name))
            .option("--pipeline", &pipeline)
            .group(1)
            .run();
        assert_ne!(run.code, Some(0));
        let bad = run.relation("bad");
        assert_eq!(bad["status"], -1, "{bad}");
        assert!(bad["error"].as_str().unwrap().contains("gone"), "{bad}");
        assert_eq!(run.relation("good")["status"], 1);
    }
}
