//! Pipeline files as a whole: the built-in one, one of a shop, and those with mistakes.

mod group;
mod language;
mod language_mistakes;
mod misread;
mod mistakes;
mod shop;
mod value_mistakes;
