//! Which bytes of which segments make up the bytes that are wanted: pure.

use bytes::Bytes;
use martlet_model::{Content, Digest, Md5, ObjectId, Span, VersionId};
use md5::{Digest as _, Md5 as Md5Hasher};

/// A segment of a large object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Bytes that stand in the manifest itself.
    Inline(Bytes),
    Object(SegmentOf),
}

/// An object, or a part of one, that is a segment of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentOf {
    pub(crate) id: ObjectId,
    /// `None`: the current one.
    pub(crate) version: Option<VersionId>,
    /// The ETag, as Swift has it, that the object must have.
    pub(crate) etag: String,
    /// How long the object must be.
    pub(crate) bytes: u64,
    /// Which bytes of it are meant.
    pub(crate) span: Span,
}

/// What is sent next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Inline(Bytes),
    Object {
        /// With the span that is wanted.
        segment: SegmentOf,
        /// How many manifests stand above it.
        depth: usize,
    },
}

impl Segment {
    /// How many bytes it adds to the object.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Object(segment) => segment.span.bytes(),
        }
    }

    /// What it adds to the text whose MD5 is the ETag of a static large object.
    fn etag_text(&self) -> String {
        match self {
            Self::Inline(bytes) => Md5::of(bytes).to_string(),
            Self::Object(SegmentOf { etag, bytes, span, .. }) if *span == Span::whole(*bytes) => etag.clone(),
            Self::Object(SegmentOf { etag, span, .. }) => {
                format!("{etag}:{}-{};", span.start, span.end.saturating_sub(1))
            }
        }
    }
}

/// The content that reading `segments` in order gives.
///
/// Swift's ETag is the MD5 of the segments' ETags. S3's is that of a multipart object, with a segment for a part;
/// where a segment has no MD5 of its own, the text of its ETag stands for it.
pub(crate) fn joined(segments: &[Segment]) -> Content {
    let (mut of_binary, mut of_hex) = (Md5Hasher::new(), Md5Hasher::new());
    for segment in segments {
        let text = segment.etag_text();
        match Md5::from_hex(&text) {
            Some(md5) => of_binary.update(md5.0),
            None => of_binary.update(&text),
        }
        of_hex.update(text);
    }
    Content {
        bytes: segments.iter().map(Segment::bytes).fold(0, u64::saturating_add),
        digest: Digest::Parts {
            of_binary: Md5(of_binary.finalize().into()),
            of_hex: Md5(of_hex.finalize().into()),
            count: u16::try_from(segments.len()).unwrap_or(u16::MAX),
        },
    }
}

/// What has to be read, in order, for the bytes of `span` of an object made of `segments`.
pub(super) fn pieces(segments: &[Segment], span: Span, depth: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut offset = 0u64;
    for segment in segments {
        let end = offset.saturating_add(segment.bytes());
        let (from, to) = (span.start.clamp(offset, end), span.end.clamp(offset, end));
        if from < to {
            pieces.push(cut(segment, Span { start: from - offset, end: to - offset }, depth));
        }
        offset = end;
        if offset >= span.end {
            break;
        }
    }
    pieces
}

fn cut(segment: &Segment, within: Span, depth: usize) -> Piece {
    match segment {
        Segment::Inline(bytes) => {
            let position = |at: u64| usize::try_from(at).unwrap_or(bytes.len());
            Piece::Inline(bytes.slice(position(within.start)..position(within.end)))
        }
        Segment::Object(segment) => {
            let start = segment.span.start;
            let span = Span { start: start + within.start, end: start + within.end };
            Piece::Object { segment: SegmentOf { span, ..segment.clone() }, depth }
        }
    }
}

#[cfg(test)]
mod tests {
    use martlet_model::{AccountName, ContainerId, ContainerName, ETagStyle, ObjectKey};
    use proptest::prelude::*;

    use super::*;

    fn object(key: &str, bytes: u64, span: Span) -> Segment {
        let container = ContainerId {
            account: AccountName::parse(b"a").unwrap(),
            name: ContainerName::parse(b"c").unwrap(),
        };
        let id = ObjectId { container, key: ObjectKey::parse(key.to_owned()).unwrap() };
        Segment::Object(SegmentOf {
            id,
            version: None,
            etag: Md5::of(key.as_bytes()).to_string(),
            bytes,
            span,
        })
    }

    #[test]
    fn the_etag_is_the_md5_of_the_etags() {
        let whole = [object("a", 1, Span::whole(1)), object("b", 1, Span::whole(1))];
        let content = joined(&whole);
        assert_eq!(content, Content::joined(&[(1, Md5::of(b"a")), (1, Md5::of(b"b"))]));
        let ranged = joined(&[object("a", 10, Span { start: 2, end: 5 }), Segment::Inline("b".into())]);
        let text = format!("{}:2-4;{}", Md5::of(b"a"), Md5::of(b"b"));
        assert_eq!(ranged.etag(ETagStyle::Swift), Md5::of(text.as_bytes()).to_string());
        assert_eq!(ranged.bytes, 4);
    }

    #[test]
    fn nothing_is_joined_to_nothing() {
        let content = joined(&[]);
        assert_eq!((content.bytes, content.etag(ETagStyle::Swift)), (0, Md5::of(b"").to_string()));
    }

    /// What the pieces give, if every object is its own offsets as bytes.
    fn read(pieces: &[Piece]) -> Vec<u8> {
        let of = |piece: &Piece| match piece {
            Piece::Inline(bytes) => bytes.to_vec(),
            Piece::Object { segment, .. } => {
                (segment.span.start..segment.span.end).map(|at| u8::try_from(at).unwrap()).collect()
            }
        };
        pieces.iter().flat_map(of).collect()
    }

    proptest! {
        #[test]
        fn every_span_is_cut_from_the_whole(
            lengths in prop::collection::vec((0u64..8, 0u64..8, any::<bool>()), 0..6),
            start in 0u64..50,
            length in 0u64..50,
        ) {
            let segments: Vec<_> = lengths
                .iter()
                .map(|(skipped, bytes, inline)| {
                    let span = Span { start: *skipped, end: skipped + bytes };
                    if *inline {
                        Segment::Inline((span.start..span.end).map(|at| u8::try_from(at).unwrap()).collect())
                    } else {
                        object("k", 20, span)
                    }
                })
                .collect();
            let total = joined(&segments).bytes;
            let span = Span { start: start.min(total), end: (start + length).min(total) };
            let whole = read(&pieces(&segments, Span::whole(total), 1));
            let range = usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap();
            prop_assert_eq!(read(&pieces(&segments, span, 1)), whole[range].to_vec());
        }
    }
}
