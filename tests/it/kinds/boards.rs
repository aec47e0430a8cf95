//! The database of teams and boards, in several kinds of snapshot, and what exports of it hold.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::server::{Database, Server};
use crate::support::*;

/// Teams are like groups, boards like projects. What is called a decoy belongs to nobody that is chosen.
pub(super) const TEAMS: &str = r#"
pipeline: teams
entity:
  kind: Team
  table: teams
  where: { kind: team }
  prefix: "team_{key}"
  name: name
  parent: parent_id
  ancestors: lineage
  segment: slug
  paths:
    - { table: paths, key: owner_id, path: path, where: { owner_type: Team } }
    - { table: old_paths, key: owner_id, path: path, where: { owner_type: Team }, former: true }
relations:
  notes: { table: notes, link: { team_id: key }, except: [team_id, board_id] }
  members:
    table: users
    batched: false
    collected: { columns: [author_id] }
  self: { table: teams, link: { id: key }, form: object, only: [id, slug] }
"#;

pub(super) const BOARDS: &str = r#"
pipeline: boards
entity:
  kind: Board
  table: boards
  prefix: "board_{key}"
  name: name
  segment: slug
  within: { pipeline: teams, column: team_id }
  leave_out: { gone: true }
  shown: [color, gone]
  paths:
    - { table: paths, key: owner_id, path: path, where: { owner_type: Board } }
    - { table: old_paths, key: owner_id, path: path, where: { owner_type: Board }, former: true }
relations:
  cards:
    table: cards
    link: { board_id: key }
    except: [board_id]
    nested:
      tags: { many: card_tags, link: { card_id: id }, only: [tag] }
  notes: { table: notes, link: { board_id: key }, except: [team_id, board_id] }
  members:
    table: users
    batched: false
    collected: { columns: [author_id] }
  maxima: { maxima: { cards: { table: cards, link: { board_id: key }, column: id } } }
"#;

/// Each table: its name, its columns with types, its rows.
type Table = (&'static str, &'static str, &'static [&'static str]);

const TABLES: &[Table] = &[
    (
        "boards",
        "id integer NOT NULL, team_id integer, name text, slug text, gone boolean, color integer",
        &[
            "14\t4\tDiary\tdiary\tf\t3",
            "10\t1\tApp\tapp\tf\t20",
            "11\t2\tInfra\tinfra\tf\t\\N",
            "12\t2\tOld\told\tt\t0",
            "13\t3\tOther\tother\tf\t0",
        ],
    ),
    (
        "card_tags",
        "id integer NOT NULL, card_id integer, tag text",
        &[
            "1\t101\tred",
            "2\t103\tdecoy",
            "3\t101\tblue",
            "4\t104\told",
        ],
    ),
    (
        "cards",
        "id integer NOT NULL, board_id integer, author_id integer, title text",
        &[
            "102\t10\t2\tTwo",
            "101\t10\t1\tOne",
            "103\t13\t3\tdecoy",
            "104\t12\t3\tOld",
            "105\t14\t\\N\tDear diary",
        ],
    ),
    (
        "notes",
        "id integer NOT NULL, team_id integer, board_id integer, author_id integer, body text",
        &[
            "1\t1\t\\N\t4\tof acme",
            "2\t\\N\t10\t\\N\tof app",
            "3\t3\t\\N\t3\tdecoy",
            "4\t\\N\t11\t2\tof infra",
        ],
    ),
    (
        "old_paths",
        "id integer NOT NULL, owner_id integer, owner_type text, path text",
        &["1\t10\tBoard\tacme/First", "2\t1\tTeam\told-acme"],
    ),
    (
        "paths",
        "id integer NOT NULL, owner_id integer, owner_type text, path text",
        &[
            "1\t1\tTeam\tacme",
            "2\t2\tTeam\tacme/platform",
            "3\t3\tTeam\tglobex",
            "4\t4\tTeam\tann",
            "5\t10\tBoard\tacme/app",
            "6\t11\tBoard\tacme/platform/infra",
            "7\t12\tBoard\tacme/platform/old",
            "8\t13\tBoard\tglobex/other",
            "9\t14\tBoard\tann/diary",
            "10\t1\tBoard\tnobody",
        ],
    ),
    (
        "teams",
        "id integer NOT NULL, name text, slug text, parent_id integer, lineage integer[], kind text",
        &[
            "2\tPlatform\tplatform\t1\t{1,2}\tteam",
            "1\tAcme\tacme\t\\N\t{1}\tteam",
            "3\tGlobex\tglobex\t\\N\t{3}\tteam",
            "4\tAnn\tann\t\\N\t{4}\tperson",
        ],
    ),
    (
        "users",
        "id integer NOT NULL, name text",
        &["1\tAnn", "2\tBo", "3\tdecoy", "4\tDi"],
    ),
];

/// A plain dump with the tables in the order of their names or the other way round, without those of `without`.
pub(super) fn dump(reversed: bool, without: &[&str]) -> String {
    let mut tables: Vec<&Table> = TABLES.iter().collect();
    tables.retain(|(name, ..)| !without.contains(name));
    if reversed {
        tables.reverse();
    }
    let mut text = "--\n-- PostgreSQL database dump\n--\n\n".to_owned();
    for (name, columns, _) in &tables {
        text += &format!("CREATE TABLE public.{name} ({columns});\n");
    }
    for (name, columns, rows) in &tables {
        let columns: Vec<&str> = columns
            .split(", ")
            .filter_map(|column| column.split(' ').next())
            .collect();
        text += &format!(
            "\nCOPY public.{name} ({}) FROM stdin;\n",
            columns.join(", ")
        );
        text += &rows.concat_lines();
        text += "\\.\n";
    }
    for (name, ..) in &tables {
        text += &format!(
            "\nALTER TABLE ONLY public.{name} ADD CONSTRAINT {name}_pkey PRIMARY KEY (id);\n"
        );
    }
    text + "\n--\n-- PostgreSQL database dump complete\n--\n\n"
}

trait Lines {
    fn concat_lines(&self) -> String;
}

impl Lines for [&str] {
    fn concat_lines(&self) -> String {
        self.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// The database in every kind of snapshot, and the two pipelines.
pub(super) struct Boards<'s> {
    pub dir: Dir,
    pub database: Database<'s>,
    /// Their names: dumps in two orders, an archive, a folder of CSV files, a server.
    pub snapshots: Vec<String>,
}

impl Boards<'_> {
    pub(super) fn new() -> Boards<'static> {
        Boards::without(&[])
    }

    /// A database that lacks some tables.
    pub(super) fn without(tables: &[&str]) -> Boards<'static> {
        let dir = Dir::new();
        dir.write("teams.yml", TEAMS);
        dir.write("boards.yml", BOARDS);
        let plain = dir.write("boards.sql", dump(false, tables));
        dir.write("reversed.sql", dump(true, tables));
        let database = Server::shared().database();
        database.load(&plain);
        dir.write("boards.dump", database.dump(&["-Fc"]));
        dir.relexport("snapshot take --from boards.sql --out csv")
            .args(PIPELINES)
            .ok();
        let file = |name: &str| dir.join(name).display().to_string();
        let files = ["boards.sql", "reversed.sql", "boards.dump", "csv"];
        let mut snapshots: Vec<String> = files.map(file).to_vec();
        snapshots.push(database.address());
        Boards {
            dir,
            database,
            snapshots,
        }
    }

    /// An export of a snapshot with both pipelines, into a folder of its own.
    pub(super) fn export(&self, snapshot: &str, choice: &str) -> (Program, ExportFolder) {
        let out = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        let out = out.join("out");
        let program = self
            .dir
            .relexport(&format!("export {choice}"))
            .args(PIPELINES)
            .option("--snapshot", snapshot)
            .option("--out", &out);
        (program, ExportFolder::new(out))
    }

    /// The content of the relations' files of an export, which is the same from every kind of snapshot and also if a dump
    /// comes through a pipe.
    pub(super) fn files(&self, choice: &str) -> BTreeMap<String, String> {
        let mut first: Option<BTreeMap<String, String>> = None;
        let piped = std::fs::read(self.dir.join("boards.sql")).unwrap();
        for snapshot in self.snapshots.iter().map(String::as_str).chain(["-"]) {
            let (program, folder) = self.export(snapshot, choice);
            match snapshot {
                "-" => program.input(&piped).ok(),
                _ => program.ok(),
            };
            let files = contents(&folder);
            match &first {
                Some(first) => assert_eq!(files, *first, "{snapshot}: {choice}"),
                None => first = Some(files),
            }
        }
        first.unwrap()
    }
}

/// The arguments that name both pipelines.
pub(super) const PIPELINES: [&str; 4] = ["--pipeline", "teams.yml", "--pipeline", "boards.yml"];

/// The relations' files of an export, by name.
pub(super) fn contents(folder: &ExportFolder) -> BTreeMap<String, String> {
    let mut contents: BTreeMap<String, String> = folder
        .contents()
        .into_iter()
        .map(|(name, content)| (name, String::from_utf8(content).unwrap()))
        .collect();
    contents.remove("metadata.json.gz");
    contents.remove("manifest.json");
    contents
}

/// What entities' files hold.
pub(super) fn expected(entities: &[&str]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entity in entities {
        let own: &[(&str, &str)] = match *entity {
            "team_1" => &[
                (
                    "notes.ndjson.gz",
                    "{\"id\":1,\"author_id\":4,\"body\":\"of acme\"}\n",
                ),
                ("members.ndjson.gz", "{\"id\":4,\"name\":\"Di\"}\n"),
                ("self.json.gz", r#"{"id":1,"slug":"acme"}"#),
            ],
            "team_2" => &[
                ("notes.ndjson.gz", ""),
                ("members.ndjson.gz", ""),
                ("self.json.gz", r#"{"id":2,"slug":"platform"}"#),
            ],
            "team_3" => &[
                (
                    "notes.ndjson.gz",
                    "{\"id\":3,\"author_id\":3,\"body\":\"decoy\"}\n",
                ),
                ("members.ndjson.gz", "{\"id\":3,\"name\":\"decoy\"}\n"),
                ("self.json.gz", r#"{"id":3,"slug":"globex"}"#),
            ],
            "board_10" => &[
                (
                    "cards.ndjson.gz",
                    "{\"id\":101,\"author_id\":1,\"title\":\"One\",\"tags\":[{\"tag\":\"red\"},{\"tag\":\"blue\"}]}\n\
                     {\"id\":102,\"author_id\":2,\"title\":\"Two\",\"tags\":[]}\n",
                ),
                (
                    "notes.ndjson.gz",
                    "{\"id\":2,\"author_id\":null,\"body\":\"of app\"}\n",
                ),
                (
                    "members.ndjson.gz",
                    "{\"id\":1,\"name\":\"Ann\"}\n{\"id\":2,\"name\":\"Bo\"}\n",
                ),
                ("maxima.json.gz", r#"{"cards":102}"#),
            ],
            "board_11" => &[
                ("cards.ndjson.gz", ""),
                (
                    "notes.ndjson.gz",
                    "{\"id\":4,\"author_id\":2,\"body\":\"of infra\"}\n",
                ),
                ("members.ndjson.gz", "{\"id\":2,\"name\":\"Bo\"}\n"),
                ("maxima.json.gz", "{}"),
            ],
            "board_12" => &[
                (
                    "cards.ndjson.gz",
                    "{\"id\":104,\"author_id\":3,\"title\":\"Old\",\"tags\":[{\"tag\":\"old\"}]}\n",
                ),
                ("notes.ndjson.gz", ""),
                ("members.ndjson.gz", "{\"id\":3,\"name\":\"decoy\"}\n"),
                ("maxima.json.gz", r#"{"cards":104}"#),
            ],
            "board_13" => &[
                (
                    "cards.ndjson.gz",
                    "{\"id\":103,\"author_id\":3,\"title\":\"decoy\",\"tags\":[{\"tag\":\"decoy\"}]}\n",
                ),
                ("notes.ndjson.gz", ""),
                ("members.ndjson.gz", "{\"id\":3,\"name\":\"decoy\"}\n"),
                ("maxima.json.gz", r#"{"cards":103}"#),
            ],
            "board_14" => &[
                (
                    "cards.ndjson.gz",
                    "{\"id\":105,\"author_id\":null,\"title\":\"Dear diary\",\"tags\":[]}\n",
                ),
                ("notes.ndjson.gz", ""),
                ("members.ndjson.gz", ""),
                ("maxima.json.gz", r#"{"cards":105}"#),
            ],
            other => panic!("{other}"),
        };
        for (name, content) in own {
            files.insert(format!("{entity}/{name}"), (*content).to_owned());
        }
    }
    files
}

/// What a manifest says of its entities, without their relations.
pub(super) fn entities(manifest: &Value) -> Vec<Value> {
    let entities = manifest["entities"].as_array().unwrap().iter();
    entities
        .map(|entity| {
            let mut entity = entity.clone();
            entity.as_object_mut().unwrap().remove("relations");
            entity
        })
        .collect()
}

pub(super) fn team(id: i64, path: &str) -> Value {
    json!({"id": id, "type": "Team", "full_path": path, "prefix": format!("team_{id}")})
}

pub(super) fn board(id: i64, path: &str, team: Option<i64>) -> Value {
    json!({"id": id, "type": "Board", "full_path": path, "prefix": format!("board_{id}"), "parent_id": team})
}
