//! Rows that a server finds: asked for batch by batch, so that no group has to fit into memory.
//!
//! [`resolve_live`] finds the entities and says what would be asked. The rows themselves come from [`Live::fetch`]:
//! for each relation the keys of its top-level rows by one query per hop, then for each *round* of them
//! one query per hop of the tree below, with the keys that the hops above found. A round's rows lie in a small store of their own,
//! from which they are rendered as if they had been kept from a dump.

mod ask;
mod fetch;
mod indexes;
mod keys;
mod load;
mod loader;
mod maxima;
mod planner;
mod predicates;
mod presence;
mod requests;
mod round;
pub(super) mod rows;
mod search;
mod shelf;
mod start;

pub use fetch::Fetch;
pub use indexes::missing_indexes;
pub(super) use predicates::predicates;
pub use requests::{EntityRequest, RelationRequest, TopKeys};
pub use round::{Fetched, Round, RoundPart};
pub use rows::Live;
pub(super) use start::resolve_live;
