//! Points in time, and where they come from.

use std::fmt;

/// Microseconds since the Unix epoch.
///
/// Shown to users as `Last-Modified`, `X-Timestamp` and in listings.
/// It never decides an order: that is what ballots are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The date that a write gets when the clock says `self` and the row's latest date is `previous`:
    /// dates within one row never go backwards.
    #[must_use]
    pub fn not_before(self, previous: Option<Self>) -> Self {
        previous.map_or(self, |previous| self.max(Self(previous.0 + 1)))
    }
}

/// Swift's form: seconds with five decimals.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}.{:05}", self.as_seconds(), self.0 % 1_000_000 / 10)
    }
}

/// Tells the time. Passed as an argument, so that tests can turn it.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumped_back_does_not_take_the_row_with_it() {
        let (early, late) = (Timestamp::from_micros(10), Timestamp::from_micros(20));
        assert_eq!(early.not_before(Some(late)), Timestamp::from_micros(21));
        assert_eq!(late.not_before(Some(early)), late);
        assert_eq!(early.not_before(None), early);
    }

    #[test]
    fn swift_writes_five_decimals() {
        assert_eq!(Timestamp::from_micros(1_700_000_000_123_456).to_string(), "1700000000.12345");
        assert_eq!(Timestamp::from_micros(5).to_string(), "0000000000.00000");
    }
}
