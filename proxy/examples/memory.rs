//! Both dialects over a store in memory, for trying clients: `cargo run -p martlet-proxy --example memory -- 127.0.0.1:8080`.
//!
//! Everything is forgotten when it ends, and its users are for everybody to know: it is no server.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use martlet_auth::token::TokenKey;
use martlet_auth::{Identity, Role, Secret, UserTable};
use martlet_model::{AccountName, Clock, Timestamp};
use martlet_proxy::swift::Scheme;
use martlet_proxy::{Gateway, Options};
use martlet_testkit::MemoryStore;
use tokio::net::TcpListener;

/// Account, user and key; the S3 keys are `account:user` and the key.
const USERS: [(&str, &str, &str); 2] = [("test", "tester", "testing"), ("test2", "tester2", "testing2")];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let clock = Arc::new(SystemClock);
    let options = Options {
        region: "us-east-1".to_owned(),
        virtual_host_suffixes: Vec::new(),
        request_id_seed: clock.now().as_micros(),
        token_key: TokenKey::derive(b"for everybody to know"),
        storage_url_scheme: Scheme::Http,
    };
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let gateway = Arc::new(Gateway::new(store, Arc::new(users()?), clock, options));
    let listener = TcpListener::bind(&address).await?;
    let address = listener.local_addr()?;
    for (account, user, key) in USERS {
        writeln!(
            std::io::stdout(),
            "ST_AUTH=http://{address}/auth/v1.0 ST_USER={account}:{user} ST_KEY={key}"
        )?;
    }
    martlet_proxy::serve(listener, gateway, async {
        // Without the signal there is no way to end but to be killed.
        let _ = tokio::signal::ctrl_c().await;
    })
    .await;
    Ok(())
}

fn users() -> Result<UserTable, martlet_model::NameError> {
    let mut table = UserTable::default();
    for (account, user, key) in USERS {
        let identity =
            Identity::user(AccountName::parse(format!("AUTH_{account}").as_bytes())?, user, Role::Owner);
        let name = format!("{account}:{user}");
        table = table.with_access_key(name.clone(), Secret::new(key), identity.clone()).with_swift_name(
            name,
            Secret::new(key),
            identity,
        );
    }
    Ok(table)
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
