//! `backup_information.yml` (or `.json`): what a GitLab backup says of itself.
//!
//! GitLab writes the file with Ruby's YAML: keys are symbols (`:gitlab_version: 16.5.1-ee`), times may be Ruby
//! objects (`!ruby/object:ActiveSupport::TimeWithZone`) whose tags a YAML parser must refuse or be taught, and
//! lists of repository paths may be long. A few scalars and lists of it are of use and none is needed, so its lines are
//! read by hand: a line that is not understood is passed over, and the file can never fail an export.

use std::collections::BTreeMap;

pub(in crate::snapshot) const INFORMATION: [&str; 2] =
    ["backup_information.yml", "backup_information.json"];

/// More than any real file of that kind needs; a larger one is not worth its memory.
pub(in crate::snapshot) const INFORMATION_LIMIT: u64 = 1 << 20;

/// What is taken from the file; what it does not say is `None`, or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupInfo {
    /// With its suffix, such as `16.5.1-ee`.
    pub gitlab_version: Option<String>,
    /// As the file writes it.
    pub taken_at: Option<String>,
    /// By which repositories find what they hold of this backup.
    pub backup_id: Option<String>,
    /// The backup that an incremental one builds on; of a full one its own id.
    pub full_backup_id: Option<String>,
    /// Parts that were left out on purpose, by the names of `SKIP`: `repositories`, `uploads`, `lfs`, …
    pub skipped: Vec<String>,
    /// Repositories are not in the backup, but in the object storage that Gitaly was told of.
    pub repositories_server_side: bool,
    /// If not empty: repositories of other storages are not in the backup.
    pub repositories_storages: Vec<String>,
    /// If not empty: repositories of other groups and projects are not in the backup.
    pub repositories_paths: Vec<String>,
    /// Groups and projects whose repositories are not in the backup.
    pub skip_repositories_paths: Vec<String>,
}

/// A value of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Scalar(String),
    List(Vec<String>),
}

impl BackupInfo {
    /// Reads the file's text, JSON (which the `gitlab-backup-cli` gem writes) if it begins like JSON.
    pub(in crate::snapshot) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let values = match text.trim_start().starts_with('{') {
            true => json(&text),
            false => yaml(&text),
        };
        let scalar = |key: &str| match values.get(key) {
            Some(Value::Scalar(text)) => Some(text.clone()),
            Some(Value::List(_)) | None => None,
        };
        // What environment variables named is written as one text with commas, or as a list.
        let list = |key: &str| {
            let texts = match values.get(key) {
                Some(Value::Scalar(text)) => text.split(',').map(str::to_owned).collect(),
                Some(Value::List(texts)) => texts.clone(),
                None => Vec::new(),
            };
            let texts = texts.iter().map(|text| text.trim().to_owned());
            texts.filter(|text| !text.is_empty()).collect()
        };
        BackupInfo {
            gitlab_version: scalar("gitlab_version"),
            taken_at: scalar("backup_created_at").or_else(|| scalar("created_at")),
            backup_id: scalar("backup_id"),
            full_backup_id: scalar("full_backup_id"),
            skipped: list("skipped"),
            repositories_server_side: scalar("repositories_server_side")
                .is_some_and(|text| matches!(text.to_lowercase().as_str(), "true" | "yes" | "1")),
            repositories_storages: list("repositories_storages"),
            repositories_paths: list("repositories_paths"),
            skip_repositories_paths: list("skip_repositories_paths"),
        }
    }

    /// True for a backup whose repositories are those of an earlier one and what came since.
    pub fn is_incremental(&self) -> bool {
        let full = self.full_backup_id.as_ref();
        full.is_some_and(|full| self.backup_id.as_ref() != Some(full))
    }

    /// True for a backup without the repositories of some groups or projects, or of all.
    pub fn leaves_out_repositories(&self) -> bool {
        self.skips("repositories")
            || self.repositories_server_side
            || !self.repositories_storages.is_empty()
            || !self.repositories_paths.is_empty()
            || !self.skip_repositories_paths.is_empty()
    }

    /// True for a part that was left out on purpose.
    pub fn skips(&self, part: &str) -> bool {
        self.skipped.iter().any(|skipped| skipped == part)
    }
}

/// The scalars and lists of a JSON object. The file is a courtesy: damaged JSON says as little as no file.
fn json(text: &str) -> BTreeMap<String, Value> {
    use serde_json::Value as Json;
    let scalar = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    };
    let Ok(Json::Object(object)) = serde_json::from_str(text) else {
        return BTreeMap::new();
    };
    let values = object.into_iter().filter_map(|(key, value)| {
        let value = match &value {
            Json::Array(items) => Value::List(items.iter().filter_map(scalar).collect()),
            value => Value::Scalar(scalar(value)?),
        };
        Some((key, value))
    });
    values.collect()
}

/// The scalars and lists of a mapping that Ruby wrote. The first value of a key counts.
fn yaml(text: &str) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((key, value)) = key_and_value(line) else {
            continue;
        };
        // What belongs to a value stands indented, and the items of a list may stand beside their key.
        let inner: Vec<&str> = std::iter::from_fn(|| {
            lines.next_if(|line| line.starts_with(' ') || *line == "-" || line.starts_with("- "))
        })
        .collect();
        let value = if value.starts_with('!') && !value.contains(' ') {
            // The mapping of a tagged object.
            inner
                .iter()
                .filter_map(|line| key_and_value(line.trim_start()))
                .find(|(key, _)| *key == "utc")
                .and_then(|(_, value)| scalar(value))
                .map(Value::Scalar)
        } else if let Some(items) = flow(value) {
            Some(Value::List(items))
        } else if inner.iter().any(|line| line.trim_start().starts_with("- ")) {
            let items = inner
                .iter()
                .filter_map(|line| line.trim_start().strip_prefix('-'));
            Some(Value::List(
                items.filter_map(|item| scalar(item.trim())).collect(),
            ))
        } else {
            // A text of many words is folded into several lines.
            let whole = [value]
                .into_iter()
                .chain(inner.iter().map(|line| line.trim()));
            scalar(whole.collect::<Vec<_>>().join(" ").trim()).map(Value::Scalar)
        };
        if let Some(value) = value {
            values.entry(key.to_owned()).or_insert(value);
        }
    }
    values
}

/// The items of a list in brackets; `None` for any other value.
fn flow(value: &str) -> Option<Vec<String>> {
    let items = value.strip_prefix('[')?.split(']').next()?;
    Some(
        items
            .split(',')
            .filter_map(|item| scalar(item.trim()))
            .collect(),
    )
}

/// Splits `:key: value`, where the colon of the symbol and quotes around it may be missing.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix(':').unwrap_or(line);
    let (key, value) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\":")?,
        None => line.split_once(':')?,
    };
    let key = key.strip_prefix(':').unwrap_or(key);
    let is_name = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then(|| (key, value.trim()))
}

/// The text of a scalar without anchor, tag, quotes and comment; `None` if nothing is left.
fn scalar(value: &str) -> Option<String> {
    let mut value = value;
    while value.starts_with(['&', '!']) {
        value = value.split_once(' ')?.1.trim_start();
    }
    let text = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split(quote).next()?,
        _ => value.split(" #").next()?.trim_end(),
    };
    (!text.is_empty() && !matches!(text, "~" | "null" | "nil")).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ruby_yaml_and_json_are_read() {
        let cases = [
            (
                "symbols",
                ":db_version: '20231016000000'\n:backup_created_at: 2023-10-22 10:00:00.000000000 Z\n\
                 :gitlab_version: 16.5.1-ee\n:tar_version: tar (GNU tar) 1.34\n:skipped: \n",
                Some("16.5.1-ee"),
                Some("2023-10-22 10:00:00.000000000 Z"),
            ),
            (
                "plain keys, quoted values, CRLF",
                "---\r\ngitlab_version: \"16.5.1\" # so far\r\nbackup_created_at: '2023-10-22 10:00:00 +0530'\r\n",
                Some("16.5.1"),
                Some("2023-10-22 10:00:00 +0530"),
            ),
            (
                "quoted symbols and a comment",
                "\":gitlab_version\": 15.0.0 # old\n:\"backup_created_at\": ~\n",
                Some("15.0.0"),
                None,
            ),
            (
                "a time with its zone as an object",
                ":backup_created_at: !ruby/object:ActiveSupport::TimeWithZone\n  utc: &1 2024-01-02 03:04:05.5 Z\n  \
                 zone: !ruby/object:ActiveSupport::TimeZone\n    name: Etc/UTC\n  time: *1\n:gitlab_version: 17.1.0\n",
                Some("17.1.0"),
                Some("2024-01-02 03:04:05.5 Z"),
            ),
            (
                "JSON",
                "{\"metadata_version\": 2, \"created_at\": \"2025-01-01T00:00:00Z\", \"gitlab_version\": \"17.8.0-ee\"}",
                Some("17.8.0-ee"),
                Some("2025-01-01T00:00:00Z"),
            ),
            ("damaged JSON", "{\"gitlab_version\": ", None, None),
            (
                "nothing of use",
                "a\n: :\n\"\n:gitlab_version:\n! !\n:backup_created_at: !\n",
                None,
                None,
            ),
            (
                "nested keys are not meant",
                "  gitlab_version: 1\n",
                None,
                None,
            ),
        ];
        for (name, text, gitlab_version, taken_at) in cases {
            let expected = BackupInfo {
                gitlab_version: gitlab_version.map(str::to_owned),
                taken_at: taken_at.map(str::to_owned),
                ..BackupInfo::default()
            };
            assert_eq!(BackupInfo::parse(text.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn parts_that_are_not_there_are_named() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let full = BackupInfo {
            backup_id: Some("1700000000_2023_11_14_16.5.1-ee".to_owned()),
            full_backup_id: Some("1700000000_2023_11_14_16.5.1-ee".to_owned()),
            skipped: texts(&["repositories", "uploads"]),
            repositories_server_side: true,
            repositories_storages: texts(&["default", "other"]),
            repositories_paths: texts(&["group-a", "group-b/project c"]),
            skip_repositories_paths: texts(&["group-c"]),
            ..BackupInfo::default()
        };
        let cases = [
            (
                "texts with commas, one of them folded",
                ":skipped: repositories,uploads\n:repositories_storages: default,other\n\
                 :repositories_paths: group-a,group-b/project\n  c\n:skip_repositories_paths: group-c\n\
                 :repositories_server_side: true\n:backup_id: 1700000000_2023_11_14_16.5.1-ee\n\
                 :full_backup_id: 1700000000_2023_11_14_16.5.1-ee\n",
            ),
            (
                "lists of all forms",
                ":skipped: [repositories, 'uploads']\n:repositories_storages:\n- default\n- \"other\"\n\
                 :repositories_paths:\n  - group-a\n  - group-b/project c\n:skip_repositories_paths: [group-c] # x\n\
                 :repositories_server_side: 'true'\n:backup_id: '1700000000_2023_11_14_16.5.1-ee'\n\
                 :full_backup_id: '1700000000_2023_11_14_16.5.1-ee'\n",
            ),
            (
                "JSON",
                "{\"skipped\": [\"repositories\", \"uploads\"], \"repositories_storages\": \"default, other\", \
                 \"repositories_paths\": \"group-a,group-b/project c\", \"skip_repositories_paths\": \"group-c\", \
                 \"repositories_server_side\": true, \"backup_id\": \"1700000000_2023_11_14_16.5.1-ee\", \
                 \"full_backup_id\": \"1700000000_2023_11_14_16.5.1-ee\", \"more\": {}}",
            ),
        ];
        for (name, text) in cases {
            assert_eq!(BackupInfo::parse(text.as_bytes()), full, "{name}");
        }
        assert!(!full.is_incremental());
        assert!(full.skips("uploads") && !full.skips("lfs"));
        let whole = ":skipped: ''\n:repositories_server_side: false\n:repositories_paths: \n\
                     :backup_id: 2\n:full_backup_id: 1\n";
        let whole = BackupInfo::parse(whole.as_bytes());
        assert!(whole.is_incremental() && !whole.repositories_server_side);
        assert_eq!(
            (whole.skipped.len(), whole.repositories_paths.len()),
            (0, 0)
        );
    }
}
