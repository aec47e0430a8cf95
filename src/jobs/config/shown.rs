//! A job as it is shown: the keys that it says or gets by default, without secrets.

use super::super::job::Job;
use super::super::secret::HIDDEN;
use super::document::{Data, Table, Value};
use super::keys::family;
use crate::snapshot::Spec;
use crate::visible::visible_string;

/// The keys of a job with its defaults. They may hold secrets, so they are shown by [`shown_job`] alone.
#[derive(Clone, PartialEq)]
pub struct StatedKeys(Table);

impl StatedKeys {
    pub(super) fn new(table: Table) -> StatedKeys {
        StatedKeys(table)
    }
}

/// A job as a file of configuration could say it. Secrets that stand in the file itself are `***`.
pub fn shown_job(job: &Job) -> String {
    let mut text = String::new();
    show_table(&format!("job.{}", job.name), &job.stated.0, &mut text);
    text
}

fn show_table(name: &str, table: &Table, text: &mut String) {
    text.push_str(&format!("[{name}]\n"));
    let is_table = |value: &Value| matches!(value.data, Data::Table(_));
    let (tables, plain): (Vec<_>, Vec<_>) = table
        .entries
        .iter()
        .partition(|entry| is_table(&entry.value));
    let in_environment = name.ends_with(".environment");
    for entry in plain {
        let is_secret =
            entry.key == "ping-url" || in_environment && family(&entry.key) == entry.key;
        let value = match is_secret {
            true => quoted(HIDDEN),
            false => shown(&entry.value.data),
        };
        text.push_str(&format!("{} = {value}\n", key(&entry.key)));
    }
    for entry in tables {
        if let Data::Table(table) = &entry.value.data {
            text.push('\n');
            show_table(&format!("{name}.{}", key(&entry.key)), table, text);
        }
    }
}

fn shown(data: &Data) -> String {
    match data {
        Data::Text(text) => quoted(&without_password(text)),
        Data::Integer(text) | Data::Float(text) | Data::Time(text) => text.clone(),
        Data::Boolean(boolean) => boolean.to_string(),
        Data::List(values) => {
            let values: Vec<String> = values.iter().map(|value| shown(&value.data)).collect();
            format!("[{}]", values.join(", "))
        }
        Data::Table(table) => {
            let pairs: Vec<String> = table
                .entries
                .iter()
                .map(|entry| format!("{} = {}", key(&entry.key), shown(&entry.value.data)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}

/// A text, of whose address the password is left out; an address that nobody can tell the password of is left out whole.
fn without_password(text: &str) -> String {
    match (Spec::take_password(text), Spec::from(text)) {
        (Some((without, _)), _) => without,
        (None, Spec::Server(_))
            if text.contains('@') && Spec::from(text).shown().ends_with('…') =>
        {
            HIDDEN.to_owned()
        }
        (None, spec @ Spec::OtherAddress(_)) => spec.shown(),
        (None, _) => text.to_owned(),
    }
}

fn key(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match is_bare {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A basic string of TOML, whose escapes are those of JSON.
pub fn quoted(text: &str) -> String {
    visible_string(text)
}

/// Arguments as a shell takes them, without passwords.
pub fn shell_words<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = arguments
        .into_iter()
        .map(|argument| shell_word(&without_secret(argument)))
        .collect();
    words.join(" ")
}

/// `--name=value`, of whose value the password is left out.
fn without_secret(argument: &str) -> String {
    match argument.split_once('=') {
        Some((option, value)) if option.starts_with("--") => {
            format!("{option}={}", without_password(value))
        }
        _ => argument.to_owned(),
    }
}

fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=./:,+@%".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_gets_each_argument_as_one_word() {
        let arguments = [
            "export",
            "--group=a b",
            "--out=x'y",
            "",
            "--ci-snapshot=postgres://u:secret@h/ci",
        ];
        assert_eq!(
            shell_words(arguments),
            "export '--group=a b' '--out=x'\\''y' '' --ci-snapshot=postgres://u@h/ci"
        );
    }

    #[test]
    fn texts_are_escaped_as_toml_reads_them() {
        for text in ["", "a\"b\\c", "tab\tline\nbell\u{7}del\u{7f}ü\u{1f600}"] {
            let document = format!("key = {}", quoted(text));
            let table = toml::de::DeTable::parse(&document).unwrap();
            let value = table.get_ref().get("key").unwrap();
            assert_eq!(value.get_ref().as_str(), Some(text));
        }
    }
}
