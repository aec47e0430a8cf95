//! Live servers as snapshots.

mod again;
mod equal;
mod export;
mod faults;
mod hold;
mod login;
mod source;
