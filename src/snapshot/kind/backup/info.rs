//! `backup_information.yml` (or `.json`): what a GitLab backup says of itself.
//!
//! GitLab writes the file with Ruby's YAML: keys are symbols (`:gitlab_version: 16.5.1-ee`), times may be Ruby
//! objects (`!ruby/object:ActiveSupport::TimeWithZone`) whose tags a YAML parser must refuse or be taught, and
//! lists of repository paths may be long. Two scalars of it are of use and none is needed, so its lines are
//! read by hand: a line that is not understood is passed over, and the file can never fail an export.

use serde::Deserialize;

/// What is taken from the file; what it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct BackupInfo {
    /// With its suffix, such as `16.5.1-ee`.
    pub(super) gitlab_version: Option<String>,
    /// As the file writes it.
    #[serde(rename = "created_at")]
    pub(super) taken_at: Option<String>,
}

impl BackupInfo {
    /// Reads the file's text, JSON (which the `gitlab-backup-cli` gem writes) if it begins like JSON.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        if text.trim_start().starts_with('{') {
            // The file is a courtesy: damaged JSON says as little as no file.
            return serde_json::from_str(&text).unwrap_or_default();
        }
        let mut info = BackupInfo::default();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some((key, value)) = key_and_value(line) else {
                continue;
            };
            let field = match key {
                "gitlab_version" => &mut info.gitlab_version,
                "backup_created_at" => &mut info.taken_at,
                _ => continue,
            };
            // The mapping of a tagged object stands in the indented lines that follow.
            let mut utc = || {
                std::iter::from_fn(|| lines.next_if(|line| line.starts_with(' ')))
                    .filter_map(|line| key_and_value(line.trim_start()))
                    .find(|(key, _)| *key == "utc")
                    .and_then(|(_, value)| scalar(value))
            };
            *field = if value.starts_with('!') && !value.contains(' ') {
                utc()
            } else {
                scalar(value)
            };
        }
        info
    }
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
            };
            assert_eq!(BackupInfo::parse(text.as_bytes()), expected, "{name}");
        }
    }
}
