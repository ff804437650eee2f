//! The ring as bytes.
//!
//! ```text
//! offset  bytes  what
//! 0       8      magic, "MARTRING"
//! 8       4      format version, 1
//! 12      8      length of the content in bytes, n
//! 20      n      content
//! 20+n    8      CRC-64/NVME of everything before it
//!
//! content, format version 1
//!         8      ring version
//!         1      partition bits, k
//!         1      replicas, R
//!         4      number of devices, d
//!         d ×    device, ascending by id
//!                  4  id
//!                  4  node
//!                  4  zone
//!                  4  weight
//!                  2  length of the address in bytes, a
//!                  a  address, UTF-8
//!         4·R·2^k  table: the device ids of partition 0 in preference order, then of partition 1, …
//! ```
//!
//! Numbers are unsigned and little-endian. A ring has exactly one encoding.
//!
//! Why binary: the table is nearly all of the file, it has fixed-size entries, and nobody edits it by hand; ids and
//! addresses can still be read in a hex dump. Why CRC-64/NVME: it is the checksum of everything else that Martlet
//! stores, and it finds for certain every burst of damage up to 64 bits. It doesn't keep a forger out: who can
//! write the ring file can place data as they like in any case.
//!
//! Reading checks the magic, the format version, the length, the checksum and then the content, in this order:
//! a file of a later format is called that, whatever its checksum is.
//! Encoding and decoding touch no disk; the file is replaced through the storage node's durable publish.

use crate::device::{Device, DeviceId, NodeId, ZoneId};
use crate::ring::{Parts, Ring, RingError, check_shape};
use crc_fast::CrcAlgorithm;

const MAGIC: [u8; 8] = *b"MARTRING";
const FORMAT_VERSION: u32 = 1;
const HEADER_BYTES: usize = 20;
const CHECKSUM_BYTES: usize = 8;

/// Why bytes are not a ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("not a ring file: it doesn't begin with the ring's magic")]
    NotARing,
    #[error("ring file format {0} is unknown to this release, which reads format {FORMAT_VERSION}")]
    UnknownFormat(u32),
    #[error("ring file is truncated: {found} bytes of {expected}")]
    Truncated { expected: u64, found: u64 },
    #[error("ring file goes on after its end: {found} bytes instead of {expected}")]
    TrailingBytes { expected: u64, found: u64 },
    #[error("ring file is damaged: its checksum is {stored:016x}, its bytes give {computed:016x}")]
    Checksum { stored: u64, computed: u64 },
    #[error("ring file ends inside its {0}")]
    ShortContent(&'static str),
    #[error("ring file has {0} bytes after its table")]
    LongContent(usize),
    #[error("the address of {0} is not UTF-8")]
    Address(DeviceId),
    #[error("the devices are not in ascending order at {0}")]
    Order(DeviceId),
    #[error("ring file contradicts itself: {0}")]
    Content(#[from] RingError),
}

impl Ring {
    /// The ring as a file's bytes: see the module for every one of them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let content = encode_content(self);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + content.len() + CHECKSUM_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&content);
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads what [`Ring::to_bytes`] wrote. Anything else is refused, by the name of what is wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileError> {
        let content = open_envelope(bytes)?;
        decode_content(content)
    }
}

fn encode_content(ring: &Ring) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 * ring.devices().len() + 4 * ring.table().len());
    out.extend_from_slice(&ring.version().to_le_bytes());
    out.push(ring.partition_bits());
    out.push(ring.replicas());
    let device_count = u32::try_from(ring.devices().len()).expect("DEVICES_MAX is far below");
    out.extend_from_slice(&device_count.to_le_bytes());
    for device in ring.devices() {
        for number in [device.id.0, device.node.0, device.zone.0, device.weight] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let address_bytes = u16::try_from(device.address.len()).expect("ADDRESS_BYTES_MAX is far below");
        out.extend_from_slice(&address_bytes.to_le_bytes());
        out.extend_from_slice(device.address.as_bytes());
    }
    for device in ring.table() {
        out.extend_from_slice(&device.0.to_le_bytes());
    }
    out
}

/// Checks everything around the content, and hands it out.
fn open_envelope(bytes: &[u8]) -> Result<&[u8], FileError> {
    let found = bytes.len() as u64;
    if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
        return Err(FileError::NotARing);
    }
    let mut header = Cursor { rest: bytes, part: "header" };
    let shortest = (HEADER_BYTES + CHECKSUM_BYTES) as u64;
    let truncated = |_| FileError::Truncated { expected: shortest, found };
    header.take(MAGIC.len()).map_err(truncated)?;
    let format = header.u32().map_err(truncated)?;
    if format != FORMAT_VERSION {
        return Err(FileError::UnknownFormat(format));
    }
    let content_bytes = header.u64().map_err(truncated)?;
    let expected = content_bytes.saturating_add(shortest);
    if found < expected {
        return Err(FileError::Truncated { expected, found });
    }
    if found > expected {
        return Err(FileError::TrailingBytes { expected, found });
    }
    let (covered, stored) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
    let stored = Cursor { rest: stored, part: "checksum" }.u64()?;
    let computed = checksum(covered);
    if stored != computed {
        return Err(FileError::Checksum { stored, computed });
    }
    Ok(&covered[HEADER_BYTES..])
}

fn decode_content(content: &[u8]) -> Result<Ring, FileError> {
    let mut cursor = Cursor { rest: content, part: "header of the content" };
    let version = cursor.u64()?;
    let partition_bits = cursor.u8()?;
    let replicas = cursor.u8()?;
    // Before anything is reserved: a size that isn't allowed isn't allocated either.
    check_shape(partition_bits, replicas)?;
    let device_count = cursor.u32()?;
    cursor.part = "devices";
    let mut devices: Vec<Device> = Vec::new();
    for _ in 0..device_count {
        let device = decode_device(&mut cursor)?;
        match devices.last() {
            Some(last) if last.id == device.id => return Err(RingError::DuplicateDevice(device.id).into()),
            Some(last) if last.id > device.id => return Err(FileError::Order(device.id)),
            _ => devices.push(device),
        }
    }
    cursor.part = "table";
    let entries = usize::from(replicas) << partition_bits;
    if cursor.rest.len() < entries * size_of::<u32>() {
        return Err(FileError::ShortContent(cursor.part));
    }
    let mut table = Vec::with_capacity(entries);
    for _ in 0..entries {
        table.push(DeviceId(cursor.u32()?));
    }
    if !cursor.rest.is_empty() {
        return Err(FileError::LongContent(cursor.rest.len()));
    }
    Ok(Ring::checked(Parts { version, partition_bits, replicas, devices, table })?)
}

fn decode_device(cursor: &mut Cursor<'_>) -> Result<Device, FileError> {
    let id = DeviceId(cursor.u32()?);
    let node = NodeId(cursor.u32()?);
    let zone = ZoneId(cursor.u32()?);
    let weight = cursor.u32()?;
    let address_bytes = cursor.u16()?;
    let address = cursor.take(usize::from(address_bytes))?;
    let address = std::str::from_utf8(address).map_err(|_| FileError::Address(id))?.to_owned();
    Ok(Device { id, node, zone, weight, address })
}

fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

/// The bytes still to be read, and the name of the part that they should hold.
struct Cursor<'a> {
    rest: &'a [u8],
    part: &'static str,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], FileError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(FileError::ShortContent(self.part))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(FileError::ShortContent(self.part))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, FileError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, FileError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, FileError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, FileError> {
        self.array().map(u64::from_le_bytes)
    }
}
