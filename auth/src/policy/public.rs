//! Which statements open something to the public.
//!
//! Source: "The meaning of public" in "Blocking public access to your Amazon S3 storage" of the Amazon S3 user guide.

use super::condition::Condition;
use super::principal::Principal;
use super::statement::{Effect, Scope, Statement};

pub(super) fn opens_to_the_public(statement: &Statement) -> bool {
    let to_everybody = match &statement.principals {
        Scope::These(principals) => principals.contains(&Principal::Everybody),
        Scope::AllBut(_) => true,
    };
    statement.effect == Effect::Allow
        && to_everybody
        && !statement.conditions.iter().any(Condition::names_who)
}
