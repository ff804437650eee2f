//! Buckets named by the host: virtual-host style.

use std::sync::Arc;

use http::header::HOST;
use http::request::Parts;

/// The domains whose subdomains are buckets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct VirtualHosts(Arc<[String]>);

impl VirtualHosts {
    /// `suffixes` have no leading dot.
    pub fn new(suffixes: Vec<String>) -> Self {
        Self(suffixes.into())
    }

    /// The bucket that a request's host names: what stands before a suffix.
    pub fn bucket_of<'a>(&self, head: &'a Parts) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let host = match head.headers.get(HOST) {
            Some(host) => host.to_str().ok()?,
            None => head.uri.host()?,
        };
        let host = without_port(host);
        self.0.iter().find_map(|suffix| {
            let at = host.len().checked_sub(suffix.len() + 1)?;
            let (bucket, rest) = (host.get(..at)?, host.get(at..)?);
            let matches = rest.starts_with('.') && rest[1..].eq_ignore_ascii_case(suffix);
            (matches && !bucket.is_empty()).then_some(bucket)
        })
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[track_caller]
    fn check(host: &str, expected: Option<&str>) {
        let (head, ()) = Request::builder().header(HOST, host).body(()).unwrap().into_parts();
        let hosts = VirtualHosts::new(vec!["s3.example".to_owned(), "localhost".to_owned()]);
        assert_eq!(hosts.bucket_of(&head), expected, "{host}");
    }

    #[test]
    fn a_bucket_stands_before_the_suffix() {
        check("box.s3.example", Some("box"));
        check("box.S3.Example:8080", Some("box"));
        check("my.box.s3.example", Some("my.box"));
        check("box.localhost", Some("box"));
    }

    #[test]
    fn other_hosts_name_no_bucket() {
        for host in ["s3.example", ".s3.example", "boxs3.example", "example", "127.0.0.1:8080", "[::1]:80"] {
            check(host, None);
        }
    }
}
