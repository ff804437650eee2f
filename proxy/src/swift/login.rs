//! `/auth/v1.0`: a user name and a key for a token and a storage URL.

use axum::response::Response;
use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::token::{TOKEN_LIFETIME_SECONDS, TokenKey};
use martlet_auth::{Identity, Users};
use martlet_model::{AccountName, Error, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer;
use super::headers;
use super::refusal::{Realm, Refusal};

/// What is left as it is in a path: RFC 3986's unreserved characters.
pub(super) const PATH_SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// GET of the login path.
pub struct Login {
    /// `account:user`
    pub user: String,
    pub key: String,
    /// Host and port as the client calls this server: the storage URL has the same.
    pub host: String,
    pub scheme: UrlScheme,
}

/// How clients reach this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
    /// As the request's `X-Forwarded-Proto` says: where everything comes through something that sets it.
    Forwarded,
}

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlScheme {
    Http,
    Https,
}

impl Scheme {
    /// The scheme by which a request came.
    pub(crate) fn of(self, request: &HeaderMap) -> UrlScheme {
        match self {
            Self::Http => UrlScheme::Http,
            Self::Https => UrlScheme::Https,
            Self::Forwarded => match request.get("x-forwarded-proto") {
                Some(scheme) if scheme.as_bytes().eq_ignore_ascii_case(b"https") => UrlScheme::Https,
                _ => UrlScheme::Http,
            },
        }
    }
}

pub(super) fn parse(head: &Parts, scheme: Scheme) -> Result<Login, Refusal> {
    let user = headers::either(&head.headers, "x-auth-user", "x-storage-user")?;
    let key = headers::either(&head.headers, "x-auth-key", "x-storage-pass")?;
    let (Some(user), Some(key)) = (user, key) else {
        return Err(Refusal::Unauthorized { realm: Realm::Unknown });
    };
    let (host, scheme) = (host(head)?.to_owned(), scheme.of(&head.headers));
    Ok(Login { user: user.to_owned(), key: key.to_owned(), host, scheme })
}

/// The host that the client named; checked, since it is sent back.
fn host(head: &Parts) -> Result<&str, Refusal> {
    let named = head.uri.authority().map(http::uri::Authority::as_str);
    let host = match named {
        Some(host) => Some(host),
        None => headers::text(&head.headers, HOST.as_str())?,
    };
    let is_host = |host: &&str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    host.filter(is_host).ok_or(Refusal::Malformed("Invalid Host header".into()))
}

/// Whoever knows the key gets a token. An unknown user and a wrong key are told apart by nothing.
pub(super) async fn perform(
    login: Login,
    users: &dyn Users,
    tokens: &TokenKey,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let found = users.by_swift_name(&login.user).await?;
    let Some(user) =
        found.filter(|found| found.secret.matches(&login.key)).and_then(|found| user(found.identity))
    else {
        return Err(Refusal::Unauthorized { realm: Realm::Unknown });
    };
    let token = tokens.issue(&user, now).map_err(|error| Error::Internal(Box::new(error)))?;
    let value = answer::header_value(&token.text);
    let mut headers = HeaderMap::new();
    headers.insert("x-auth-token", value.clone());
    headers.insert("x-storage-token", value);
    headers.insert("x-auth-token-expires", HeaderValue::from(TOKEN_LIFETIME_SECONDS));
    headers.insert(
        "x-storage-url",
        answer::header_value(&storage_url(login.scheme, &login.host, &user.account)),
    );
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer::PLAIN));
    Ok(answer::empty(StatusCode::OK, headers))
}

fn user(identity: Identity) -> Option<std::sync::Arc<martlet_auth::User>> {
    match identity {
        Identity::User(user) => Some(user),
        Identity::Anonymous | Identity::Bearer(_) => None,
    }
}

fn storage_url(scheme: UrlScheme, host: &str, account: &AccountName) -> String {
    let scheme = match scheme {
        UrlScheme::Http => "http",
        UrlScheme::Https => "https",
    };
    format!("{scheme}://{host}/v1/{}", utf8_percent_encode(account.as_str(), PATH_SEGMENT))
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("host", &self.host).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn read(items: &[(&str, &str)]) -> Result<(String, String, String), u16> {
        let mut request = Request::get("/auth/v1.0");
        for (name, value) in items {
            request = request.header(*name, *value);
        }
        let login = parse(&request.body(()).unwrap().into_parts().0, Scheme::Http);
        login.map(|login| (login.user, login.key, login.host)).map_err(|refusal| refusal.status())
    }

    #[track_caller]
    fn check(items: &[(&str, &str)], expected: Result<(&str, &str, &str), u16>) {
        let expected = expected.map(|(user, key, host)| (user.into(), key.into(), host.into()));
        assert_eq!(read(items), expected, "{items:?}");
    }

    #[test]
    fn both_pairs_of_headers_log_in() {
        let expected = Ok(("test:tester", "testing", "h:8080"));
        check(&[("Host", "h:8080"), ("X-Auth-User", "test:tester"), ("X-Auth-Key", "testing")], expected);
        check(
            &[("Host", "h:8080"), ("X-Storage-User", "test:tester"), ("X-Storage-Pass", "testing")],
            expected,
        );
    }

    #[test]
    fn without_credentials_it_is_401() {
        check(&[("Host", "h")], Err(401));
        check(&[("Host", "h"), ("X-Auth-User", "test:tester")], Err(401));
        check(&[("Host", "h"), ("X-Auth-Key", "testing")], Err(401));
    }

    #[test]
    fn a_host_that_is_none_is_not_sent_back() {
        let with_host = |host| [("X-Auth-User", "a:b"), ("X-Auth-Key", "k"), ("Host", host)];
        check(&with_host("h/../x"), Err(400));
        check(&with_host("user@h"), Err(400));
        check(&with_host(""), Err(400));
        check(&with_host("[::1]:80"), Ok(("a:b", "k", "[::1]:80")));
        check(&[("X-Auth-User", "a:b"), ("X-Auth-Key", "k")], Err(400));
    }

    #[test]
    fn the_storage_url_follows_the_host() {
        let account = AccountName::parse("AUTH_a b".as_bytes()).unwrap();
        assert_eq!(storage_url(UrlScheme::Http, "h:80", &account), "http://h:80/v1/AUTH_a%20b");
        assert_eq!(storage_url(UrlScheme::Https, "h", &account), "https://h/v1/AUTH_a%20b");
    }

    #[test]
    fn what_ends_tls_says_so_where_it_is_believed() {
        let request = |scheme: &str| {
            let value = http::HeaderValue::from_str(scheme).unwrap();
            [(http::HeaderName::from_static("x-forwarded-proto"), value)].into_iter().collect::<HeaderMap>()
        };
        assert_eq!(Scheme::Forwarded.of(&request("https")), UrlScheme::Https);
        assert_eq!(Scheme::Forwarded.of(&request("http")), UrlScheme::Http);
        assert_eq!(Scheme::Forwarded.of(&HeaderMap::new()), UrlScheme::Http);
        assert_eq!(Scheme::Http.of(&request("https")), UrlScheme::Http);
    }

    #[test]
    fn a_key_is_never_printed() {
        let login =
            Login { user: "a:b".into(), key: "sesame".into(), host: "h".into(), scheme: UrlScheme::Http };
        assert!(!format!("{login:?}").contains("sesame"));
    }
}
