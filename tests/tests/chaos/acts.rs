//! What a client does with one object, and what it learns from the answer.

use http::Method;

use crate::clients::{Answer, Ask, Client, Reply, Signing};
use crate::content::{self, Dialect, Tag, Tags};
use crate::history::Told;

/// What is asked of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Get,
    /// Only some bytes.
    GetRange,
    Head,
    Put(Tag),
    Create(Tag),
    Update {
        from: Tag,
        to: Tag,
    },
    Delete,
    DeleteIf {
        from: Tag,
    },
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Told {
        told: Told,
        status: u16,
    },
    /// It may have had this effect, or may have it yet.
    Perhaps {
        told: Told,
        status: u16,
    },
    /// It had no effect, and nothing was learnt.
    Nothing {
        status: u16,
    },
    /// An answer that no client should get.
    Odd(String),
    NotSent,
}

/// The bytes of a range: those of the first, so that the tag is among them.
const RANGE_LAST: usize = 49;

impl Act {
    pub(crate) fn name(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Get, Dialect::S3) => "S3 GET",
            (Self::Get, Dialect::Swift) => "GET",
            (Self::GetRange, Dialect::S3) => "S3 GET range",
            (Self::GetRange, Dialect::Swift) => "GET range",
            (Self::Head, Dialect::S3) => "S3 HEAD",
            (Self::Head, Dialect::Swift) => "HEAD",
            (Self::Put(_), Dialect::S3) => "S3 PUT",
            (Self::Put(_), Dialect::Swift) => "PUT",
            (Self::Create(_), Dialect::S3) => "S3 PUT if none",
            (Self::Create(_), Dialect::Swift) => "PUT if none",
            (Self::Update { .. }, Dialect::S3) => "S3 PUT if same",
            (Self::Update { .. }, Dialect::Swift) => "PUT if same",
            (Self::Delete, Dialect::S3) => "S3 DELETE",
            (Self::Delete, Dialect::Swift) => "DELETE",
            (Self::DeleteIf { .. }, Dialect::S3) => "S3 DELETE if same",
            (Self::DeleteIf { .. }, Dialect::Swift) => "DELETE if same",
        }
    }

    /// What is uploaded in parts: only one of the APIs can do that.
    pub(crate) fn uploaded(self) -> Option<Tag> {
        self.written().filter(|tag| tag % 16 >= content::PLAIN_CLASSES as u64)
    }

    fn written(self) -> Option<Tag> {
        match self {
            Self::Put(tag) | Self::Create(tag) | Self::Update { to: tag, .. } => Some(tag),
            _ => None,
        }
    }

    /// What it does if it is carried out. Reading does nothing.
    fn effect(self, dialect: Dialect) -> Option<Told> {
        Some(match self {
            Self::Get | Self::GetRange | Self::Head => return None,
            Self::Put(tag) => Told::Written(tag),
            Self::Create(tag) => Told::Created(tag),
            Self::Update { from, to } => Told::Updated { from, to },
            Self::Delete if dialect == Dialect::S3 => Told::Gone,
            // What it found is only known from the answer.
            Self::Delete => Told::Deleted,
            Self::DeleteIf { from } if dialect == Dialect::S3 => Told::GoneIf { from },
            Self::DeleteIf { from } => Told::DeletedIf { from },
        })
    }
}

/// Who asks, and in which tongue.
pub(crate) struct Speaker<'a> {
    pub(crate) client: &'a Client,
    pub(crate) dialect: Dialect,
    pub(crate) signing: Signing,
    pub(crate) tags: &'a Tags,
}

impl Speaker<'_> {
    pub(crate) fn act(&self, act: Act, path: &str) -> Outcome {
        let reply = match act.uploaded() {
            Some(tag) => match self.upload(tag, path) {
                Ok(upload) => self.complete(act, path, tag, &upload),
                Err(outcome) => return outcome,
            },
            None => self.ask(act, path),
        };
        self.judge(act, path, reply)
    }

    pub(crate) fn send(&self, ask: Ask<'_>) -> Reply {
        match self.dialect {
            Dialect::S3 => self.client.s3(ask, self.signing),
            Dialect::Swift => self.client.swift(ask),
        }
    }

    fn ask(&self, act: Act, path: &str) -> Reply {
        let method = match act {
            Act::Get | Act::GetRange => Method::GET,
            Act::Head => Method::HEAD,
            Act::Put(_) | Act::Create(_) | Act::Update { .. } => Method::PUT,
            Act::Delete | Act::DeleteIf { .. } => Method::DELETE,
        };
        let body = act.written().map(content::body).unwrap_or_default();
        let mut ask = Ask::new(method, path, &body);
        if let Some(tag) = act.written() {
            ask = ask.with(self.tag_header(), tag.to_string());
        }
        if act == Act::GetRange {
            ask = ask.with("range", format!("bytes=0-{RANGE_LAST}"));
        }
        self.send(self.conditional(ask, act))
    }

    fn conditional<'b>(&self, ask: Ask<'b>, act: Act) -> Ask<'b> {
        match act {
            Act::Create(_) => ask.with("if-none-match", "*"),
            Act::Update { from, .. } | Act::DeleteIf { from } => {
                ask.with("if-match", format!("\"{}\"", content::etag(from, self.dialect)))
            }
            _ => ask,
        }
    }

    fn tag_header(&self) -> &'static str {
        match self.dialect {
            Dialect::S3 => "x-amz-meta-tag",
            Dialect::Swift => "x-object-meta-tag",
        }
    }

    /// Uploads the parts, and gives the upload's id.
    fn upload(&self, tag: Tag, path: &str) -> Result<String, Outcome> {
        let begin =
            Ask::new(Method::POST, format!("{path}?uploads"), b"").with("x-amz-meta-tag", tag.to_string());
        let text = settled(self.send(begin), "begin an upload")?.text();
        let upload = between(&text, "<UploadId>", "</UploadId>");
        let upload = upload.ok_or_else(|| Outcome::Odd(format!("no upload id: {text}")))?.to_owned();
        for (number, part) in (1..).zip(content::parts(tag)) {
            let part_path = format!("{path}?partNumber={number}&uploadId={upload}");
            settled(self.send(Ask::new(Method::PUT, part_path, &part)), "upload a part")?;
        }
        Ok(upload)
    }

    fn complete(&self, act: Act, path: &str, tag: Tag, upload: &str) -> Reply {
        let part = |(number, part): (usize, Vec<u8>)| {
            let etag = content::etag_of(&part);
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        };
        let parts: String = (1..).zip(content::parts(tag)).map(part).collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let ask = Ask::new(Method::POST, format!("{path}?uploadId={upload}"), body.as_bytes());
        match self.send(self.conditional(ask, act)) {
            // The status was sent before the outcome was known.
            Reply::Answer(answer) if answer.status == 200 && !answer.text().contains("<ETag>") => Reply::Lost,
            reply => reply,
        }
    }

    fn judge(&self, act: Act, path: &str, reply: Reply) -> Outcome {
        let answer = match reply {
            Reply::NotSent => return Outcome::NotSent,
            Reply::Lost => return self.perhaps(act, 0),
            Reply::Answer(answer) => answer,
        };
        let status = answer.status;
        let told = match (act, status) {
            (_, 408 | 500 | 502 | 503 | 504) => return self.perhaps(act, status),
            // New data is refused before it has any effect.
            (Act::Put(_) | Act::Create(_) | Act::Update { .. }, 507) => return Outcome::Nothing { status },
            (Act::Get | Act::GetRange | Act::Head, 200 | 206) => {
                let Some(tag) = self.found(act, &answer) else {
                    let Answer { headers, body, .. } = answer;
                    let count = body.len();
                    return Outcome::Odd(format!(
                        "{path}: {act:?} shows what nobody wrote: {headers:?}, {count} bytes"
                    ));
                };
                Told::Found(Some(tag))
            }
            (Act::Get | Act::GetRange | Act::Head, 404) => Told::Found(None),
            (Act::Create(_), 412) => Told::NotCreated,
            (Act::Update { from, .. } | Act::DeleteIf { from }, 412) => Told::NotUpdated { from },
            (Act::Update { .. }, 404) if self.dialect == Dialect::S3 => Told::Found(None),
            (Act::Delete | Act::DeleteIf { .. }, 404) => Told::NothingToDelete,
            (_, 200 | 201 | 204) => act.effect(self.dialect).expect("only changes are left"),
            _ => return Outcome::Odd(format!("{path}: {act:?} is answered {status}: {}", answer.text())),
        };
        Outcome::Told { told, status }
    }

    fn perhaps(&self, act: Act, status: u16) -> Outcome {
        match act.effect(self.dialect) {
            None => Outcome::Nothing { status },
            // Whether there was something to delete isn't known either.
            Some(Told::Deleted) => Outcome::Perhaps { told: Told::Gone, status },
            Some(told) => Outcome::Perhaps { told, status },
        }
    }

    /// The write whose object is shown, if all that is shown is of it.
    fn found(&self, act: Act, answer: &Answer) -> Option<Tag> {
        let tag = self.tags.of_etag(answer.header("etag")?)?;
        let whole = content::body(tag);
        let is_named = answer.header(self.tag_header()) == Some(&tag.to_string());
        let bytes = match act {
            Act::Head => answer.header("content-length")?.parse() == Ok(whole.len()),
            Act::GetRange => answer.body == whole[..whole.len().min(RANGE_LAST + 1)],
            _ => answer.body == whole,
        };
        (is_named && bytes).then_some(tag)
    }
}

/// Of a request that changes nothing that is looked at.
fn settled(reply: Reply, what: &str) -> Result<Answer, Outcome> {
    match reply {
        Reply::Answer(answer) if answer.status == 200 => Ok(answer),
        Reply::Answer(answer) if matches!(answer.status, 408 | 500 | 502 | 503 | 504 | 507) => {
            Err(Outcome::Nothing { status: answer.status })
        }
        Reply::Answer(answer) => Err(Outcome::Odd(format!("{what}: {}: {}", answer.status, answer.text()))),
        Reply::Lost => Err(Outcome::Nothing { status: 0 }),
        Reply::NotSent => Err(Outcome::NotSent),
    }
}

pub(crate) fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}
