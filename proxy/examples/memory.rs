//! Both dialects over a store in memory, for trying clients: `cargo run -p martlet-proxy --example memory -- 127.0.0.1:8080`.
//!
//! Everything is forgotten when it ends, and its users are for everybody to know: it is no server.
//!
//! `MARTLET_REGION` is the region of its buckets, `us-east-1` where nothing is said.
//!
//! Outside suites bring users of their own. For each `NAME` of `MAIN`, `ALT`, `TENANT` and `IAM`, the environment may have
//! `S3_NAME_ACCESS`, `S3_NAME_SECRET`, `S3_NAME_USERID`, `S3_NAME_NAME` and `S3_NAME_EMAIL`: a user of an account of its own.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use martlet_auth::token::TokenKey;
use martlet_auth::{CanonicalId, Identity, Role, Secret, User, UserTable};
use martlet_model::{AccountName, Clock, Timestamp};
use martlet_proxy::swift::Scheme;
use martlet_proxy::{Gateway, Habits, Options};
use martlet_testkit::MemoryStore;
use tokio::net::TcpListener;

/// The users that Swift's own tests ask for. `MARTLET_USERS` gives others in the same form, separated by semicolons:
/// `name`, the Swift key, and as far as they are to differ from what these two give: `role`, the S3 `access` key and
/// `secret`, and the `id`, `display` name and `email` that S3 shows.
const USERS: &str = "name=test:tester,key=testing;name=test2:tester2,key=testing2;\
    name=test:tester2,key=testing2;name=test:tester3,key=testing3,role=member;\
    name=test5:tester5,key=testing5,role=service;name=test:tester6,key=testing6,role=admin";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let clock = Arc::new(SystemClock);
    let options = Options {
        region: std::env::var("MARTLET_REGION").unwrap_or_else(|_| "us-east-1".to_owned()),
        virtual_host_suffixes: Vec::new(),
        request_id_seed: clock.now().as_micros(),
        token_key: TokenKey::derive(b"for everybody to know"),
        storage_url_scheme: Scheme::Http,
    };
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let users = std::env::var("MARTLET_USERS").unwrap_or_else(|_| USERS.to_owned());
    let gateway = Arc::new(Gateway::new(store, Arc::new(table(&users)?), clock, options, Habits::default()));
    let listener = TcpListener::bind(&address).await?;
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "http://{address} serves {users}")?;
    martlet_proxy::serve(listener, gateway, async {
        // Without the signal there is no way to end but to be killed.
        let _ = tokio::signal::ctrl_c().await;
    })
    .await;
    Ok(())
}

fn table(users: &str) -> Result<UserTable, Box<dyn std::error::Error>> {
    let mut table = UserTable::default();
    for fields in users.split(';').map(str::trim).filter(|fields| !fields.is_empty()) {
        let field = |wanted: &str| {
            let pairs = fields.split(',').filter_map(|field| field.split_once('='));
            pairs.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
        };
        let (Some(name), Some(key)) = (field("name"), field("key")) else {
            return Err(format!("{fields} has no name or no key").into());
        };
        let (account, short) = name.split_once(':').ok_or("a name is account:user")?;
        let role = match field("role").as_deref() {
            None | Some("owner") => Role::Owner,
            Some("member") => Role::Member,
            Some("service") => Role::Service,
            Some("admin") => Role::Admin,
            Some(role) => return Err(format!("{role} is no role").into()),
        };
        let account = AccountName::parse(format!("AUTH_{account}").as_bytes())?;
        let mut user = User::new(account, short, role);
        user.id = field("id").map_or(user.id, CanonicalId::new);
        user.display_name = field("display").unwrap_or(user.display_name);
        user.email = field("email");
        let identity = Identity::User(Arc::new(user));
        let access = field("access").unwrap_or_else(|| name.clone());
        let secret = Secret::new(field("secret").unwrap_or_else(|| key.clone()));
        table = table.with_access_key(access, secret, identity.clone()).with_swift_name(
            name,
            Secret::new(key),
            identity,
        );
    }
    for name in ["MAIN", "ALT", "TENANT", "IAM"] {
        if let Some((access_key, secret, user)) = from_environment(name)? {
            table = table.with_access_key(access_key, Secret::new(secret), user.into());
        }
    }
    Ok(table)
}

/// A user whom an outside suite names; the key, the secret, and who it is.
fn from_environment(name: &str) -> Result<Option<(String, String, User)>, martlet_model::NameError> {
    let said = |what: &str| std::env::var(format!("S3_{name}_{what}")).ok();
    let (Some(access_key), Some(secret)) = (said("ACCESS"), said("SECRET")) else { return Ok(None) };
    let account = AccountName::parse(format!("AUTH_{}", name.to_lowercase()).as_bytes())?;
    let mut user = User::new(account, name.to_lowercase(), Role::Owner);
    user.id = said("USERID").map_or(user.id, CanonicalId::new);
    user.display_name = said("NAME").unwrap_or(user.display_name);
    user.email = said("EMAIL");
    Ok(Some((access_key, secret, user)))
}

/// The time of day.
#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}
