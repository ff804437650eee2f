//! The list of segments that a client sends: JSON, checked entry by entry, with Swift's words for what is wrong.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use martlet_model::{ByteRange, ETagStyle, ObjectId, ObjectInfo, Shape, Span, Timestamp};
use serde_json::{Map, Value};

use super::super::date;
use super::super::joined;
use super::super::listing::CONTENT_TYPE_UNKNOWN;
use super::super::ranges;
use super::super::refusal::Refusal;
use super::manifest::{self, StoredSegment};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An entry of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GivenSegment {
    /// Bytes, in Base64.
    Inline(String),
    Object(GivenObject),
}

/// An object, or a range of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GivenObject {
    pub(super) path: String,
    etag: Option<String>,
    /// What the object's length must be.
    bytes: Option<u64>,
    range: Option<ByteRange>,
}

/// Reads the list for the object `own`.
pub(super) fn parse(list: &Bytes, own: &ObjectId) -> Result<Vec<GivenSegment>, Refusal> {
    let list: Value = serde_json::from_slice(list)
        .map_err(|_| Refusal::Malformed("Manifest must be valid JSON.\n".into()))?;
    let Value::Array(entries) = list else {
        return Err(Refusal::Malformed("Manifest must be a list.\n".into()));
    };
    let (mut segments, mut errors) = (Vec::with_capacity(entries.len()), String::new());
    let count = entries.len();
    for (index, entry) in entries.into_iter().enumerate() {
        match entry_of(entry, index + 1 == count, own) {
            Ok(segment) => segments.push(segment),
            Err(complaint) => {
                let _infallible = writeln!(errors, "Index {index}: {complaint}");
            }
        }
    }
    let is_inline = |segment: &GivenSegment| matches!(segment, GivenSegment::Inline(_));
    if errors.is_empty() && !segments.is_empty() && segments.iter().all(is_inline) {
        errors.push_str("Inline data segments require at least one object-backed segment.\n");
    }
    if errors.is_empty() { Ok(segments) } else { Err(Refusal::Malformed(errors.into())) }
}

fn entry_of(entry: Value, is_last: bool, own: &ObjectId) -> Result<GivenSegment, String> {
    let Value::Object(entry) = entry else { return Err("not a JSON object".to_owned()) };
    if entry.contains_key("data") {
        check_keys(&entry, &["data"])?;
        return inline_of(&entry);
    }
    if !entry.contains_key("path") {
        return Err("expected keys to include one of \"data\" or \"path\"".to_owned());
    }
    check_keys(&entry, &["path", "etag", "size_bytes", "range"])?;
    object_of(&entry, is_last, own).map(GivenSegment::Object).map_err(str::to_owned)
}

fn check_keys(entry: &Map<String, Value>, allowed: &[&str]) -> Result<(), String> {
    let mut extraneous: Vec<_> = entry.keys().filter(|key| !allowed.contains(&key.as_str())).collect();
    if extraneous.is_empty() {
        return Ok(());
    }
    extraneous.sort();
    let shown: Vec<_> = extraneous.into_iter().map(|key| Value::from(key.as_str()).to_string()).collect();
    Err(format!("extraneous keys {}", shown.join(", ")))
}

fn inline_of(entry: &Map<String, Value>) -> Result<GivenSegment, String> {
    let data = entry.get("data").and_then(Value::as_str).and_then(|data| BASE64.decode(data).ok());
    match data {
        None => Err("data must be valid base64".to_owned()),
        Some(data) if data.is_empty() => Err(TOO_SMALL.to_owned()),
        Some(data) => Ok(GivenSegment::Inline(BASE64.encode(data))),
    }
}

const TOO_SMALL: &str = "too small; each segment must be at least 1 byte.";

fn object_of(entry: &Map<String, Value>, is_last: bool, own: &ObjectId) -> Result<GivenObject, &'static str> {
    let path = entry.get("path").and_then(Value::as_str).ok_or("\"path\" must be a string")?;
    let etag = match entry.get("etag") {
        None | Some(Value::Null) => None,
        Some(Value::String(etag)) => Some(etag.clone()),
        Some(_) => return Err("\"etag\" must be a string or null (if provided)"),
    };
    if !path.trim_matches('/').contains('/') {
        return Err("path does not refer to an object. Path must be of the form /container/object.");
    }
    let bytes = match entry.get("size_bytes") {
        None | Some(Value::Null) => None,
        Some(value) => Some(whole_number(value).ok_or("invalid size_bytes")?),
    };
    if bytes.is_some_and(|bytes| bytes < 0 || (bytes < 1 && !is_last)) {
        return Err(TOO_SMALL);
    }
    let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok());
    if manifest::split_name(&own.container.account, path).as_ref() == Some(own) {
        return Err("manifest must not include itself as a segment");
    }
    let range = match entry.get("range") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) if text.contains(',') => return Err("multiple ranges (only one allowed)"),
        Some(Value::String(text)) => Some(ranges::byte_range(&text.replace(' ', "")).ok_or("invalid range")?),
        Some(_) => return Err("invalid range"),
    };
    if let (Some(range), Some(bytes)) = (range, bytes)
        && range.of(bytes).is_none()
    {
        return Err("unsatisfiable range");
    }
    Ok(GivenObject { path: path.to_owned(), etag, bytes, range })
}

/// A number, or digits in quotes. Swift cuts off what stands behind the point, and so is this.
fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a length that is so long can't be right anyway"
            )]
            number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

impl GivenObject {
    /// The segment as it is stored, if the object is as the list says. Otherwise all that is wrong with it.
    pub(super) fn check(&self, info: &ObjectInfo, is_last: bool) -> Result<StoredSegment, Vec<&'static str>> {
        let bytes = info.content.bytes;
        let mut problems = Vec::new();
        let span = match self.range.map(|range| range.of(bytes)) {
            None => Span::whole(bytes),
            Some(Some(span)) => span,
            Some(None) => {
                problems.push("Unsatisfiable Range");
                Span::whole(bytes)
            }
        };
        if span.bytes() < 1 && !is_last {
            problems.push("Too small; each segment must be at least 1 byte.");
        }
        if self.bytes.is_some_and(|given| given != bytes) {
            problems.push("Size Mismatch");
        }
        let hash = info.content.etag(ETagStyle::Swift);
        if self.etag.as_ref().is_some_and(|given| given.trim_matches('"') != hash) {
            problems.push("Etag Mismatch");
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let content_type = info.metadata.content_type.as_deref().unwrap_or(CONTENT_TYPE_UNKNOWN);
        let shown = Timestamp::from_micros(date::shown_seconds(info.modified) * 1_000_000);
        Ok(StoredSegment::Object {
            name: format!("/{}", self.path.trim_start_matches('/')),
            bytes,
            hash,
            content_type: content_type.to_owned(),
            last_modified: date::in_listing(shown),
            range: (span != Span::whole(bytes))
                .then(|| format!("{}-{}", span.start, span.end.saturating_sub(1))),
            sub_slo: info.shape != Shape::Plain || joined::is_joined(info),
        })
    }
}

#[cfg(test)]
mod tests {
    use martlet_model::{AccountName, Content, Digest, Md5, ObjectMetadata};

    use super::*;

    fn own() -> ObjectId {
        manifest::split_name(&AccountName::parse(b"AUTH_a").unwrap(), "/c/own").unwrap()
    }

    #[track_caller]
    fn check_refused(list: &str, expected: &str) {
        match parse(&Bytes::copy_from_slice(list.as_bytes()), &own()) {
            Err(Refusal::Malformed(text)) => assert_eq!(text, expected, "{list}"),
            other => panic!("{list}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        check_refused("", "Manifest must be valid JSON.\n");
        check_refused("{", "Manifest must be valid JSON.\n");
        check_refused("{}", "Manifest must be a list.\n");
        check_refused(&"[".repeat(100_000), "Manifest must be valid JSON.\n");
    }

    #[test]
    fn every_entry_that_is_wrong_is_named() {
        check_refused(
            r#"[1, {}, {"path": 1}, {"path": "/c"}, {"path": "/c/o", "size_bytes": "x"}, {"path": "/c/o", "size_bytes": 0},
                {"path": "/c/own"}, {"path": "/c/o", "etag": 1}, {"path": "/c/o", "b": 1, "a": 2}]"#,
            "Index 0: not a JSON object\n\
             Index 1: expected keys to include one of \"data\" or \"path\"\n\
             Index 2: \"path\" must be a string\n\
             Index 3: path does not refer to an object. Path must be of the form /container/object.\n\
             Index 4: invalid size_bytes\n\
             Index 5: too small; each segment must be at least 1 byte.\n\
             Index 6: manifest must not include itself as a segment\n\
             Index 7: \"etag\" must be a string or null (if provided)\n\
             Index 8: extraneous keys \"a\", \"b\"\n",
        );
        check_refused(
            r#"[{"path": "/c/o", "range": "x"}, {"path": "/c/o", "range": "0-1,3-4"},
                {"path": "/c/o", "range": "10-", "size_bytes": 10}, {"path": "/c/o", "range": 7}]"#,
            "Index 0: invalid range\nIndex 1: multiple ranges (only one allowed)\nIndex 2: unsatisfiable range\n\
             Index 3: invalid range\n",
        );
        check_refused(
            r#"[{"data": "?"}, {"data": ""}, {"data": 1}, {"data": "YQ==", "path": "/c/o"}]"#,
            "Index 0: data must be valid base64\nIndex 1: too small; each segment must be at least 1 byte.\n\
             Index 2: data must be valid base64\nIndex 3: extraneous keys \"path\"\n",
        );
        check_refused(
            r#"[{"data": "YQ=="}]"#,
            "Inline data segments require at least one object-backed segment.\n",
        );
    }

    fn parsed(list: &str) -> Vec<GivenSegment> {
        parse(&Bytes::copy_from_slice(list.as_bytes()), &own()).unwrap()
    }

    #[test]
    fn entries_are_read() {
        let found = parsed(
            r#"[{"path": "c/o", "etag": null, "size_bytes": "12", "range": "-5"}, {"data": "YQ=="}, {"path": "/c/p", "size_bytes": 0}]"#,
        );
        let object =
            GivenObject { path: "c/o".into(), etag: None, bytes: Some(12), range: Some(ByteRange::Last(5)) };
        assert_eq!(found[0], GivenSegment::Object(object));
        assert_eq!(found[1], GivenSegment::Inline("YQ==".into()));
        assert_eq!(found.len(), 3);
        assert_eq!(parsed("[]"), []);
    }

    fn info(body: &[u8]) -> ObjectInfo {
        let content = Content { bytes: body.len() as u64, digest: Digest::Whole(Md5::of(body)) };
        ObjectInfo::new(content, ObjectMetadata::default(), Timestamp::from_micros(1_500_000))
    }

    #[track_caller]
    fn check_against(entry: &str, body: &[u8], expected: Result<Option<&str>, &[&str]>) {
        let found = parsed(&format!("[{entry}, {{\"path\": \"/c/last\"}}]"));
        let GivenSegment::Object(given) = &found[0] else { panic!("{entry}") };
        match (given.check(&info(body), false), expected) {
            (Ok(StoredSegment::Object { range, .. }), Ok(expected)) => {
                assert_eq!(range.as_deref(), expected, "{entry}");
            }
            (Err(problems), Err(expected)) => assert_eq!(problems, expected, "{entry}"),
            (found, _) => panic!("{entry}: {found:?}"),
        }
    }

    #[test]
    fn a_segment_must_be_what_the_list_says() {
        check_against(r#"{"path": "/c/o"}"#, b"abc", Ok(None));
        check_against(
            r#"{"path": "/c/o", "size_bytes": 3, "etag": "900150983cd24fb0d6963f7d28e17f72"}"#,
            b"abc",
            Ok(None),
        );
        check_against(r#"{"path": "/c/o", "range": "1-"}"#, b"abc", Ok(Some("1-2")));
        check_against(r#"{"path": "/c/o", "range": "0-7"}"#, b"abc", Ok(None));
        check_against(r#"{"path": "/c/o", "range": "3-"}"#, b"abc", Err(&["Unsatisfiable Range"]));
        check_against(r#"{"path": "/c/o"}"#, b"", Err(&["Too small; each segment must be at least 1 byte."]));
        check_against(
            r#"{"path": "/c/o", "size_bytes": 4, "etag": "x"}"#,
            b"abc",
            Err(&["Size Mismatch", "Etag Mismatch"]),
        );
    }
}
