//! `Range`: the parts of an object that a reader asks for, and the body that carries several of them.

use http::HeaderMap;
use http::header::RANGE;
use martlet_model::{ByteRange, Span};

use super::headers;
use super::refusal::Refusal;

/// The most ranges of one request; more are refused as unsatisfiable, as in Swift.
const RANGES_COUNT_MAX: usize = 50;
/// The most pairs of ranges of one request that overlap.
const OVERLAPS_COUNT_MAX: usize = 2;
/// From how many ranges on they must ascend.
const ASCENDING_FROM_COUNT: usize = 8;

/// The ranges that a reader asks for; none means the whole object.
///
/// What can't be read as ranges means the whole object, as RFC 9110, section 14.2, allows.
pub(super) fn parse(request: &HeaderMap) -> Result<Vec<ByteRange>, Refusal> {
    Ok(headers::text(request, RANGE.as_str())?.and_then(byte_ranges).unwrap_or_default())
}

fn byte_ranges(value: &str) -> Option<Vec<ByteRange>> {
    // Swift takes spaces anywhere in it.
    let value = value.replace([' ', '\t'], "");
    let unit = value.get(..6).filter(|unit| unit.eq_ignore_ascii_case("bytes="))?;
    value[unit.len()..].split(',').map(byte_range).collect()
}

/// One range without the unit: `first-last`, `first-` or `-count`.
pub(super) fn byte_range(value: &str) -> Option<ByteRange> {
    match value.split_once('-')? {
        ("", count) => Some(ByteRange::Last(position(count)?)),
        (first, "") => Some(ByteRange::From(position(first)?)),
        (first, last) => {
            let (first, last) = (position(first)?, position(last)?);
            (first <= last).then_some(ByteRange::Between { first, last })
        }
    }
}

/// A row of digits; a position that no object reaches stays one.
fn position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The bytes that `ranges` mean in an object of `bytes`, in their order.
/// None: none of them can be had, or there are more of them than anybody needs.
pub(super) fn spans(ranges: &[ByteRange], bytes: u64) -> Option<Vec<Span>> {
    let spans: Vec<_> = ranges.iter().filter_map(|range| range.of(bytes)).collect();
    let is_egregious = spans.len() > RANGES_COUNT_MAX
        || overlaps(&spans) > OVERLAPS_COUNT_MAX
        || (spans.len() >= ASCENDING_FROM_COUNT && !spans.is_sorted_by_key(|span| span.start));
    (!spans.is_empty() && !is_egregious).then_some(spans)
}

/// How many pairs have bytes in common; two that are the same don't count, as in Swift.
fn overlaps(spans: &[Span]) -> usize {
    let overlap = |one: &Span, other: &Span| one != other && one.start < other.end && other.start < one.end;
    let pairs = spans.iter().enumerate();
    pairs.map(|(index, one)| spans[index + 1..].iter().filter(|other| overlap(one, other)).count()).sum()
}

/// The frame of a body of several ranges (`multipart/byteranges`, RFC 9110, section 14.6).
pub(super) struct Multipart<'a> {
    pub(super) boundary: &'a str,
    /// Of the object.
    pub(super) content_type: &'a str,
    /// Of the object.
    pub(super) bytes: u64,
}

impl Multipart<'_> {
    /// What stands before the bytes of a span.
    pub(super) fn part_head(&self, span: Span) -> String {
        let Self { boundary, content_type, bytes } = self;
        format!(
            "--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: bytes {}-{}/{bytes}\r\n\r\n",
            span.start,
            span.end.saturating_sub(1)
        )
    }

    /// What stands behind the last part.
    pub(super) fn end(&self) -> String {
        format!("--{}--", self.boundary)
    }

    /// How long the whole body is.
    pub(super) fn body_bytes(&self, spans: &[Span]) -> u64 {
        let parts = spans
            .iter()
            .map(|span| self.part_head(*span).len() as u64 + span.bytes() + PART_END.len() as u64);
        parts.sum::<u64>() + self.end().len() as u64
    }
}

/// What stands behind the bytes of a span.
pub(super) const PART_END: &str = "\r\n";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &[ByteRange]) {
        let mut request = HeaderMap::new();
        request.insert(RANGE, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        assert_eq!(parse(&request).unwrap(), expected, "{value}");
    }

    #[test]
    fn ranges() {
        check("bytes=0-0", &[ByteRange::Between { first: 0, last: 0 }]);
        check("Bytes=1-5", &[ByteRange::Between { first: 1, last: 5 }]);
        check("bytes=5-", &[ByteRange::From(5)]);
        check("bytes=-5", &[ByteRange::Last(5)]);
        check(" bytes = 1 - 5 ", &[ByteRange::Between { first: 1, last: 5 }]);
        check("bytes=-0", &[ByteRange::Last(0)]);
        check("bytes=99999999999999999999999-", &[ByteRange::From(u64::MAX)]);
        check(
            "bytes=0-1, 5-,-2",
            &[ByteRange::Between { first: 0, last: 1 }, ByteRange::From(5), ByteRange::Last(2)],
        );
    }

    #[test]
    fn what_is_no_range_means_everything() {
        for value in [
            "bytes=5-3",
            "bytes=-",
            "bytes=45",
            "bytes=a-b",
            "bytes=--1",
            "bytes=1--2",
            "bytes=0-1,",
            "bytes=0-1,5-3",
            "lines=1-2",
            "",
            "bytes",
            "ü",
        ] {
            check(value, &[]);
        }
    }

    #[track_caller]
    fn check_spans(value: &str, expected: Option<&[(u64, u64)]>) {
        let found = spans(&byte_ranges(value).unwrap(), 100);
        let found = found.map(|spans| spans.iter().map(|span| (span.start, span.end)).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected, "{value}");
    }

    #[test]
    fn only_what_can_be_had_is_sent() {
        check_spans("bytes=0-1,200-300,-2", Some(&[(0, 2), (98, 100)]));
        check_spans("bytes=100-,200-300,-0", None);
    }

    #[test]
    fn more_than_anybody_needs_is_refused() {
        let many = |count: u32| {
            let ranges: Vec<_> = (0..count).map(|at| format!("{at}-{at}")).collect();
            byte_ranges(&format!("bytes={}", ranges.join(","))).unwrap()
        };
        assert!(spans(&many(50), 100).is_some());
        assert!(spans(&many(51), 100).is_none());
        check_spans("bytes=0-5,5-9,3-4", Some(&[(0, 6), (5, 10), (3, 5)]));
        check_spans("bytes=0-5,5-9,3-4,2-9", None);
        check_spans("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,1-1", None);
        check_spans(
            "bytes=0-0,2-2,4-4,6-6,8-8,10-10,1-1",
            Some(&[(0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (1, 2)]),
        );
    }

    #[test]
    fn the_frame_is_as_long_as_it_says() {
        let frame = Multipart { boundary: "b", content_type: "text/plain", bytes: 10 };
        let spans = [Span { start: 0, end: 2 }, Span { start: 5, end: 10 }];
        let part = |span: &Span| {
            frame.part_head(*span) + &"x".repeat(usize::try_from(span.bytes()).unwrap()) + "\r\n"
        };
        let body = spans.iter().map(part).collect::<Vec<_>>().concat();
        assert_eq!(frame.body_bytes(&spans), (body.len() + frame.end().len()) as u64);
        assert!(body.starts_with(
            "--b\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\nxx\r\n--b\r\n"
        ));
    }
}
