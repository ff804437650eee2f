//! Every way in which Swift says no: one exhaustive match from situation to status and words.

use std::borrow::Cow;

use martlet_model::{BodyError, Error, NameError, ObjectInfo};

use super::symlink;
use crate::large::LargeError;
use crate::links::LinkError;

/// Why a request isn't carried out.
#[derive(Debug)]
pub enum Refusal {
    /// The request can't be understood, or says something impossible.
    Malformed(Cow<'static, str>),
    /// A path or a parameter is outside of what is served: Swift says 412.
    Precondition(Cow<'static, str>),
    /// A name in the path is longer than names may be.
    LongName(Cow<'static, str>),
    /// The path has an empty element before others.
    NoSuchPath,
    /// Swift knows this, and it isn't offered here. Names the header, the parameter or the method.
    NotOffered(Cow<'static, str>),
    /// The method doesn't go with what the query asks for: 405, in these words.
    WrongManifest(&'static str),
    /// The methods that this path has.
    WrongMethod { allowed: &'static str },
    /// None of the formats that the caller accepts can be had.
    NotAcceptable,
    /// A body of unknown length that isn't chunked.
    LengthRequired,
    /// The declared body is larger than an object may be.
    TooLarge,
    /// The body holds, or asks for, more than is done in one request.
    LargeManifest(Cow<'static, str>),
    /// The object has no such part, but so many. Who asked for the head alone gets no words.
    NoSuchPart { info: Box<ObjectInfo>, count: usize, is_head: bool },
    /// The segments of a large object don't make it up; the log says why.
    BrokenManifest(&'static str),
    /// The ETag that the caller expects can't be that of any object.
    ImpossibleETag,
    /// The caller's credentials are wrong, or there are none.
    Unauthorized { realm: Realm },
    /// The link by which the request comes isn't good for it.
    LinkInvalid { realm: Realm },
    /// The form isn't good for the place that it is posted to.
    FormInvalid { realm: Realm, text: String },
    /// A condition of a reader doesn't hold of this object.
    Unmatched(Box<ObjectInfo>),
    /// What is there is in the way, in these words.
    Conflict(Cow<'static, str>),
    /// A link can't be followed.
    Link(LinkError),
    /// The path is that of a link, and this is said of what it stands for, which is at `location`.
    Behind { location: String, refusal: Box<Refusal> },
    /// The store refused.
    Store(Error),
}

/// What `Www-Authenticate` asks credentials for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Realm {
    /// An account, or what stands in a path where an account should.
    Account(String),
    Unknown,
}

/// The body that goes with a status.
#[derive(Debug, PartialEq, Eq)]
pub enum Words {
    /// Text that says what was wrong.
    Plain(Cow<'static, str>),
    /// The same, called HTML: so Swift does where the words hold nothing that the caller sent.
    Html(Cow<'static, str>),
    /// Swift's page of HTML for the status.
    Page,
    /// No body at all.
    Nothing,
}

/// Seconds after which a caller may try again when too few replicas answer.
pub(super) const RETRY_AFTER_SECONDS: u64 = 2;

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<LargeError> for Refusal {
    fn from(error: LargeError) -> Self {
        match error {
            LargeError::Store(error) => error.into(),
            LargeError::Broken(reason) => Self::BrokenManifest(reason),
        }
    }
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Store(error) => error.into(),
            error => Self::Link(error),
        }
    }
}

impl Refusal {
    /// The status, and what the body says.
    pub fn answer(&self) -> (u16, Words) {
        match self {
            Self::Malformed(text) => (400, Words::Plain(text.clone())),
            Self::LongName(text) => (400, Words::Html(text.clone())),
            Self::Precondition(text) => (412, Words::Html(text.clone())),
            Self::NoSuchPath => (404, Words::Page),
            Self::NotOffered(what) => (501, Words::Plain(format!("{what} is not offered").into())),
            Self::WrongManifest(text) => (405, Words::Html((*text).into())),
            Self::WrongMethod { .. } => (405, Words::Page),
            Self::NotAcceptable => (406, Words::Page),
            Self::LengthRequired => (411, Words::Plain("Missing Content-Length header.".into())),
            Self::TooLarge => (413, Words::Plain("Your request is too large.".into())),
            Self::LargeManifest(text) => (413, Words::Html(text.clone())),
            Self::NoSuchPart { is_head: true, .. } => (416, Words::Html("".into())),
            Self::NoSuchPart { .. } => {
                (416, Words::Html("The requested part number is not satisfiable".into()))
            }
            Self::BrokenManifest(_) => (409, Words::Page),
            Self::ImpossibleETag => (422, Words::Page),
            Self::Unauthorized { .. } => (401, Words::Page),
            Self::LinkInvalid { .. } => (401, Words::Html("401 Unauthorized: Temp URL invalid\n".into())),
            Self::FormInvalid { text, .. } => (401, Words::Html(text.clone().into())),
            Self::Unmatched(_) => (412, Words::Page),
            Self::Conflict(text) => (409, Words::Plain(text.clone())),
            Self::Link(error) => (409, Words::Plain(symlink::words(error).into())),
            Self::Behind { refusal, .. } => refusal.answer(),
            Self::Store(error) => of_store(error),
        }
    }

    /// The same to who asked for the head alone.
    pub(super) fn without_words(self) -> Self {
        match self {
            Self::NoSuchPart { info, count, .. } => Self::NoSuchPart { info, count, is_head: true },
            refusal => refusal,
        }
    }

    /// The status alone.
    pub fn status(&self) -> u16 {
        self.answer().0
    }
}

/// No situation may be forgotten here: there is no arm for "all others".
fn of_store(error: &Error) -> (u16, Words) {
    match error {
        Error::NotFound(_) | Error::DeleteMarker { .. } => (404, Words::Page),
        // Whoever reads follows a link, and whoever writes means the link itself: no request can meet one.
        Error::NameTaken | Error::NotEmpty | Error::VersioningStays | Error::Link(_) => (409, Words::Page),
        Error::Denied => (403, Words::Page),
        Error::PreconditionFailed | Error::NothingToMatch => (412, Words::Page),
        Error::NotModified(_) => (304, Words::Nothing),
        Error::RangeUnsatisfiable(_) => (416, Words::Page),
        Error::Md5Mismatch { .. } => (422, Words::Page),
        Error::Body(error) => of_body(error),
        Error::Name(error) => of_name(error),
        Error::Metadata(error) => (400, Words::Plain(error.to_string().into())),
        // Swift has no multipart uploads of its own, so none of its requests can meet this.
        Error::Upload(error) => (400, Words::Plain(error.to_string().into())),
        Error::TooLarge => (413, Words::Plain("Your request is too large.".into())),
        Error::QuotaExceeded => (413, Words::Html("Upload exceeds quota.".into())),
        Error::OutOfSpace => (507, Words::Page),
        Error::Unavailable(_) | Error::OutcomeUnknown => (503, Words::Page),
        Error::Damaged(_) | Error::Internal(_) => (500, Words::Page),
    }
}

fn of_body(error: &BodyError) -> (u16, Words) {
    match error {
        BodyError::Truncated { .. } | BodyError::Disconnected => (499, Words::Page),
        BodyError::TooLarge { .. } => (413, Words::Plain("Your request is too large.".into())),
        BodyError::Sha256Mismatch { .. } | BodyError::ChecksumMismatch { .. } => (422, Words::Page),
        // Swift's bodies have neither chunks of their own nor trailers: of these, its requests only meet the last.
        BodyError::ChunkSignatureMismatch(_)
        | BodyError::WrongLength { .. }
        | BodyError::ChunkTooSmall { .. }
        | BodyError::BadChecksum { .. }
        | BodyError::BadTrailer(_)
        | BodyError::BadFraming(_) => (400, Words::Plain(error.to_string().into())),
        BodyError::TooSlow => (408, Words::Page),
    }
}

fn of_name(error: &NameError) -> (u16, Words) {
    match error {
        NameError::TooLong { .. } => (400, Words::Plain(error.to_string().into())),
        NameError::Empty | NameError::NotUtf8 | NameError::ForbiddenByte(_) => {
            (412, Words::Plain(error.to_string().into()))
        }
    }
}

/// Swift's page for a status.
pub(super) fn page(status: u16) -> String {
    let (title, sentence) = words(status);
    format!("<html><h1>{title}</h1><p>{sentence}</p></html>")
}

/// The title and the sentence of Swift's page for a status.
pub(super) fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        202 => ("Accepted", "The request is accepted for processing."),
        400 => (
            "Bad Request",
            "The server could not comply with the request since it is either malformed or otherwise incorrect.",
        ),
        401 => (
            "Unauthorized",
            "This server could not verify that you are authorized to access the document you requested.",
        ),
        403 => ("Forbidden", "Access was denied to this resource."),
        404 => ("Not Found", "The resource could not be found."),
        405 => ("Method Not Allowed", "The method is not allowed for this resource."),
        406 => ("Not Acceptable", "The resource is not available in a format acceptable to your browser."),
        408 => {
            ("Request Timeout", "The server has waited too long for the request to be sent by the client.")
        }
        409 => ("Conflict", "There was a conflict when trying to complete your request."),
        411 => ("Length Required", "Content-Length header required."),
        412 => ("Precondition Failed", "A precondition for this request was not met."),
        413 => ("Request Entity Too Large", "The body of your request was too large for this server."),
        416 => ("Requested Range Not Satisfiable", "The Range requested is not available."),
        422 => ("Unprocessable Entity", "Unable to process the contained instructions"),
        499 => ("Client Disconnect", "The client was disconnected during request."),
        501 => ("Not Implemented", "The requested method is not implemented by this server."),
        503 => {
            ("Service Unavailable", "The server is currently unavailable. Please try again at a later time.")
        }
        507 => ("Insufficient Storage", "There was not enough space to save the resource."),
        _ => (
            "Internal Error",
            "The server has either erred or is incapable of performing the requested operation.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use martlet_model::metadata::MetadataError;
    use martlet_model::{Content, Digest, Md5, Noun, ObjectMetadata, Timestamp, UploadError};

    use super::*;

    fn info() -> Box<ObjectInfo> {
        let content = Content { bytes: 1, digest: Digest::Whole(Md5::of(b"a")) };
        Box::new(ObjectInfo::new(content, ObjectMetadata::default(), Timestamp::from_micros(0)))
    }

    #[track_caller]
    fn check(error: impl Into<Error>, status: u16) {
        assert_eq!(Refusal::from(error.into()).status(), status);
    }

    #[test]
    fn the_store_says_no_in_the_words_of_swift() {
        check(Error::NotFound(Noun::Object), 404);
        check(Error::NotFound(Noun::Container), 404);
        check(Error::NotEmpty, 409);
        check(Error::Denied, 403);
        check(Error::PreconditionFailed, 412);
        check(Error::NothingToMatch, 412);
        check(Error::NotModified(info()), 304);
        check(Error::RangeUnsatisfiable(info()), 416);
        check(Error::Md5Mismatch { expected: Md5::of(b"a"), computed: Md5::of(b"b") }, 422);
        check(BodyError::Truncated { received: 1, declared: 2 }, 499);
        check(BodyError::Disconnected, 499);
        check(BodyError::TooSlow, 408);
        check(BodyError::TooLarge { bytes_max: 1 }, 413);
        check(BodyError::BadFraming("no size"), 400);
        check(BodyError::ChecksumMismatch { algorithm: "CRC32" }, 422);
        check(BodyError::WrongLength { received: 1, declared: 2 }, 400);
        check(BodyError::BadTrailer("none"), 400);
        check(NameError::TooLong { bytes: 2, bytes_max: 1 }, 400);
        check(NameError::NotUtf8, 412);
        check(MetadataError::TooMany { count: 91 }, 400);
        check(UploadError::NoParts, 400);
        check(Error::TooLarge, 413);
        check(Error::OutOfSpace, 507);
        check(Error::Unavailable("one of three"), 503);
        check(Error::OutcomeUnknown, 503);
        check(Error::Damaged("all three"), 500);
    }

    #[test]
    fn what_went_wrong_inside_is_not_told() {
        let secret = Error::Internal("the password is sesame".into());
        assert_eq!(Refusal::from(secret).answer(), (500, Words::Page));
        assert!(!page(500).contains("sesame"));
    }

    #[test]
    fn what_is_not_offered_is_named() {
        assert_eq!(
            Refusal::NotOffered("X-Delete-At".into()).answer(),
            (501, Words::Plain("X-Delete-At is not offered".into()))
        );
    }

    #[test]
    fn pages_are_those_of_swift() {
        assert_eq!(page(404), "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>");
    }
}
