//! What a bucket says of itself beyond its name: documents that are read, written and removed alike.
//!
//! What can't be configured here is told apart as well: reading it gives what S3 answers where nothing is configured.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use martlet_auth::policy::Policy;
use martlet_auth::{Action, ContainerGrants, ObjectOwnership};
use martlet_model::{ContainerChange, ContainerInfo, ContainerStore as _, Error, Setting, SettingsChange};

use super::controls;
use super::cors::CorsRules;
use super::headers::Headers;
use super::integrity::Integrity;
use super::query::Query;
use super::refusal::Refusal;
use super::refusal::code::{self, Code};
use super::unset::{self, Unset};
use super::xml::Writer;
use super::{Scene, answer, tagging};
use crate::body::RequestBody;

/// The largest document of a bucket.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024;

/// What is asked about a bucket's documents.
#[derive(Debug)]
pub(super) enum Configuration {
    Read(Document),
    Write(Document, Integrity),
    Remove(Document),
    /// Whether the public is let in.
    PolicyStatus,
    /// Who pays for requests: the bucket's owner, and nobody else.
    SetPayer(Integrity),
    /// It can't be configured here.
    Unset(Unset),
}

/// A document that a bucket may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Cors,
    Policy,
    Tagging,
    PublicAccessBlock,
    OwnershipControls,
}

impl Configuration {
    /// `None`: the request is about something else.
    pub(super) fn parse(
        method: &Method,
        query: &mut Query<'_>,
        headers: &mut Headers<'_>,
    ) -> Result<Option<Self>, Refusal> {
        for document in Document::ALL {
            if !query.has(document.parameter()) {
                continue;
            }
            if document == Document::Policy && *method == Method::PUT {
                // Owners can't lock themselves out here, so that there is nothing to confirm.
                headers.take("x-amz-confirm-remove-self-bucket-access")?;
            }
            let found = match *method {
                Method::GET => Self::Read(document),
                Method::PUT => Self::Write(document, headers.take_integrity()?),
                Method::DELETE => Self::Remove(document),
                _ => return Ok(None),
            };
            query.take_flag(document.parameter())?;
            return Ok(Some(found));
        }
        match *method {
            Method::GET if query.take_flag("policyStatus")? => Ok(Some(Self::PolicyStatus)),
            Method::GET => Ok(Unset::parse(query)?.map(Self::Unset)),
            Method::PUT if query.take_flag("requestPayment")? => {
                Ok(Some(Self::SetPayer(headers.take_integrity()?)))
            }
            _ => Ok(None),
        }
    }
}

impl Document {
    const ALL: [Self; 5] =
        [Self::Cors, Self::Policy, Self::Tagging, Self::PublicAccessBlock, Self::OwnershipControls];

    fn parameter(self) -> &'static str {
        match self {
            Self::Cors => "cors",
            Self::Policy => "policy",
            Self::Tagging => "tagging",
            Self::PublicAccessBlock => "publicAccessBlock",
            Self::OwnershipControls => "ownershipControls",
        }
    }

    fn setting(self) -> Setting {
        match self {
            Self::Cors => Setting::Cors,
            Self::Policy => Setting::Policy,
            Self::Tagging => Setting::Tagging,
            Self::PublicAccessBlock => Setting::PublicAccessBlock,
            Self::OwnershipControls => Setting::OwnershipControls,
        }
    }

    fn reading(self) -> Action {
        match self {
            Self::Cors => Action::GetBucketCors,
            Self::Policy => Action::GetBucketPolicy,
            Self::Tagging => Action::GetBucketTagging,
            Self::PublicAccessBlock => Action::GetBucketPublicAccessBlock,
            Self::OwnershipControls => Action::GetBucketOwnershipControls,
        }
    }

    fn writing(self) -> Action {
        match self {
            Self::Cors => Action::PutBucketCors,
            Self::Policy => Action::PutBucketPolicy,
            Self::Tagging => Action::PutBucketTagging,
            Self::PublicAccessBlock => Action::PutBucketPublicAccessBlock,
            Self::OwnershipControls => Action::PutBucketOwnershipControls,
        }
    }

    /// The code that says that there is none.
    fn missing(self) -> Code {
        match self {
            Self::Cors => code::NO_SUCH_CORS,
            Self::Policy => code::NO_SUCH_BUCKET_POLICY,
            Self::Tagging => code::NO_SUCH_TAG_SET,
            Self::PublicAccessBlock => code::NO_SUCH_PUBLIC_ACCESS_BLOCK,
            Self::OwnershipControls => code::NO_OWNERSHIP_CONTROLS,
        }
    }

    /// The status of an answer to a write, as AWS has it.
    fn written(self) -> StatusCode {
        match self {
            Self::Policy | Self::Tagging => StatusCode::NO_CONTENT,
            Self::Cors | Self::PublicAccessBlock | Self::OwnershipControls => StatusCode::OK,
        }
    }

    /// What is stored of a document that a caller sends.
    fn accept(self, document: Bytes, info: &ContainerInfo, scene: &Scene<'_>) -> Result<Bytes, Refusal> {
        match self {
            Self::Cors => CorsRules::read(&document).map(|_| document),
            Self::Policy => {
                Policy::parse(&document, &scene.container.name)?;
                Ok(document)
            }
            Self::Tagging => tagging::read(&document, tagging::BUCKET_TAGS_COUNT_MAX).map(|_| document),
            Self::PublicAccessBlock => Ok(controls::read_block(&document)?.encode()),
            Self::OwnershipControls => {
                let ownership = controls::read_ownership(&document)?;
                if ownership == ObjectOwnership::BucketOwnerEnforced {
                    controls::check_nothing_granted(info)?;
                }
                Ok(ownership.encode())
            }
        }
    }

    /// The answer to a reader.
    fn shown(self, stored: &Bytes) -> Result<Response, Refusal> {
        Ok(answer::xml(match self {
            Self::Cors => CorsRules::read(stored)?.write(),
            Self::Tagging => tagging::write(&tagging::read(stored, tagging::BUCKET_TAGS_COUNT_MAX)?),
            Self::PublicAccessBlock => controls::write_block(stored)?,
            Self::OwnershipControls => controls::write_ownership(stored)?,
            Self::Policy => {
                let mut response = Response::new(stored.clone().into());
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(http::header::CONTENT_TYPE, json);
                return Ok(response);
            }
        }))
    }
}

impl Scene<'_> {
    pub(super) async fn configure(
        &self,
        configuration: Configuration,
        body: RequestBody,
    ) -> Result<Response, Refusal> {
        match configuration {
            Configuration::Read(document) => {
                let stored =
                    self.store.setting(document.reading(), self.container, document.setting()).await?;
                document.shown(&stored.ok_or(Refusal::NotConfigured(document.missing()))?)
            }
            Configuration::Write(document, integrity) => self.write(document, integrity, body).await,
            Configuration::Remove(document) => {
                self.change(SettingsChange::default().remove(document.setting())).await?;
                Ok(answer::empty(StatusCode::NO_CONTENT))
            }
            Configuration::PolicyStatus => self.policy_status().await,
            Configuration::SetPayer(integrity) => {
                self.bucket_for(Action::ConfigureBucket).await?;
                unset::check_payer(&integrity.document(body, DOCUMENT_BYTES_MAX).await?)?;
                Ok(answer::empty(StatusCode::OK))
            }
            Configuration::Unset(unset) => {
                self.bucket_for(unset.reading()).await?;
                unset.answer()
            }
        }
    }

    /// The bucket, for whoever may do that with it.
    pub(super) async fn bucket_for(&self, action: Action) -> Result<Arc<ContainerInfo>, Refusal> {
        self.store.allow_container(action, self.container).await?;
        Ok(self.store.unguarded().recent_container(self.container).await?)
    }

    async fn write(
        &self,
        document: Document,
        integrity: Integrity,
        body: RequestBody,
    ) -> Result<Response, Refusal> {
        // Whoever may not is told so before the document is judged.
        let info = self.bucket_for(document.writing()).await?;
        let given = integrity.document(body, DOCUMENT_BYTES_MAX).await?;
        let accepted = document.accept(given, &info, self)?;
        self.change(SettingsChange::default().set(document.setting(), accepted)).await?;
        Ok(answer::empty(document.written()))
    }

    pub(super) async fn change(&self, settings: SettingsChange) -> Result<(), Refusal> {
        let change = ContainerChange { settings, ..ContainerChange::default() };
        Ok(self.store.update_container(self.container, change).await?)
    }

    async fn policy_status(&self) -> Result<Response, Refusal> {
        let info = self.bucket_for(Action::GetBucketPolicyStatus).await?;
        let grants = ContainerGrants::compile(&info.settings, &self.container.name);
        let grants = grants.map_err(|error| Error::Internal(error.into()))?;
        let mut xml = Writer::new("PolicyStatus");
        xml.word("IsPublic", grants.is_public());
        Ok(answer::xml(xml))
    }
}
