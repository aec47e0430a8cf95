//! The manifest that newer Gitaly writes for each repository of a backup: which files it consists of.

use serde::Deserialize;

use super::object_id::ObjectFormat;
use super::path::is_plain;
use super::ref_lines::is_ref_name;

/// Bytes of a manifest at the most: a step has a few hundred.
pub(super) const MANIFEST_LIMIT: u64 = 4 << 20;

/// What a manifest says. Keys that are not known here are none of ours.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct ManifestFile {
    empty: Option<bool>,
    #[serde(default)]
    non_existent: bool,
    #[serde(default)]
    object_format: String,
    #[serde(default)]
    head_reference: String,
    #[serde(default)]
    steps: Vec<StepFile>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct StepFile {
    #[serde(default)]
    bundle_path: String,
    #[serde(default)]
    ref_path: String,
}

/// A manifest that was checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// There was nothing in the repository; `None` in old ones, which do not say.
    pub empty: Option<bool>,
    /// There was no repository.
    pub non_existent: bool,
    pub object_format: Option<ObjectFormat>,
    /// `refs/heads/main`, say; `None` in old ones, and for a HEAD that is no branch.
    pub head_reference: Option<String>,
    /// Bundle and refs of each step, below `repositories/`. What is named need not be there.
    pub steps: Vec<(String, String)>,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let file: ManifestFile = toml::from_str(text).map_err(|error| {
            // The error itself shows lines of the file.
            let before = error.span().and_then(|span| text.get(..span.start));
            match before.map(|before| before.matches('\n').count() + 1) {
                Some(line) => format!("line {line}: {}", error.message()),
                None => error.message().to_owned(),
            }
        })?;
        let object_format = match file.object_format.as_str() {
            "" => None,
            name => Some(
                ObjectFormat::of_name(name.as_bytes())
                    .ok_or("its object_format is neither sha1 nor sha256")?,
            ),
        };
        let head_reference = match file.head_reference.as_str() {
            "" => None,
            name if name.starts_with("refs/") && is_ref_name(name.as_bytes()) => {
                Some(name.to_owned())
            }
            _ => return Err("its head_reference is no name of a ref".to_owned()),
        };
        let mut steps = Vec::with_capacity(file.steps.len());
        for (at, step) in file.steps.into_iter().enumerate() {
            for (key, path) in [
                ("bundle_path", &step.bundle_path),
                ("ref_path", &step.ref_path),
            ] {
                if !is_plain(path) {
                    return Err(format!(
                        "{key} of step {} does not name a file of the backup",
                        at + 1
                    ));
                }
            }
            steps.push((step.bundle_path, step.ref_path));
        }
        Ok(Manifest {
            empty: file.empty,
            non_existent: file.non_existent,
            object_format,
            head_reference,
            steps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_of_all_ages_are_read() {
        let old = "object_format = 'sha1'\n\n[[steps]]\nbundle_path = 'a/001.bundle'\nref_path = 'a/001.refs'\n\
                   custom_hooks_path = 'a/001.custom_hooks.tar'\n";
        let step = |n: u8| (format!("a/00{n}.bundle"), format!("a/00{n}.refs"));
        let expected = Manifest {
            empty: None,
            non_existent: false,
            object_format: Some(ObjectFormat::Sha1),
            head_reference: None,
            steps: vec![step(1)],
        };
        assert_eq!(Manifest::parse(old.as_bytes()), Ok(expected));
        let new = "empty = true\nnon_existent = false\nobject_format = ''\nhead_reference = 'refs/heads/main'\nnew = 1\n\n\
                   [[steps]]\nbundle_path = 'a/001.bundle'\nref_path = 'a/001.refs'\n[[steps]]\n\
                   bundle_path = 'a/002.bundle'\nref_path = 'a/002.refs'\nprevious_ref_path = 'a/001.refs'\n";
        let expected = Manifest {
            empty: Some(true),
            non_existent: false,
            object_format: None,
            head_reference: Some("refs/heads/main".to_owned()),
            steps: vec![step(1), step(2)],
        };
        assert_eq!(Manifest::parse(new.as_bytes()), Ok(expected));
        assert!(Manifest::parse(b"").unwrap().steps.is_empty());
    }

    #[test]
    fn hostile_manifests_are_refused() {
        let step = |bundle: &str| format!("[[steps]]\nbundle_path = '{bundle}'\nref_path = 'a'\n");
        let cases = [
            (step("../../etc/passwd"), "bundle_path of step 1"),
            (step("/etc/passwd"), "bundle_path of step 1"),
            (step("a/../../b"), "bundle_path of step 1"),
            (step(""), "bundle_path of step 1"),
            ("object_format = 'md5'".to_owned(), "object_format"),
            ("head_reference = '--x'".to_owned(), "head_reference"),
            (
                "head_reference = \"refs/heads/a\\nb\"".to_owned(),
                "head_reference",
            ),
            ("steps = 1".to_owned(), "line 1"),
            ("empty = false\nempty = true".to_owned(), "line 2"),
            ("[".repeat(100_000), ""),
        ];
        for (text, says) in cases {
            let error = Manifest::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{text:.80}: {error}");
        }
        assert!(Manifest::parse(b"a = '\xff'").is_err());
    }
}
