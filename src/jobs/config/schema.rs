//! The JSON Schema of a file of configuration, for editors.

use serde_json::{Map, Value, json};

use super::job::usable;
use super::keys::{Key, OF_JOB, SETTINGS, Shape};
use super::options::{ExportOption, ExportOptions, OptionValues};
use crate::output::retention::Keep;

/// The schema of a file, with the options that the command line knows.
pub fn schema(options: &dyn ExportOptions) -> Value {
    let mut of_job = keys(OF_JOB);
    of_job.extend(keep());
    of_job.extend(usable(options).map(|option| (option.name.clone(), of_option(option))));
    let mut properties = keys(SETTINGS);
    let defaults = json!({"description": "What stands for all jobs", "$ref": "#/$defs/job"});
    let jobs = json!({
        "description": "Exports that are made again and again, by their names",
        "type": "object",
        "propertyNames": {"pattern": "^[a-z0-9_][a-z0-9_-]{0,63}$"},
        "additionalProperties": {"$ref": "#/$defs/job"},
    });
    properties.extend([("defaults".to_owned(), defaults), ("job".to_owned(), jobs)]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of relexport",
        "description": "Jobs of `relexport run`: /etc/relexport/relexport.toml and /etc/relexport/conf.d/*.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": {
            "job": {"type": "object", "properties": of_job, "additionalProperties": false},
        },
    })
}

fn keys(keys: &[Key]) -> Map<String, Value> {
    let of_key = |key: &Key| {
        let mut schema = of_shape(key.shape);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), key.help.into());
        }
        (key.name.to_owned(), schema)
    };
    keys.iter().map(of_key).collect()
}

fn of_shape(shape: Shape) -> Value {
    let text = || json!({"type": "string", "minLength": 1});
    let one_or_several =
        |one: Value| json!({"anyOf": [one.clone(), {"type": "array", "items": one}]});
    match shape {
        Shape::Text | Shape::Path => text(),
        Shape::Time => json!({
            "anyOf": [{"type": "string", "pattern": "^(0|[0-9]+(ms|s|m|min|h))$"}, {"const": 0}],
        }),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Words(words) => json!({"enum": words}),
        Shape::Rows => one_or_several(json!({
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^([^=]+=)? *[0-9]+ *$"}],
        })),
        Shape::Shares => {
            one_or_several(json!({"type": "string", "pattern": "^([^=]+=)? *[0-9.]+ *% *$"}))
        }
        Shape::Programs => {
            let program = json!({"type": "array", "items": {"type": "string"}});
            json!({"anyOf": [program.clone(), {"type": "array", "items": program}]})
        }
        Shape::Table(inner) => json!({
            "type": "object",
            "properties": keys(inner),
            "additionalProperties": false,
        }),
        Shape::Variables => json!({
            "type": "object",
            "patternProperties": {"^[A-Za-z_][A-Za-z0-9_]*(-file|-credential|-variable)?$": text()},
            "additionalProperties": false,
        }),
    }
}

/// The keep rules, as their type has them.
fn keep() -> Map<String, Value> {
    let schema = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<Keep>()
        .to_value();
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.cloned().unwrap_or_default()
}

fn of_option(option: &ExportOption) -> Value {
    let scalar = || match option.words.is_empty() {
        true => json!({"type": ["string", "number"]}),
        false => json!({"enum": option.words}),
    };
    let mut schema = match option.values {
        OptionValues::None => json!({"type": "boolean"}),
        OptionValues::One => scalar(),
        OptionValues::Several => json!({"anyOf": [scalar(), {"type": "array", "items": scalar()}]}),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), option.help.as_str().into());
    }
    schema
}
