//! The limits that both dialects enforce. Each has a name and a unit.

/// The longest object key (S3: 1024 bytes of UTF-8; Swift: `max_object_name_length`).
pub const OBJECT_KEY_BYTES_MAX: usize = 1024;
/// The longest container name (Swift: `max_container_name_length`; S3 bucket names are shorter still).
pub const CONTAINER_NAME_BYTES_MAX: usize = 256;
/// The longest account name (Swift: `max_account_name_length`).
pub const ACCOUNT_NAME_BYTES_MAX: usize = 256;
/// The largest body of a single PUT or of one part: 5 GiB (S3).
pub const PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// The most entries of one listing page (Swift: `container_listing_limit`).
pub const LISTING_ENTRIES_MAX: usize = 10_000;
/// User metadata: names and values together (S3: 2 KiB, Swift: 4096 bytes over all).
pub const USER_METADATA_BYTES_MAX: usize = 4096;
/// User metadata: items (Swift: `max_meta_count`).
pub const USER_METADATA_COUNT_MAX: usize = 90;
/// Parts of one multipart upload (S3).
pub const PART_NUMBER_MAX: u16 = 10_000;
/// The smallest part that isn't the last one: 5 MiB (S3).
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// The largest object, however it was made: 48.8 TiB (10,000 parts of 5 GiB).
pub const OBJECT_BYTES_MAX: u64 = PUT_BYTES_MAX * PART_NUMBER_MAX as u64;
