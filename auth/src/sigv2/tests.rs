//! AWS's published examples, and what must never pass.

use http::Request;
use http::request::Parts;
use proptest::prelude::*;

use super::*;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 2007-03-27T19:36:42Z
const NOW_SECONDS: u64 = 1_175_024_202;

fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn verify(head: &Parts, bucket: Option<&str>, seconds: u64) -> Result<(), SigV2Error> {
    let target = Target::parse(&head.uri).unwrap();
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let place = Place { path: head.uri.path(), host_bucket: bucket };
    let claim = Claim::read(request, place, Timestamp::from_micros(seconds * 1_000_000))?;
    let claim = claim.ok_or(SigV2Error::Malformed)?;
    assert_eq!(claim.access_key(), KEY);
    claim.prove(&Secret::new(SECRET))
}

/// An example of "Signing and Authenticating REST Requests", verified so many seconds after the first of them.
#[track_caller]
fn check(mut head: Parts, bucket: Option<&str>, after_seconds: u64, signature: &str) {
    head.headers.insert(AUTHORIZATION, format!("AWS {KEY}:{signature}").parse().unwrap());
    assert_eq!(verify(&head, bucket, NOW_SECONDS + after_seconds), Ok(()));
    let other = verify(&head, Some("other"), NOW_SECONDS + after_seconds);
    assert_eq!(other, Err(SigV2Error::SignatureMismatch));
}

#[test]
fn the_published_examples_have_the_published_signatures() {
    let johnsmith = Some("johnsmith");
    let get = request("GET", "/photos/puppy.jpg", &[("date", "Tue, 27 Mar 2007 19:36:42 +0000")]);
    check(get, johnsmith, 0, "bWq2s1WEIj+Ydj0vQ697zp+IXMU=");
    let headers = [("content-type", "image/jpeg"), ("date", "Tue, 27 Mar 2007 21:15:45 +0000")];
    let put = request("PUT", "/photos/puppy.jpg", &headers);
    check(put, johnsmith, 5943, "MyyxeRY7whkBe+bq8fHCL/2kKUg=");
    let date = [("date", "Tue, 27 Mar 2007 19:42:41 +0000")];
    let list = request("GET", "/?prefix=photos&max-keys=50&marker=puppy", &date);
    check(list, johnsmith, 359, "htDYFYduRNen8P9ZfE/s9SuKy0U=");
    let acl = request("GET", "/?acl", &[("date", "Tue, 27 Mar 2007 19:44:46 +0000")]);
    check(acl, johnsmith, 484, "c2WLPFtWHVgbEmeEG93a4cG37dM=");
    let headers = [
        ("date", "Tue, 27 Mar 2007 21:06:08 +0000"),
        ("x-amz-acl", "public-read"),
        ("content-type", "application/x-download"),
        ("content-md5", "4gJE4saaMU4BqNR0kLY+lw=="),
        ("x-amz-meta-reviewedby", "joe@johnsmith.net"),
        ("x-amz-meta-reviewedby", "jane@johnsmith.net"),
        ("x-amz-meta-filechecksum", "0x02661779"),
        ("x-amz-meta-checksumalgorithm", "crc32"),
    ];
    let upload = request("PUT", "/db-backup.dat.gz", &headers);
    check(upload, Some("static.johnsmith.net"), 5366, "ilyl83RwaSoYIEdixDQcA4OnAnc=");
    let all = request("GET", "/", &[("date", "Wed, 28 Mar 2007 01:29:59 +0000")]);
    check(all, None, 21_197, "qGdzdERIC03wnaRNKh6OqZehG9s=");
    let date = [("date", "Wed, 28 Mar 2007 01:49:49 +0000")];
    let unicode = request("GET", "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", &date);
    check(unicode, None, 22_387, "DNEZGsoieTZ92F3bUfSPQcbGmlM=");
}

const LINK: &str = "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE\
    &Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620";

#[test]
fn the_published_link_lives_as_long_as_it_says() {
    let link = request("GET", LINK, &[]);
    assert_eq!(verify(&link, Some("johnsmith"), NOW_SECONDS), Ok(()));
    assert_eq!(verify(&link, Some("johnsmith"), 1_175_139_620), Ok(()));
    assert_eq!(verify(&link, Some("johnsmith"), 1_175_139_621), Err(SigV2Error::Expired));
}

#[test]
fn a_broken_query_is_refused_and_never_taken_for_unsigned() {
    let refused = |uri: &str, error| {
        assert_eq!(verify(&request("GET", uri, &[]), Some("johnsmith"), NOW_SECONDS), Err(error), "{uri}");
    };
    for name in ["AWSAccessKeyId", "Signature", "Expires"] {
        refused(&LINK.replace(&format!("{name}="), "other="), SigV2Error::MalformedQuery);
        refused(&format!("{LINK}&{name}=1"), SigV2Error::MalformedQuery);
    }
    for expires in ["", "-1", "%2B1175139620", "x", "99999999999999999999"] {
        refused(&LINK.replace("1175139620", expires), SigV2Error::BadExpires);
    }
    // Nobody makes a link that lives for longer than dates of 32 bits.
    refused(&LINK.replace("1175139620", "4294967296"), SigV2Error::BadExpires);
    refused(&format!("{LINK}&X-Amz-Date=1"), SigV2Error::SignedTwice);
    let twice = request("GET", LINK, &[("authorization", "AWS a:b")]);
    assert_eq!(verify(&twice, None, NOW_SECONDS), Err(SigV2Error::SignedTwice));
}

fn example() -> Parts {
    let headers =
        [("date", "Tue, 27 Mar 2007 19:36:42 GMT"), ("content-type", "text/plain"), ("x-amz-meta-a", "1")];
    let mut head = request("PUT", "/bucket/a%20key?partNumber=1&uploadId=x", &headers);
    let target = Target::parse(&head.uri).unwrap();
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let place = Place { path: head.uri.path(), host_bucket: None };
    let value = authorization(KEY, &Secret::new(SECRET), request, place).parse().unwrap();
    head.headers.insert(AUTHORIZATION, value);
    head
}

#[test]
fn a_request_proves_itself_within_15_minutes_alone() {
    for seconds in [NOW_SECONDS - 900, NOW_SECONDS, NOW_SECONDS + 900] {
        assert_eq!(verify(&example(), None, seconds), Ok(()));
    }
    for seconds in [NOW_SECONDS - 901, NOW_SECONDS + 901] {
        assert_eq!(verify(&example(), None, seconds), Err(SigV2Error::Skewed));
    }
    let mut undated = example();
    undated.headers.remove("date");
    assert_eq!(verify(&undated, None, NOW_SECONDS), Err(SigV2Error::NoDate));
}

#[test]
fn what_is_added_is_refused() {
    let mut head = example();
    head.headers.insert("x-amz-acl", "public-read".parse().unwrap());
    assert_eq!(verify(&head, None, NOW_SECONDS), Err(SigV2Error::SignatureMismatch));
    let mut head = example();
    head.uri = format!("{}&acl", head.uri).parse().unwrap();
    assert_eq!(verify(&head, None, NOW_SECONDS), Err(SigV2Error::SignatureMismatch));
}

proptest! {
    #[test]
    fn a_flipped_bit_is_refused(
        place in 0usize..6, at in any::<prop::sample::Index>(), bit in 0u8..7,
    ) {
        let mut head = example();
        let name = ["date", "content-type", "x-amz-meta-a", "authorization", "", "method"][place];
        let text = match name {
            "" => head.uri.to_string(),
            "method" => head.method.to_string(),
            name => head.headers[name].to_str().unwrap().to_owned(),
        };
        // The access key only says whose secret to look up.
        let from = if name == "authorization" { "AWS ".len() + KEY.len() } else { 0 };
        let mut bytes = text.clone().into_bytes();
        let at = from + at.index(bytes.len() - from);
        bytes[at] ^= 1 << bit;
        let changed = String::from_utf8(bytes).unwrap();
        let done = match name {
            "" => changed.parse().map(|uri| head.uri = uri).is_ok(),
            "method" => changed.parse().map(|method| head.method = method).is_ok(),
            name => changed.parse().map(|value| head.headers.insert(name, value)).is_ok(),
        };
        let same = !name.is_empty() && name != "method"
            && done && head.headers[name].to_str().is_ok_and(|value| value.trim() == text);
        if done && !same && Target::parse(&head.uri).is_ok() {
            prop_assert!(verify(&head, None, NOW_SECONDS).is_err(), "{changed}");
        }
    }
}

/// botocore signs `/bucket/` and sends `/bucket`.
#[test]
fn a_bucket_is_the_same_with_a_slash_at_its_end() {
    let head = |uri: &str| request("GET", uri, &[("date", "Tue, 27 Mar 2007 19:36:42 +0000")]);
    let proves = |signed: &str, sent: &str| {
        let (signed, mut sent) = (head(signed), head(sent));
        let target = Target::parse(&signed.uri).unwrap();
        let of = RequestHead { method: &signed.method, target: &target, headers: &signed.headers };
        let place = Place { path: signed.uri.path(), host_bucket: None };
        let value = authorization(KEY, &Secret::new(SECRET), of, place);
        sent.headers.insert("authorization", value.parse().unwrap());
        verify(&sent, None, NOW_SECONDS).is_ok()
    };
    assert!(proves("/bucket/", "/bucket"));
    assert!(proves("/bucket", "/bucket"));
    assert!(!proves("/bucket", "/bucket/"));
    assert!(!proves("/bucket/key/", "/bucket/key"));
}

#[test]
fn a_wrong_day_of_the_week_is_no_wrong_date() {
    let head = request(
        "GET",
        "/b/k",
        &[
            ("date", "Mon, 27 Mar 2007 19:36:42 +0000"),
            ("authorization", "AWS K:AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ],
    );
    let target = Target::parse(&head.uri).unwrap();
    let of = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let place = Place { path: head.uri.path(), host_bucket: None };
    let claim = |seconds: u64| Claim::read(of, place, Timestamp::from_micros(seconds * 1_000_000));
    assert!(claim(NOW_SECONDS).is_ok());
    assert!(matches!(claim(NOW_SECONDS + 3600), Err(SigV2Error::Skewed)));
}

/// Swift names its users `account:user`, and its users' S3 keys alike.
#[test]
fn an_access_key_may_have_a_colon() {
    let mut head = example();
    let value = head.headers[AUTHORIZATION].to_str().unwrap().replace(KEY, "test:tester");
    head.headers.insert(AUTHORIZATION, value.parse().unwrap());
    let target = Target::parse(&head.uri).unwrap();
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let place = Place { path: head.uri.path(), host_bucket: None };
    let claim =
        Claim::read(request, place, Timestamp::from_micros(NOW_SECONDS * 1_000_000)).unwrap().unwrap();
    assert_eq!(claim.access_key(), "test:tester");
    assert_eq!(claim.prove(&Secret::new(SECRET)), Ok(()));
}

#[test]
fn what_should_have_been_signed_is_told() {
    let head = example();
    let target = Target::parse(&head.uri).unwrap();
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let place = Place { path: head.uri.path(), host_bucket: None };
    let told = explain(request, place, Timestamp::from_micros(NOW_SECONDS * 1_000_000)).unwrap();
    assert_eq!(told.access_key, KEY);
    assert!(
        told.string_to_sign.starts_with("PUT\n\ntext/plain\nTue, 27 Mar 2007 19:36:42 GMT\n"),
        "{told:?}"
    );
    assert!(head.headers[AUTHORIZATION].to_str().unwrap().ends_with(&told.signature));
}
