//! The order in which a partition would like its devices: weighted rendezvous hashing.
//!
//! `rendezvous_hash` gives each device a score from the hash of (partition, device) and the device's weight
//! (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005). A device that comes or goes changes no
//! other device's score. Its default hasher is not stable across compiler releases, so it is given one of ours.
//!
//! The scores take a logarithm, whose last bit may differ between platforms: an order is good for computing *a*
//! table, which is then stored, and never for finding data.

use crate::device::{Device, DeviceId};
use crate::placement::Partition;
use rendezvous_hash::{Capacity, KeyValueNode, NodeHasher, RendezvousNodes, WeightedNode};
use siphasher::sip::SipHasher24;
use std::hash::{Hash, Hasher};

/// The devices that may receive replicas, ready to be ordered for each partition.
pub(crate) struct Rendezvous {
    /// Scored by id, which stays, and not by index, which shifts when a device goes.
    candidates: RendezvousNodes<WeightedNode<KeyValueNode<DeviceId, usize>>, FixedSip24>,
}

impl Rendezvous {
    /// `devices` are sorted by id. Draining ones are no candidates.
    pub(crate) fn new(devices: &[Device]) -> Self {
        let mut candidates = RendezvousNodes::new(FixedSip24);
        candidates.extend(devices.iter().enumerate().filter_map(|(index, device)| {
            let capacity = Capacity::new(f64::from(device.weight))?;
            Some(WeightedNode::new(KeyValueNode::new(device.id, index), capacity))
        }));
        Self { candidates }
    }

    /// The indexes of the candidates, most wanted first.
    pub(crate) fn order(&self, partition: Partition) -> Vec<usize> {
        self.candidates.calc_candidates(&partition).map(|candidate| candidate.node.value).collect()
    }
}

/// Partitions in an order that looks random and is always the same, so that edits take from everywhere.
pub(crate) fn shuffled(partition_count: usize) -> Vec<usize> {
    let key = |partition: &usize| (FixedSip24.hash(&(), partition), *partition);
    let mut partitions: Vec<usize> = (0..partition_count).collect();
    partitions.sort_by_cached_key(key);
    partitions
}

/// SipHash-2-4 with a fixed key over little-endian numbers: the same on every platform and in every release.
struct FixedSip24;

const RENDEZVOUS_KEY: &[u8; 16] = b"martlet ring v1 ";

impl<N: Hash> NodeHasher<N> for FixedSip24 {
    fn hash<T: Hash>(&self, node: &N, item: &T) -> u64 {
        let mut hasher = LittleEndian(SipHasher24::new_with_key(RENDEZVOUS_KEY));
        item.hash(&mut hasher);
        node.hash(&mut hasher);
        hasher.finish()
    }
}

/// `Hash` writes numbers in the machine's byte order unless the hasher decides.
struct LittleEndian(SipHasher24);

impl Hasher for LittleEndian {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn write_u32(&mut self, number: u32) {
        self.0.write(&number.to_le_bytes());
    }

    fn write_u64(&mut self, number: u64) {
        self.0.write(&number.to_le_bytes());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}
