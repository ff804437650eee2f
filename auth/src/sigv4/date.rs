//! The dates of signed requests.

use std::borrow::Cow;
use std::time::SystemTime;

use http::HeaderMap;
use http::header::DATE;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use martlet_model::Timestamp;

use super::{AMZ_DATE, SigV4Error};

/// When a request was signed.
#[derive(Debug)]
pub(super) struct RequestDate<'a> {
    /// `YYYYMMDDTHHMMSSZ`
    text: Cow<'a, str>,
    seconds: u64,
}

impl<'a> RequestDate<'a> {
    /// `x-amz-date` counts before `Date`.
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, SigV4Error> {
        let mut values = headers.get_all(AMZ_DATE).iter();
        if let Some(value) = values.next() {
            if values.next().is_some() {
                return Err(SigV4Error::NoDate);
            }
            let text = value.to_str().map_err(|_| SigV4Error::NoDate)?;
            return Self::basic(text).ok_or(SigV4Error::NoDate);
        }
        let seconds = headers
            .get(DATE)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| httpdate::parse_http_date(text).ok())
            .and_then(|date| date.duration_since(SystemTime::UNIX_EPOCH).ok())
            .ok_or(SigV4Error::NoDate)?
            .as_secs();
        let text = basic_from_seconds(seconds).ok_or(SigV4Error::NoDate)?;
        Ok(Self { text: Cow::Owned(text), seconds })
    }

    /// Reads `YYYYMMDDTHHMMSSZ`.
    pub(super) fn basic(text: &'a str) -> Option<Self> {
        Some(Self { text: Cow::Borrowed(text), seconds: seconds_from_basic(text.as_bytes())? })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn seconds(&self) -> u64 {
        self.seconds
    }

    /// `YYYYMMDD`
    pub(super) fn day(&self) -> &[u8] {
        &self.text.as_bytes()[..8]
    }
}

/// Writes `YYYYMMDDTHHMMSSZ`.
pub(super) fn basic(at: Timestamp) -> Option<String> {
    basic_from_seconds(at.as_seconds())
}

fn basic_from_seconds(seconds: u64) -> Option<String> {
    let at = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(at.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// Reads `YYYYMMDDTHHMMSSZ` into seconds since the epoch.
fn seconds_from_basic(text: &[u8]) -> Option<u64> {
    if text.len() != 16 || text[8] != b'T' || text[15] != b'Z' {
        return None;
    }
    let year = i16::try_from(number(&text[0..4])?).ok()?;
    let two = |at: usize| number(&text[at..at + 2]).and_then(|number| i8::try_from(number).ok());
    let civil = DateTime::new(year, two(4)?, two(6)?, two(9)?, two(11)?, two(13)?, 0).ok()?;
    let seconds = TimeZone::UTC.to_timestamp(civil).ok()?.as_second();
    u64::try_from(seconds).ok()
}

fn number(digits: &[u8]) -> Option<u16> {
    digits
        .iter()
        .try_fold(0u16, |number, &byte| byte.is_ascii_digit().then(|| number * 10 + u16::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip() {
        assert_eq!(seconds_from_basic(b"20130524T000000Z"), Some(1_369_353_600));
        assert_eq!(seconds_from_basic(b"20240229T235959Z"), Some(1_709_251_199));
        assert_eq!(basic_from_seconds(1_709_251_199).as_deref(), Some("20240229T235959Z"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["", "20130524", "20130524T000000", "2013-05-24T00:00Z", "20130230T000000Z"] {
            assert_eq!(seconds_from_basic(text.as_bytes()), None, "{text}");
        }
        for text in ["20130524T250000Z", "19690101T000000Z", "2013052+T000000Z"] {
            assert_eq!(seconds_from_basic(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_date_header_serves_where_x_amz_date_is_missing() {
        let headers = HeaderMap::from_iter([(DATE, "Fri, 24 May 2013 00:00:00 GMT".parse().unwrap())]);
        let date = RequestDate::read(&headers).unwrap();
        assert_eq!((date.text(), date.seconds()), ("20130524T000000Z", 1_369_353_600));
    }
}
