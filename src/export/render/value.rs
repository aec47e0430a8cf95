//! Values of keys, compiled: the column that each is made of, and the codec or rule by which it is written.

use std::collections::BTreeMap;

use crate::export::values::{self, Codec, ValueError};
use crate::pipeline::{
    BytesRule, Digest, RepositoryRule, TemplatePart, TitlePart, ValuePath, ValueRule, YamlRule,
};
use crate::resolve::{
    PlanComputed, PlanError, PlanNode, PlanRule, PlanTable, PlanTest, PlanValue, RowOf, TableId,
    ValueTest,
};

use super::compile::{Ancestor, Compiler, Nested, Reach};
use super::key_text::{KeyText, prefix};

/// A key of an object, and where its value comes from.
pub(super) struct Field {
    /// The column, or the computed key.
    pub(super) name: String,
    pub(super) key: KeyText,
    /// The key with a null.
    pub(super) null: KeyText,
    pub(super) column: usize,
    pub(super) value: Value,
    /// The value is written as an object with this one key.
    pub(super) object: Option<Vec<u8>>,
    /// The key is left out where its value is null.
    pub(super) unless_null: bool,
}

impl Field {
    /// The codec, if the value is the column's and nothing else is looked at.
    #[inline]
    pub(super) fn plain(&self) -> Option<&Codec> {
        match (&self.value, &self.object, self.unless_null) {
            (Value::Field(FieldForm::Plain(codec)), None, false) => Some(codec),
            _ => None,
        }
    }
}

/// How a value is written. A column is the field's own, if nothing else is said.
pub(super) enum Value {
    Field(FieldForm),
    NullAs(Codec, Vec<u8>),
    NullAsColumn(Codec, usize, Codec),
    Object {
        prefix: Vec<u8>,
        parts: Vec<TemplateField>,
    },
    Column(usize, Codec),
    Text {
        parts: Vec<TemplateField>,
        digest: Option<Digest>,
    },
    Title {
        column: usize,
        part: TitlePart,
    },
    /// Black or white, for the colour that this value is.
    TextColor(Box<Value>),
    Lookup {
        reach: Reach,
        column: usize,
        form: FieldForm,
        without_row: Vec<u8>,
        /// Counted if it leads nowhere: a position among the relation's references.
        reference: Option<usize>,
    },
    /// A key of the first of the rows that are nested in this one.
    Of {
        /// Positions among what is nested, from the row inwards.
        path: Vec<usize>,
        /// Position among the keys of the innermost row, those behind what is nested last.
        field: usize,
    },
    /// The number of rows of what is nested at this position.
    Count(usize),
    Yaml(YamlRule),
    Bytes(BytesRule),
    /// A part of a file.
    File(FilePart),
    /// What a project's repository says, of a branch or of the default branch.
    Repository {
        project: usize,
        branch: Option<usize>,
    },
    /// This JSON text.
    Constant(Vec<u8>),
    Cases {
        cases: Vec<(Vec<Test>, Value)>,
        otherwise: Box<Value>,
    },
    /// The first that is not null, each with its column.
    First(Vec<(usize, Value)>),
}

/// How one field is written, if nothing else is looked at.
pub(super) enum FieldForm {
    Plain(Codec),
    Names(BTreeMap<i64, String>),
    /// Names of integers, of which one without a name is null.
    NamesOrNull(BTreeMap<i64, String>),
}

impl FieldForm {
    /// Writes a field.
    ///
    /// # Errors
    /// If it is no value of its type.
    pub(super) fn write(&self, field: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
        match self {
            FieldForm::Plain(codec) => values::write(codec, field, out),
            FieldForm::Names(names) => values::write_names(names, field, out),
            FieldForm::NamesOrNull(names) => {
                let start = out.len();
                values::write_names(names, field, out)?;
                if out.get(start) != Some(&b'"') {
                    out.truncate(start);
                    out.extend_from_slice(b"null");
                }
                Ok(())
            }
        }
    }

    /// The same, null for an integer without a name.
    fn or_null(self) -> FieldForm {
        match self {
            FieldForm::Names(names) => FieldForm::NamesOrNull(names),
            other @ (FieldForm::Plain(_) | FieldForm::NamesOrNull(_)) => other,
        }
    }
}

impl Value {
    /// True if it is made of the column of its field, so that an error is that column's.
    pub(super) fn is_of_column(&self) -> bool {
        !matches!(
            self,
            Value::Lookup { .. }
                | Value::Of { .. }
                | Value::Count(_)
                | Value::Constant(_)
                | Value::First(_)
        )
    }

    /// The hops to rows of other tables that values are looked up in.
    pub(super) fn lookups(&self) -> Vec<&Reach> {
        match self {
            Value::Lookup { reach, .. } => vec![reach],
            Value::First(values) => {
                let values = values.iter();
                values.flat_map(|(_, value)| value.lookups()).collect()
            }
            Value::Field(_)
            | Value::NullAs(..)
            | Value::NullAsColumn(..)
            | Value::Object { .. }
            | Value::Column(..)
            | Value::Text { .. }
            | Value::Title { .. }
            | Value::TextColor(_)
            | Value::Of { .. }
            | Value::Count(_)
            | Value::Yaml(_)
            | Value::Bytes(_)
            | Value::File(_)
            | Value::Repository { .. }
            | Value::Constant(_)
            // A rule looks nothing up.
            | Value::Cases { .. } => Vec::new(),
        }
    }
}

/// A part of a file of external diffs.
pub(super) struct FilePart {
    pub(super) path: Vec<TemplateField>,
    /// Columns with the position of the part's first byte, and with the number of its bytes; of snapshots that lack them it
    /// is not known which part is meant.
    pub(super) offset: Option<usize>,
    pub(super) size: Option<usize>,
    pub(super) bytes: BytesRule,
}

/// A piece of a text.
pub(super) enum TemplateField {
    Text(Vec<u8>),
    Column(At, usize),
}

/// A condition of a case.
pub(super) struct Test {
    pub(super) at: At,
    /// Position in the layout; `None` for a column that is not there, and so NULL.
    pub(super) column: Option<usize>,
    pub(super) test: ValueTest,
}

/// Which row a column is looked at of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// The row itself; of what must match, the row above.
    Own,
    /// The innermost row above that is written at this place.
    Above(usize),
}

/// Compiles the values of a node.
pub(super) struct Values<'a> {
    pub(super) compiler: &'a Compiler<'a>,
    pub(super) node: &'a PlanNode,
    /// The nodes that it stands in, and behind them itself.
    pub(super) above: &'a [Ancestor],
    pub(super) nested: &'a [Nested],
}

impl Values<'_> {
    fn table(&self) -> &PlanTable {
        &self.compiler.plan.tables[self.node.table]
    }

    fn is_absent(&self, column: usize) -> bool {
        self.compiler.is_absent(self.node.table, column)
    }

    /// The columns that are written.
    pub(super) fn columns(&self) -> Result<Vec<Field>, PlanError> {
        let (node, table) = (self.node, self.table());
        let mut fields = Vec::new();
        for (column, layout) in table.layout.iter().enumerate() {
            if node.columns.contains(&layout.name) && !self.is_absent(column) {
                let key = node.renamed.get(&layout.name).unwrap_or(&layout.name);
                fields.push(Field {
                    name: layout.name.clone(),
                    key: KeyText::new(key, b""),
                    null: KeyText::new(key, b"null"),
                    column,
                    value: self.column(column, None)?,
                    object: None,
                    unless_null: false,
                });
            }
        }
        Ok(fields)
    }

    /// The computed keys: those behind the columns, and those behind what is nested.
    pub(super) fn computed(&self) -> Result<(Vec<Field>, Vec<Field>), PlanError> {
        let (mut behind, mut last) = (Vec::new(), Vec::new());
        for computed in &self.node.computed {
            let PlanComputed {
                name,
                value,
                object,
                last: is_last,
                unless_null,
            } = computed;
            // The data may lack the column that it is made of.
            let Some((column, value)) = self.computed_value(value)? else {
                continue;
            };
            let field = Field {
                name: name.clone(),
                key: KeyText::new(name, b""),
                null: KeyText::new(name, b"null"),
                column,
                value,
                object: object.as_ref().map(|key| prefix(key)),
                unless_null: *unless_null,
            };
            match is_last {
                true => last.push(field),
                false => behind.push(field),
            }
        }
        Ok((behind, last))
    }

    /// A column of the row, by a rule of its own or by that of the node.
    fn column(&self, column: usize, own: Option<&PlanRule>) -> Result<Value, PlanError> {
        let name = &self.table().layout[column].name;
        let rule = own.or_else(|| self.node.values.get(name));
        match rule {
            None => Ok(Value::Field(FieldForm::Plain(self.codec(column)))),
            Some(rule) => self.rule(column, rule),
        }
    }

    fn codec(&self, column: usize) -> Codec {
        self.compiler.codec(self.table(), column)
    }

    fn rule(&self, column: usize, rule: &PlanRule) -> Result<Value, PlanError> {
        let table = self.table();
        let codec = self.codec(column);
        let other = |name: &str| {
            let other = table.column(name);
            other.filter(|other| !self.is_absent(*other))
        };
        Ok(match rule {
            ValueRule::Names(names) => Value::Field(FieldForm::Names(names.clone())),
            ValueRule::NullAs(json) => Value::NullAs(codec, json.clone().into_bytes()),
            ValueRule::NullAsColumn(name) => match other(name) {
                Some(other) => Value::NullAsColumn(codec, other, self.codec(other)),
                None => Value::Field(FieldForm::Plain(codec)),
            },
            ValueRule::Object { field, template } => Value::Object {
                prefix: prefix(field),
                parts: self.template(template)?,
            },
            ValueRule::Constant(json) => Value::Constant(json.clone().into_bytes()),
            ValueRule::Column(name) => match other(name) {
                Some(other) => Value::Column(other, self.codec(other)),
                None => Value::Constant(b"null".to_vec()),
            },
            ValueRule::Text { template, digest } => Value::Text {
                parts: self.template(template)?,
                digest: *digest,
            },
            ValueRule::Of(path) => self.of(path)?,
            ValueRule::Count(nested) => match self.nested_at(nested) {
                Some((position, Nested::Node { .. })) => Value::Count(position),
                Some((_, Nested::Empty { .. })) | None => Value::Constant(b"0".to_vec()),
            },
            ValueRule::Title(part) => match other(&part.column) {
                Some(column) => Value::Title {
                    column,
                    part: part.clone(),
                },
                None => Value::Constant(b"null".to_vec()),
            },
            ValueRule::Yaml(rule) => Value::Yaml(rule.clone()),
            ValueRule::Bytes(rule) => Value::Bytes(*rule),
            ValueRule::File(slice) => Value::File(FilePart {
                path: self.template(&slice.path)?,
                offset: other(&slice.offset),
                size: other(&slice.size),
                bytes: slice.bytes,
            }),
            ValueRule::Repository(RepositoryRule { project, branch }) => {
                let branch = branch.as_deref().map(other);
                match (other(project), branch) {
                    (Some(project), None) => Value::Repository {
                        project,
                        branch: None,
                    },
                    (Some(project), Some(Some(branch))) => Value::Repository {
                        project,
                        branch: Some(branch),
                    },
                    // Without one of the columns nothing can be asked for.
                    (None, _) | (_, Some(None)) => Value::Constant(b"null".to_vec()),
                }
            }
            ValueRule::Plain => Value::Field(FieldForm::Plain(codec)),
            ValueRule::Cases(cases) => {
                let mut compiled = Vec::new();
                for case in cases {
                    let when = case.when.iter().map(|test| self.test(test));
                    let when = when.collect::<Result<_, _>>()?;
                    compiled.push((when, self.rule(column, &case.rule)?));
                }
                Value::Cases {
                    cases: compiled,
                    otherwise: Box::new(Value::Field(FieldForm::Plain(codec))),
                }
            }
        })
    }

    fn test(&self, test: &PlanTest) -> Result<Test, PlanError> {
        let (at, table) = match &test.of {
            RowOf::Own | RowOf::Parent => (At::Own, self.node.table),
            RowOf::Above(path) => {
                let above = self.above.iter().find(|above| above.path == *path);
                let above = above.ok_or_else(|| PlanError::NoSteps(self.node.name.clone()))?;
                (At::Above(above.place), above.table)
            }
        };
        let column = self.compiler.plan.tables[table].column(&test.column);
        Ok(Test {
            at,
            column: column.filter(|column| !self.compiler.is_absent(table, *column)),
            test: test.test.clone(),
        })
    }

    fn template(&self, template: &[TemplatePart]) -> Result<Vec<TemplateField>, PlanError> {
        let parts = template.iter().map(|part| match part {
            TemplatePart::Text(text) => Ok(TemplateField::Text(text.clone().into_bytes())),
            TemplatePart::Column(other) => {
                let (at, table, name) = self.located(other);
                let column = self.compiler.plan.tables[table].kept_column(name)?;
                Ok(TemplateField::Column(at, column))
            }
        });
        parts.collect()
    }

    /// A column of the row, or of one further up, if the name of its node stands before a dot.
    fn located<'c>(&self, column: &'c str) -> (At, TableId, &'c str) {
        let own = (At::Own, self.node.table, column);
        if self.table().column(column).is_some() {
            return own;
        }
        let Some((node, name)) = column.rsplit_once('.') else {
            return own;
        };
        let mut above = self.above.iter().rev().skip(1);
        let above = above.find(|above| above.path.last().is_some_and(|last| last == node));
        above.map_or(own, |above| (At::Above(above.place), above.table, name))
    }

    fn nested_at(&self, name: &str) -> Option<(usize, &Nested)> {
        let prefix = prefix(name);
        let mut nested = self.nested.iter().enumerate();
        nested.find(|(_, nested)| match nested {
            Nested::Node { prefix: own, .. } | Nested::Empty { prefix: own } => *own == prefix,
        })
    }

    /// A key of a nested row. What the snapshot has no table of is null.
    fn of(&self, path: &ValuePath) -> Result<Value, PlanError> {
        let null = || Ok(Value::Constant(b"null".to_vec()));
        let Some((first, rest)) = path.nested.split_first() else {
            return null();
        };
        let Some((position, Nested::Node { node, .. })) = self.nested_at(first) else {
            return null();
        };
        let (mut positions, mut node) = (vec![position], node);
        for name in rest {
            let prefix = prefix(name);
            let found = node.nested.iter().position(
                |nested| matches!(nested, Nested::Node { prefix: own, .. } if *own == prefix),
            );
            match found.map(|position| (position, &node.nested[position])) {
                Some((position, Nested::Node { node: inner, .. })) => {
                    positions.push(position);
                    node = inner;
                }
                Some((_, Nested::Empty { .. })) | None => return null(),
            }
        }
        let mut fields = node.fields.iter().chain(&node.last);
        match fields.position(|field| field.name == path.key) {
            Some(field) => Ok(Value::Of {
                path: positions,
                field,
            }),
            None => null(),
        }
    }

    /// A computed value, with the column that it is made of; `None` if the data lacks it.
    fn computed_value(&self, value: &PlanValue) -> Result<Option<(usize, Value)>, PlanError> {
        let table = self.table();
        let there = |name: &str| {
            let column = table.column(name);
            column.filter(|column| !self.is_absent(*column))
        };
        Ok(match value {
            PlanValue::Column { column, rule } => match there(column) {
                Some(column) => Some((column, self.column(column, rule.as_ref())?)),
                None => None,
            },
            PlanValue::TextColor { column } => match there(column) {
                Some(column) => {
                    let colour = self.column(column, None)?;
                    Some((column, Value::TextColor(Box::new(colour))))
                }
                None => None,
            },
            PlanValue::Constant(json) => Some((0, Value::Constant(json.clone().into_bytes()))),
            PlanValue::Of(path) => Some((0, self.of(path)?)),
            PlanValue::Lookup {
                reach,
                column,
                names,
                without_row,
            } => {
                let plan = self.compiler.plan;
                let other = plan.hops[reach.hop].table;
                let column = plan.tables[other].kept_column(column)?;
                let without_row = without_row.clone().into_bytes();
                if self.compiler.is_absent(other, column) {
                    return Ok(Some((0, Value::Constant(without_row))));
                }
                let codec = self.compiler.codec(&plan.tables[other], column);
                let form = match names {
                    Some(names) => FieldForm::Names(names.clone()),
                    None => FieldForm::Plain(codec),
                };
                let reach = self.compiler.reach(reach, Some(self.node.table), None)?;
                let lookup = Value::Lookup {
                    reach,
                    column,
                    form,
                    without_row,
                    reference: None,
                };
                Some((0, lookup))
            }
            PlanValue::First(values) => {
                let mut found = Vec::new();
                for value in values {
                    let value = self.computed_value(value)?;
                    found.extend(value.map(|(column, value)| (column, or_null(value))));
                }
                Some((0, Value::First(found)))
            }
        })
    }
}

/// The value, null for an integer without a name.
fn or_null(value: Value) -> Value {
    match value {
        Value::Field(form) => Value::Field(form.or_null()),
        Value::Lookup {
            reach,
            column,
            form,
            without_row,
            reference,
        } => Value::Lookup {
            reach,
            column,
            form: form.or_null(),
            without_row,
            reference,
        },
        Value::Cases { cases, otherwise } => Value::Cases {
            cases: cases
                .into_iter()
                .map(|(when, value)| (when, or_null(value)))
                .collect(),
            otherwise,
        },
        other => other,
    }
}
