//! The text of the pipeline.

mod comments;

use std::collections::BTreeSet;

use super::InitOptions;
use super::chains::Chain;
use super::graph::{Group, TableIndex};
use super::plan::{Place, Plan};
use super::text::{Text, flow, flows, key_flows, list};
use super::words;
use crate::snapshot::{KeyVerdict, Table};

/// Writes a whole pipeline.
pub(super) fn pipeline(plan: &Plan<'_, '_>, options: &InitOptions<'_>) -> String {
    let graph = plan.graph;
    let mut writer = Writer {
        plan,
        schema: &graph.name(graph.entity).schema,
        text: Text::default(),
    };
    writer.head(options);
    writer.tables();
    writer.relations();
    writer.left_out();
    writer.text.into_string()
}

struct Writer<'p, 'g, 'c> {
    plan: &'p Plan<'g, 'c>,
    /// The pipeline's default schema.
    schema: &'p str,
    text: Text,
}

impl<'p> Writer<'p, '_, '_> {
    fn table(&self, table: TableIndex) -> &'p Table {
        self.plan.graph.tables[table].table
    }

    /// A table's name as comments have it.
    fn plain(&self, table: TableIndex) -> String {
        words::table(self.plan.graph.name(table), self.schema)
    }

    /// A table's name as YAML has it.
    fn name(&self, table: TableIndex) -> String {
        words::scalar(&self.plain(table))
    }

    /// True for the entity's table and those whose rows lead to it.
    fn is_written(&self, table: TableIndex) -> bool {
        table == self.plan.graph.entity || !self.plan.ways[table].chains.is_empty()
    }

    /// True for those, and for tables that their rows refer to: somebody may write these, too.
    fn is_named(&self, table: TableIndex) -> bool {
        let nodes = self.plan.graph.tables.iter().enumerate();
        let mut written = nodes.filter(|(other, _)| self.is_written(*other));
        let refers = |groups: &[Group<'_>]| groups.iter().any(|group| group.to == table);
        self.is_written(table) || written.any(|(_, node)| refers(&node.groups))
    }

    fn head(&mut self, options: &InitOptions<'_>) {
        let graph = self.plan.graph;
        let entity = self.table(graph.entity);
        let every_way = match options.every_way {
            true => " --every-way",
            false => "",
        };
        self.text.comment(
            0,
            &format!(
                "A first pipeline for what belongs to one row of {0}, made by `relexport pipeline init --entity {0}{every_way}` \
                 from the foreign keys that the snapshot declares. Change it as you like: docs/pipeline.md says what can stand \
                 here.",
                entity.name
            ),
        );
        self.text.line(0, "#");
        self.text.comment(0, "What to do next:");
        for step in [
            "1. Read the comments below: they say what foreign keys do not.",
            "2. relexport pipeline check FILE --snapshot SNAPSHOT",
            "3. relexport export --pipeline FILE --snapshot SNAPSHOT --group KEY --out DIR",
        ] {
            self.text.line(0, &format!("# {step}"));
        }
        self.text.blank();
        let pipeline = words::relation(&entity.name.name);
        self.text
            .line(0, &format!("pipeline: {}", words::scalar(&pipeline)));
        if self.schema != "public" {
            self.text
                .comment(0, "Tables without a schema are looked for in this one.");
            let schema = words::scalar(self.schema);
            self.text.line(0, &format!("schema: {schema}"));
        }
        self.text.comment(
            0,
            "Values are written with all that the database knows of them.",
        );
        self.text.line(0, "values: exact");
        self.text.blank();
        let kind = match options.kind {
            Some(kind) => kind.to_owned(),
            None => words::kind(&entity.name.name),
        };
        let prefix = format!("{}_{{key}}", words::relation(&kind));
        self.text.line(0, "entity:");
        self.text
            .line(2, &format!("kind: {}", words::scalar(&kind)));
        self.text
            .line(2, &format!("table: {}", self.name(graph.entity)));
        self.text
            .line(2, &format!("key: {}", words::scalar(graph.key)));
        self.text
            .line(2, &format!("prefix: {}", words::scalar(&prefix)));
        let names = ["name", "title"]
            .iter()
            .filter_map(|name| entity.column(name));
        if let Some((_, column)) = names
            .into_iter()
            .find(|(_, column)| column.sql_type.is_text())
        {
            self.text.line(2, &format!("name: {}", column.name));
        }
        self.family();
    }

    /// What might be said of the entity besides.
    fn family(&mut self) {
        let graph = self.plan.graph;
        let entity = self.table(graph.entity);
        let keys = graph.catalog.keys().of(&entity.name).iter();
        let texts: Vec<String> = keys
            .filter_map(|key| match &key.columns[..] {
                [column] if column != graph.key => Some(column.clone()),
                _ => None,
            })
            .filter(|name| {
                entity
                    .column(name)
                    .is_some_and(|(_, it)| it.sql_type.is_text())
            })
            .collect();
        if !texts.is_empty() {
            self.text
                .comment(2, "So that --group may name one by a unique text, too:");
            self.text.line(2, &format!("# path: {}", list(&texts)));
        }
        let parents = graph.tables[graph.entity].own.iter();
        let parents = parents.filter_map(|link| match link.pairs[..] {
            [(column, referenced)] if referenced == graph.key => Some(words::scalar(column)),
            _ => None,
        });
        for (place, column) in parents.enumerate() {
            if place == 0 {
                let text = "If some stand below others, and --subgroups is to take them:";
                self.text.comment(2, text);
            }
            self.text.line(2, &format!("# parent: {column}"));
        }
    }

    /// The keys that are not what a pipeline takes them to be by itself.
    fn tables(&mut self) {
        let catalog = self.plan.graph.catalog;
        let mut lines = Vec::new();
        let mut without = Vec::new();
        for table in (0..self.plan.graph.tables.len()).filter(|it| self.is_named(*it)) {
            let definition = self.table(table);
            let name = &definition.name;
            let primary = catalog.keys().primary(name);
            let is_none = match definition.column("id") {
                None => primary.is_none(),
                Some(_) if catalog.keys().judge(name, "id") == KeyVerdict::Unique => false,
                Some(_) => {
                    let mut keys = catalog.keys().of(name).iter();
                    let is_whole = |columns: &[String]| {
                        columns
                            .iter()
                            .all(|column| catalog.is_not_null(name, column))
                    };
                    let unique = keys.find(|key| is_whole(&key.columns));
                    let key = primary.or(unique.map(|key| key.columns.as_slice()));
                    let written = key.map_or_else(|| "none".to_owned(), list);
                    lines.push(format!("{}: {{ key: {written} }}", self.name(table)));
                    key.is_none()
                }
            };
            if is_none && self.is_written(table) {
                without.push(self.plain(table));
            }
        }
        if lines.is_empty() && without.is_empty() {
            return;
        }
        self.text.blank();
        if !without.is_empty() {
            let without = format!(
                "The snapshot states no key of {}: rows are ordered by their bytes. If a column tells them apart, say so: \
                 {{ key: column }}.",
                without.join(", ")
            );
            self.text.comment(0, &without);
        }
        if !lines.is_empty() {
            self.text.line(0, "tables:");
        }
        for line in lines {
            self.text.line(2, &line);
        }
    }

    fn relations(&mut self) {
        let graph = self.plan.graph;
        self.text.blank();
        self.text.line(0, "relations:");
        let entity = graph.entity;
        self.text
            .comment(2, &format!("The row of {} itself.", self.plain(entity)));
        self.notes(2, entity);
        let name = self.plan.entity.clone();
        self.text.line(2, &format!("{}:", words::scalar(&name)));
        self.text.line(4, &format!("table: {}", self.name(entity)));
        let link = flow([(graph.key, "key")]);
        self.text.line(4, &format!("link: {link}"));
        self.nested(4, entity, None, true);
        for table in &self.plan.order {
            let Some(Place::Relations(names)) = &self.plan.places[*table] else {
                continue;
            };
            let chains = &self.plan.ways[*table].chains;
            for (place, (chain, name)) in chains.iter().zip(names).enumerate() {
                self.text.blank();
                match place {
                    0 => self.notes(2, *table),
                    _ => self.text.comment(2, &self.another_way(*table, chain)),
                }
                self.text.line(2, &format!("{}:", words::scalar(name)));
                self.text.line(4, &format!("table: {}", self.name(*table)));
                self.way(4, chain);
                self.tree(4, *table, name);
                self.nested(4, *table, Some(name), place == 0);
            }
        }
    }

    /// `link` and `via` of a relation.
    fn way(&mut self, indent: usize, chain: &Chain) {
        let graph = self.plan.graph;
        let links = |group: &Group<'_>| match group.by_key {
            true => key_flows(&group.links),
            false => flows(&group.links),
        };
        let mut steps = chain.steps.iter();
        let mut last = None;
        if let Some((table, group)) = steps.next() {
            let group = &graph.tables[*table].groups[*group];
            self.text.links(indent, &links(group));
            last = Some(group);
        }
        let mut items = Vec::new();
        for (table, group) in steps {
            let group = &graph.tables[*table].groups[*group];
            items.push((self.name(*table), links(group)));
            last = Some(group);
        }
        // By another column than the key.
        if last.is_some_and(|group| !group.by_key) {
            items.push((self.name(graph.entity), vec![flow([(graph.key, "key")])]));
        }
        if items.is_empty() {
            return;
        }
        self.text.line(indent, "via:");
        for (table, links) in items {
            let link = match &links[..] {
                [link] => link.clone(),
                _ => format!("[{}]", links.join(", ")),
            };
            let mut long = Text::default();
            long.links(4, &links);
            let long = long.into_string();
            let mut lines = vec![format!("- table: {table}")];
            // Two columns for the dash.
            lines.extend(long.lines().map(|line| line[2..].to_owned()));
            let short = format!("- {{ table: {table}, link: {link} }}");
            self.text.line_or(indent + 2, &short, &lines);
        }
    }

    /// `tree`, if some rows of a table are only found below others of it.
    fn tree(&mut self, indent: usize, table: TableIndex, name: &str) {
        let graph = self.plan.graph;
        let Some(own) = self.plan.tree(table) else {
            return;
        };
        let link = &graph.tables[table].own[own];
        let definition = self.table(table);
        // Rows below stand under the node's name, unless there is such a column.
        let clashes = definition.column(name).is_some();
        let text = match link.pairs[..] {
            // Any other key a plain dump would state too late.
            [(column, "id")] if !clashes => words::scalar(column),
            _ => {
                let link = flow(link.pairs.iter().copied());
                let mut below = format!("{name}_below");
                while definition.column(&below).is_some() {
                    below.push('_');
                }
                match clashes {
                    true => format!("{{ link: {link}, as: {} }}", words::scalar(&below)),
                    false => format!("{{ link: {link} }}"),
                }
            }
        };
        self.text.line(indent, &format!("tree: {text}"));
    }

    /// What stands in the rows of a table: those that refer to them, and, in comments, those that they refer to.
    fn nested(&mut self, indent: usize, table: TableIndex, name: Option<&str>, is_first: bool) {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let columns = self.table(table).columns.iter();
        taken.extend(columns.map(|column| column.name.clone()));
        taken.extend(name.map(str::to_owned));
        let mut children = Vec::new();
        for (child, place) in self.plan.places.iter().enumerate() {
            if let Some(Place::Nested { in_table, group }) = place
                && *in_table == table
            {
                let own = self.plan.graph.name(child);
                let prefixed = words::relation(&format!("{}_{}", own.schema, own.name));
                let choices = [words::relation(&own.name), prefixed];
                children.push((child, *group, free(&mut taken, choices)));
            }
        }
        let lookups = match is_first {
            true => self.lookups(table, &mut taken),
            false => Vec::new(),
        };
        if children.is_empty() {
            return self.text.lookups(indent, &lookups, true);
        }
        self.text.line(indent, "nested:");
        self.text.lookups(indent + 2, &lookups, false);
        for (child, group, name) in children {
            if is_first {
                self.notes(indent + 2, child);
            }
            let group = &self.plan.graph.tables[child].groups[group];
            self.text
                .line(indent + 2, &format!("{}:", words::scalar(&name)));
            self.text
                .line(indent + 4, &format!("many: {}", self.name(child)));
            self.text.links(indent + 4, &flows(&group.links));
            self.tree(indent + 4, child, &name);
            self.nested(indent + 4, child, Some(&name), is_first);
        }
    }

    /// Nodes of the rows that a table refers to and that are not written, each on a line.
    fn lookups(&self, table: TableIndex, taken: &mut BTreeSet<String>) -> Vec<String> {
        let mut lines = Vec::new();
        for group in &self.plan.graph.tables[table].groups {
            if self.is_written(group.to) {
                continue;
            }
            for link in &group.links {
                let of_table = words::relation(&self.plan.graph.name(group.to).name);
                let of_column = match link.pairs[..] {
                    [(column, _)] => words::snake(column),
                    _ => String::new(),
                };
                let stem = of_column
                    .strip_suffix("_id")
                    .or(of_column.strip_suffix("_uuid"));
                let wanted = stem.filter(|stem| !stem.is_empty()).unwrap_or(&of_table);
                let name = free(taken, [wanted.to_owned(), of_table.clone()]);
                lines.push(format!(
                    "{}: {{ one: {}, link: {} }}",
                    words::scalar(&name),
                    self.name(group.to),
                    flow(link.pairs.iter().map(|(own, above)| (*above, *own)))
                ));
            }
        }
        lines
    }
}

impl Text {
    fn lookups(&mut self, indent: usize, lookups: &[String], alone: bool) {
        if lookups.is_empty() {
            return;
        }
        self.comment(
            indent,
            "Rows that these refer to; take the # away to write them, too:",
        );
        if alone {
            self.line(indent, "# nested:");
        }
        for lookup in lookups {
            let inside = if alone { "  " } else { "" };
            self.line(indent, &format!("# {inside}{lookup}"));
        }
    }
}

/// The first name that is not taken; it is then.
fn free(taken: &mut BTreeSet<String>, choices: [String; 2]) -> String {
    let last = choices[1].clone();
    let numbers = (2..).map(|number| format!("{last}_{number}"));
    let mut choices = choices.into_iter().chain(numbers);
    let name = choices.find(|name| !taken.contains(name)).unwrap_or(last);
    taken.insert(name.clone());
    name
}
