//! How a device fails.

use std::time::Duration;

/// What is wrong with a device at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    pub reach: Reach,
    /// One of so many answers is lost after the work was done. `None`: no answer is.
    pub answers_lost_one_in: Option<usize>,
    /// New data is refused.
    pub is_full: bool,
    /// Whatever has to be durable waits for good, while questions are answered.
    pub writes_hang: bool,
}

/// How a device answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Prompt,
    Slow(Duration),
    /// It takes the request and never answers.
    Silent,
    /// It refuses the connection.
    Down,
}

impl Faults {
    pub const NONE: Self =
        Self { reach: Reach::Prompt, answers_lost_one_in: None, is_full: false, writes_hang: false };

    pub const fn reaching(reach: Reach) -> Self {
        Self { reach, ..Self::NONE }
    }
}
