//! The operating system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use martlet_model::{Clock, Timestamp};

/// Tells the time of the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that everything else takes")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 shows 1970: dates are for people, and no order depends on them.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}
