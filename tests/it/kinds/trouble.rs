//! What is wrong: with names, with relations, with pipelines.
