//! Conditions and ranges: RFC 9110, sections 13 and 14, as S3 has them.

use std::time::SystemTime;

use http::HeaderName;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use jiff::fmt::rfc2822;
use martlet_model::{ByteRange, Conditions, ETagStyle, Match, ObjectInfo, Timestamp};

use super::headers::Headers;
use super::refusal::Refusal;

/// Of which object the range of a read is wanted (`If-Range`); of another, all is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IfRange {
    Any,
    ETag(String),
    Modified(Timestamp),
    /// What was asked for can't be told of any object, such as a weak ETag.
    None,
}

impl IfRange {
    pub(super) fn includes(&self, info: &ObjectInfo) -> bool {
        match self {
            Self::Any => true,
            Self::ETag(etag) => *etag == info.content.etag(ETagStyle::S3),
            Self::Modified(at) => at.as_seconds() == info.modified.as_seconds(),
            Self::None => false,
        }
    }
}

impl Headers<'_> {
    /// The conditions of a read.
    pub(super) fn read_conditions(&self) -> Result<Conditions, Refusal> {
        Ok(Conditions {
            style: ETagStyle::S3,
            if_match: self.matching(&IF_MATCH, "if-match")?,
            if_none_match: self.matching(&IF_NONE_MATCH, "if-none-match")?,
            if_modified_since: self.date(&IF_MODIFIED_SINCE),
            if_unmodified_since: self.date(&IF_UNMODIFIED_SINCE),
            if_modified_at: None,
            if_bytes: None,
        })
    }

    /// The conditions of a write. A date can't be one for S3: it is refused rather than ignored.
    pub(super) fn write_conditions(&self) -> Result<Conditions, Refusal> {
        for name in [IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
            if self.all.contains_key(&name) {
                return Err(Refusal::NotOffered(format!("{name} on a write")));
            }
        }
        self.read_conditions()
    }

    /// The conditions of a removal, which may also name the date and the size.
    pub(super) fn take_delete_conditions(&mut self) -> Result<Conditions, Refusal> {
        const DATE: &str = "x-amz-if-match-last-modified-time";
        let if_modified_at = match self.take(DATE)? {
            None => None,
            Some(text) => Some(parse_date(text).ok_or(Refusal::argument(DATE, "it is not a date"))?),
        };
        let if_bytes = self.take_number("x-amz-if-match-size")?;
        Ok(Conditions { if_modified_at, if_bytes, ..self.write_conditions()? })
    }

    /// The conditions on the source of a copy.
    pub(super) fn take_source_conditions(&mut self) -> Result<Conditions, Refusal> {
        Ok(Conditions {
            style: ETagStyle::S3,
            if_match: self.take_match("x-amz-copy-source-if-match")?,
            if_none_match: self.take_match("x-amz-copy-source-if-none-match")?,
            if_modified_since: self.take("x-amz-copy-source-if-modified-since")?.and_then(parse_date),
            if_unmodified_since: self.take("x-amz-copy-source-if-unmodified-since")?.and_then(parse_date),
            if_modified_at: None,
            if_bytes: None,
        })
    }

    fn take_match(&mut self, name: &'static str) -> Result<Match, Refusal> {
        self.take(name)?.map_or(Ok(Match::Unset), |text| tags(name, text))
    }

    /// Refuses every condition, on operations that can't heed one.
    pub(super) fn refuse_conditions(&self) -> Result<(), Refusal> {
        for name in [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
            if self.all.contains_key(&name) {
                return Err(Refusal::NotOffered(format!("{name} on this operation")));
            }
        }
        Ok(())
    }

    fn matching(&self, name: &HeaderName, label: &'static str) -> Result<Match, Refusal> {
        self.text(name, label)?.map_or(Ok(Match::Unset), |text| tags(label, &text))
    }

    fn date(&self, name: &HeaderName) -> Option<Timestamp> {
        parse_date(self.all.get(name)?.to_str().ok()?)
    }

    /// The range of a read. What isn't one range of bytes is no range: all of the object is the answer.
    pub(super) fn range(&self) -> Option<ByteRange> {
        parse_range(self.all.get(RANGE)?.to_str().ok()?)
    }

    pub(super) fn if_range(&self) -> IfRange {
        self.all
            .get(IF_RANGE)
            .map_or(IfRange::Any, |value| parse_if_range(value.to_str().unwrap_or_default()))
    }
}

fn tags(label: &'static str, text: &str) -> Result<Match, Refusal> {
    parse_match(text).ok_or(Refusal::argument(label, "it is not a list of ETags"))
}

/// A date that isn't one is no condition (RFC 9110, section 13.1.3).
/// Clients in Python write dates as mail has them, with `-0000` for `GMT`.
pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    let seconds = match httpdate::parse_http_date(text) {
        Ok(date) => date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs(),
        Err(_) => u64::try_from(rfc2822::parse(text).ok()?.timestamp().as_second()).ok()?,
    };
    Some(Timestamp::from_micros(seconds.checked_mul(1_000_000)?))
}

/// Reads `*`, or ETags with or without quotes and weakness marks.
pub(super) fn parse_match(text: &str) -> Option<Match> {
    let text = text.trim();
    if text == "*" {
        return Some(Match::Any);
    }
    let tag = |tag: &str| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        let inner = match tag.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?,
            None => tag,
        };
        (!inner.contains('"')).then(|| inner.to_owned())
    };
    text.split(',').map(tag).collect::<Option<Vec<_>>>().map(Match::OneOf)
}

/// Reads a quoted ETag or a date.
fn parse_if_range(text: &str) -> IfRange {
    let text = text.trim();
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(etag) => IfRange::ETag(etag.to_owned()),
        None => parse_date(text).map_or(IfRange::None, IfRange::Modified),
    }
}

/// Reads `bytes=first-last`, `bytes=first-` and `bytes=-count`.
pub(super) fn parse_range(text: &str) -> Option<ByteRange> {
    let (unit, range) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    match (first, last) {
        ("", count) => Some(ByteRange::Last(number(count)?)),
        (first, "") => Some(ByteRange::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(ByteRange::Between { first, last })
        }
    }
}

/// Digits; a number beyond all sizes is as good as the largest.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let check = |text, expected| assert_eq!(parse_range(text), expected, "{text}");
        check("bytes=0-9", Some(ByteRange::Between { first: 0, last: 9 }));
        check("bytes=5-", Some(ByteRange::From(5)));
        check("Bytes = -5", Some(ByteRange::Last(5)));
        check("bytes=99999999999999999999-", Some(ByteRange::From(u64::MAX)));
        for text in
            ["bytes=9-0", "bytes=-", "bytes=", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2"]
        {
            check(text, None);
        }
    }

    #[test]
    fn etags() {
        let check = |text, expected: &[&str]| {
            let expected = expected.iter().map(|tag| (*tag).to_owned()).collect();
            assert_eq!(parse_match(text), Some(Match::OneOf(expected)), "{text}");
        };
        assert_eq!(parse_match(" * "), Some(Match::Any));
        check("\"a\"", &["a"]);
        check("a", &["a"]);
        check("\"a\", W/\"b\",c", &["a", "b", "c"]);
        assert_eq!(parse_match("\"a"), None);
    }

    #[test]
    fn dates_are_read_as_http_and_as_mail_have_them() {
        let expected = Some(Timestamp::from_micros(784_111_777_000_000));
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 -0000",
            "Sun, 06 Nov 1994 09:49:37 +0100",
        ] {
            assert_eq!(parse_date(text), expected, "{text}");
        }
        for text in ["", "nonsense", "1994-11-06", "Sun, 06 Nov 1954 08:49:37 GMT"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
