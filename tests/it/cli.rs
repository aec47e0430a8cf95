//! Every other command, its help and its exit codes.

mod against;
mod diff;
mod dry_run;
mod groups;
mod help;
mod inspect;
mod pipeline;
mod status;
mod verify;
