//! The keys of a record: how each is made, or why it is not compared.

use crate::against::spots::{Above, Column, Field, Made, Make, OverField, Part, Spot};
use crate::against::value;
use crate::pipeline::{Computed, ComputedValue, Condition, Digest, Node, TemplatePart, ValueRule};
use crate::snapshot::{self, SqlType, Table};

use super::{Layer, column_of};

impl<'p> Layer<'p> {
    /// The keys of a node's records, those below them left out.
    pub(super) fn fields(
        &mut self,
        node: &'p Node,
        spot: usize,
        table: &'p Table,
    ) -> Result<Vec<Field>, String> {
        let mut fields = Vec::new();
        for column in &table.columns {
            let is_left_out = self.terms.is_ce && node.ee_columns.contains(&column.name);
            if !node.columns.contains(&column.name) || is_left_out {
                continue;
            }
            let key = node.renamed.get(&column.name).unwrap_or(&column.name);
            let made = self.column(node, table, column);
            fields.push(self.field(&column.name, key, made, table));
        }
        for computed in &node.computed {
            let Some(made) = self.computed(node, spot, table, computed)? else {
                continue;
            };
            let made = match computed.unless_null {
                true => Err("it is left out if there is no value".to_owned()),
                false => made,
            };
            let made = made.map(|make| match &computed.object {
                Some(key) => Make::Within(key.clone(), Box::new(make)),
                None => make,
            });
            fields.push(self.field(&computed.name, &computed.name, made, table));
        }
        Ok(fields)
    }

    /// A field, which is not compared if what it is made of is redacted.
    fn field(&self, name: &str, key: &str, made: Result<Make, String>, table: &Table) -> Field {
        let made = made.and_then(|make| {
            let mut columns = Vec::new();
            make.columns(&mut columns);
            match columns
                .iter()
                .find(|column| self.is_redacted(table, column))
            {
                Some(_) => Err("redacted".to_owned()),
                None => Ok(make),
            }
        });
        Field {
            name: name.to_owned(),
            key: key.to_owned(),
            made: made.map_or_else(Made::NotCompared, Made::By),
        }
    }

    /// The field that is a column as it is.
    pub(super) fn plain_field(&self, key: &str, column: &snapshot::Column) -> Field {
        Field {
            name: column.name.clone(),
            key: key.to_owned(),
            made: self.plain(column).map_or_else(Made::NotCompared, Made::By),
        }
    }

    fn plain(&self, column: &snapshot::Column) -> Result<Make, String> {
        match value::not_compared(&column.sql_type, self.pipeline.values) {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(Make::Plain(located(column))),
        }
    }

    /// A column by the rule of its node, else by that of its table.
    fn column(
        &self,
        node: &Node,
        table: &Table,
        column: &snapshot::Column,
    ) -> Result<Make, String> {
        let own = node.values.get(&column.name);
        let rule = own.or_else(|| self.pipeline.value_rule(self.said(table), &column.name));
        match rule {
            None => self.plain(column),
            Some(rule) => self.rule(table, column, rule),
        }
    }

    fn rule(
        &self,
        table: &Table,
        column: &snapshot::Column,
        rule: &ValueRule,
    ) -> Result<Make, String> {
        let not = |what: &str| Err(format!("made by the rule `{what}`"));
        Ok(match rule {
            ValueRule::Plain => self.plain(column)?,
            ValueRule::Names(names) => Make::Names(located(column), names.clone()),
            ValueRule::NullAs(json) => {
                let plain = Box::new(self.plain(column)?);
                Make::NullAs(plain, located(column), json.clone())
            }
            ValueRule::NullAsColumn(other) => match table.column(other) {
                None => self.plain(column)?,
                Some((_, other)) => {
                    self.plain(column)?;
                    self.plain(other)?;
                    Make::NullAsColumn(located(column), located(other))
                }
            },
            ValueRule::Object { field, template } => Make::Object {
                column: located(column),
                key: field.clone(),
                parts: parts(table, template)?,
            },
            ValueRule::Constant(json) => Make::Constant(json.clone()),
            ValueRule::Column(other) => match table.column(other) {
                None => Make::Constant("null".to_owned()),
                Some((_, other)) => self.plain(other)?,
            },
            ValueRule::Text {
                template,
                digest: None,
            } => Make::Text(parts(table, template)?),
            ValueRule::Text {
                template,
                digest: Some(Digest::Sha1),
            } => Make::Sha1(parts(table, template)?),
            ValueRule::Cases(cases) => {
                let mut made = Vec::new();
                for case in cases {
                    for condition in &case.when {
                        is_own(table, condition)?;
                    }
                    let make = self.rule(table, column, &case.rule)?;
                    made.push((self.tests(&case.when, table), make));
                }
                Make::Cases(made, Box::new(self.plain(column)?))
            }
            ValueRule::Of(_) => return not("of"),
            ValueRule::Count(_) => return not("count"),
            ValueRule::Title(_) => return not("title"),
            ValueRule::Yaml(_) => return not("yaml"),
            ValueRule::Bytes(_) => return not("bytes"),
            ValueRule::File(_) => return not("file"),
            ValueRule::Repository(_) => return not("repository"),
        })
    }

    /// A computed key; `None` if the snapshot lacks the column that it is made of, so that there is no key.
    fn computed(
        &mut self,
        node: &'p Node,
        spot: usize,
        table: &'p Table,
        computed: &'p Computed,
    ) -> Result<Option<Result<Make, String>>, String> {
        let of = |name: &str| table.column(name).map(|(_, column)| column);
        Ok(match &computed.value {
            ComputedValue::Constant(json) => Some(Ok(Make::Constant(json.clone()))),
            ComputedValue::Column(name) => of(name).map(|it| self.column(node, table, it)),
            ComputedValue::Names { column, names } => {
                of(column).map(|it| Ok(Make::Names(located(it), names.clone())))
            }
            ComputedValue::Ruled { column, rule } => {
                of(column).map(|it| self.rule(table, it, rule))
            }
            ComputedValue::TextColor { column } => of(column).map(|it| {
                let colour = self.column(node, table, it)?;
                Ok(Make::TextColor(Box::new(colour)))
            }),
            ComputedValue::Of(_) => Some(Err("a key of a nested row".to_owned())),
            ComputedValue::First(_) => Some(Err("the first of several values".to_owned())),
            ComputedValue::Lookup {
                table: other,
                link,
                column,
                without_table,
                names,
                without_row,
            } => {
                let without_row = without_row.clone().unwrap_or_else(|| "null".to_owned());
                let Some(other) = self.find(other) else {
                    let own = without_table.as_deref().and_then(of);
                    return Ok(Some(match own {
                        Some(own) => self.column(node, table, own),
                        None => Ok(Make::Constant(without_row)),
                    }));
                };
                let Some((_, found)) = other.column(column) else {
                    return Ok(Some(Ok(Make::Constant(without_row))));
                };
                if let Err(reason) = self.has_its_rows(other) {
                    return Ok(Some(Err(reason)));
                }
                if self.is_redacted(other, &found.name) {
                    return Ok(Some(Err("redacted".to_owned())));
                }
                let make = match names {
                    Some(names) => Ok(Make::Names(located(found), names.clone())),
                    None => self.plain(found),
                };
                let make = match make {
                    Ok(make) => make,
                    Err(reason) => return Ok(Some(Err(reason))),
                };
                let way = self.way(other, link, Above::Spot(spot))?;
                let at = self.spots.len();
                let path = format!("{}.{}", self.spots[spot].path, computed.name);
                self.spots
                    .push(self.lookup_spot(other, way, spot, path, make));
                Some(Ok(Make::Lookup {
                    spot: at,
                    without_row,
                    is_float: matches!(found.sql_type, SqlType::Real | SqlType::Double)
                        && names.is_none(),
                }))
            }
        })
    }

    /// The fields of a row that are made of the columns of the row over it, for the columns that are that one's. What cannot
    /// be made so is not compared.
    pub(super) fn lie_over(&mut self, spot: usize, columns: &[String]) -> Vec<OverField> {
        let mut over = Vec::new();
        for (at, field) in self.spots[spot].fields.iter_mut().enumerate() {
            let Made::By(make) = &field.made else {
                continue;
            };
            let mut used = Vec::new();
            make.columns(&mut used);
            make.conditions(&mut used);
            if !used
                .iter()
                .any(|column| columns.iter().any(|over| over == column))
            {
                continue;
            }
            let again = match make {
                Make::Plain(column) => Some(Make::Plain(column.clone())),
                Make::Names(column, names) => Some(Make::Names(column.clone(), names.clone())),
                _ => None,
            };
            match again {
                Some(make) => over.push(OverField { field: at, make }),
                None => {
                    let reason = "its columns may be those of a nested row";
                    field.made = Made::NotCompared(reason.to_owned());
                }
            }
        }
        over
    }

    /// Finds out which fields tell a spot's records apart.
    pub(super) fn identify(&mut self, spot: usize, table: &Table) {
        let spot = &mut self.spots[spot];
        let at = |(name, _): &(String, _)| {
            let mut fields = spot.fields.iter();
            fields.position(|field| {
                matches!(&field.made, Made::By(Make::Plain(column)) if column.name == *name)
            })
        };
        let id: Option<Vec<usize>> = spot.key.iter().map(at).collect();
        let is_known = spot
            .key
            .iter()
            .all(|(name, _)| table.column(name).is_some());
        spot.id = id.filter(|_| is_known).unwrap_or_default();
    }

    fn lookup_spot(
        &self,
        table: &Table,
        way: super::Way,
        above: usize,
        path: String,
        make: Make,
    ) -> Spot {
        let (above, values) = (Above::Spot(above), self.pipeline.values);
        let mut spot = Spot::new(&path, table, self.catalog, above, values);
        spot.ways = vec![way];
        spot.fields = vec![Field {
            name: String::new(),
            key: String::new(),
            made: Made::By(make),
        }];
        spot
    }
}

fn located(column: &snapshot::Column) -> Column {
    Column {
        name: column.name.clone(),
        sql_type: column.sql_type.clone(),
    }
}

fn parts(table: &Table, template: &[TemplatePart]) -> Result<Vec<Part>, String> {
    let parts = template.iter().map(|part| match part {
        TemplatePart::Text(text) => Ok(Part::Text(text.clone())),
        TemplatePart::Column(name) => {
            column_of(table, name).map_err(|_| "made of a row further up".to_owned())?;
            Ok(Part::Column(name.clone()))
        }
    });
    parts.collect()
}

/// Fails for a condition on a row further up. A column that the table lacks is NULL.
fn is_own(table: &Table, condition: &Condition) -> Result<(), String> {
    let is_there = table.column(&condition.column).is_some();
    match is_there || !condition.column.contains('.') {
        true => Ok(()),
        false => Err("a case looks at a row further up".to_owned()),
    }
}

impl Make {
    /// The columns whose values it shows.
    fn columns<'m>(&'m self, out: &mut Vec<&'m str>) {
        let of_parts = |parts: &'m [Part], out: &mut Vec<&'m str>| {
            out.extend(parts.iter().filter_map(|part| match part {
                Part::Column(name) => Some(name.as_str()),
                Part::Text(_) => None,
            }));
        };
        match self {
            Make::Plain(column) | Make::Names(column, _) => out.push(&column.name),
            Make::NullAs(make, column, _) => {
                out.push(&column.name);
                make.columns(out);
            }
            Make::NullAsColumn(column, other) => out.extend([&*column.name, &*other.name]),
            Make::Object { column, parts, .. } => {
                out.push(&column.name);
                of_parts(parts, out);
            }
            Make::Text(parts) | Make::Sha1(parts) => of_parts(parts, out),
            Make::TextColor(make) | Make::Within(_, make) => make.columns(out),
            Make::Cases(cases, otherwise) => {
                for (_, make) in cases {
                    make.columns(out);
                }
                otherwise.columns(out);
            }
            Make::Constant(_) | Make::Lookup { .. } => {}
        }
    }

    /// The columns that its conditions look at.
    fn conditions<'m>(&'m self, out: &mut Vec<&'m str>) {
        match self {
            Make::Cases(cases, _) => {
                for (tests, make) in cases {
                    out.extend(tests.iter().map(|test| test.column.as_str()));
                    make.conditions(out);
                }
            }
            Make::NullAs(make, ..) | Make::TextColor(make) | Make::Within(_, make) => {
                make.conditions(out);
            }
            Make::Plain(_)
            | Make::Names(..)
            | Make::NullAsColumn(..)
            | Make::Object { .. }
            | Make::Constant(_)
            | Make::Text(_)
            | Make::Sha1(_)
            | Make::Lookup { .. } => {}
        }
    }
}
