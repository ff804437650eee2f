//! What a request's head declares of its body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, ETAG, TRANSFER_ENCODING};
use martlet_model::Md5;
use martlet_model::limits::PUT_BYTES_MAX;

use super::headers;
use super::refusal::Refusal;

/// The length that the head declares; `None` where the body is chunked.
pub(super) fn bytes(request: &HeaderMap) -> Result<Option<u64>, Refusal> {
    if let Some(coding) = headers::text(request, TRANSFER_ENCODING.as_str())? {
        return if coding.eq_ignore_ascii_case("chunked") {
            Ok(None)
        } else {
            Err(Refusal::NotOffered(format!("Transfer-Encoding \"{coding}\"").into()))
        };
    }
    let digits = headers::text(request, CONTENT_LENGTH.as_str())?.ok_or(Refusal::LengthRequired)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse::<u64>() {
        Ok(bytes) if is_number && bytes <= PUT_BYTES_MAX => Ok(Some(bytes)),
        _ if is_number => Err(Refusal::TooLarge),
        _ => Err(Refusal::Malformed("Invalid Content-Length header value".into())),
    }
}

/// Whether it is known where the body ends, however long it may be.
pub(super) fn is_bounded(request: &HeaderMap) -> Result<(), Refusal> {
    match bytes(request) {
        Ok(_) | Err(Refusal::TooLarge) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// The MD5 that the bytes must have: Swift's `Etag`, or `Content-MD5`.
///
/// An `Etag` that no bytes have, or two that differ, can't come true.
pub(super) fn md5(request: &HeaderMap) -> Result<Option<Md5>, Refusal> {
    let of_etag = headers::text(request, ETAG.as_str())?
        .map(headers::bare_etag)
        .filter(|etag| !etag.is_empty())
        .map(|etag| Md5::from_hex(etag).ok_or(Refusal::ImpossibleETag))
        .transpose()?;
    let of_header = headers::text(request, "content-md5")?
        .filter(|text| !text.is_empty())
        .map(|text| md5_of_base64(text).ok_or(Refusal::Malformed("Invalid Content-MD5".into())))
        .transpose()?;
    match (of_etag, of_header) {
        (Some(one), Some(other)) if one != other => Err(Refusal::ImpossibleETag),
        (one, other) => Ok(one.or(other)),
    }
}

fn md5_of_base64(text: &str) -> Option<Md5> {
    STANDARD.decode(text).ok()?.try_into().ok().map(Md5)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn request(items: &[(&'static str, &'static str)]) -> HeaderMap {
        items
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[track_caller]
    fn check_bytes(items: &[(&'static str, &'static str)], expected: Result<Option<u64>, u16>) {
        assert_eq!(bytes(&request(items)).map_err(|refusal| refusal.status()), expected, "{items:?}");
    }

    #[test]
    fn a_body_has_a_length_or_is_chunked() {
        check_bytes(&[("content-length", "0")], Ok(Some(0)));
        check_bytes(&[("content-length", "5368709120")], Ok(Some(5_368_709_120)));
        check_bytes(&[("transfer-encoding", "Chunked")], Ok(None));
        check_bytes(&[], Err(411));
    }

    #[test]
    fn an_impossible_length_is_refused() {
        check_bytes(&[("content-length", "5368709121")], Err(413));
        check_bytes(&[("content-length", "99999999999999999999999")], Err(413));
        check_bytes(&[("content-length", "-1")], Err(400));
        check_bytes(&[("content-length", "+1")], Err(400));
        check_bytes(&[("content-length", "")], Err(400));
        check_bytes(&[("transfer-encoding", "gzip, chunked")], Err(501));
    }

    #[track_caller]
    fn check_md5(items: &[(&'static str, &'static str)], expected: Result<Option<Md5>, u16>) {
        assert_eq!(md5(&request(items)).map_err(|refusal| refusal.status()), expected, "{items:?}");
    }

    #[test]
    fn the_md5_comes_in_two_spellings() {
        let md5 = Md5::of(b"a");
        check_md5(&[], Ok(None));
        check_md5(&[("etag", "")], Ok(None));
        check_md5(&[("etag", "0cc175b9c0f1b6a831c399e269772661")], Ok(Some(md5)));
        check_md5(&[("etag", "\"0CC175B9C0F1B6A831C399E269772661\"")], Ok(Some(md5)));
        check_md5(&[("content-md5", "DMF1ucDxtqgxw5niaXcmYQ==")], Ok(Some(md5)));
        check_md5(
            &[("etag", "0cc175b9c0f1b6a831c399e269772661"), ("content-md5", "DMF1ucDxtqgxw5niaXcmYQ==")],
            Ok(Some(md5)),
        );
    }

    #[test]
    fn an_md5_that_no_bytes_have_is_refused() {
        check_md5(&[("etag", "abc")], Err(422));
        check_md5(&[("content-md5", "abc")], Err(400));
        check_md5(
            &[("etag", "92eb5ffee6ae2fec3ad71c777531578f"), ("content-md5", "DMF1ucDxtqgxw5niaXcmYQ==")],
            Err(422),
        );
    }
}
