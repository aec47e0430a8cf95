//! The plan: a pipeline's relation tree laid over one snapshot's catalog.
//!
//! The tree is flattened into *hops*. A hop is one way from known keys to rows of a table: "rows of
//! `notes` whose `noteable_id` is one of these keys and whose `noteable_type` is `Epic`". Where the keys
//! come from is the hop's *slot*: the chosen entities, or a column of the rows that other hops
//! found. Resolving is then filling slots until every hop is done; nesting is looking rows up by hop
//! and key. Nothing here reads rows.

mod collected;
mod error;
mod ids;
mod model;
mod planner;
mod selection;
mod undefined;

pub use error::PlanError;
pub(crate) use ids::SlotId;
pub use ids::{HopId, Id, IdVec, KindId, TableId};
pub(crate) use model::Hop;
pub(crate) use model::Slot;
pub use model::{
    CollectedColumn, EntityKey, Feed, LayoutColumn, LeftOutRelation, Plan, PlanComputed, PlanEqual,
    PlanKind, PlanMatch, PlanMaximum, PlanNested, PlanNode, PlanRelation, PlanRule, PlanSource,
    PlanTable, PlanTest, PlanTree, PlanValue, PlanWithin, Reach, ReachedFrom, RowOf, SlotSource,
    Step, may_repeat,
};
pub use planner::plan;
pub(in crate::resolve) use planner::{Laying, plan_all};
pub use selection::{CollectedRelations, GivenKeys, Relations, Selection, entity_tables, is_named};
