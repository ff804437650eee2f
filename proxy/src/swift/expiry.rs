//! `X-Delete-At` and `X-Delete-After`: when an object ends by itself.

use http::HeaderMap;
use martlet_model::Timestamp;

use super::headers;
use super::refusal::Refusal;

/// The latest moment that Swift's clocks show, in seconds since the epoch.
const SECONDS_MAX: i64 = 9_999_999_999;

/// When a request wants the object to end. What it means depends on when the request is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// The request doesn't say.
    #[default]
    Unsaid,
    /// `X-Remove-Delete-At`: not at all, whatever was said before.
    Never,
    /// `X-Delete-At`, in seconds since the epoch.
    At(i64),
    /// `X-Delete-After`, in seconds.
    After(i64),
}

impl Expiry {
    /// `X-Delete-After` counts where both are given, as in Swift.
    pub(super) fn parse(request: &HeaderMap) -> Result<Self, Refusal> {
        let number = |name: &str, complaint: &'static str| match headers::text(request, name)? {
            None => Ok(None),
            Some(text) => whole_number(text).map(Some).ok_or(Refusal::Malformed(complaint.into())),
        };
        let at = number("x-delete-at", "Non-integer X-Delete-At")?;
        let after = number("x-delete-after", "Non-integer X-Delete-After")?;
        Ok(match (after, at) {
            (Some(seconds), _) => Self::After(seconds),
            (None, Some(seconds)) => Self::At(seconds),
            (None, None) if request.contains_key("x-remove-delete-at") => Self::Never,
            (None, None) => Self::Unsaid,
        })
    }

    /// The moment that is meant when the request is carried out `now`; `None`: the object stays.
    pub(super) fn resolve(self, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        let now = i64::try_from(now.as_seconds()).unwrap_or(SECONDS_MAX);
        let (seconds, complaint) = match self {
            Self::Unsaid | Self::Never => return Ok(None),
            Self::At(seconds) => (seconds, "X-Delete-At in past"),
            Self::After(seconds) => (now.saturating_add(seconds), "X-Delete-After in past"),
        };
        match u64::try_from(seconds.min(SECONDS_MAX)) {
            Ok(end) if seconds > now => Ok(Some(Timestamp::from_micros(end * 1_000_000))),
            _ => Err(Refusal::Malformed(complaint.into())),
        }
    }
}

/// Digits with or without a sign; a number that is too large for any clock stays one.
fn whole_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(limit))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_500_000);

    #[track_caller]
    fn check(items: &[(&'static str, &'static str)], expected: Result<Option<u64>, &str>) {
        let request = items
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let found = Expiry::parse(&request).and_then(|expiry| expiry.resolve(NOW));
        let found = found.map(|end| end.map(Timestamp::as_seconds)).map_err(|refusal| match refusal {
            Refusal::Malformed(text) => text,
            other => panic!("{other:?}"),
        });
        assert_eq!(
            found.as_ref().map_err(|text| &**text),
            expected.as_ref().map_err(|text| *text),
            "{items:?}"
        );
    }

    #[test]
    fn an_end_lies_in_the_future() {
        check(&[], Ok(None));
        check(&[("x-remove-delete-at", "x")], Ok(None));
        check(&[("x-delete-at", "1001")], Ok(Some(1001)));
        check(&[("x-delete-at", " 1001 ")], Ok(Some(1001)));
        check(&[("x-delete-after", "1")], Ok(Some(1001)));
        check(&[("x-delete-after", "60"), ("x-delete-at", "1001")], Ok(Some(1060)));
        check(&[("x-delete-at", "99999999999999")], Ok(Some(9_999_999_999)));
        check(&[("x-delete-at", "11111111111111111111111111111111")], Ok(Some(9_999_999_999)));
        check(&[("x-delete-after", "-11111111111111111111111111111111")], Err("X-Delete-After in past"));
        check(&[("x-delete-at", "1000")], Err("X-Delete-At in past"));
        check(&[("x-delete-at", "-5")], Err("X-Delete-At in past"));
        check(&[("x-delete-after", "0")], Err("X-Delete-After in past"));
        check(&[("x-delete-after", "-9223372036854775808")], Err("X-Delete-After in past"));
    }

    #[test]
    fn an_end_is_a_whole_number() {
        for bad in ["", "soon", "1.5", "+", "1e9"] {
            check(&[("x-delete-at", bad)], Err("Non-integer X-Delete-At"));
            check(&[("x-delete-after", bad)], Err("Non-integer X-Delete-After"));
        }
    }
}
