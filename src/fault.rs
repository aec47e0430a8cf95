//! Faults of this program itself: a panic on one thread must reach the one that waits for it.
//!
//! A thread that dies closes its channels, which looks like an end; nobody may take it for one. What a thread or a
//! job of the pool does is therefore [`caught`], and sent on as a result. What happened is told once, where it
//! happens, by the panic hook.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A panic that was caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a fault in this program broke it off\n  the line about a fault before this one names the place; please report it"
)]
pub struct Fault;

/// Does `work`, and catches its panic. What it was working on is lost with it: let nobody go on with that.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Fault)
}
