//! A random pipeline for a schema, and the queries that find its rows.

use super::random::Random;
use super::schema::{Reference, Schema, quoted};

/// How the rows of a node are found from those above it.
enum Way {
    /// All rows of the tenant: by the tables between them, from the rows outwards.
    Chain,
    /// Rows that refer to the row above.
    Referring,
    /// The rows that the row above refers to.
    Referred,
    /// Rows that rows of a table between, which refer to the row above, refer to.
    Through(usize),
}

struct Node {
    key: String,
    table: usize,
    way: Way,
    /// A test of `flag`: in YAML and in SQL.
    test: Option<(&'static str, &'static str)>,
    tree: bool,
    order: &'static str,
    nested: Vec<Node>,
}

pub(super) struct Plan {
    relations: Vec<Node>,
}

const TESTS: [(&str, &str); 4] = [
    ("a", "flag = 'a'"),
    ("{ not: a }", "flag IS DISTINCT FROM 'a'"),
    ("[null, b]", "(flag IS NULL OR flag = 'b')"),
    ("{ not: [null, b] }", "flag <> 'b'"),
];

const ORDERS: [&str; 4] = [
    "",
    "order: [tag]",
    "order: [tag desc, label]",
    "order: [flag nulls first]",
];

impl Plan {
    pub(super) fn new(random: &mut Random, schema: &Schema) -> Plan {
        let relations = (1..schema.tables.len())
            .map(|table| node(random, schema, format!("r{table}"), table, Way::Chain, 0))
            .collect();
        Plan { relations }
    }

    pub(super) fn yaml(&self, schema: &Schema) -> String {
        let mut yaml = "pipeline: random\nvalues: exact\n\
                        entity: { kind: Tenant, table: tenants, key: id, prefix: \"t_{key}\" }\ntables:\n"
            .to_owned();
        for table in &schema.tables {
            let columns: Vec<String> = table
                .key
                .iter()
                .map(|column| quoted(&column.name))
                .collect();
            yaml.push_str(&format!(
                "  {}: {{ key: [{}] }}\n",
                table.name,
                columns.join(", ")
            ));
        }
        yaml.push_str("relations:\n");
        for node in &self.relations {
            write(&mut yaml, schema, node, None, 1);
        }
        yaml
    }

    /// The nodes, and the query of the paths of labels in each.
    pub(super) fn queries(&self, schema: &Schema) -> Vec<(String, String)> {
        let mut queries = Vec::new();
        for relation in &self.relations {
            collect(&mut queries, schema, relation, None);
        }
        queries
            .into_iter()
            .map(|(node, query)| (node, format!("SELECT path FROM ({query}) found")))
            .collect()
    }
}

fn node(
    random: &mut Random,
    schema: &Schema,
    key: String,
    table: usize,
    way: Way,
    depth: usize,
) -> Node {
    let through = matches!(way, Way::Through(_));
    let test = (!through && random.percent(30)).then(|| random.one_of(&TESTS));
    let tree = schema.tables[table].own.is_some() && random.percent(70);
    let order = random.one_of(&ORDERS);
    let mut nested = Vec::new();
    for (number, other) in schema.tables.iter().enumerate().skip(1) {
        if depth >= 2 || !random.percent(70) {
            continue;
        }
        let mut ways = Vec::new();
        if parent(other).table == table {
            ways.push((number, Way::Referring, 'm'));
            if let Some(cross) = &other.cross {
                ways.push((cross.table, Way::Through(number), 't'));
            }
        }
        if parent(&schema.tables[table]).table == number {
            ways.push((number, Way::Referred, 'o'));
        }
        for (to, way, letter) in ways {
            let key = format!("{letter}{number}");
            nested.push(node(random, schema, key, to, way, depth + 1));
        }
    }
    Node {
        key,
        table,
        way,
        test,
        tree,
        order,
        nested,
    }
}

fn parent(table: &super::schema::Table) -> &Reference {
    table
        .parent
        .as_ref()
        .expect("all but the tenants have a parent")
}

/// The pairs of a link, the other way around if asked for.
fn link(reference: &Reference, is_top: bool) -> String {
    let pairs = reference.pairs().into_iter().map(|(column, to)| {
        let to = if is_top { "key".to_owned() } else { to };
        format!("{}: {}", quoted(&column), quoted(&to))
    });
    pairs.collect::<Vec<_>>().join(", ")
}

fn names(columns: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = columns.map(|column| quoted(&column)).collect();
    quoted.join(", ")
}

fn write(yaml: &mut String, schema: &Schema, node: &Node, above: Option<&Node>, indent: usize) {
    let blank = "  ".repeat(indent);
    let table = &schema.tables[node.table];
    let word = if above.is_none() { "table" } else { "many" };
    let mut lines = vec![
        format!("{word}: {}", table.name),
        "only: [label]".to_owned(),
    ];
    match node.way {
        Way::Chain => {
            let parent_of = parent(table);
            lines.push(format!(
                "link: {{ {} }}",
                link(parent_of, parent_of.table == 0)
            ));
            let mut via = Vec::new();
            let mut at = parent_of.table;
            while at != 0 {
                let between = &schema.tables[at];
                let next = parent(between);
                via.push(format!(
                    "{{ table: {}, link: {{ {} }} }}",
                    between.name,
                    link(next, next.table == 0)
                ));
                at = next.table;
            }
            if !via.is_empty() {
                lines.push(format!("via: [{}]", via.join(", ")));
            }
        }
        Way::Referring => lines.push(format!("link: {{ {} }}", link(parent(table), false))),
        Way::Referred => {
            let above = above.map(|node| &schema.tables[node.table]);
            let pairs = parent(above.expect("it is nested")).pairs();
            let pairs = pairs
                .iter()
                .map(|(column, to)| format!("{}: {}", quoted(to), quoted(column)));
            lines.push(format!(
                "link: {{ {} }}",
                pairs.collect::<Vec<_>>().join(", ")
            ));
        }
        Way::Through(between) => {
            let between = &schema.tables[between];
            let cross = between.cross.as_ref().expect("it is a table between");
            lines.push(format!(
                "through: {{ table: {}, to: [{}], key: [{}] }}",
                between.name,
                names(cross.columns.iter().map(|column| column.name.clone())),
                names(cross.to.iter().cloned())
            ));
            lines.push(format!("link: {{ {} }}", link(parent(between), false)));
        }
    }
    if let Some((test, _)) = node.test {
        lines.push(format!("where: {{ flag: {test} }}"));
    }
    if node.tree
        && let Some(own) = &table.own
    {
        lines.push(format!(
            "tree: {{ link: {{ {} }}, as: below }}",
            link(own, false)
        ));
    }
    if !node.order.is_empty() {
        lines.push(node.order.to_owned());
    }
    yaml.push_str(&format!("{blank}{}:\n", node.key));
    for line in lines {
        yaml.push_str(&format!("{blank}  {line}\n"));
    }
    if !node.nested.is_empty() {
        yaml.push_str(&format!("{blank}  nested:\n"));
        for below in &node.nested {
            write(yaml, schema, below, Some(node), indent + 2);
        }
    }
}

/// `a.x = b.y AND …` of rows that refer, under one name, and those that they refer to.
fn joined(reference: &Reference, referring: &str, referred: &str) -> String {
    let pairs = reference.pairs().into_iter().map(|(column, to)| {
        format!(
            "{referring}.{} = {referred}.{}",
            quoted(&column),
            quoted(&to)
        )
    });
    pairs.collect::<Vec<_>>().join(" AND ")
}

/// The rows of a node, with the path of labels to each; then those of the nodes in it.
fn collect(
    queries: &mut Vec<(String, String)>,
    schema: &Schema,
    node: &Node,
    above: Option<(&Node, &str, &str)>,
) {
    let table = &schema.tables[node.table];
    let name = table.quoted();
    let test = node.test.map_or("true", |(_, sql)| sql);
    let path = match above {
        None => "c.label",
        Some(_) => "p.path || '>' || c.label",
    };
    let above_rows = above.map(|(_, query, _)| query).unwrap_or_default();
    let joins = match node.way {
        Way::Chain => {
            let mut joins = format!("{name} c");
            let (mut at, mut under) = (node.table, "c".to_owned());
            while at != 0 {
                let reference = parent(&schema.tables[at]);
                let next = format!("j{}", reference.table);
                joins.push_str(&format!(
                    " JOIN {} {next} ON {}",
                    schema.tables[reference.table].quoted(),
                    joined(reference, &under, &next)
                ));
                (at, under) = (reference.table, next);
            }
            format!("{joins} AND {under}.label = 't0r1'")
        }
        Way::Referring => format!(
            "({above_rows}) p JOIN {name} c ON {}",
            joined(parent(table), "c", "p")
        ),
        Way::Referred => {
            let reference = above.map(|(node, ..)| parent(&schema.tables[node.table]));
            let reference = reference.expect("it is nested");
            format!(
                "({above_rows}) p JOIN {name} c ON {}",
                joined(reference, "p", "c")
            )
        }
        Way::Through(between) => {
            let between = &schema.tables[between];
            let cross = between.cross.as_ref().expect("it is a table between");
            format!(
                "({above_rows}) p JOIN {} b ON {} JOIN {name} c ON {}",
                between.quoted(),
                joined(parent(between), "b", "p"),
                joined(cross, "b", "c")
            )
        }
    };
    // What several ways lead to is there once.
    let mut query = format!(
        "SELECT * FROM (SELECT DISTINCT ON (path) {path} AS path, c.* FROM {joins}) d WHERE {test}"
    );
    if node.tree
        && let Some(own) = &table.own
    {
        query = format!(
            "WITH RECURSIVE down AS (SELECT * FROM ({query}) top UNION ALL \
             SELECT down.path || '>' || c.label, c.* FROM down \
             JOIN (SELECT * FROM {name} WHERE {test}) c ON {}) SELECT * FROM down",
            joined(own, "c", "down")
        );
    }
    let full = match above {
        None => node.key.clone(),
        Some((_, _, above)) => format!("{above}/{}", node.key),
    };
    queries.push((full.clone(), query.clone()));
    for below in &node.nested {
        collect(queries, schema, below, Some((node, &query, &full)));
    }
}
