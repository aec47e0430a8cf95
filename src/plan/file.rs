//! `plan.json`: what is made, and by which tasks.

use std::collections::HashMap;
use std::ops::Range;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::PlanError;
use crate::export::share::Part;
use crate::hex;
use crate::output::Manifest;

/// The version of this file's form.
const VERSION: u32 = 1;

/// A plan: an export, cut into tasks. It holds no secret: no password of an address, and of keys and tokens the names of
/// files at the most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    pub plan_version: u32,
    /// SHA-256 of all else that this file says, lower-case hex.
    pub id: String,
    /// The program that made it. No other version works on it.
    pub generator: String,
    /// The place of the export, and of the plan: a folder, or an address in a bucket.
    pub out: String,
    /// The snapshot, without the password that an address may have.
    pub snapshot: String,
    /// Changes when the snapshot does. Of a server, of which an exported snapshot is held, it says which instant that is.
    pub fingerprint: Option<String>,
    /// Where the snapshots lie into which the source was cut, if it was: each task names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The options of `relexport export` that decide what is written, but for those that name the snapshot, the entities and
    /// the place.
    pub arguments: Vec<String>,
    /// The manifest of the export, without what is known only when its rows have been read.
    #[schemars(with = "Value")]
    pub manifest: Manifest,
    /// The content of `metadata.json.gz`.
    pub metadata: String,
    /// The relations of each set of entities.
    pub sets: Vec<PlannedRelations>,
    /// All entities, in the order of the manifest.
    pub entities: Vec<PlannedEntity>,
    /// Numbered from 0, by their positions.
    pub tasks: Vec<Task>,
}

/// The relations of entities of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedRelations {
    pub pipeline: String,
    /// In the order of the manifest.
    pub relations: Vec<String>,
    /// Those of them that `commit` makes, of what the records of several tasks refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collected: Vec<String>,
}

/// An entity of the export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedEntity {
    /// The position of its relations' set.
    pub set: usize,
    /// Its key.
    pub key: String,
    /// Its folder.
    pub prefix: String,
}

/// A share of the export that one process makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The snapshot that it reads in place of the plan's: the name of one of those in `stage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Of that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Its entities: the position of the first one, and that behind the last.
    pub entities: (usize, usize),
    /// Its relations, with their pipelines' names before them; `null` for all of them.
    pub relations: Option<Vec<String>>,
    /// Of relations in batches, which batches; `null` for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<PartSchema>")]
    pub part: Option<Part>,
    /// What its records refer to is told to `commit`, which makes the relations that are collected from them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_references: bool,
    /// What it is thought to cost, in bytes that are read or made.
    pub cost: u64,
}

/// One of several ranges into which the batches of a relation are cut.
#[derive(JsonSchema)]
#[schemars(rename = "Part")]
#[expect(dead_code, reason = "it only lends its form to the schema")]
struct PartSchema {
    /// Counted from 0.
    index: u32,
    /// How many there are.
    of: u32,
}

/// What a plan of any version has.
#[derive(Deserialize)]
struct Head {
    plan_version: u32,
}

/// The JSON Schema (draft 2020-12) of `plan.json`.
pub fn schema() -> Value {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<PlanFile>()
        .to_value()
}

impl Task {
    /// The positions of its entities.
    pub fn range(&self) -> Range<usize> {
        self.entities.0..self.entities.1
    }
}

impl PlanFile {
    /// Sets the version, and the id by all else that the plan says.
    ///
    /// # Errors
    /// None, since nothing in a plan is a map with other keys than text.
    pub(super) fn seal(mut self) -> Result<PlanFile, serde_json::Error> {
        self.plan_version = VERSION;
        self.id = String::new();
        self.id = self.digest()?;
        Ok(self)
    }

    fn digest(&self) -> Result<String, serde_json::Error> {
        let mut unnamed = self.clone();
        unnamed.id = String::new();
        // The same export, planned again, is the same plan.
        unnamed.manifest.started_at = String::new();
        Ok(hex::encode(&Sha256::digest(serde_json::to_vec(&unnamed)?)))
    }

    /// Reads a plan; `shown` is what messages call the file.
    ///
    /// # Errors
    /// If it is none, has another version, or was changed since it was made.
    pub(crate) fn parse(bytes: &[u8], shown: &str) -> Result<PlanFile, PlanError> {
        let form = |source: serde_json::Error| PlanError::Form {
            path: shown.to_owned(),
            source,
        };
        // Another version may have another form, too.
        let Head { plan_version } = serde_json::from_slice(bytes).map_err(form)?;
        if plan_version != VERSION {
            return Err(PlanError::Version {
                path: shown.to_owned(),
                found: plan_version,
                known: VERSION,
            });
        }
        let plan: PlanFile = serde_json::from_slice(bytes).map_err(form)?;
        let is_sound = plan.digest().map_err(form)? == plan.id && plan.fits();
        match is_sound {
            true => Ok(plan),
            false => Err(PlanError::Another(format!(
                "cannot use {shown}: it was changed after it was made\n  plan again, with another --out"
            ))),
        }
    }

    /// True if its positions are those of something.
    fn fits(&self) -> bool {
        let entities = self.entities.iter();
        let has_set = |entity: &PlannedEntity| entity.set < self.sets.len();
        let within = |task: &Task| {
            task.entities.0 <= task.entities.1 && task.entities.1 <= self.entities.len()
        };
        entities.clone().all(has_set) && self.tasks.iter().all(within)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// None, since nothing in a plan is a map with other keys than text.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// The task of a number.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn task(&self, number: u32) -> Result<&Task, PlanError> {
        let task = self.tasks.get(number as usize);
        task.ok_or_else(|| {
            PlanError::Refused(format!(
                "cannot make task {number}: the plan has tasks 0 to {}\n  name one of these",
                self.tasks.len().saturating_sub(1)
            ))
        })
    }

    /// The positions of entities, by their folders.
    pub(super) fn by_prefix(&self) -> HashMap<&str, usize> {
        let entities = self.entities.iter().enumerate();
        entities
            .map(|(position, entity)| (entity.prefix.as_str(), position))
            .collect()
    }

    /// The keys of some entities, by pipeline.
    pub(super) fn keys(&self, range: Range<usize>, pipeline: &str) -> Vec<String> {
        let entities = self.entities[range].iter();
        let own = entities.filter(|entity| self.sets[entity.set].pipeline == pipeline);
        own.map(|entity| entity.key.clone()).collect()
    }
}
