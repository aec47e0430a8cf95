//! Laying a pipeline over a catalog.

mod fields;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use crate::key::{self, KeyForm};
use crate::pipeline::{Collected, Form, Maximum, Node, OrderBy, Pick, Pipeline, Source};
use crate::snapshot::{Catalog, SqlType, Table, TableName};

use super::spots::{Above, Instead, MadeOf, Nested, OrderColumn, Relation, Spot, Spots, To, Way};
use super::test::Test;

/// What the manifest says of how an export was made, and the snapshot of which rows it has.
pub(super) struct Terms<'m> {
    pub(super) is_ce: bool,
    /// Columns whose values are redacted, by table.
    pub(super) redacted: Option<&'m BTreeMap<String, BTreeMap<String, String>>>,
    /// The relations that were exported.
    pub(super) relations: BTreeSet<&'m str>,
    /// Partitions whose rows may stand in the data of a table above them, and that table.
    pub(super) undivided: &'m BTreeMap<TableName, TableName>,
}

/// Lays a pipeline, which has a schema for every table, over a catalog.
pub(super) fn lay(pipeline: &Pipeline, catalog: &Catalog, terms: &Terms<'_>) -> Spots {
    let mut layer = Layer {
        pipeline,
        catalog,
        terms,
        spots: Vec::new(),
        records: Vec::new(),
    };
    let exported = pipeline.relations.iter();
    let exported: Vec<_> = exported
        .filter(|relation| terms.relations.contains(relation.name.as_str()))
        .collect();
    let mut made_of: BTreeMap<usize, MadeOf> = BTreeMap::new();
    // What others refer to comes last.
    for is_last in [false, true] {
        for (position, relation) in exported.iter().enumerate() {
            let is_collected = matches!(relation.source, Source::Collected(_));
            if is_collected != is_last {
                continue;
            }
            let laid = match (&relation.source, relation.form) {
                (_, Form::Archive(_)) => Ok(MadeOf::NotCompared(
                    "it holds files, and no records".to_owned(),
                )),
                (Source::Rows(node), _) => layer.rows(node, relation.form, relation.pick),
                (Source::Maxima(maxima), _) => layer.maxima(maxima),
                (Source::Collected(collected), _) => layer.collected(position, collected),
            };
            made_of.insert(position, laid.unwrap_or_else(MadeOf::Impossible));
        }
    }
    let relations = exported.iter().zip(made_of.into_values());
    let relations = relations.map(|(relation, made_of)| Relation {
        name: relation.name.clone(),
        form: relation.form,
        pick: relation.pick,
        without_row: relation.without_row.clone(),
        made_of,
    });
    Spots {
        relations: relations.collect(),
        spots: layer.spots,
    }
}

/// A node that stands above, by its name.
type Ancestor<'p> = (&'p str, usize);

struct Layer<'p> {
    pipeline: &'p Pipeline,
    catalog: &'p Catalog,
    terms: &'p Terms<'p>,
    spots: Vec<Spot>,
    /// The spots whose rows are written.
    records: Vec<usize>,
}

impl<'p> Layer<'p> {
    fn rows(&mut self, node: &'p Node, form: Form, pick: Option<Pick>) -> Result<MadeOf, String> {
        let chain = self.node(node, Above::Entity, &[], "")?;
        if let (Form::Single | Form::Object, Some(_), Some(spot)) = (form, pick, chain.last()) {
            self.put_in_order(*spot, &node.order);
        }
        Ok(MadeOf::Rows(chain))
    }

    fn maxima(&mut self, maxima: &'p [Maximum]) -> Result<MadeOf, String> {
        let mut chains = Vec::new();
        for maximum in maxima {
            let has = |table: &TableName| self.find(table).is_some();
            let is_there = has(&maximum.table) && maximum.via.iter().all(|via| has(&via.table));
            if (maximum.ee && self.terms.is_ce) || !is_there {
                continue;
            }
            let links = std::slice::from_ref(&maximum.link);
            let chain = self.chain(
                &maximum.table,
                links,
                &maximum.via,
                Above::Entity,
                &maximum.name,
            )?;
            let Some(last) = chain.last() else {
                continue;
            };
            let table = self.table(&maximum.table)?;
            let column = column_of(table, &maximum.column)?;
            let form = KeyForm::of(&column.sql_type, self.catalog).ok_or_else(|| {
                format!(
                    "column {} of table {} has no order",
                    column.name, table.name
                )
            })?;
            if self.is_redacted(table, &column.name) {
                return Ok(MadeOf::NotCompared(format!(
                    "column {} of table {} is redacted",
                    column.name, table.name
                )));
            }
            let field = self.plain_field(&maximum.name, column);
            let spot = &mut self.spots[*last];
            spot.maximum = Some((column.name.clone(), form));
            spot.fields = vec![field];
            chains.push((maximum.name.clone(), chain));
        }
        Ok(MadeOf::Maxima(chains))
    }

    fn collected(&mut self, position: usize, it: &'p Collected) -> Result<MadeOf, String> {
        let (first, links) = match it.node.via.last() {
            Some(via) => (&via.table, &via.links),
            None => (&it.node.table, &it.node.links),
        };
        let table = self.table(first)?;
        let target = match links.first().filter(|link| !link.child.is_empty()) {
            Some(link) => link.child.clone(),
            None => self.key_of(table),
        };
        let [target] = target.as_slice() else {
            return Err(format!("table {first} has no key of one column"));
        };
        let target = column_of(table, target)?;
        let form = KeyForm::of(&target.sql_type, self.catalog)
            .ok_or_else(|| format!("column {} of table {first} is no key", target.name))?;
        for spot in self.records.clone() {
            let writer = self.definition(spot)?;
            let is_excepted = |name: &TableName| {
                let mut except = it.except_tables.iter();
                except.any(|table| self.find(table).is_some_and(|table| table.name == *name))
            };
            if is_excepted(&writer.name) {
                continue;
            }
            for column in &it.columns {
                let Some((_, found)) = writer.column(column) else {
                    continue;
                };
                let forms = key::comparison(&target.sql_type, &found.sql_type, self.catalog);
                // Values of another type refer to nothing.
                if let Ok((of_target, own)) = forms
                    && of_target == form
                {
                    let entry = (position, column.clone(), own);
                    self.spots[spot].collects.push(entry);
                }
            }
        }
        // The way to what was collected.
        let chain = self.node(&it.node, Above::Collected, &[], "")?;
        let first = chain.first().copied().ok_or("it has no rows")?;
        self.spots[first].ways = vec![Way {
            filter: links
                .iter()
                .flat_map(|link| self.tests(&link.filter, table))
                .collect(),
            own: vec![(target.name.clone(), form)],
            to: To::Collected(position),
        }];
        Ok(MadeOf::Collected(chain))
    }

    /// The spots from what stands above to the rows of a node, which gets its keys and what is nested in it.
    fn node(
        &mut self,
        node: &'p Node,
        above: Above,
        ancestors: &[Ancestor<'p>],
        within: &str,
    ) -> Result<Vec<usize>, String> {
        let path = match within {
            "" => node.name.clone(),
            within => format!("{within}.{}", node.name),
        };
        let chain = self.chain(&node.table, &node.links, &node.via, above, &path)?;
        let spot = chain.last().copied().ok_or("it has no rows")?;
        self.records.push(spot);
        let table = self.definition(spot)?;
        if let Some(tree) = &node.tree {
            let way = self.way(table, &tree.link, Above::Spot(spot))?;
            self.spots[spot].ways.push(way);
            self.spots[spot].tree = Some(tree.name.clone());
        }
        if !node.many {
            self.put_in_order(spot, &node.order);
        }
        self.spots[spot].without_row = node.without_row.clone();
        self.matching(node, spot, ancestors)?;
        let fields = self.fields(node, spot, table)?;
        self.spots[spot].fields = fields;
        self.identify(spot, table);
        let mut within_this = ancestors.to_vec();
        within_this.push((node.name.as_str(), spot));
        for child in &node.nested {
            if child.ee && self.terms.is_ce {
                continue;
            }
            self.nested(node, child, spot, &within_this, &path)?;
        }
        self.overlay(node, spot)?;
        Ok(chain)
    }

    fn nested(
        &mut self,
        node: &'p Node,
        child: &'p Node,
        spot: usize,
        ancestors: &[Ancestor<'p>],
        path: &str,
    ) -> Result<(), String> {
        let between = child.via.iter().map(|via| &via.table);
        let mut tables = [&child.table].into_iter().chain(between);
        let is_there = tables.all(|table| self.find(table).is_some());
        if !is_there && !child.many {
            return Ok(());
        }
        let position = self.spots[spot].nested.len();
        let instead = child.instead.as_ref().filter(|_| is_there);
        self.spots[spot].nested.push(Nested {
            key: child.name.clone(),
            chain: Vec::new(),
            many: child.many,
            pick: child.pick,
            instead: instead
                .iter()
                .flat_map(|instead| instead.objects.values().cloned())
                .collect(),
            has_without_row: child.without_row.is_some(),
        });
        if let Some(instead) = instead {
            let table = self.definition(spot)?;
            column_of(table, &instead.column)?;
            self.spots[spot].instead.push(Instead {
                nested: position,
                column: instead.column.clone(),
                objects: instead.objects.clone(),
            });
        }
        if is_there {
            let chain = self.node(child, Above::Spot(spot), ancestors, path);
            let chain =
                chain.map_err(|reason| format!("{} of {}: {reason}", child.name, node.name))?;
            self.spots[spot].nested[position].chain = chain;
        }
        Ok(())
    }

    fn put_in_order(&mut self, spot: usize, order: &[OrderBy]) {
        let Ok(table) = self.definition(spot) else {
            return;
        };
        let of = |column: &str| {
            let column = table.column(column);
            column.and_then(|(_, it)| KeyForm::of(&it.sql_type, self.catalog))
        };
        let said = order.iter().map(|order| OrderColumn {
            column: order.column.clone(),
            form: of(&order.column),
            descending: order.descending,
            nulls_last: order.nulls_last,
        });
        let key = self.spots[spot]
            .key
            .iter()
            .map(|(column, form)| OrderColumn {
                column: column.clone(),
                form: *form,
                descending: false,
                nulls_last: true,
            });
        self.spots[spot].order = Some(said.chain(key).collect());
    }

    fn tests(&self, filter: &[crate::pipeline::Condition], table: &Table) -> Vec<Test> {
        let tests = filter.iter();
        tests
            .map(|condition| Test::new(condition, table, self.catalog))
            .collect()
    }

    fn key_of(&self, table: &Table) -> Vec<String> {
        let said = self.said(table);
        self.pipeline
            .key_of(said)
            .columns(table, self.catalog.keys())
    }

    /// What the pipeline calls a table.
    fn said<'t>(&'t self, table: &'t Table) -> &'t TableName {
        let said = self.pipeline.said(&table.name, self.catalog);
        said.unwrap_or(&table.name)
    }

    fn find(&self, name: &TableName) -> Option<&'p Table> {
        let mut names = self.pipeline.names_of(name);
        names.find_map(|name| self.catalog.table(name))
    }

    fn table(&self, name: &TableName) -> Result<&'p Table, String> {
        self.find(name)
            .ok_or_else(|| format!("table {name} is not in the snapshot"))
    }

    /// Makes sure that the snapshot says which rows are those of a table.
    fn has_its_rows(&self, table: &Table) -> Result<(), String> {
        match self.terms.undivided.get(&table.name) {
            None => Ok(()),
            Some(above) => Err(format!(
                "rows of table {} may stand in the data of {above}, and nothing says which of them are its own",
                table.name
            )),
        }
    }

    /// The table of a spot's rows.
    fn definition(&self, spot: usize) -> Result<&'p Table, String> {
        let name = &self.spots[spot].table;
        let table = self.catalog.table(name);
        table.ok_or_else(|| format!("table {name} is not in the snapshot"))
    }

    /// The type of the entities' keys.
    fn entity_type(&self) -> Result<SqlType, String> {
        let entity = &self.pipeline.entity;
        if entity.schemas.is_some() {
            return Ok(SqlType::Text);
        }
        let table = self.table(&entity.table)?;
        match (&entity.key, self.key_of(table).as_slice()) {
            (Some(key), _) | (None, [key]) => Ok(column_of(table, key)?.sql_type.clone()),
            (None, _) => Err(format!("table {} has no key of one column", table.name)),
        }
    }

    fn is_redacted(&self, table: &Table, column: &str) -> bool {
        let Some(redacted) = self.terms.redacted else {
            return false;
        };
        [&table.name, self.said(table)].iter().any(|name| {
            let columns = redacted.get(&name.to_string());
            columns.is_some_and(|columns| columns.contains_key(column))
        })
    }
}

fn column_of<'t>(table: &'t Table, name: &str) -> Result<&'t crate::snapshot::Column, String> {
    let column = table.column(name).map(|(_, column)| column);
    column.ok_or_else(|| format!("table {} has no column {name}", table.name))
}
