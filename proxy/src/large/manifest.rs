//! The list of segments of a static large object, as it is stored and shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use martlet_model::{AccountName, ContainerId, ContainerName, ObjectId, ObjectKey, Span};
use serde::{Deserialize, Serialize};

use super::plan::{Segment, SegmentOf};

/// An entry of the list, in Swift's form: `?multipart-manifest=get` shows the list as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum StoredSegment {
    Inline {
        /// In Base64.
        data: String,
    },
    Object {
        /// `/container/object`
        name: String,
        /// The length of the object, not of the range.
        bytes: u64,
        hash: String,
        content_type: String,
        last_modified: String,
        /// `first-last`, both included; absent where it is the whole object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sub_slo: bool,
    },
}

/// The list for storing.
pub(crate) fn encode(segments: &[StoredSegment]) -> Vec<u8> {
    serde_json::to_vec(segments).expect("text and numbers are always JSON")
}

/// Reads a stored list. `None`: it isn't one.
pub(crate) fn decode(list: &[u8]) -> Option<Vec<StoredSegment>> {
    serde_json::from_slice(list).ok()
}

/// The segments that a stored list names; they are in the account of the manifest.
pub(super) fn segments(list: &[u8], account: &AccountName) -> Option<Vec<Segment>> {
    decode(list)?.into_iter().map(|segment| segment.read(account)).collect()
}

/// The container and the object of `/container/object`; slashes in front are of no account.
pub(crate) fn split_name<'a>(account: &AccountName, name: &'a str) -> Option<ObjectId> {
    let (container, key): (&'a str, &'a str) = name.trim_start_matches('/').split_once('/')?;
    let name = ContainerName::parse(container.as_bytes()).ok()?;
    let key = ObjectKey::parse(key.to_owned()).ok()?;
    Some(ObjectId { container: ContainerId { account: account.clone(), name }, key })
}

impl StoredSegment {
    pub(crate) fn read(self, account: &AccountName) -> Option<Segment> {
        match self {
            Self::Inline { data } => Some(Segment::Inline(STANDARD.decode(data).ok()?.into())),
            Self::Object { name, bytes, hash, range, .. } => {
                let span = match range {
                    None => Span::whole(bytes),
                    Some(range) => {
                        let (first, last) = range.split_once('-')?;
                        Span { start: first.parse().ok()?, end: last.parse::<u64>().ok()?.checked_add(1)? }
                    }
                };
                if span.start > span.end || span.end > bytes {
                    return None;
                }
                let id = split_name(account, &name)?;
                Some(Segment::Object(SegmentOf { id, version: None, etag: hash, bytes, span }))
            }
        }
    }
}

/// The list in the form that `?multipart-manifest=put` takes.
pub(crate) fn raw(segments: Vec<StoredSegment>) -> Vec<u8> {
    let entries: Vec<_> = segments.into_iter().map(RawSegment::from).collect();
    serde_json::to_vec(&entries).expect("text and numbers are always JSON")
}

/// The names ascend, as in Swift.
#[derive(Serialize)]
#[serde(untagged)]
enum RawSegment {
    Inline {
        data: String,
    },
    Object {
        etag: String,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        range: Option<String>,
        size_bytes: u64,
    },
}

impl From<StoredSegment> for RawSegment {
    fn from(segment: StoredSegment) -> Self {
        match segment {
            StoredSegment::Inline { data } => Self::Inline { data },
            StoredSegment::Object { name, bytes, hash, range, .. } => {
                Self::Object { etag: hash, path: name, range, size_bytes: bytes }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(range: Option<&str>) -> StoredSegment {
        StoredSegment::Object {
            name: "/c/d/o".into(),
            bytes: 10,
            hash: "h".into(),
            content_type: "text/plain".into(),
            last_modified: "2011-06-30T08:20:47.000000".into(),
            range: range.map(str::to_owned),
            sub_slo: false,
        }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let list = vec![stored(None), StoredSegment::Inline { data: "YQ==".into() }, stored(Some("2-4"))];
        assert_eq!(decode(&encode(&list)), Some(list));
    }

    #[test]
    fn a_list_names_segments() {
        let account = AccountName::parse(b"a").unwrap();
        let list = encode(&[stored(Some("2-4")), StoredSegment::Inline { data: "YQ==".into() }]);
        let segments = segments(&list, &account).unwrap();
        let Segment::Object(first) = &segments[0] else { panic!("{segments:?}") };
        assert_eq!((first.span, first.bytes), (Span { start: 2, end: 5 }, 10));
        assert_eq!((first.id.container.name.as_str(), first.id.key.as_str()), ("c", "d/o"));
        assert_eq!(segments[1], Segment::Inline("a".into()));
    }

    #[test]
    fn what_is_no_list_has_no_segments() {
        let account = AccountName::parse(b"a").unwrap();
        for bad in ["", "{}", "[1]", "[{\"data\":\"?\"}]"] {
            assert_eq!(segments(bad.as_bytes(), &account), None, "{bad}");
        }
        for range in ["4-2", "9-10", "x-1", "1"] {
            assert_eq!(segments(&encode(&[stored(Some(range))]), &account), None, "{range}");
        }
    }

    #[test]
    fn the_raw_form_is_what_is_put() {
        let raw = String::from_utf8(raw(vec![stored(Some("2-4"))])).unwrap();
        assert_eq!(raw, r#"[{"etag":"h","path":"/c/d/o","range":"2-4","size_bytes":10}]"#);
    }
}
