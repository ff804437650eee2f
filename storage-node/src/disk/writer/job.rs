//! What the writer is asked for.

use std::fmt;

use martlet_protocol::{
    Accept, BlobId, BlobRef, Block, NewBlob, Prepare, Promise, ReplicaError, SealToken, TableId, Tombstone,
};
use martlet_register::Ballot;
use martlet_request::RequestId;

use super::accept::is_new_data;

/// One piece of work, and who waits for it.
#[derive(Debug)]
pub struct Job {
    pub work: Work,
    pub answer: Answer,
    /// Whose work it is part of, for log lines.
    pub request: Option<RequestId>,
}

impl Job {
    /// Part of the request that this thread works for.
    pub fn new(work: Work, answer: Answer) -> Self {
        Self { work, answer, request: martlet_request::current() }
    }
}

#[derive(Debug)]
pub enum Work {
    /// Let in by `Registers::admit`.
    Accept(Box<Accept>),
    /// The read of a prepare whose promise `Registers::promise` has recorded.
    Prepare(Prepare),
    /// So that no prepare has to wait for it.
    RaiseBound(Ballot),
    /// A blob that fits into a segment.
    StoreBlob {
        new: NewBlob,
        blob: BlobRef,
        blocks: Vec<Block>,
    },
    /// A blob whose file has been published.
    RecordFile {
        new: NewBlob,
        blob: BlobRef,
    },
    /// The same as `StoreBlob`, in the place of what is there.
    ReplaceBlob {
        new: NewBlob,
        blob: BlobRef,
        blocks: Vec<Block>,
    },
    /// A blob whose file has been put in the place of what was there.
    ReplaceFile {
        new: NewBlob,
        blob: BlobRef,
    },
    /// A blob file that was published and didn't get its row.
    WithdrawFile(BlobId),
    Seal(TableId, SealToken),
    Unseal(TableId, SealToken),
    SettleGarbage(Vec<BlobId>),
    Reclaim(Vec<BlobId>),
    /// Freed space, by its numbers in the index.
    GivenBack(Vec<i64>),
    Forget(Vec<Tombstone>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done,
    Promise(Box<Promise>),
}

/// Tells whoever waits; called exactly once, after the commit.
pub struct Answer(Option<Box<Tell>>);

type Tell = dyn FnOnce(Result<Reply, ReplicaError>) + Send;

impl Answer {
    pub fn new(tell: impl FnOnce(Result<Reply, ReplicaError>) + Send + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    /// Nobody waits.
    pub fn unheard() -> Self {
        Self(None)
    }

    pub fn give(self, reply: Result<Reply, ReplicaError>) {
        if let Some(tell) = self.0 {
            tell(reply);
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

impl Work {
    /// Whether it is refused when the disk is nearly full. Removals and what they need go on.
    pub fn is_new_data(&self) -> bool {
        match self {
            Self::Accept(accept) => is_new_data(accept),
            Self::StoreBlob { .. }
            | Self::RecordFile { .. }
            | Self::ReplaceBlob { .. }
            | Self::ReplaceFile { .. } => true,
            Self::Prepare(_)
            | Self::RaiseBound(_)
            | Self::WithdrawFile(_)
            | Self::Seal(..)
            | Self::Unseal(..)
            | Self::SettleGarbage(_)
            | Self::Reclaim(_)
            | Self::GivenBack(_)
            | Self::Forget(_) => false,
        }
    }

    /// Whether it stores a blob that came by itself.
    pub fn is_new_blob(&self) -> bool {
        self.is_new_data() && !matches!(self, Self::Accept(_))
    }

    /// Bytes that the group has to hold in memory and to write, apart from rows.
    pub fn body_bytes(&self) -> usize {
        match self {
            Self::Accept(accept) => accept.body.as_ref().map_or(0, |body| body.bytes.len()),
            Self::StoreBlob { blocks, .. } | Self::ReplaceBlob { blocks, .. } => {
                blocks.iter().map(|block| block.bytes.len()).sum()
            }
            _ => 0,
        }
    }

    /// The ballot that is going to be promised.
    pub fn promises(&self) -> Option<Ballot> {
        match self {
            Self::Prepare(prepare) => Some(prepare.ballot),
            Self::RaiseBound(ballot) => Some(*ballot),
            _ => None,
        }
    }
}
