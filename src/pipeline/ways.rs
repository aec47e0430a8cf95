//! The way from what stands above to rows: links, join tables, chains of tables, trees.

use super::file::{ThroughFile, ViaFile};
use super::model::{Link, Tree, Via};
use super::node_keys::NodeKeys;
use super::notation::{LinkFile, TreeFile};
use super::validate::{Above, Validator};
use super::where_file::WhereFile;
use super::yaml::{Located, Position, Texts};

/// The links of rows as the file has them.
pub(super) struct Links<'a> {
    pub links: Vec<&'a LinkFile>,
    pub position: Position,
}

impl<'a> Validator<'a> {
    /// What the rows of a node are linked to.
    pub(super) fn above(&self, keys: NodeKeys<'a>) -> Above {
        match keys.is_top() {
            true if keys.is_collected() => Above::Collected,
            true => self.top(),
            false => Above::Row,
        }
    }

    /// What links a node's rows to what stands above, and the tables between.
    pub(super) fn way(
        &mut self,
        name: &Located<String>,
        keys: NodeKeys<'a>,
    ) -> (Vec<Link>, Vec<Via>) {
        let above = self.above(keys);
        if above == Above::Collected && keys.via().is_none() {
            self.collected_by_no_link(keys);
            return (Vec::new(), Vec::new());
        }
        let own = keys.link().map(|links| Links {
            links: links.value.0.iter().collect(),
            position: links.position,
        });
        let Some(through) = keys.through() else {
            return self.chain(name, own, keys.filter(), keys.via(), above);
        };
        if let Some(via) = keys.via() {
            let message = "`via` and `through` exclude each other; keep one of them";
            self.mistake(via.position, message);
        }
        if let Some((column, _)) = keys.filter().and_then(|filter| filter.iter().next()) {
            let message = "`where` beside `through` does not say which table it is for; put it into `link`, where it \
                           is for the join table, or use `via`";
            self.mistake(column.position, message);
        }
        let (links, _) = self.chain(name, own, None, None, above);
        let (link, via) = self.through(&through.value, links);
        (vec![link], vec![via])
    }

    /// What says how rows are found says nothing of rows that others refer to.
    fn collected_by_no_link(&mut self, keys: NodeKeys<'a>) {
        let condition = keys.filter().and_then(|filter| filter.iter().next());
        let given = [
            (keys.link().map(|link| link.position), "link"),
            (keys.through().map(|through| through.position), "through"),
            (condition.map(|(column, _)| column.position), "where"),
        ];
        for (position, key) in given {
            if let Some(position) = position {
                let message = format!(
                    "`collected` rows are those that others refer to; leave `{key}` out, or say with `via` how they are \
                     reached from those"
                );
                self.mistake(position, message);
            }
        }
    }

    /// Links with the chain of tables behind them. `filter` is about the rows themselves.
    pub(super) fn chain(
        &mut self,
        name: &Located<String>,
        own: Option<Links<'_>>,
        filter: Option<&WhereFile>,
        via: Option<&Located<Vec<ViaFile>>>,
        above: Above,
    ) -> (Vec<Link>, Vec<Via>) {
        let steps = via.map_or(&[][..], |via| &via.value);
        if let Some(via) = via.filter(|via| via.value.is_empty()) {
            self.mistake(
                via.position,
                "`via` has no tables; name those between the rows and what stands above, or leave it out",
            );
        }
        let above_of = |rest: &[ViaFile]| match rest.is_empty() {
            true => above,
            false => Above::Row,
        };
        let links = self.links(name, own, filter, above_of(steps));
        let mut chain = Vec::new();
        let mut rest = steps;
        while let Some((step, behind)) = rest.split_first() {
            let own = step.link.as_ref().map(|links| Links {
                links: links.value.0.iter().collect(),
                position: links.position,
            });
            chain.push(Via {
                table: self.table_name(&step.table),
                links: self.links(&step.table, own, step.r#where.as_ref(), above_of(behind)),
            });
            rest = behind;
        }
        (links, chain)
    }

    /// The links of rows to what stands above. `name` is what a message calls the rows.
    fn links(
        &mut self,
        name: &Located<String>,
        own: Option<Links<'_>>,
        filter: Option<&WhereFile>,
        above: Above,
    ) -> Vec<Link> {
        let Some(own) = own else {
            if above == Above::Schema {
                return vec![Link::to_schema(self.filter(filter))];
            }
            self.nothing_links(name, name.position, above);
            return Vec::new();
        };
        if own.links.is_empty() {
            self.nothing_links(name, own.position, above);
        }
        if above == Above::Collected && own.links.len() > 1 {
            let message = "collected values are looked up in one column; keep one link";
            self.mistake(own.position, message);
        }
        let lowered = own.links.into_iter().map(|link| {
            let position = link.position().unwrap_or(own.position);
            let mut lowered = self.link(link, position);
            lowered.filter.extend(self.filter(filter));
            self.fits(&lowered, above, position);
            lowered
        });
        lowered.collect()
    }

    fn nothing_links(&mut self, name: &Located<String>, position: Position, above: Above) {
        let (what, pair) = match above {
            Above::Row => ("the row above", "column: column above"),
            Above::Entity => ("the entity", "column: key"),
            Above::Collected => ("the collected values", "column: key"),
            Above::Schema => {
                let message = "an empty list links nothing; leave `link` out, and every row of the table is taken";
                return self.mistake(position, message);
            }
        };
        let message = format!(
            "nothing links `{}` to {what}; give `link: {{ {pair} }}`",
            name.value
        );
        self.mistake(position, message);
    }

    pub(super) fn link(&mut self, link: &LinkFile, position: Position) -> Link {
        if link.pairs.is_empty() {
            let message = "a link has at least one pair, `column: column above`; give one";
            self.mistake(position, message);
        }
        let (mut child, mut parent) = (Vec::new(), Vec::new());
        for (own, above) in &link.pairs {
            child.push(self.text(own));
            parent.push(self.text(above));
        }
        if !child.is_empty() && child.iter().all(|column| column.ends_with('?')) {
            let message = "at least one pair of a link must count in every snapshot; leave the `?` of one out";
            self.mistake(position, message);
        }
        Link {
            child,
            parent,
            filter: self.filter(Some(&link.filter)),
        }
    }

    /// The entity is seen through two columns only, a schema through none, and a collected value is one.
    fn fits(&mut self, link: &Link, above: Above, position: Position) {
        if above == Above::Row || link.parent.iter().any(String::is_empty) {
            return;
        }
        let message = match (above, link.parent.as_slice()) {
            (_, []) => return,
            (Above::Schema, _) => {
                "the entity is a schema and has no columns; leave `link` out, and every row of the table is taken"
                    .to_owned()
            }
            (Above::Entity, [_, _, ..]) => {
                "a relation is linked to the entity by one pair; reach it by several columns through a table of `via`"
                    .to_owned()
            }
            (Above::Entity, [parent]) if !matches!(parent.as_str(), "key" | "root") => format!(
                "a relation cannot be linked to `{parent}` of the entity; link it to `key`, or to `root`, its root \
                 ancestor's key"
            ),
            (Above::Collected, parent) if parent != ["key"] => {
                "the last table of `via` is linked to the collected value, by one column; write `link: { column: key }`"
                    .to_owned()
            }
            (Above::Entity | Above::Collected | Above::Row, _) => return,
        };
        self.mistake(position, message);
    }

    /// A join table: the link of the node's rows to it, and the table with the node's own links.
    fn through(&mut self, through: &ThroughFile, links: Vec<Link>) -> (Link, Via) {
        let parent = self.columns_of(&through.to);
        let child = match &through.key {
            Some(key) => self.columns_of(key),
            None => Vec::new(),
        };
        if parent.is_empty() || (through.key.is_some() && child.len() != parent.len()) {
            let message = "`to` and `key` are columns that are equal, pair by pair; name as many in the one as in the \
                           other, and at least one";
            self.mistake(through.to.position, message);
        }
        let link = Link {
            child,
            parent,
            filter: Vec::new(),
        };
        let table = self.table_name(&through.table);
        (link, Via { table, links })
    }

    /// Columns that are one text or a list of them.
    pub(super) fn columns_of(&mut self, columns: &Located<Texts>) -> Vec<String> {
        match &columns.value {
            Texts::One(column) => vec![self.name_text(column, columns.position)],
            Texts::List(list) => {
                let names: Vec<String> = list.iter().map(|column| self.text(column)).collect();
                if let Some(twice) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
                    let message =
                        format!("`{}` stands twice in the list; remove one", names[twice]);
                    self.mistake(list[twice].position, message);
                }
                names
            }
        }
    }

    /// Rows of a node below other rows of it.
    pub(super) fn tree(&mut self, name: &Located<String>, keys: NodeKeys<'a>) -> Option<Tree> {
        let tree = keys.tree()?;
        if keys.many().is_none() {
            let message = "a `one` has no rows below it; use `many`, or leave `tree` out";
            self.mistake(tree.position, message);
        }
        let (mut link, key) = match &tree.value {
            TreeFile::Column(column) => {
                let child = vec![self.name_text(column, tree.position)];
                let link = Link {
                    child,
                    parent: Vec::new(),
                    filter: Vec::new(),
                };
                (link, None)
            }
            TreeFile::Full(tree) => {
                let position = tree.link.value.position().unwrap_or(tree.link.position);
                (self.link(&tree.link.value, position), tree.r#as.as_ref())
            }
        };
        link.filter.extend(self.filter(keys.filter()));
        if let Some(key) = key.filter(|key| key.value.is_empty()) {
            self.mistake(key.position, "a key cannot be empty; name one");
        }
        Some(Tree {
            link,
            name: key.unwrap_or(name).value.clone(),
        })
    }
}
