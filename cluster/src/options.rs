//! How long the cluster waits for what. Every wait has a limit, and every limit a name.

use std::time::Duration;

/// The deadlines of a [`crate::ClusterStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// After this, a question is put to the replicas that weren't asked at first,
    /// and a device that would be nice to hear from, but isn't needed, is given up.
    pub hedge_delay: Duration,
    /// How long one round of questions may take. Silence is asked once more, and then taken for the answer.
    pub answer_deadline: Duration,
    /// How long a change of a row may take, with all its rounds.
    pub change_deadline: Duration,
    /// How long a slow minority is awaited while data is staged, once a majority is done.
    pub straggler_delay: Duration,
    /// How long a device may take for one block of a blob.
    pub block_deadline: Duration,
    /// How long copying a blob to a replica that misses it may take.
    pub copy_deadline: Duration,
    /// How long a body may take to arrive. Far below [`ORPHAN_AGE_MIN`].
    pub upload_deadline: Duration,
    /// How old a cached container may be.
    pub container_age_max: Duration,
    /// How long the joining of an upload's parts may take up to the commit of its object.
    pub completion_deadline: Duration,
}

/// A blob that no row refers to isn't taken for lost before it has been known for this long:
/// longer than any upload and any change may take.
pub const ORPHAN_AGE_MIN: Duration = Duration::from_hours(24);

/// How many changes may go on in the background for a replica that is slower than the majority.
pub const LAGGARDS_MAX: usize = 128;

impl Options {
    /// What a cluster in one room should use.
    pub const STANDARD: Self = Self {
        hedge_delay: Duration::from_millis(50),
        answer_deadline: Duration::from_millis(2200),
        change_deadline: Duration::from_secs(15),
        straggler_delay: Duration::from_secs(1),
        block_deadline: Duration::from_millis(4500),
        copy_deadline: Duration::from_mins(1),
        upload_deadline: Duration::from_hours(6),
        container_age_max: Duration::from_secs(1),
        completion_deadline: Duration::from_secs(10),
    };

    /// How long somebody else's completion is given to end before it is taken for dead:
    /// its deadline, the change that it may have begun just before, and as much again for messages under way.
    pub(crate) fn completion_patience(&self) -> Duration {
        self.completion_deadline + 2 * self.change_deadline
    }
}

/// How long a client may wait who has to be told that too many devices are silent.
const SILENCE_MAX: Duration = Duration::from_secs(5);

const _: () = assert!(2 * Options::STANDARD.answer_deadline.as_millis() < SILENCE_MAX.as_millis());
const _: () = assert!(Options::STANDARD.block_deadline.as_millis() < SILENCE_MAX.as_millis());
const _: () = assert!(Options::STANDARD.upload_deadline.as_secs() < ORPHAN_AGE_MIN.as_secs() / 2);
const _: () =
    assert!(Options::STANDARD.hedge_delay.as_millis() < Options::STANDARD.answer_deadline.as_millis());
