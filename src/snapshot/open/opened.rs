//! What was opened: a snapshot, or a plain dump that may become a part of one.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::snapshot::facts::Kind;
use crate::snapshot::files::FileSource;
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
                files: FileSource::none_in(Kind::Plain),
            },
            Opened::Other(snapshot) => snapshot,
        }
    }

    /// With the size of the whole file, if all of it is read.
    pub(super) fn or_size(self, size: u64) -> Opened {
        let size = Some(size);
        match self {
            Opened::Plain(dump, named) => Opened::Plain(dump, Named { size, ..named }),
            Opened::Other(snapshot) => Opened::Other(Snapshot {
                size: snapshot.size.or(size),
                ..snapshot
            }),
        }
    }
}
