//! Programs around a run.

use super::super::job::Hooks;
use super::document::{Data, Table, Value};
use super::keys::{self, HOOKS};
use super::table::{Mistakes, kind};

pub(super) fn hooks(table: &Table, mistakes: &mut Mistakes) -> Hooks {
    let mut hooks = Hooks::default();
    for entry in &table.entries {
        let programs = match entry.key.as_str() {
            "before" => &mut hooks.before,
            "after" => &mut hooks.after,
            "success" => &mut hooks.success,
            "failure" => &mut hooks.failure,
            "time-limit" => {
                match mistakes.time(&entry.key, &entry.value) {
                    Some(time) if time.is_zero() => {
                        mistakes.at(&entry.value.place, "`time-limit` is longer than 0: a hook that never ends would end the nights");
                    }
                    Some(time) => hooks.time_limit = time,
                    None => {}
                }
                continue;
            }
            key => {
                let known = HOOKS.iter().map(|key| key.name.to_owned());
                mistakes.at(&entry.place, keys::unknown(key, known));
                continue;
            }
        };
        if let Some(found) = self::programs(&entry.key, &entry.value, mistakes) {
            *programs = found;
        }
    }
    hooks
}

/// One list of arguments, or a list of such lists.
fn programs(key: &str, value: &Value, mistakes: &mut Mistakes) -> Option<Vec<Vec<String>>> {
    let Data::List(items) = &value.data else {
        let message = format!(
            "`{key}` is a list of arguments, such as [\"mount\", \"/mnt\"], not {}; for a shell write [\"sh\", \"-c\", \"…\"]",
            kind(&value.data)
        );
        mistakes.at(&value.place, message);
        return None;
    };
    let is_list = |value: &Value| matches!(value.data, Data::List(_));
    if items.iter().any(is_list) {
        let programs: Vec<_> = items
            .iter()
            .map(|item| program(key, item, mistakes))
            .collect();
        return programs.into_iter().collect();
    }
    match items.is_empty() {
        true => Some(Vec::new()),
        false => Some(vec![program(key, value, mistakes)?]),
    }
}

fn program(key: &str, value: &Value, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    let Data::List(words) = &value.data else {
        let message = format!(
            "`{key}` mixes programs and arguments; write each program as a list of its own"
        );
        mistakes.at(&value.place, message);
        return None;
    };
    let Some((name, arguments)) = words.split_first() else {
        mistakes.at(
            &value.place,
            format!("`{key}` has a program without a name; write [\"program\", \"argument\"]"),
        );
        return None;
    };
    let mut program = vec![mistakes.text(key, name)?.to_owned()];
    for argument in arguments {
        match &argument.data {
            // An argument may be empty.
            Data::Text(text) if text.is_empty() => program.push(String::new()),
            _ => program.push(mistakes.text(key, argument)?.to_owned()),
        }
    }
    Some(program)
}
