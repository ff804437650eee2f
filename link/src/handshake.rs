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
//! can't speak afterwards. Over TLS they also cover a value that only the two ends of that connection know.
//!
//! Sides that don't agree on whether there is TLS below say so to each other, so that both know what is wrong.

use std::io;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::identity::{LinkIdentity, Nonce};
use crate::limits::{HANDSHAKE_TIMEOUT, REFUSAL_LINGER};
use crate::mac::MacKey;
use crate::tls::{Said, TlsRefusal};

/// The version that this program speaks. Two sides speak the highest that both know.
pub const VERSION: u16 = 4;
/// The oldest version that this program still speaks.
pub const VERSION_OLDEST: u16 = 4;

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

/// What the handshake goes through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Plain,
    /// `exported` is known to the two ends of the TLS connection alone.
    Tls {
        exported: [u8; 32],
    },
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
    #[error("the other side speaks only without TLS, and this one only with it: {ALL_OR_NONE}")]
    TheyArePlain,
    #[error("the other side speaks only with TLS, and this one only without it: {ALL_OR_NONE}")]
    WeArePlain,
    #[error(transparent)]
    Tls(#[from] TlsRefusal),
    #[error("the connection failed: {0}")]
    Connection(#[source] io::Error),
}

const ALL_OR_NONE: &str = "all processes of a cluster have [link_tls], or none";

/// The client's part. Afterwards it may send at once.
pub async fn greet<S>(
    stream: &mut S,
    identity: &LinkIdentity,
    nonce: Nonce,
    channel: Channel,
) -> Result<SessionKeys, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    within_time(async {
        let hello = hello(identity, nonce);
        stream.write_all(&hello).await?;
        stream.flush().await?;
        let answer: [u8; ANSWER_BYTES] = read(stream).await?;
        let transcript = judge_answer(identity, &hello, &answer, channel)?;
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
    channel: Channel,
) -> Result<SessionKeys, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    within_time(async {
        let hello: [u8; HELLO_BYTES] = read(stream).await?;
        let version = match judge_hello(identity, &hello) {
            Ok(version) => version,
            Err(refusal) => {
                refuse(stream, &refusal).await?;
                return Err(refusal);
            }
        };
        let (answer, transcript) = answer(identity, &hello, (version, channel), nonce);
        stream.write_all(&answer).await?;
        stream.flush().await?;
        let theirs: Proof = read(stream).await?;
        check_proof(identity, CLIENT_PROOF, &transcript, &theirs)?;
        Ok(SessionKeys::derive(identity, &transcript))
    })
    .await
}

/// The server's part where there has to be TLS and the client doesn't speak it: it is told.
pub(crate) async fn turn_away<S>(stream: &mut S) -> HandshakeError
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let turned_away = within_time(async {
        let _hello: [u8; HELLO_BYTES] = read(stream).await?;
        refuse(stream, &HandshakeError::TheyArePlain).await
    });
    turned_away.await.err().unwrap_or(HandshakeError::TheyArePlain)
}

/// Says so to those who can understand it.
async fn refuse<S>(stream: &mut S, refusal: &HandshakeError) -> Result<(), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(refused) = refused(refusal) else { return Ok(()) };
    stream.write_all(&refused).await?;
    stream.flush().await?;
    if matches!(refusal, HandshakeError::WeArePlain) {
        // TLS begins with more than is read of it, and a connection that is closed before loses the refusal.
        let mut rest = [0; 1024];
        let rest = async { while matches!(stream.read(&mut rest).await, Ok(1..)) {} };
        let _ = timeout(REFUSAL_LINGER, rest).await;
    }
    Ok(())
}

/// Whether a connection that begins with this byte may be one without TLS.
pub(crate) fn is_plain(first: u8) -> bool {
    first == MAGIC[0]
}

pub(crate) async fn within_time<T>(
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
/// The server speaks only with TLS.
const REFUSED_PLAIN: u8 = 3;
/// The server speaks only without TLS. The client takes this answer for no TLS, whatever it says.
const REFUSED_TLS: u8 = 4;

/// How TLS begins: with a handshake record of any version.
const TLS_BEGINS: [u8; 2] = [0x16, 3];

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
    if hello[..2] == TLS_BEGINS {
        Err(HandshakeError::WeArePlain)
    } else if hello[..8] != MAGIC {
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
    (version, channel): (u16, Channel),
    nonce: Nonce,
) -> ([u8; ANSWER_BYTES], Vec<u8>) {
    let mut answer = head_of_answer(ACCEPTED, version);
    answer[11..43].copy_from_slice(&nonce);
    let transcript = [&hello[..], &answer[..43], channel.exported()].concat();
    answer[43..].copy_from_slice(&proof(identity, SERVER_PROOF, &transcript));
    (answer, transcript)
}

/// What is said to those who speak the protocol, if only in another version or to another cluster.
fn refused(refusal: &HandshakeError) -> Option<[u8; ANSWER_BYTES]> {
    match refusal {
        HandshakeError::Version { .. } => Some(head_of_answer(REFUSED_VERSION, VERSION)),
        HandshakeError::Cluster => Some(head_of_answer(REFUSED_CLUSTER, VERSION)),
        HandshakeError::TheyArePlain => Some(head_of_answer(REFUSED_PLAIN, VERSION)),
        HandshakeError::WeArePlain => Some(head_of_answer(REFUSED_TLS, VERSION)),
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
    channel: Channel,
) -> Result<Vec<u8>, HandshakeError> {
    let version = u16::from_le_bytes([answer[9], answer[10]]);
    if answer[..8] != MAGIC {
        return Err(HandshakeError::Stranger);
    }
    match answer[8] {
        ACCEPTED => {}
        REFUSED_VERSION => return Err(HandshakeError::Version { newest: version }),
        REFUSED_CLUSTER => return Err(HandshakeError::Cluster),
        REFUSED_PLAIN => return Err(HandshakeError::WeArePlain),
        _ => return Err(HandshakeError::Stranger),
    }
    if !(VERSION_OLDEST..=VERSION).contains(&version) {
        return Err(HandshakeError::Version { newest: version });
    }
    let transcript = [&hello[..], &answer[..43], channel.exported()].concat();
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

/// The label has a fixed place and the transcript one of two lengths, so no two inputs are the same bytes.
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

impl Channel {
    fn exported(&self) -> &[u8] {
        match self {
            Self::Plain => &[],
            Self::Tls { exported } => exported,
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        match Said::by(error) {
            Ok(Said::NotTls) => Self::TheyArePlain,
            Ok(Said::Refusal(refusal)) => Self::Tls(refusal),
            Err(error) => Self::Connection(error),
        }
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Tls { .. } => "Tls(secret)",
        })
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKeys(secret)")
    }
}
