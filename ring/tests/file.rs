//! The ring file: the same bytes for ever, and no damage goes unnoticed.

use crc_fast::CrcAlgorithm;
use martlet_ring::{Device, DeviceId, FileError, NodeId, Partition, Ring, RingError, ZoneId, build, edit};
use proptest::prelude::*;

const CONTENT: usize = 20;
const CHECKSUM_BYTES: usize = 8;

/// Two partitions on two devices.
fn tiny() -> Ring {
    build(1, 1, devices(2)).expect("two devices are enough")
}

fn devices(count: u32) -> Vec<Device> {
    let device = |id| Device {
        id: DeviceId(id),
        node: NodeId(id / 2),
        zone: ZoneId(id / 4),
        weight: 10 + id,
        address: format!("n{}", id / 2),
    };
    (0..count).map(device).collect()
}

#[test]
fn format_1_stays_readable() {
    #[rustfmt::skip]
    let golden: &[u8] = &[
        b'M', b'A', b'R', b'T', b'R', b'I', b'N', b'G',  1, 0, 0, 0,  62, 0, 0, 0, 0, 0, 0, 0,
        // Ring version 1, 2^1 partitions, 1 replica, 2 devices.
        1, 0, 0, 0, 0, 0, 0, 0,  1,  1,  2, 0, 0, 0,
        // Device 0: node 0, zone 0, weight 10, "n0". Device 1: node 0, zone 0, weight 11, "n0".
        0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,  10, 0, 0, 0,  2, 0,  b'n', b'0',
        1, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,  11, 0, 0, 0,  2, 0,  b'n', b'0',
        // Partition 0 on device 0, partition 1 on device 1.
        0, 0, 0, 0,  1, 0, 0, 0,
        // CRC-64/NVME.
        0x7c, 0xf1, 0x73, 0xe3, 0x48, 0xa0, 0xcf, 0xfa,
    ];
    let ring = Ring::from_bytes(golden).unwrap();
    assert_eq!(ring, tiny());
    assert_eq!(ring.to_bytes(), golden);
}

#[test]
fn every_truncation_is_called_one() {
    let bytes = tiny().to_bytes();
    for length in 0..bytes.len() {
        let error = Ring::from_bytes(&bytes[..length]).unwrap_err();
        assert!(matches!(error, FileError::Truncated { found, .. } if found == length as u64), "{error}");
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = tiny().to_bytes();
    bytes.push(0);
    assert!(matches!(Ring::from_bytes(&bytes), Err(FileError::TrailingBytes { .. })));
}

#[test]
fn other_files_and_later_formats_are_called_that() {
    assert_eq!(Ring::from_bytes(b"[cluster]\nname = \"a toml file\"\n"), Err(FileError::NotARing));
    let mut bytes = tiny().to_bytes();
    bytes[8] = 2;
    assert_eq!(Ring::from_bytes(&bytes), Err(FileError::UnknownFormat(2)));
    assert_eq!(Ring::from_bytes(&sealed(bytes)), Err(FileError::UnknownFormat(2)));
}

#[test]
fn damage_is_called_damage() {
    let mut bytes = tiny().to_bytes();
    bytes[CONTENT + 15] ^= 0x10;
    assert!(matches!(Ring::from_bytes(&bytes), Err(FileError::Checksum { .. })));
}

/// Changes the content of the tiny ring's file and puts the right checksum on it: no accident, but a faulty writer.
#[track_caller]
fn check_content(change: impl Fn(&mut Vec<u8>), expected: &FileError) {
    let mut bytes = tiny().to_bytes();
    let mut content = bytes[CONTENT..bytes.len() - CHECKSUM_BYTES].to_vec();
    change(&mut content);
    bytes.truncate(12);
    bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&content);
    bytes.extend_from_slice(&[0; CHECKSUM_BYTES]);
    assert_eq!(Ring::from_bytes(&sealed(bytes)).as_ref(), Err(expected));
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - CHECKSUM_BYTES);
    let checksum = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn a_file_that_contradicts_itself_is_refused_by_name() {
    let devices_start = 14;
    let second_device = devices_start + 20;
    let table = second_device + 20;
    let (partition, device) = (Partition(1), DeviceId(7));
    check_content(|content| content[0] = 0, &RingError::Version(0).into());
    check_content(|content| content[8] = 33, &RingError::PartitionBits { bits: 33, max: 20 }.into());
    check_content(|content| content[9] = 0, &RingError::Replicas { replicas: 0, max: 16 }.into());
    check_content(|content| content[second_device] = 0, &RingError::DuplicateDevice(DeviceId(0)).into());
    check_content(|content| content[devices_start] = 9, &FileError::Order(DeviceId(1)));
    check_content(|content| content[table + 4] = 7, &RingError::UnknownDevice { partition, device }.into());
    check_content(|content| content[devices_start + 18] = 0xff, &FileError::Address(DeviceId(0)));
    let (node, first, second) = (NodeId(0), ZoneId(0), ZoneId(1));
    check_content(
        |content| content[second_device + 8] = 1,
        &RingError::NodeInTwoZones { node, first, second }.into(),
    );
    check_content(|content| content.truncate(table + 7), &FileError::ShortContent("table"));
    check_content(|content| content.truncate(table - 1), &FileError::ShortContent("devices"));
    check_content(|content| content.truncate(9), &FileError::ShortContent("header of the content"));
    check_content(|content| content.extend([1, 2, 3]), &FileError::LongContent(3));
    // More devices than there are bytes for: refused when the bytes end, not allocated.
    check_content(|content| content[10..14].fill(0xff), &FileError::ShortContent("devices"));
}

#[test]
fn a_partition_twice_on_one_device_is_refused() {
    let mut bytes = build(0, 2, devices(2)).unwrap().to_bytes();
    let table = bytes.len() - CHECKSUM_BYTES - 8;
    bytes.copy_within(table..table + 4, table + 4);
    let error = Ring::from_bytes(&sealed(bytes)).unwrap_err();
    assert!(matches!(error, FileError::Content(RingError::RepeatedDevice { .. })), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_written_is_read(bits in 0..9_u8, count in 3..20_u32, gone in 0..3_usize) {
        let ring = build(bits, 3, devices(count + 1)).unwrap();
        let mut fewer = devices(count + 1);
        fewer.remove(gone);
        for ring in [edit(&ring, fewer).unwrap().0, ring] {
            prop_assert_eq!(Ring::from_bytes(&ring.to_bytes()), Ok(ring));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed(bits in 0..5_u8, count in 3..9_u32) {
        let mut bytes = build(bits, 3, devices(count)).unwrap().to_bytes();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Ring::from_bytes(&bytes).is_err(), "bit {}", bit);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn overwritten_stretches_are_noticed(start: prop::sample::Index, stretch: [u8; 64], length in 1..64_usize) {
        let whole = build(5, 3, devices(8)).unwrap().to_bytes();
        let mut bytes = whole.clone();
        let start = start.index(bytes.len());
        let length = length.min(bytes.len() - start);
        bytes[start..start + length].copy_from_slice(&stretch[..length]);
        prop_assert_eq!(Ring::from_bytes(&bytes).is_ok(), bytes == whole);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // With a right frame around them, so that the content is looked at.
        let mut framed = b"MARTRING\x01\0\0\0".to_vec();
        framed.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        framed.extend_from_slice(&bytes);
        framed.extend_from_slice(&[0; CHECKSUM_BYTES]);
        prop_assert!(Ring::from_bytes(&sealed(framed)).is_err());
        prop_assert!(Ring::from_bytes(&bytes).is_err());
    }
}
