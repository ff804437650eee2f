//! What may be done by which ring, as pure decisions.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use martlet_link::{Addressee, Admission, RingReport, Rows};
use martlet_protocol::ReplicaError;
use martlet_ring::{DeviceId, Partition, Ring};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long requests that were admitted before an agreement are waited for.
const REST_DURATION_MAX: Duration = Duration::from_secs(20);

/// How a process stands to the rings that it knows.
#[derive(Debug)]
pub(super) struct Standing {
    ring: Arc<Ring>,
    /// Of each partition: the version since which it lies where it lies now, as far as this process knows.
    moved_at: Vec<u64>,
    /// The highest of them.
    moved_last: u64,
    agreement: Option<Agreement>,
    /// Held by every request that is being carried out. Replaced with an agreement, so that the rest can be awaited.
    in_flight: (mpsc::Sender<Infallible>, mpsc::Receiver<Infallible>),
    refused_last: u64,
}

#[derive(Debug)]
struct Agreement {
    ring: Arc<Ring>,
    /// Ascending.
    moved: Vec<Partition>,
}

/// What a proposal is to a node that could agree to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the node's ring already.
    Taken,
    AgreedBefore,
    New,
}

/// The partitions whose replicas lie on other devices in the newer ring, ascending.
pub(crate) fn moved_partitions(older: &Ring, newer: &Ring) -> Vec<Partition> {
    let sorted = |ring: &Ring, partition| {
        let mut devices: Vec<DeviceId> = ring.devices_of(partition).to_vec();
        devices.sort_unstable();
        devices
    };
    older.partitions().filter(|&partition| sorted(older, partition) != sorted(newer, partition)).collect()
}

/// A running cluster keeps the number of its partitions and replicas.
pub(crate) fn check_shape(older: &Ring, newer: &Ring) -> Result<(), String> {
    if older.partition_bits() == newer.partition_bits() && older.replicas() == newer.replicas() {
        Ok(())
    } else {
        Err("it has another number of partitions or replicas".to_owned())
    }
}

impl Standing {
    /// Whatever was before is unknown, so requests by older rings are refused.
    pub(super) fn new(ring: Arc<Ring>) -> Self {
        Self {
            moved_at: vec![ring.version(); ring.partition_count()],
            moved_last: ring.version(),
            ring,
            agreement: None,
            in_flight: mpsc::channel(1),
            refused_last: 0,
        }
    }

    pub(super) fn report(&self) -> RingReport {
        let proposed = self.agreement.as_ref().map(|agreement| agreement.ring.version());
        RingReport { version: self.ring.version(), proposed }
    }

    pub(super) fn admit(&self, to: Addressee, rows: Rows) -> Result<Admission, ReplicaError> {
        let (lies_since, is_kept) = match rows {
            Rows::Unplaced => return Ok(Admission::uncounted()),
            Rows::All => (self.moved_last, false),
            Rows::Of(hash) | Rows::Blob(hash) => {
                let partition = self.ring.partition_of(hash);
                let moves = |agreement: &Agreement| agreement.moved.binary_search(&partition).is_ok();
                let lies_since = self.moved_at.get(partition.0 as usize).copied();
                // By an older version it may have lain on this device. A blob may be kept for another one.
                let lies_here = self.ring.devices_of(partition).contains(&to.device);
                let is_foreign = matches!(rows, Rows::Of(_)) && !lies_here;
                let is_kept = is_foreign || self.agreement.as_ref().is_some_and(moves);
                (lies_since.unwrap_or(u64::MAX), is_kept)
            }
        };
        if let Rows::Blob(_) = rows
            && !is_kept
            && lies_since <= to.ring
        {
            // What this node doesn't know of a newer ring, it would have agreed to.
            return Ok(Admission::counted(self.in_flight.0.clone()));
        }
        if is_kept || to.ring < lies_since || self.ring.version() < to.ring {
            return Err(ReplicaError::OtherRing { version: self.ring.version() });
        }
        Ok(Admission::counted(self.in_flight.0.clone()))
    }

    /// May this newer ring be taken as soon as it is heard of?
    pub(super) fn may_take(&self, ring: &Ring, is_bound_by_data: bool) -> Result<(), String> {
        check_shape(&self.ring, ring)?;
        if ring.version() <= self.ring.version() {
            return Err("it isn't newer".to_owned());
        }
        let is_agreed = self.agreement.as_ref().is_some_and(|agreement| *agreement.ring == *ring);
        if is_agreed || !is_bound_by_data || moved_partitions(&self.ring, ring).is_empty() {
            return Ok(());
        }
        Err("it moves partitions, so all nodes have to agree to it first: see `martlet ring push`".to_owned())
    }

    pub(super) fn consider(&self, ring: &Ring) -> Result<Verdict, String> {
        check_shape(&self.ring, ring)?;
        if *self.ring == *ring {
            return Ok(Verdict::Taken);
        }
        if ring.version() <= self.ring.version() {
            return Err(format!("it has version {} already", self.ring.version()));
        }
        match &self.agreement {
            Some(agreement) if *agreement.ring == *ring => Ok(Verdict::AgreedBefore),
            Some(agreement) => Err(format!(
                "it has agreed to another version {}, which has to be pushed to its end first",
                agreement.ring.version()
            )),
            None => Ok(Verdict::New),
        }
    }

    pub(super) fn agree(&mut self, ring: Arc<Ring>) {
        if self.ring.version() < ring.version() {
            let moved = moved_partitions(&self.ring, &ring);
            self.agreement = Some(Agreement { ring, moved });
        }
    }

    /// What is kept from everybody, and the end of all requests that were admitted before.
    pub(super) fn await_the_rest(
        &mut self,
    ) -> (Vec<Partition>, impl Future<Output = Result<(), String>> + use<>) {
        let moved = self.agreement.as_ref().map(|agreement| agreement.moved.clone()).unwrap_or_default();
        let (sender, mut receiver) = std::mem::replace(&mut self.in_flight, mpsc::channel(1));
        drop(sender);
        let rest = async move {
            let gone = timeout(REST_DURATION_MAX, receiver.recv()).await;
            gone.map(drop).map_err(|_| "requests that are under way don't end".to_owned())
        };
        (moved, rest)
    }

    /// The ring of this agreement; `None`: it, or a newer one, has been taken.
    pub(super) fn agreed(&self, version: u64) -> Result<Option<Arc<Ring>>, String> {
        if version <= self.ring.version() {
            return Ok(None);
        }
        let agreed = self.agreement.as_ref().filter(|agreement| agreement.ring.version() == version);
        agreed
            .map(|agreement| Some(agreement.ring.clone()))
            .ok_or_else(|| format!("it hasn't agreed to version {version}"))
    }

    pub(super) fn forget_proposal(&mut self) {
        self.agreement = None;
    }

    pub(super) fn take(&mut self, ring: Arc<Ring>) {
        for partition in moved_partitions(&self.ring, &ring) {
            if let Some(moved_at) = self.moved_at.get_mut(partition.0 as usize) {
                *moved_at = ring.version();
                self.moved_last = ring.version();
            }
        }
        self.ring = ring;
        self.agreement = None;
    }

    /// So that a refusal is said once.
    pub(super) fn is_first_refusal(&mut self, version: u64) -> bool {
        std::mem::replace(&mut self.refused_last, version) != version
    }
}

#[cfg(test)]
mod tests {
    use martlet_ring::{Device, NodeId, PlacementHash, ZoneId, build, edit};

    use super::*;

    const BITS: u8 = 4;

    fn ring(devices: u32) -> Ring {
        build(BITS, 3, (1..=devices).map(device).collect()).unwrap()
    }

    fn device(id: u32) -> Device {
        Device { id: DeviceId(id), node: NodeId(id), zone: ZoneId(id), weight: 1, address: String::new() }
    }

    /// Version 1 of three devices, version 2 without a move, version 3 with a fourth device.
    fn versions() -> [Arc<Ring>; 3] {
        let first = ring(3);
        let (second, _) = edit(&first, (1..=3).map(device).collect()).unwrap();
        let (third, _) = edit(&second, (1..=4).map(device).collect()).unwrap();
        [first, second, third].map(Arc::new)
    }

    fn hash_in(partition: Partition) -> PlacementHash {
        PlacementHash(u64::from(partition.0) << (64 - BITS))
    }

    /// A device that holds the partition by every version, asked by this one.
    fn by(ring: u64, partition: Partition) -> Addressee {
        let versions = versions();
        let holds =
            |id: &u32| versions.iter().all(|ring| ring.devices_of(partition).contains(&DeviceId(*id)));
        Addressee { device: (1..=4).find(holds).map(DeviceId).unwrap(), ring, request: None }
    }

    fn is_admitted(standing: &Standing, ring: u64, partition: Partition) -> bool {
        standing.admit(by(ring, partition), Rows::Of(hash_in(partition))).is_ok()
    }

    #[test]
    fn a_device_is_asked_only_about_what_lies_on_it() {
        let [_, second, third] = versions();
        let (moved, _) = moved_and_staying();
        let mut standing = Standing::new(second);
        standing.take(third.clone());
        for id in 1..=4 {
            let to = Addressee { device: DeviceId(id), ring: 3, request: None };
            let lies_there = third.devices_of(moved).contains(&DeviceId(id));
            assert_eq!(standing.admit(to, Rows::Of(hash_in(moved))).is_ok(), lies_there, "device {id}");
        }
    }

    /// A partition that version 3 moves, and one that it doesn't.
    fn moved_and_staying() -> (Partition, Partition) {
        let [_, second, third] = versions();
        let moved = moved_partitions(&second, &third);
        let staying = second.partitions().find(|partition| !moved.contains(partition));
        (moved[0], staying.unwrap())
    }

    #[test]
    fn a_ring_that_moves_nothing_is_taken_when_it_is_heard_of() {
        let [first, second, third] = versions();
        let standing = Standing::new(first.clone());
        assert_eq!(standing.may_take(&second, true), Ok(()));
        assert!(standing.may_take(&third, true).is_err(), "partitions would move");
        assert_eq!(standing.may_take(&third, false), Ok(()), "a proxy has no data");
        assert!(standing.may_take(&first, true).is_err(), "it isn't newer");
        let doubled = second.doubled().unwrap();
        assert!(standing.may_take(&doubled, false).is_err(), "it has more partitions");
    }

    #[test]
    fn what_all_have_agreed_to_is_taken_when_it_is_heard_of() {
        let [first, _, third] = versions();
        let mut standing = Standing::new(first);
        assert_eq!(standing.consider(&third), Ok(Verdict::New));
        standing.agree(third.clone());
        assert_eq!(standing.consider(&third), Ok(Verdict::AgreedBefore));
        assert_eq!(standing.may_take(&third, true), Ok(()));
        let (another, _) = edit(&ring(3), (1..=5).map(device).collect()).unwrap();
        let (another, _) = edit(&another, (1..=5).map(device).collect()).unwrap();
        assert!(standing.may_take(&another, true).is_err(), "that is another version 3");
        assert!(standing.consider(&another).is_err());
        standing.take(third.clone());
        assert_eq!(standing.consider(&third), Ok(Verdict::Taken));
    }

    #[test]
    fn what_an_agreement_moves_is_kept_from_everybody() {
        let [_, second, third] = versions();
        let (moved, staying) = moved_and_staying();
        let mut standing = Standing::new(second);
        standing.agree(third.clone());
        assert!(!is_admitted(&standing, 2, moved));
        assert!(is_admitted(&standing, 2, staying));
        assert!(!is_admitted(&standing, 3, moved), "it isn't taken yet");
        standing.forget_proposal();
        assert!(is_admitted(&standing, 2, moved));
        standing.agree(third.clone());
        standing.take(third);
        assert!(is_admitted(&standing, 3, moved));
    }

    #[test]
    fn an_older_ring_is_good_enough_where_nothing_has_moved() {
        let [first, second, third] = versions();
        let (moved, staying) = moved_and_staying();
        let mut standing = Standing::new(first);
        standing.take(second);
        standing.take(third);
        assert!(is_admitted(&standing, 1, staying) && is_admitted(&standing, 3, staying));
        assert!(!is_admitted(&standing, 1, moved) && !is_admitted(&standing, 2, moved));
        assert!(is_admitted(&standing, 3, moved));
        assert!(standing.admit(by(2, moved), Rows::All).is_err(), "a listing needs all partitions");
        assert!(standing.admit(by(3, moved), Rows::All).is_ok());
        assert!(standing.admit(by(0, moved), Rows::Unplaced).is_ok());
    }

    #[test]
    fn after_a_start_only_the_present_ring_is_trusted() {
        let [_, second, _] = versions();
        let (moved, staying) = moved_and_staying();
        let standing = Standing::new(second);
        assert!(!is_admitted(&standing, 1, staying) && !is_admitted(&standing, 1, moved));
        assert!(!is_admitted(&standing, 3, staying), "what it says isn't known here");
        assert!(is_admitted(&standing, 2, moved));
    }

    #[test]
    fn a_blob_that_was_begun_before_its_partition_moved_is_not_stored_any_more() {
        let [_, second, third] = versions();
        let (moved, staying) = moved_and_staying();
        let is_admitted = |standing: &Standing, ring, partition| {
            (1..=4).map(DeviceId).any(|device| {
                let to = Addressee { device, ring, request: None };
                standing.admit(to, Rows::Blob(hash_in(partition))).is_ok()
            })
        };
        let mut standing = Standing::new(second);
        assert!(is_admitted(&standing, 2, moved) && is_admitted(&standing, 2, staying));
        standing.agree(third.clone());
        assert!(!is_admitted(&standing, 2, moved) && is_admitted(&standing, 2, staying));
        standing.take(third);
        assert!(!is_admitted(&standing, 2, moved), "it would lie where nobody looks for it");
        assert!(is_admitted(&standing, 2, staying) && is_admitted(&standing, 3, moved));
    }

    #[tokio::test(start_paused = true)]
    async fn an_agreement_waits_for_what_was_admitted_before() {
        let [_, second, third] = versions();
        let (moved, staying) = moved_and_staying();
        let mut standing = Standing::new(second);
        let before = standing.admit(by(2, moved), Rows::Of(hash_in(moved))).unwrap();
        standing.agree(third.clone());
        let (kept, rest) = standing.await_the_rest();
        assert!(kept.contains(&moved));
        let after = standing.admit(by(2, staying), Rows::Of(hash_in(staying))).unwrap();
        let mut rest = Box::pin(rest);
        assert!(timeout(Duration::from_secs(1), &mut rest).await.is_err(), "one is under way");
        drop(before);
        assert_eq!(rest.await, Ok(()));
        drop(after);
        let never_ending = standing.admit(by(2, staying), Rows::Of(hash_in(staying))).unwrap();
        let (_, rest) = standing.await_the_rest();
        assert!(rest.await.is_err());
        drop(never_ending);
    }
}
