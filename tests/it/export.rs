//! `relexport export` of snapshots that are files.

mod backup_files;
mod bad_rows;
mod columns;
mod complete;
mod errors;
mod exact;
mod failed;
mod generated;
mod language;
mod locks;
mod manifest;
mod options;
mod partial;
mod places;
mod plans;
mod projects;
mod quiet;
mod resume;
mod saas;
mod schemas;
mod shop;
mod snapshots;
mod strict;
mod timings;
mod trees;
mod zero_bytes;
