//! What a container says of itself besides its metadata: who may read and write, and what is kept of what is overwritten.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use martlet_auth::Guarded;
use martlet_auth::swift_acl::{Direction, SwiftAcl};
use martlet_model::{
    ContainerId, ContainerInfo, ContainerStore as _, Error, Noun, Setting, SettingsChange, Versioning,
};

use crate::archive::archive_name;

use super::answer;
use super::headers;
use super::identify::View;
use super::refusal::Refusal;

const READ: &str = "x-container-read";
const WRITE: &str = "x-container-write";
const VERSIONS_ENABLED: &str = "x-versions-enabled";
const VERSIONS_LOCATION: &str = "x-versions-location";
const HISTORY_LOCATION: &str = "x-history-location";

/// What a request asks of a container's settings.
#[derive(Debug, Default)]
pub struct Asked {
    pub change: SettingsChange,
    /// `X-Versions-Enabled`
    pub versions_enabled: Option<bool>,
}

/// Reads the headers of settings. An empty value removes, and so does `X-Remove-…`, where none is given besides.
pub(super) fn parse(request: &HeaderMap) -> Result<Asked, Refusal> {
    let change = acl(SettingsChange::default(), request, (READ, Setting::SwiftRead, Direction::Read))?;
    let change = acl(change, request, (WRITE, Setting::SwiftWrite, Direction::Write))?;
    check_quotas(request)?;
    Ok(Asked {
        change: location(change, request)?,
        versions_enabled: headers::text(request, VERSIONS_ENABLED)?.map(headers::is_yes),
    })
}

fn acl(
    change: SettingsChange,
    request: &HeaderMap,
    (name, setting, direction): (&str, Setting, Direction),
) -> Result<SettingsChange, Refusal> {
    let given = headers::stored_text(request, name)?;
    let Some(raw) = given else {
        let is_removed = request.contains_key(name) || request.contains_key(removal_of(name));
        return Ok(if is_removed { change.remove(setting) } else { change });
    };
    let acl = SwiftAcl::parse(direction, &raw)
        .map_err(|error| Refusal::Malformed(format!("{name} : {error}").into()))?;
    Ok(if acl.is_empty() { change.remove(setting) } else { change.set(setting, acl.text()) })
}

/// `x-container-read`: `x-remove-container-read`
fn removal_of(name: &str) -> String {
    format!("x-remove-{}", name.trim_start_matches("x-"))
}

/// Quotas are metadata like others, but must be numbers.
fn check_quotas(request: &HeaderMap) -> Result<(), Refusal> {
    for (name, words) in [
        ("x-container-meta-quota-bytes", "Invalid bytes quota."),
        ("x-container-meta-quota-count", "Invalid count quota."),
    ] {
        let value = headers::text(request, name)?.unwrap_or_default();
        if !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::Malformed(words.into()));
        }
    }
    Ok(())
}

/// The container where overwritten objects go: in one of two modes, of which setting the one ends the other.
fn location(change: SettingsChange, request: &HeaderMap) -> Result<SettingsChange, Refusal> {
    let stack = headers::stored_text(request, VERSIONS_LOCATION)?;
    let history = headers::stored_text(request, HISTORY_LOCATION)?;
    let is_named = |name: &str| request.contains_key(name) || request.contains_key(removal_of(name));
    let (here, raw, there) = match (stack, history) {
        (Some(_), Some(_)) => {
            let text = "Only one of x-versions-location or x-history-location may be specified";
            return Err(Refusal::Malformed(text.into()));
        }
        (Some(raw), None) => (Setting::VersionsLocation, raw, Setting::HistoryLocation),
        (None, Some(raw)) => (Setting::HistoryLocation, raw, Setting::VersionsLocation),
        (None, None) if is_named(VERSIONS_LOCATION) || is_named(HISTORY_LOCATION) => {
            return Ok(change.remove(Setting::VersionsLocation).remove(Setting::HistoryLocation));
        }
        (None, None) => return Ok(change),
    };
    if raw.contains('/') {
        return Err(Refusal::Precondition("Container name cannot contain slashes".into()));
    }
    archive_name(raw.as_bytes()).ok_or_else(|| Refusal::Precondition("Invalid container name".into()))?;
    Ok(change.set(here, raw).remove(there))
}

impl Asked {
    /// All but who may read and write.
    pub(super) fn without_access(self) -> Self {
        let is_kept = |setting: Setting| !matches!(setting, Setting::SwiftRead | Setting::SwiftWrite);
        let kept = self.change.iter().filter(|(setting, _)| is_kept(*setting));
        let change = kept.fold(SettingsChange::default(), |change, (setting, document)| match document {
            Some(document) => change.set(setting, document.clone()),
            None => change.remove(setting),
        });
        Self { change, ..self }
    }

    /// The change as the store takes it, where it can go with what the container has.
    pub(super) async fn settled(
        self,
        id: &ContainerId,
        store: &Guarded,
    ) -> Result<(SettingsChange, Option<Versioning>), Refusal> {
        let sets_location = self.change.iter().any(|(setting, document)| {
            matches!(setting, Setting::VersionsLocation | Setting::HistoryLocation) && document.is_some()
        });
        if self.versions_enabled.is_none() && !sets_location {
            return Ok((self.change, None));
        }
        let present = match store.container(id).await {
            Ok(present) => Some(present),
            Err(Error::NotFound(Noun::Account | Noun::Container)) => None,
            Err(error) => return Err(error.into()),
        };
        let versioning = present.as_ref().map_or(Versioning::Off, |present| present.versioning);
        let has_location = present.as_ref().is_some_and(|present| location_of(present).is_some());
        let becomes = match (self.versions_enabled, versioning) {
            (None, _) | (Some(false), Versioning::Off) => None,
            (Some(true), _) => Some(Versioning::Enabled),
            (Some(false), _) => Some(Versioning::Suspended),
        };
        let is_enabled = becomes.unwrap_or(versioning) == Versioning::Enabled;
        if (self.versions_enabled.is_some() && has_location) || (sets_location && is_enabled) {
            let text = "Cannot enable object versioning on a container that is already using the legacy \
                        versioned writes feature.";
            return Err(Refusal::Malformed(text.into()));
        }
        Ok((self.change, becomes))
    }
}

/// The location that a container names, and how what is removed is treated.
pub(super) fn location_of(info: &ContainerInfo) -> Option<(Setting, &Bytes)> {
    [Setting::VersionsLocation, Setting::HistoryLocation]
        .into_iter()
        .find_map(|setting| info.settings.get(setting).map(|raw| (setting, raw)))
}

/// The headers of a container's settings; who may do what is for owners to see.
pub(super) fn render(headers: &mut HeaderMap, info: &ContainerInfo, view: View) {
    let text = |raw: &Bytes| answer::header_value(&String::from_utf8_lossy(raw));
    for (name, setting) in [(READ, Setting::SwiftRead), (WRITE, Setting::SwiftWrite)] {
        if let Some(acl) = info.settings.get(setting).filter(|_| view == View::Owner) {
            headers.insert(name, text(acl));
        }
    }
    match location_of(info) {
        None => {}
        Some((Setting::HistoryLocation, raw)) => {
            headers.insert(HISTORY_LOCATION, text(raw));
        }
        Some((_, raw)) => {
            headers.insert(VERSIONS_LOCATION, text(raw));
        }
    }
    match info.versioning {
        Versioning::Off => {}
        Versioning::Enabled => {
            headers.insert(VERSIONS_ENABLED, HeaderValue::from_static("True"));
        }
        Versioning::Suspended => {
            headers.insert(VERSIONS_ENABLED, HeaderValue::from_static("False"));
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn asked(items: &[(&'static str, &'static str)]) -> Result<Vec<(Setting, Option<String>)>, u16> {
        let request = items
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let text = |raw: &Bytes| String::from_utf8_lossy(raw).into_owned();
        let asked = parse(&request).map_err(|refusal| refusal.status())?;
        Ok(asked.change.iter().map(|(setting, raw)| (setting, raw.map(text))).collect())
    }

    #[track_caller]
    fn check(items: &[(&'static str, &'static str)], expected: &[(Setting, Option<&str>)]) {
        let expected = expected.iter().map(|(setting, raw)| (*setting, raw.map(str::to_owned))).collect();
        assert_eq!(asked(items), Ok(expected), "{items:?}");
    }

    #[test]
    fn acls_are_kept_in_their_shortest_form_and_removed_in_three_ways() {
        check(&[], &[]);
        check(&[(READ, ".referrer : *, a")], &[(Setting::SwiftRead, Some(".r:*,a"))]);
        check(&[(WRITE, "")], &[(Setting::SwiftWrite, None)]);
        check(&[(WRITE, ",")], &[(Setting::SwiftWrite, None)]);
        check(&[("x-remove-container-write", "x")], &[(Setting::SwiftWrite, None)]);
        check(&[("x-remove-container-read", "x"), (READ, "a")], &[(Setting::SwiftRead, Some("a"))]);
        assert_eq!(asked(&[(WRITE, ".r:*")]), Err(400));
    }

    #[test]
    fn one_of_two_locations_may_be_set() {
        use Setting::{HistoryLocation as History, VersionsLocation as Versions};
        check(&[(VERSIONS_LOCATION, "a%20b")], &[(Versions, Some("a%20b")), (History, None)]);
        check(&[(HISTORY_LOCATION, "a")], &[(Versions, None), (History, Some("a"))]);
        check(&[(HISTORY_LOCATION, ""), (VERSIONS_LOCATION, "a")], &[(Versions, Some("a")), (History, None)]);
        check(&[(VERSIONS_LOCATION, "")], &[(Versions, None), (History, None)]);
        check(&[("x-remove-history-location", "x")], &[(Versions, None), (History, None)]);
        assert_eq!(asked(&[(HISTORY_LOCATION, "a"), (VERSIONS_LOCATION, "a")]), Err(400));
        assert_eq!(asked(&[(HISTORY_LOCATION, "a/b")]), Err(412));
    }

    #[test]
    fn a_quota_is_a_number() {
        check(&[("x-container-meta-quota-bytes", "17"), ("x-container-meta-quota-count", "")], &[]);
        assert_eq!(asked(&[("x-container-meta-quota-bytes", "-1")]), Err(400));
        assert_eq!(asked(&[("x-container-meta-quota-count", "many")]), Err(400));
    }
}
