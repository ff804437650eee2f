//! Where things lie: the ring and the devices that it names, replaced together while requests go on.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use martlet_protocol::Replica;
use martlet_ring::{DeviceId, Ring};

use crate::cluster::MissingReplica;
use crate::device::Device;

/// The newest ring, as whoever looks at it sees it. Former ones stay as long as the store does: rings change seldom,
/// and so a look at one needs neither a lock nor a count.
///
/// A request that sees two of them one after the other does no harm: what it asks a device says by which ring it asks.
pub(crate) struct LiveRing {
    first: Placement,
}

/// One version of the ring.
pub(crate) struct Placement {
    ring: Arc<Ring>,
    pub(crate) devices: HashMap<DeviceId, Arc<Device>>,
    next: OnceLock<Box<Placement>>,
}

impl LiveRing {
    pub(crate) fn new(
        ring: Arc<Ring>,
        replicas: BTreeMap<DeviceId, Arc<dyn Replica>>,
    ) -> Result<Self, MissingReplica> {
        Ok(Self { first: Placement::new(ring, replicas, None)? })
    }

    pub(crate) fn newest(&self) -> &Placement {
        let mut newest = &self.first;
        while let Some(next) = newest.next.get() {
            newest = next;
        }
        newest
    }

    /// Takes the ring, unless there is as new a one.
    pub(crate) fn replace(
        &self,
        ring: &Arc<Ring>,
        replicas: &BTreeMap<DeviceId, Arc<dyn Replica>>,
    ) -> Result<(), MissingReplica> {
        loop {
            let newest = self.newest();
            if ring.version() <= newest.ring.version() {
                return Ok(());
            }
            let placement = Placement::new(ring.clone(), replicas.clone(), Some(newest))?;
            // Somebody else may have been faster.
            if newest.next.set(Box::new(placement)).is_ok() {
                return Ok(());
            }
        }
    }
}

impl Placement {
    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// What is known of a device's health stays known.
    fn new(
        ring: Arc<Ring>,
        mut replicas: BTreeMap<DeviceId, Arc<dyn Replica>>,
        former: Option<&Self>,
    ) -> Result<Self, MissingReplica> {
        let mut devices = HashMap::new();
        for device in ring.devices() {
            let replica = replicas.remove(&device.id).ok_or(MissingReplica(device.id))?;
            let device = match former.and_then(|former| former.devices.get(&device.id)) {
                Some(former) => former.reached_by(replica),
                None => Device::new(device.id, replica),
            };
            devices.insert(device.id, Arc::new(device));
        }
        Ok(Self { ring, devices, next: OnceLock::new() })
    }
}

impl Deref for LiveRing {
    type Target = Arc<Ring>;

    fn deref(&self) -> &Arc<Ring> {
        &self.newest().ring
    }
}

#[cfg(test)]
mod tests {
    use martlet_ring::{NodeId, ZoneId, build, edit};
    use martlet_testkit::{MemoryReplica, SimulatedClock};

    use super::*;

    #[test]
    fn a_newer_ring_takes_the_place_of_an_older_one_and_never_the_other_way_round() {
        let device = |id: u32| martlet_ring::Device {
            id: DeviceId(id),
            node: NodeId(id),
            zone: ZoneId(id),
            weight: 1,
            address: String::new(),
        };
        let three: Vec<_> = (1..=3).map(device).collect();
        let first = Arc::new(build(4, 3, three.clone()).unwrap());
        let second = Arc::new(edit(&first, three.iter().cloned().chain([device(4)]).collect()).unwrap().0);
        let live = LiveRing::new(first.clone(), replicas(&[1, 2, 3])).unwrap();
        assert_eq!(live.replace(&second, &replicas(&[1, 2, 3])), Err(MissingReplica(DeviceId(4))));
        assert_eq!(live.version(), 1);
        live.replace(&second, &replicas(&[1, 2, 3, 4])).unwrap();
        assert_eq!((live.version(), live.newest().devices.len()), (2, 4));
        live.replace(&first, &replicas(&[1, 2, 3])).unwrap();
        assert_eq!((live.version(), live.newest().devices.len()), (2, 4));
    }

    fn replicas(ids: &[u32]) -> BTreeMap<DeviceId, Arc<dyn Replica>> {
        let clock = Arc::new(SimulatedClock::default());
        let replica = |id: &u32| (DeviceId(*id), Arc::new(MemoryReplica::new(4, clock.clone())) as _);
        ids.iter().map(replica).collect()
    }
}
