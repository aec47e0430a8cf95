//! The JSON Schema of pipeline files, for editors and for checks outside of this program.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::PipelineFile;

/// The schema (draft 2020-12) of a pipeline file. It knows a file's shape; what names refer to is checked by
/// [`Pipeline::parse`](super::Pipeline::parse) alone.
pub fn json_schema() -> Value {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<PipelineFile>()
        .to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::BUILTIN;

    const SHOP: &str = include_str!("../../docs/shop.yml");

    fn value(yaml: &str) -> Value {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn the_pipelines_of_this_project_satisfy_the_schema() {
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        for (name, text) in [("group", BUILTIN), ("shop", SHOP)] {
            let mistakes: Vec<String> = validator
                .iter_errors(&value(text))
                .map(|error| error.to_string())
                .collect();
            assert_eq!(mistakes, Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn wrong_files_do_not_satisfy_the_schema() {
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        let cases = [
            ("an unknown key", "pipeline: shop", "pipelin: shop"),
            (
                "an unknown form of values",
                "pipeline: shop",
                "pipeline: shop\nvalues: precise",
            ),
            (
                "a relation whose name is a path",
                "  orders:",
                "  ../orders:",
            ),
            ("a folder without a key", "customer_{key}", "customer"),
            ("an unknown form", "form: object", "form: xml"),
            ("a name for a text", "1: open,", "open: 1,"),
            ("an unknown test", "{ not: null }", "{ is: null }"),
            (
                "a link without columns",
                "link: { order_id: id }",
                "link: {}",
            ),
        ];
        for (name, from, to) in cases {
            assert!(SHOP.contains(from), "{name}: the shop has no `{from}`");
            assert!(
                !validator.is_valid(&value(&SHOP.replace(from, to))),
                "{name}"
            );
        }
    }
}
