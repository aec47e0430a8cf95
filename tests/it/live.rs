//! Live servers as snapshots.

mod export;
mod faults;
mod login;
mod source;
