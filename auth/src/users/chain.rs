//! Two sources of users as one.

use std::sync::Arc;

use async_trait::async_trait;
use martlet_model::Result;

use super::{Credentials, Users};
use crate::identity::{CanonicalId, User};

/// Asks the second source for whom the first doesn't know.
#[derive(Debug)]
pub struct ChainedUsers {
    first: Arc<dyn Users>,
    second: Arc<dyn Users>,
}

impl ChainedUsers {
    pub fn new(first: Arc<dyn Users>, second: Arc<dyn Users>) -> Self {
        Self { first, second }
    }
}

#[async_trait]
impl Users for ChainedUsers {
    async fn by_access_key(&self, access_key: &str) -> Result<Option<Credentials>> {
        match self.first.by_access_key(access_key).await? {
            Some(found) => Ok(Some(found)),
            None => self.second.by_access_key(access_key).await,
        }
    }

    async fn by_swift_name(&self, swift_name: &str) -> Result<Option<Credentials>> {
        match self.first.by_swift_name(swift_name).await? {
            Some(found) => Ok(Some(found)),
            None => self.second.by_swift_name(swift_name).await,
        }
    }

    async fn by_id(&self, id: &CanonicalId) -> Result<Option<Arc<User>>> {
        match self.first.by_id(id).await? {
            Some(found) => Ok(Some(found)),
            None => self.second.by_id(id).await,
        }
    }

    async fn by_email(&self, email: &str) -> Result<Option<Arc<User>>> {
        match self.first.by_email(email).await? {
            Some(found) => Ok(Some(found)),
            None => self.second.by_email(email).await,
        }
    }
}
