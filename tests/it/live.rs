//! Live servers as snapshots.

mod again;
mod export;
mod faults;
mod login;
mod source;
