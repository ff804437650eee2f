//! What makes a cluster this cluster: its ids, its secrets and its first user, kept in a file `cluster.toml`
//! that is the same for every process.

use hmac::{Hmac, KeyInit as _, Mac as _};
use martlet_link::{LinkIdentity, LinkSecret};
use martlet_ring::PlacementKey;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The version of the file's format.
const FORMAT: u32 = 1;
/// As long as AWS's access keys.
const ACCESS_KEY_CHARACTERS: usize = 20;
/// 40 characters of 62 are 238 bits.
const SECRET_KEY_CHARACTERS: usize = 40;
/// 32 characters of 62 are 190 bits.
const SWIFT_KEY_CHARACTERS: usize = 32;
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Letters and digits only: Glance and others put keys raw into URLs.
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The file's content. Not `Debug`: it holds secrets.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterFile {
    format: u32,
    /// Whether every device has been made. Afterwards a device without an identity is a fault, never a fresh start.
    pub(crate) devices_made: bool,
    pub(crate) cluster_id: Hex<16>,
    pub(crate) placement_key: Hex<16>,
    pub(crate) token_secret: Hex<32>,
    /// What processes of the cluster know each other by.
    /// A file that was made before there were such processes has none; then it follows from the tokens' secret.
    link_secret: Option<Hex<32>>,
    pub(crate) user: UserFile,
}

/// The first user, made with the cluster.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserFile {
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) swift_key: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

/// Bytes that are written as hexadecimal digits.
#[derive(Clone, Copy)]
pub(crate) struct Hex<const N: usize>(pub(crate) [u8; N]);

/// Why `cluster.toml` can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterFileError {
    #[error("it has format {0}; this version reads {FORMAT}")]
    Format(u32),
    #[error("it isn't what martlet writes: {0}")]
    Syntax(#[from] toml::de::Error),
}

impl ClusterFile {
    /// A new cluster, with secrets that nobody else has.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        Ok(Self {
            format: FORMAT,
            devices_made: false,
            cluster_id: Hex(random()?),
            placement_key: Hex(random()?),
            token_secret: Hex(random()?),
            link_secret: Some(Hex(random()?)),
            user: UserFile {
                account: "AUTH_main".to_owned(),
                name: "main:admin".to_owned(),
                swift_key: word(ALPHANUMERIC, SWIFT_KEY_CHARACTERS)?,
                access_key: word(UPPER, ACCESS_KEY_CHARACTERS)?,
                secret_key: word(ALPHANUMERIC, SECRET_KEY_CHARACTERS)?,
            },
        })
    }

    /// Who this process is to the others, without TLS.
    pub(crate) fn link_identity(&self) -> LinkIdentity {
        LinkIdentity { cluster: self.cluster_id.0, secret: LinkSecret::new(self.link_secret()), tls: None }
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn link_secret(&self) -> [u8; 32] {
        self.link_secret.map_or_else(
            || {
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(&self.token_secret.0).expect("any length is fine");
                mac.update(b"martlet link");
                mac.finalize().into_bytes().into()
            },
            |secret| secret.0,
        )
    }

    pub(crate) fn placement(&self) -> PlacementKey {
        PlacementKey::new(self.placement_key.0)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ClusterFileError> {
        let table: toml::Table = text.parse()?;
        match table
            .get("format")
            .and_then(toml::Value::as_integer)
            .and_then(|format| u32::try_from(format).ok())
        {
            Some(FORMAT) => Ok(table.try_into()?),
            other => Err(ClusterFileError::Format(other.unwrap_or(0))),
        }
    }

    pub(crate) fn render(&self) -> Result<String, toml::ser::Error> {
        let content = toml::to_string(self)?;
        Ok(format!("# The secrets of this cluster. Without this file its data can't be found.\n{content}"))
    }
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A random word; every character is equally likely.
fn word(alphabet: &[u8], characters: usize) -> Result<String, getrandom::Error> {
    let fair_below = 256 - 256 % alphabet.len();
    let mut word = String::with_capacity(characters);
    while word.len() < characters {
        let [byte] = random::<1>()?;
        if usize::from(byte) < fair_below {
            word.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
        }
    }
    Ok(word)
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; N];
        hex::decode_to_slice(text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let file = ClusterFile::generate().unwrap();
        let again = ClusterFile::parse(&file.render().unwrap()).unwrap();
        assert_eq!(again.render().unwrap(), file.render().unwrap());
    }

    #[test]
    fn a_file_from_before_there_were_links_is_read_and_has_a_secret_for_them() {
        let file = ClusterFile { link_secret: None, ..ClusterFile::generate().unwrap() };
        let text = file.render().unwrap();
        assert!(!text.contains("link_secret"));
        let (one, again) = (ClusterFile::parse(&text).unwrap(), ClusterFile::parse(&text).unwrap());
        assert_eq!(one.link_secret(), again.link_secret());
        assert_ne!(one.link_secret(), one.token_secret.0);
    }

    #[test]
    fn two_clusters_share_no_secret() {
        let (one, other) = (ClusterFile::generate().unwrap(), ClusterFile::generate().unwrap());
        assert_ne!(one.placement_key.0, other.placement_key.0);
        assert_ne!(one.token_secret.0, other.token_secret.0);
        assert_ne!(one.link_secret(), other.link_secret());
        assert_ne!(one.user.secret_key, other.user.secret_key);
        assert_ne!(one.user.swift_key, other.user.swift_key);
    }

    #[test]
    fn keys_survive_in_a_url() {
        let user = ClusterFile::generate().unwrap().user;
        for key in [&user.access_key, &user.secret_key, &user.swift_key] {
            assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
        }
    }

    #[test]
    fn a_newer_format_and_an_unknown_field_are_refused() {
        let text = ClusterFile::generate().unwrap().render().unwrap();
        let newer = text.replace("format = 1", "format = 2");
        assert!(matches!(ClusterFile::parse(&newer), Err(ClusterFileError::Format(2))));
        let unknown = text.replace("devices_made", "devices_mode");
        assert!(matches!(ClusterFile::parse(&unknown), Err(ClusterFileError::Syntax(_))));
    }
}
