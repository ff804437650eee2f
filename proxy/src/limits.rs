//! The limits of the front. Each has a name and a unit; those of the model are in [`martlet_model::limits`].

use std::time::Duration;

/// The largest request head, request line included; beyond it the answer is 431.
/// Swift allows 90 metadata items of 4096 bytes in sum, S3 keys of 1024 bytes: three bytes each when encoded.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// The most headers of a request; beyond it the answer is 431.
/// Swift allows 90 metadata items besides all others, and says so itself where there are more.
pub const HEADERS_COUNT_MAX: usize = 256;

/// How long a client may take for a request's head, or be silent between two requests.
pub const HEAD_DURATION_MAX: Duration = Duration::from_mins(1);

/// How long a body may stand still while it is received.
pub const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// The rate, in bytes a second, below which a body is given up however steadily it drips:
/// it is waited for no longer, in sum, than [`BODY_PAUSE_MAX`] and the time that its bytes take at this rate.
pub const BODY_RATE_MIN: u64 = 1024;

/// How long a client may refuse to take what is sent to it.
pub const WRITE_PAUSE_MAX: Duration = Duration::from_mins(1);

/// How much of a body that nobody wants is taken off the connection after the answer, so that the client reads it:
/// closing with unread bytes would reset the connection under the answer.
pub const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// And how long that may last.
pub const LINGER_DURATION_MAX: Duration = Duration::from_secs(5);

/// Connections served at once, unless options say otherwise; further ones wait to be accepted.
pub const CONNECTIONS_COUNT_MAX: usize = 16 * 1024;

/// Bodies above [`SMALL_BODY_BYTES_MAX`] that are on their way at once, in either direction, unless options say
/// otherwise. Each may hold about 1 MiB: what is read ahead, and the blocks that wait for the slowest device.
pub const LARGE_BODIES_COUNT_MAX: usize = 1024;

/// A body up to this size needs no turn.
pub const SMALL_BODY_BYTES_MAX: u64 = 64 * 1024;

/// How long a large body waits for its turn, before the answer is 503.
pub const BODY_TURN_WAIT_MAX: Duration = Duration::from_secs(10);

/// A request that takes longer than this to answer is told as a slow one, unless options say otherwise.
pub const SLOW_REQUEST: Duration = Duration::from_secs(5);

/// The pause after a connection couldn't be accepted, e.g. for want of file descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a shutdown waits for what is in flight.
pub const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(30);

/// How old an account's quota may be that writes are held to, where another proxy has changed it.
pub const ACCOUNT_QUOTA_AGE_MAX: Duration = Duration::from_secs(1);

/// Accounts whose quota is remembered.
pub const ACCOUNT_QUOTAS_COUNT_MAX: usize = 10_000;

/// How much of a connection's input is buffered, and of its output while the client is slow.
/// An upload has up to three such buffers: one that is being read into, one on its way, one that is cut into blocks.
pub const READ_BUFFER_BYTES_MAX: usize = 32 * 1024;
const _: () = assert!(HEAD_BYTES_MAX <= READ_BUFFER_BYTES_MAX);
