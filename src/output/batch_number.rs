//! The numbers of batches.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// The number of a batch of a relation. They are counted from 1, as GitLab does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchNumber(NonZeroU32);

impl BatchNumber {
    /// The number of the batch at a position, counted from 0; `None` for more batches than can be numbered.
    pub fn at(position: usize) -> Option<BatchNumber> {
        let number = u32::try_from(position).ok()?.checked_add(1)?;
        NonZeroU32::new(number).map(BatchNumber)
    }

    /// The numbers of so many batches, in order.
    pub fn first(count: u32) -> impl Iterator<Item = BatchNumber> {
        (1..=count).filter_map(NonZeroU32::new).map(BatchNumber)
    }

    /// The position of the batch among those of its relation, counted from 0.
    pub fn position(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl From<BatchNumber> for u32 {
    fn from(number: BatchNumber) -> u32 {
        number.0.get()
    }
}

impl fmt::Display for BatchNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_counted_from_one() {
        let numbers: Vec<u32> = BatchNumber::first(3).map(u32::from).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(BatchNumber::first(0).count(), 0);
        for position in [0, 1, 41, u32::MAX as usize - 1] {
            assert_eq!(BatchNumber::at(position).unwrap().position(), position);
        }
        assert_eq!(BatchNumber::at(u32::MAX as usize), None);
        assert_eq!(BatchNumber::at(0).unwrap().to_string(), "1");
    }
}
