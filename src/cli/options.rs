//! What the command line knows of the options of `relexport export`, for files of configuration.

use std::error::Error;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args, Command};

use super::args::ExportArgs;
use crate::jobs::config::{ExportOption, ExportOptions, OptionValues, WrongOption};

/// The options of an export, as clap has them.
pub(crate) struct ClapOptions {
    all: Vec<ExportOption>,
    /// Takes each of them without minding the others.
    single: Command,
    /// Takes all of an export's arguments.
    whole: Command,
}

/// The command whose options these are.
pub(crate) fn export_command() -> Command {
    ExportArgs::augment_args(Command::new("export").no_binary_name(true))
}

impl ClapOptions {
    pub(crate) fn of_export() -> ClapOptions {
        let whole = export_command();
        let named = || whole.get_arguments().filter(|arg| arg.get_long().is_some());
        let single = Command::new("job")
            .no_binary_name(true)
            .disable_help_flag(true)
            .args(named().map(|arg| plain(arg, arg.get_id().to_string())));
        ClapOptions {
            all: named().filter_map(option).collect(),
            single,
            whole,
        }
    }
}

fn option(arg: &Arg) -> Option<ExportOption> {
    let words = arg.get_possible_values().into_iter();
    Some(ExportOption {
        name: arg.get_long()?.to_owned(),
        help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        values: match arg.get_action() {
            ArgAction::Append => OptionValues::Several,
            action if action.takes_values() => OptionValues::One,
            _ => OptionValues::None,
        },
        words: match arg.get_action().takes_values() {
            true => words.map(|word| word.get_name().to_owned()).collect(),
            false => Vec::new(),
        },
    })
}

/// The same option without what it demands of others, and without a default.
pub(crate) fn plain(arg: &Arg, id: String) -> Arg {
    let mut plain = Arg::new(id)
        .action(arg.get_action().clone())
        .hide(arg.is_hide_set())
        .allow_negative_numbers(arg.is_allow_negative_numbers_set());
    if let Some(long) = arg.get_long() {
        plain = plain.long(long.to_owned());
    }
    if let Some(short) = arg.get_short() {
        plain = plain.short(short);
    }
    if let Some(help) = arg.get_help() {
        plain = plain.help(help.clone());
    }
    if let Some(help) = arg.get_long_help() {
        plain = plain.long_help(help.clone());
    }
    if let Some(heading) = arg.get_help_heading() {
        plain = plain.help_heading(heading.to_owned());
    }
    if arg.get_action().takes_values() {
        plain = plain
            .value_parser(arg.get_value_parser().clone())
            .value_hint(arg.get_value_hint());
        if let Some(names) = arg.get_value_names() {
            plain = plain.value_names(names.iter().cloned());
        }
        if let Some(count) = arg.get_num_args() {
            plain = plain.num_args(count);
        }
    }
    plain
}

impl ExportOptions for ClapOptions {
    fn all(&self) -> &[ExportOption] {
        &self.all
    }

    fn check_one(&self, argument: &OsStr) -> Result<(), String> {
        let parsed = self.single.clone().try_get_matches_from([argument]);
        parsed.map(drop).map_err(|error| said(&error))
    }

    fn check_together(&self, arguments: &[OsString]) -> Result<(), WrongOption> {
        let Err(error) = self.parse(arguments) else {
            return Ok(());
        };
        let options = named(&error);
        let quoted: Vec<String> = options.iter().map(|name| format!("`{name}`")).collect();
        let message = match (error.kind(), quoted.as_slice()) {
            (ErrorKind::ArgumentConflict, [one, other]) => {
                format!("{one} cannot stand beside {other}; leave one of them out")
            }
            (ErrorKind::MissingRequiredArgument, [lacking]) if options[0] == "group" => {
                format!(
                    "it says nobody to export; add {lacking}, `project`, `all-groups` or `all-projects`"
                )
            }
            (ErrorKind::MissingRequiredArgument, lacking) if !lacking.is_empty() => {
                let lacking = lacking.join(" and ");
                match self.needy(arguments) {
                    Some(name) => {
                        let message =
                            format!("`{name}` needs {lacking}, too; add it, or leave `{name}` out");
                        let options = std::iter::once(name).chain(options).collect();
                        return Err(WrongOption { options, message });
                    }
                    None => format!("it lacks {lacking}"),
                }
            }
            _ => said(&error),
        };
        Err(WrongOption { options, message })
    }
}

impl ClapOptions {
    fn parse(&self, arguments: &[OsString]) -> Result<(), clap::Error> {
        let others = ["--snapshot=x", "--out=x"].map(OsString::from);
        let all = others.iter().chain(arguments);
        self.whole.clone().try_get_matches_from(all).map(drop)
    }

    /// The option without which the others lack nothing.
    fn needy(&self, arguments: &[OsString]) -> Option<String> {
        let name = |argument: &OsString| option_name(argument);
        arguments.iter().filter_map(name).find(|needy| {
            let others = arguments
                .iter()
                .filter(|other| name(other).as_ref() != Some(needy));
            let others: Vec<OsString> = others.cloned().collect();
            self.parse(&others).is_ok()
        })
    }
}

/// The long name in an argument of the form `--name` or `--name=value`.
pub(crate) fn option_name(argument: &OsStr) -> Option<String> {
    let text = argument.to_string_lossy();
    let name = text.strip_prefix("--")?.split('=').next()?;
    Some(name.to_owned())
}

/// What clap says is wrong, without the argument that it is about.
fn said(error: &clap::Error) -> String {
    let words = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::Strings(words)) => words.clone(),
        Some(ContextValue::String(word)) => vec![word.clone()],
        _ => Vec::new(),
    };
    match (error.kind(), error.source()) {
        (ErrorKind::ValueValidation, Some(source)) => source.to_string(),
        (ErrorKind::InvalidValue, _) if !words(ContextKind::ValidValue).is_empty() => {
            format!("write {}", words(ContextKind::ValidValue).join(" or "))
        }
        _ => {
            let text = error.render().to_string();
            let line = text.lines().next().unwrap_or_default();
            line.trim_start_matches("error: ").to_owned()
        }
    }
}

/// The long names of the options that an error is about.
fn named(error: &clap::Error) -> Vec<String> {
    let mut names = Vec::new();
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        let texts = match error.get(kind) {
            Some(ContextValue::String(text)) => std::slice::from_ref(text),
            Some(ContextValue::Strings(texts)) => texts.as_slice(),
            _ => &[],
        };
        for text in texts {
            // `--group <ID|PATH>`
            let name = text
                .split([' ', '='])
                .next()
                .and_then(|text| text.strip_prefix("--"));
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(arguments: &[&str]) -> Result<(), WrongOption> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        ClapOptions::of_export().check_together(&arguments)
    }

    fn one(argument: &str) -> Result<(), String> {
        ClapOptions::of_export().check_one(argument.as_ref())
    }

    #[test]
    fn every_option_is_a_key_with_its_kind_of_value() {
        let options = ClapOptions::of_export();
        let find = |name: &str| {
            options
                .all()
                .iter()
                .find(|option| option.name == name)
                .unwrap()
        };
        assert_eq!(find("batched").values, OptionValues::None);
        assert_eq!(find("batch-size").values, OptionValues::Several);
        assert_eq!(find("gzip-level").values, OptionValues::One);
        assert_eq!(find("edition").words, ["ce", "ee"]);
        assert_eq!(
            find("group").help,
            "A group's id, full path, GitLab's address of it, or a pattern"
        );
        assert!(options.all().len() > 30);
    }

    #[test]
    fn a_value_is_judged_alone() {
        assert_eq!(one("--gzip-level=6"), Ok(()));
        assert_eq!(one("--subgroups"), Ok(()));
        assert_eq!(one("--gzip-level=10").unwrap_err(), "10 is not in 1..=9");
        assert_eq!(one("--edition=xe").unwrap_err(), "write ce or ee");
        assert_eq!(
            one("--batch-size=0").unwrap_err(),
            "a batch has from 1 to 4294967295 records"
        );
    }

    #[test]
    fn options_are_judged_beside_one_another() {
        assert_eq!(
            together(&["--group=acme", "--batched", "--batch-bytes=1MiB"]),
            Ok(())
        );
        let wrong = together(&["--group=acme", "--all-groups"]).unwrap_err();
        assert!(wrong.message.contains("cannot stand beside"), "{wrong:?}");
        assert!(wrong.options.contains(&"group".to_owned()), "{wrong:?}");
        assert!(
            wrong.options.contains(&"all-groups".to_owned()),
            "{wrong:?}"
        );
        let wrong = together(&["--batched"]).unwrap_err();
        assert!(
            wrong
                .message
                .starts_with("it says nobody to export; add `group`"),
            "{wrong:?}"
        );
        let wrong = together(&["--group=acme", "--batch-bytes=1MiB"]).unwrap_err();
        assert_eq!(wrong.options, ["batch-bytes", "batched"]);
        assert!(
            wrong
                .message
                .starts_with("`batch-bytes` needs `batched`, too"),
            "{wrong:?}"
        );
    }
}
