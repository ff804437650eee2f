//! Users whom the cluster keeps in rows of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use martlet_model::{Clock, DocumentKind, DocumentStore, Result, Timestamp};

use super::record::{Lookup, UserRecord};
use super::{Credentials, Users};
use crate::identity::{CanonicalId, User};

/// For how long what is known of a user is believed: a change is in force at every proxy after so many seconds.
pub const STALENESS_SECONDS_MAX: u64 = 2;
/// How many answers are kept of either kind: users who are there, and users who aren't.
const KEPT_COUNT_MAX: usize = 4096;
/// Nobody has a longer name, key, id or address; what claims to is looked up nowhere.
pub(super) const LOOKUP_BYTES_MAX: usize = 600;

/// Looks users up in the cluster's documents, and keeps the answers for [`STALENESS_SECONDS_MAX`].
#[derive(Debug)]
pub struct StoredUsers {
    documents: Arc<dyn DocumentStore>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

/// Noise must not drive out who is really there: the two kinds have a room each.
#[derive(Debug, Default)]
struct Kept {
    found: HashMap<Lookup, (Timestamp, Arc<UserRecord>)>,
    absent: HashMap<Lookup, Timestamp>,
}

enum Answer {
    Found(Arc<UserRecord>),
    Absent,
}

impl StoredUsers {
    pub fn new(documents: Arc<dyn DocumentStore>, clock: Arc<dyn Clock>) -> Self {
        Self { documents, clock, kept: Mutex::default() }
    }

    async fn find(&self, lookup: Lookup) -> Result<Option<Arc<UserRecord>>> {
        if lookup.text().len() > LOOKUP_BYTES_MAX {
            return Ok(None);
        }
        let now = self.clock.now();
        let kept = self.kept().get(&lookup, now);
        match kept {
            Some(Answer::Found(record)) => return Ok(Some(record)),
            Some(Answer::Absent) => return Ok(None),
            None => {}
        }
        let found = read(&*self.documents, &lookup).await?.map(|(record, _)| Arc::new(record));
        // Kept since before it was asked: what changed in between is seen in time.
        self.kept().keep(lookup, now, found.as_ref());
        Ok(found)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The user to whom a lookup leads, with the document as it is stored.
pub(super) async fn read(
    documents: &dyn DocumentStore,
    lookup: &Lookup,
) -> Result<Option<(UserRecord, bytes::Bytes)>> {
    let key = lookup.document_key();
    let Some(mut document) = documents.document(DocumentKind::User, key.as_bytes()).await? else {
        return Ok(None);
    };
    if !matches!(lookup, Lookup::SwiftName(_)) {
        let name = String::from_utf8_lossy(&document).into_owned();
        let key = Lookup::SwiftName(name).document_key();
        match documents.document(DocumentKind::User, key.as_bytes()).await? {
            Some(user) => document = user,
            None => return Ok(None),
        }
    }
    let record = UserRecord::decode(&document)?;
    Ok(record.is(lookup).then_some((record, document)))
}

impl Kept {
    /// `None`: nothing is known.
    fn get(&self, lookup: &Lookup, now: Timestamp) -> Option<Answer> {
        if let Some((since, record)) = self.found.get(lookup)
            && is_fresh(*since, now)
        {
            return Some(Answer::Found(record.clone()));
        }
        self.absent.get(lookup).is_some_and(|since| is_fresh(*since, now)).then_some(Answer::Absent)
    }

    fn keep(&mut self, lookup: Lookup, now: Timestamp, found: Option<&Arc<UserRecord>>) {
        self.found.remove(&lookup);
        self.absent.remove(&lookup);
        if let Some(record) = found {
            make_room(&mut self.found, |(since, _)| is_fresh(*since, now));
            self.found.insert(lookup, (now, record.clone()));
        } else {
            make_room(&mut self.absent, |since| is_fresh(*since, now));
            self.absent.insert(lookup, now);
        }
    }
}

fn make_room<T>(kept: &mut HashMap<Lookup, T>, is_fresh: impl Fn(&T) -> bool) {
    if kept.len() >= KEPT_COUNT_MAX {
        kept.retain(|_, answer| is_fresh(answer));
    }
    if kept.len() >= KEPT_COUNT_MAX {
        kept.clear();
    }
}

/// A clock that was turned back makes nothing fresh.
fn is_fresh(since: Timestamp, now: Timestamp) -> bool {
    let age = now.as_micros().checked_sub(since.as_micros());
    age.is_some_and(|micros| micros < STALENESS_SECONDS_MAX * 1_000_000)
}

#[async_trait]
impl Users for StoredUsers {
    async fn by_access_key(&self, access_key: &str) -> Result<Option<Credentials>> {
        let found = self.find(Lookup::AccessKey(access_key.to_owned())).await?;
        Ok(found.and_then(|record| {
            let pair = record.access_keys.iter().find(|pair| pair.key == access_key)?;
            Some(Credentials { identity: record.identity(), secret: pair.secret.clone() })
        }))
    }

    async fn by_swift_name(&self, swift_name: &str) -> Result<Option<Credentials>> {
        let found = self.find(Lookup::SwiftName(swift_name.to_owned())).await?;
        let credentials = |record: Arc<UserRecord>| Credentials {
            identity: record.identity(),
            secret: record.swift_key.clone(),
        };
        Ok(found.map(credentials))
    }

    async fn by_id(&self, id: &CanonicalId) -> Result<Option<Arc<User>>> {
        let found = self.find(Lookup::Id(id.to_string())).await?;
        Ok(found.map(|record| Arc::new(record.user.clone())))
    }

    async fn by_email(&self, email: &str) -> Result<Option<Arc<User>>> {
        let found = self.find(Lookup::email(email)).await?;
        Ok(found.map(|record| Arc::new(record.user.clone())))
    }
}
