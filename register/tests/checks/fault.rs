//! Mistakes that one could make in this protocol, planted to see that the checks notice.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// A replica accepts below its promise.
    NoPromiseCheck,
    /// A read answers the newer of two different states.
    NewerOfTwoRead,
    /// A restarted replica has forgotten its promises, and has no floor.
    NoFloorAfterRestart,
    /// A promise is dropped from memory, and the floor isn't raised.
    NoFloorAfterEviction,
    /// A tombstone is dropped from disk, and the floor isn't raised.
    NoFloorAfterForgetting,
    /// A tombstone is dropped before every replica holds it.
    ForgettingEarly,
    /// A failed condition is answered before its predecessor is accepted again.
    NoAcceptBeforeFailedCondition,
    /// A proposer that lost an answer begins anew.
    NoLineage,
    /// A replica copies what another has accepted.
    FollowerCopy,
}
