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
    fn every_form_satisfies_the_schema() {
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        let cases = [
            ("{ not: null }", "{ not: [1, null] }"),
            ("{ not: null }", "{ above: 1.5, below: 2024-01-01 }"),
            ("{ not: null }", "[null, 1.50]"),
            ("{ not: null }", "{ like: GR-% }"),
            ("key: id", "key: id\n  path: slug"),
            ("key: id", "path: [slug, email]"),
            ("key: product_no", "key: [a, b]"),
            ("key: product_no", "key: none"),
            ("to: voucher_id", "to: [a, b], key: [c, d]"),
            ("link: { order_id: id }", "link: { a: b, c: d }"),
            (
                "except: [internal_remark]",
                "tree: parent_id\n    order: [a desc]",
            ),
            (
                "except: [internal_remark]",
                "tree: { link: { a: b }, as: below }\n    as: { a: b }",
            ),
            (
                "except: [internal_remark]",
                "via: [{ table: t, link: [{ a: key }], where: { b: 1 } }]",
            ),
            ("one: employees,", "one: employees, pick: last, order: [a],"),
            ("pipeline: shop", "pipeline: shop\nschema: app"),
        ];
        for (from, to) in cases {
            assert!(SHOP.contains(from), "the shop has no `{from}`");
            let text = SHOP.replace(from, to);
            assert!(validator.is_valid(&value(&text)), "{to}");
        }
        let constant = SHOP.replace(
            "discount: { lookup: contracts, link: { customer_id: id }, column: discount }",
            "kind: { constant: null }",
        );
        assert!(constant != SHOP && validator.is_valid(&value(&constant)));
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
            (
                "a text without a sign at its end",
                "{ not: null }",
                "{ like: GR }",
            ),
            ("a bound that is NULL", "{ not: null }", "{ above: null }"),
            (
                "a tree without a link",
                "except: [internal_remark]",
                "tree: { as: below }",
            ),
            (
                "a chain that is no list",
                "except: [internal_remark]",
                "via: { table: t }",
            ),
            (
                "an unknown choice",
                "one: employees,",
                "one: employees, pick: newest,",
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
