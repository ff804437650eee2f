//! The request target, decoded once.
//!
//! The same decoded bytes serve the signature, the authorization and the store.

use std::borrow::Cow;

use http::Uri;

/// The path and the query of a request, percent-decoded. Nothing is normalised: `..` and `//` are bytes like others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Begins with `/`.
    pub path: Cow<'a, [u8]>,
    /// In the order of the query.
    pub query: Vec<Parameter<'a>>,
}

/// A parameter of a query; without `=` the value is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parameter<'a> {
    pub name: Cow<'a, [u8]>,
    pub value: Cow<'a, [u8]>,
}

/// Why a request target can't be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("a percent sign isn't followed by two hexadecimal digits")]
    BadPercentEncoding,
}

impl<'a> Target<'a> {
    /// In a query `+` means a space, as in the forms of HTML; in a path it means itself.
    pub fn parse(uri: &'a Uri) -> Result<Self, TargetError> {
        let path = match uri.path() {
            "" => Cow::Borrowed(&b"/"[..]),
            path => decode_path(path.as_bytes())?,
        };
        let mut query = Vec::new();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            query.push(Parameter {
                name: decode(name.as_bytes(), Plus::Space)?,
                value: decode(value.as_bytes(), Plus::Space)?,
            });
        }
        Ok(Self { path, query })
    }
}

/// Decodes a path that stands somewhere else than in the target, by the same rules.
pub fn decode_path(raw: &[u8]) -> Result<Cow<'_, [u8]>, TargetError> {
    decode(raw, Plus::Itself)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Itself,
    Space,
}

fn decode(raw: &[u8], plus: Plus) -> Result<Cow<'_, [u8]>, TargetError> {
    let special = |byte: &u8| *byte == b'%' || (*byte == b'+' && plus == Plus::Space);
    if !raw.iter().any(special) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2).ok_or(TargetError::BadPercentEncoding)?;
                decoded.push(hex_digit(digits[0])? << 4 | hex_digit(digits[1])?);
                rest = after;
            }
            b'+' if plus == Plus::Space => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    Ok(Cow::Owned(decoded))
}

fn hex_digit(byte: u8) -> Result<u8, TargetError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(TargetError::BadPercentEncoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, path: &[u8], query: &[(&[u8], &[u8])]) {
        let uri: Uri = uri.parse().unwrap();
        let target = Target::parse(&uri).unwrap();
        assert_eq!(&*target.path, path);
        let pairs: Vec<(&[u8], &[u8])> =
            target.query.iter().map(|pair| (&*pair.name, &*pair.value)).collect();
        assert_eq!(pairs, query);
    }

    #[test]
    fn paths_are_decoded_once_and_never_normalised() {
        check("/", b"/", &[]);
        check("/b/../k//x/./", b"/b/../k//x/./", &[]);
        check("/b/a%2Fb%20c+d", b"/b/a/b c+d", &[]);
        check("/b/%2541", b"/b/%41", &[]);
        check("/b/%ff%00", b"/b/\xff\0", &[]);
    }

    #[test]
    fn queries_are_decoded_pair_by_pair() {
        check("/b?uploads", b"/b", &[(b"uploads", b"")]);
        check("/b?a=1&a=2&&b=", b"/b", &[(b"a", b"1"), (b"a", b"2"), (b"b", b"")]);
        check("/b?prefix=a+b%2Bc%3Dd=e", b"/b", &[(b"prefix", b"a b+c=d=e")]);
    }

    #[test]
    fn a_broken_percent_sign_is_refused() {
        for uri in ["/a%", "/a%2", "/a%zz", "/a?b=%g0", "/a?%+1=x"] {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(Target::parse(&uri), Err(TargetError::BadPercentEncoding), "{uri}");
        }
    }
}
