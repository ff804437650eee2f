//! What a signature that doesn't fit should have signed.

/// What the server would have signed in the client's place: enough to see where the two differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedText {
    pub access_key: String,
    /// The signature that came with the request.
    pub signature: String,
    pub string_to_sign: String,
    /// Of Version 4.
    pub canonical_request: Option<String>,
}
