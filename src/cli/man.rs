//! `relexport man`: manual pages, made from the help texts.

use clap::CommandFactory;

use super::args::{Cli, ManArgs};
use super::exit::{Exit, Failure};
use super::stdout;

/// Runs the command.
pub(crate) fn run(args: &ManArgs) -> Result<Exit, Failure> {
    let command = Cli::command();
    match &args.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command)
                .render(&mut page)
                .map_err(|error| Failure::new(Exit::Output, error))?;
            stdout::print_bytes(&page)?;
        }
        Some(dir) => std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(command, dir))
            .map_err(|error| {
                let shown = dir.display();
                let text = format!(
                    "cannot write manual pages to {shown}: {error}\n  name a folder that can be written"
                );
                Failure::new(Exit::Output, anyhow::anyhow!(text))
            })?,
    }
    Ok(Exit::Success)
}
