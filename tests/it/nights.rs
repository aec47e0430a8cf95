//! Runs that nobody watches: what they leave for monitoring, and how they end.

mod endings;
mod guard;
mod hooks;
mod machine;
mod metrics;
mod monitor;
mod whole;
