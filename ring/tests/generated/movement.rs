//! Sequences of changes: what moves, and what the ring is like afterwards.

use crate::clusters::{Cluster, any_change, any_cluster, changed};
use crate::placement_quality::{REPLICAS_OFF_MAX, assert_preference_is_balanced, first_ring};
use martlet_ring::{Balance, Dispersion, Movement, Ring, edit};
use proptest::prelude::*;

/// A change that asks for more than one replica of a partition takes several versions: one each at most.
const VERSIONS_MAX: usize = 8;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn after_any_changes_a_ring_is_as_good_as_a_new_one(
        cluster in any_cluster(),
        changes in prop::collection::vec(any_change(), 1..6),
    ) {
        let mut cluster = cluster;
        let mut ring = first_ring(&cluster);
        for change in &changes {
            let Some(devices) = changed(&cluster, change) else { continue };
            cluster.devices = devices;
            ring = settled(ring, &cluster);
            let balance = Balance::of(&ring);
            prop_assert!(balance.replicas_off_max() < REPLICAS_OFF_MAX, "{change:?} {balance:?}");
            prop_assert!(Dispersion::of(&ring).is_perfect(), "{change:?} {:?}", Dispersion::of(&ring));
            assert_preference_is_balanced(&ring);
        }
    }

    #[test]
    fn a_ring_that_is_right_stays_as_it_is(cluster in any_cluster()) {
        let ring = first_ring(&cluster);
        let (next, movement) = edit(&ring, cluster.devices).unwrap();
        prop_assert_eq!(movement.moves, []);
        prop_assert_eq!(movement.unsettled, 0);
        prop_assert_eq!(next.version(), ring.version() + 1);
        prop_assert!(ring.partitions().all(|partition| ring.devices_of(partition) == next.devices_of(partition)));
    }

    #[test]
    fn an_edit_is_a_function_of_its_arguments(cluster in any_cluster(), change in any_change()) {
        let ring = first_ring(&cluster);
        if let Some(devices) = changed(&cluster, &change) {
            let stored = Ring::from_bytes(&ring.to_bytes()).unwrap();
            let mut reversed = devices.clone();
            reversed.reverse();
            prop_assert_eq!(edit(&ring, devices).unwrap(), edit(&stored, reversed).unwrap());
        }
    }
}

/// Edits until nothing is left to move, and checks every step.
fn settled(mut ring: Ring, cluster: &Cluster) -> Ring {
    for _ in 0..VERSIONS_MAX {
        let (next, movement) = edit(&ring, cluster.devices.clone()).expect("there are enough devices");
        assert_moves_are_told(&ring, &next, &movement);
        assert_majorities_stay(&ring, &next);
        ring = next;
        if movement.unsettled == 0 {
            return ring;
        }
    }
    panic!("not settled after {VERSIONS_MAX} versions");
}

/// Applying the moves to the old table gives the new one, preference aside.
fn assert_moves_are_told(old: &Ring, new: &Ring, movement: &Movement) {
    let mut moves = movement.moves.iter().peekable();
    for partition in old.partitions() {
        let mut devices = old.devices_of(partition).to_vec();
        while let Some(step) = moves.next_if(|step| step.partition == partition) {
            let slot = devices.iter().position(|&device| device == step.from).expect("it was there");
            devices[slot] = step.to;
        }
        devices.sort_unstable();
        let mut expected = new.devices_of(partition).to_vec();
        expected.sort_unstable();
        assert_eq!(devices, expected);
    }
    assert_eq!(moves.next(), None);
}

/// Of the replicas whose devices are still there, at most one of a partition moves, and none where a hole was filled.
fn assert_majorities_stay(old: &Ring, new: &Ring) {
    for partition in old.partitions() {
        let (before, after) = (old.devices_of(partition), new.devices_of(partition));
        let holes = before.iter().filter(|&&device| new.device(device).is_none()).count();
        let left = before.iter().filter(|device| !after.contains(device)).count();
        assert!(left <= holes.max(1), "{partition}: {left} left, {holes} holes");
    }
}
