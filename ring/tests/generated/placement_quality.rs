//! Balance, dispersion and preference of first tables.

use crate::clusters::{Cluster, any_cluster};
use martlet_ring::{Balance, Dispersion, Ring, build};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Few, so that whole replicas are coarse and constraints bite.
const PARTITION_BITS: u8 = 8;

/// Whole replicas are dealt to zones, then to nodes, then to devices: each step rounds by less than one.
pub(crate) const REPLICAS_OFF_MAX: f64 = 2.0;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_device_holds_its_fair_share(cluster in any_cluster()) {
        let balance = Balance::of(&first_ring(&cluster));
        prop_assert!(balance.replicas_off_max() < REPLICAS_OFF_MAX, "{balance:?}");
        let fair: f64 = balance.devices.iter().map(|device| device.fair).sum();
        prop_assert!((fair - f64::from(u32::from(cluster.replicas) << PARTITION_BITS)).abs() < 1e-3);
    }

    #[test]
    fn no_failure_domain_holds_more_replicas_of_a_partition_than_it_must(cluster in any_cluster()) {
        let ring = first_ring(&cluster);
        prop_assert!(Dispersion::of(&ring).is_perfect(), "{:?}", Dispersion::of(&ring));
        assert_spread_as_counted_by_hand(&ring);
    }

    #[test]
    fn every_device_stands_at_every_position_in_proportion(cluster in any_cluster()) {
        assert_preference_is_balanced(&first_ring(&cluster));
    }

    #[test]
    fn the_same_devices_give_the_same_ring_in_any_order(cluster in any_cluster()) {
        let mut reversed = cluster.clone();
        reversed.devices.reverse();
        prop_assert_eq!(first_ring(&cluster), first_ring(&reversed));
    }
}

pub(crate) fn first_ring(cluster: &Cluster) -> Ring {
    build(PARTITION_BITS, cluster.replicas, cluster.devices.clone()).expect("there are enough devices")
}

/// At each position a device stands as often as at the others, give or take one at each position before.
pub(crate) fn assert_preference_is_balanced(ring: &Ring) {
    let replicas = usize::from(ring.replicas());
    for device in ring.devices() {
        let held = ring.partitions_of(device.id).count();
        let first = ring.partitions().filter(|&partition| ring.devices_of(partition)[0] == device.id).count();
        assert!(held / replicas <= first && first <= held.div_ceil(replicas), "{first} of {held}");
        for position in 1..replicas {
            let at = ring.partitions().filter(|&p| ring.devices_of(p)[position] == device.id).count();
            assert!(at.abs_diff(held / replicas) <= 2, "{at} of {held} at {position}");
        }
    }
}

/// An independent count: with enough zones, no two replicas share one; with fewer, each has one at least;
/// and the same of nodes.
fn assert_spread_as_counted_by_hand(ring: &Ring) {
    let replicas = usize::from(ring.replicas());
    let usable = || ring.devices().iter().filter(|device| device.weight > 0);
    let zones_max = distinct(usable().map(|device| device.zone.0)).min(replicas);
    let nodes_max = distinct(usable().map(|device| device.node.0)).min(replicas);
    for partition in ring.partitions() {
        let devices =
            || ring.devices_of(partition).iter().map(|&id| ring.device(id).expect("the ring has it"));
        assert_eq!(distinct(devices().map(|device| device.zone.0)), zones_max);
        // Spreading over zones comes first and may cost a node, when a zone has but one.
        if zones_max == 1 || zones_max == replicas {
            assert_eq!(distinct(devices().map(|device| device.node.0)), nodes_max);
        }
    }
}

fn distinct(domains: impl Iterator<Item = u32>) -> usize {
    domains.collect::<BTreeSet<_>>().len()
}
