//! Which dialect a request speaks.

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::s3::host::VirtualHosts;

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    S3,
    Swift,
}

/// Tells the dialects apart.
#[derive(Debug)]
pub(crate) struct Routes(VirtualHosts);

impl Routes {
    pub(crate) fn new(virtual_hosts: VirtualHosts) -> Self {
        Self(virtual_hosts)
    }

    /// Swift has a few paths; all else is S3, and so is whatever is signed in AWS's way or names a bucket in its host.
    /// No S3 bucket can be called `v1`: their names have at least three letters.
    /// Who sends a token of Swift's is spoken to as Swift would, whatever the path.
    pub(crate) fn route(&self, head: &Parts) -> Route {
        let is_swift = is_swift_path(head.uri.path()) || head.headers.contains_key("x-auth-token");
        if is_swift && !is_signed_for_aws(head) && self.0.bucket_of(head).is_none() {
            Route::Swift
        } else {
            Route::S3
        }
    }
}

fn is_swift_path(path: &str) -> bool {
    let begins_with =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    begins_with("/v1")
        || matches!(path, "/auth" | "/auth/" | "/auth/v1.0" | "/auth/v1.0/" | "/v1.0" | "/v1.0/")
        || matches!(path, "/info" | "/healthcheck")
}

fn is_signed_for_aws(head: &Parts) -> bool {
    let in_header = head.headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS"));
    let in_query = |query: &str| query.contains("X-Amz-Signature=") || query.contains("AWSAccessKeyId=");
    in_header || head.uri.query().is_some_and(in_query)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[track_caller]
    fn check(uri: &str, headers: &[(&str, &str)], expected: Route) {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let routes = Routes::new(VirtualHosts::new(vec!["s3.example".to_owned()]));
        assert_eq!(routes.route(&head), expected, "{uri} {headers:?}");
    }

    #[test]
    fn swift_has_its_paths() {
        for uri in [
            "/v1",
            "/v1/",
            "/v1/AUTH_a/c/o",
            "/auth/v1.0",
            "/auth/v1.0/",
            "/auth",
            "/v1.0",
            "/info",
            "/healthcheck",
            "/info?swiftinfo_sig=x",
        ] {
            check(uri, &[("x-auth-token", "t")], Route::Swift);
        }
    }

    #[test]
    fn everything_else_is_s3() {
        for uri in ["/", "/bucket", "/bucket/v1/x", "/v10/x", "/v1x", "/information", "/auth/v1.0/x"] {
            check(uri, &[], Route::S3);
        }
    }

    #[test]
    fn a_token_of_swifts_is_for_swift() {
        for uri in ["//v1/AUTH_a", "/info%20asdf", "/bucket/key"] {
            check(uri, &[("x-auth-token", "t")], Route::Swift);
            check(uri, &[], Route::S3);
        }
    }

    #[test]
    fn what_is_signed_for_aws_is_s3_everywhere() {
        check("/info", &[("authorization", "AWS4-HMAC-SHA256 Credential=x")], Route::S3);
        check("/info?X-Amz-Signature=0", &[], Route::S3);
        check("/v1/k", &[("host", "bucket.s3.example")], Route::S3);
        check("/v1/k", &[("host", "s3.example")], Route::Swift);
    }
}
