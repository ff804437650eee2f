//! Buckets: making, finding and removing them.

use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use martlet_auth::s3_acl::{Acl, AclRequest};
use martlet_auth::{Action, CanonicalId, Denied, Guarded, Identity, ObjectOwnership, Users};
use martlet_model::{
    Claim, ContainerEntry, ContainerInfo, ContainerStore as _, Error, ListEntry, ListQuery, NewContainer,
    Page, Setting, SettingsChange, UserMetadata,
};

use super::acl::{self, Person};
use super::command::Operation;
use super::headers::Headers;
use super::listing::{decode_token, encode_token};
use super::query::Query;
use super::refusal::{AclRefusal, Refusal};
use super::xml::{Element, Writer};
use super::{S3, Scene, answer};
use crate::body::RequestBody;

/// The largest configuration that comes with a new bucket.
const CONFIGURATION_BYTES_MAX: u64 = 64 * 1024;
/// The most buckets of one page.
const BUCKETS_PAGE_MAX: usize = 10_000;
/// The region in which making one's own bucket again is no conflict, as in AWS.
const LENIENT_REGION: &str = "us-east-1";

/// Which of the caller's buckets to list.
#[derive(Debug)]
pub(super) struct ListBuckets {
    prefix: String,
    /// Only buckets in it.
    region: Option<String>,
    token: Option<String>,
    limit: usize,
}

/// What a new bucket is to be.
#[derive(Debug)]
pub(super) struct NewBucket {
    acl: Option<AclRequest>,
    ownership: Option<ObjectOwnership>,
}

impl ListBuckets {
    pub(super) fn parse(query: &mut Query<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            prefix: query.take_text("prefix")?,
            region: query.take("bucket-region")?,
            token: query.take("continuation-token")?,
            limit: match query.take_count("max-buckets", BUCKETS_PAGE_MAX)? {
                0 => return Err(Refusal::argument("max-buckets", "it is not a number from 1 to 10000")),
                limit => limit,
            },
        })
    }
}

impl NewBucket {
    pub(super) fn take(headers: &mut Headers<'_>) -> Result<Self, Refusal> {
        const OWNERSHIP: &str = "x-amz-object-ownership";
        let ownership = match headers.take(OWNERSHIP)?.map(ObjectOwnership::parse) {
            Some(None) => return Err(Refusal::argument(OWNERSHIP, "there is no such ownership")),
            Some(ownership) => ownership,
            None => None,
        };
        Ok(Self { acl: headers.take_acl()?, ownership })
    }
}

impl S3 {
    /// Operations that are in no bucket.
    pub(super) async fn on_account(
        &self,
        operation: Operation,
        store: &Guarded,
    ) -> Result<Response, Refusal> {
        let Operation::ListBuckets(ListBuckets { prefix, region, token, limit }) = operation else {
            return Err(Refusal::MethodNotAllowed);
        };
        let user = match store.identity() {
            Identity::User(user) => user,
            // Nobody in particular has no buckets.
            Identity::Anonymous => return Ok(answer::xml(nobodys_buckets())),
            Identity::Bearer(_) => return Err(Error::from(Denied).into()),
        };
        let elsewhere = region.is_some_and(|region| region != self.region);
        let query = ListQuery {
            prefix: Bytes::from(prefix.clone()),
            marker: token.as_deref().map(decode_token).transpose()?,
            ..ListQuery::all(if elsewhere { 0 } else { limit })
        };
        let owner = Person { id: user.id.clone(), name: user.display_name.clone() };
        let page = match store.containers(&user.account, &query).await {
            // Whoever may not look into the account has no buckets of their own in it.
            Err(Error::Denied) => Page { entries: Vec::new(), next: None },
            page => page?,
        };
        let next = page.next.as_ref().filter(|_| !elsewhere);
        let mut xml = buckets(&owner, &prefix, &page);
        if let Some(next) = next {
            xml.text("ContinuationToken", &encode_token(next));
        }
        Ok(answer::xml(xml))
    }
}

impl Scene<'_> {
    pub(super) async fn create_bucket(&self, new: NewBucket, body: RequestBody) -> Result<Response, Refusal> {
        let bucket = self.container.name.as_str();
        if !is_bucket_name(bucket) {
            return Err(Refusal::BucketName);
        }
        check_configuration(&body.collect(CONFIGURATION_BYTES_MAX).await?, self.region)?;
        match self.store.unguarded().recent_container(self.container).await {
            Ok(info) => self.check_is_same(&new, &info).await?,
            Err(Error::NotFound(_)) => {
                let user = self.store.identity().as_user().ok_or_else(|| Error::from(Denied))?;
                let settings = new.settings(&user.id, self.users).await?;
                let new = NewContainer {
                    metadata: UserMetadata::default(),
                    claim: Claim::Required,
                    settings,
                    versioning: None,
                };
                self.store.create_container(self.container, new).await?;
            }
            Err(error) => return Err(error.into()),
        }
        let mut response = answer::empty(StatusCode::OK);
        answer::set(response.headers_mut(), LOCATION, &format!("/{bucket}"));
        Ok(response)
    }

    /// Making one's own bucket again changes nothing, and so mustn't ask for anything else.
    async fn check_is_same(&self, new: &NewBucket, info: &ContainerInfo) -> Result<(), Refusal> {
        self.store.allow_container(Action::CreateBucket, self.container).await?;
        if self.region != LENIENT_REGION {
            return Err(Refusal::BucketAlreadyOwnedByYou);
        }
        let present = self.acl_of_bucket(info)?;
        let asked = new.acl.as_ref().unwrap_or(&acl::PRIVATE);
        let asked = asked.resolve(&present.owner, &present.owner, self.users).await?;
        let is_same_ownership = match new.ownership {
            Some(ownership) => acl::ownership(info)? == ownership,
            None => true,
        };
        if asked == present && is_same_ownership { Ok(()) } else { Err(Error::NameTaken.into()) }
    }

    pub(super) async fn head_bucket(&self) -> Result<Response, Refusal> {
        self.store.container(self.container).await?;
        let mut response = answer::empty(StatusCode::OK);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        set_region(&mut response, self.region);
        Ok(response)
    }

    pub(super) async fn delete_bucket(&self) -> Result<Response, Refusal> {
        self.store.delete_container(self.container).await?;
        Ok(answer::empty(StatusCode::NO_CONTENT))
    }

    /// S3's first region is said by saying nothing.
    pub(super) async fn bucket_location(&self) -> Result<Response, Refusal> {
        self.bucket_for(Action::GetBucketLocation).await?;
        let mut xml = Writer::new("LocationConstraint");
        if self.region != LENIENT_REGION {
            xml.content(self.region);
        }
        Ok(answer::xml(xml))
    }
}

impl NewBucket {
    /// The documents that the bucket begins with.
    async fn settings(&self, owner: &CanonicalId, users: &dyn Users) -> Result<SettingsChange, Refusal> {
        let acl = self.acl.as_ref().unwrap_or(&acl::PRIVATE).resolve(owner, owner, users).await?;
        let settings = SettingsChange::default().set(Setting::Acl, acl.encode());
        match self.ownership {
            Some(ObjectOwnership::BucketOwnerEnforced) if acl != Acl::private(owner.clone()) => {
                Err(AclRefusal::BesideOwnership.into())
            }
            Some(ownership) => Ok(settings.set(Setting::OwnershipControls, ownership.encode())),
            None => Ok(settings),
        }
    }
}

pub(super) fn set_region(response: &mut Response, region: &str) {
    if let Ok(region) = HeaderValue::from_str(region) {
        response.headers_mut().insert("x-amz-bucket-region", region);
    }
}

fn nobodys_buckets() -> Writer {
    let nobody = Person { id: CanonicalId::new("anonymous"), name: "anonymous".to_owned() };
    buckets(&nobody, "", &Page { entries: Vec::new(), next: None })
}

fn buckets(owner: &Person, prefix: &str, page: &Page<ContainerEntry>) -> Writer {
    let mut xml = Writer::new("ListAllMyBucketsResult");
    owner.write(&mut xml, "Owner");
    xml.open("Buckets");
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
pub(super) fn is_bucket_name(name: &str) -> bool {
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
