//! `relexport` takes one group (one tenant) out of a database snapshot.
//!
//! Data goes one way:
//!
//! ```text
//! snapshot ──rows──► resolve ──rows of one batch──► export ──NDJSON──► output
//!    ▲                  ▲                              ▲
//! catalog            pipeline                     column types, names, computed keys
//! ```
//!
//! - [`snapshot`]: kinds of snapshot, decompression, the catalog, reading a table's rows;
//! - `key`: when PostgreSQL takes two values for equal, and how they order;
//! - [`pipeline`]: the declarative file that says which rows belong to a relation and how they nest;
//! - [`resolve`]: finds the rows that the tree of a pipeline needs, in one read of the snapshot;
//! - [`export`]: cuts relations into batches, fans them out on a rayon pool, renders JSON;
//! - `against`: holds an export against the snapshot that it is of, by another way than the one that made it;
//! - `diff`: what changed between two exports;
//! - `plan`: one export on many machines: planned, made by tasks, committed;
//! - [`take`]: makes snapshots of snapshots: folders of CSV files;
//! - [`output`]: files, gzip, atomic commits, checksums and the manifest;
//! - `api`: the server: GitLab's export API over a snapshot, GraphQL, and the page;
//! - [`jobs`]: exports that are made again and again, as files of configuration say;
//! - `bench`: measures exports with other batch sizes, threads and gzip levels against each other;
//! - `timings`: where the time of a run goes;
//! - [`cli`]: arguments, progress, exit codes.
//!
//! What several of them stand on: `fan_out` (jobs on the pool), `fault` (panics as errors), `memory` (the
//! process's peak), `engine` (what engines tell a worker of its share), `bounds` (what one piece of a snapshot may take of it), `bucket` (a client for buckets), `civil` (calendar arithmetic) and `entity_id` (what tells a tenant from others).

mod advice;
mod against;
mod api;
mod bench;
mod bounds;
mod bucket;
mod civil;
pub mod cli;
mod diff;
pub mod engine;
mod entity_id;
pub mod environment;
pub mod export;
mod failure;
mod fan_out;
mod fault;
mod hex;
mod interruption;
mod io_error;
pub mod jobs;
mod json_text;
mod key;
mod memory;
pub mod output;
pub mod pipeline;
pub mod plan;
pub mod resolve;
mod salt;
pub mod snapshot;
pub mod take;
mod temp_folder;
mod time_span;
mod timings;
mod visible;
