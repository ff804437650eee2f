//! A clock that never jumps. Dates come from the model's clock; this one measures how long something has been so.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use martlet_model::Clock;

use crate::disk::since::Present;

/// Passed as an argument, so that tests can turn it.
pub trait SteadyClock: fmt::Debug + Send + Sync + 'static {
    /// The time since a fixed moment of this process. Never goes back, never jumps.
    fn elapsed(&self) -> Duration;
}

/// The operating system's monotonic clock, from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct SystemSteadyClock {
    start: Instant,
}

impl SystemSteadyClock {
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl SteadyClock for SystemSteadyClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// The clocks of an opened device.
#[derive(Clone, Debug)]
pub struct Clocks {
    pub wall: Arc<dyn Clock>,
    pub steady: Arc<dyn SteadyClock>,
    pub session: u32,
    pub start: Duration,
}

impl Clocks {
    pub fn present(&self) -> Present {
        Present { session: self.session, start: self.start, now: self.steady.elapsed() }
    }

    pub fn wall_micros(&self) -> u64 {
        self.wall.now().as_micros()
    }
}
