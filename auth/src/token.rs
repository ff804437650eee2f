//! Swift tokens: stateless, so that every proxy of a cluster knows the tokens of all others.
//!
//! A token is `AUTH_tk` and base64url, without padding, of
//!
//! ```text
//! version  1 byte    1
//! role     1 byte    1 = owner, 2 = member, 3 = admin, 4 = service
//! expires  8 bytes   seconds since the epoch, big endian
//! account  2 bytes   its length, big endian, and then as many bytes of UTF-8
//! user     the rest  UTF-8
//! mac      32 bytes  HMAC-SHA256 over everything before it
//! ```
//!
//! A token says who somebody was when it was issued. [`identify`] asks who that is now: the token of a user who has
//! been removed stops working, and that of one whose role has changed gives the new role, within
//! [`STALENESS_SECONDS_MAX`](crate::users::STALENESS_SECONDS_MAX). A new key does not end the tokens that the old
//! one has got, nor does making a removed user of the same name again.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use martlet_model::limits::ACCOUNT_NAME_BYTES_MAX;
use martlet_model::{AccountName, Timestamp};
use sha2::Sha256;

use crate::identity::{Identity, Role, User};
use crate::users::Users;

/// How long a token is good for: 24 hours.
pub const TOKEN_LIFETIME_SECONDS: u64 = 24 * 60 * 60;
/// The longest user name that a token carries.
pub const TOKEN_USER_BYTES_MAX: usize = 256;
/// The longest token; a longer text isn't even decoded.
pub const TOKEN_BYTES_MAX: usize =
    PREFIX.len() + (HEAD_BYTES + ACCOUNT_NAME_BYTES_MAX + TOKEN_USER_BYTES_MAX + MAC_BYTES).div_ceil(3) * 4;

const PREFIX: &str = "AUTH_tk";
const VERSION: u8 = 1;
/// Version, role, expiry, and the length of the account's name.
const HEAD_BYTES: usize = 1 + 1 + 8 + 2;
const MAC_BYTES: usize = 32;
const ROLE_OWNER: u8 = 1;
const ROLE_MEMBER: u8 = 2;
const ROLE_ADMIN: u8 = 3;
const ROLE_SERVICE: u8 = 4;
/// Sets the key apart from everything else that is derived from the cluster's secret.
const PURPOSE: &[u8] = b"martlet swift token 1";

type HmacSha256 = Hmac<Sha256>;

/// The key that tokens are signed with: the same at every proxy of a cluster.
#[derive(Clone)]
pub struct TokenKey(HmacSha256);

/// A fresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What the client sends back as `X-Auth-Token`.
    pub text: String,
    /// From this moment on it is refused.
    pub expires: Timestamp,
}

/// Why a text is no good as a token. A client is told none of it: it learns that it isn't known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("this is not a token of this cluster")]
    Unknown,
    #[error("the token has expired")]
    Expired,
}

/// The user's name doesn't fit into a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the user's name has {bytes} bytes; {TOKEN_USER_BYTES_MAX} are allowed")]
pub struct UserNameTooLong {
    pub bytes: usize,
}

/// Whose token `text` is, as the users are known now; `None`: nobody's, or nobody's any more.
pub async fn identify(
    key: &TokenKey,
    users: &dyn Users,
    text: &str,
    now: Timestamp,
) -> martlet_model::Result<Option<Identity>> {
    let Ok(issued_to) = key.verify(text, now) else { return Ok(None) };
    let found = users.by_swift_name(&issued_to.swift_name()).await?;
    Ok(found.map(|found| found.identity).filter(|identity| identity.account() == Some(&issued_to.account)))
}

impl TokenKey {
    /// Derives the key from the cluster's secret.
    pub fn derive(cluster_secret: &[u8]) -> Self {
        let mut mac = keyed(cluster_secret);
        mac.update(PURPOSE);
        Self(keyed(&mac.finalize().into_bytes()))
    }

    /// A token for `user`, good for [`TOKEN_LIFETIME_SECONDS`] from `now`.
    pub fn issue(&self, user: &User, now: Timestamp) -> Result<Token, UserNameTooLong> {
        let bytes = user.name.len();
        if bytes > TOKEN_USER_BYTES_MAX {
            return Err(UserNameTooLong { bytes });
        }
        let expires_seconds = now.as_seconds().saturating_add(TOKEN_LIFETIME_SECONDS);
        let mut signed = encode(user, expires_seconds);
        let mac = self.mac(&signed).finalize().into_bytes();
        signed.extend_from_slice(&mac);
        let mut text = String::with_capacity(TOKEN_BYTES_MAX);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&signed, &mut text);
        Ok(Token { text, expires: Timestamp::from_micros(expires_seconds.saturating_mul(1_000_000)) })
    }

    /// Whom `text` was issued to. Nothing in it is looked at before its signature has been found right, in constant time.
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<User, TokenError> {
        let encoded =
            text.strip_prefix(PREFIX).filter(|_| text.len() <= TOKEN_BYTES_MAX).ok_or(TokenError::Unknown)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Unknown)?;
        let (signed, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(TokenError::Unknown)?;
        self.mac(signed).verify_slice(mac).map_err(|_| TokenError::Unknown)?;
        let (user, expires_seconds) = decode(signed).ok_or(TokenError::Unknown)?;
        if now.as_seconds() < expires_seconds { Ok(user) } else { Err(TokenError::Expired) }
    }

    fn mac(&self, signed: &[u8]) -> HmacSha256 {
        let mut mac = self.0.clone();
        mac.update(signed);
        mac
    }
}

fn keyed(secret: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(secret).expect("HMAC takes keys of any length")
}

fn encode(user: &User, expires_seconds: u64) -> Vec<u8> {
    let account = user.account.as_str().as_bytes();
    let account_bytes = u16::try_from(account.len()).expect("account names are at most 256 bytes long");
    let role = match user.role {
        Role::Owner => ROLE_OWNER,
        Role::Member => ROLE_MEMBER,
        Role::Admin => ROLE_ADMIN,
        Role::Service => ROLE_SERVICE,
    };
    let mut signed = Vec::with_capacity(HEAD_BYTES + account.len() + user.name.len() + MAC_BYTES);
    signed.extend([VERSION, role]);
    signed.extend(expires_seconds.to_be_bytes());
    signed.extend(account_bytes.to_be_bytes());
    signed.extend(account);
    signed.extend(user.name.as_bytes());
    signed
}

/// The reverse of [`encode`]: the user, and when the token expires in seconds since the epoch.
fn decode(signed: &[u8]) -> Option<(User, u64)> {
    let (&[version, role], rest) = signed.split_first_chunk()?;
    let (expires, rest) = rest.split_first_chunk()?;
    let (account_bytes, rest) = rest.split_first_chunk()?;
    let (account, name) = rest.split_at_checked(usize::from(u16::from_be_bytes(*account_bytes)))?;
    if version != VERSION {
        return None;
    }
    let role = match role {
        ROLE_OWNER => Role::Owner,
        ROLE_MEMBER => Role::Member,
        ROLE_ADMIN => Role::Admin,
        ROLE_SERVICE => Role::Service,
        _ => return None,
    };
    let account = AccountName::parse(account).ok()?;
    let name = String::from_utf8(name.to_vec()).ok()?;
    Some((User::new(account, name, role), u64::from_be_bytes(*expires)))
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;
    use crate::identity::Secret;
    use crate::users::UserTable;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn key() -> TokenKey {
        TokenKey::derive(b"the cluster's secret")
    }

    fn user() -> User {
        User::new(AccountName::parse(b"AUTH_test").unwrap(), "tester", Role::Owner)
    }

    fn after(seconds: u64) -> Timestamp {
        Timestamp::from_micros(NOW.as_micros() + seconds * 1_000_000)
    }

    #[test]
    fn a_token_names_its_user_at_every_proxy() {
        let token = key().issue(&user(), NOW).unwrap();
        assert!(token.text.starts_with("AUTH_tk"));
        assert_eq!(TokenKey::derive(b"the cluster's secret").verify(&token.text, NOW), Ok(user()));
    }

    #[test]
    fn a_token_is_worth_what_its_user_is_worth_now() {
        let token = key().issue(&user(), NOW).unwrap().text;
        let known = |identity: Identity| {
            UserTable::default().with_swift_name("test:tester", Secret::new("k"), identity)
        };
        let asked = |users: &UserTable, text: &str, now| {
            identify(&key(), users, text, now).now_or_never().expect("a table answers at once").unwrap()
        };
        let demoted = Identity::from(User { role: Role::Member, email: Some("t@x".to_owned()), ..user() });
        assert_eq!(asked(&known(demoted.clone()), &token, NOW), Some(demoted));
        assert_eq!(asked(&UserTable::default(), &token, NOW), None);
        let elsewhere = User { account: AccountName::parse(b"test").unwrap(), ..user() };
        assert_eq!(asked(&known(elsewhere.into()), &token, NOW), None);
        assert_eq!(asked(&known(user().into()), "AUTH_tkx", NOW), None);
        assert_eq!(asked(&known(user().into()), &token, after(TOKEN_LIFETIME_SECONDS)), None);
    }

    #[test]
    fn a_token_of_another_cluster_is_unknown() {
        let token = key().issue(&user(), NOW).unwrap();
        let other = TokenKey::derive(b"another secret");
        assert_eq!(other.verify(&token.text, NOW), Err(TokenError::Unknown));
    }

    #[test]
    fn a_token_lives_for_a_day_to_the_second() {
        let token = key().issue(&user(), NOW).unwrap();
        assert_eq!(token.expires, after(24 * 60 * 60));
        assert_eq!(key().verify(&token.text, after(24 * 60 * 60 - 1)), Ok(user()));
        assert_eq!(key().verify(&token.text, token.expires), Err(TokenError::Expired));
    }

    #[test]
    fn what_was_never_a_token_is_unknown() {
        for text in ["", "AUTH_tk", "AUTH_tk!", "AUTH_tkAAAA", "AUTH_tk ", "ü", "Bearer x"] {
            assert_eq!(key().verify(text, NOW), Err(TokenError::Unknown), "{text}");
        }
        let long = format!("AUTH_tk{}", "A".repeat(TOKEN_BYTES_MAX));
        assert_eq!(key().verify(&long, NOW), Err(TokenError::Unknown));
    }

    #[test]
    fn the_longest_names_fit_and_longer_ones_are_refused() {
        let account = AccountName::parse(&[b'a'; ACCOUNT_NAME_BYTES_MAX]).unwrap();
        let longest = User::new(account, "u".repeat(TOKEN_USER_BYTES_MAX), Role::Owner);
        let token = key().issue(&longest, NOW).unwrap();
        assert!(token.text.len() <= TOKEN_BYTES_MAX);
        assert_eq!(key().verify(&token.text, NOW), Ok(longest));
        let longer = User { name: "u".repeat(TOKEN_USER_BYTES_MAX + 1), ..user() };
        assert_eq!(key().issue(&longer, NOW), Err(UserNameTooLong { bytes: TOKEN_USER_BYTES_MAX + 1 }));
    }

    #[test]
    fn names_do_not_run_into_each_other() {
        let left = User::new(AccountName::parse(b"AUTH_ab").unwrap(), "c", Role::Owner);
        let right = User::new(AccountName::parse(b"AUTH_a").unwrap(), "bc", Role::Owner);
        let (one, other) = (key().issue(&left, NOW).unwrap(), key().issue(&right, NOW).unwrap());
        assert_ne!(one, other);
        assert_eq!(key().verify(&one.text, NOW), Ok(left));
        assert_eq!(key().verify(&other.text, NOW), Ok(right));
    }

    #[test]
    fn the_format_is_fixed() {
        // Computed with Python's hmac and base64: tokens outlive an upgrade of the proxies.
        let token = key().issue(&user(), NOW).unwrap();
        assert_eq!(token.text, GOLDEN);
    }

    const GOLDEN: &str =
        "AUTH_tkAQEAAAAAZVVCgAAJQVVUSF90ZXN0dGVzdGVyGTm3vhfVkf1rbMAp09rGoZrWep0SF3oevtModswh8nc";

    #[test]
    fn the_key_is_never_printed() {
        assert_eq!(format!("{:?}", key()), "TokenKey(hidden)");
    }

    fn any_role() -> impl Strategy<Value = Role> {
        prop::sample::select(vec![Role::Owner, Role::Member, Role::Admin, Role::Service])
    }

    proptest! {
        #[test]
        fn every_user_comes_back(account in "[a-zA-Z_0-9]{1,256}", name in ".{0,64}", role in any_role(), seconds in 0..1u64 << 40) {
            let now = Timestamp::from_micros(seconds * 1_000_000);
            let account = AccountName::parse(account.as_bytes()).unwrap();
            let user = User::new(account, name, role);
            let token = key().issue(&user, now).unwrap();
            prop_assert!(token.text.len() <= TOKEN_BYTES_MAX);
            prop_assert!(token.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(key().verify(&token.text, now), Ok(user));
        }

        #[test]
        fn no_altered_token_passes(at in any::<prop::sample::Index>(), replacement in any::<char>()) {
            let mut characters: Vec<char> = key().issue(&user(), NOW).unwrap().text.chars().collect();
            let at = at.index(characters.len());
            prop_assume!(characters[at] != replacement);
            characters[at] = replacement;
            let altered: String = characters.into_iter().collect();
            prop_assert_eq!(key().verify(&altered, NOW), Err(TokenError::Unknown));
        }

        #[test]
        fn no_flipped_bit_passes(bit in any::<prop::sample::Index>()) {
            let text = key().issue(&user(), NOW).unwrap().text;
            let mut bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX).unwrap()).unwrap();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let altered = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&bytes));
            prop_assert_eq!(key().verify(&altered, NOW), Err(TokenError::Unknown));
        }

        #[test]
        fn no_shortened_or_lengthened_token_passes(kept in any::<prop::sample::Index>(), tail in "[A-Za-z0-9_-]{1,8}") {
            let text = key().issue(&user(), NOW).unwrap().text;
            let short = &text[..kept.index(text.len())];
            prop_assert_eq!(key().verify(short, NOW), Err(TokenError::Unknown));
            prop_assert_eq!(key().verify(&format!("{text}{tail}"), NOW), Err(TokenError::Unknown));
        }

        #[test]
        fn no_noise_passes(noise in prop::collection::vec(any::<u8>(), 0..600)) {
            let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&noise));
            prop_assert_eq!(key().verify(&text, NOW), Err(TokenError::Unknown));
        }
    }
}
