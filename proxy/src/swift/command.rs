//! From a request's head to a command: pure, so that the same head always means the same.

use http::Method;
use http::request::Parts;
use martlet_model::{AccountName, ContainerId, ObjectId};

use super::account::{self, HeadAccount, ListContainers, PostAccount};
use super::bulk::{self, DeleteMany};
use super::container::{self, ChangeContainer, HeadContainer, ListObjects};
use super::copy::{self, CopyObject};
use super::cors::{self, Options};
use super::extract::{self, ExtractArchive};
use super::form_post::{self, PostForm};
use super::joined;
use super::login::{self, Login, Scheme};
use super::object::{self, DeleteObject, PostObject, PutObject};
use super::path::Target;
use super::query::Query;
use super::read::{self, GetObject, HeadObject};
use super::refusal::Refusal;
use super::slo::{self, DeleteLarge, PutLarge};
use super::symlink::{self, PutLink};
use super::temp_url;
use super::unoffered;
use super::versions::{self, ListVersions, PutVersion};

/// One variant per operation, with every header and parameter typed.
#[derive(Debug)]
pub enum Command {
    Login(Login),
    Capabilities,
    Health,
    Options(Options),
    ListContainers(ListContainers),
    HeadAccount(HeadAccount),
    PostAccount(PostAccount),
    PutContainer(ChangeContainer),
    ListObjects(ListObjects),
    PostForm(PostForm),
    ListVersions(ListVersions),
    HeadContainer(HeadContainer),
    PostContainer(ChangeContainer),
    DeleteContainer(ContainerId),
    PutObject(Box<PutObject>),
    PutLink(Box<PutLink>),
    PutVersion(PutVersion),
    PutLarge(Box<PutLarge>),
    CopyObject(Box<CopyObject>),
    GetObject(Box<GetObject>),
    HeadObject(Box<HeadObject>),
    PostObject(Box<PostObject>),
    DeleteObject(DeleteObject),
    DeleteLarge(DeleteLarge),
    DeleteMany(DeleteMany),
    ExtractArchive(Box<ExtractArchive>),
}

impl Command {
    /// Reads the head of a request.
    pub fn parse(head: &Parts, scheme: Scheme) -> Result<Self, Refusal> {
        let query = Query::parse(head.uri.query());
        // Of a link that is all it says: Swift takes no other parameter along with it.
        let query = if temp_url::is_link(&query) { Query::default() } else { query };
        let target = Target::parse(head.uri.path())?;
        if let Some(form) = form_post::parse(head, &target) {
            return Ok(Self::PostForm(form));
        }
        unoffered::refuse(head, &query)?;
        if let Some(account) = target.account()
            && query.contains("bulk-delete")
            && matches!(head.method, Method::POST | Method::DELETE)
        {
            return Ok(Self::DeleteMany(bulk::parse(account.clone(), head)));
        }
        if head.method == Method::PUT && query.contains(extract::PARAMETER) {
            return Ok(Self::ExtractArchive(Box::new(extract::parse(&target, head, &query)?)));
        }
        if head.method == Method::OPTIONS {
            return Ok(Self::Options(cors::parse_options(&target, head)?));
        }
        match target {
            Target::Capabilities => read_only(&head.method, Self::Capabilities),
            Target::Health => read_only(&head.method, Self::Health),
            Target::Login => match head.method {
                Method::GET => Ok(Self::Login(login::parse(head, scheme)?)),
                _ => Err(Refusal::WrongMethod { allowed: "GET" }),
            },
            Target::Account(account) => of_account(account, head, &query),
            Target::Container(id) => of_container(id, head, &query),
            Target::Object(id) => of_object(id, head, &query),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Login(_) => "Login",
            Self::Capabilities => "Capabilities",
            Self::Health => "Health",
            Self::Options(_) => "Options",
            Self::ListContainers(_) => "ListContainers",
            Self::HeadAccount(_) => "HeadAccount",
            Self::PostAccount(_) => "PostAccount",
            Self::PutContainer(_) => "PutContainer",
            Self::ListObjects(_) => "ListObjects",
            Self::PostForm(_) => "PostForm",
            Self::ListVersions(_) => "ListVersions",
            Self::HeadContainer(_) => "HeadContainer",
            Self::PostContainer(_) => "PostContainer",
            Self::DeleteContainer(_) => "DeleteContainer",
            Self::PutObject(_) => "PutObject",
            Self::PutLink(_) => "PutLink",
            Self::PutVersion(_) => "PutVersion",
            Self::PutLarge(_) => "PutLarge",
            Self::CopyObject(_) => "CopyObject",
            Self::GetObject(_) => "GetObject",
            Self::HeadObject(_) => "HeadObject",
            Self::PostObject(_) => "PostObject",
            Self::DeleteObject(_) => "DeleteObject",
            Self::DeleteLarge(_) => "DeleteLarge",
            Self::DeleteMany(_) => "DeleteMany",
            Self::ExtractArchive(_) => "ExtractArchive",
        }
    }

    /// The account that the command is about, where it is about one.
    pub fn account(&self) -> Option<&AccountName> {
        Some(match self {
            Self::Login(_) | Self::Capabilities | Self::Health | Self::Options(_) => return None,
            Self::ListContainers(command) => &command.account,
            Self::HeadAccount(command) => &command.account,
            Self::PostAccount(command) => &command.account,
            Self::PutContainer(command) | Self::PostContainer(command) => &command.id.account,
            Self::ListObjects(command) => &command.id.account,
            Self::PostForm(command) => &command.container.account,
            Self::ListVersions(command) => &command.id.account,
            Self::HeadContainer(command) => &command.id.account,
            Self::DeleteContainer(id) => &id.account,
            Self::PutObject(command) => &command.id.container.account,
            Self::PutLink(command) => &command.id.container.account,
            Self::PutVersion(command) => &command.id.container.account,
            Self::PutLarge(command) => &command.id.container.account,
            // Whose the other object is, is told by who denies it.
            Self::CopyObject(command) => &command.target.container.account,
            Self::GetObject(command) => &command.id.container.account,
            Self::HeadObject(command) => &command.id.container.account,
            Self::PostObject(command) => &command.id.container.account,
            Self::DeleteObject(command) => &command.id.container.account,
            Self::DeleteLarge(command) => &command.id.container.account,
            Self::DeleteMany(command) => &command.account,
            Self::ExtractArchive(command) => &command.account,
        })
    }
}

fn read_only(method: &Method, command: Command) -> Result<Command, Refusal> {
    match *method {
        Method::GET | Method::HEAD => Ok(command),
        _ => Err(Refusal::WrongMethod { allowed: "GET, HEAD" }),
    }
}

fn of_account(account: AccountName, head: &Parts, query: &Query<'_>) -> Result<Command, Refusal> {
    Ok(match head.method {
        Method::GET => Command::ListContainers(account::parse_list(account, head, query)?),
        Method::HEAD => Command::HeadAccount(account::parse_head(account, head, query)?),
        Method::POST => Command::PostAccount(account::parse_post(account, head)?),
        _ => return Err(Refusal::WrongMethod { allowed: "GET, HEAD, POST" }),
    })
}

fn of_container(id: ContainerId, head: &Parts, query: &Query<'_>) -> Result<Command, Refusal> {
    Ok(match head.method {
        Method::GET if query.contains("versions") => {
            Command::ListVersions(versions::parse_list(id, head, query)?)
        }
        Method::GET => Command::ListObjects(container::parse_list(id, head, query)?),
        Method::HEAD => Command::HeadContainer(container::parse_head(id, head, query)?),
        Method::PUT => Command::PutContainer(container::parse_change(id, head)?),
        Method::POST => Command::PostContainer(container::parse_change(id, head)?),
        Method::DELETE => Command::DeleteContainer(id),
        _ => return Err(Refusal::WrongMethod { allowed: "DELETE, GET, HEAD, POST, PUT" }),
    })
}

fn of_object(id: ObjectId, head: &Parts, query: &Query<'_>) -> Result<Command, Refusal> {
    if head.method == Method::PUT && symlink::is_link(&head.headers) && !copy::is_copy(&head.headers) {
        return Ok(Command::PutLink(Box::new(symlink::parse_put(id, head, query)?)));
    }
    if let Some(command) = of_manifest(&id, head, query)? {
        return Ok(command);
    }
    let version = versions::parse_id(query)?;
    Ok(match head.method {
        Method::GET => Command::GetObject(Box::new(read::parse_get(id, version, head, query)?)),
        Method::HEAD => Command::HeadObject(Box::new(read::parse_head(id, version, head, query)?)),
        Method::PUT if copy::is_copy(&head.headers) => {
            Command::CopyObject(Box::new(copy::parse_put(id, version, head, query)?))
        }
        Method::PUT if let Some(version) = version => {
            Command::PutVersion(versions::parse_put(id, version, head)?)
        }
        Method::POST if version.is_some() => {
            return Err(Refusal::Malformed("POST to a specific version is not allowed".into()));
        }
        Method::PUT => Command::PutObject(Box::new(object::parse_put(id, head)?)),
        Method::POST => Command::PostObject(Box::new(object::parse_post(id, head)?)),
        Method::DELETE => Command::DeleteObject(DeleteObject { version, ..object::parse_delete(id, head)? }),
        ref method if method.as_str() == "COPY" => {
            Command::CopyObject(Box::new(copy::parse_copy(id, version, head, query)?))
        }
        _ => return Err(Refusal::WrongMethod { allowed: "COPY, DELETE, GET, HEAD, POST, PUT" }),
    })
}

/// What is done to a large object as such. `multipart-manifest=get` is the affair of whoever reads.
fn of_manifest(id: &ObjectId, head: &Parts, query: &Query<'_>) -> Result<Option<Command>, Refusal> {
    let reads = matches!(head.method.as_str(), "GET" | "HEAD" | "COPY")
        || (head.method == Method::PUT && copy::is_copy(&head.headers));
    match (&head.method, query.text(joined::PARAMETER)?) {
        // A change of metadata means the manifest in any case.
        (_, None) | (&Method::POST, _) => Ok(None),
        (_, Some("get")) if reads => Ok(None),
        (&Method::PUT, Some("put")) if reads => {
            Err(Refusal::WrongManifest("Multipart Manifest PUTs cannot be COPY requests"))
        }
        (&Method::PUT, Some("put")) => {
            Ok(Some(Command::PutLarge(Box::new(slo::parse_put(id.clone(), head, query)?))))
        }
        (&Method::DELETE, Some("delete")) => {
            let version = versions::parse_id(query)?;
            Ok(Some(Command::DeleteLarge(slo::parse_delete(id.clone(), version, head))))
        }
        (method, Some(other)) => {
            Err(Refusal::NotOffered(format!("{} with {}={other}", method, joined::PARAMETER).into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    const METHODS: [&str; 8] = ["GET", "HEAD", "PUT", "POST", "DELETE", "COPY", "OPTIONS", "PATCH"];
    const PATHS: [&str; 9] =
        ["/v1/a", "/v1/a/c", "/v1/a/c/o", "/v1", "/info", "/healthcheck", "/auth/v1.0", "/v1/a//o", "/v2/a"];
    const NAMES: [&str; 18] = [
        "accept",
        "content-length",
        "content-md5",
        "content-type",
        "etag",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "range",
        "transfer-encoding",
        "x-auth-key",
        "x-auth-user",
        "x-container-meta-a",
        "x-object-meta-a",
        "x-object-meta-",
        "x-storage-policy",
    ];

    fn parse(method: &str, target: &str, headers: &[(&str, String)]) -> Result<Command, Refusal> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        Command::parse(&request.body(()).unwrap().into_parts().0, Scheme::Http)
    }

    #[track_caller]
    fn check(method: &str, target: &str, expected: &str) {
        let length = [("content-length", "0".to_owned()), ("host", "h".to_owned())];
        let found = parse(method, target, &length).unwrap();
        assert!(format!("{found:?}").starts_with(expected), "{method} {target}: {found:?}");
    }

    #[test]
    fn every_operation_has_a_command() {
        check("GET", "/v1/a", "ListContainers(");
        check("HEAD", "/v1/a", "HeadAccount(");
        check("POST", "/v1/a", "PostAccount(");
        check("GET", "/v1/a/c", "ListObjects(");
        check("HEAD", "/v1/a/c", "HeadContainer(");
        check("PUT", "/v1/a/c", "PutContainer(");
        check("POST", "/v1/a/c", "PostContainer(");
        check("DELETE", "/v1/a/c", "DeleteContainer(");
        check("GET", "/v1/a/c/o", "GetObject(");
        check("HEAD", "/v1/a/c/o", "HeadObject(");
        check("PUT", "/v1/a/c/o", "PutObject(");
        check("POST", "/v1/a/c/o", "PostObject(");
        check("DELETE", "/v1/a/c/o", "DeleteObject(");
        check("GET", "/info", "Capabilities");
        check("HEAD", "/healthcheck", "Health");
    }

    proptest! {
        #[test]
        fn no_head_is_too_strange_to_be_answered(
            method in prop::sample::select(&METHODS[..]),
            path in prop::sample::select(&PATHS[..]),
            query in "[a-z_=&%+0-9-]{0,40}",
            headers in prop::collection::vec(
                (prop::sample::select(&NAMES[..]), "[a-z0-9 ,;=/*\"W:.+-]{0,24}|bytes=[0-9,-]{0,8}|ü"),
                0..6,
            ),
        ) {
            let target = format!("{path}?{query}");
            let (one, other) = (parse(method, &target, &headers), parse(method, &target, &headers));
            prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
            if let Err(refusal) = one {
                prop_assert!((400..=501).contains(&refusal.status()) && refusal.status() != 500);
            }
        }
    }
}
