//! Engines' names as values of options.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::engine::{IndexFrom, ListAs};

impl ValueEnum for IndexFrom {
    fn value_variants<'a>() -> &'a [IndexFrom] {
        &IndexFrom::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

impl ValueEnum for ListAs {
    fn value_variants<'a>() -> &'a [ListAs] {
        &ListAs::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}
