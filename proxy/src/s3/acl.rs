//! ACLs of buckets and objects: as XML, in headers, and what follows from them when something is stored.

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use martlet_auth::s3_acl::{
    Acl, AclRequest, CannedAcl, Grant, GrantRequest, Grantee, GranteeName, Permission,
};
use martlet_auth::{Action, CanonicalId, ObjectOwnership};
use martlet_model::{
    AnnotationsChange, Conditions, ContainerId, ContainerInfo, ETagStyle, Error, NewUpload, ObjectId,
    ObjectStore as _, Setting, SettingsChange, VersionId,
};

use super::headers::Headers;
use super::integrity::Integrity;
use super::refusal::{AclRefusal, Refusal};
use super::xml::{Element, Writer};
use super::{Scene, answer};
use crate::body::RequestBody;

/// The largest document with an ACL: 100 grants of 650 bytes.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024;
const GRANTEE: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type";

/// An ACL that is to replace another.
#[derive(Debug)]
pub(super) struct NewAcl {
    /// `None`: it stands in the body.
    request: Option<AclRequest>,
    integrity: Integrity,
}

/// An ACL as it stands in a document.
#[derive(Debug, PartialEq, Eq)]
struct Document {
    owner: CanonicalId,
    grants: AclRequest,
}

impl Headers<'_> {
    /// The ACL that headers ask for.
    pub(super) fn take_acl(&mut self) -> Result<Option<AclRequest>, Refusal> {
        self.pass(|name| name == "x-amz-acl" || name.starts_with("x-amz-grant-"));
        Ok(AclRequest::from_headers(self.all)?)
    }
}

impl NewAcl {
    pub(super) fn take(headers: &mut Headers<'_>) -> Result<Self, Refusal> {
        Ok(Self { request: headers.take_acl()?, integrity: headers.take_integrity()? })
    }

    /// What is asked for; a document must keep the owner.
    async fn asked(self, owner: &CanonicalId, body: RequestBody) -> Result<AclRequest, Refusal> {
        let document = self.integrity.document(body, DOCUMENT_BYTES_MAX).await?;
        match self.request {
            Some(request) if document.is_empty() => Ok(request),
            Some(_) => Err(AclRefusal::UnexpectedContent.into()),
            None if document.is_empty() => Err(AclRefusal::Missing.into()),
            None => match Document::read(&document)? {
                asked if asked.owner == *owner => Ok(asked.grants),
                _ => Err(Error::Denied.into()),
            },
        }
    }
}

impl Scene<'_> {
    pub(super) async fn bucket_acl(&self) -> Result<Response, Refusal> {
        let info = self.bucket_for(Action::GetBucketAcl).await?;
        self.show_acl(&self.acl_of_bucket(&info)?).await
    }

    pub(super) async fn set_bucket_acl(&self, new: NewAcl, body: RequestBody) -> Result<Response, Refusal> {
        let info = self.bucket_for(Action::PutBucketAcl).await?;
        let owner = self.acl_of_bucket(&info)?.owner;
        let asked = new.asked(&owner, body).await?;
        check_acls_count(&info, &asked)?;
        let acl = asked.resolve(&owner, &owner, self.users).await?;
        self.change(SettingsChange::default().set(Setting::Acl, acl.encode())).await?;
        Ok(answer::empty(StatusCode::OK))
    }

    pub(super) async fn object_acl(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
    ) -> Result<Response, Refusal> {
        let action = of_version(version, Action::GetObjectAcl, Action::GetObjectVersionAcl);
        let found = self.store.head_for(action, object, version, &Conditions::none(ETagStyle::S3)).await?;
        let acl = self.acl_of_object(found.annotations.acl.as_ref()).await?;
        self.show_acl(&acl).await
    }

    pub(super) async fn set_object_acl(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
        (new, body): (NewAcl, RequestBody),
    ) -> Result<Response, Refusal> {
        let action = of_version(version, Action::PutObjectAcl, Action::PutObjectVersionAcl);
        let found = self.store.head_for(action, object, version, &Conditions::none(ETagStyle::S3)).await?;
        let info = self.store.unguarded().recent_container(self.container).await?;
        let (owner, bucket_owner) = (
            self.acl_of_object(found.annotations.acl.as_ref()).await?.owner,
            self.acl_of_bucket(&info)?.owner,
        );
        let asked = new.asked(&owner, body).await?;
        check_acls_count(&info, &asked)?;
        let acl = asked.resolve(&owner, &bucket_owner, self.users).await?;
        let change = AnnotationsChange { acl: Some(acl.encode()), tags: None };
        let changed = self.store.annotate(object, version, change).await?;
        let mut response = answer::empty(StatusCode::OK);
        if let Some(version) = changed.version {
            answer::set_version(response.headers_mut(), version);
        }
        Ok(response)
    }

    /// What is kept as the ACL of an object that the caller stores; `None`: it is the bucket's owner's alone.
    ///
    /// Objects belong to who stores them; what nobody in particular stores, and what the account's users do,
    /// to the owner of the bucket.
    pub(super) async fn acl_of_new(&self, asked: Option<&AclRequest>) -> Result<Option<Bytes>, Refusal> {
        let writer = self.store.identity().as_user();
        let stranger = writer.filter(|user| user.account != self.container.account);
        if asked.is_none() && stranger.is_none() {
            return Ok(None);
        }
        let info = self.store.unguarded().recent_container(self.container).await?;
        if let Some(asked) = asked {
            check_acls_count(&info, asked)?;
        }
        let bucket_owner = self.acl_of_bucket(&info)?.owner;
        let is_given_away =
            *asked.unwrap_or(&PRIVATE) == AclRequest::Canned(CannedAcl::BucketOwnerFullControl);
        let owner = match (ownership(&info)?, stranger) {
            (ObjectOwnership::BucketOwnerEnforced, _) => return Ok(None),
            (ObjectOwnership::BucketOwnerPreferred, _) if is_given_away => return Ok(None),
            (_, Some(stranger)) => &stranger.id,
            (_, None) => &bucket_owner,
        };
        let acl = asked.unwrap_or(&PRIVATE).resolve(owner, &bucket_owner, self.users).await?;
        Ok(Some(acl.encode()))
    }

    /// The owner of what an upload makes, who has begun it or has it made for the bucket's owner.
    pub(super) async fn owner_of_upload(&self, new: &NewUpload) -> Result<Person, Refusal> {
        self.person(&self.acl_of_object(new.annotations.acl.as_ref()).await?.owner).await
    }

    /// Whether others than the account's users may have stored something in the bucket.
    pub(super) async fn lets_strangers_write(&self) -> Result<bool, Refusal> {
        let info = self.store.unguarded().recent_container(self.container).await?;
        let acl = self.acl_of_bucket(&info)?;
        let has = |setting| info.settings.get(setting).is_some();
        Ok(has(Setting::Policy) || has(Setting::SwiftWrite) || acl != Acl::private(acl.owner.clone()))
    }

    /// The owner of the bucket, as ids and names are shown.
    pub(super) async fn owner(&self) -> Result<Person, Refusal> {
        let info = self.store.unguarded().recent_container(self.container).await?;
        self.person(&self.acl_of_bucket(&info)?.owner).await
    }

    pub(super) fn acl_of_bucket(&self, info: &ContainerInfo) -> Result<Acl, Refusal> {
        of_bucket(info, self.container)
    }

    async fn acl_of_object(&self, stored: Option<&Bytes>) -> Result<Acl, Refusal> {
        if let Some(stored) = stored {
            return decoded(stored);
        }
        let info = self.store.unguarded().recent_container(self.container).await?;
        Ok(Acl::private(self.acl_of_bucket(&info)?.owner))
    }

    async fn show_acl(&self, acl: &Acl) -> Result<Response, Refusal> {
        let mut xml = Writer::new("AccessControlPolicy");
        self.person(&acl.owner).await?.write(&mut xml, "Owner");
        xml.open("AccessControlList");
        // Groups come first, as other stores show them and some clients expect.
        let is_group = |grant: &&Grant| matches!(grant.grantee, Grantee::Group(_));
        let (groups, users): (Vec<&Grant>, Vec<&Grant>) = acl.grants.iter().partition(is_group);
        for Grant { grantee, permission } in groups.into_iter().chain(users) {
            xml.open("Grant");
            match grantee {
                Grantee::User(id) => {
                    xml.open_with("Grantee", GRANTEE, "CanonicalUser");
                    self.person(id).await?.write_inner(&mut xml);
                }
                Grantee::Group(group) => {
                    xml.open_with("Grantee", GRANTEE, "Group").text("URI", group.uri());
                }
            }
            xml.close("Grantee").word("Permission", permission.as_str()).close("Grant");
        }
        xml.close("AccessControlList");
        Ok(answer::xml(xml))
    }

    async fn person(&self, id: &CanonicalId) -> Result<Person, Refusal> {
        let caller = self.store.identity().as_user().filter(|user| user.id == *id);
        let user = match caller {
            Some(user) => Some(user.clone()),
            None => self.users.by_id(id).await?,
        };
        let name = user.map_or_else(|| id.as_str().to_owned(), |user| user.display_name.clone());
        Ok(Person { id: id.clone(), name })
    }
}

/// Somebody, as documents show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) id: CanonicalId,
    pub(super) name: String,
}

impl Person {
    pub(super) fn write(&self, xml: &mut Writer, role: &str) {
        xml.open(role);
        self.write_inner(xml);
        xml.close(role);
    }

    pub(super) fn write_roles(&self, xml: &mut Writer, roles: &[&str]) {
        for role in roles {
            self.write(xml, role);
        }
    }

    fn write_inner(&self, xml: &mut Writer) {
        xml.text("ID", self.id.as_str()).text("DisplayName", &self.name);
    }
}

/// A bucket that was made through Swift has no ACL: it belongs to its account.
pub(super) fn of_bucket(info: &ContainerInfo, id: &ContainerId) -> Result<Acl, Refusal> {
    match info.settings.get(Setting::Acl) {
        Some(stored) => decoded(stored),
        None => Ok(Acl::private(CanonicalId::new(id.account.as_str()))),
    }
}

pub(super) const PRIVATE: AclRequest = AclRequest::Canned(CannedAcl::Private);

fn of_version(version: Option<VersionId>, current: Action, named: Action) -> Action {
    if version.is_some() { named } else { current }
}

fn decoded(stored: &Bytes) -> Result<Acl, Refusal> {
    Acl::decode(stored).map_err(|error| Error::Internal(error.into()).into())
}

pub(super) fn ownership(info: &ContainerInfo) -> Result<ObjectOwnership, Refusal> {
    let Some(stored) = info.settings.get(Setting::OwnershipControls) else {
        return Ok(ObjectOwnership::default());
    };
    ObjectOwnership::decode(stored).map_err(|error| Error::Internal(error.into()).into())
}

/// Where ACLs grant nothing, none can be asked for but the one that says so.
fn check_acls_count(info: &ContainerInfo, asked: &AclRequest) -> Result<(), Refusal> {
    let says_nothing = *asked == AclRequest::Canned(CannedAcl::BucketOwnerFullControl);
    match ownership(info)? {
        ObjectOwnership::BucketOwnerEnforced if !says_nothing => Err(AclRefusal::Disabled.into()),
        _ => Ok(()),
    }
}

impl Document {
    fn read(document: &[u8]) -> Result<Self, Refusal> {
        let malformed = |_| AclRefusal::Malformed("it is not an AccessControlPolicy");
        let root = Element::read(document, "AccessControlPolicy").map_err(malformed)?;
        let (mut owner, mut grants) = (None, None);
        for element in &root.children {
            match element.name.as_str() {
                "Owner" => owner = Some(CanonicalId::new(child(element, "ID")?)),
                "AccessControlList" => {
                    grants = Some(element.children.iter().map(grant).collect::<Result<_, _>>()?);
                }
                _ => return Err(AclRefusal::Malformed("AccessControlPolicy has an unknown element").into()),
            }
        }
        let owner = owner.ok_or(AclRefusal::Malformed("there is no Owner"))?;
        let grants =
            AclRequest::Grants(grants.ok_or(AclRefusal::Malformed("there is no AccessControlList"))?);
        Ok(Self { owner, grants })
    }
}

fn grant(element: &Element) -> Result<GrantRequest, Refusal> {
    let grantee = element.children.iter().find(|child| child.name == "Grantee");
    let grantee = grantee.filter(|_| element.name == "Grant" && element.children.len() == 2);
    let grantee = grantee.ok_or(AclRefusal::Malformed("a Grant must have Grantee and Permission"))?;
    let permission = Permission::parse(child(element, "Permission")?);
    Ok(GrantRequest {
        grantee: grantee_name(grantee)?,
        permission: permission.ok_or(AclRefusal::Malformed("there is no such Permission"))?,
    })
}

/// What is in a grantee says of what type it is.
fn grantee_name(grantee: &Element) -> Result<GranteeName, Refusal> {
    let mut names = grantee.children.iter().filter(|child| child.name != "DisplayName");
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(AclRefusal::Malformed("a Grantee must have ID, EmailAddress or URI").into());
    };
    let text = name.word()?.to_owned();
    match name.name.as_str() {
        "ID" => Ok(GranteeName::Id(text)),
        "EmailAddress" => Ok(GranteeName::Email(text)),
        "URI" => Ok(GranteeName::Uri(text)),
        _ => Err(AclRefusal::Malformed("a Grantee has an unknown element").into()),
    }
}

fn child<'a>(element: &'a Element, name: &str) -> Result<&'a str, Refusal> {
    let found = element.children.iter().find(|child| child.name == name);
    found.ok_or(AclRefusal::Malformed("an element is missing"))?.word()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inner: &str) -> Result<Document, Refusal> {
        Document::read(format!("<AccessControlPolicy>{inner}</AccessControlPolicy>").as_bytes())
    }

    #[test]
    fn grantees_are_known_by_what_is_in_them() {
        let document = read(
            "<Owner><ID>o</ID><DisplayName>x</DisplayName></Owner><AccessControlList>\
             <Grant><Grantee xmlns:xsi='x' xsi:type='CanonicalUser'><ID>a</ID><DisplayName>b</DisplayName></Grantee>\
             <Permission>READ_ACP</Permission></Grant>\
             <Grant><Permission>READ</Permission><Grantee><URI>u</URI></Grantee></Grant>\
             <Grant><Grantee><EmailAddress>a@b</EmailAddress></Grantee><Permission>WRITE</Permission></Grant>\
             </AccessControlList>",
        );
        let grant = |grantee, permission| GrantRequest { grantee, permission };
        let expected = Document {
            owner: CanonicalId::new("o"),
            grants: AclRequest::Grants(vec![
                grant(GranteeName::Id("a".to_owned()), Permission::ReadAcp),
                grant(GranteeName::Uri("u".to_owned()), Permission::Read),
                grant(GranteeName::Email("a@b".to_owned()), Permission::Write),
            ]),
        };
        assert_eq!(document.unwrap(), expected);
    }

    #[test]
    fn what_is_no_acl_is_refused() {
        let owner = "<Owner><ID>o</ID></Owner>";
        for inner in [
            "",
            owner,
            "<AccessControlList/>",
            &format!("{owner}<AccessControlList/><Else/>"),
            &format!("{owner}<AccessControlList><Else/></AccessControlList>"),
            &format!(
                "{owner}<AccessControlList><Grant><Grantee><ID>a</ID></Grantee></Grant></AccessControlList>"
            ),
            &format!(
                "{owner}<AccessControlList><Grant><Grantee><ID>a</ID></Grantee><Permission>ALL</Permission>\
                 </Grant></AccessControlList>"
            ),
            &format!(
                "{owner}<AccessControlList><Grant><Grantee><ID>a</ID><URI>u</URI></Grantee>\
                 <Permission>READ</Permission></Grant></AccessControlList>"
            ),
        ] {
            assert!(matches!(read(inner), Err(Refusal::Acl(AclRefusal::Malformed(_)))), "{inner}");
        }
        assert!(matches!(Document::read(b"<Else/>"), Err(Refusal::Acl(AclRefusal::Malformed(_)))));
    }
}
