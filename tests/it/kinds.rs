//! Entities of several kinds in one run: teams, and the boards in them, by two pipelines, out of one read.

mod boards;
mod choices;
mod lists;
mod patterns;
mod trouble;
