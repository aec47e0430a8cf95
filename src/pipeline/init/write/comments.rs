//! Comments: what foreign keys do not say, and which of them are not followed.

use super::super::chains::Chain;
use super::super::graph::{Group, Link, TableIndex};
use super::super::hints::{polymorphic, undeclared};
use super::Writer;

impl Writer<'_, '_, '_> {
    /// Comments on a table, before its node.
    pub(super) fn notes(&mut self, indent: usize, table: TableIndex) {
        let graph = self.plan.graph;
        let mut notes = Vec::new();
        if table != graph.entity {
            self.ways_note(table, &mut notes);
            self.own_note(table, &mut notes);
        }
        let node = &graph.tables[table];
        notes.extend(node.unusable.iter().map(|reason| format!("{reason}.")));
        for (kind, id) in polymorphic(graph, node) {
            notes.push(format!(
                "{kind} and {id} look like a link to rows of several tables; for one of them: \
                 link: {{ {id}: id, where: {{ {kind}: NAME }} }}."
            ));
        }
        let columns: Vec<String> = undeclared(graph, table)
            .iter()
            .map(|found| match found.to {
                Some(to) => format!("{} ({})", found.column, self.plain(to)),
                None => found.column.to_owned(),
            })
            .collect();
        if !columns.is_empty() {
            let columns = columns.join(", ");
            notes.push(format!("No foreign key, but perhaps a link: {columns}."));
        }
        for note in notes {
            self.text.comment(indent, &note);
        }
    }

    /// Says by how many ways rows are found, and which foreign keys are not followed.
    fn ways_note(&self, table: TableIndex, notes: &mut Vec<String>) {
        let (graph, ways) = (self.plan.graph, &self.plan.ways[table]);
        let name = self.plain(table);
        let is_nested = matches!(
            self.plan.places[table],
            Some(super::Place::Nested { .. }) | None
        );
        if ways.chains.len() > 1 && !is_nested {
            notes.push(format!(
                "Rows of {name} are found by {} ways, and each is a relation: a row that several find is written in each.",
                ways.chains.len()
            ));
        }
        if ways.omitted > 0 {
            notes.push(format!(
                "{} more ways lead from {name} to {}. They are left out, and rows that only they find are missing.",
                ways.omitted,
                self.plain(graph.entity)
            ));
        }
        let followed = |place: &usize| ways.chains.iter().any(|it| it.steps[0].1 == *place);
        let groups = &graph.tables[table].groups;
        let others = (0..groups.len()).filter(|place| !followed(place));
        let others = others.filter(|place| self.is_written(groups[*place].to));
        let others: Vec<String> = others
            .flat_map(|place| self.columns_to(&groups[place]))
            .collect();
        if !others.is_empty() {
            let others = others.join(", ");
            notes.push(match ways.total {
                true => {
                    format!("Every row is found without these, so they are not followed: {others}.")
                }
                false => {
                    format!("Not followed, as they lead in a circle or are too many: {others}.")
                }
            });
        }
        let trees = ways.chains.iter().flat_map(|chain| &chain.steps[1..]);
        let mut trees: Vec<String> = trees
            .filter(|(other, _)| !is_nested && self.plan.tree(*other).is_some())
            .map(|(other, _)| self.plain(*other))
            .collect();
        trees.sort();
        trees.dedup();
        if !trees.is_empty() {
            notes.push(format!(
                "Rows that lead to rows of {} which are only found below others are missing.",
                trees.join(", ")
            ));
        }
    }

    /// Says what becomes of foreign keys to the table itself.
    fn own_note(&self, table: TableIndex, notes: &mut Vec<String>) {
        let own = &self.plan.graph.tables[table].own;
        let name = self.plain(table);
        let tree = self.plan.tree(table);
        if let Some(tree) = tree {
            notes.push(format!(
                "Some rows of {name} may be found below others only, by {}: `tree` writes those below a row into it.",
                columns(&own[tree])
            ));
        }
        let others = own.iter().enumerate();
        let others = others.filter(|(place, _)| Some(*place) != tree);
        let others: Vec<String> = others.map(|(_, link)| columns(link)).collect();
        if !others.is_empty() {
            let others = others.join(" and ");
            notes.push(match tree {
                None => format!(
                    "{others} refers to {name} itself. Every row is found without it, so no `tree` is needed."
                ),
                Some(_) => format!("{others} refers to {name}, too, and is not followed."),
            });
        }
    }

    /// What stands before a table's further ways.
    pub(super) fn another_way(&self, table: TableIndex, chain: &Chain) -> String {
        let graph = self.plan.graph;
        let through: Vec<String> = chain.steps[1..]
            .iter()
            .map(|(other, _)| self.plain(*other))
            .collect();
        let name = self.plain(table);
        match through.is_empty() {
            false => format!("Rows of {name} by {}.", through.join(", then ")),
            true => {
                let (_, group) = chain.steps[0];
                let links = self.columns_to(&graph.tables[table].groups[group]);
                format!("Rows of {name} by {}.", links.join(", "))
            }
        }
    }

    /// `a, b (table)` of each link.
    fn columns_to(&self, group: &Group<'_>) -> Vec<String> {
        let to = self.plain(group.to);
        let links = group.links.iter();
        links
            .map(|link| format!("{} ({to})", columns(link)))
            .collect()
    }

    /// The tables from which no foreign key leads to the entity.
    pub(super) fn left_out(&mut self) {
        let graph = self.plan.graph;
        let (mut hinted, mut others) = (Vec::new(), Vec::new());
        for table in (0..graph.tables.len()).filter(|table| !self.is_written(*table)) {
            let node = &graph.tables[table];
            let mut hints: Vec<String> = undeclared(graph, table)
                .iter()
                .filter_map(|found| Some((found, found.to.filter(|to| self.is_written(*to))?)))
                .map(|(found, to)| format!("{} may lead to {}", found.column, self.plain(to)))
                .collect();
            for (kind, id) in polymorphic(graph, node) {
                hints.push(format!("{id} may lead to the table that {kind} names"));
            }
            hints.extend(node.unusable.iter().cloned());
            let name = self.plain(table);
            match hints.is_empty() {
                true => others.push(name),
                false => hinted.push(format!("{name}: {}", hints.join("; "))),
            }
        }
        let entity = self.plain(graph.entity);
        if !hinted.is_empty() {
            self.text.blank();
            self.text.comment(
                2,
                &format!(
                    "No foreign keys lead from these tables to {entity}, but their columns may link them. \
                     As a relation: {{ table: TABLE, link: {{ COLUMN: key }} }}, or with `via` through other tables."
                ),
            );
            for line in hinted {
                self.text.item(2, &format!("- {line}"));
            }
        }
        if !others.is_empty() {
            self.text.blank();
            self.text.comment(
                2,
                &format!(
                    "No foreign keys lead from these tables to {entity}: {}.",
                    others.join(", ")
                ),
            );
        }
    }
}

/// The columns of a link.
fn columns(link: &Link<'_>) -> String {
    let columns: Vec<&str> = link.pairs.iter().map(|(column, _)| *column).collect();
    columns.join(", ")
}
