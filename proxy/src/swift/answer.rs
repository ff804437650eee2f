//! Responses, put together from a status, headers and a body.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_model::Timestamp;
use percent_encoding::{CONTROLS, percent_encode};

use super::format::{Negotiated, Source};
use super::refusal;

pub(super) const HTML: &str = "text/html; charset=UTF-8";
pub(super) const PLAIN: &str = "text/plain; charset=UTF-8";

/// A response without a body.
pub(super) fn empty(status: StatusCode, mut headers: HeaderMap) -> Response {
    headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(0));
    with_body(status, headers, Body::new(NoBytes))
}

/// A body of no bytes.
///
/// It doesn't say beforehand that it has ended, so that `Content-Length: 0` is sent with it under every status.
/// Swift's clients find that header in a 204 too, where RFC 9110, section 8.6, would rather not have it.
struct NoBytes;

impl http_body::Body for NoBytes {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(0)
    }
}

/// A response with a body that is there whole.
pub(super) fn whole(
    status: StatusCode,
    mut headers: HeaderMap,
    content_type: &'static str,
    body: String,
) -> Response {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    with_body(status, headers, Body::from(body))
}

/// 202, with the page that Swift sends along.
pub(super) fn accepted(headers: HeaderMap) -> Response {
    whole(StatusCode::ACCEPTED, headers, HTML, refusal::page(StatusCode::ACCEPTED.as_u16()))
}

/// A listing: an empty one is 204 in plain text, and an empty document in the other formats.
pub(super) fn listing(mut headers: HeaderMap, negotiated: Negotiated, body: String) -> Response {
    vary(&mut headers, negotiated);
    if body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(negotiated.format.content_type()));
        return empty(StatusCode::NO_CONTENT, headers);
    }
    whole(StatusCode::OK, headers, negotiated.format.content_type(), body)
}

/// What a listing's headers say, without the listing.
pub(super) fn headers_alone(mut headers: HeaderMap, negotiated: Negotiated) -> Response {
    vary(&mut headers, negotiated);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(negotiated.format.content_type()));
    empty(StatusCode::NO_CONTENT, headers)
}

pub(super) fn with_body(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Text as the value of a header: UTF-8 as it is, and what no header can carry percent-encoded.
pub(super) fn header_value(text: &str) -> HeaderValue {
    header_bytes(text.as_bytes())
}

/// The same of any bytes.
pub(super) fn header_bytes(value: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(value).unwrap_or_else(|_| {
        let encoded = percent_encode(value, CONTROLS).to_string();
        HeaderValue::from_bytes(encoded.as_bytes()).unwrap_or(HeaderValue::from_static(""))
    })
}

/// `X-Timestamp`: seconds with five decimals.
pub(super) fn timestamp(at: Timestamp) -> HeaderValue {
    header_value(&at.to_string())
}

/// `x-delete-at` as people write it: `X-Delete-At`.
pub(super) fn titled(name: &str) -> String {
    let mut first = true;
    name.chars()
        .map(|character| {
            let shown = if first { character.to_ascii_uppercase() } else { character };
            first = character == '-';
            shown
        })
        .collect()
}

fn vary(headers: &mut HeaderMap, negotiated: Negotiated) {
    match negotiated.source {
        Source::Accept => {
            headers.insert(VARY, HeaderValue::from_static("Accept"));
        }
        Source::Parameter => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_breaks_out_of_its_header() {
        assert_eq!(header_value("a\r\nX-Evil: 1"), "a%0D%0AX-Evil: 1");
        assert_eq!(header_value("grüße").as_bytes(), "grüße".as_bytes());
    }
}
