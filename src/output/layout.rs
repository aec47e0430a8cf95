//! Names of files: GitLab's offline-transfer layout, so that a bucket filled from the folder is what its
//! importer expects.

use std::path::{Component, Path};

use super::batch_number::BatchNumber;
use crate::pipeline::Form;

/// The file that describes the whole export.
pub const METADATA: &str = "metadata.json.gz";

/// The same, encrypted.
pub const SEALED_METADATA: &str = "metadata.json.gz.age";

/// The folder of a plan, by which several processes write one export. It goes when the export is complete.
pub const PLAN_FOLDER: &str = ".relexport-plan";

/// The plan itself. Without it there is no plan, whatever lies in its folder.
pub const PLAN: &str = ".relexport-plan/plan.json";

/// What stands behind the name of an encrypted file.
const SEALED: &str = ".age";

/// The name that a file has if it is encrypted, or as it is.
pub fn stored(name: String, is_sealed: bool) -> String {
    match is_sealed {
        true => name + SEALED,
        false => name,
    }
}

/// What a relation's file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileForm {
    /// NDJSON.
    #[default]
    Lines,
    /// One JSON object.
    Object,
    /// A tar of files.
    Archive,
}

impl FileForm {
    pub const ALL: [FileForm; 3] = [FileForm::Lines, FileForm::Object, FileForm::Archive];

    /// The end of its name.
    pub fn extension(self) -> &'static str {
        match self {
            FileForm::Lines => "ndjson.gz",
            FileForm::Object => "json.gz",
            FileForm::Archive => "tar.gz",
        }
    }
}

impl From<Form> for FileForm {
    fn from(form: Form) -> FileForm {
        match form {
            Form::Lines | Form::Single => FileForm::Lines,
            Form::Object => FileForm::Object,
            Form::Archive(_) => FileForm::Archive,
        }
    }
}

/// The path of a relation's file below the output folder, or of that of one of its batches.
pub fn file(prefix: &str, relation: &str, form: FileForm, batch: Option<BatchNumber>) -> String {
    let extension = form.extension();
    match batch {
        Some(number) => format!("{prefix}/{relation}/batch_{number}.{extension}"),
        None => format!("{prefix}/{relation}.{extension}"),
    }
}

/// True for what can be the name of a file or folder, and nothing else.
pub fn is_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let first = components.next();
    first == Some(Component::Normal(name.as_ref())) && components.next().is_none()
}
