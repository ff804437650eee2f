//! Buckets: making, finding and removing them.

use axum::response::Response;
use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use martlet_auth::{Denied, Guarded};
use martlet_model::{
    Claim, ContainerEntry, ContainerStore as _, Created, Error, ListEntry, ListQuery, NewContainer, Page,
    SettingsChange, UserMetadata,
};

use super::command::Operation;
use super::listing::{decode_token, encode_token};
use super::refusal::Refusal;
use super::xml::{Element, Writer};
use super::{S3, Scene, answer};
use crate::body::RequestBody;

/// The largest configuration that comes with a new bucket.
const CONFIGURATION_BYTES_MAX: u64 = 64 * 1024;
/// The region in which making one's own bucket again is no conflict, as in AWS.
const LENIENT_REGION: &str = "us-east-1";

impl S3 {
    /// Operations that are in no bucket.
    pub(super) async fn on_account(
        &self,
        operation: Operation,
        store: &Guarded,
    ) -> Result<Response, Refusal> {
        let Operation::ListBuckets { prefix, token, limit } = operation else {
            return Err(Refusal::MethodNotAllowed);
        };
        let account = store.identity().account().ok_or_else(|| Error::from(Denied))?;
        let query = ListQuery {
            prefix: Bytes::from(prefix.clone()),
            marker: token.as_deref().map(decode_token).transpose()?,
            ..ListQuery::all(limit)
        };
        let page = store.containers(account, &query).await?;
        Ok(answer::xml(buckets(account.as_str(), &prefix, &page)))
    }
}

impl Scene<'_> {
    pub(super) async fn create_bucket(&self, body: RequestBody) -> Result<Response, Refusal> {
        let bucket = self.container.name.as_str();
        if !is_bucket_name(bucket) {
            return Err(Refusal::BucketName);
        }
        check_configuration(&body.collect(CONFIGURATION_BYTES_MAX).await?, self.region)?;
        let new = NewContainer {
            metadata: UserMetadata::default(),
            claim: Claim::Required,
            settings: SettingsChange::default(),
            versioning: None,
        };
        match self.store.create_container(self.container, new).await? {
            Created::Existing if self.region != LENIENT_REGION => Err(Refusal::BucketAlreadyOwnedByYou),
            Created::New | Created::Existing => {
                let mut response = answer::empty(StatusCode::OK);
                answer::set(response.headers_mut(), LOCATION, &format!("/{bucket}"));
                Ok(response)
            }
        }
    }

    pub(super) async fn head_bucket(&self) -> Result<Response, Refusal> {
        self.store.container(self.container).await?;
        let mut response = answer::empty(StatusCode::OK);
        if let Ok(region) = HeaderValue::from_str(self.region) {
            response.headers_mut().insert("x-amz-bucket-region", region);
        }
        Ok(response)
    }

    pub(super) async fn delete_bucket(&self) -> Result<Response, Refusal> {
        self.store.delete_container(self.container).await?;
        Ok(answer::empty(StatusCode::NO_CONTENT))
    }

    /// S3's first region is said by saying nothing.
    pub(super) async fn bucket_location(&self) -> Result<Response, Refusal> {
        self.store.container(self.container).await?;
        let mut xml = Writer::new("LocationConstraint");
        if self.region != LENIENT_REGION {
            xml.content(self.region);
        }
        Ok(answer::xml(xml))
    }
}

fn buckets(owner: &str, prefix: &str, page: &Page<ContainerEntry>) -> Writer {
    let mut xml = Writer::new("ListAllMyBucketsResult");
    xml.open("Owner").text("ID", owner).text("DisplayName", owner).close("Owner").open("Buckets");
    for entry in &page.entries {
        // Without a delimiter there are no common prefixes.
        if let ListEntry::Item(bucket) = entry {
            xml.open("Bucket").text("Name", bucket.name.as_str());
            xml.text("CreationDate", &answer::iso_date(bucket.created)).close("Bucket");
        }
    }
    xml.close("Buckets");
    if !prefix.is_empty() {
        xml.text("Prefix", prefix);
    }
    if let Some(next) = &page.next {
        xml.text("ContinuationToken", &encode_token(next));
    }
    xml
}

/// A new bucket may only say that it wants to be where it will be anyway.
fn check_configuration(document: &[u8], region: &str) -> Result<(), Refusal> {
    if document.is_empty() {
        return Ok(());
    }
    let root = Element::read(document, "CreateBucketConfiguration")?;
    for element in &root.children {
        match element.name.as_str() {
            "LocationConstraint" if element.word()? == region || element.word()?.is_empty() => {}
            "LocationConstraint" => return Err(Refusal::LocationConstraint),
            "Location" | "Bucket" | "Tags" => {
                return Err(Refusal::NotOffered(format!("{} of a new bucket", element.name)));
            }
            _ => return Err(Refusal::MalformedXml("a bucket's configuration has an unknown element")),
        }
    }
    Ok(())
}

/// AWS's rules: 3 to 63 of `a-z 0-9 . -`, letters or digits at both ends and around dots, and no IP address.
fn is_bucket_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_well = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(|&byte| is_word(byte)) && bytes.last().is_some_and(|&byte| is_word(byte))
    };
    let is_address =
        name.split('.').count() == 4 && name.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| is_word(byte) || byte == b'-' || byte == b'.')
        && name.split('.').all(ends_well)
        && !is_address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names() {
        for name in ["abc", "a-b.c-d", "123", "1.2.3", &"a".repeat(63)] {
            assert!(is_bucket_name(name), "{name}");
        }
        for name in [
            "ab",
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            "a..b",
            ".ab",
            "a.-b",
            "192.168.0.1",
            "a b",
            "aé",
            &"a".repeat(64),
        ] {
            assert!(!is_bucket_name(name), "{name}");
        }
    }

    #[test]
    fn a_bucket_can_only_be_where_the_cluster_is() {
        let check = |inner: &str| {
            let document = format!("<CreateBucketConfiguration>{inner}</CreateBucketConfiguration>");
            check_configuration(document.as_bytes(), "here")
        };
        assert!(check("").is_ok());
        assert!(check("<LocationConstraint>here</LocationConstraint>").is_ok());
        assert!(check_configuration(b"", "here").is_ok());
        let elsewhere = check("<LocationConstraint>there</LocationConstraint>");
        assert!(matches!(elsewhere, Err(Refusal::LocationConstraint)));
        assert!(matches!(check("<Tags/>"), Err(Refusal::NotOffered(_))));
        assert!(matches!(check("<Else/>"), Err(Refusal::MalformedXml(_))));
    }
}
