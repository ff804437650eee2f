//! Many objects in one request: `PUT ?extract-archive`, with a tar archive as the body.
//!
//! Source: "Extract Archive" in "Bulk Operations" of the Swift documentation.
//!
//! Every file is one PUT of an object, which walks the same way as any other, while the archive comes in.
//! The answer is always 200; what really came of it stands in the body, where clients look for it.

mod tar;

use std::collections::HashSet;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{BzDecoder, GzipDecoder};
use axum::response::Response;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{Buf as _, Bytes};
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use martlet_auth::Guarded;
use martlet_model::{
    AccountName, BodyError, ByteStream, Claim, ContainerId, ContainerStore as _, Error, NewContainer, Noun,
    SettingsChange, Timestamp, UserMetadata,
};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use tokio::sync::{mpsc, oneshot};

use super::bulk::{self, status_for};
use super::declared;
use super::format::{self, Format};
use super::headers::Owner;
use super::object;
use super::path::Target;
use super::query::Query;
use super::refusal::{Realm, Refusal, Words};
use super::report::{Report, status_line};
use super::slo::quoted;
use crate::body::RequestBody;

use tar::{GNU_ATTRIBUTE, Kind, LIBARCHIVE_ATTRIBUTE, Member, TarError, TarReader};

/// The most containers that one archive makes (Swift: `max_containers_per_extraction`).
pub(super) const CONTAINERS_COUNT_MAX: usize = 10_000;
/// After how many failures the rest is left (Swift: `max_failed_extractions`).
pub(super) const FAILURES_COUNT_MAX: usize = 1000;
/// How much of a file waits for the store.
const CHUNKS_COUNT_MAX: usize = 4;

/// PUT of an archive.
#[derive(Debug)]
pub struct ExtractArchive {
    pub account: AccountName,
    /// What goes ahead of the names of files: a container, and what its objects' names begin with. Empty: nothing does.
    pub base: String,
    pub compression: Compression,
    /// What the head says of every object.
    pub said: HeaderMap,
    /// Why the request is refused in its report, if it is.
    pub refusal: Option<Refusal>,
    pub format: Format,
}

/// How the archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Plain,
    Gzip,
    Bzip2,
}

/// What the query asks for an archive by.
pub(super) const PARAMETER: &str = "extract-archive";

pub(super) fn parse(target: &Target, head: &Parts, query: &Query<'_>) -> Result<ExtractArchive, Refusal> {
    let (account, base) = match target {
        Target::Account(account) => (account, String::new()),
        Target::Container(id) => (&id.account, id.name.to_string()),
        Target::Object(id) => (&id.container.account, format!("{}/{}", id.container.name, id.key.as_str())),
        Target::Capabilities | Target::Health | Target::Login => return Err(Refusal::NoSuchPath),
    };
    let request = &head.headers;
    let given = query.text(PARAMETER)?.unwrap_or_default().to_ascii_lowercase();
    let compression = match given.trim_matches('.') {
        "tar" => Compression::Plain,
        "tar.gz" => Compression::Gzip,
        "tar.bz2" => Compression::Bzip2,
        _ => return Err(Refusal::Malformed("Unsupported archive format".into())),
    };
    let (format, refusal) = match format::accepted(request) {
        Ok(format) => (format, declared::is_bounded(request).err()),
        Err(_) => (Format::Plain, Some(Refusal::NotAcceptable)),
    };
    let is_said = |name: &HeaderName| {
        let others = ["x-delete-at", "x-delete-after", "x-detect-content-type", "content-type"];
        name.as_str().starts_with(Owner::Object.prefix()) || others.contains(&name.as_str())
    };
    let said = request.iter().filter(|(name, _)| is_said(name));
    Ok(ExtractArchive {
        account: account.clone(),
        base: base.trim_end_matches('/').to_owned(),
        compression,
        said: said.map(|(name, value)| (name.clone(), value.clone())).collect(),
        refusal,
        format,
    })
}

/// As long as the client is sending, nothing is answered; from then on blanks tell it that somebody is still at work.
pub(super) async fn extract(
    command: ExtractArchive,
    body: RequestBody,
    store: &Guarded,
    now: Timestamp,
) -> Response {
    let format = command.format;
    let (ended, has_ended) = oneshot::channel();
    let source = Received { stream: body.into_stream(u64::MAX), chunk: Bytes::new(), ended: Some(ended) };
    let store = store.clone();
    let mut work = Box::pin(async move { unpacked(command, source, &store, now).await });
    tokio::select! {
        biased;
        report = &mut work => bulk::respond(format, "extract", async move { report }).await,
        _ = has_ended => bulk::respond(format, "extract", work).await,
    }
}

async fn unpacked(command: ExtractArchive, source: Received, store: &Guarded, now: Timestamp) -> Report {
    let ExtractArchive { account, base, compression, said, refusal, .. } = command;
    if let Some(refusal) = refusal {
        return Tally::default().ended(&refusal);
    }
    let unpacking = Unpacking { account, base, said, store, now };
    let mut tally = Tally::default();
    let outcome = match compression {
        Compression::Plain => unpacking.unpack(source, &mut tally).await,
        Compression::Gzip => {
            let mut decoder = GzipDecoder::new(source);
            decoder.multiple_members(true);
            unpacking.unpack(decoder, &mut tally).await
        }
        Compression::Bzip2 => {
            let mut decoder = BzDecoder::new(source);
            decoder.multiple_members(true);
            unpacking.unpack(decoder, &mut tally).await
        }
    };
    match outcome {
        Ok(()) => tally.report(),
        Err(refusal) => tally.ended(&refusal),
    }
}

/// What has come of the files so far.
#[derive(Debug, Default)]
struct Tally {
    created: u64,
    errors: Vec<(String, String)>,
    /// Whether something failed that isn't the caller's fault.
    has_server_error: bool,
    /// Containers that are there.
    containers: HashSet<ContainerId>,
    made_count: usize,
}

/// What unpacking an archive works with.
struct Unpacking<'a> {
    account: AccountName,
    base: String,
    said: HeaderMap,
    store: &'a Guarded,
    now: Timestamp,
}

impl Unpacking<'_> {
    /// Stores file by file. An error ends it before its end.
    async fn unpack(&self, source: impl AsyncRead + Unpin + Send, tally: &mut Tally) -> Result<(), Refusal> {
        let mut reader = TarReader::new(source);
        while let Some(member) = reader.next().await.map_err(unreadable)? {
            if member.kind == Kind::Other {
                continue;
            }
            let name = self.name_of(&member);
            // What lies in no directory would lie in no container.
            if !name.contains(&b'/') {
                continue;
            }
            let outcome = self.store_member(&name, &member, &mut reader, tally).await?;
            tally.add(&name, outcome.map_err(|refusal| status_for(&refusal, self.store.identity())))?;
        }
        Ok(())
    }

    fn name_of(&self, member: &Member) -> Vec<u8> {
        let name = member.name.strip_prefix(b"./").unwrap_or(&member.name);
        let name = &name[name.iter().position(|byte| *byte != b'/').unwrap_or(name.len())..];
        if self.base.is_empty() { name.to_vec() } else { [self.base.as_bytes(), b"/", name].concat() }
    }

    /// The inner error is the file's alone.
    async fn store_member<R: AsyncRead + Unpin + Send>(
        &self,
        name: &[u8],
        member: &Member,
        reader: &mut TarReader<R>,
        tally: &mut Tally,
    ) -> Result<Result<(), Refusal>, Refusal> {
        let command = match self.command_for(name, member) {
            Ok(command) => command,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Err(refusal) = self.see_to(&command.id.container, tally).await? {
            return Ok(Err(refusal));
        }
        let (sender, receiver) = mpsc::channel(CHUNKS_COUNT_MAX);
        let chunks = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<_>| {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let body = RequestBody::new(Some(member.bytes), Box::pin(chunks));
        // Boxed, since the way of a PUT is part of the way of an archive.
        let storing = Box::pin(object::put(command, body, self.store, self.now));
        let (fed, stored) = tokio::join!(feed(reader, sender), storing);
        fed.map_err(unreadable)?;
        Ok(stored.map(drop))
    }

    fn command_for(&self, name: &[u8], member: &Member) -> Result<object::PutObject, Refusal> {
        let Target::Object(id) = Target::below(&self.account, name)? else {
            return Err(Refusal::NoSuchPath);
        };
        if member.kind == Kind::Sparse {
            return Err(Refusal::NotOffered("A sparse file".into()));
        }
        let head = self.head_for(member)?;
        object::parse_put(id, &head)
    }

    /// The head of a PUT that says of the object what the archive's says, and what the archive says of the file.
    fn head_for(&self, member: &Member) -> Result<Parts, Refusal> {
        let request = Request::put("/").body(()).map_err(|error| Error::Internal(error.into()))?;
        let (mut head, ()) = request.into_parts();
        head.headers = self.said.clone();
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(member.bytes));
        for (keyword, value) in &member.attributes {
            let Some((name, value)) = attribute(keyword, value) else { continue };
            let bad = || Refusal::Malformed(format!("Bad attribute {keyword}").into());
            let name = match name {
                Attribute::ContentType => CONTENT_TYPE,
                Attribute::Metadata(name) => {
                    let name = format!("{}{name}", Owner::Object.prefix());
                    HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?
                }
            };
            head.headers.insert(name, HeaderValue::from_bytes(&value).map_err(|_| bad())?);
        }
        Ok(head)
    }

    /// Makes the container where there is none.
    async fn see_to(&self, id: &ContainerId, tally: &mut Tally) -> Result<Result<(), Refusal>, Refusal> {
        if tally.containers.contains(id) {
            return Ok(Ok(()));
        }
        let outcome = match self.store.unguarded().recent_container(id).await {
            Ok(_) => Ok(()),
            Err(Error::NotFound(Noun::Account | Noun::Container)) => {
                tally.made_count += 1;
                if tally.made_count > CONTAINERS_COUNT_MAX {
                    let text = format!("More than {CONTAINERS_COUNT_MAX} containers to create from tar.");
                    return Err(Refusal::Malformed(text.into()));
                }
                let new = NewContainer {
                    metadata: UserMetadata::default(),
                    claim: Claim::IfFree,
                    settings: SettingsChange::default(),
                    versioning: None,
                };
                self.store.create_container(id, new).await.map(drop)
            }
            Err(error) => Err(error),
        };
        if outcome.is_ok() {
            tally.containers.insert(id.clone());
        }
        Ok(outcome.map_err(Refusal::from))
    }
}

/// Hands a file's bytes over to whoever stores it, as long as they are taken.
async fn feed<R: AsyncRead + Unpin>(
    reader: &mut TarReader<R>,
    sender: mpsc::Sender<Result<Bytes, BodyError>>,
) -> Result<(), TarError> {
    loop {
        match reader.content().await {
            Ok(None) => return Ok(()),
            Ok(Some(chunk)) => {
                if sender.send(Ok(chunk)).await.is_err() {
                    return Ok(());
                }
            }
            Err(error) => {
                // Else the file would be taken for shorter than it is.
                let _not_taken = sender.send(Err(BodyError::Disconnected)).await;
                return Err(error);
            }
        }
    }
}

/// What an attribute of a file says of the object.
#[derive(Debug, PartialEq, Eq)]
enum Attribute<'a> {
    ContentType,
    Metadata(&'a str),
}

/// Base64 with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn attribute<'a>(keyword: &'a str, value: &[u8]) -> Option<(Attribute<'a>, Vec<u8>)> {
    let (name, value) = if let Some(name) = keyword.strip_prefix(GNU_ATTRIBUTE) {
        (name, value.to_vec())
    } else {
        let name = keyword.strip_prefix(LIBARCHIVE_ATTRIBUTE)?;
        (name, BASE64.decode(value).unwrap_or_else(|_| value.to_vec()))
    };
    match name {
        "user.mime_type" => Some((Attribute::ContentType, value)),
        _ => Some((Attribute::Metadata(name.strip_prefix("user.meta.")?), value)),
    }
}

/// What is wrong with the archive, or with the connection that it comes through.
fn unreadable(error: TarError) -> Refusal {
    let invalid = |text: &str| Refusal::Malformed(format!("Invalid Tar File: {text}").into());
    match error {
        TarError::Read(error) => match error.downcast::<BodyError>() {
            Ok(error) => Error::Body(error).into(),
            Err(error) => invalid(&error.to_string()),
        },
        error => invalid(&error.to_string()),
    }
}

impl Tally {
    fn add(&mut self, name: &[u8], outcome: Result<(), u16>) -> Result<(), Refusal> {
        let Err(status) = outcome else {
            self.created += 1;
            return Ok(());
        };
        self.has_server_error |= status >= 500 && status != 501;
        self.errors.push((quoted(&String::from_utf8_lossy(name)), status_line(status)));
        if status == 401 {
            return Err(Refusal::Unauthorized { realm: Realm::Unknown });
        }
        if self.errors.len() >= FAILURES_COUNT_MAX {
            return Err(Refusal::Malformed("Max extract failures exceeded".into()));
        }
        Ok(())
    }

    fn report(self) -> Report {
        let (status, text) = match (self.errors.is_empty(), self.has_server_error) {
            (false, true) => (502, ""),
            (false, false) => (400, ""),
            (true, _) if self.created == 0 => (400, "Invalid Tar File: No Valid Files"),
            (true, _) => (201, ""),
        };
        self.with(status, text)
    }

    /// The report of what was refused, or ended before its end.
    fn ended(self, refusal: &Refusal) -> Report {
        match refusal.answer() {
            (status, Words::Plain(text) | Words::Html(text)) => self.with(status, &text),
            (status, Words::Page | Words::Nothing) => self.with(status, ""),
        }
    }

    fn with(self, status: u16, text: &str) -> Report {
        Report::of_errors(self.errors)
            .with("Response Status", status_line(status))
            .with("Response Body", text)
            .with("Number Files Created", self.created)
    }
}

/// The archive as it comes off the connection.
struct Received {
    stream: ByteStream,
    chunk: Bytes,
    /// Told when the client has sent everything.
    ended: Option<oneshot::Sender<()>>,
}

impl AsyncBufRead for Received {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let received = self.get_mut();
        while received.chunk.is_empty() {
            match ready!(received.stream.poll_next_unpin(context)) {
                Some(Ok(chunk)) => received.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => {
                    if let Some(ended) = received.ended.take() {
                        let _nobody_waits = ended.send(());
                    }
                    break;
                }
            }
        }
        Poll::Ready(Ok(&received.chunk))
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        self.get_mut().chunk.advance(bytes);
    }
}

impl AsyncRead for Received {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let there = ready!(self.as_mut().poll_fill_buf(context))?;
        let taken = there.len().min(buffer.remaining());
        buffer.put_slice(&there[..taken]);
        self.consume(taken);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, query: &str, expected: Result<(&str, Compression), u16>) {
        let request =
            Request::put(path).header("content-length", "0").header("x-other", "x").body(()).unwrap();
        let (head, ()) = request.into_parts();
        let found = parse(&Target::parse(path).unwrap(), &head, &Query::parse(Some(query)));
        let found = found.as_ref().map(|found| (found.base.as_str(), found.compression));
        assert_eq!(found.map_err(Refusal::status), expected, "{path}?{query}");
    }

    #[test]
    fn an_archive_is_unpacked_below_a_place() {
        check("/v1/a", "extract-archive=tar", Ok(("", Compression::Plain)));
        check("/v1/a/c", "extract-archive=tar.gz", Ok(("c", Compression::Gzip)));
        check("/v1/a/c/", "extract-archive=.TAR.BZ2", Ok(("c", Compression::Bzip2)));
        check("/v1/a/c/dir/sub/", "extract-archive=tar", Ok(("c/dir/sub", Compression::Plain)));
        for unknown in ["", "zip", "tar.xz", "tgz"] {
            check("/v1/a/c", &format!("extract-archive={unknown}"), Err(400));
        }
    }

    #[track_caller]
    fn check_attribute(keyword: &str, value: &str, expected: Option<(Attribute<'_>, &str)>) {
        let expected = expected.map(|(name, value)| (name, value.as_bytes().to_vec()));
        assert_eq!(attribute(keyword, value.as_bytes()), expected, "{keyword}");
    }

    #[test]
    fn some_attributes_of_files_are_metadata_of_objects() {
        use Attribute::{ContentType, Metadata};
        check_attribute("SCHILY.xattr.user.meta.Lunch", "a b", Some((Metadata("Lunch"), "a b")));
        check_attribute("SCHILY.xattr.user.mime_type", "text/css", Some((ContentType, "text/css")));
        check_attribute("LIBARCHIVE.xattr.user.mime_type", "dGV4dC9jc3M", Some((ContentType, "text/css")));
        check_attribute("LIBARCHIVE.xattr.user.meta.a", "not Base64!", Some((Metadata("a"), "not Base64!")));
        check_attribute("SCHILY.xattr.user.other", "x", None);
        check_attribute("SCHILY.xattr.security.selinux", "x", None);
    }
}
