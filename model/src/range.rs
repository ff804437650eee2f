//! Byte ranges: RFC 9110, section 14.

/// One range as a reader asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-last`, both included.
    Between { first: u64, last: u64 },
    /// `bytes=first-`
    From(u64),
    /// `bytes=-count`
    Last(u64),
}

/// Bytes of an object: from `start` (included) to `end` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u64,
    pub end: u64,
}

impl ByteRange {
    /// The bytes that this range means in an object of `bytes`, or `None`: it can't be satisfied.
    pub fn of(self, bytes: u64) -> Option<Span> {
        let (start, end) = match self {
            Self::Between { first, last } => (first, last.saturating_add(1).min(bytes)),
            Self::From(first) => (first, bytes),
            Self::Last(count) => (bytes.saturating_sub(count), bytes),
        };
        (start < end).then_some(Span { start, end })
    }
}

impl Span {
    pub const fn whole(bytes: u64) -> Self {
        Self { start: 0, end: bytes }
    }

    pub const fn bytes(self) -> u64 {
        self.end - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: ByteRange, bytes: u64, expected: Option<(u64, u64)>) {
        assert_eq!(range.of(bytes), expected.map(|(start, end)| Span { start, end }));
    }

    #[test]
    fn ranges() {
        check(ByteRange::Between { first: 0, last: 0 }, 10, Some((0, 1)));
        check(ByteRange::Between { first: 2, last: u64::MAX }, 10, Some((2, 10)));
        check(ByteRange::Between { first: 10, last: 11 }, 10, None);
        check(ByteRange::From(9), 10, Some((9, 10)));
        check(ByteRange::From(10), 10, None);
        check(ByteRange::Last(3), 10, Some((7, 10)));
        check(ByteRange::Last(30), 10, Some((0, 10)));
        check(ByteRange::Last(0), 10, None);
        check(ByteRange::Last(1), 0, None);
    }
}
