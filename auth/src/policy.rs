//! Bucket policies: JSON that allows and denies.
//!
//! Source: "IAM JSON policy elements reference" and "Bucket policies for Amazon S3" of the AWS documentation.
//!
//! A policy is a list of statements. One that denies decides; otherwise one that allows does;
//! otherwise the policy says nothing, and other grants decide.
//!
//! Whatever a policy could say and we couldn't hold to is refused when it is set:
//! operators, condition keys, actions and kinds of principals that aren't known here, and other buckets' resources.

mod condition;
mod key;
mod parse;
mod pattern;
mod principal;
mod public;
mod statement;

pub use parse::MalformedPolicy;
pub use principal::{account_arn, user_arn};

use martlet_model::ContainerName;

use crate::action::Action;
use crate::request::Request;
use statement::{Effect, Statement};

/// The longest policy.
pub const POLICY_BYTES_MAX: usize = 20 * 1024;

/// A bucket's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// What a policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Denied,
    Allowed,
    /// No statement is about it.
    Silent,
}

impl Policy {
    /// Reads the policy of a bucket.
    pub fn parse(json: &[u8], bucket: &ContainerName) -> Result<Self, MalformedPolicy> {
        parse::policy(json, bucket)
    }

    /// What the policy says of an action. A statement that denies outweighs all that allow.
    pub fn judge(&self, action: Action, request: &Request<'_>) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in self.statements.iter().filter(|statement| statement.is_about(action, request)) {
            match statement.effect {
                Effect::Deny => return Verdict::Denied,
                Effect::Allow => verdict = Verdict::Allowed,
            }
        }
        verdict
    }

    /// Whether it opens anything to people whom it doesn't name, from wherever they come.
    pub fn is_public(&self) -> bool {
        self.statements.iter().any(public::opens_to_the_public)
    }

    /// Whether what it says may depend on the tags that an object has.
    pub fn reads_object_tags(&self) -> bool {
        self.statements.iter().any(Statement::reads_object_tags)
    }
}

#[cfg(test)]
mod tests;
