//! Who is asking, and what they may do.
//!
//! Reading order: [`identity`] and [`users`], how a request proves who sent it ([`target`], [`sigv4`], [`sigv2`]),
//! and what follows from that ([`decision`], [`guarded`]).
//!
//! **Invariant:** nothing here serves HTTP, reads a clock or knows a status code.
//! **Invariant:** no secret is ever part of a `Debug` or an error message.

pub mod account_acl;
pub mod action;
pub mod bearer;
pub mod bucket_controls;
pub mod decision;
pub mod form_post;
pub mod grants;
pub mod guarded;
pub mod identity;
pub mod ip_range;
mod json;
mod link_signature;
pub mod policy;
pub mod post_policy;
pub mod request;
pub mod s3_acl;
pub mod signed_text;
pub mod sigv2;
pub mod sigv4;
pub mod swift_acl;
pub mod target;
pub mod temp_url;
pub mod token;
pub mod users;

pub use account_acl::{AccountAcl, AccountAclError, AccountRight};
pub use action::Action;
pub use bearer::{Bearer, KeyOf, LinkKey};
pub use bucket_controls::{ObjectOwnership, PublicAccessBlock};
pub use decision::{Denied, Standing, decide};
pub use grants::{ContainerGrants, GrantsCache, GrantsDamaged};
pub use guarded::Guarded;
pub use identity::{CanonicalId, Identity, Role, Secret, User};
pub use link_signature::DIGESTS;
pub use policy::Policy;
pub use request::{Details, Listing, Request, RequestContext, Resource};
pub use signed_text::SignedText;
pub use target::{Parameter, Target, TargetError};
pub use users::{ChainedUsers, Credentials, StoredUsers, UserTable, Users};
