//! The query string, and the listing that it asks for.

use std::borrow::Cow;

use bytes::Bytes;
use martlet_model::ListQuery;
use martlet_model::limits::LISTING_ENTRIES_MAX;
use percent_encoding::percent_decode;

use super::headers;
use super::paging::Order;
use super::refusal::Refusal;

/// The parameters of a request, decoded; `+` is a space. Of two with the same name the last counts.
#[derive(Debug, Default)]
pub(super) struct Query<'head>(Vec<Parameter<'head>>);

/// A name and a value.
type Parameter<'head> = (Cow<'head, [u8]>, Cow<'head, [u8]>);

impl<'head> Query<'head> {
    /// Reads what stands after the question mark.
    pub(super) fn parse(raw: Option<&'head str>) -> Self {
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decoded(name), decoded(value)))
                .collect(),
        )
    }

    /// Whether a parameter is there, be it empty.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The names that were given, as far as they are text.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(name, _)| std::str::from_utf8(name).ok())
    }

    /// The value of a parameter, which must be UTF-8.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        self.get(name).map(|value| std::str::from_utf8(value).map_err(|_| not_utf8(name))).transpose()
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().rev().find(|(given, _)| **given == *name.as_bytes()).map(|(_, value)| &**value)
    }

    /// The page of a listing that is asked for.
    pub(super) fn listing(&self) -> Result<ListQuery, Refusal> {
        Ok(ListQuery {
            prefix: self.name("prefix")?.unwrap_or_default(),
            delimiter: self.name("delimiter")?,
            marker: self.name("marker")?,
            end_marker: self.name("end_marker")?,
            limit: self.limit()?,
        })
    }

    /// Whether a parameter says yes, in one of the words that Swift takes for it.
    pub(super) fn is_true(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.text(name)?.is_some_and(headers::is_yes))
    }

    /// In which order the page is asked for.
    pub(super) fn order(&self) -> Result<Order, Refusal> {
        Ok(if self.is_true("reverse")? { Order::Descending } else { Order::Ascending })
    }

    /// The directory that is asked for, with one slash at its end; empty for the top.
    pub(super) fn directory(&self) -> Result<Option<Bytes>, Refusal> {
        let Some(path) = self.text("path")? else { return Ok(None) };
        let directory = match path {
            "" => String::new(),
            path => format!("{}/", path.trim_end_matches('/')),
        };
        Ok(Some(directory.into()))
    }

    /// A name, or a part of one; an empty one is none.
    pub(super) fn name(&self, parameter: &str) -> Result<Option<Bytes>, Refusal> {
        let text = self.text(parameter)?.filter(|text| !text.is_empty());
        Ok(text.map(|text| Bytes::copy_from_slice(text.as_bytes())))
    }

    /// As in Swift: what isn't a row of digits is no limit, and one above the maximum is 412.
    fn limit(&self) -> Result<usize, Refusal> {
        let given = self.text("limit")?.filter(|text| !text.is_empty());
        let Some(digits) = given.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())) else {
            return Ok(LISTING_ENTRIES_MAX);
        };
        match digits.parse::<usize>() {
            Ok(limit) if limit <= LISTING_ENTRIES_MAX => Ok(limit),
            _ => Err(Refusal::Precondition(format!("Maximum limit is {LISTING_ENTRIES_MAX}").into())),
        }
    }
}

fn decoded(raw: &str) -> Cow<'_, [u8]> {
    if raw.contains('+') {
        let spaced = raw.replace('+', " ");
        Cow::Owned(percent_decode(spaced.as_bytes()).collect())
    } else {
        percent_decode(raw.as_bytes()).into()
    }
}

fn not_utf8(name: &str) -> Refusal {
    Refusal::Malformed(format!("\"{name}\" parameter not valid UTF-8").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, name: &str, expected: Option<&str>) {
        assert_eq!(Query::parse(Some(raw)).text(name).unwrap(), expected, "{raw}");
    }

    #[test]
    fn parameters() {
        check("a=1&b=2", "b", Some("2"));
        check("a=1&a=2", "a", Some("2"));
        check("a", "a", Some(""));
        check("a=", "a", Some(""));
        check("a=x+y%20z%2B", "a", Some("x y z+"));
        check("%61=1", "a", Some("1"));
        check("a=b=c", "a", Some("b=c"));
        check("&&a=1&", "a", Some("1"));
        check("b=%ff", "a", None);
    }

    #[track_caller]
    fn check_limit(raw: &str, expected: Result<usize, u16>) {
        let found = Query::parse(Some(raw)).listing().map(|listing| listing.limit);
        assert_eq!(found.map_err(|refusal| refusal.status()), expected, "{raw}");
    }

    #[test]
    fn limits() {
        check_limit("", Ok(10_000));
        check_limit("limit=", Ok(10_000));
        check_limit("limit=0", Ok(0));
        check_limit("limit=7", Ok(7));
        check_limit("limit=10000", Ok(10_000));
        check_limit("limit=10001", Err(412));
        check_limit("limit=99999999999999999999999999", Err(412));
        check_limit("limit=-1", Ok(10_000));
        check_limit("limit=many", Ok(10_000));
    }

    #[test]
    fn a_listing_takes_names_as_they_are() {
        let query = Query::parse(Some("prefix=a/../&delimiter=%2F%2F&marker=%C3%BC&end_marker=z+z"));
        assert_eq!(
            query.listing().unwrap(),
            ListQuery {
                prefix: "a/../".into(),
                delimiter: Some("//".into()),
                marker: Some("ü".into()),
                end_marker: Some("z z".into()),
                limit: 10_000,
            }
        );
        assert_eq!(
            Query::parse(Some("prefix=&delimiter=&marker=&end_marker=")).listing().unwrap(),
            ListQuery::all(10_000)
        );
    }

    #[test]
    fn a_marker_that_is_not_text_is_400() {
        assert_eq!(Query::parse(Some("marker=%ff")).listing().unwrap_err().status(), 400);
    }
}
