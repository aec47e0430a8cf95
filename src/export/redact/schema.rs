//! The JSON Schema of redaction files, for editors and for checks outside of this program.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::RedactionFile;

/// The schema (draft 2020-12) of a redaction file. It knows a file's shape; which columns there are is known only with a
/// snapshot.
pub(crate) fn json_schema() -> Value {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<RedactionFile>()
        .to_value()
}
