//! Options of `relexport export` on the line of another command.

use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::cli::options::{export_command, plain};
use crate::jobs::config::is_given_on_a_line;

/// The options of an export that a command was given beside its own: on its line, or by variables of the environment. They
/// are stronger than what a job's file says. What they are like beside one another is asked when they are put together
/// with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenExport {
    options: Vec<GivenOption>,
}

/// One option that was given, once or several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenOption {
    /// Its long name, without `--`.
    pub(crate) name: String,
    /// `--name` or `--name=value`; none for one that a variable turns off.
    pub(crate) arguments: Vec<OsString>,
}

/// What the arguments' ids begin with, so that they are no other command's.
pub(crate) const ID_PREFIX: &str = "export-";

impl GivenExport {
    pub(crate) fn options(&self) -> &[GivenOption] {
        &self.options
    }

    /// The last value of an option.
    pub(crate) fn value(&self, name: &str) -> Option<&OsStr> {
        let option = self.options.iter().find(|option| option.name == name)?;
        let text = option.arguments.last()?;
        let prefix = format!("--{name}=");
        text.to_str()?.strip_prefix(&prefix).map(OsStr::new)
    }
}

fn id(arg: &Arg) -> String {
    format!("{ID_PREFIX}{}", arg.get_id())
}

impl Args for GivenExport {
    fn augment_args(mut command: Command) -> Command {
        for arg in export_command().get_arguments() {
            let Some(long) = arg.get_long().filter(|long| is_given_on_a_line(long)) else {
                continue;
            };
            // The command's own option of this name is another one.
            if command
                .get_arguments()
                .any(|own| own.get_long() == Some(long))
            {
                continue;
            }
            let taken = |letter: char| {
                command
                    .get_arguments()
                    .any(|own| own.get_short() == Some(letter))
            };
            let arg = match arg.get_short() {
                Some(letter) if taken(letter) => plain(arg, id(arg)).short(Resettable::Reset),
                _ => plain(arg, id(arg)),
            };
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for GivenExport {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut options = Vec::new();
        for arg in export_command().get_arguments() {
            let id = id(arg);
            let (Some(name), Ok(true)) = (arg.get_long(), matches.try_contains_id(&id)) else {
                continue;
            };
            match matches.value_source(&id) {
                Some(ValueSource::CommandLine | ValueSource::EnvVariable) => {}
                _ => continue,
            }
            let arguments = match arg.get_action().takes_values() {
                true => matches
                    .get_raw(&id)
                    .into_iter()
                    .flatten()
                    .map(|value| {
                        let mut argument = OsString::from(format!("--{name}="));
                        argument.push(value);
                        argument
                    })
                    .collect(),
                false => Vec::from_iter(matches.get_flag(&id).then(|| format!("--{name}").into())),
            };
            options.push(GivenOption {
                name: name.to_owned(),
                arguments,
            });
        }
        Ok(GivenExport { options })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// A command with an option that exports have, too.
    #[derive(Debug, Parser)]
    struct Night {
        #[arg(long)]
        timings: bool,
        #[command(flatten)]
        given: GivenExport,
        jobs: Vec<String>,
    }

    #[test]
    fn options_of_an_export_are_arguments_and_those_of_the_command_stay_its_own() {
        let line = [
            "night",
            "--timings",
            "-g",
            "acme",
            "--batched",
            "--group=-5",
            "--batch-size",
            "a=2",
            "one",
        ];
        let night = Night::parse_from(line);
        assert!(night.timings);
        assert_eq!(night.jobs, ["one"]);
        let arguments: Vec<&OsString> = night
            .given
            .options()
            .iter()
            .flat_map(|option| &option.arguments)
            .collect();
        assert_eq!(
            arguments,
            [
                "--group=acme",
                "--group=-5",
                "--batched",
                "--batch-size=a=2"
            ]
        );
        assert_eq!(night.given.value("group"), Some(OsStr::new("-5")));
        assert_eq!(Night::parse_from(["night"]).given, GivenExport::default());
    }

    #[test]
    fn values_are_judged_where_they_are_given_and_what_belongs_together_later() {
        assert!(Night::try_parse_from(["night", "--gzip-level", "99"]).is_err());
        for refused in ["--out=x", "--resume", "--dry-run", "--json"] {
            assert!(
                Night::try_parse_from(["night", refused]).is_err(),
                "{refused}"
            );
        }
        // Each of them alone asks for another one, which the job may have.
        assert!(Night::try_parse_from(["night", "--subgroups", "--batch-bytes", "1MiB"]).is_ok());
    }
}
