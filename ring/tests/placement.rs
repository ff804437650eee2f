//! The placement hash means the same in every release.

use martlet_ring::{Partition, PlacementHash, PlacementKey};
use proptest::prelude::*;
use siphasher::sip::SipHasher24;

const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const TABLE: [u8; 16] = *b"sixteen letters!";

/// The first, second, eighth, ninth and sixteenth of the vectors that come with the reference implementation: key
/// 00 01 … 0f, message 00 01 … of each length.
#[test]
fn the_hash_is_siphash_2_4() {
    let vectors: [(usize, u64); 5] = [
        (0, 0x726f_db47_dd0e_0e31),
        (1, 0x74f8_39c5_93dc_67fd),
        (7, 0xab02_00f5_8b01_d137),
        (8, 0x93f5_f579_9a93_2462),
        (15, 0xa129_ca61_49be_45e5),
    ];
    let message: Vec<u8> = (0..64).collect();
    for (length, expected) in vectors {
        assert_eq!(SipHasher24::new_with_key(&KEY).hash(&message[..length]), expected, "{length} bytes");
    }
}

#[test]
fn placement_never_changes() {
    let key = PlacementKey::new(KEY);
    assert_eq!(key.hash_object(&TABLE, b""), PlacementHash(0x5f89_15ed_7053_b3ec));
    assert_eq!(key.hash_object(&TABLE, b"photos/2026/martlet.jpg"), PlacementHash(0xf0c0_3d1c_bce0_990e));
    assert_eq!(key.hash_object(&TABLE, &[0xff, 0x00]), PlacementHash(0xd04c_9c01_61fe_b6ec));
    assert_eq!(key.hash_blob(&TABLE), PlacementHash(0x5512_4e23_20d9_1156));
    assert_eq!(key.hash_table(&TABLE), PlacementHash(0x18d6_b7d6_0c7d_17c2));
}

#[test]
fn the_partition_is_the_top_bits() {
    let hash = PlacementHash(0xdead_beef_0123_4567);
    for (bits, expected) in [(0, 0), (1, 1), (4, 0xd), (10, 0x37a), (32, 0xdead_beef)] {
        assert_eq!(hash.partition(bits), Partition(expected), "{bits} bits");
    }
}

#[test]
fn partitions_cut_the_hashes_without_gap_or_overlap() {
    assert_eq!(Partition(0).hashes(0), PlacementHash(0)..=PlacementHash(u64::MAX));
    let mut next = 0_u64;
    for partition in (0..1 << 10).map(Partition) {
        let hashes = partition.hashes(10);
        assert_eq!(hashes.start().0, next);
        assert_eq!((hashes.start().partition(10), hashes.end().partition(10)), (partition, partition));
        next = hashes.end().0.wrapping_add(1);
    }
    assert_eq!(next, 0);
}

#[test]
fn the_secret_is_not_printed() {
    assert_eq!(format!("{:?}", PlacementKey::new([7; 16])), "PlacementKey(secret)");
}

proptest! {
    /// Streaming over the parts is the same as hashing them joined, whatever their lengths.
    #[test]
    fn what_is_hashed_is_the_domain_the_id_and_the_key(
        secret: [u8; 16],
        id: [u8; 16],
        name in prop::collection::vec(any::<u8>(), 0..70),
    ) {
        let key = PlacementKey::new(secret);
        let plain = |domain: u8, rest: &[u8]| {
            let message = [&[domain][..], &id, rest].concat();
            PlacementHash(SipHasher24::new_with_key(&secret).hash(&message))
        };
        prop_assert_eq!(key.hash_object(&id, &name), plain(b'o', &name));
        prop_assert_eq!(key.hash_blob(&id), plain(b'b', b""));
        prop_assert_eq!(key.hash_table(&id), plain(b't', b""));
    }

    #[test]
    fn halving_a_partition_keeps_its_hashes(hash: u64, bits in 0..32_u8) {
        let hash = PlacementHash(hash);
        prop_assert_eq!(hash.partition(bits + 1).0 / 2, hash.partition(bits).0);
        prop_assert!(hash.partition(bits).hashes(bits).contains(&hash));
    }
}
