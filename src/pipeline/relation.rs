//! Top-level relations: their form, and where their records come from.

use std::collections::BTreeSet;

use super::file::{ArchiveFile, CollectedFile, FormFile, MaximumFile, PickFile, RelationFile};
use super::model::*;
use super::node_keys::NodeKeys;
use super::validate::{Validator, is_ee, is_file_name};
use super::ways::Links;
use super::yaml::{Located, Position};

impl<'a> Validator<'a> {
    pub(super) fn relation(
        &mut self,
        name: &'a Located<String>,
        relation: &'a RelationFile,
    ) -> Relation {
        if !is_file_name(&name.value) {
            self.mistake(
                name.position,
                "a relation's name becomes a file's name: it has 1 to 100 of a-z, 0-9 and _; choose another",
            );
        }
        let rows = relation.maxima.is_none() && relation.collected.is_none();
        let natural = if relation.maxima.is_some() {
            FormFile::Object
        } else {
            FormFile::Lines
        };
        let form = relation.form.as_ref().map_or(natural, |form| form.value);
        let archive = self.archive(relation);
        let can_be_batched = match archive {
            Some(archive) => archive.holds_many(),
            None => rows && form == FormFile::Lines,
        };
        let batched = relation
            .batched
            .as_ref()
            .map_or(can_be_batched, |batched| batched.value);
        if let Some(position) = relation.form.as_ref().map(|form| form.position) {
            if relation.maxima.is_some() && form != FormFile::Object {
                self.mistake(position, "`maxima` make one object; leave `form` out");
            } else if relation.collected.is_some() && form != FormFile::Lines {
                self.mistake(
                    position,
                    "`collected` rows are written as lines; leave `form` out",
                );
            }
        }
        if let Some(position) = relation
            .batched
            .as_ref()
            .filter(|batched| batched.value)
            .map(|batched| batched.position)
        {
            if form != FormFile::Lines || archive.is_some_and(|archive| !archive.holds_many()) {
                self.mistake(
                    position,
                    "one object cannot be cut into batches; leave `batched` out",
                );
            } else if relation.collected.is_some() {
                self.mistake(position, "`collected` rows are known last and cannot be cut into batches; leave `batched` out");
            }
        }
        if let Some(tree) = relation.tree.as_ref().filter(|_| form != FormFile::Lines) {
            let message = "one object has no rows below it; leave `tree` or `form` out";
            self.mistake(tree.position, message);
        }
        self.of_one_object(relation, form);
        if let Some(order) = &relation.batch_order
            && (relation.order.is_none() || !batched)
        {
            let message = "`batch_order` is for a relation that has an `order` and can be cut into batches; leave it out";
            self.mistake(order.position, message);
        }
        let without_row = relation.without_row.as_ref();
        let without_row = without_row.and_then(|value| self.json(&value.value, value.position));
        Relation {
            name: name.value.clone(),
            batches_by_key: relation.batch_order.is_some(),
            // The node says which it is.
            pick: relation.pick.as_ref().map(|pick| match pick.value {
                PickFile::First => Pick::First,
                PickFile::Last => Pick::Last,
            }),
            without_row,
            ee: is_ee(relation.edition),
            form: match (archive, form) {
                (Some(archive), _) => Form::Archive(archive),
                (None, FormFile::Lines) => Form::Lines,
                (None, FormFile::Single) => Form::Single,
                (None, FormFile::Object) => Form::Object,
            },
            batched,
            source: self.source(name, relation),
        }
    }

    /// The archive that a relation's files are packed into.
    fn archive(&mut self, relation: &RelationFile) -> Option<Archive> {
        let files = relation.files.as_ref()?;
        let others = [
            (relation.form.is_some(), "form"),
            (relation.maxima.is_some(), "maxima"),
            (relation.collected.is_some(), "collected"),
            (relation.tree.is_some(), "tree"),
        ];
        for (_, key) in others.into_iter().filter(|(given, _)| *given) {
            let message = format!("a relation of files cannot have `{key}`; remove one of them");
            self.mistake(files.position, message);
        }
        Some(match files.value {
            ArchiveFile::Uploads => Archive::Uploads,
            ArchiveFile::LfsObjects => Archive::LfsObjects,
            ArchiveFile::Repository => Archive::Repository,
            ArchiveFile::Design => Archive::Design,
        })
    }

    /// Keys that have a meaning for a relation of one object alone.
    fn of_one_object(&mut self, relation: &RelationFile, form: FormFile) {
        let one = relation.maxima.is_none() && form != FormFile::Lines;
        let given = [
            (relation.pick.as_ref().map(|it| it.position), "pick"),
            (
                relation.without_row.as_ref().map(|it| it.position),
                "without_row",
            ),
        ];
        for (position, key) in given {
            if let Some(position) = position.filter(|_| !one) {
                let message = format!("`{key}` is for a relation of one row; leave it out");
                self.mistake(position, message);
            }
        }
    }

    fn source(&mut self, name: &'a Located<String>, relation: &'a RelationFile) -> Source {
        if let Some(maxima) = &relation.maxima {
            let rows = [
                (relation.table.is_some(), "table"),
                (relation.link.is_some(), "link"),
                (relation.r#where.is_some(), "where"),
                (relation.through.is_some(), "through"),
                (relation.via.is_some(), "via"),
                (relation.tree.is_some(), "tree"),
                (relation.order.is_some(), "order"),
                (relation.values.is_some(), "values"),
                (relation.overlay.is_some(), "overlay"),
                (relation.ee_columns.is_some(), "ee_columns"),
                (relation.r#as.is_some(), "as"),
                (relation.only.is_some(), "only"),
                (relation.except.is_some(), "except"),
                (relation.computed.is_some(), "computed"),
                (relation.nested.is_some(), "nested"),
                (relation.collected.is_some(), "collected"),
            ];
            for (_, key) in rows.into_iter().filter(|(given, _)| *given) {
                self.mistake(
                    name.position,
                    format!(
                        "`{}` has `maxima` and cannot have `{key}`; remove one of them",
                        name.value
                    ),
                );
            }
            return Source::Maxima(
                maxima
                    .value
                    .iter()
                    .map(|(key, maximum)| self.maximum(key, maximum))
                    .collect(),
            );
        }
        let node = self.node(name, NodeKeys::Relation(relation), 0);
        match &relation.collected {
            None => Source::Rows(node),
            Some(Located { value, position }) => self.collected(value, *position, relation, node),
        }
    }

    fn maximum(&mut self, name: &Located<String>, maximum: &MaximumFile) -> Maximum {
        let own = maximum.link.as_ref().map(|link| Links {
            links: vec![&link.value],
            position: link.position,
        });
        let (filter, via) = (maximum.r#where.as_ref(), maximum.via.as_ref());
        let (links, via) = self.chain(name, own, filter, via, self.top());
        Maximum {
            name: name.value.clone(),
            ee: is_ee(maximum.edition),
            table: self.table_name(&maximum.table),
            // Without one there is a mistake, and the pipeline is thrown away.
            link: links
                .into_iter()
                .next()
                .unwrap_or_else(|| Link::to_schema(Vec::new())),
            via,
            column: self.text(&maximum.column),
        }
    }

    fn collected(
        &mut self,
        collected: &CollectedFile,
        position: Position,
        relation: &RelationFile,
        mut node: Node,
    ) -> Source {
        if let Some(tree) = &relation.tree {
            let message =
                "`collected` rows are written once each, and not below others; leave `tree` out";
            self.mistake(tree.position, message);
        }
        if collected.columns.is_empty() {
            self.mistake(
                position,
                "`collected` has no columns to collect from; name them under `columns`",
            );
        }
        match (&relation.via, &collected.key) {
            (Some(_), Some(key)) => {
                let message = "the link of the last table of `via` says which column is referred to; leave `key` out";
                self.mistake(key.position, message);
            }
            (Some(_), None) => {}
            (None, key) => {
                node.links = vec![Link {
                    child: self.optional(key.as_ref()).into_iter().collect(),
                    parent: vec!["key".to_owned()],
                    filter: Vec::new(),
                }];
                node.via = Vec::new();
            }
        }
        let mut optional = BTreeSet::new();
        let columns = collected.columns.iter();
        Source::Collected(Collected {
            columns: columns
                .map(|column| self.column(column, &mut optional))
                .collect(),
            optional,
            except_tables: collected
                .except_tables
                .iter()
                .map(|table| self.table_name(table))
                .collect(),
            node,
        })
    }
}
