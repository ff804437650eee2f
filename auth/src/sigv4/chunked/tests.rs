//! AWS's published examples, and framings that must never pass.

use futures_util::{StreamExt as _, stream};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::identity::Secret;
use crate::sigv4::SigningKey;
use crate::sigv4::authorization::digest_from_hex;
use crate::sigv4::key::hex;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const CHECKSUM: &str = "x-amz-checksum-crc32c";
/// The checksum of the published example.
const VALUE: &str = "sOO8/Q==";

/// Believes whatever has the expected value; the real checksums are the proxy's.
#[derive(Debug)]
struct Expects {
    value: &'static str,
}

impl Trailing for Expects {
    fn name(&self) -> &str {
        CHECKSUM
    }

    fn update(&mut self, _: &[u8]) {}

    fn check(&mut self, value: &str) -> Result<(), BodyError> {
        if value == self.value { Ok(()) } else { Err(BodyError::ChecksumMismatch { algorithm: "CRC32C" }) }
    }
}

fn trailing() -> Box<dyn Trailing> {
    Box::new(Expects { value: VALUE })
}

/// The chain that begins with that signature of the published examples' heads.
fn chain(seed: &str) -> Chain {
    let key = SigningKey::derive(&Secret::new(SECRET), "20130524", "us-east-1");
    let scope = "20130524/us-east-1/s3/aws4_request";
    Chain::new(key, "20130524T000000Z", scope, digest_from_hex(seed.as_bytes()).unwrap())
}

const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const SEED_WITH_TRAILER: &str = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";

/// 65 KiB of `a`, in chunks of 64 KiB.
fn example(signatures: [&str; 3]) -> Vec<u8> {
    let [first, second, last] = signatures;
    let mut body = format!("10000;chunk-signature={first}\r\n").into_bytes();
    body.extend_from_slice(&vec![b'a'; 65_536]);
    body.extend_from_slice(format!("\r\n400;chunk-signature={second}\r\n").as_bytes());
    body.extend_from_slice(&[b'a'; 1024]);
    body.extend_from_slice(format!("\r\n0;chunk-signature={last}\r\n").as_bytes());
    body
}

fn published() -> Vec<u8> {
    let mut body = example([
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]);
    body.extend_from_slice(b"\r\n");
    body
}

fn published_with_trailer() -> Vec<u8> {
    let mut body = example([
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]);
    body.extend_from_slice(
        b"x-amz-checksum-crc32c:sOO8/Q==\n\r\n\
        x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
    );
    body
}

/// The plain body, received in pieces of `piece_bytes`.
async fn read(framing: Framing, body: &[u8], piece_bytes: usize) -> Result<Vec<u8>, BodyError> {
    let pieces: Vec<_> = body.chunks(piece_bytes).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let mut plain = framing.unwrap(Box::pin(stream::iter(pieces)));
    let mut read = Vec::new();
    while let Some(bytes) = plain.next().await {
        read.extend_from_slice(&bytes?);
    }
    assert!(plain.next().await.is_none(), "a body ends once");
    Ok(read)
}

fn signed(decoded_bytes: u64) -> Framing {
    Framing { signed: ChunksSigned::Chunks(chain(SEED)), decoded_bytes, chunk_bytes_min: 1, trailing: None }
}

fn signed_with_trailer(decoded_bytes: u64) -> Framing {
    let signed = ChunksSigned::ChunksAndTrailer(chain(SEED_WITH_TRAILER));
    Framing { signed, decoded_bytes, chunk_bytes_min: 1, trailing: Some(trailing()) }
}

fn unsigned(decoded_bytes: u64) -> Framing {
    Framing { signed: ChunksSigned::Nothing, decoded_bytes, chunk_bytes_min: 1, trailing: Some(trailing()) }
}

#[tokio::test]
async fn the_published_chunks_have_the_published_signatures() {
    for piece_bytes in [1, 7, 1000, 1_000_000] {
        let plain = read(signed(66_560), &published(), piece_bytes).await;
        assert_eq!(plain.map(|plain| plain == vec![b'a'; 66_560]), Ok(true));
        let plain = read(signed_with_trailer(66_560), &published_with_trailer(), piece_bytes).await;
        assert_eq!(plain.map(|plain| plain == vec![b'a'; 66_560]), Ok(true));
    }
}

#[tokio::test]
async fn what_is_written_is_read() {
    for body in ["", "m", "martlet", "a longer body in several chunks"] {
        let bytes = body.len() as u64;
        let written = encode(body.as_bytes(), 7, Some(chain(SEED)), None);
        assert_eq!(read(signed(bytes), &written, 3).await, Ok(body.into()));
        let trailer = Some((CHECKSUM, VALUE));
        let written = encode(body.as_bytes(), 7, Some(chain(SEED_WITH_TRAILER)), trailer);
        assert_eq!(read(signed_with_trailer(bytes), &written, 3).await, Ok(body.into()));
        let written = encode(body.as_bytes(), 7, None, trailer);
        assert_eq!(read(unsigned(bytes), &written, 3).await, Ok(body.into()));
    }
}

#[tokio::test]
async fn chunks_out_of_order_or_left_out_are_refused() {
    let written = String::from_utf8(encode(b"aaaabbbbcccc", 4, Some(chain(SEED)), None)).unwrap();
    let line = "0;chunk-signature=".len() + 64 + 2;
    let chunk = |at: usize| written[at * (line + 6)..(at + 1) * (line + 6)].to_owned();
    let last = &written[3 * (line + 6)..];
    let refused = [
        (12, [chunk(1), chunk(0), chunk(2)].concat()),
        (8, [chunk(0), chunk(2)].concat()),
        (8, [chunk(0), chunk(1)].concat()),
        (16, [chunk(0), chunk(0), chunk(1), chunk(2)].concat()),
    ];
    for (bytes, chunks) in refused {
        let outcome = read(signed(bytes), format!("{chunks}{last}").as_bytes(), 100).await;
        assert!(is_mismatch(&outcome), "{outcome:?}");
    }
    let all = [chunk(0), chunk(1), chunk(2)].concat();
    assert!(read(signed(12), format!("{all}{last}").as_bytes(), 100).await.is_ok());
}

/// What becomes of an unsigned body of 7 bytes.
async fn outcome(body: &str) -> Result<Vec<u8>, BodyError> {
    read(unsigned(7), body.as_bytes(), 5).await
}

#[tokio::test]
async fn broken_framing_is_refused() {
    let end = format!("0\r\n{CHECKSUM}:{VALUE}\r\n\r\n");
    assert_eq!(outcome(&format!("7\r\nmartlet\r\n{end}")).await, Ok(b"martlet".into()));
    for broken in [
        "",
        "\r\n",
        "x\r\n",
        "-7\r\n",
        "+7\r\n",
        " 7\r\n",
        "7 \r\n",
        "7;\r\n",
        "7\n",
        "0x7\r\n",
        "7;chunk-signature=0\r\n",
        "10000000000000000\r\n",
    ] {
        let outcome = outcome(&format!("{broken}martlet\r\n{end}")).await;
        assert!(matches!(outcome, Err(BodyError::BadFraming(_))), "{broken:?}: {outcome:?}");
    }
    for after in ["", "\n", "!\r\n", "\r\n\r\n", "\rx"] {
        let outcome = outcome(&format!("7\r\nmartlet{after}{end}")).await;
        assert!(matches!(outcome, Err(BodyError::BadFraming(_))), "{after:?}: {outcome:?}");
    }
    let long = format!("{}7\r\nmartlet\r\n{end}", "0".repeat(300));
    assert!(matches!(outcome(&long).await, Err(BodyError::BadFraming(_))));
    for (longer, received) in [
        ("7\r\nmartlet\r\n1\r\n!\r\n".to_owned(), 8),
        ("8\r\nmartlets\r\n".to_owned(), 8),
        ("ffffffffffffffff\r\nmartlet".to_owned(), u64::MAX),
    ] {
        let outcome = outcome(&format!("{longer}{end}")).await;
        assert_eq!(outcome, Err(BodyError::WrongLength { received, declared: 7 }));
    }
}

#[tokio::test]
async fn a_signed_chunk_has_one_extension_and_it_is_the_signature() {
    let written = String::from_utf8(encode(b"martlet", 7, Some(chain(SEED)), None)).unwrap();
    let check = async |from: &str, to: &str| read(signed(7), written.replace(from, to).as_bytes(), 9).await;
    for spaced in [" ; chunk-signature = ", ";chunk-signature= ", "; chunk-signature="] {
        assert_eq!(check(";chunk-signature=", spaced).await, Ok(b"martlet".into()), "{spaced}");
    }
    for other in [";other=1;chunk-signature=", ";signature=", ";chunk-signature=x"] {
        let outcome = check(";chunk-signature=", other).await;
        assert!(is_mismatch(&outcome), "{other}: {outcome:?}");
    }
    for broken in ["", ";", ";chunk-signature", ";chunk-signature=;x="] {
        let outcome = check(";chunk-signature=", broken).await;
        assert!(matches!(outcome, Err(BodyError::BadFraming(_))), "{broken}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_mismatch_tells_what_should_have_been_signed() {
    let written = String::from_utf8(encode(b"martlet", 7, Some(chain(SEED)), None)).unwrap();
    let outcome = read(signed(7), written.replace("martlet", "martlex").as_bytes(), 9).await;
    let Err(BodyError::ChunkSignatureMismatch(told)) = outcome else { panic!("{outcome:?}") };
    let lines: Vec<&str> = told.string_to_sign.lines().collect();
    assert_eq!(lines[..2], ["AWS4-HMAC-SHA256-PAYLOAD", "20130524T000000Z"]);
    assert_eq!(lines[3], SEED);
    assert_eq!(told.claimed, written["7;chunk-signature=".len()..][..64]);
}

#[tokio::test]
async fn only_the_last_signed_chunk_may_be_small() {
    let small = async |sizes: [usize; 2]| {
        let framing = Framing { chunk_bytes_min: 4, ..signed(7) };
        let mut signing = chain(SEED);
        let mut written = Vec::new();
        for chunk in [&b"martlet"[..sizes[0]], &b"martlet"[sizes[0]..], b""] {
            let signature = hex(&signing.chunk(&Sha256::digest(chunk).into()));
            written.extend_from_slice(format!("{:x};chunk-signature=", chunk.len()).as_bytes());
            written.extend_from_slice(&[&signature[..], b"\r\n", chunk, b"\r\n"].concat());
        }
        read(framing, &written, 100).await
    };
    assert_eq!(small([4, 3]).await, Ok(b"martlet".into()));
    assert_eq!(small([3, 4]).await, Err(BodyError::ChunkTooSmall { next: 2, bytes: 3 }));
}

#[tokio::test]
async fn a_body_that_stops_early_is_refused() {
    let whole = format!("7\r\nmartlet\r\n0\r\n{CHECKSUM}:{VALUE}\r\n\r\n");
    let last_chunk = "7\r\nmartlet\r\n0\r\n".len();
    for bytes in 0..whole.len() - 2 {
        let outcome = outcome(&whole[..bytes]).await;
        let right = match &outcome {
            Err(BodyError::BadFraming(_)) => bytes != last_chunk,
            // What was announced is missed, and nothing else.
            Err(BodyError::BadTrailer(_)) => bytes == last_chunk,
            _ => false,
        };
        assert!(right, "{bytes}: {outcome:?}");
    }
    let short = format!("6\r\nmartle\r\n0\r\n{CHECKSUM}:{VALUE}\r\n\r\n");
    assert_eq!(outcome(&short).await, Err(BodyError::WrongLength { received: 6, declared: 7 }));
}

/// AWS's servers do without the last empty line where nothing is signed, and clients rely on it.
#[tokio::test]
async fn an_unsigned_body_may_stop_after_a_whole_line() {
    let whole = format!("7\r\nmartlet\r\n0\r\n{CHECKSUM}:{VALUE}\r\n");
    assert_eq!(outcome(&whole).await, Ok(b"martlet".into()));
    let bare = whole.replace("==\r\n", "==\n");
    assert!(matches!(outcome(&bare).await, Err(BodyError::BadFraming(_))));
    let none = Framing { trailing: None, ..unsigned(7) };
    assert_eq!(read(none, b"7\r\nmartlet\r\n0\r\n", 5).await, Ok(b"martlet".into()));
}

#[tokio::test]
async fn what_comes_after_the_end_means_nothing() {
    let whole = format!("7\r\nmartlet\r\n0\r\n{CHECKSUM}:{VALUE}\r\n\r\n");
    for more in ["\r\n", "x-amz-meta-a:1\r\n", "\u{1}\u{2}", "5\r\n"] {
        assert_eq!(outcome(&format!("{whole}{more}")).await, Ok(b"martlet".into()), "{more:?}");
    }
    let endless = format!("{whole}{}", "x".repeat(5000));
    assert!(matches!(outcome(&endless).await, Err(BodyError::BadTrailer(_))));
    let early = format!("7\r\nmartlet\r\n0\r\n\r\n{CHECKSUM}:{VALUE}\r\n\r\n");
    assert!(matches!(outcome(&early).await, Err(BodyError::BadTrailer(_))));
}

#[tokio::test]
async fn trailers_are_what_was_announced_and_nothing_else() {
    let with = |trailers: &str| format!("7\r\nmartlet\r\n0\r\n{trailers}\r\n");
    for (trailers, right) in [
        (format!("{CHECKSUM}:{VALUE}\r\n"), true),
        (format!("{CHECKSUM}: {VALUE} \r\n"), true),
        (format!("{CHECKSUM}:{VALUE}\n\r\n"), true),
        ("X-Amz-Checksum-Crc32c:sOO8/Q==\r\n".to_owned(), true),
        (String::new(), false),
        ("nonsense\r\n".to_owned(), false),
        ("x-amz-meta-a:1\r\n".to_owned(), false),
        (format!("{CHECKSUM}:other\r\n{CHECKSUM}:{VALUE}\r\n"), true),
        (format!("{CHECKSUM}:{VALUE}\r\nx-amz-meta-a:1\r\n"), false),
        (format!("{CHECKSUM}:{VALUE}\r\n").repeat(9), false),
        (format!("{CHECKSUM}:{VALUE}\r\nx-amz-trailer-signature:{SEED}\r\n"), false),
    ] {
        let outcome = outcome(&with(&trailers)).await;
        assert_eq!(outcome.is_ok(), right, "{trailers}: {outcome:?}");
        assert!(right || matches!(outcome, Err(BodyError::BadTrailer(_))), "{outcome:?}");
    }
    let wrong = with(&format!("{CHECKSUM}:{VALUE}\r\n{CHECKSUM}:AAAAAA==\r\n"));
    assert_eq!(outcome(&wrong).await, Err(BodyError::ChecksumMismatch { algorithm: "CRC32C" }));
}

#[tokio::test]
async fn a_signed_trailer_needs_its_signature() {
    let body = String::from_utf8(published_with_trailer()).unwrap();
    let (unsigned, _) = body.split_once("x-amz-trailer-signature").unwrap();
    let outcome = read(signed_with_trailer(66_560), unsigned.as_bytes(), 1000).await;
    assert!(matches!(outcome, Err(BodyError::BadFraming(_))));
    let other = body.replace(VALUE, "sOO8/A==");
    let outcome = read(signed_with_trailer(66_560), other.as_bytes(), 1000).await;
    assert!(is_mismatch(&outcome), "{outcome:?}");
}

fn is_mismatch(outcome: &Result<Vec<u8>, BodyError>) -> bool {
    matches!(outcome, Err(BodyError::ChunkSignatureMismatch(_)))
}

proptest! {
    #[test]
    fn a_flipped_bit_of_a_signed_body_is_refused(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut body = encode(b"a body in chunks", 7, Some(chain(SEED_WITH_TRAILER)), Some((CHECKSUM, VALUE)));
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        let outcome = futures_util::FutureExt::now_or_never(read(signed_with_trailer(16), &body, 10)).unwrap();
        let harmless = outcome.as_deref() == Ok(b"a body in chunks") && means_the_same(&body);
        prop_assert!(outcome.is_err() || harmless, "{:?}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn no_bytes_make_it_panic(body in "[0-9a-f;:\r\n=-]{0,200}", decoded_bytes in 0u64..20) {
        let body = body.as_bytes();
        for framing in [signed(decoded_bytes), signed_with_trailer(decoded_bytes), unsigned(decoded_bytes)] {
            let outcome = futures_util::FutureExt::now_or_never(read(framing, body, 3)).unwrap();
            if let Ok(plain) = outcome {
                prop_assert_eq!(plain.len() as u64, decoded_bytes);
            }
        }
    }
}

/// Whether the body says what the one that was written says, in other letters: hexadecimal sizes and
/// names of trailers have two cases, and white space around a trailer has no meaning.
fn means_the_same(body: &[u8]) -> bool {
    let written = encode(b"a body in chunks", 7, Some(chain(SEED_WITH_TRAILER)), Some((CHECKSUM, VALUE)));
    let text = |body: &[u8]| {
        let text = String::from_utf8_lossy(body).to_ascii_lowercase();
        text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    };
    text(body) == text(&written)
}
