//! AWS's published examples, and what must never pass.

use http::Request;
use http::request::Parts;
use martlet_model::Timestamp;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::identity::Secret;

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const REGION: &str = "us-east-1";
const HOST: &str = "examplebucket.s3.amazonaws.com";
/// 2013-05-24T00:00:00Z
const NOW_SECONDS: u64 = 1_369_353_600;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn key() -> SigningKey {
    SigningKey::derive(&Secret::new(SECRET), "20130524", REGION)
}

fn signed(mut head: Parts, payload: Payload) -> Parts {
    let signer = Signer { access_key: ACCESS_KEY, secret: &Secret::new(SECRET), region: REGION };
    sign(&mut head, payload, &signer, at(NOW_SECONDS)).unwrap();
    head
}

fn verify(head: &Parts, now: Timestamp) -> Result<Payload, SigV4Error> {
    let target = Target::parse(&head.uri).map_err(|_| SigV4Error::SignatureMismatch)?;
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let claim = Claim::read(request, REGION, now)?.ok_or(SigV4Error::SignatureMismatch)?;
    if claim.access_key() != ACCESS_KEY {
        return Err(SigV4Error::SignatureMismatch);
    }
    claim.prove(&key())
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri).header("host", HOST);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// An example of "Signature Calculations for the Authorization Header" in the Amazon S3 API reference.
#[track_caller]
fn check_example(head: Parts, body: &str, signature: &str) {
    let payload = Payload::Sha256(Sha256::digest(body).into());
    let head = signed(head, payload);
    let authorization = head.headers["authorization"].to_str().unwrap();
    assert!(authorization.ends_with(&format!("Signature={signature}")), "{authorization}");
    assert_eq!(verify(&head, at(NOW_SECONDS)), Ok(payload));
}

#[test]
fn the_published_examples_have_the_published_signatures() {
    check_example(
        request("GET", "/test.txt", &[("range", "bytes=0-9")]),
        "",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    check_example(
        request(
            "PUT",
            "/test$file.text",
            &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
        ),
        "Welcome to Amazon S3.",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    check_example(
        request("GET", "/?lifecycle", &[]),
        "",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    check_example(
        request("GET", "/?max-keys=2&prefix=J", &[]),
        "",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
}

fn example() -> Parts {
    let head = request(
        "PUT",
        "/bucket/a%20key?partNumber=1&uploadId=x",
        &[("x-amz-meta-note", "two  words"), ("content-type", "text/plain")],
    );
    signed(head, Payload::Sha256(Sha256::digest("body").into()))
}

#[test]
fn a_request_proves_itself_within_15_minutes_alone() {
    for seconds in [NOW_SECONDS - 900, NOW_SECONDS, NOW_SECONDS + 900] {
        assert!(verify(&example(), at(seconds)).is_ok());
    }
    for seconds in [NOW_SECONDS - 901, NOW_SECONDS + 901] {
        assert_eq!(verify(&example(), at(seconds)), Err(SigV4Error::Skewed));
    }
}

#[test]
fn equivalent_spellings_of_a_target_have_one_signature() {
    let mut head = example();
    head.uri = "/bucket/%61%20key?uploadId=x&partNumber=%31".parse().unwrap();
    assert!(verify(&head, at(NOW_SECONDS)).is_ok());
}

#[test]
fn an_added_amz_header_is_refused_though_the_signature_is_right() {
    let mut head = example();
    head.headers.insert("x-amz-acl", "public-read".parse().unwrap());
    assert_eq!(verify(&head, at(NOW_SECONDS)), Err(SigV4Error::UnsignedHeader("x-amz-acl".to_owned())));
}

#[test]
fn a_second_value_of_a_signed_header_is_refused() {
    let mut head = example();
    head.headers.append("x-amz-meta-note", "more".parse().unwrap());
    assert_eq!(verify(&head, at(NOW_SECONDS)), Err(SigV4Error::SignatureMismatch));
}

#[test]
fn a_header_that_the_signature_lives_by_is_there_once() {
    let twice = |name: &str| {
        let mut head = example();
        let value = head.headers[name].clone();
        head.headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        verify(&head, at(NOW_SECONDS))
    };
    assert_eq!(twice("x-amz-date"), Err(SigV4Error::NoDate));
    assert_eq!(twice("x-amz-content-sha256"), Err(SigV4Error::BadPayloadHash));
    assert!(matches!(twice("authorization"), Err(SigV4Error::Malformed(_))));
    assert_eq!(twice("host"), Err(SigV4Error::SignatureMismatch));
}

#[test]
fn a_signed_header_that_was_taken_away_is_missed() {
    let mut head = example();
    head.headers.remove("content-type");
    assert_eq!(verify(&head, at(NOW_SECONDS)), Err(SigV4Error::SignatureMismatch));
}

#[test]
fn the_host_must_be_signed() {
    let mut head = example();
    let text = head.headers["authorization"].to_str().unwrap().replace("host;", "");
    head.headers.insert("authorization", text.parse().unwrap());
    assert_eq!(verify(&head, at(NOW_SECONDS)), Err(SigV4Error::UnsignedHeader("host".to_owned())));
}

#[test]
fn another_region_service_or_day_is_refused() {
    let with = |from: &str, to: &str| {
        let mut head = example();
        let text = head.headers["authorization"].to_str().unwrap().replace(from, to);
        head.headers.insert("authorization", text.parse().unwrap());
        verify(&head, at(NOW_SECONDS))
    };
    assert_eq!(with("us-east-1", "eu"), Err(SigV4Error::WrongRegion { expected: REGION.to_owned() }));
    assert!(matches!(with("/s3/", "/iam/"), Err(SigV4Error::Malformed(_))));
    assert!(matches!(with("20130524/", "20130525/"), Err(SigV4Error::Malformed(_))));
}

#[test]
fn another_secret_is_refused() {
    let head = example();
    let target = Target::parse(&head.uri).unwrap();
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let claim = Claim::read(request, REGION, at(NOW_SECONDS)).unwrap().unwrap();
    assert_eq!(claim.access_key(), ACCESS_KEY);
    let other = SigningKey::derive(&Secret::new("other"), "20130524", REGION);
    assert_eq!(claim.prove(&other), Err(SigV4Error::SignatureMismatch));
}

#[test]
fn what_is_not_offered_is_named() {
    let read = |head: &Parts| {
        let target = Target::parse(&head.uri).unwrap();
        let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
        Claim::read(request, REGION, at(NOW_SECONDS)).map(|claim| claim.is_some())
    };
    let version_2 = request("GET", "/b/k?AWSAccessKeyId=K", &[]);
    assert!(matches!(read(&version_2), Err(SigV4Error::NotOffered(_))));
    let mut head = example();
    let streaming = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD".parse().unwrap();
    head.headers.insert("x-amz-content-sha256", streaming);
    assert!(matches!(read(&head), Err(SigV4Error::NotOffered(_))));
    head.headers.insert("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD".parse().unwrap());
    assert_eq!(read(&head), Err(SigV4Error::BadPayloadHash));
    assert_eq!(read(&request("GET", "/b/k", &[])), Ok(false));
}

/// A request that doesn't tell the hash that it signs.
fn silent(method: &str, body: &str) -> Parts {
    let mut head = request(method, "/b/k", &[]);
    let signer = Signer { access_key: ACCESS_KEY, secret: &Secret::new(SECRET), region: REGION };
    sign_silently(&mut head, &Sha256::digest(body).into(), &signer, at(NOW_SECONDS)).unwrap();
    head
}

#[test]
fn a_hash_that_is_not_told_is_proved_by_the_body() {
    assert_eq!(verify(&silent("GET", ""), at(NOW_SECONDS)), Ok(Payload::Unsigned));
    let head = silent("POST", "martlet");
    assert_eq!(verify(&head, at(NOW_SECONDS)), Err(SigV4Error::UntoldPayloadHash));
    let target = Target::parse(&head.uri).unwrap();
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let claim = Claim::read(request, REGION, at(NOW_SECONDS)).unwrap().unwrap();
    assert_eq!(claim.prove_with(&key(), &Sha256::digest("martlet").into()), Ok(()));
    let other = claim.prove_with(&key(), &Sha256::digest("martlex").into());
    assert_eq!(other, Err(SigV4Error::SignatureMismatch));
}

#[test]
fn a_hash_that_is_told_cannot_be_hidden() {
    let mut head = example();
    head.headers.remove("x-amz-content-sha256");
    assert_eq!(verify(&head, at(NOW_SECONDS)), Err(SigV4Error::SignatureMismatch));
    let mut added = silent("PUT", "");
    added.headers.insert("x-amz-content-sha256", "UNSIGNED-PAYLOAD".parse().unwrap());
    assert!(matches!(verify(&added, at(NOW_SECONDS)), Err(SigV4Error::UnsignedHeader(_))));
}

mod presigned;

/// Every byte of a signed request that a change could be hidden in.
#[derive(Clone, Copy, Debug)]
enum Place {
    Method,
    Path,
    Query,
    Header(&'static str),
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::Method),
        Just(Place::Path),
        Just(Place::Query),
        prop::sample::select(vec![
            Place::Header("host"),
            Place::Header("x-amz-date"),
            Place::Header("x-amz-content-sha256"),
            Place::Header("x-amz-meta-note"),
            Place::Header("content-type"),
            Place::Header("authorization"),
        ]),
    ]
}

/// Flips one bit of `text` at `at`; `None`: the result can't be sent.
fn flip(text: &str, at: prop::sample::Index, bit: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at.index(bytes.len());
    bytes[at] ^= 1 << bit;
    String::from_utf8(bytes).ok()
}

fn tampered(place: Place, at: prop::sample::Index, bit: u8) -> Option<Parts> {
    let mut head = example();
    match place {
        Place::Method => {
            head.method = Method::from_bytes(flip(head.method.as_str(), at, bit)?.as_bytes()).ok()?;
        }
        Place::Path => {
            let query = head.uri.query().unwrap();
            head.uri = format!("{}?{query}", flip(head.uri.path(), at, bit)?).parse().ok()?;
        }
        Place::Query => {
            let path = head.uri.path();
            head.uri = format!("{path}?{}", flip(head.uri.query().unwrap(), at, bit)?).parse().ok()?;
        }
        Place::Header(name) => {
            let value = flip(head.headers[name].to_str().unwrap(), at, bit)?;
            head.headers.insert(name, value.parse().ok()?);
        }
    }
    Some(head)
}

/// What a server would take from a head: two heads that agree here are the same request.
fn meaning(head: &Parts) -> Option<String> {
    let target = Target::parse(&head.uri).ok()?;
    let mut query = target.query.clone();
    query.sort();
    let mut headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| {
            let words: Vec<_> = value.to_str().unwrap_or_default().split(' ').collect();
            let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
            (name.as_str().to_owned(), words.join(" "))
        })
        .collect();
    headers.sort();
    Some(format!("{} {:?} {query:?} {headers:?}", head.method, target.path))
}

proptest! {
    #[test]
    fn a_flipped_bit_anywhere_is_refused(
        place in place(), at in any::<prop::sample::Index>(), bit in 0u8..7,
    ) {
        if let Some(head) = tampered(place, at, bit)
            && meaning(&head) != meaning(&example())
        {
            let outcome = verify(&head, at_example());
            prop_assert!(outcome.is_err(), "{place:?}: {head:?}");
        }
    }

    #[test]
    fn whatever_is_signed_is_believed(
        path in "(/[ -~]{0,8}){1,3}", name in "[a-z]{1,8}", value in "[!-~][ -~]{0,12}[!-~]",
    ) {
        let encoded = percent_encoding::utf8_percent_encode(&path, canonical::ENCODED).to_string();
        let uri = format!("/{encoded}?prefix={encoded}");
        let head = request("PUT", &uri, &[(&format!("x-amz-meta-{name}"), &value)]);
        prop_assert_eq!(verify(&signed(head, Payload::Unsigned), at_example()), Ok(Payload::Unsigned));
    }
}

fn at_example() -> Timestamp {
    at(NOW_SECONDS)
}
