//! Forms read part by part, well-formed and not.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use martlet_model::store::whole_body;
use proptest::prelude::*;

use super::*;

fn headers(content_type: &str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap())])
}

/// A body that comes in pieces of so many bytes.
fn pieces(body: &[u8], bytes: usize) -> ByteStream {
    let pieces: Vec<_> = body.chunks(bytes).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Box::pin(futures_util::stream::iter(pieces))
}

fn open(body: ByteStream) -> Form {
    Form::open(&headers("multipart/form-data; boundary=b1"), body).unwrap()
}

/// Names and contents.
async fn read(body: ByteStream) -> Result<Vec<(String, Vec<u8>)>, FormError> {
    let mut form = open(body);
    let mut parts = Vec::new();
    while let Some(Part { head, content }) = form.next().await? {
        parts.push((head.name, content.collect(1024).await?.to_vec()));
    }
    Ok(parts)
}

fn text(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        body.extend(format!("--b1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").bytes());
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(b"--b1--\r\n");
    body
}

#[track_caller]
fn check_boundary(content_type: &str, expected: Option<&str>) {
    assert_eq!(head::boundary(&headers(content_type)).as_deref(), expected, "{content_type}");
}

#[test]
fn a_form_says_how_its_parts_are_told_apart() {
    check_boundary("multipart/form-data; boundary=b1", Some("b1"));
    check_boundary("Multipart/Form-Data;charset=utf-8; Boundary=\"b 1\"", Some("b 1"));
    for other in ["multipart/form-data", "multipart/mixed; boundary=b", "multipart/form-data; boundary="] {
        check_boundary(other, None);
    }
    check_boundary(&format!("multipart/form-data; boundary={}", "b".repeat(71)), None);
    assert_eq!(head::boundary(&HeaderMap::new()), None);
}

#[track_caller]
fn check_head(lines: &str, expected: Option<(&str, Option<&str>, Option<&str>)>) {
    let head = PartHead::read(lines.as_bytes()).ok();
    let expected = expected.map(|(name, filename, content_type)| PartHead {
        name: name.to_owned(),
        filename: filename.map(str::to_owned),
        content_type: content_type.map(str::to_owned),
    });
    assert_eq!(head, expected, "{lines}");
}

#[test]
fn heads_of_parts() {
    check_head("\r\nContent-Disposition: form-data; name=\"key\"", Some(("key", None, None)));
    check_head(
        "content-type: text/plain\r\ncontent-disposition:form-data;name=file; filename=\"a;b\\c \\\"d\\\".txt\"",
        Some(("file", Some("a;b\\c \"d\".txt"), Some("text/plain"))),
    );
    check_head("Content-Disposition: form-data; name=\"\"; filename=\"\"", Some(("", Some(""), None)));
    for lines in [
        "",
        "Content-Type: text/plain",
        "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=\"x\"",
        "Content-Disposition: form-data; filename=\"x\"",
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
        "nonsense",
    ] {
        check_head(lines, None);
    }
    assert!(PartHead::read(b"Content-Disposition: form-data; name=\"\xff\"").is_err());
}

#[tokio::test]
async fn what_is_around_the_parts_is_passed_over() {
    let body = [b"preamble\r\n--b\r\n".to_vec(), text(&[("a", b"1")]), b"epilogue\r\n--b1".to_vec()].concat();
    assert_eq!(read(pieces(&body, 5)).await, Ok(vec![("a".to_owned(), b"1".to_vec())]));
}

#[tokio::test]
async fn a_part_can_be_left_unread() {
    let body = text(&[("a", &[b'x'; 5000]), ("b", b"2")]);
    let mut form = open(pieces(&body, 100));
    let mut first = form.next().await.unwrap().unwrap();
    assert!(first.content.try_next().await.unwrap().is_some());
    let second = form.next().await.unwrap().unwrap();
    assert_eq!(second.head.name, "b");
    assert!(first.content.try_next().await.is_err());
    assert_eq!(second.content.collect(1).await.unwrap(), "2");
    assert!(form.next().await.unwrap().is_none());
}

#[tokio::test]
async fn fields_and_heads_are_bounded() {
    let body = text(&[("a", &[b'x'; 1025])]);
    assert_eq!(read(pieces(&body, 4096)).await, Err(FormError::FieldTooLarge { bytes_max: 1024 }));
    let body = text(&[(&"n".repeat(9000), b"")]);
    for bytes in [1000, 20_000] {
        assert!(matches!(read(pieces(&body, bytes)).await, Err(FormError::Malformed(_))));
    }
    let body = text(&vec![("a", &b""[..]); 1001]);
    assert!(matches!(read(pieces(&body, 4096)).await, Err(FormError::Malformed(_))));
}

#[tokio::test]
async fn a_form_without_its_end_is_none() {
    let body = text(&[("a", b"1"), ("b", b"2")]);
    for bytes in 0..body.len() - 4 {
        assert!(read(pieces(&body[..bytes], 7)).await.is_err(), "{bytes}");
    }
    assert!(read(whole_body("--b1x\r\n\r\n")).await.is_err());
}

/// What comes in is asked for only when there is nothing left to give.
#[tokio::test]
async fn no_more_is_taken_in_than_is_given_out() {
    let head = text(&[("file", b"")]);
    let head = Bytes::copy_from_slice(&head[..head.len() - b"\r\n--b1--\r\n".len()]);
    let taken = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = taken.clone();
    let endless = std::iter::once(head).chain(std::iter::repeat_with(move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Bytes::from_static(&[b'\r'; 1000])
    }));
    let mut form = open(Box::pin(futures_util::stream::iter(endless.map(Ok))));
    let mut content = form.next().await.unwrap().unwrap().content;
    for _ in 0..50 {
        content.try_next().await.unwrap().unwrap();
    }
    assert!(taken.load(std::sync::atomic::Ordering::Relaxed) <= 51);
}

proptest! {
    #[test]
    fn parts_are_the_same_however_they_come_in(
        contents in prop::collection::vec("(\r|\n|-|--b1|\r\n--b|x){0,12}", 0..4),
        bytes in 1usize..40,
    ) {
        prop_assume!(contents.iter().all(|content| !format!("\r\n{content}").contains("\r\n--b1")));
        let parts: Vec<(&str, &[u8])> = contents.iter().map(|content| ("n", content.as_bytes())).collect();
        let found = futures_util::FutureExt::now_or_never(read(pieces(&text(&parts), bytes))).unwrap().unwrap();
        let expected: Vec<_> = parts.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_form_brings_the_reader_down(body in "(\r\n|--b1|--|:|;|=|\"|\\\\|content-disposition: form-data; name=a|x){0,30}") {
        let _ = futures_util::FutureExt::now_or_never(read(pieces(body.as_bytes(), 9)));
    }
}
