//! `martlet user`: the users that a cluster keeps in rows of its own.
//!
//! A change is in force at every proxy within seconds, without a restart.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use martlet_auth::users::{AccessKey, KeyChange, NewUser, UserAdmin, UserError, UserRecord};
use martlet_auth::{CanonicalId, Role, Secret};
use martlet_cluster::{RandomSource, SystemRandom};

use crate::join::{JoinError, Place, join};
use crate::process::{self, ProcessError};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a user, and print the keys.
    Add(Add),
    /// List the users that the cluster keeps, without secrets.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Remove a user. What the user has stored stays.
    Remove {
        #[command(flatten)]
        place: Place,
        /// `account:user`
        name: String,
    },
    /// Change a user's keys, and print them.
    Key(Key),
}

#[derive(Args)]
struct Add {
    #[command(flatten)]
    place: Place,
    /// `account:user`, e.g. `test:tester`: the user `tester` of the account `AUTH_test`.
    name: String,
    #[arg(long, value_enum, default_value_t = Rights::Owner)]
    role: Rights,
    /// The id by which S3's ACLs name the user; random unless it is given.
    #[arg(long)]
    id: Option<String>,
    /// What S3 shows next to the id.
    #[arg(long)]
    display_name: Option<String>,
    #[arg(long)]
    email: Option<String>,
    /// Reads the user's secrets from the environment instead of making them: `MARTLET_USER_SWIFT_KEY` for Swift,
    /// `MARTLET_USER_ACCESS_KEY` and `MARTLET_USER_SECRET_KEY` for S3.
    #[arg(long)]
    keys_from_environment: bool,
}

#[derive(Args)]
struct Key {
    #[command(flatten)]
    place: Place,
    /// `account:user`
    name: String,
    #[command(flatten)]
    change: Change,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Change {
    /// Another key for Swift; the present one is void.
    #[arg(long)]
    swift: bool,
    /// One more pair of keys for S3.
    #[arg(long)]
    add: bool,
    /// One more pair of keys for S3, in the place of all others.
    #[arg(long)]
    replace: bool,
    /// This access key is void.
    #[arg(long, value_name = "ACCESS_KEY")]
    remove: Option<String>,
}

/// What a user may do without being granted anything.
#[derive(Clone, Copy, ValueEnum)]
enum Rights {
    /// Everything in the own account.
    Owner,
    /// Nothing but what is granted.
    Member,
    /// Everything in every account.
    Admin,
    /// Nothing in accounts of users.
    Service,
}

/// Why nothing was changed, or not all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserCommandError {
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error("{0} isn't set")]
    NoVariable(&'static str),
}

pub(crate) fn run(options: &Options) -> Result<(), UserCommandError> {
    process::prepare()?.block_on(async {
        let joined = join(options.action.place()).await?;
        let random = |buffer: &mut [u8]| SystemRandom.fill(buffer);
        let admin = UserAdmin::new(Arc::new(joined.store.clone()), Arc::new(random));
        let outcome = perform(&options.action, &admin).await;
        drop(admin);
        joined.leave().await;
        outcome
    })
}

async fn perform(action: &Action, admin: &UserAdmin) -> Result<(), UserCommandError> {
    match action {
        Action::Add(add) => show_keys(&admin.add(add.new_user()?).await?),
        Action::List { .. } => admin.list().await?.iter().for_each(show),
        Action::Remove { name, .. } => admin.remove(name).await?,
        Action::Key(key) => show_keys(&admin.change_keys(&key.name, &key.change.as_change()).await?),
    }
    Ok(())
}

impl Action {
    fn place(&self) -> &Place {
        match self {
            Self::Add(Add { place, .. })
            | Self::List { place }
            | Self::Remove { place, .. }
            | Self::Key(Key { place, .. }) => place,
        }
    }
}

impl Add {
    fn new_user(&self) -> Result<NewUser, UserCommandError> {
        let (swift_key, access_key) = if self.keys_from_environment {
            let key = variable("MARTLET_USER_ACCESS_KEY")?;
            let secret = Secret::new(variable("MARTLET_USER_SECRET_KEY")?);
            (Some(Secret::new(variable("MARTLET_USER_SWIFT_KEY")?)), Some(AccessKey { key, secret }))
        } else {
            (None, None)
        };
        Ok(NewUser {
            role: self.role.into(),
            id: self.id.clone().map(CanonicalId::new),
            display_name: self.display_name.clone(),
            email: self.email.clone(),
            swift_key,
            access_key,
            ..NewUser::owner(self.name.as_str())
        })
    }
}

impl Change {
    fn as_change(&self) -> KeyChange {
        match &self.remove {
            Some(key) => KeyChange::RemoveAccessKey(key.clone()),
            None if self.swift => KeyChange::NewSwiftKey,
            None if self.replace => KeyChange::ReplaceAccessKeys,
            None => KeyChange::AddAccessKey,
        }
    }
}

fn variable(name: &'static str) -> Result<String, UserCommandError> {
    std::env::var(name).map_err(|_| UserCommandError::NoVariable(name))
}

/// In the form of `credentials.env`.
fn show_keys(record: &UserRecord) {
    println!("ST_USER={}", record.user.swift_name());
    println!("ST_KEY={}", record.swift_key.expose());
    for pair in &record.access_keys {
        println!("AWS_ACCESS_KEY_ID={}", pair.key);
        println!("AWS_SECRET_ACCESS_KEY={}", pair.secret.expose());
    }
}

fn show(record: &UserRecord) {
    let user = &record.user;
    let keys: Vec<_> = record.access_keys.iter().map(|pair| pair.key.as_str()).collect();
    println!(
        "{}\t{:?}\tid {}\t{}\taccess keys {}",
        user.swift_name(),
        user.role,
        user.id,
        user.email.as_deref().unwrap_or("no e-mail address"),
        keys.join(" ")
    );
}

impl From<Rights> for Role {
    fn from(rights: Rights) -> Self {
        match rights {
            Rights::Owner => Self::Owner,
            Rights::Member => Self::Member,
            Rights::Admin => Self::Admin,
            Rights::Service => Self::Service,
        }
    }
}
