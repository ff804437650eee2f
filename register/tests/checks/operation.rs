//! What a client asks of one object, and what it must be told.

use martlet_register::Decision;

/// Stands for the content of one write. Every operation writes its own.
pub(crate) type Tag = u32;

/// What the register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Cell {
    Present(Tag),
    Tombstone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Read,
    Write(Tag),
    /// Reports what it replaced, as a write must that releases the blobs of its predecessor.
    Replace(Tag),
    /// `If-None-Match: *`
    Create(Tag),
    /// `If-Match`
    Update {
        from: Tag,
        to: Tag,
    },
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Found(Option<Tag>),
    Done,
    Replaced(Option<Tag>),
    ConditionFailed,
    /// There was nothing to delete.
    Absent,
}

impl Operation {
    /// What it does to an object that nobody else touches, and what it answers.
    pub(crate) fn apply(self, present: Option<Tag>) -> (Option<Tag>, Answer) {
        match self {
            Self::Read => (present, Answer::Found(present)),
            Self::Write(tag) => (Some(tag), Answer::Done),
            Self::Replace(tag) => (Some(tag), Answer::Replaced(present)),
            Self::Create(tag) if present.is_none() => (Some(tag), Answer::Done),
            Self::Update { from, to } if present == Some(from) => (Some(to), Answer::Done),
            Self::Create(_) | Self::Update { .. } => (present, Answer::ConditionFailed),
            Self::Delete if present.is_none() => (None, Answer::Absent),
            Self::Delete => (None, Answer::Done),
        }
    }

    /// The same as a decision on the register's state.
    pub(crate) fn decide(self, predecessor: Option<Cell>) -> (Decision<Cell>, Answer) {
        let (after, answer) = self.apply(tag(predecessor));
        let decision = match answer {
            Answer::Found(_) | Answer::ConditionFailed | Answer::Absent => Decision::Keep,
            Answer::Done | Answer::Replaced(_) => {
                Decision::Change(after.map_or(Cell::Tombstone, Cell::Present))
            }
        };
        (decision, answer)
    }
}

pub(crate) fn tag(cell: Option<Cell>) -> Option<Tag> {
    match cell {
        Some(Cell::Present(tag)) => Some(tag),
        Some(Cell::Tombstone) | None => None,
    }
}
