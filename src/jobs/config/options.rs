//! Options of `relexport export` as keys of a job. Which there are, and what their values may be, the command line knows.

use std::ffi::{OsStr, OsString};

use super::document::{Data, Entry, Place};
use super::table::{Mistakes, kind};

/// An option that can stand on the command line of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOption {
    /// The long name, without `--`.
    pub name: String,
    /// A line that says what it is for.
    pub help: String,
    pub values: OptionValues,
    /// The words that a value may be; any text if there are none.
    pub words: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionValues {
    /// It is there, or not.
    None,
    One,
    Several,
}

/// What the command line knows of the options of an export.
pub trait ExportOptions {
    /// All that have a long name.
    fn all(&self) -> &[ExportOption];

    /// # Errors
    /// What is wrong with one argument, `--name` or `--name=value`, whatever stands beside it.
    fn check_one(&self, argument: &OsStr) -> Result<(), String>;

    /// # Errors
    /// What is wrong with arguments beside one another, without the snapshot and the place.
    fn check_together(&self, arguments: &[OsString]) -> Result<(), WrongOption>;
}

/// Options that cannot stand beside one another, or lack another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongOption {
    /// Long names of the options it is about, the first of which tells the place.
    pub options: Vec<String>,
    pub message: String,
}

/// A command line without options.
pub(super) struct NoOptions;

impl ExportOptions for NoOptions {
    fn all(&self) -> &[ExportOption] {
        &[]
    }

    fn check_one(&self, _: &OsStr) -> Result<(), String> {
        Ok(())
    }

    fn check_together(&self, _: &[OsString]) -> Result<(), WrongOption> {
        Ok(())
    }
}

/// The arguments that a key stands for, each with the place of its value.
pub(super) fn arguments(
    option: &ExportOption,
    entry: &Entry,
    mistakes: &mut Mistakes,
) -> Option<Vec<(OsString, Place)>> {
    let (name, value) = (&option.name, &entry.value);
    let with_values = |values: Vec<(String, Place)>| {
        let arguments = values.into_iter();
        arguments.map(|(text, place)| (OsString::from(format!("--{name}={text}")), place))
    };
    match option.values {
        OptionValues::None => {
            let is_given = mistakes.boolean(name, value)?;
            let argument = (OsString::from(format!("--{name}")), value.place.clone());
            Some(Vec::from_iter(is_given.then_some(argument)))
        }
        OptionValues::One => {
            if let Data::List(_) = value.data {
                let message = format!("`{name}` is one value, not {}", kind(&value.data));
                mistakes.at(&value.place, message);
                return None;
            }
            let text = mistakes.scalar(name, value)?;
            Some(with_values(vec![(text, value.place.clone())]).collect())
        }
        OptionValues::Several => Some(with_values(mistakes.scalars(name, value)?).collect()),
    }
}
