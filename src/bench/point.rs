//! Points: the combinations of options that are measured against each other.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One combination of options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Point {
    /// Top-level records of a batch.
    pub batch_size: NonZeroU32,
    /// Threads of the pool that scans, renders and compresses.
    pub threads: u16,
    /// Compression from 1 (fastest) to 9 (smallest).
    pub gzip_level: u32,
    /// True where every batch became a file of its own.
    pub batched: bool,
}

/// What is to be combined. Values that are named twice count once.
#[derive(Debug, Clone)]
pub(crate) struct Sweep {
    pub batch_sizes: Vec<NonZeroU32>,
    pub threads: Vec<u16>,
    pub gzip_levels: Vec<u32>,
    /// `[true]`, `[false]` or both.
    pub batched: Vec<bool>,
}

impl Sweep {
    /// Every combination: batch sizes change fastest.
    pub(crate) fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for &batched in &self.batched {
            for &gzip_level in &self.gzip_levels {
                for &threads in &self.threads {
                    for &batch_size in &self.batch_sizes {
                        let point = Point {
                            batch_size,
                            threads,
                            gzip_level,
                            batched,
                        };
                        if !points.contains(&point) {
                            points.push(point);
                        }
                    }
                }
            }
        }
        points
    }
}

impl Point {
    /// What the point has beside its batch size: the series of a chart that it belongs to.
    pub(crate) fn series(&self) -> String {
        let threads = match self.threads {
            1 => "1 thread".to_owned(),
            count => format!("{count} threads"),
        };
        let files = if self.batched { "batched" } else { "unbatched" };
        format!("{threads}, gzip {}, {files}", self.gzip_level)
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "batch size {}, {}", self.batch_size, self.series())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_there_once() {
        let size = |size| NonZeroU32::new(size).unwrap();
        let sweep = Sweep {
            batch_sizes: vec![size(50), size(100), size(50)],
            threads: vec![1, 2],
            gzip_levels: vec![6],
            batched: vec![true, false],
        };
        let points = sweep.points();
        assert_eq!(points.len(), 8);
        assert_eq!(
            points[1].to_string(),
            "batch size 100, 1 thread, gzip 6, batched"
        );
        assert_eq!(
            points[7].to_string(),
            "batch size 100, 2 threads, gzip 6, unbatched"
        );
    }
}
