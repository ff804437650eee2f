//! In which format a listing is written.

use http::HeaderMap;
use http::header::ACCEPT;

use super::headers;
use super::query::Query;
use super::refusal::Refusal;

/// A format of listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Plain,
    Json,
    /// `application/xml`
    Xml,
    /// The same, called `text/xml`.
    TextXml,
}

/// A format, and whether another request for the same URL may get another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    pub format: Format,
    pub source: Source,
}

/// What decided on the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The `format` parameter.
    Parameter,
    /// The `Accept` header, or that there is none: the answer says `Vary: Accept`.
    Accept,
}

impl Negotiated {
    /// What comes as JSON whatever is asked for.
    pub(super) const fn json() -> Self {
        Self { format: Format::Json, source: Source::Parameter }
    }
}

impl Format {
    /// In the order of preference.
    const ALL: [Self; 4] = [Self::Plain, Self::Json, Self::Xml, Self::TextXml];

    /// The value of `Content-Type`. Clients insist on the character set.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
            Self::TextXml => "text/xml; charset=utf-8",
        }
    }

    const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Plain => ("text", "plain"),
            Self::Json => ("application", "json"),
            Self::Xml => ("application", "xml"),
            Self::TextXml => ("text", "xml"),
        }
    }
}

/// `format=` decides where it is given, and `Accept` otherwise. An unknown `format` is plain text, as in Swift.
pub(super) fn negotiate(query: &Query<'_>, headers: &HeaderMap) -> Result<Negotiated, Refusal> {
    let source = if query.contains("format") { Source::Parameter } else { Source::Accept };
    let format = match query.text("format")?.map(str::to_ascii_lowercase).as_deref() {
        Some("json") => Format::Json,
        Some("xml") => Format::Xml,
        None | Some("") => accepted(headers)?,
        Some(_) => Format::Plain,
    };
    Ok(Negotiated { format, source })
}

/// The format that `Accept` asks for; plain text where it isn't there.
pub(super) fn accepted(request: &HeaderMap) -> Result<Format, Refusal> {
    let Some(value) = headers::text(request, ACCEPT.as_str())?.filter(|value| !value.is_empty()) else {
        return Ok(Format::Plain);
    };
    let ranges: Option<Vec<_>> = value.split(',').map(MediaRange::parse).collect();
    let mut ranges = ranges.ok_or_else(|| Refusal::Malformed("Invalid Accept header".into()))?;
    // The sort is stable: of two that are wanted alike the first given comes first.
    ranges.sort_by_key(|range| std::cmp::Reverse((range.quality_thousandths, range.is_exact())));
    ranges
        .iter()
        .filter(|range| range.quality_thousandths > 0)
        .find_map(|range| Format::ALL.into_iter().find(|format| range.covers(*format)))
        .ok_or(Refusal::NotAcceptable)
}

/// One element of `Accept` (RFC 9110, section 12.5.1).
struct MediaRange<'head> {
    kind: &'head str,
    subkind: &'head str,
    quality_thousandths: u16,
}

impl<'head> MediaRange<'head> {
    fn parse(element: &'head str) -> Option<Self> {
        let mut parts = element.split(';').map(str::trim);
        let (kind, subkind) = parts.next()?.split_once('/')?;
        if !is_token(kind) || !is_token(subkind) {
            return None;
        }
        let mut quality_thousandths = 1000;
        for parameter in parts.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            if name.trim().eq_ignore_ascii_case("q") {
                quality_thousandths = quality(value.trim())?;
            }
        }
        Some(Self { kind, subkind, quality_thousandths })
    }

    fn is_exact(&self) -> bool {
        self.kind != "*" && self.subkind != "*"
    }

    fn covers(&self, format: Format) -> bool {
        let (kind, subkind) = format.parts();
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subkind == "*" || self.subkind.eq_ignore_ascii_case(subkind))
    }
}

/// A weight from 0 to 1 with at most three decimals, in thousandths.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1")
        || decimals.len() > 3
        || !decimals.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let thousandths: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (thousandths <= 1000).then_some(thousandths)
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\"/[]?={}\\".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(query: &str, accept: Option<&'static str>, expected: Result<Format, u16>) {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        let found = negotiate(&Query::parse(Some(query)), &headers);
        assert_eq!(
            found.map(|found| found.format).map_err(|refusal| refusal.status()),
            expected,
            "{query} {accept:?}"
        );
    }

    #[test]
    fn the_parameter_decides() {
        check("format=json", Some("text/plain"), Ok(Format::Json));
        check("format=XML", None, Ok(Format::Xml));
        check("format=plain", Some("application/json"), Ok(Format::Plain));
        check("format=yaml", Some("application/json"), Ok(Format::Plain));
        check("format=%ff", None, Err(400));
    }

    #[test]
    fn otherwise_the_header_decides() {
        check("", None, Ok(Format::Plain));
        check("", Some(""), Ok(Format::Plain));
        check("format=", Some("application/json"), Ok(Format::Json));
        check("", Some("*/*"), Ok(Format::Plain));
        check("", Some("application/*"), Ok(Format::Json));
        check("", Some("text/xml"), Ok(Format::TextXml));
        check("", Some("text/*, application/json"), Ok(Format::Json));
        check("", Some("application/xml;q=0.5, application/json;q=0.9"), Ok(Format::Json));
        check("", Some("image/png, */*; q=0.1"), Ok(Format::Plain));
        check("", Some("application/json; charset=utf-8; q=1.0"), Ok(Format::Json));
    }

    #[test]
    fn what_cannot_be_had_is_406() {
        check("", Some("image/png"), Err(406));
        check("", Some("application/json;q=0"), Err(406));
    }

    #[test]
    fn what_is_no_accept_header_is_400() {
        for accept in ["json", "a/b/c", "/", "text/plain;q=x", "text/plain;q=2", "text/plain;q", ","] {
            check("", Some(accept), Err(400));
        }
    }

    #[test]
    fn only_what_the_header_decided_may_vary() {
        let source = |query| negotiate(&Query::parse(Some(query)), &HeaderMap::new()).unwrap().source;
        assert_eq!(source("format=json"), Source::Parameter);
        assert_eq!(source(""), Source::Accept);
    }
}
