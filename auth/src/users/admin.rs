//! Making, changing and removing users: what the command `martlet user` does.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{AccountName, DocumentKind, DocumentStore, Error, Expect};

use super::record::{AccessKey, Lookup, USERS, UserRecord};
use super::stored::{LOOKUP_BYTES_MAX, read};
use crate::identity::{CanonicalId, Role, Secret, User};
use crate::swift_acl::ACCOUNT_PREFIX;
use crate::token::TOKEN_USER_BYTES_MAX;

/// How many characters a generated access key has, as AWS's have.
const ACCESS_KEY_CHARACTERS: usize = 20;
/// How many characters a generated secret has: 238 bits.
const SECRET_CHARACTERS: usize = 40;
/// How many bytes an id is made of.
const ID_BYTES: usize = 32;
/// The most access keys of one user.
const ACCESS_KEYS_COUNT_MAX: usize = 16;
/// How often a change is tried again when somebody else's came between.
const ATTEMPTS_COUNT_MAX: usize = 5;
const PAGE_DOCUMENTS_COUNT: usize = 1000;
/// Letters and digits alone: software puts keys into URLs and headers as they are.
const KEY_ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ACCESS_KEY_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Fills a buffer with the operating system's randomness.
pub type Random = dyn Fn(&mut [u8]) + Send + Sync;

/// The users of a cluster, for whoever runs it.
#[derive(Clone)]
pub struct UserAdmin {
    documents: Arc<dyn DocumentStore>,
    random: Arc<Random>,
}

/// A user to make. What isn't said is chosen: keys and id at random, and the Swift name to be shown.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// `account:user`, e.g. `test:tester`: the user `tester` of the account `AUTH_test`.
    pub swift_name: String,
    pub role: Role,
    pub id: Option<CanonicalId>,
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub swift_key: Option<Secret>,
    pub access_key: Option<AccessKey>,
}

/// A change of a user's keys.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// Another key for Swift; the present one is void from then on.
    NewSwiftKey,
    /// One more pair of keys for S3.
    AddAccessKey,
    /// A pair of keys for S3 is void from then on.
    RemoveAccessKey(String),
    /// One more pair in the place of all others.
    ReplaceAccessKeys,
}

/// Why the users aren't changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error(
        "{0:?} is not account:user, of which neither is empty, begins with a dot, or has a slash, comma or colon"
    )]
    BadName(String),
    #[error("{0:?} is no key: letters, digits, and of other characters : _ - . alone, at most 128 of them")]
    BadKey(String),
    #[error("{0:?} is too long")]
    TooLong(String),
    #[error("there is a user {0} already")]
    Exists(String),
    #[error("there is no user {0}")]
    NotFound(String),
    #[error("{0} belongs to another user")]
    Taken(String),
    #[error("the user has no access key {0}")]
    NoSuchAccessKey(String),
    #[error("a user has at most {ACCESS_KEYS_COUNT_MAX} access keys")]
    TooManyAccessKeys,
    #[error("somebody else is changing the same user")]
    Busy,
    #[error(transparent)]
    Store(#[from] Error),
}

type Result<T> = std::result::Result<T, UserError>;

impl NewUser {
    /// An ordinary user: an owner of the account.
    pub fn owner(swift_name: impl Into<String>) -> Self {
        Self {
            swift_name: swift_name.into(),
            role: Role::Owner,
            id: None,
            display_name: None,
            email: None,
            swift_key: None,
            access_key: None,
        }
    }
}

impl UserAdmin {
    pub fn new(documents: Arc<dyn DocumentStore>, random: Arc<Random>) -> Self {
        Self { documents, random }
    }

    /// Makes a user, with a key for Swift and a pair of keys for S3.
    pub async fn add(&self, new: NewUser) -> Result<UserRecord> {
        let record = self.record(new)?;
        let name = record.user.swift_name();
        if self.find(&name).await?.is_some() {
            return Err(UserError::Exists(name));
        }
        self.claim(&record).await?;
        let document = record.encode();
        match self.put(&name, document.clone(), Expect::Nothing).await {
            Err(Error::PreconditionFailed) => return Err(UserError::Exists(name)),
            outcome => outcome?,
        }
        // Until the user was there, what leads to it could be taken by another.
        for lookup in record.lookups() {
            if read(&*self.documents, &lookup).await?.is_none_or(|(found, _)| found != record) {
                self.remove_document(&Lookup::SwiftName(name), Expect::Document(document)).await?;
                return Err(UserError::Taken(lookup.to_string()));
            }
        }
        Ok(record)
    }

    /// The user of a Swift name.
    pub async fn find(&self, swift_name: &str) -> Result<Option<UserRecord>> {
        let lookup = Lookup::SwiftName(swift_name.to_owned());
        Ok(read(&*self.documents, &lookup).await?.map(|(record, _)| record))
    }

    /// All users, in the order of their Swift names.
    pub async fn list(&self) -> Result<Vec<UserRecord>> {
        let mut users = Vec::new();
        let mut after = Some(Bytes::from_static(USERS.as_bytes()));
        loop {
            let (page, more) =
                self.documents.documents(DocumentKind::User, after, PAGE_DOCUMENTS_COUNT).await?;
            after = page.last().map(|(key, _)| key.clone());
            for (key, document) in page {
                if !key.starts_with(USERS.as_bytes()) {
                    return Ok(users);
                }
                users.push(UserRecord::decode(&document)?);
            }
            if !more {
                return Ok(users);
            }
        }
    }

    /// Removes a user; what the user has stored stays.
    pub async fn remove(&self, swift_name: &str) -> Result<()> {
        let (record, document) = self.known(swift_name).await?;
        let lookup = Lookup::SwiftName(swift_name.to_owned());
        match self.remove_document(&lookup, Expect::Document(document)).await {
            Err(Error::PreconditionFailed) => return Err(UserError::Busy),
            outcome => outcome?,
        }
        self.release(&record.lookups(), swift_name).await
    }

    /// Changes a user's keys; the answer has the new ones.
    pub async fn change_keys(&self, swift_name: &str, change: &KeyChange) -> Result<UserRecord> {
        for _ in 0..ATTEMPTS_COUNT_MAX {
            let (before, document) = self.known(swift_name).await?;
            let after = self.changed(&before, change)?;
            self.claim(&after).await?;
            match self.put(swift_name, after.encode(), Expect::Document(document)).await {
                Err(Error::PreconditionFailed) => continue,
                outcome => outcome?,
            }
            let mut void = before.lookups();
            void.retain(|lookup| !after.is(lookup));
            self.release(&void, swift_name).await?;
            return Ok(after);
        }
        Err(UserError::Busy)
    }

    fn changed(&self, before: &UserRecord, change: &KeyChange) -> Result<UserRecord> {
        let mut after = before.clone();
        match change {
            KeyChange::NewSwiftKey => after.swift_key = self.secret(),
            KeyChange::AddAccessKey if before.access_keys.len() >= ACCESS_KEYS_COUNT_MAX => {
                return Err(UserError::TooManyAccessKeys);
            }
            KeyChange::AddAccessKey => after.access_keys.push(self.access_key()),
            KeyChange::ReplaceAccessKeys => after.access_keys = vec![self.access_key()],
            KeyChange::RemoveAccessKey(key) => {
                after.access_keys.retain(|pair| pair.key != *key);
                if after.access_keys.len() == before.access_keys.len() {
                    return Err(UserError::NoSuchAccessKey(key.clone()));
                }
            }
        }
        Ok(after)
    }

    fn record(&self, new: NewUser) -> Result<UserRecord> {
        let (account, name) = parse_name(&new.swift_name)?;
        let user = User::new(account, name, new.role);
        let user = User {
            id: new.id.unwrap_or_else(|| CanonicalId::new(hex::encode(self.bytes::<ID_BYTES>()))),
            display_name: new.display_name.unwrap_or(user.display_name),
            email: new.email.filter(|email| !email.is_empty()),
            ..user
        };
        let access_key = new.access_key.unwrap_or_else(|| self.access_key());
        if !is_key(&access_key.key) {
            return Err(UserError::BadKey(access_key.key));
        }
        let swift_key = new.swift_key.unwrap_or_else(|| self.secret());
        let texts = [user.id.as_str(), user.email.as_deref().unwrap_or_default()];
        if let Some(long) = texts.iter().find(|text| text.len() > LOOKUP_BYTES_MAX) {
            return Err(UserError::TooLong((*long).to_owned()));
        }
        Ok(UserRecord { user, swift_key, access_keys: vec![access_key] })
    }

    /// Makes everything that leads to a user lead there, unless it leads to another.
    async fn claim(&self, record: &UserRecord) -> Result<()> {
        let name = record.user.swift_name();
        for lookup in record.lookups() {
            self.claim_one(&lookup, &name).await?;
        }
        Ok(())
    }

    async fn claim_one(&self, lookup: &Lookup, name: &str) -> Result<()> {
        let key = lookup.document_key();
        for _ in 0..ATTEMPTS_COUNT_MAX {
            let present = self.documents.document(DocumentKind::User, key.as_bytes()).await?;
            let expect = match present {
                Some(holder) if *holder == *name.as_bytes() => return Ok(()),
                // It may lead to a user who has gone, or who has another key by now.
                Some(_) if read(&*self.documents, lookup).await?.is_some() => {
                    return Err(UserError::Taken(lookup.to_string()));
                }
                Some(holder) => Expect::Document(holder),
                None => Expect::Nothing,
            };
            let document = Bytes::copy_from_slice(name.as_bytes());
            match self.documents.put_document(DocumentKind::User, key.as_bytes(), document, expect).await {
                Err(Error::PreconditionFailed) => {}
                outcome => return Ok(outcome?),
            }
        }
        Err(UserError::Busy)
    }

    /// Removes what led to a user and doesn't any more.
    async fn release(&self, lookups: &[Lookup], name: &str) -> Result<()> {
        for lookup in lookups {
            let holder = Expect::Document(Bytes::copy_from_slice(name.as_bytes()));
            match self.remove_document(lookup, holder).await {
                // It leads to another by now.
                Err(Error::PreconditionFailed) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }

    async fn known(&self, swift_name: &str) -> Result<(UserRecord, Bytes)> {
        let lookup = Lookup::SwiftName(swift_name.to_owned());
        read(&*self.documents, &lookup).await?.ok_or_else(|| UserError::NotFound(swift_name.to_owned()))
    }

    async fn put(&self, name: &str, document: Bytes, expect: Expect) -> martlet_model::Result<()> {
        let key = Lookup::SwiftName(name.to_owned()).document_key();
        self.documents.put_document(DocumentKind::User, key.as_bytes(), document, expect).await
    }

    async fn remove_document(&self, lookup: &Lookup, expect: Expect) -> martlet_model::Result<()> {
        self.documents.remove_document(DocumentKind::User, lookup.document_key().as_bytes(), expect).await
    }

    fn access_key(&self) -> AccessKey {
        AccessKey {
            key: self.characters::<ACCESS_KEY_CHARACTERS>(ACCESS_KEY_ALPHABET),
            secret: self.secret(),
        }
    }

    fn secret(&self) -> Secret {
        Secret::new(self.characters::<SECRET_CHARACTERS>(KEY_ALPHABET))
    }

    /// Characters of an alphabet, each as likely as any other.
    fn characters<const COUNT: usize>(&self, alphabet: &[u8]) -> String {
        let mut text = String::with_capacity(COUNT);
        while text.len() < COUNT {
            let fitting = self.bytes::<COUNT>().into_iter().map(usize::from);
            // Bytes beyond the last whole multiple would make the first characters likelier.
            let fair = fitting.filter(|byte| *byte < 256 / alphabet.len() * alphabet.len());
            let missing = COUNT - text.len();
            text.extend(fair.take(missing).map(|byte| char::from(alphabet[byte % alphabet.len()])));
        }
        text
    }

    fn bytes<const COUNT: usize>(&self) -> [u8; COUNT] {
        let mut bytes = [0; COUNT];
        (self.random)(&mut bytes);
        bytes
    }
}

/// `test:tester` is the user `tester` of the account `AUTH_test`.
fn parse_name(swift_name: &str) -> Result<(AccountName, &str)> {
    let bad = || UserError::BadName(swift_name.to_owned());
    let (account, name) = swift_name.split_once(':').ok_or_else(bad)?;
    let fits = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.contains(|c: char| c == '/' || c == ':' || c == ',' || c.is_control())
    };
    if !fits(account)
        || !fits(name)
        || account.starts_with(ACCOUNT_PREFIX)
        || name.len() > TOKEN_USER_BYTES_MAX
    {
        return Err(bad());
    }
    let account = AccountName::parse(format!("{ACCOUNT_PREFIX}{account}").as_bytes()).map_err(|_| bad())?;
    Ok((account, name))
}

fn is_key(key: &str) -> bool {
    (1..=128).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-.".contains(&byte))
}

impl fmt::Debug for UserAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserAdmin").field("documents", &self.documents).finish_non_exhaustive()
    }
}
