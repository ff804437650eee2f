//! Users whom the cluster keeps: made, found, changed and removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_auth::token::{self, TokenKey};
use martlet_auth::users::{
    AccessKey, KeyChange, NewUser, STALENESS_SECONDS_MAX, UserAdmin, UserError, UserRecord,
};
use martlet_auth::{
    CanonicalId, ChainedUsers, Identity, Role, Secret, StoredUsers, User, UserTable, Users as _,
};
use martlet_model::{AccountName, Clock, DocumentKind, DocumentStore, Error, Expect, Result};
use martlet_testkit::{MemoryStore, SimulatedClock};

/// A store of documents that counts how often it is read, and can be out of reach.
#[derive(Debug)]
struct Documents {
    store: MemoryStore,
    reads: AtomicUsize,
    is_reachable: AtomicBool,
}

#[async_trait]
impl DocumentStore for Documents {
    async fn document(&self, kind: DocumentKind, key: &[u8]) -> Result<Option<Bytes>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if !self.is_reachable.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("documents"));
        }
        self.store.document(kind, key).await
    }

    async fn put_document(
        &self,
        kind: DocumentKind,
        key: &[u8],
        document: Bytes,
        expect: Expect,
    ) -> Result<()> {
        self.store.put_document(kind, key, document, expect).await
    }

    async fn remove_document(&self, kind: DocumentKind, key: &[u8], expect: Expect) -> Result<()> {
        self.store.remove_document(kind, key, expect).await
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool)> {
        self.store.documents(kind, after, limit).await
    }
}

struct Stage {
    documents: Arc<Documents>,
    clock: Arc<SimulatedClock>,
    users: StoredUsers,
    admin: UserAdmin,
}

fn stage() -> Stage {
    let documents = Arc::new(Documents {
        store: MemoryStore::new(Arc::new(SimulatedClock::default())),
        reads: AtomicUsize::new(0),
        is_reachable: true.into(),
    });
    let clock = Arc::new(SimulatedClock::default());
    let users = StoredUsers::new(documents.clone(), clock.clone());
    let admin = admin(&documents);
    Stage { documents, clock, users, admin }
}

/// Randomness that comes again on every run, and never twice in one.
fn admin(documents: &Arc<Documents>) -> UserAdmin {
    let state = AtomicU64::new(1);
    let random = move |buffer: &mut [u8]| {
        for byte in buffer {
            let next = state.load(Ordering::Relaxed).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.store(next, Ordering::Relaxed);
            *byte = next.to_be_bytes()[0];
        }
    };
    UserAdmin::new(documents.clone(), Arc::new(random))
}

impl Stage {
    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn reads(&self) -> usize {
        self.documents.reads.swap(0, Ordering::Relaxed)
    }

    async fn tester(&self) -> UserRecord {
        let new = NewUser { email: Some("Tester@Example.com".to_owned()), ..NewUser::owner("test:tester") };
        self.admin.add(new).await.expect("a new user")
    }
}

#[tokio::test]
async fn a_user_is_found_by_everything_that_names_one() {
    let stage = stage();
    let record = stage.tester().await;
    let [pair] = &record.access_keys[..] else { panic!("one pair of keys") };
    let by_key = stage.users.by_access_key(&pair.key).await.unwrap().unwrap();
    assert_eq!((by_key.identity, by_key.secret), (record.identity(), pair.secret.clone()));
    let by_name = stage.users.by_swift_name("test:tester").await.unwrap().unwrap();
    assert_eq!((by_name.identity, by_name.secret), (record.identity(), record.swift_key.clone()));
    let by_id = stage.users.by_id(&record.user.id).await.unwrap().unwrap();
    let by_email = stage.users.by_email("tester@example.COM").await.unwrap().unwrap();
    assert_eq!((&*by_id, &*by_email), (&record.user, &record.user));
    assert_eq!(record.user.account, AccountName::parse(b"AUTH_test").unwrap());
    assert_eq!((record.user.name.as_str(), record.user.display_name.as_str()), ("tester", "test:tester"));

    for nobody in ["", "test", "test:", "test:tester2", "user/test:tester", &"x".repeat(5000)] {
        assert!(stage.users.by_swift_name(nobody).await.unwrap().is_none(), "{nobody}");
        assert!(stage.users.by_access_key(nobody).await.unwrap().is_none(), "{nobody}");
    }
}

#[tokio::test]
async fn generated_keys_can_be_put_into_a_url_as_they_are() {
    let stage = stage();
    for number in 0..50 {
        let record = stage.admin.add(NewUser::owner(format!("test:user{number}"))).await.unwrap();
        let [AccessKey { key, secret }] = &record.access_keys[..] else { panic!("one pair of keys") };
        assert_eq!((key.len(), secret.expose().len(), record.swift_key.expose().len()), (20, 40, 40));
        for text in [key.as_str(), secret.expose(), record.swift_key.expose(), record.user.id.as_str()] {
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
        }
    }
    let users = stage.admin.list().await.unwrap();
    let mut secrets: Vec<_> = users.iter().map(|user| user.swift_key.expose()).collect();
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!(secrets.len(), 50);
}

#[tokio::test]
async fn a_lookup_costs_nothing_for_a_while_whether_or_not_somebody_is_there() {
    let stage = stage();
    let record = stage.tester().await;
    let key = &record.access_keys[0].key;
    stage.reads();
    for _ in 0..100 {
        assert!(stage.users.by_access_key(key).await.unwrap().is_some());
        assert!(stage.users.by_access_key("nobody").await.unwrap().is_none());
    }
    assert_eq!(stage.reads(), 2 + 1);
    stage.wait(STALENESS_SECONDS_MAX);
    assert!(stage.users.by_access_key(key).await.unwrap().is_some());
    assert_eq!(stage.reads(), 2);
}

#[tokio::test]
async fn noise_does_not_drive_out_who_is_there_and_is_not_remembered_without_end() {
    let stage = stage();
    let record = stage.tester().await;
    assert!(stage.users.by_access_key(&record.access_keys[0].key).await.unwrap().is_some());
    for number in 0..10_000 {
        assert!(stage.users.by_access_key(&format!("noise{number}")).await.unwrap().is_none());
    }
    stage.reads();
    assert!(stage.users.by_access_key(&record.access_keys[0].key).await.unwrap().is_some());
    assert_eq!(stage.reads(), 0);
    assert!(stage.users.by_access_key("noise0").await.unwrap().is_none());
    assert_eq!(stage.reads(), 1);
}

#[tokio::test]
async fn a_change_is_in_force_within_the_bound() {
    let stage = stage();
    assert!(stage.users.by_swift_name("test:tester").await.unwrap().is_none());
    let before = stage.tester().await;
    stage.wait(STALENESS_SECONDS_MAX);
    assert!(stage.users.by_swift_name("test:tester").await.unwrap().is_some());

    let after = stage.admin.change_keys("test:tester", &KeyChange::NewSwiftKey).await.unwrap();
    assert_ne!(after.swift_key, before.swift_key);
    stage.wait(STALENESS_SECONDS_MAX);
    let found = stage.users.by_swift_name("test:tester").await.unwrap().unwrap();
    assert_eq!(found.secret, after.swift_key);

    stage.admin.remove("test:tester").await.unwrap();
    stage.wait(STALENESS_SECONDS_MAX);
    assert!(stage.users.by_swift_name("test:tester").await.unwrap().is_none());
    assert!(stage.users.by_access_key(&before.access_keys[0].key).await.unwrap().is_none());
    assert!(stage.users.by_id(&before.user.id).await.unwrap().is_none());
    assert!(stage.users.by_email("tester@example.com").await.unwrap().is_none());
}

#[tokio::test]
async fn the_token_of_a_removed_user_stops_working_within_the_bound() {
    let stage = stage();
    let record = stage.tester().await;
    let key = TokenKey::derive(b"secret");
    let token = key.issue(&record.user, stage.clock.now()).unwrap().text;
    let asked = async || token::identify(&key, &stage.users, &token, stage.clock.now()).await.unwrap();
    assert_eq!(asked().await, Some(record.identity()));
    stage.admin.remove("test:tester").await.unwrap();
    stage.wait(STALENESS_SECONDS_MAX);
    assert_eq!(asked().await, None);
}

#[tokio::test]
async fn what_can_not_be_asked_is_not_taken_for_nobody() {
    let stage = stage();
    let record = stage.tester().await;
    stage.documents.is_reachable.store(false, Ordering::Relaxed);
    let outcome = stage.users.by_access_key(&record.access_keys[0].key).await;
    assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    stage.documents.is_reachable.store(true, Ordering::Relaxed);
    assert!(stage.users.by_access_key(&record.access_keys[0].key).await.unwrap().is_some());
}

#[tokio::test]
async fn no_two_users_share_a_name_an_id_an_address_or_a_key() {
    let stage = stage();
    let first = stage.tester().await;
    let again = stage.admin.add(NewUser::owner("test:tester")).await;
    assert!(matches!(again, Err(UserError::Exists(_))), "{again:?}");
    let pair = AccessKey { key: first.access_keys[0].key.clone(), secret: Secret::new("mine") };
    for new in [
        NewUser { id: Some(first.user.id.clone()), ..NewUser::owner("test:other") },
        NewUser { email: Some("TESTER@example.com".to_owned()), ..NewUser::owner("test:other") },
        NewUser { access_key: Some(pair), ..NewUser::owner("test:other") },
    ] {
        let taken = stage.admin.add(new).await;
        assert!(matches!(taken, Err(UserError::Taken(_))), "{taken:?}");
    }
    assert_eq!(stage.admin.list().await.unwrap(), std::slice::from_ref(&first));

    stage.admin.remove("test:tester").await.unwrap();
    let email = Some("tester@example.com".to_owned());
    let heir = NewUser { id: Some(first.user.id), email, ..NewUser::owner("test:other") };
    stage.admin.add(heir).await.unwrap();
}

#[tokio::test]
async fn keys_are_added_removed_and_replaced() {
    let stage = stage();
    let first = stage.tester().await.access_keys.remove(0);
    let added = stage.admin.change_keys("test:tester", &KeyChange::AddAccessKey).await.unwrap();
    let second = added.access_keys[1].clone();
    assert_eq!(added.access_keys, [first.clone(), second.clone()]);
    for pair in [&first, &second] {
        let found = stage.users.by_access_key(&pair.key).await.unwrap().unwrap();
        assert_eq!(found.secret, pair.secret);
    }
    let removal = KeyChange::RemoveAccessKey(first.key.clone());
    let left = stage.admin.change_keys("test:tester", &removal).await.unwrap();
    assert_eq!(left.access_keys, std::slice::from_ref(&second));
    let twice = stage.admin.change_keys("test:tester", &removal).await;
    assert!(matches!(twice, Err(UserError::NoSuchAccessKey(_))), "{twice:?}");
    let replaced = stage.admin.change_keys("test:tester", &KeyChange::ReplaceAccessKeys).await.unwrap();
    stage.wait(STALENESS_SECONDS_MAX);
    for (key, is_there) in [(&first.key, false), (&second.key, false), (&replaced.access_keys[0].key, true)] {
        assert_eq!(stage.users.by_access_key(key).await.unwrap().is_some(), is_there, "{key}");
    }
}

#[tokio::test]
async fn users_are_listed_by_name_with_their_roles() {
    let stage = stage();
    for (name, role) in [("b:x", Role::Admin), ("a:z", Role::Member), ("a:y", Role::Service)] {
        stage.admin.add(NewUser { role, ..NewUser::owner(name) }).await.unwrap();
    }
    let listed = stage.admin.list().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|record| (record.user.swift_name(), record.user.role)).collect();
    let expected = [("a:y", Role::Service), ("a:z", Role::Member), ("b:x", Role::Admin)];
    assert_eq!(listed, expected.map(|(name, role)| (name.to_owned(), role)));
    assert!(matches!(stage.admin.remove("a:x").await, Err(UserError::NotFound(_))));
    assert_eq!(stage.admin.find("a:x").await.unwrap(), None);
}

#[tokio::test]
async fn names_that_would_be_read_otherwise_are_refused() {
    let stage = stage();
    for name in [
        "",
        "tester",
        ":",
        "test:",
        ":tester",
        "AUTH_test:tester",
        "a:b:c",
        "a/b:c",
        "a:b/c",
        "a,b:c",
        ".r:c",
        "a:b\n",
    ] {
        let refused = stage.admin.add(NewUser::owner(name)).await;
        assert!(matches!(refused, Err(UserError::BadName(_))), "{name}: {refused:?}");
    }
    for key in ["", "a b", "a/b", "a+b", "a@b", &"a".repeat(129)] {
        let access_key = Some(AccessKey { key: key.to_owned(), secret: Secret::new("s") });
        let refused = stage.admin.add(NewUser { access_key, ..NewUser::owner("test:tester") }).await;
        assert!(matches!(refused, Err(UserError::BadKey(_))), "{key}: {refused:?}");
    }
    assert!(stage.admin.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn two_who_add_the_same_user_at_once_make_one() {
    let stage = stage();
    let (one, other) = (admin(&stage.documents), admin(&stage.documents));
    let (one, other) =
        tokio::join!(one.add(NewUser::owner("test:tester")), other.add(NewUser::owner("test:tester")));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(stage.admin.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn configured_users_come_before_stored_ones() {
    let stage = stage();
    let record = stage.tester().await;
    let account = AccountName::parse(b"AUTH_main").unwrap();
    let configured = User { id: CanonicalId::new("root"), ..User::new(account, "main:admin", Role::Owner) };
    let identity = Identity::from(configured.clone());
    let table = UserTable::default()
        .with_access_key("ROOT", Secret::new("s"), identity.clone())
        .with_swift_name("main:admin", Secret::new("k"), identity.clone());
    let users = ChainedUsers::new(Arc::new(table), Arc::new(stage.users));
    assert_eq!(users.by_access_key("ROOT").await.unwrap().unwrap().identity, identity);
    assert_eq!(users.by_swift_name("main:admin").await.unwrap().unwrap().identity, identity);
    assert_eq!(*users.by_id(&configured.id).await.unwrap().unwrap(), configured);
    assert_eq!(users.by_swift_name("test:tester").await.unwrap().unwrap().identity, record.identity());
    assert_eq!(*users.by_email("tester@example.com").await.unwrap().unwrap(), record.user);
}
