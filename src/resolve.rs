//! Finding the rows: which rows of which tables a pipeline's tree needs, in one read of the snapshot.
//!
//! [`plan()`] lays the tree over the snapshot's catalog. [`resolve`] then drives a snapshot past a
//! resolver: a stream in the order in which it comes, a snapshot with random access level by level, so
//! that nothing has to wait. What comes out is [`Resolved`]: the kept rows, found again by hop and key.
//!
//! [`walk()`] goes through them row by row.
//!
//! This floor knows neither JSON nor output files.

mod condition;
mod directory;
mod entities;
mod entity_count;
mod error;
mod holdings;
mod interrupt;
mod keys;
mod live;
mod name_pattern;
mod order;
mod plan;
mod request;
mod resolved;
mod resolver;
mod run;
mod sample;
mod scan;
mod schedule;
mod schemas;
mod stage;
mod start;
mod store;
mod stream;
mod tables;
mod walk;

pub use condition::ValueTest;
pub use entities::{Choice, EntityError, EntityInfo, KindChoice, KindEntities, Remarks};
pub use entity_count::{EntityCount, EntityCounter, with_entities};
pub use error::ResolveError;
pub use holdings::undivided;
pub use keys::{
    CopyFields, Fields, IndexKey, Key, KeyRead, KeySet, KeyShape, OpenKeys, RowOrder, SortColumn,
    WholeRow, entity_index, parse_integer,
};
pub use live::{
    EntityRequest, Fetch, Fetched, Live, RelationRequest, Round, RoundPart, TopKeys,
    missing_indexes,
};
pub use name_pattern::NamePattern;
pub use order::row_order;
pub use plan::{
    CollectedColumn, CollectedRelations, EntityKey, Feed, GivenKeys, HopId, Id, IdVec, KindId,
    LayoutColumn, LeftOutRelation, Plan, PlanComputed, PlanEqual, PlanError, PlanKind, PlanMatch,
    PlanMaximum, PlanNested, PlanNode, PlanRelation, PlanRule, PlanSource, PlanTable, PlanTest,
    PlanTree, PlanValue, PlanWithin, Reach, ReachedFrom, Relations, RowOf, Selection, SlotSource,
    Step, TableId, entity_tables, is_named, may_repeat, plan,
};
pub use request::{Limits, Observer, Outcome, Reading, Request};
pub use resolved::{Resolved, RowSource, Trouble, without_data};
pub use run::resolve;
pub use sample::{ALL_ROWS, shares};
pub use scan::{BadRow, FoundRow, HopToScan, RowPosition, ScanFor, Scanned, Scanner};
pub use schemas::{WantedTables, outline, pipelines_of};
pub use store::{Entry, RowAt, RowStore};
pub use walk::{TakeRow, rows_right_below, walk};
