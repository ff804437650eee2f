//! How two processes convince each other that they know the cluster's secret.
//!
//! ```text
//! client                                    server
//!   hello: versions, cluster, nonce   ──►
//!                                     ◄──   answer: version, nonce, proof   (or a refusal)
//!   proof                             ──►
//! ```
//!
//! Each proof is an HMAC over both messages that came before, nonces of both sides included, under a label of its own:
//! it can be neither repeated on another connection nor sent back to where it came from.
//! The keys of the connection's records come from the same messages, so whoever only passes a handshake on
//! can't speak afterwards.

use std::io;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::identity::{LinkIdentity, Nonce};
use crate::limits::HANDSHAKE_TIMEOUT;
use crate::mac::MacKey;

/// The version that this program speaks. Two sides speak the highest that both know.
pub const VERSION: u16 = 2;
/// The oldest version that this program still speaks.
pub const VERSION_OLDEST: u16 = 2;

const MAGIC: [u8; 8] = *b"martlink";
const HELLO_BYTES: usize = 8 + 2 + 2 + 16 + 32;
const ANSWER_BYTES: usize = 8 + 1 + 2 + 32 + PROOF_BYTES;
const PROOF_BYTES: usize = 32;

type Proof = [u8; PROOF_BYTES];

/// The keys of a connection's two directions.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKeys {
    pub from_client: MacKey,
    pub from_server: MacKey,
}

/// Why two processes don't speak.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("the other side doesn't speak this protocol")]
    Stranger,
    #[error("the other side speaks versions up to {newest}, and this one {VERSION_OLDEST} to {VERSION}")]
    Version { newest: u16 },
    #[error("the other side belongs to another cluster")]
    Cluster,
    #[error("the other side doesn't know the cluster's secret")]
    Secret,
    #[error("the other side broke the handshake off; does it have the same secret?")]
    BrokenOff,
    #[error("the handshake took more than {} ms", HANDSHAKE_TIMEOUT.as_millis())]
    Late,
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
}

/// The client's part. Afterwards it may send at once.
pub async fn greet<S>(
    stream: &mut S,
    identity: &LinkIdentity,
    nonce: Nonce,
) -> Result<SessionKeys, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    within_time(async {
        let hello = hello(identity, nonce);
        stream.write_all(&hello).await?;
        stream.flush().await?;
        let answer: [u8; ANSWER_BYTES] = read(stream).await?;
        let transcript = judge_answer(identity, &hello, &answer)?;
        stream.write_all(&proof(identity, CLIENT_PROOF, &transcript)).await?;
        stream.flush().await?;
        Ok(SessionKeys::derive(identity, &transcript))
    })
    .await
}

/// The server's part. Afterwards the client is known.
pub async fn receive<S>(
    stream: &mut S,
    identity: &LinkIdentity,
    nonce: Nonce,
) -> Result<SessionKeys, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    within_time(async {
        let hello: [u8; HELLO_BYTES] = read(stream).await?;
        let version = match judge_hello(identity, &hello) {
            Ok(version) => version,
            Err(refusal) => {
                if let Some(refused) = refused(&refusal) {
                    stream.write_all(&refused).await?;
                    stream.flush().await?;
                }
                return Err(refusal);
            }
        };
        let (answer, transcript) = answer(identity, &hello, version, nonce);
        stream.write_all(&answer).await?;
        stream.flush().await?;
        let theirs: Proof = read(stream).await?;
        check_proof(identity, CLIENT_PROOF, &transcript, &theirs)?;
        Ok(SessionKeys::derive(identity, &transcript))
    })
    .await
}

async fn within_time<T>(
    handshake: impl Future<Output = Result<T, HandshakeError>>,
) -> Result<T, HandshakeError> {
    timeout(HANDSHAKE_TIMEOUT, handshake).await.unwrap_or(Err(HandshakeError::Late))
}

async fn read<const BYTES: usize>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<[u8; BYTES], HandshakeError> {
    let mut message = [0; BYTES];
    match stream.read_exact(&mut message).await {
        Ok(_) => Ok(message),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(HandshakeError::BrokenOff),
        Err(error) => Err(error.into()),
    }
}

const ACCEPTED: u8 = 0;
const REFUSED_VERSION: u8 = 1;
const REFUSED_CLUSTER: u8 = 2;

const SERVER_PROOF: &[u8] = b"martlet link: server proof";
const CLIENT_PROOF: &[u8] = b"martlet link: client proof";
const FROM_CLIENT: &[u8] = b"martlet link: key from client";
const FROM_SERVER: &[u8] = b"martlet link: key from server";

fn hello(identity: &LinkIdentity, nonce: Nonce) -> [u8; HELLO_BYTES] {
    let mut hello = [0; HELLO_BYTES];
    hello[..8].copy_from_slice(&MAGIC);
    hello[8..10].copy_from_slice(&VERSION_OLDEST.to_le_bytes());
    hello[10..12].copy_from_slice(&VERSION.to_le_bytes());
    hello[12..28].copy_from_slice(&identity.cluster);
    hello[28..].copy_from_slice(&nonce);
    hello
}

/// The version to speak.
fn judge_hello(identity: &LinkIdentity, hello: &[u8; HELLO_BYTES]) -> Result<u16, HandshakeError> {
    let oldest = u16::from_le_bytes([hello[8], hello[9]]);
    let newest = u16::from_le_bytes([hello[10], hello[11]]);
    if hello[..8] != MAGIC {
        Err(HandshakeError::Stranger)
    } else if VERSION < oldest || newest < VERSION_OLDEST {
        Err(HandshakeError::Version { newest })
    } else if hello[12..28] != identity.cluster {
        Err(HandshakeError::Cluster)
    } else {
        Ok(newest.min(VERSION))
    }
}

/// The answer, and what both sides have seen by then except the server's proof.
fn answer(
    identity: &LinkIdentity,
    hello: &[u8; HELLO_BYTES],
    version: u16,
    nonce: Nonce,
) -> ([u8; ANSWER_BYTES], Vec<u8>) {
    let mut answer = head_of_answer(ACCEPTED, version);
    answer[11..43].copy_from_slice(&nonce);
    let transcript = [&hello[..], &answer[..43]].concat();
    answer[43..].copy_from_slice(&proof(identity, SERVER_PROOF, &transcript));
    (answer, transcript)
}

/// What is said to those who speak the protocol, if only in another version or to another cluster.
fn refused(refusal: &HandshakeError) -> Option<[u8; ANSWER_BYTES]> {
    match refusal {
        HandshakeError::Version { .. } => Some(head_of_answer(REFUSED_VERSION, VERSION)),
        HandshakeError::Cluster => Some(head_of_answer(REFUSED_CLUSTER, VERSION)),
        _ => None,
    }
}

fn head_of_answer(verdict: u8, version: u16) -> [u8; ANSWER_BYTES] {
    let mut answer = [0; ANSWER_BYTES];
    answer[..8].copy_from_slice(&MAGIC);
    answer[8] = verdict;
    answer[9..11].copy_from_slice(&version.to_le_bytes());
    answer
}

fn judge_answer(
    identity: &LinkIdentity,
    hello: &[u8; HELLO_BYTES],
    answer: &[u8; ANSWER_BYTES],
) -> Result<Vec<u8>, HandshakeError> {
    let version = u16::from_le_bytes([answer[9], answer[10]]);
    if answer[..8] != MAGIC {
        return Err(HandshakeError::Stranger);
    }
    match answer[8] {
        ACCEPTED => {}
        REFUSED_VERSION => return Err(HandshakeError::Version { newest: version }),
        REFUSED_CLUSTER => return Err(HandshakeError::Cluster),
        _ => return Err(HandshakeError::Stranger),
    }
    if !(VERSION_OLDEST..=VERSION).contains(&version) {
        return Err(HandshakeError::Version { newest: version });
    }
    let transcript = [&hello[..], &answer[..43]].concat();
    check_proof(identity, SERVER_PROOF, &transcript, &answer[43..])?;
    Ok(transcript)
}

fn proof(identity: &LinkIdentity, label: &[u8], transcript: &[u8]) -> Proof {
    keyed(identity, label, transcript).finalize().into_bytes().into()
}

fn check_proof(
    identity: &LinkIdentity,
    label: &[u8],
    transcript: &[u8],
    theirs: &[u8],
) -> Result<(), HandshakeError> {
    keyed(identity, label, transcript).verify_slice(theirs).map_err(|_| HandshakeError::Secret)
}

/// The label has a fixed place and the transcript a fixed length, so no two inputs are the same bytes.
fn keyed(identity: &LinkIdentity, label: &[u8], transcript: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(identity.secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(label);
    mac.update(&[0]);
    mac.update(transcript);
    mac
}

impl SessionKeys {
    fn derive(identity: &LinkIdentity, transcript: &[u8]) -> Self {
        let key = |label| {
            let whole = proof(identity, label, transcript);
            let mut key = MacKey::default();
            key.copy_from_slice(&whole[..16]);
            key
        };
        Self { from_client: key(FROM_CLIENT), from_server: key(FROM_SERVER) }
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKeys(secret)")
    }
}
