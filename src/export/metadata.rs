//! `metadata.json.gz`: what GitLab's offline-transfer importer reads first.

use serde_json::{Map, Value};

use crate::output::{ENTITIES_MAPPING, EntityEntry, entities_mapping};
use crate::pipeline::Edition;
use crate::snapshot::{Catalog, TableName};

/// What the metadata says beside the entities.
pub(crate) struct Instance<'a> {
    /// The version of the GitLab that wrote the snapshot, with its suffix.
    pub version: &'a str,
    pub enterprise: bool,
    /// The export folder's name.
    pub export_prefix: &'a str,
    pub source_hostname: &'a str,
}

/// The file's content, before compression: one object, without a line end.
pub(crate) fn content(instance: &Instance<'_>, entities: &[EntityEntry]) -> Vec<u8> {
    let mut object = Map::new();
    object.insert("instance_version".to_owned(), instance.version.into());
    object.insert("instance_enterprise".to_owned(), instance.enterprise.into());
    object.insert("export_prefix".to_owned(), instance.export_prefix.into());
    object.insert(
        "source_hostname".to_owned(),
        instance.source_hostname.into(),
    );
    let mapping = entities_mapping(entities);
    object.insert(ENTITIES_MAPPING.to_owned(), Value::Object(mapping));
    Value::Object(object).to_string().into_bytes()
}

/// Whether the instance was an Enterprise Edition: its version says so, else the edition that is exported.
pub fn is_enterprise(version: Option<&str>, edition: Edition) -> bool {
    match version {
        Some(version) => version.ends_with("-ee"),
        None => edition == Edition::Ee,
    }
}

/// A sign in the tables that the schema is at least of some version.
struct Sign {
    version: &'static str,
    shows: fn(&Catalog) -> bool,
}

/// Newest first. From the history of GitLab's schema; each sign is one that later versions keep.
const SIGNS: [Sign; 6] = [
    Sign {
        version: "19.1.0",
        shows: |catalog| lacks(catalog, "namespaces", "push_rule_id"),
    },
    Sign {
        version: "18.11.0",
        shows: |catalog| is_partitioned(catalog, "uploads"),
    },
    Sign {
        version: "18.10.0",
        shows: |catalog| lacks(catalog, "namespaces", "description"),
    },
    Sign {
        version: "18.6.0",
        shows: |catalog| has(catalog, "award_emoji", "namespace_id"),
    },
    Sign {
        version: "18.5.0",
        shows: |catalog| has(catalog, "namespaces", "state"),
    },
    Sign {
        version: "17.11.0",
        shows: |catalog| has(catalog, "epics", "work_item_parent_link_id"),
    },
];

/// The newest GitLab whose marks the snapshot's tables show; `None` where they show none.
pub fn version_by_tables(catalog: &Catalog) -> Option<&'static str> {
    SIGNS
        .iter()
        .find(|sign| (sign.shows)(catalog))
        .map(|sign| sign.version)
}

fn has(catalog: &Catalog, table: &str, column: &str) -> bool {
    catalog
        .table(&TableName::public(table))
        .is_some_and(|table| table.column(column).is_some())
}

fn lacks(catalog: &Catalog, table: &str, column: &str) -> bool {
    catalog
        .table(&TableName::public(table))
        .is_some_and(|table| table.column(column).is_none())
}

fn is_partitioned(catalog: &Catalog, table: &str) -> bool {
    catalog
        .table(&TableName::public(table))
        .is_some_and(|table| table.partitioned)
}
