//! What was opened: a snapshot, or a plain dump that may become a part of one.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::snapshot::facts::Kind;
use crate::snapshot::kind::plain::PlainDump;
use crate::snapshot::source::{Access, Snapshot};

/// A snapshot of one kind, as far as kinds matter to what several databases become.
pub(super) enum Opened {
    /// A plain dump.
    Plain(PlainDump, Named),
    Other(Snapshot),
}

/// What is known of a stream beside its bytes.
pub(super) struct Named {
    pub(super) source: String,
    pub(super) size: Option<u64>,
    pub(super) progress: Arc<AtomicU64>,
}

impl Opened {
    pub(super) fn snapshot(self) -> Snapshot {
        match self {
            Opened::Plain(dump, named) => Snapshot {
                kind: Kind::Plain,
                source: named.source,
                size: named.size,
                progress: named.progress,
                access: Access::Stream(Box::new(dump)),
            },
            Opened::Other(snapshot) => snapshot,
        }
    }

    pub(super) fn with_size(self, size: Option<u64>) -> Opened {
        match self {
            Opened::Plain(dump, named) => Opened::Plain(dump, Named { size, ..named }),
            Opened::Other(snapshot) => Opened::Other(Snapshot { size, ..snapshot }),
        }
    }
}
