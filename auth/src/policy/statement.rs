//! One statement of a policy.

use std::borrow::Cow;

use super::condition::Condition;
use super::key::Key;
use super::pattern::{Case, Pattern};
use super::principal::Principal;
use crate::action::Action;
use crate::request::{Request, Resource};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    pub(super) principals: Scope<Principal>,
    /// Every action that is meant, `NotAction` taken into account.
    pub(super) actions: Vec<Action>,
    /// Without `arn:aws:s3:::`.
    pub(super) resources: Scope<Pattern>,
    /// All of them must hold.
    pub(super) conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// What is named, or all but what is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope<T> {
    These(Vec<T>),
    AllBut(Vec<T>),
}

impl Statement {
    pub(super) fn is_about(&self, action: Action, request: &Request<'_>) -> bool {
        self.actions.contains(&action)
            && self.principals.holds(|principal| principal.is(request.identity))
            && self.is_about_resource(request)
            && self.conditions.iter().all(|condition| condition.holds(request))
    }

    pub(super) fn reads_object_tags(&self) -> bool {
        let in_conditions = self.conditions.iter().flat_map(Condition::keys);
        let (Scope::These(resources) | Scope::AllBut(resources)) = &self.resources;
        let mut keys = in_conditions.chain(resources.iter().flat_map(Pattern::keys));
        keys.any(|key| matches!(key, Key::ExistingObjectTag(_)))
    }

    fn is_about_resource(&self, request: &Request<'_>) -> bool {
        let name: Cow<'_, str> = match request.resource {
            Resource::Account(_) => return false,
            Resource::Container(container) => container.name.as_str().into(),
            Resource::Object(object) => format!("{}/{}", object.container.name, object.key.as_str()).into(),
        };
        let value_of = |key: &Key| key.value(request).map(Cow::into_owned);
        self.resources.holds(|pattern| pattern.fits(&name, Case::Counts, value_of))
    }
}

impl<T> Scope<T> {
    pub(super) fn holds(&self, is: impl Fn(&T) -> bool) -> bool {
        match self {
            Self::These(these) => these.iter().any(is),
            Self::AllBut(those) => !those.iter().any(is),
        }
    }
}
