//! `relexport bench`.

mod live;
mod measured;
