//! `relexport token new`: tokens for `relexport serve`.

use super::args::TokenCommand;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::{groups, stdout};
use crate::api::{NewToken, add_token};
use crate::pipeline::Pipeline;
use crate::resolve::{Choice, EntityInfo, KindChoice, Limits};
use crate::snapshot::OpenOptions;

/// Bytes of memory for what is kept of the list of groups.
const LIST_MEMORY: usize = 512 << 20;

/// Runs the command.
pub(crate) fn run(command: &TokenCommand, console: &Console) -> Result<Exit, Failure> {
    let TokenCommand::New(args) = command;
    if let Some(snapshot) = &args.snapshot {
        let limits = Limits {
            memory: LIST_MEMORY,
            temp_dir: std::env::temp_dir(),
        };
        let pipeline = Pipeline::builtin();
        let known = groups::read(
            snapshot,
            &[KindChoice {
                pipeline: pipeline.clone(),
                choice: Choice::All,
            }],
            &OpenOptions::of_databases(&pipeline.databases),
            &limits,
            // Whether tables may be missing is for the server to say.
            true,
            console,
        )?;
        for named in &args.groups {
            check(named, &known.entities)?;
        }
    }
    let new = NewToken {
        name: args.name.clone(),
        groups: args.groups.clone(),
        read_only: args.read_only,
        expires: args.expires.clone(),
    };
    let token = add_token(&args.token_file, &new)?;
    stdout::print(&format!("{token}\n"))?;
    Ok(Exit::Success)
}

/// Makes sure that a server of the snapshot will find the group.
fn check(named: &str, known: &[EntityInfo]) -> Result<(), Failure> {
    let named = named.trim_matches('/');
    let small = named.to_lowercase();
    // As a server takes it: digits, with a `-` before them or not, are an id.
    let digits = named.strip_prefix('-').unwrap_or(named);
    let is_id = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_meant = |group: &EntityInfo| match is_id {
        true => group.id.integer().is_some_and(|id| named.parse() == Ok(id)),
        false => group.full_path.to_lowercase() == small,
    };
    if known.iter().any(is_meant) {
        return Ok(());
    }
    if let Some(group) = known.iter().find(|group| group.full_path == named) {
        return Err(Failure::usage(format!(
            "cannot make a token for group {named}: digits are an id, and no group of the snapshot has this one\n  \
             name the group with the path {named} by its own id, {}",
            group.id
        )));
    }
    Err(Failure::usage(format!(
        "cannot make a token for group {named}: the snapshot does not have it\n  `relexport groups` lists those that are there"
    )))
}
