//! `relexport export` of snapshots that are files.

mod complete;
mod errors;
mod exact;
mod language;
mod manifest;
mod options;
mod places;
mod projects;
mod resume;
mod saas;
mod schemas;
mod shop;
mod snapshots;
mod timings;
mod trees;
