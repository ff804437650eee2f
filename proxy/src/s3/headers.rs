//! Request headers, typed. Of `x-amz-*` there is an allow-list: what no operation has taken is refused.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_RANGE, CONTENT_TYPE,
    EXPIRES, HeaderName,
};
use http::{HeaderMap, HeaderValue};
use martlet_model::metadata::MetadataError;
use martlet_model::{Error, ObjectMetadata, UserMetadata};

use super::refusal::Refusal;

/// S3's limit on user metadata: names and values together.
pub(super) const USER_METADATA_S3_BYTES_MAX: usize = 2048;

const AMZ_PREFIX: &str = "x-amz-";
const META_PREFIX: &str = "x-amz-meta-";

/// Announces the checksum that follows the body.
pub(super) const TRAILER: &str = "x-amz-trailer";
/// The length of the body without its chunks' heads.
pub(super) const DECODED_BYTES: &str = "x-amz-decoded-content-length";

/// These say nothing that an operation would have to heed: the signature's own and what goes with it,
/// judged where the caller is identified, and who programmed the client.
const AMZ_OF_EVERY_REQUEST: [&str; 6] = [
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
    TRAILER,
    DECODED_BYTES,
    "x-amz-user-agent",
];

/// The headers of a request, and which of the `x-amz-*` nobody has taken yet.
#[derive(Debug)]
pub(super) struct Headers<'a> {
    pub(super) all: &'a HeaderMap,
    untaken: Vec<&'a str>,
}

impl<'a> Headers<'a> {
    pub(super) fn new(all: &'a HeaderMap) -> Self {
        let untaken = all.keys().map(HeaderName::as_str);
        let untaken = untaken.filter(|name| name.starts_with(AMZ_PREFIX));
        let untaken = untaken.filter(|name| !AMZ_OF_EVERY_REQUEST.contains(name));
        Self { all, untaken: untaken.collect() }
    }

    /// The `x-amz-*` headers that nobody has taken yet.
    pub(super) fn untaken(&self) -> impl Iterator<Item = &'a str> {
        self.untaken.iter().copied()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// Takes an `x-amz-*` header; one that is there twice has no meaning.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        self.take_as(name, |value| value.to_str().ok())
    }

    /// The same, beyond ASCII: clients don't percent-encode everything that they should.
    pub(super) fn take_utf8(&mut self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        self.take_as(name, |value| std::str::from_utf8(value.as_bytes()).ok())
    }

    fn take_as(
        &mut self,
        name: &'static str,
        read: fn(&'a HeaderValue) -> Option<&'a str>,
    ) -> Result<Option<&'a str>, Refusal> {
        let Some(at) = self.untaken.iter().position(|untaken| *untaken == name) else { return Ok(None) };
        self.untaken.swap_remove(at);
        let mut values = self.all.get_all(name).iter();
        match (values.next().map(read), values.next()) {
            (None, _) => Ok(None),
            (Some(Some(value)), None) => Ok(Some(value)),
            (Some(Some(_)), Some(_)) => Err(Refusal::argument(name, "it is there more than once")),
            (Some(None), _) => Err(Refusal::argument(name, "it is not text")),
        }
    }

    /// Takes a header that is a list: of several, all, with commas between.
    pub(super) fn take_list(&mut self, name: &'static str) -> Result<String, Refusal> {
        self.untaken.retain(|untaken| *untaken != name);
        let values: Result<Vec<_>, _> = self.all.get_all(name).iter().map(HeaderValue::to_str).collect();
        values.map(|values| values.join(",")).map_err(|_| Refusal::argument(name, "it is not text"))
    }

    /// Takes a header that is a number.
    pub(super) fn take_number(&mut self, name: &'static str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.take(name)? else { return Ok(None) };
        match text.parse() {
            Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Some(number)),
            _ => Err(Refusal::argument(name, "it is not a number")),
        }
    }

    /// Takes the wish to remove also what is retained: nothing ever is, so that there is nothing to heed.
    pub(super) fn take_bypass(&mut self) -> Result<(), Refusal> {
        const BYPASS: &str = "x-amz-bypass-governance-retention";
        match self.take(BYPASS)? {
            None | Some("true" | "True" | "TRUE" | "false" | "False" | "FALSE") => Ok(()),
            Some(_) => Err(Refusal::argument(BYPASS, "it is neither true nor false")),
        }
    }

    /// Takes a header of which one value is offered, whatever it would mean otherwise.
    pub(super) fn take_only(&mut self, name: &'static str, offered: &str) -> Result<(), Refusal> {
        match self.take(name)? {
            None => Ok(()),
            Some(value) if value.eq_ignore_ascii_case(offered) => Ok(()),
            Some(value) => Err(Refusal::NotOffered(format!("{name}: {value}"))),
        }
    }

    /// Refuses whatever is left: it would have had a meaning.
    pub(super) fn check_nothing_left(&self) -> Result<(), Refusal> {
        match self.untaken.first() {
            None => Ok(()),
            Some(name) => Err(Refusal::NotOffered(format!("the header {name}"))),
        }
    }

    /// Takes the `x-amz-*` headers that somebody else reads.
    pub(super) fn pass(&mut self, are_read: impl Fn(&str) -> bool) {
        self.untaken.retain(|name| !are_read(name));
    }

    /// What a writer says about an object.
    pub(super) fn take_metadata(&mut self) -> Result<ObjectMetadata, Refusal> {
        self.take_only("x-amz-storage-class", "STANDARD")?;
        if self.all.contains_key(CONTENT_RANGE) {
            return Err(Refusal::NotOffered("writing a part of an object".to_owned()));
        }
        Ok(ObjectMetadata {
            content_type: self.text(&CONTENT_TYPE, "content-type")?,
            content_encoding: self.text(&CONTENT_ENCODING, "content-encoding")?.and_then(of_object),
            content_disposition: self.text(&CONTENT_DISPOSITION, "content-disposition")?,
            content_language: self.text(&CONTENT_LANGUAGE, "content-language")?,
            cache_control: self.text(&CACHE_CONTROL, "cache-control")?,
            expires: self.text(&EXPIRES, "expires")?,
            delete_at: None,
            dynamic_manifest: None,
            user: self.take_user_metadata()?,
        })
    }

    fn take_user_metadata(&mut self) -> Result<UserMetadata, Refusal> {
        let mut items = Vec::new();
        let mut bytes_all = 0;
        let (ours, others) =
            self.untaken.drain(..).partition::<Vec<_>, _>(|name| name.starts_with(META_PREFIX));
        self.untaken = others;
        for full in ours {
            let name = &full[META_PREFIX.len()..];
            let values: Vec<&[u8]> = self.all.get_all(full).iter().map(HeaderValue::as_bytes).collect();
            let value = String::from_utf8(values.join(&b","[..]))
                .map_err(|_| Refusal::argument("x-amz-meta-*", "it is not valid UTF-8"))?;
            if name.is_empty() {
                return Err(Refusal::argument("x-amz-meta-*", "it has no name"));
            }
            bytes_all += name.len() + value.len();
            items.push((name.to_owned(), value));
        }
        if bytes_all > USER_METADATA_S3_BYTES_MAX {
            return Err(Error::from(MetadataError::TooLarge { bytes: bytes_all }).into());
        }
        UserMetadata::collect(items).map_err(|error| Error::from(error).into())
    }

    /// A header's value as text; of several, all, with commas between.
    pub(super) fn text(&self, name: &HeaderName, label: &'static str) -> Result<Option<String>, Refusal> {
        let values: Vec<&[u8]> = self.all.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if values.is_empty() {
            return Ok(None);
        }
        let text = String::from_utf8(values.join(&b", "[..]));
        text.map(Some).map_err(|_| Refusal::argument(label, "it is not valid UTF-8"))
    }
}

/// The encoding of an object: without `aws-chunked`, which is one of the way that it took. An empty one is none.
fn of_object(encoding: String) -> Option<String> {
    let is_of_way = |coding: &str| coding.trim().eq_ignore_ascii_case("aws-chunked");
    if !encoding.trim().is_empty() && !encoding.split(',').any(is_of_way) {
        return Some(encoding);
    }
    let codings: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !is_of_way(coding))
        .collect();
    (!codings.is_empty()).then(|| codings.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_of_the_way_is_not_the_objects() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(of_object(text.to_owned()).as_deref(), expected, "{text}");
        };
        check("aws-chunked", None);
        check("AWS-Chunked,", None);
        check("gzip,aws-chunked", Some("gzip"));
        check("aws-chunked, gzip, br, aws-chunked", Some("gzip, br"));
        check("gzip,br", Some("gzip,br"));
        check("", None);
        check(" ", None);
    }

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = headers.iter();
        pairs.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn what_nobody_takes_is_refused() {
        let all = map(&[("x-amz-date", "x"), ("x-amz-storage-class", "STANDARD"), ("x-amz-tagging", "a=b")]);
        let mut headers = Headers::new(&all);
        headers.take_metadata().unwrap();
        assert!(
            matches!(headers.check_nothing_left(), Err(Refusal::NotOffered(what)) if what.contains("x-amz-tagging"))
        );
    }

    #[test]
    fn another_storage_class_is_not_offered() {
        let all = map(&[("x-amz-storage-class", "GLACIER")]);
        assert!(matches!(Headers::new(&all).take_metadata(), Err(Refusal::NotOffered(_))));
    }

    #[test]
    fn user_metadata_is_bounded() {
        let long: &'static str = "x".repeat(USER_METADATA_S3_BYTES_MAX).leak();
        let all = map(&[("x-amz-meta-a", long)]);
        assert!(matches!(
            Headers::new(&all).take_metadata(),
            Err(Refusal::Store(Error::Metadata(MetadataError::TooLarge { .. })))
        ));
        let all = map(&[("x-amz-meta-a", "1"), ("x-amz-meta-empty", "")]);
        let metadata = Headers::new(&all).take_metadata().unwrap();
        assert_eq!(metadata.user.iter().collect::<Vec<_>>(), [("a", &b"1"[..]), ("empty", b"")]);
    }
}
