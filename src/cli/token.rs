//! `relexport token new`: tokens for `relexport serve`.

use super::args::TokenCommand;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::{groups, stdout};
use crate::api::{NewToken, TokenError, add_token};
use crate::pipeline::Pipeline;
use crate::resolve::{EntityInfo, Limits};
use crate::snapshot::OpenOptions;

/// Bytes of memory for what is kept of the list of groups.
const LIST_MEMORY: usize = 512 << 20;

/// Runs the command.
pub fn run(command: &TokenCommand, console: &Console) -> Result<Exit, Failure> {
    let TokenCommand::New(args) = command;
    if let Some(snapshot) = &args.snapshot {
        let limits = Limits {
            memory: LIST_MEMORY,
            temp_dir: std::env::temp_dir(),
        };
        let known = groups::read(
            snapshot,
            &Pipeline::builtin(),
            &OpenOptions::default(),
            &limits,
            // Whether tables may be missing is for the server to say.
            true,
            console,
        )?;
        for named in &args.groups {
            check(named, &known)?;
        }
    }
    let new = NewToken {
        name: args.name.clone(),
        groups: args.groups.clone(),
        read_only: args.read_only,
        expires: args.expires.clone(),
    };
    let token = add_token(&args.token_file, &new).map_err(|error| {
        let exit = match &error {
            TokenError::Io { .. } => Exit::Output,
            TokenError::Line { .. } | TokenError::Wrong(_) => Exit::Usage,
        };
        Failure::new(exit, error)
    })?;
    stdout::print(&format!("{token}\n"))?;
    Ok(Exit::Success)
}

/// Makes sure that a server of the snapshot will find the group.
fn check(named: &str, known: &[EntityInfo]) -> Result<(), Failure> {
    let named = named.trim_matches('/');
    let small = named.to_lowercase();
    let is_meant = |group: &EntityInfo| match named.parse::<i64>() {
        Ok(id) => group.id == id,
        Err(_) => group.full_path.to_lowercase() == small,
    };
    match known.iter().any(is_meant) {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "cannot make a token for group {named}: the snapshot does not have it\n  `relexport groups` lists those that are there"
        ))),
    }
}
