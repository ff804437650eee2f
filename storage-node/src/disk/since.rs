//! Since when something has been so, by a clock that only this process has.

use std::time::Duration;

/// A moment: the session of the device (each opening is one), and the seconds of its steady clock.
///
/// After a restart only the new session's time is known to have passed, so an age may be told too short,
/// never too long: whatever waits for an age waits longer, never shorter. Ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Since {
    session: u32,
    seconds: u32,
}

/// The present moment, and where this session began.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    pub session: u32,
    /// Of the steady clock when the device was opened.
    pub start: Duration,
    /// Of the steady clock.
    pub now: Duration,
}

impl Since {
    pub fn now(present: Present) -> Self {
        let seconds = u32::try_from(present.session_seconds()).unwrap_or(u32::MAX);
        Self { session: present.session, seconds }
    }

    pub fn age_seconds(self, present: Present) -> u64 {
        let began = if self.session == present.session { u64::from(self.seconds) } else { 0 };
        present.session_seconds().saturating_sub(began)
    }

    /// Whether it was in an earlier session.
    pub fn predates(self, present: Present) -> bool {
        self.session != present.session
    }

    /// Everything up to this moment is at least so old; `None`: nothing is.
    pub fn at_least(age_seconds: u64, present: Present) -> Option<Self> {
        let seconds = present.session_seconds().checked_sub(age_seconds)?;
        Some(Self { session: present.session, seconds: u32::try_from(seconds).unwrap_or(u32::MAX) })
    }

    pub fn to_column(self) -> i64 {
        i64::from(self.session) << 32 | i64::from(self.seconds)
    }

    #[expect(clippy::cast_sign_loss, reason = "each half has 32 bits")]
    pub fn from_column(column: i64) -> Self {
        Self { session: (column >> 32) as u32, seconds: (column & 0xffff_ffff) as u32 }
    }
}

impl Present {
    /// Whole seconds since the session began, rounded down.
    fn session_seconds(self) -> u64 {
        self.now.saturating_sub(self.start).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(session: u32, now: u64) -> Present {
        Present { session, start: Duration::from_secs(100), now: Duration::from_secs(now) }
    }

    #[test]
    fn an_age_counts_within_a_session() {
        let since = Since::now(present(3, 150));
        assert_eq!(since.age_seconds(present(3, 170)), 20);
    }

    #[test]
    fn after_a_restart_an_age_begins_anew() {
        let since = Since::now(present(3, 5000));
        assert_eq!(since.age_seconds(present(4, 100)), 0);
        assert_eq!(since.age_seconds(present(4, 130)), 30);
        assert_eq!(Since::at_least(60, present(4, 130)), None);
        assert!(since <= Since::at_least(30, present(4, 130)).unwrap());
    }

    #[test]
    fn a_moment_comes_back_from_its_column() {
        for since in [Since::now(present(u32::MAX >> 1, 1 << 33)), Since::now(present(1, 100))] {
            assert_eq!(Since::from_column(since.to_column()), since);
        }
    }
}
