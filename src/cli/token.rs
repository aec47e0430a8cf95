//! `relexport token new`: tokens for `relexport serve`.

use super::args::TokenCommand;
use super::exit::{Exit, Failure};
use super::stdout;
use crate::api::{NewToken, TokenError, add_token};

/// Runs the command.
pub fn run(command: &TokenCommand) -> Result<Exit, Failure> {
    let TokenCommand::New(args) = command;
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
