//! Metadata as bytes: part of several records.

use martlet_model::{ObjectMetadata, Timestamp, UserMetadata};
use serde::{Deserialize, Serialize};

use super::RecordError;

/// Names and values, ascending by name. Bytes and text are written alike.
pub(super) type UserTwin<'a> = Vec<(&'a str, &'a [u8])>;

/// An object's metadata without its content type, which the entry has.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MetadataTwin<'a> {
    #[serde(borrow)]
    first: FirstMetadataTwin<'a>,
    delete_at_micros: Option<u64>,
    dynamic_manifest: Option<&'a str>,
}

/// The same in the first format.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FirstMetadataTwin<'a> {
    content_encoding: Option<&'a str>,
    content_disposition: Option<&'a str>,
    content_language: Option<&'a str>,
    cache_control: Option<&'a str>,
    expires: Option<&'a str>,
    #[serde(borrow)]
    user: UserTwin<'a>,
}

pub(super) fn user_twin(metadata: &UserMetadata) -> UserTwin<'_> {
    metadata.iter().collect()
}

pub(super) fn user_metadata(twin: &UserTwin<'_>) -> Result<UserMetadata, RecordError> {
    let owned = twin.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    UserMetadata::collect(owned).map_err(|_| RecordError::Broken("metadata"))
}

impl<'a> MetadataTwin<'a> {
    pub(super) fn of(metadata: &'a ObjectMetadata) -> Self {
        // Without `..`: a new field has to be stored.
        let ObjectMetadata {
            content_type: _,
            content_encoding,
            content_disposition,
            content_language,
            cache_control,
            expires,
            delete_at,
            dynamic_manifest,
            user,
        } = metadata;
        let first = FirstMetadataTwin {
            content_encoding: content_encoding.as_deref(),
            content_disposition: content_disposition.as_deref(),
            content_language: content_language.as_deref(),
            cache_control: cache_control.as_deref(),
            expires: expires.as_deref(),
            user: user_twin(user),
        };
        let delete_at_micros = delete_at.map(Timestamp::as_micros);
        Self { first, delete_at_micros, dynamic_manifest: dynamic_manifest.as_deref() }
    }

    pub(super) fn metadata(&self, content_type: Option<&str>) -> Result<ObjectMetadata, RecordError> {
        Ok(ObjectMetadata {
            delete_at: self.delete_at_micros.map(Timestamp::from_micros),
            dynamic_manifest: self.dynamic_manifest.map(str::to_owned),
            ..self.first.metadata(content_type)?
        })
    }
}

impl FirstMetadataTwin<'_> {
    pub(super) fn metadata(&self, content_type: Option<&str>) -> Result<ObjectMetadata, RecordError> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(ObjectMetadata {
            content_type: owned(content_type),
            content_encoding: owned(self.content_encoding),
            content_disposition: owned(self.content_disposition),
            content_language: owned(self.content_language),
            cache_control: owned(self.cache_control),
            expires: owned(self.expires),
            delete_at: None,
            dynamic_manifest: None,
            user: user_metadata(&self.user)?,
        })
    }
}
