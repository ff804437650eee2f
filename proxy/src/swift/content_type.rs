//! The content type of an object whose writer didn't say, or asked to have it found out.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use martlet_model::ObjectKey;

use super::headers;
use super::listing::CONTENT_TYPE_UNKNOWN;
use super::refusal::Refusal;

/// Endings of names for which Swift says something else than `mime_guess`.
const AS_IN_SWIFT: &[(&str, &str)] = &[(".wav", "audio/x-wav")];

/// The content type of a new object: what the header says, or what the ending of the name suggests where it says
/// nothing or where `X-Detect-Content-Type` asks for that.
pub(super) fn of_new(request: &HeaderMap, key: &ObjectKey) -> Result<String, Refusal> {
    Ok(said(request, key)?.unwrap_or_else(|| guessed(key)))
}

/// The content type that the head says, or the one of the name where it asks for that.
pub(super) fn said(request: &HeaderMap, key: &ObjectKey) -> Result<Option<String>, Refusal> {
    if headers::is_true(request, "x-detect-content-type")? { Ok(Some(guessed(key))) } else { given(request) }
}

/// The content type that the header says.
pub(super) fn given(request: &HeaderMap) -> Result<Option<String>, Refusal> {
    let content_type = headers::stored_text(request, CONTENT_TYPE.as_str())?;
    if content_type.as_deref().is_some_and(has_reserved_parameter) {
        let text = "Invalid Content-Type, swift_* is not a valid parameter name.";
        return Err(Refusal::Malformed(text.into()));
    }
    Ok(content_type)
}

/// Swift keeps parameters of this kind for itself, and so clients never find one.
fn has_reserved_parameter(content_type: &str) -> bool {
    content_type.split(';').skip(1).any(|parameter| parameter.trim_start().starts_with("swift_"))
}

fn guessed(key: &ObjectKey) -> String {
    let in_swift = AS_IN_SWIFT.iter().find(|(ending, _)| key.as_str().ends_with(ending));
    if let Some((_, content_type)) = in_swift {
        return (*content_type).to_owned();
    }
    mime_guess::from_path(key.as_str()).first_raw().unwrap_or(CONTENT_TYPE_UNKNOWN).to_owned()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[track_caller]
    fn check(key: &'static str, items: &[(&'static str, &'static str)], expected: Result<&str, u16>) {
        let headers = items
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let found = of_new(&headers, &ObjectKey::parse(key).unwrap());
        assert_eq!(found.as_deref().map_err(Refusal::status), expected, "{key}");
    }

    #[test]
    fn the_header_decides_where_there_is_one() {
        check("a.jpg", &[("content-type", "text/x; a=b")], Ok("text/x; a=b"));
    }

    #[test]
    fn otherwise_the_name_does() {
        check("a.jpg", &[], Ok("image/jpeg"));
        check("dir.d/a.HTML", &[("content-type", "")], Ok("text/html"));
        check("a.jpg", &[("content-type", "text/x"), ("x-detect-content-type", "True")], Ok("image/jpeg"));
        check("a.jpg", &[("content-type", "text/x"), ("x-detect-content-type", "no")], Ok("text/x"));
        check("a.wav", &[], Ok("audio/x-wav"));
        check("dir.jpg/a", &[], Ok("application/octet-stream"));
        check("..", &[], Ok("application/octet-stream"));
        check("/", &[], Ok("application/octet-stream"));
    }

    #[test]
    fn a_reserved_parameter_is_refused() {
        check("a", &[("content-type", "text/x; swift_bytes=1")], Err(400));
    }
}
