//! A live PostgreSQL server, read at one instant.
//!
//! A coordinator connection begins a transaction and exports its snapshot (`instant.rs`, `keeper.rs`); workers adopt it
//! (`worker.rs`), so that whatever they read is of that instant. `hold.rs` does no more than hold it, for other processes. Rows
//! come by COPY. Nothing is written, and no lock is taken but those of reading. The protocol is spoken by tokio-postgres
//! (`connection.rs`, `login.rs`).
//!
//! What can be asked again is asked again (`answer.rs`, `delivery.rs`); when the instant is gone, reading ends: rows of
//! two instants never meet.

mod address;
mod answer;
mod connection;
mod copy_query;
mod delivery;
mod environment;
mod failure;
#[cfg(test)]
mod fake_server;
mod held_server;
mod hold;
mod instant;
mod keeper;
mod literal;
mod local;
mod login;
mod parameter_names;
mod parameters;
mod passfile;
mod server_catalog;
mod service;
mod session;
mod socket;
mod source;
mod target;
mod tls;
mod worker;
mod workers;

pub(crate) use address::{address_start, is_address, is_nearly_address, shown, split_password};
pub(crate) use hold::{HeldInstant, HoldEnd};
pub(crate) use local::Local;

pub use session::Timeouts;
pub use source::PostgresSource;
