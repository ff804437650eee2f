//! Signed links: who may do what with them, and until when.

use http::Uri;
use martlet_model::{AccountName, ContainerId, ContainerName, ObjectKey};
use proptest::prelude::*;

use super::*;
use crate::bearer::KeyOf;

const NOW: Timestamp = Timestamp::from_micros(1_512_508_000_000_000);
const EXPIRES: &str = "temp_url_expires=1512508563";
const KEYS: [LinkKey<'static>; 2] = [key(KeyOf::Account, b"other"), key(KeyOf::Account, b"mykey")];

// Computed with Python's hmac and the key `mykey`; the second is the example of Swift's documentation.
const SHA1: &str = "a83dcf0587a84542b5f23a7807c38ff4bcaa6924";
const SHA256: &str = "732fcac368abb10c78a4cbe95c3fab7f311584532bf779abd5074e13cbe8b88b";
const SHA512: &str = "155fe4710b5755bcebdec415fac5fe482031315b3f9e825e80ab9ffec3d7c693\
                      6b4cfdf8f5625c8319abd319df9d95ed71757476fe5d3c8f69c35e5c38640bff";
const SHA512_BASE64: &str =
    "sha512:FV_kcQtXVbzr3sQV-sX-SCAxMVs_noJegKuf_sPXxpNrTP349WJcgxmr0xnfnZXtcXV0dv5dPI9pw15cOGQL_w==";
const PUT: &str = "2d023650a21d78dc586cae7a2e884ca0aaae2238d4090d7ac22f6928337214bd";
const POST: &str = "ecb5bc58bb61ea4c9efc4da47274efd65853b38206c76d0b7e334b92f1fc1054";
const DELETE: &str = "2aeda1221c463f7a67d0dc6fa8a620d482332b630456381c21459d89cfaaea15";
const HEAD: &str = "ad8d09ae64de62072dc741b86ee51eba86720df3b82913366a9351578b28464d";
const BELOW_PRE: &str = "32f398a48a1a8ca6f2711efcca444100723360239733c6e7b31d868f62f66b47";
const BELOW_NOTHING: &str = "90f89001b5345706e6d4af1355542d2cd2e3f987b08183e07ffed23dae19e34c";
const FROM_ONE: &str = "b3bb1f1f8dccb04f9a2a142a2854dbe2c8d68f6ce668b9beffb2daa25d0a2f78";
const FROM_RANGE: &str = "31d1e728c2e85d19b9294951e523525cc7863bd8e9ea400e6d42834aa85f964f";

const fn key(of: KeyOf, key: &[u8]) -> LinkKey<'_> {
    LinkKey { of, key }
}

fn object(name: &str) -> ObjectId {
    let account = AccountName::parse(b"AUTH_account").unwrap();
    let container = ContainerId { account, name: ContainerName::parse(b"container").unwrap() };
    ObjectId { container, key: ObjectKey::parse(name.to_owned()).unwrap() }
}

/// A request for an object through a link, from an address and at a time.
#[derive(Clone, Copy)]
struct Case<'a> {
    method: &'a Method,
    name: &'a str,
    client: Option<&'a str>,
    now: Timestamp,
    keys: &'a [LinkKey<'a>],
}

const GET: Case<'static> = Case { method: &Method::GET, name: "object", client: None, now: NOW, keys: &KEYS };

impl Case<'_> {
    fn prove(self, query: &str) -> Result<Bearer, TempUrlInvalid> {
        let uri: Uri = format!("/v1/AUTH_account/container/x?{query}").parse().unwrap();
        let target = Target::parse(&uri).unwrap();
        let link = TempUrl::read(&target)?.expect("a link");
        let client = self.client.map(|client| client.parse().unwrap());
        let object = object(self.name);
        link.prove(LinkUse { method: self.method, object: &object, client, now: self.now }, self.keys)
    }

    #[track_caller]
    fn good(self, query: &str) -> Bearer {
        self.prove(query).expect(query)
    }

    #[track_caller]
    fn bad(self, query: &str) {
        assert_eq!(self.prove(query), Err(TempUrlInvalid), "{query}");
    }
}

fn signed(signature: &str) -> String {
    format!("temp_url_sig={signature}&{EXPIRES}")
}

#[test]
fn every_form_of_a_signature_is_believed() {
    for signature in [SHA1, SHA256, SHA512, SHA512_BASE64] {
        let reach = Reach::Account(object("object").container.account);
        assert_eq!(GET.good(&signed(signature)), Bearer::Read(reach), "{signature}");
    }
    GET.good(&format!("temp_url_sig={SHA256}&temp_url_expires=2017-12-05T21:16:03Z"));
}

#[test]
fn a_query_that_is_no_link_is_left_alone() {
    for query in ["", "format=json", "filename=x&inline", "temp_url_prefix=x"] {
        let uri: Uri = format!("/v1/a/c/o?{query}").parse().unwrap();
        let target = Target::parse(&uri).unwrap();
        assert_eq!(TempUrl::read(&target), Ok(None), "{query}");
    }
}

#[test]
fn half_a_link_is_no_good() {
    for query in [EXPIRES, &format!("temp_url_sig={SHA1}"), "temp_url_sig=&temp_url_expires="] {
        GET.bad(query);
    }
    for expires in ["", "soon", "-1", "+1512508563", "2017-12-05", "99999999999999999999999"] {
        GET.bad(&format!("temp_url_sig={SHA256}&temp_url_expires={expires}"));
    }
}

#[test]
fn a_link_is_for_one_object_one_method_and_one_key() {
    Case { name: "object2", ..GET }.bad(&signed(SHA256));
    Case { method: &Method::PUT, ..GET }.bad(&signed(SHA256));
    Case { method: &Method::DELETE, ..GET }.bad(&signed(SHA256));
    Case { keys: &KEYS[..1], ..GET }.bad(&signed(SHA256));
    Case { keys: &[], ..GET }.bad(&signed(SHA256));
    GET.bad(&signed(&SHA256.replace('7', "8")));
    GET.bad(&format!("temp_url_sig={SHA256}&temp_url_expires=1512508564"));
}

#[test]
fn a_link_to_write_does_not_read_and_a_link_to_read_does_not_write() {
    for (method, signature, right) in [
        (Method::PUT, PUT, Bearer::Put(object("object"))),
        (Method::POST, POST, Bearer::Post(object("object"))),
        (Method::DELETE, DELETE, Bearer::Delete(object("object"))),
    ] {
        assert_eq!(Case { method: &method, ..GET }.good(&signed(signature)), right);
        GET.bad(&signed(signature));
        Case { method: &method, ..GET }.bad(&signed(SHA256));
    }
    Case { method: &Method::OPTIONS, ..GET }.bad(&signed(SHA256));
}

#[test]
fn links_to_get_put_and_post_serve_head_as_well() {
    let head = Case { method: &Method::HEAD, ..GET };
    for signature in [HEAD, SHA256, PUT, POST] {
        assert!(matches!(head.good(&signed(signature)), Bearer::Read(_)));
    }
    head.bad(&signed(DELETE));
    GET.bad(&signed(HEAD));
}

#[test]
fn a_link_is_good_to_the_end_of_its_last_second() {
    let at = |micros| Case { now: Timestamp::from_micros(micros), ..GET };
    at(1_512_508_563_999_999).good(&signed(SHA256));
    at(1_512_508_564_000_000).bad(&signed(SHA256));
}

#[test]
fn a_prefix_opens_what_begins_with_it() {
    let query = format!("{}&temp_url_prefix=pre", signed(BELOW_PRE));
    for name in ["pre", "prefix", "pre/sub/object"] {
        Case { name, ..GET }.good(&query);
    }
    Case { name: "other", ..GET }.bad(&query);
    GET.bad(&format!("{}&temp_url_prefix=ob", signed(BELOW_PRE)));
    // An empty prefix is the whole container, and is not the same as none.
    GET.good(&format!("{}&temp_url_prefix=", signed(BELOW_NOTHING)));
    GET.bad(&signed(BELOW_NOTHING));
    Case { name: "/", ..GET }.bad(&format!("{}&temp_url_prefix=", signed(BELOW_NOTHING)));
}

#[test]
fn a_range_of_addresses_keeps_others_out() {
    let one = format!("{}&temp_url_ip_range=1.2.3.4", signed(FROM_ONE));
    let range = format!("{}&temp_url_ip_range=1.2.3.0/24", signed(FROM_RANGE));
    let from = |client| Case { client, ..GET };
    from(Some("1.2.3.4")).good(&one);
    from(Some("::ffff:1.2.3.4")).good(&one);
    from(Some("1.2.3.255")).good(&range);
    for (client, query) in [(Some("1.2.3.5"), &one), (Some("1.2.4.0"), &range), (None, &one), (None, &range)]
    {
        from(client).bad(query);
    }
    // A range that isn't signed, and one left out that is.
    from(Some("1.2.3.4")).bad(&format!("{}&temp_url_ip_range=1.2.3.4", signed(SHA256)));
    from(Some("1.2.3.4")).bad(&signed(FROM_ONE));
}

#[test]
fn a_key_reaches_as_far_as_what_it_was_set_on() {
    let container = object("object").container;
    let keys = [key(KeyOf::Account, b"other"), key(KeyOf::Container, b"mykey")];
    let right = Case { keys: &keys, ..GET }.good(&signed(SHA256));
    assert_eq!(right, Bearer::Read(Reach::Container(container.clone())));
    let other = ContainerName::parse(b"other").unwrap();
    let reach = Reach::Container(container.clone());
    assert!(reach.holds(&container.account, Some(&container.name)));
    assert!(!reach.holds(&container.account, Some(&other)));
    assert!(!reach.holds(&container.account, None));
}

#[test]
fn the_name_under_which_to_save_is_handed_on() {
    let uri: Uri = format!("/v1/a/c/o?{}&filename=My+File.pdf&inline", signed(SHA256)).parse().unwrap();
    let target = Target::parse(&uri).unwrap();
    let link = TempUrl::read(&target).unwrap().unwrap();
    assert_eq!((link.filename, link.inline), (Some("My File.pdf"), true));
    assert_eq!(link.expires().as_seconds(), 1_512_508_563);
}

proptest! {
    #[test]
    fn no_query_is_too_odd(query in "(temp_url_(sig|expires|prefix|ip_range)=[a-zA-Z0-9:./%-]{0,20}&?){0,5}") {
        let Ok(uri) = format!("/v1/a/c/o?{query}").parse::<Uri>() else { return Ok(()) };
        let Ok(target) = Target::parse(&uri) else { return Ok(()) };
        if let Ok(Some(link)) = TempUrl::read(&target) {
            let link_use = LinkUse { method: &Method::GET, object: &object("o"), client: None, now: NOW };
            prop_assert_eq!(link.prove(link_use, &KEYS), Err(TempUrlInvalid));
        }
    }
}
