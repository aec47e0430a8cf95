//! Options by variables of the environment: `RELEXPORT_BATCH_SIZE` is `--batch-size` of every command that has it.
//!
//! A variable counts for an option that the command line does not give. Variables for options of other commands are let
//! be, so that one set of them serves all commands. What is empty counts as not set.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::args::GIVEN_ID_PREFIX;
use super::job_export::exclude;
use crate::bucket::LIMIT_VARIABLES;
use crate::environment::{FACTS, LOG_VARIABLE, OWN, PASSWORD_VARIABLE, RUN_ID};
use crate::jobs::config::nearest;

/// Stands between the values of an option that may be given several times.
const BETWEEN: char = ',';

/// The variables of this program, by their names.
pub(crate) struct Variables {
    values: BTreeMap<String, OsString>,
}

impl Variables {
    /// Those of the process.
    pub(crate) fn of_process() -> Variables {
        Variables::of(std::env::vars_os())
    }

    fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Variables {
        let own = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let values: BTreeMap<String, OsString> = own
            .filter(|(name, value)| name.starts_with(OWN) && !value.is_empty())
            .collect();
        let is_in_hook = values.contains_key(RUN_ID);
        let is_option = |name: &str| {
            // What a hook is told of its run is no option for the programs that it starts.
            let is_fact = is_in_hook && FACTS.contains(&name);
            !is_fact && ![LOG_VARIABLE, PASSWORD_VARIABLE].contains(&name)
        };
        Variables {
            values: values
                .into_iter()
                .filter(|(name, _)| is_option(name))
                .collect(),
        }
    }

    /// The value for an option that has a long name.
    pub(crate) fn of_option(&self, name: &str) -> Option<&OsStr> {
        self.values.get(&variable(name)).map(OsString::as_os_str)
    }

    /// What is said of variables that stand for no option of any command.
    pub(crate) fn unknown(&self, command: &Command) -> Vec<String> {
        let mut known = BTreeSet::new();
        walk(command, &mut |arg| {
            known.extend(option_name(arg).map(variable))
        });
        known.extend(FACTS.map(str::to_owned));
        known.extend(LIMIT_VARIABLES.map(str::to_owned));
        let unknown = self.values.keys().filter(|name| !known.contains(*name));
        let told = unknown.map(|name| {
            let all = known.iter().map(String::as_str).chain([LOG_VARIABLE]);
            match nearest(name, all) {
                Some(nearest) => {
                    format!("{name} is set, but no option has such a name; did you mean {nearest}?")
                }
                None => format!("{name} is set, but no option has such a name"),
            }
        });
        told.collect()
    }
}

/// `RELEXPORT_BATCH_SIZE` for `batch-size`.
pub(crate) fn variable(name: &str) -> String {
    format!("{OWN}{}", name.to_ascii_uppercase().replace('-', "_"))
}

fn walk(command: &Command, found: &mut impl FnMut(&Arg)) {
    command.get_arguments().for_each(&mut *found);
    for inner in command.get_subcommands() {
        walk(inner, found);
    }
}

/// The long name of an option that a variable can stand for.
fn option_name(arg: &Arg) -> Option<&str> {
    match arg.get_action() {
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version => None,
        _ => arg.get_long(),
    }
}

/// Arguments with what variables add to them.
pub(crate) struct Parsed {
    pub(crate) matches: ArgMatches,
    /// Variables that are set and change nothing.
    pub(crate) warnings: Vec<String>,
}

/// Parses arguments, and takes options that they do not give from variables.
///
/// # Errors
/// Wrong usage. If a variable may be what is wrong, it is named.
pub(crate) fn parse(
    command: Command,
    arguments: &[OsString],
    variables: &Variables,
) -> Result<Parsed, clap::Error> {
    let without = |command: Command| {
        let matches = command.try_get_matches_from(arguments)?;
        Ok(Parsed {
            matches,
            warnings: Vec::new(),
        })
    };
    if variables.values.is_empty() {
        return without(command);
    }
    // What the line itself gives, however wrong it is. If it asks for help, that is all.
    let Ok(line) = command
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(arguments)
    else {
        return without(command);
    };
    let mut put = PutVariables {
        variables,
        given: given(&line),
        put: Vec::new(),
        warnings: Vec::new(),
        wrong: None,
    };
    let command = put.command_with(command, &line);
    if let Some(wrong) = put.wrong {
        return Err(wrong);
    }
    match command.try_get_matches_from(arguments) {
        Ok(matches) => Ok(Parsed {
            matches,
            warnings: put.warnings,
        }),
        Err(error) => Err(told(error, &put.put)),
    }
}

/// The ids of the arguments that stand on a line.
fn given(matches: &ArgMatches) -> BTreeSet<String> {
    let own = matches.ids().map(|id| id.as_str());
    let mut given: BTreeSet<String> = own
        .filter(|id| {
            // Groups of arguments are among the ids.
            matches.try_contains_id(id).is_ok()
                && matches.value_source(id) == Some(ValueSource::CommandLine)
        })
        .map(str::to_owned)
        .collect();
    if let Some((_, inner)) = matches.subcommand() {
        given.extend(self::given(inner));
    }
    given
}

/// Puts variables into the options of the command that a line calls.
struct PutVariables<'v> {
    variables: &'v Variables,
    given: BTreeSet<String>,
    /// Long names of the options that were put, each with its variable.
    put: Vec<(String, String)>,
    warnings: Vec<String>,
    wrong: Option<clap::Error>,
}

impl PutVariables<'_> {
    fn command_with(&mut self, mut command: Command, line: &ArgMatches) -> Command {
        let wanted: Vec<(clap::Id, String)> = command
            .get_arguments()
            .filter(|arg| !self.given.contains(arg.get_id().as_str()))
            .filter_map(|arg| Some((arg.get_id().clone(), option_name(arg)?.to_owned())))
            .filter(|(_, name)| self.variables.of_option(name).is_some())
            .collect();
        for (id, name) in wanted {
            if let Some(rival) = self.rival(&command, &name) {
                let variable = variable(&name);
                self.warnings
                    .push(format!("{variable} has no effect beside --{rival}"));
                continue;
            }
            let Some(set) = self.setting(&command, &id, &name) else {
                continue;
            };
            command = command.mut_arg(&id, set);
            self.put.push((name.clone(), variable(&name)));
        }
        match line.subcommand() {
            Some((name, inner)) => {
                command.mut_subcommand(name, |sub| self.command_with(sub, inner))
            }
            None => command,
        }
    }

    /// An option of the line that this one cannot stand beside: the line is stronger.
    fn rival(&self, command: &Command, name: &str) -> Option<String> {
        let given = command
            .get_arguments()
            .filter(|arg| self.given.contains(arg.get_id().as_str()));
        let mut names = given.filter_map(Arg::get_long);
        names
            .find(|given| exclude(command, given, name))
            .map(str::to_owned)
    }

    /// How an option is told of its variable; `None` if there is nothing to tell.
    fn setting(
        &mut self,
        command: &Command,
        id: &clap::Id,
        name: &str,
    ) -> Option<impl FnOnce(Arg) -> Arg + use<>> {
        let arg = command.get_arguments().find(|arg| arg.get_id() == id)?;
        let variable = variable(name);
        let (is_flag, is_list) = match arg.get_action() {
            ArgAction::SetTrue => (true, false),
            ArgAction::Append => (false, arg.get_value_delimiter().is_none()),
            _ => (false, false),
        };
        if is_flag {
            match self.variables.of_option(name).and_then(OsStr::to_str) {
                Some("true" | "1") => {}
                // To clap it would be there, and so exclude others. Only over a file it says something.
                Some("false" | "0") if !id.as_str().starts_with(GIVEN_ID_PREFIX) => return None,
                Some("false" | "0") => {}
                _ => {
                    let text = format!(
                        "{variable} stands for --{name}, which is on or off\n\n  write true or 1, or false or 0\n"
                    );
                    self.wrong
                        .get_or_insert(clap::Error::raw(ErrorKind::InvalidValue, text));
                    return None;
                }
            }
        }
        Some(move |arg: Arg| {
            let arg = arg.env(variable).hide_env(true);
            match (is_flag, is_list) {
                (true, _) => arg.value_parser(BoolishValueParser::new()),
                (_, true) => arg.value_delimiter(BETWEEN),
                _ => arg,
            }
        })
    }
}

/// An error that says of which variables its options are.
fn told(error: clap::Error, put: &[(String, String)]) -> clap::Error {
    let text = error.render().to_string();
    let is_named = |name: &str| {
        let option = format!("--{name}");
        text.match_indices(&option).any(|(at, _)| {
            let behind = text[at + option.len()..].chars().next();
            !behind.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        })
    };
    let named = put.iter().filter(|(name, _)| is_named(name));
    let notes: Vec<String> = named
        .map(|(name, variable)| format!("  --{name} is given by the variable {variable}\n"))
        .collect();
    if notes.is_empty() {
        return error;
    }
    let text = text.trim_start_matches("error: ").trim_end();
    clap::Error::raw(error.kind(), format!("{text}\n\n{}", notes.concat()))
}
