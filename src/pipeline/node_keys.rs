//! A node's keys as the file has them, with those of the shape that the node uses.

use super::file::{
    ComputedFile, Constant, EditionFile, InsteadFile, NodeFile, OverlayFile, PickFile,
    RelationFile, ThroughFile, ValueFile, ViaFile,
};
use super::notation::{LinkFile, TreeFile};
use super::where_file::WhereFile;
use super::yaml::{Entries, Located, OneOrMany, Texts};

pub(super) type ColumnList = Located<Vec<Located<String>>>;

/// Where a node's keys stand in the file.
#[derive(Clone, Copy)]
pub(super) enum NodeKeys<'a> {
    /// Those of a relation are the relation's own.
    Relation(&'a RelationFile),
    /// A node's own keys go before those of the shape that it uses.
    Node {
        node: &'a NodeFile,
        shape: Option<&'a NodeFile>,
    },
}

impl<'a> NodeKeys<'a> {
    /// A key of the node, or else of its shape.
    fn key<T>(
        self,
        of_relation: fn(&RelationFile) -> Option<&T>,
        of_node: fn(&NodeFile) -> Option<&T>,
    ) -> Option<&'a T> {
        match self {
            NodeKeys::Relation(relation) => of_relation(relation),
            NodeKeys::Node { node, shape } => of_node(node).or_else(|| of_node(shape?)),
        }
    }

    /// The node, or else its shape if the node has none of some keys that replace each other.
    fn holder(self, has_some: fn(&NodeFile) -> bool) -> Option<&'a NodeFile> {
        match self {
            NodeKeys::Relation(_) => None,
            NodeKeys::Node { node, shape } => match has_some(node) {
                true => Some(node),
                false => shape,
            },
        }
    }

    /// The relation as a whole has an edition; its node needs none.
    pub(crate) fn edition(self) -> Option<EditionFile> {
        self.key(|_| None, |node| node.edition.as_ref()).copied()
    }

    pub(crate) fn one(self) -> Option<&'a Located<String>> {
        self.holder(has_table)?.one.as_ref()
    }

    pub(crate) fn many(self) -> Option<&'a Located<String>> {
        match self {
            NodeKeys::Relation(relation) => relation.table.as_ref(),
            NodeKeys::Node { .. } => self.holder(has_table)?.many.as_ref(),
        }
    }

    /// True for rows that are found because others refer to them.
    pub(crate) fn is_collected(self) -> bool {
        match self {
            NodeKeys::Relation(relation) => relation.collected.is_some(),
            NodeKeys::Node { .. } => false,
        }
    }

    pub(crate) fn is_top(self) -> bool {
        matches!(self, NodeKeys::Relation(_))
    }

    pub(crate) fn link(self) -> Option<&'a Located<OneOrMany<LinkFile>>> {
        self.key(|relation| relation.link.as_ref(), |node| node.link.as_ref())
    }

    pub(crate) fn filter(self) -> Option<&'a WhereFile> {
        self.key(
            |relation| relation.r#where.as_ref(),
            |node| node.r#where.as_ref(),
        )
    }

    pub(crate) fn through(self) -> Option<&'a Located<ThroughFile>> {
        match self {
            NodeKeys::Relation(relation) => relation.through.as_ref(),
            NodeKeys::Node { .. } => self.holder(has_way)?.through.as_ref(),
        }
    }

    pub(crate) fn via(self) -> Option<&'a Located<Vec<ViaFile>>> {
        match self {
            NodeKeys::Relation(relation) => relation.via.as_ref(),
            NodeKeys::Node { .. } => self.holder(has_way)?.via.as_ref(),
        }
    }

    pub(crate) fn tree(self) -> Option<&'a Located<TreeFile>> {
        self.key(|relation| relation.tree.as_ref(), |node| node.tree.as_ref())
    }

    pub(crate) fn order(self) -> impl Iterator<Item = &'a Located<String>> {
        let order = self.key(
            |relation| relation.order.as_ref(),
            |node| node.order.as_ref(),
        );
        order.into_iter().flatten()
    }

    pub(crate) fn pick(self) -> Option<&'a Located<PickFile>> {
        self.key(|relation| relation.pick.as_ref(), |node| node.pick.as_ref())
    }

    pub(crate) fn ee_columns(self) -> impl Iterator<Item = &'a Located<String>> {
        let columns = self.key(
            |relation| relation.ee_columns.as_ref(),
            |node| node.ee_columns.as_ref(),
        );
        columns.into_iter().flatten()
    }

    pub(crate) fn values(self) -> Option<&'a Entries<Located<OneOrMany<ValueFile>>>> {
        self.key(
            |relation| relation.values.as_ref(),
            |node| node.values.as_ref(),
        )
    }

    pub(crate) fn overlay(self) -> Option<&'a Located<OverlayFile>> {
        self.key(
            |relation| relation.overlay.as_ref(),
            |node| node.overlay.as_ref(),
        )
    }

    pub(crate) fn matching(
        self,
    ) -> impl Iterator<Item = (&'a Located<String>, &'a Located<Texts>)> {
        let matching = self.key(|_| None, |node| node.r#match.as_ref());
        matching.into_iter().flat_map(Entries::iter)
    }

    /// The object of a `one` without a row. A relation has one value instead.
    pub(crate) fn without_row(self) -> Option<&'a Located<Constant>> {
        self.key(|_| None, |node| node.without_row.as_ref())
    }

    /// Columns with the keys that they are written under.
    pub(crate) fn renamed(
        self,
    ) -> impl Iterator<Item = (&'a Located<String>, &'a Located<String>)> {
        let renamed = self.key(|relation| relation.r#as.as_ref(), |node| node.r#as.as_ref());
        renamed.into_iter().flat_map(Entries::iter)
    }

    pub(crate) fn only(self) -> Option<&'a ColumnList> {
        match self {
            NodeKeys::Relation(relation) => relation.only.as_ref(),
            NodeKeys::Node { .. } => self.holder(has_columns)?.only.as_ref(),
        }
    }

    pub(crate) fn except(self) -> Option<&'a ColumnList> {
        match self {
            NodeKeys::Relation(relation) => relation.except.as_ref(),
            NodeKeys::Node { .. } => self.holder(has_columns)?.except.as_ref(),
        }
    }

    pub(crate) fn computed(
        self,
    ) -> impl Iterator<Item = (&'a Located<String>, &'a Located<ComputedFile>)> {
        let computed = self.key(
            |relation| relation.computed.as_ref(),
            |node| node.computed.as_ref(),
        );
        computed.into_iter().flat_map(Entries::iter)
    }

    pub(crate) fn instead(self) -> Option<&'a InsteadFile> {
        self.key(|_| None, |node| node.instead.as_ref())
    }

    pub(crate) fn nested(self) -> impl Iterator<Item = (&'a Located<String>, &'a NodeFile)> {
        let nested = self.key(
            |relation| relation.nested.as_ref(),
            |node| node.nested.as_ref(),
        );
        nested.into_iter().flat_map(Entries::iter)
    }
}

/// `one` and `many` replace each other.
fn has_table(node: &NodeFile) -> bool {
    node.one.is_some() || node.many.is_some()
}

/// So do `through` and `via`, which say the way to the rows.
fn has_way(node: &NodeFile) -> bool {
    node.through.is_some() || node.via.is_some()
}

/// So do `only` and `except`.
fn has_columns(node: &NodeFile) -> bool {
    node.only.is_some() || node.except.is_some()
}
