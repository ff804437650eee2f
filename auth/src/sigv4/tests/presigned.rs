//! Signatures in the query.

use super::*;
use crate::sigv4::presigned::LIFETIME_SECONDS_MAX;

/// The example of "Authenticating Requests: Using Query Parameters" in the Amazon S3 API reference.
fn example() -> Parts {
    presigned(request("GET", "/test.txt", &[]), 86_400)
}

fn presigned(mut head: Parts, lifetime_seconds: u64) -> Parts {
    let signer = Signer { access_key: ACCESS_KEY, secret: &Secret::new(SECRET), region: REGION };
    presign(&mut head, &signer, at(NOW_SECONDS), lifetime_seconds).unwrap();
    head
}

/// The example with something else in its query; what stands after it, stands after the signature.
fn changed(from: &str, to: &str) -> Result<Payload, SigV4Error> {
    let mut head = example();
    let text = head.uri.to_string();
    assert!(text.contains(from), "{text}");
    head.uri = text.replace(from, to).parse().unwrap();
    verify(&head, at(NOW_SECONDS))
}

#[test]
fn the_published_link_has_the_published_signature() {
    let head = example();
    let published = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert_eq!(head.uri.to_string(), published);
    assert_eq!(verify(&head, at(NOW_SECONDS)), Ok(Payload::Unsigned));
}

#[test]
fn a_link_lives_as_long_as_it_says() {
    let head = example();
    for seconds in [NOW_SECONDS - 900, NOW_SECONDS, NOW_SECONDS + 86_400] {
        assert!(verify(&head, at(seconds)).is_ok());
    }
    assert_eq!(verify(&head, at(NOW_SECONDS - 901)), Err(SigV4Error::NotYetValid));
    assert_eq!(verify(&head, at(NOW_SECONDS + 86_401)), Err(SigV4Error::Expired));
    let week = presigned(request("GET", "/k", &[]), LIFETIME_SECONDS_MAX);
    assert!(verify(&week, at(NOW_SECONDS + LIFETIME_SECONDS_MAX)).is_ok());
    let longer = presigned(request("GET", "/k", &[]), LIFETIME_SECONDS_MAX + 1);
    assert!(matches!(verify(&longer, at(NOW_SECONDS)), Err(SigV4Error::MalformedQuery(_))));
}

#[test]
fn a_broken_query_is_refused_and_never_taken_for_unsigned() {
    let malformed = |from: &str, to: &str| {
        let outcome = changed(from, to);
        assert!(matches!(outcome, Err(SigV4Error::MalformedQuery(_))), "{to}: {outcome:?}");
    };
    for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
        malformed(&format!("X-Amz-{name}="), "other=");
        malformed("/test.txt?", &format!("/test.txt?X-Amz-{name}=x&"));
    }
    malformed("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4");
    malformed("%2Faws4_request", "");
    malformed("%2F20130524%2F", "%2F20130525%2F");
    malformed("X-Amz-Date=20130524T", "X-Amz-Date=2013052T");
    for expires in ["", "-1", "%2B5", "x", "604801", "99999999999999999999999"] {
        malformed("X-Amz-Expires=86400", &format!("X-Amz-Expires={expires}"));
    }
    malformed("Signature=aeee", "Signature=AEEE");
    let lone = request("GET", "/k?x-amz-signature=0", &[]);
    assert!(matches!(verify(&lone, at(NOW_SECONDS)), Err(SigV4Error::MalformedQuery(_))));
    assert!(matches!(
        changed("/test.txt?", "/test.txt?X-Amz-Security-Token=x&"),
        Err(SigV4Error::NotOffered(_))
    ));
    let version_4a = changed("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
    assert!(matches!(version_4a, Err(SigV4Error::NotOffered(_))));
    assert!(matches!(changed("us-east-1", "mars"), Err(SigV4Error::WrongRegion { .. })));
}

#[test]
fn a_query_and_a_header_are_one_signature_too_many() {
    let mut head = example();
    head.headers.insert("authorization", "AWS4-HMAC-SHA256 x=1".parse().unwrap());
    assert_eq!(verify(&head, at(NOW_SECONDS)), Err(SigV4Error::SignedTwice));
}

#[test]
fn headers_with_a_meaning_must_be_signed() {
    let mut head = presigned(request("PUT", "/k", &[("x-amz-meta-a", "1")]), 60);
    assert!(verify(&head, at(NOW_SECONDS)).is_ok());
    head.headers.insert("x-amz-acl", "public-read".parse().unwrap());
    assert_eq!(verify(&head, at(NOW_SECONDS)), Err(SigV4Error::UnsignedHeader("x-amz-acl".to_owned())));
    assert!(matches!(
        changed("SignedHeaders=host", "SignedHeaders=date"),
        Err(SigV4Error::UnsignedHeader(_))
    ));
}

#[test]
fn a_link_may_say_what_its_payload_is() {
    let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let in_query = presigned(request("PUT", "/k?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", &[]), 60);
    assert_eq!(verify(&in_query, at(NOW_SECONDS)), Ok(Payload::Unsigned));
    let mut both = presigned(request("PUT", "/k?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", &[]), 60);
    both.headers.insert("x-amz-content-sha256", text.parse().unwrap());
    assert!(matches!(verify(&both, at(NOW_SECONDS)), Err(SigV4Error::UnsignedHeader(_))));
}

/// The name of the signature, which stands last, may be written in any case.
fn folded(head: &Parts) -> String {
    let text = head.uri.to_string();
    let (before, last) = text.rsplit_once('&').unwrap_or_default();
    format!("{before}&{}", last.to_ascii_lowercase())
}

proptest! {
    #[test]
    fn a_flipped_bit_of_a_link_is_refused(at_index in any::<prop::sample::Index>(), bit in 0u8..7) {
        let head = presigned(request("GET", "/bucket/a%20key?prefix=x", &[]), 60);
        let mut tampered = presigned(request("GET", "/bucket/a%20key?prefix=x", &[]), 60);
        let uri = flip(&head.uri.to_string(), at_index, bit).and_then(|text| text.parse().ok());
        if let Some(uri) = uri {
            tampered.uri = uri;
            if meaning(&tampered) != meaning(&head) && folded(&tampered) != folded(&head) {
                prop_assert!(verify(&tampered, at_example()).is_err(), "{}", tampered.uri);
            }
        }
    }
}
