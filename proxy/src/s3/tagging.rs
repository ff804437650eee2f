//! Tags of objects, and how tags are written.

use std::borrow::Cow;
use std::collections::BTreeSet;

use axum::response::Response;
use http::StatusCode;
use martlet_auth::Action;
use martlet_model::{
    AnnotationsChange, Conditions, ETagStyle, ObjectId, ObjectInfo, ObjectStore as _, Tags, VersionId,
};
use percent_encoding::percent_decode;

use super::headers::Headers;
use super::integrity::Integrity;
use super::refusal::Refusal;
use super::xml::{Element, Writer};
use super::{Scene, answer};
use crate::body::RequestBody;

/// The most tags of an object.
pub(super) const OBJECT_TAGS_COUNT_MAX: usize = 10;
/// The most tags of a bucket.
pub(super) const BUCKET_TAGS_COUNT_MAX: usize = 50;
/// The longest name of a tag, in characters.
const NAME_CHARACTERS_MAX: usize = 128;
/// The longest value of a tag, in characters.
const VALUE_CHARACTERS_MAX: usize = 256;
/// The largest document with tags: characters may take twelve bytes each, as references.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 512 * 1024;

const HEADER: &str = "x-amz-tagging";

impl Headers<'_> {
    /// The tags of an object that is going to be; `None`: nothing is said.
    pub(super) fn take_tags(&mut self) -> Result<Option<Tags>, Refusal> {
        let Some(text) = self.take(HEADER)? else { return Ok(None) };
        let pieces = text.split('&').filter(|piece| !piece.is_empty());
        let pairs = pieces.map(parse_pair).collect::<Option<Vec<_>>>();
        let pairs = pairs.ok_or(Refusal::argument(HEADER, "it is not name=value pairs with & between"))?;
        collect(pairs, OBJECT_TAGS_COUNT_MAX).map(Some)
    }
}

fn parse_pair(piece: &str) -> Option<(String, String)> {
    let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode(spaced.as_bytes()).decode_utf8().ok().map(Cow::into_owned)
    };
    Some((decode(name)?, decode(value)?))
}

impl Scene<'_> {
    pub(super) async fn tags(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
    ) -> Result<Response, Refusal> {
        let action = match version {
            None => Action::GetObjectTagging,
            Some(_) => Action::GetObjectVersionTagging,
        };
        let none = Conditions::none(ETagStyle::S3);
        let info = self.store.head_for(action, object, version, &none).await?;
        let mut response = answer::xml(write(&info.annotations.tags));
        set_version(&mut response, &info, version);
        Ok(response)
    }

    pub(super) async fn set_tags(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
        (integrity, body): (Integrity, RequestBody),
    ) -> Result<Response, Refusal> {
        let document = integrity.document(body, DOCUMENT_BYTES_MAX).await?;
        let tags = read(&document, OBJECT_TAGS_COUNT_MAX)?;
        self.change_tags(object, version, tags, StatusCode::OK).await
    }

    pub(super) async fn remove_tags(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
    ) -> Result<Response, Refusal> {
        self.change_tags(object, version, Tags::default(), StatusCode::NO_CONTENT).await
    }

    async fn change_tags(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
        tags: Tags,
        status: StatusCode,
    ) -> Result<Response, Refusal> {
        let change = AnnotationsChange { acl: None, tags: Some(tags) };
        let info = self.store.annotate(object, version, change).await?;
        let mut response = answer::empty(status);
        set_version(&mut response, &info, version);
        Ok(response)
    }
}

/// Tells which version it was: the one that was found, or as it was asked for.
fn set_version(response: &mut Response, info: &ObjectInfo, asked: Option<VersionId>) {
    if let Some(version) = info.version.or(asked) {
        answer::set_version(response.headers_mut(), version);
    }
}

/// Reads a document with at most so many tags.
pub(super) fn read(document: &[u8], count_max: usize) -> Result<Tags, Refusal> {
    let root = Element::read(document, "Tagging")?;
    let [set] = &root.children[..] else {
        return Err(Refusal::MalformedXml("Tagging must have one TagSet"));
    };
    if set.name != "TagSet" {
        return Err(Refusal::MalformedXml("Tagging must have one TagSet"));
    }
    let pairs = set.children.iter().map(read_tag).collect::<Result<Vec<_>, _>>()?;
    collect(pairs, count_max)
}

fn read_tag(tag: &Element) -> Result<(String, String), Refusal> {
    if tag.name != "Tag" {
        return Err(Refusal::MalformedXml("TagSet has an unknown element"));
    }
    let (mut name, mut value) = (None, None);
    for element in &tag.children {
        let place = match element.name.as_str() {
            "Key" => &mut name,
            "Value" => &mut value,
            _ => return Err(Refusal::MalformedXml("Tag has an unknown element")),
        };
        if place.replace(element.exact_text()?.to_owned()).is_some() {
            return Err(Refusal::MalformedXml("Tag has an element twice"));
        }
    }
    name.zip(value).ok_or(Refusal::MalformedXml("Tag must have Key and Value"))
}

pub(super) fn write(tags: &Tags) -> Writer {
    let mut xml = Writer::new("Tagging");
    xml.open("TagSet");
    for (name, value) in tags.iter() {
        xml.open("Tag").text("Key", name).text("Value", value).close("Tag");
    }
    xml.close("TagSet");
    xml
}

fn collect(pairs: Vec<(String, String)>, count_max: usize) -> Result<Tags, Refusal> {
    if pairs.len() > count_max {
        return Err(Refusal::Tag("there are too many"));
    }
    let mut names = BTreeSet::new();
    for (name, value) in &pairs {
        if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
            return Err(Refusal::Tag("a name doesn't have 1 to 128 characters"));
        }
        if value.chars().count() > VALUE_CHARACTERS_MAX {
            return Err(Refusal::Tag("a value has more than 256 characters"));
        }
        if !names.insert(name) {
            return Err(Refusal::Tag("two have the same name"));
        }
    }
    Ok(pairs.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn of_header(text: &'static str) -> Result<Vec<(String, String)>, Refusal> {
        let mut all = HeaderMap::new();
        all.insert(HEADER, HeaderValue::from_static(text));
        let tags = Headers::new(&all).take_tags()?.unwrap();
        Ok(tags.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_header_has_tags_like_a_query() {
        assert_eq!(of_header("a=1&b=2").unwrap(), pairs(&[("a", "1"), ("b", "2")]));
        assert_eq!(of_header("b=%C3%BC%26+x&a").unwrap(), pairs(&[("a", ""), ("b", "ü& x")]));
        assert_eq!(of_header("").unwrap(), pairs(&[]));
        assert!(matches!(of_header("a=%FF"), Err(Refusal::Argument(_))));
        for text in ["a=1&a=2", "=1", "a&b&c&d&e&f&g&h&i&j&k"] {
            assert!(matches!(of_header(text), Err(Refusal::Tag(_))), "{text}");
        }
    }

    fn of_document(inner: &str) -> Result<Tags, Refusal> {
        read(format!("<Tagging><TagSet>{inner}</TagSet></Tagging>").as_bytes(), OBJECT_TAGS_COUNT_MAX)
    }

    #[test]
    fn tags_are_read_as_they_are_written() {
        let tags: Tags = pairs(&[("a b", "<&>"), ("ü", "")]).into_iter().collect();
        assert_eq!(read(write(&tags).finish().as_bytes(), OBJECT_TAGS_COUNT_MAX).unwrap(), tags);
        assert_eq!(of_document("").unwrap(), Tags::default());
    }

    #[test]
    fn tags_are_bounded() {
        let tag = |name: &str, value: &str| format!("<Tag><Key>{name}</Key><Value>{value}</Value></Tag>");
        let ten: String = (0..10).map(|number| tag(&number.to_string(), "x")).collect();
        assert_eq!(of_document(&ten).unwrap().len(), 10);
        assert!(matches!(of_document(&(ten + &tag("k", "x"))), Err(Refusal::Tag(_))));
        assert!(of_document(&tag(&"ü".repeat(128), &"ü".repeat(256))).is_ok());
        assert!(matches!(of_document(&tag(&"a".repeat(129), "")), Err(Refusal::Tag(_))));
        assert!(matches!(of_document(&tag("a", &"a".repeat(257))), Err(Refusal::Tag(_))));
        assert!(matches!(of_document(&tag("a", "").repeat(2)), Err(Refusal::Tag(_))));
        for inner in
            ["<Tag/>", "<Tag><Key>a</Key></Tag>", "<Else/>", "<Tag><Key>a</Key><Value/><More/></Tag>"]
        {
            assert!(matches!(of_document(inner), Err(Refusal::MalformedXml(_))), "{inner}");
        }
    }
}
