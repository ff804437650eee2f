//! Every limit of a link, with its unit and its reason.

use std::time::Duration;

use martlet_protocol::{BLOCK_BYTES, CARRIED_BYTES_MAX};

/// What one frame carries: a block with its checksum, or as much of a longer message.
/// Small frames go between two such frames, so this is how long a row operation waits for a body.
pub const FRAME_BYTES_MAX: usize = BLOCK_BYTES + 1024;

/// Small frames that are gathered for one record.
pub const BATCH_BYTES: usize = 64 * 1024;

/// What one record carries: a batch that ends in the largest small frame, and one large frame.
pub const RECORD_BYTES_MAX: usize = BATCH_BYTES + SMALL_BYTES_MAX + FRAME_BYTES_MAX + 1024;

/// Messages up to this size pass the larger ones by.
pub const SMALL_BYTES_MAX: usize = 32 * 1024;

/// The longest message: a page of 10,000 rows with the longest keys fits.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Byte strings up to this size are copied out of the buffer that they arrived in,
/// so that a key that is kept for long doesn't keep a whole buffer.
pub const COPIED_BYTES_MAX: usize = 8 * 1024;

/// Requests to one device on one connection that may wait for their answers, streams included.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 1024;

/// Bytes of requests, and of answers that they ask for, to one device on one connection.
pub const BYTES_IN_FLIGHT_MAX: usize = 64 * 1024 * 1024;

/// Blobs that one connection writes and reads at the same time.
pub const STREAMS_MAX: usize = 256;

/// The most blocks of one stream that may be on their way or wait to be taken.
pub const STREAM_WINDOW_BLOCKS: usize = 4;

/// How many every stream may have, however many streams there are.
pub const STREAM_WINDOW_BLOCKS_MIN: usize = 1;

/// Blocks that the streams which a process takes in may have beyond that, all together: 4 MiB.
pub const WINDOW_BLOCKS_SHARED: usize = 64;

/// Blocks of all streams of one connection that may wait to be sent.
pub const BLOCKS_QUEUED_MAX: usize = 16;

/// Connections of one proxy to one node for what is large.
pub const BULK_CONNECTIONS: usize = 2;

/// Connections that one node serves.
pub const CONNECTIONS_MAX: usize = 1024;

/// From the connection's first byte to both sides' proof.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a client that speaks TLS where there is none may take to hear that.
pub const REFUSAL_LINGER: Duration = Duration::from_millis(200);

/// How long opening a connection may take, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A side that has heard nothing for so long asks whether the other is there.
pub const PING_AFTER: Duration = Duration::from_millis(400);

/// A side that has heard nothing for so long takes the other for gone.
pub const SILENCE_MAX: Duration = Duration::from_millis(1600);

/// The wait before the first attempt to connect again; doubled with every failure.
pub const BACKOFF_MIN: Duration = Duration::from_millis(50);

/// The longest wait between two attempts. With an attempt that runs into its timeout before it,
/// a node that is back is still found within two seconds.
pub const BACKOFF_MAX: Duration = Duration::from_millis(500);

/// How long a node that stops waits for what its clients have asked already.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

const _: () = assert!(REFUSAL_LINGER.as_millis() < HANDSHAKE_TIMEOUT.as_millis());
const _: () = assert!(HANDSHAKE_TIMEOUT.as_millis() + BACKOFF_MAX.as_millis() < 2000);
const _: () = assert!(SILENCE_MAX.as_millis() + PING_AFTER.as_millis() <= 2000);
const _: () = assert!(0 < STREAM_WINDOW_BLOCKS_MIN && STREAM_WINDOW_BLOCKS_MIN <= STREAM_WINDOW_BLOCKS);
const _: () = assert!(CARRIED_BYTES_MAX < MESSAGE_BYTES_MAX);
const _: () = assert!(MESSAGE_BYTES_MAX <= BYTES_IN_FLIGHT_MAX);
const _: () = assert!(SMALL_BYTES_MAX <= FRAME_BYTES_MAX);
const _: () = assert!(PING_AFTER.as_millis() * 3 <= SILENCE_MAX.as_millis());
