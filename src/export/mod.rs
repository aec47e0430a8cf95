//! Exports: rendering rows as JSON.

pub mod values;
