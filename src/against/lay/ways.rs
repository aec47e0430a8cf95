//! Links: by which keys the rows of spots hang together.

use std::collections::BTreeMap;

use crate::against::spots::{Above, Match, Out, Overlay, Spot, To, Way};
use crate::key::{self, KeyForm};
use crate::pipeline::{Link, Match as PipelineMatch, Node, Via};
use crate::snapshot::{SqlType, Table, TableName};

use super::{Ancestor, Layer, column_of};

impl<'p> Layer<'p> {
    /// The spots of a table and of those between it and what stands above, from there on.
    pub(super) fn chain(
        &mut self,
        table: &'p TableName,
        links: &'p [Link],
        via: &'p [Via],
        above: Above,
        path: &str,
    ) -> Result<Vec<usize>, String> {
        let between = via.iter().rev();
        let between = between.map(|via| (&via.table, via.links.as_slice()));
        let mut above = above;
        let mut chain = Vec::new();
        for (table, links) in between.chain([(table, links)]) {
            let table = self.table(table)?;
            self.has_its_rows(table)?;
            let ways = match above {
                // Set when it is known what is collected.
                Above::Collected => Vec::new(),
                above => {
                    let ways = links.iter().map(|link| self.way(table, link, above));
                    ways.collect::<Result<_, _>>()?
                }
            };
            let key = self.key_of(table).into_iter().map(|name| {
                let column = table.column(&name);
                let form = column.and_then(|(_, it)| KeyForm::of(&it.sql_type, self.catalog));
                (name, form)
            });
            let mut spot = Spot::new(path, table, self.catalog, above, self.pipeline.values);
            spot.ways = ways;
            spot.key = key.collect();
            above = Above::Spot(self.spots.len());
            chain.push(self.spots.len());
            self.spots.push(spot);
        }
        Ok(chain)
    }

    /// A link of a table's rows.
    pub(super) fn way(&mut self, table: &Table, link: &Link, above: Above) -> Result<Way, String> {
        let filter = self.tests(&link.filter, table);
        for condition in &link.filter {
            column_of(table, &condition.column)?;
        }
        if link.is_to_schema() {
            return Ok(Way {
                filter,
                own: Vec::new(),
                to: To::Everything,
            });
        }
        let above_table = match above {
            Above::Spot(spot) => Some(self.definition(spot)?),
            Above::Entity | Above::Collected => None,
        };
        let link = &link.counted(
            |column| table.column(column).is_some(),
            |column| above_table.is_none_or(|above| above.column(column).is_some()),
        );
        let or_key = |columns: &[String], table: &Table| match columns {
            [] => self.key_of(table),
            columns => columns.to_vec(),
        };
        let child = or_key(&link.child, table);
        let (own_type, parents): (Vec<SqlType>, Vec<(String, SqlType)>) = {
            let own = child
                .iter()
                .map(|name| Ok(column_of(table, name)?.sql_type.clone()));
            let own = own.collect::<Result<_, String>>()?;
            let parents = match above_table {
                None => vec![(String::new(), self.entity_type()?)],
                Some(above) => {
                    let parents = or_key(&link.parent, above);
                    let parents = parents.into_iter().map(|name| {
                        let sql_type = column_of(above, &name)?.sql_type.clone();
                        Ok((name, sql_type))
                    });
                    parents.collect::<Result<_, String>>()?
                }
            };
            (own, parents)
        };
        if child.is_empty() || child.len() != parents.len() {
            return Err(format!("a link of table {} has no key", table.name));
        }
        let mut own = Vec::new();
        let mut theirs = Vec::new();
        for ((name, own_type), (parent, parent_type)) in
            child.into_iter().zip(own_type).zip(parents)
        {
            let forms = key::comparison(&own_type, &parent_type, self.catalog);
            let (form, their_form) =
                forms.map_err(|reason| format!("a link of table {}: {reason}", table.name))?;
            own.push((name, form));
            theirs.push((parent, their_form));
        }
        let to = match (above, theirs.as_slice()) {
            (Above::Spot(spot), _) => To::Out(self.out(spot, theirs)),
            (_, [(_, form)]) if link.is_to_root() => To::EntityRoot(*form),
            (_, [(_, form)]) => To::EntityKey(*form),
            _ => return Err(format!("a link of table {} has no key", table.name)),
        };
        Ok(Way { filter, own, to })
    }

    /// The position of columns among the outs of a spot, which gets them if it has them not.
    pub(super) fn out(&mut self, spot: usize, columns: Vec<(String, KeyForm)>) -> usize {
        let out = Out { columns };
        let outs = &mut self.spots[spot].outs;
        match outs.iter().position(|other| *other == out) {
            Some(position) => position,
            None => {
                outs.push(out);
                outs.len() - 1
            }
        }
    }

    pub(super) fn matching(
        &mut self,
        node: &'p Node,
        spot: usize,
        ancestors: &[Ancestor<'p>],
    ) -> Result<(), String> {
        let Some((_, parent)) = ancestors.last() else {
            return Ok(());
        };
        for PipelineMatch { column, equals } in &node.matching {
            let own_type = column_of(self.definition(spot)?, column)?.sql_type.clone();
            let mut found = Vec::new();
            for equal in equals {
                let is_own = self.definition(*parent)?.column(equal).is_some();
                let (above, name) = match equal.rsplit_once('.') {
                    Some((of, name)) if !is_own => {
                        let above = ancestors.iter().rev().find(|(above, _)| *above == of);
                        (above.map_or(*parent, |(_, spot)| *spot), name)
                    }
                    _ => (*parent, equal.as_str()),
                };
                // One that the snapshot lacks is NULL, and the next one counts.
                let Some((_, theirs)) = self.definition(above)?.column(name) else {
                    continue;
                };
                let forms = key::comparison(&own_type, &theirs.sql_type, self.catalog);
                let (form, their_form) = forms.map_err(|reason| reason.to_string())?;
                let theirs = self.out(above, vec![(name.to_owned(), their_form)]);
                let own = self.out(spot, vec![(column.clone(), form)]);
                found.push((own, above, theirs));
            }
            self.spots[spot].matching.push(Match { equals: found });
        }
        Ok(())
    }

    /// Makes what is said of columns that lie over those of a row.
    pub(super) fn overlay(&mut self, node: &'p Node, spot: usize) -> Result<(), String> {
        let Some(said) = &node.overlay else {
            return Ok(());
        };
        let nested = self.spots[spot].nested.iter();
        let found = nested
            .enumerate()
            .find(|(_, nested)| nested.key == said.nested)
            .and_then(|(position, nested)| Some((position, *nested.chain.last()?)));
        let Some((position, over)) = found else {
            return Ok(());
        };
        let (own, theirs) = (self.definition(spot)?, self.definition(over)?);
        for name in &said.columns {
            if column_of(own, name)?.sql_type != column_of(theirs, name)?.sql_type {
                return Err(format!("column {name} has two types in {}", node.name));
            }
        }
        let mut overlay = Overlay {
            nested: position,
            fields: Vec::new(),
            outs: BTreeMap::new(),
        };
        for at in 0..self.spots[spot].outs.len() {
            let columns = self.spots[spot].outs[at].columns.clone();
            if columns.iter().any(|(name, _)| said.columns.contains(name)) {
                for (name, _) in &columns {
                    column_of(theirs, name)?;
                }
                let out = self.out(over, columns);
                overlay.outs.insert(at, out);
            }
        }
        let made = self.lie_over(spot, &said.columns);
        for field in made {
            overlay.fields.push(field.field);
            self.spots[over].over.push(field);
        }
        self.spots[spot].overlay = Some(overlay);
        Ok(())
    }
}
