//! Many objects in one request: `PUT ?extract-archive`, with a tar archive as the body.
//!
//! Source: "Extract Archive" in "Bulk Operations" of the Swift documentation.
//!
//! Every file is one PUT of an object, which walks the same way as any other, while the archive comes in.
//! The answer is always 200; what really came of it stands in the body, where clients look for it.

mod attribute;
mod received;
mod tally;
mod tar;

use async_compression::tokio::bufread::{BzDecoder, GzipDecoder};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use martlet_auth::Guarded;
use martlet_model::{
    AccountName, BodyError, Claim, ContainerId, ContainerStore as _, Error, NewContainer, Noun,
    SettingsChange, Timestamp, UserMetadata,
};
use tokio::io::AsyncRead;
use tokio::sync::{mpsc, oneshot};

use super::bulk::{self, status_for};
use super::declared;
use super::format::{self, Format};
use super::headers::Owner;
use super::object;
use super::path::Target;
use super::query::Query;
use super::refusal::Refusal;
use super::report::Report;
use crate::body::RequestBody;

use attribute::{Attribute, attribute};
use received::Received;
use tally::Tally;
use tar::{Kind, Member, TarError, TarReader};

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
    let source = Received::new(body.into_stream(u64::MAX), ended);
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
}
