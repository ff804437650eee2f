//! Swift's TempURL: a link that carries the right to do one thing with one object, or with all below a prefix.
//!
//! Source: "Temporary URL middleware" of the Swift documentation.
//!
//! What is signed, with lines parted by `\n`:
//!
//! ```text
//! ip=<range>                           where the link has temp_url_ip_range
//! <method>
//! <expiry in seconds since the epoch>
//! /v1/<account>/<container>/<object>   or prefix:/v1/<account>/<container>/<prefix>, where it has temp_url_prefix
//! ```

use std::net::IpAddr;
use std::str;

use http::Method;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use martlet_model::{ObjectId, Timestamp};

use crate::bearer::{Bearer, LinkKey, Reach};
use crate::ip_range::IpRange;
use crate::link_signature::LinkSignature;
use crate::target::Target;

/// The methods that a link may be signed for, as `/info` names them.
pub const METHODS: [&str; 5] = ["GET", "HEAD", "PUT", "POST", "DELETE"];

const SIGNATURE: &str = "temp_url_sig";
const EXPIRES: &str = "temp_url_expires";
const PREFIX: &str = "temp_url_prefix";
const IP_RANGE: &str = "temp_url_ip_range";
const FILENAME: &str = "filename";
const INLINE: &str = "inline";

/// A link whose signature hasn't been looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TempUrl<'a> {
    signature: LinkSignature,
    /// From the second after this one on it is no good.
    expires_seconds: u64,
    prefix: Option<&'a [u8]>,
    ip_range: Option<&'a str>,
    /// `filename`: how the object is called where it is saved. Not signed.
    pub filename: Option<&'a str>,
    /// `inline`: the object is to be shown, not saved. Not signed.
    pub inline: bool,
}

/// The link isn't good. Which of the many ways it is that, isn't told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Temp URL invalid")]
pub struct TempUrlInvalid;

/// A request with a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkUse<'a> {
    pub method: &'a Method,
    pub object: &'a ObjectId,
    /// From where the request comes, if that is known.
    pub client: Option<IpAddr>,
    pub now: Timestamp,
}

impl<'a> TempUrl<'a> {
    /// Reads the query of a request; `None`: it isn't that of a link.
    pub fn read(target: &'a Target<'a>) -> Result<Option<Self>, TempUrlInvalid> {
        let (signature, expires) = (parameter(target, SIGNATURE)?, parameter(target, EXPIRES)?);
        if signature.is_none() && expires.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            signature: signature.and_then(LinkSignature::parse).ok_or(TempUrlInvalid)?,
            expires_seconds: expires.and_then(seconds).ok_or(TempUrlInvalid)?,
            prefix: parameter(target, PREFIX)?.map(str::as_bytes),
            ip_range: parameter(target, IP_RANGE)?.filter(|range| !range.is_empty()),
            filename: parameter(target, FILENAME)?.filter(|name| !name.is_empty()),
            inline: parameter(target, INLINE)?.is_some(),
        }))
    }

    /// When the link stops being good, in whole seconds: what `Expires` says of the answer.
    pub fn expires(&self) -> Timestamp {
        Timestamp::from_micros(self.expires_seconds.saturating_mul(1_000_000))
    }

    /// What the link lets its bearer do, if it is good for the request.
    ///
    /// A link signed for GET, PUT or POST serves HEAD as well. Compares in constant time.
    pub fn prove(&self, link_use: LinkUse<'_>, keys: &[LinkKey<'_>]) -> Result<Bearer, TempUrlInvalid> {
        let LinkUse { method, object, client, now } = link_use;
        if self.expires_seconds < now.as_seconds() || is_only_slashes(object) {
            return Err(TempUrlInvalid);
        }
        if let Some(range) = self.ip_range {
            let range = IpRange::parse(range).filter(IpRange::is_strict).ok_or(TempUrlInvalid)?;
            if !client.is_some_and(|client| range.contains(client)) {
                return Err(TempUrlInvalid);
            }
        }
        if !object.key.as_bytes().starts_with(self.prefix.unwrap_or_default()) {
            return Err(TempUrlInvalid);
        }
        let signed_for: &[Method] = match *method {
            Method::HEAD => &[Method::HEAD, Method::GET, Method::POST, Method::PUT],
            Method::GET | Method::PUT | Method::POST | Method::DELETE => std::slice::from_ref(method),
            _ => return Err(TempUrlInvalid),
        };
        let key = signed_for
            .iter()
            .find_map(|method| self.signature.key_of(&self.message(method, object), keys))
            .ok_or(TempUrlInvalid)?;
        Ok(match *method {
            Method::PUT => Bearer::Put(object.clone()),
            Method::POST => Bearer::Post(object.clone()),
            Method::DELETE => Bearer::Delete(object.clone()),
            _ => Bearer::Read(Reach::of(key, &object.container)),
        })
    }

    fn message(&self, method: &Method, object: &ObjectId) -> Vec<u8> {
        let container = &object.container;
        let ip = self.ip_range.map(|range| format!("ip={range}\n")).unwrap_or_default();
        let kind = if self.prefix.is_some() { "prefix:" } else { "" };
        let head = format!(
            "{ip}{method}\n{}\n{kind}/v1/{}/{}/",
            self.expires_seconds, container.account, container.name
        );
        [head.as_bytes(), self.prefix.unwrap_or(object.key.as_bytes())].concat()
    }
}

fn is_only_slashes(object: &ObjectId) -> bool {
    object.key.as_bytes().iter().all(|&byte| byte == b'/')
}

/// The first parameter of that name.
fn parameter<'a>(target: &'a Target<'a>, name: &str) -> Result<Option<&'a str>, TempUrlInvalid> {
    let found = target.query.iter().find(|parameter| *parameter.name == *name.as_bytes());
    found.map(|parameter| str::from_utf8(&parameter.value).map_err(|_| TempUrlInvalid)).transpose()
}

/// Reads seconds since the epoch, or `YYYY-MM-DDTHH:MM:SSZ`.
fn seconds(text: &str) -> Option<u64> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let civil = DateTime::strptime("%Y-%m-%dT%H:%M:%SZ", text).ok()?;
    u64::try_from(TimeZone::UTC.to_timestamp(civil).ok()?.as_second()).ok()
}

#[cfg(test)]
mod tests;
