//! Files of configuration, and options by variables of the environment.

mod check;
mod environment;
mod show;
