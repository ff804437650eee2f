//! What can't be configured here: reading it gives what S3 answers where nothing is configured.

use axum::response::Response;
use martlet_auth::Action;

use super::answer;
use super::query::Query;
use super::refusal::Refusal;
use super::refusal::code::{self, Code};
use super::xml::{Element, Writer};

/// Who pays for requests, the only one there is.
const PAYER: &str = "BucketOwner";

/// Something that S3 has and that is never configured here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unset {
    Logging,
    Website,
    Notification,
    RequestPayment,
    Accelerate,
    Replication,
    ObjectLock,
    Encryption,
    Lifecycle,
    /// One of which a bucket may have several, each with an id.
    Several {
        kind: Several,
        is_single: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Several {
    Analytics,
    Inventory,
    Metrics,
    IntelligentTiering,
}

/// What S3 says where nothing is configured.
enum Said {
    /// A document without anything in it.
    Empty(&'static str),
    /// An error with that code.
    Missing(Code),
}

impl Unset {
    const ALL: [(&'static str, Self); 9] = [
        ("logging", Self::Logging),
        ("website", Self::Website),
        ("notification", Self::Notification),
        ("requestPayment", Self::RequestPayment),
        ("accelerate", Self::Accelerate),
        ("replication", Self::Replication),
        ("object-lock", Self::ObjectLock),
        ("encryption", Self::Encryption),
        ("lifecycle", Self::Lifecycle),
    ];

    /// `None`: the query is about something else.
    pub(super) fn parse(query: &mut Query<'_>) -> Result<Option<Self>, Refusal> {
        for (parameter, unset) in Self::ALL {
            if query.take_flag(parameter)? {
                return Ok(Some(unset));
            }
        }
        for kind in Several::ALL {
            if query.take_flag(kind.parameter())? {
                if query.take("continuation-token")?.is_some_and(|token| !token.is_empty()) {
                    return Err(Refusal::argument("continuation-token", "it is not one that was given out"));
                }
                return Ok(Some(Self::Several { kind, is_single: query.take_flag("id")? }));
            }
        }
        Ok(None)
    }

    pub(super) fn reading(self) -> Action {
        match self {
            Self::Logging => Action::GetBucketLogging,
            Self::Website => Action::GetBucketWebsite,
            Self::Notification => Action::GetBucketNotification,
            Self::RequestPayment => Action::GetBucketRequestPayment,
            Self::Accelerate => Action::GetAccelerateConfiguration,
            Self::Replication => Action::GetReplicationConfiguration,
            Self::ObjectLock => Action::GetBucketObjectLockConfiguration,
            Self::Encryption => Action::GetEncryptionConfiguration,
            Self::Lifecycle => Action::GetLifecycleConfiguration,
            Self::Several { kind, .. } => kind.reading(),
        }
    }

    pub(super) fn answer(self) -> Result<Response, Refusal> {
        let mut xml = match self.said() {
            Said::Missing(code) => return Err(Refusal::NotConfigured(code)),
            Said::Empty(root) => Writer::new(root),
        };
        match self {
            Self::RequestPayment => {
                xml.text("Payer", PAYER);
            }
            Self::Several { .. } => {
                xml.word("IsTruncated", false);
            }
            _ => {}
        }
        Ok(answer::xml(xml))
    }

    fn said(self) -> Said {
        match self {
            Self::Logging => Said::Empty("BucketLoggingStatus"),
            Self::Website => Said::Missing(code::NO_SUCH_WEBSITE),
            Self::Notification => Said::Empty("NotificationConfiguration"),
            Self::RequestPayment => Said::Empty("RequestPaymentConfiguration"),
            Self::Accelerate => Said::Empty("AccelerateConfiguration"),
            Self::Replication => Said::Missing(code::NO_REPLICATION),
            Self::ObjectLock => Said::Missing(code::NO_OBJECT_LOCK),
            Self::Encryption => Said::Missing(code::NO_ENCRYPTION),
            Self::Lifecycle => Said::Missing(code::NO_SUCH_LIFECYCLE),
            Self::Several { is_single: true, .. } => Said::Missing(code::NO_SUCH_CONFIGURATION),
            Self::Several { kind, is_single: false } => Said::Empty(kind.list()),
        }
    }
}

impl Several {
    const ALL: [Self; 4] = [Self::Analytics, Self::Inventory, Self::Metrics, Self::IntelligentTiering];

    fn parameter(self) -> &'static str {
        match self {
            Self::Analytics => "analytics",
            Self::Inventory => "inventory",
            Self::Metrics => "metrics",
            Self::IntelligentTiering => "intelligent-tiering",
        }
    }

    fn reading(self) -> Action {
        match self {
            Self::Analytics => Action::GetAnalyticsConfiguration,
            Self::Inventory => Action::GetInventoryConfiguration,
            Self::Metrics => Action::GetMetricsConfiguration,
            Self::IntelligentTiering => Action::GetIntelligentTieringConfiguration,
        }
    }

    /// The root of the document that lists them.
    fn list(self) -> &'static str {
        match self {
            Self::Analytics => "ListBucketAnalyticsConfigurationResult",
            Self::Inventory => "ListInventoryConfigurationsResult",
            Self::Metrics => "ListMetricsConfigurationsResult",
            Self::IntelligentTiering => "ListBucketIntelligentTieringConfigurationsOutput",
        }
    }
}

/// Takes a `RequestPaymentConfiguration` that changes nothing.
pub(super) fn check_payer(document: &[u8]) -> Result<(), Refusal> {
    let root = Element::read(document, "RequestPaymentConfiguration")?;
    match &root.children[..] {
        [payer] if payer.name == "Payer" && payer.word()? == PAYER => Ok(()),
        [payer] if payer.name == "Payer" && payer.word()? == "Requester" => {
            Err(Refusal::NotOffered("having the requester pay".to_owned()))
        }
        _ => Err(Refusal::MalformedXml("RequestPaymentConfiguration must have one Payer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_pays() {
        let check = |inner: &str| {
            let document = format!("<RequestPaymentConfiguration>{inner}</RequestPaymentConfiguration>");
            check_payer(document.as_bytes())
        };
        assert!(check("<Payer>BucketOwner</Payer>").is_ok());
        assert!(matches!(check("<Payer>Requester</Payer>"), Err(Refusal::NotOffered(_))));
        assert!(matches!(check("<Payer>Nobody</Payer>"), Err(Refusal::MalformedXml(_))));
        assert!(matches!(check(""), Err(Refusal::MalformedXml(_))));
    }
}
