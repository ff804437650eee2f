//! What a request's headers say, each read once and typed.

use http::HeaderMap;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use martlet_model::limits::{USER_METADATA_BYTES_MAX, USER_METADATA_COUNT_MAX};
use martlet_model::{Conditions, ETagStyle, Match, UserMetadata};

use super::date;
use super::refusal::Refusal;

/// The longest name of a metadata item, without its prefix (Swift: `max_meta_name_length`).
pub(super) const METADATA_NAME_BYTES_MAX: usize = 128;
/// The longest value of a metadata item (Swift: `max_meta_value_length`).
pub(super) const METADATA_VALUE_BYTES_MAX: usize = 256;
/// The longest value of any other header that is stored (Swift: `max_header_size`).
pub(super) const HEADER_VALUE_BYTES_MAX: usize = 8192;

/// Whose metadata is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Account,
    Container,
    Object,
}

impl Owner {
    /// The prefix of the headers that carry the metadata.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Account => "x-account-meta-",
            Self::Container => "x-container-meta-",
            Self::Object => "x-object-meta-",
        }
    }

    /// The prefix of the headers that remove an item; an object's POST replaces everything, so it has none.
    const fn removal_prefix(self) -> Option<&'static str> {
        match self {
            Self::Account => Some("x-remove-account-meta-"),
            Self::Container => Some("x-remove-container-meta-"),
            Self::Object => None,
        }
    }
}

/// The value of a header that may be there once: text, without the spaces around it.
pub(super) fn text<'head>(headers: &'head HeaderMap, name: &str) -> Result<Option<&'head str>, Refusal> {
    let Some(value) = bytes(headers, name)? else { return Ok(None) };
    let value = std::str::from_utf8(value)
        .map_err(|_| Refusal::Malformed(format!("{name} must be valid UTF-8").into()))?;
    Ok(Some(value.trim()))
}

/// The same, whatever the value is.
fn bytes<'head>(headers: &'head HeaderMap, name: &str) -> Result<Option<&'head [u8]>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Malformed(format!("{name} was given more than once").into()));
    }
    Ok(Some(value.as_bytes().trim_ascii()))
}

/// The value of the first of two headers that mean the same.
pub(super) fn either<'head>(
    headers: &'head HeaderMap,
    name: &str,
    other: &str,
) -> Result<Option<&'head str>, Refusal> {
    match text(headers, name)? {
        None => text(headers, other),
        value => Ok(value),
    }
}

/// Like [`text`], for a header that is stored: bounded, and `None` where it is empty.
pub(super) fn stored_text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let value = text(headers, name)?.filter(|value| !value.is_empty());
    match value {
        Some(value) if value.len() > HEADER_VALUE_BYTES_MAX => {
            Err(Refusal::Malformed(format!("Header value too long: {name}").into()))
        }
        value => Ok(value.map(str::to_owned)),
    }
}

/// Whether a header says yes, in one of the words that Swift takes for it.
pub(super) fn is_true(headers: &HeaderMap, name: &str) -> Result<bool, Refusal> {
    Ok(text(headers, name)?.is_some_and(is_yes))
}

/// Whether a value is one of the words that Swift takes for yes.
pub(super) fn is_yes(value: &str) -> bool {
    const YES: [&str; 6] = ["true", "1", "yes", "on", "t", "y"];
    YES.iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// The metadata that a request sets. An item that it removes has an empty value; one that it both sets and removes is set.
pub(super) fn metadata(headers: &HeaderMap, owner: Owner) -> Result<UserMetadata, Refusal> {
    let mut items = Vec::new();
    if let Some(prefix) = owner.removal_prefix() {
        let removed = headers.keys().filter_map(|name| name.as_str().strip_prefix(prefix));
        items.extend(removed.map(|name| (name.to_owned(), Vec::new())));
    }
    let mut set = Budget::default();
    for name in headers.keys() {
        let Some(item) = name.as_str().strip_prefix(owner.prefix()) else { continue };
        let value = bytes(headers, name.as_str())?.unwrap_or_default();
        set.spend(name.as_str(), item, value)?;
        items.push((item.to_owned(), value.to_owned()));
    }
    if items.iter().any(|(name, _)| name.is_empty()) {
        return Err(Refusal::Malformed("Metadata name cannot be empty".into()));
    }
    UserMetadata::collect(items).map_err(|error| Refusal::Malformed(error.to_string().into()))
}

/// What a request has used up of Swift's limits on metadata.
#[derive(Default)]
struct Budget {
    count: usize,
    bytes: usize,
}

impl Budget {
    fn spend(&mut self, header: &str, item: &str, value: &[u8]) -> Result<(), Refusal> {
        self.count += 1;
        self.bytes += item.len() + value.len();
        let complaint = if item.len() > METADATA_NAME_BYTES_MAX {
            format!("Metadata name too long: {header}")
        } else if value.len() > METADATA_VALUE_BYTES_MAX {
            format!("Metadata value longer than {METADATA_VALUE_BYTES_MAX}: {header}")
        } else if self.count > USER_METADATA_COUNT_MAX {
            format!("Too many metadata items; max {USER_METADATA_COUNT_MAX}")
        } else if self.bytes > USER_METADATA_BYTES_MAX {
            format!("Total metadata too large; max {USER_METADATA_BYTES_MAX}")
        } else {
            return Ok(());
        };
        Err(Refusal::Malformed(complaint.into()))
    }
}

/// `If-Match` and `If-None-Match`. The dates are in [`Dates`].
pub(super) fn conditions(headers: &HeaderMap) -> Result<Conditions, Refusal> {
    Ok(Conditions {
        if_match: etags(headers, IF_MATCH.as_str())?,
        if_none_match: etags(headers, IF_NONE_MATCH.as_str())?,
        ..Conditions::none(ETagStyle::Swift)
    })
}

fn etags(headers: &HeaderMap, name: &str) -> Result<Match, Refusal> {
    let Some(value) = text(headers, name)? else { return Ok(Match::Unset) };
    let tags: Vec<_> = value.split(',').map(bare_etag).filter(|tag| !tag.is_empty()).collect();
    Ok(if tags.is_empty() {
        Match::Unset
    } else if tags.contains(&"*") {
        Match::Any
    } else {
        Match::OneOf(tags.into_iter().map(str::to_ascii_lowercase).collect())
    })
}

/// An ETag without the mark of weakness and the quotes: Swift takes it with and without them.
pub(super) fn bare_etag(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag)
}

/// Conditions on the date of an object that is read, in whole seconds as `Last-Modified` shows them.
///
/// They are checked here rather than by the store, since what Swift shows is rounded up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    /// `If-Modified-Since`, in seconds since the epoch; unset where `If-None-Match` is given.
    pub modified_since: Option<u64>,
    /// `If-Unmodified-Since`, in seconds since the epoch. As in Swift it must hold besides `If-Match`,
    /// where RFC 9110 would have it ignored.
    pub unmodified_since: Option<u64>,
}

impl Dates {
    /// What isn't a date is no condition (RFC 9110, section 13.1.3).
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, Refusal> {
        let date = |name: &str| text(headers, name).map(|value| value.and_then(date::parse));
        let modified_since = date(IF_MODIFIED_SINCE.as_str())?;
        Ok(Self {
            modified_since: modified_since.filter(|_| !headers.contains_key(IF_NONE_MATCH)),
            unmodified_since: date(IF_UNMODIFIED_SINCE.as_str())?,
        })
    }
}

/// `If-Range`: whether the object is still the one that the reader has a piece of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfRange {
    Unset,
    ETag(String),
    /// A date can't tell two states within one second apart, so the whole object is sent.
    Date,
}

pub(super) fn if_range(headers: &HeaderMap) -> Result<IfRange, Refusal> {
    Ok(match text(headers, IF_RANGE.as_str())? {
        None => IfRange::Unset,
        Some(value) if date::parse(value).is_some() => IfRange::Date,
        Some(value) => IfRange::ETag(bare_etag(value).to_ascii_lowercase()),
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(items: &[(&str, &str)]) -> HeaderMap {
        items
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
            })
            .collect()
    }

    #[track_caller]
    fn check_if_match(value: &str, expected: &Match) {
        assert_eq!(conditions(&headers(&[("If-Match", value)])).unwrap().if_match, *expected, "{value}");
    }

    #[test]
    fn etags_come_with_and_without_quotes() {
        check_if_match("abc", &Match::OneOf(vec!["abc".into()]));
        check_if_match("\"abc\"", &Match::OneOf(vec!["abc".into()]));
        check_if_match("W/\"ABC\", def", &Match::OneOf(vec!["abc".into(), "def".into()]));
        check_if_match("*", &Match::Any);
        check_if_match("\"*\"", &Match::Any);
        check_if_match("", &Match::Unset);
        check_if_match(" , ", &Match::Unset);
    }

    #[test]
    fn what_was_seen_is_told_by_an_etag_rather_than_a_date() {
        const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let both = headers(&[("If-Modified-Since", DATE), ("If-Unmodified-Since", DATE)]);
        let expected = Dates { modified_since: Some(784_111_777), unmodified_since: Some(784_111_777) };
        assert_eq!(Dates::parse(&both).unwrap(), expected);
        let none_match = headers(&[("If-Modified-Since", DATE), ("If-None-Match", "a")]);
        assert_eq!(Dates::parse(&none_match).unwrap(), Dates::default());
        let matched = headers(&[("If-Unmodified-Since", DATE), ("If-Match", "a")]);
        assert_eq!(Dates::parse(&matched).unwrap().unmodified_since, Some(784_111_777));
        assert_eq!(Dates::parse(&headers(&[("If-Modified-Since", "soon")])).unwrap(), Dates::default());
    }

    #[test]
    fn metadata_is_collected_by_prefix() {
        let given =
            headers(&[("X-Object-Meta-Mtime", "1.5"), ("X-Object-Meta-Ü", ""), ("X-Other", "x")][..1]);
        let metadata = metadata(&given, Owner::Object).unwrap();
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("mtime", &b"1.5"[..])]);
    }

    #[test]
    fn removing_is_setting_to_nothing_and_setting_wins() {
        let given = headers(&[
            ("X-Remove-Container-Meta-A", "x"),
            ("X-Remove-Container-Meta-B", "x"),
            ("X-Container-Meta-B", "kept"),
            ("X-Container-Meta-C", ""),
        ]);
        let metadata = metadata(&given, Owner::Container).unwrap();
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("a", &b""[..]), ("b", b"kept"), ("c", b"")]);
    }

    #[test]
    fn an_object_has_nothing_to_remove() {
        let metadata = metadata(&headers(&[("X-Remove-Object-Meta-A", "x")]), Owner::Object).unwrap();
        assert!(metadata.is_empty());
    }

    #[track_caller]
    fn check_refused(items: &[(&str, &str)], words: &str) {
        let refusal = metadata(&headers(items), Owner::Object).unwrap_err();
        assert!(matches!(&refusal, Refusal::Malformed(text) if text.contains(words)), "{refusal:?}");
    }

    #[test]
    fn metadata_beyond_a_limit_is_refused() {
        check_refused(&[("X-Object-Meta-", "x")], "cannot be empty");
        check_refused(&[(&format!("X-Object-Meta-{}", "n".repeat(129)), "x")], "name too long");
        check_refused(&[("X-Object-Meta-A", &"v".repeat(257))], "longer than 256");
        check_refused(&[("X-Object-Meta-A", "1"), ("X-Object-Meta-A", "2")], "more than once");
        let many: Vec<_> = (0..91).map(|index| format!("X-Object-Meta-{index}")).collect();
        check_refused(&many.iter().map(|name| (name.as_str(), "")).collect::<Vec<_>>(), "Too many");
        let large: Vec<_> = many.iter().take(17).map(|name| (name.as_str(), "v")).collect();
        let value = "v".repeat(256);
        check_refused(&large.iter().map(|(name, _)| (*name, value.as_str())).collect::<Vec<_>>(), "Total");
    }

    #[test]
    fn metadata_at_its_limits_is_taken() {
        let name = format!("X-Object-Meta-{}", "n".repeat(128));
        let value = "v".repeat(256);
        assert!(metadata(&headers(&[(&name, &value)]), Owner::Object).is_ok());
        assert!(metadata(&headers(&[("X-Object-Meta-A", "grüße")]), Owner::Object).is_ok());
    }

    #[test]
    fn metadata_may_be_any_bytes_and_other_headers_are_text() {
        let mut given = HeaderMap::new();
        given.insert("x-object-meta-a", HeaderValue::from_bytes(b"\xff").unwrap());
        let metadata = metadata(&given, Owner::Object).unwrap();
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("a", &b"\xff"[..])]);
        assert_eq!(text(&given, "x-object-meta-a").unwrap_err().status(), 400);
    }

    #[test]
    fn if_range_is_an_etag_or_a_date() {
        let read = |value| if_range(&headers(&[("If-Range", value)])).unwrap();
        assert_eq!(read("\"ABC\""), IfRange::ETag("abc".into()));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), IfRange::Date);
        assert_eq!(if_range(&HeaderMap::new()).unwrap(), IfRange::Unset);
    }
}
