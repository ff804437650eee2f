//! A bucket's row, in the system table of the bucket directory, under the bucket's name.

use bytes::Bytes;
use martlet_model::AccountName;
use martlet_protocol::{RowValue, Weight};
use serde::{Deserialize, Serialize};

use super::{Live, RecordError, decode, encode};

#[derive(Serialize, Deserialize)]
struct RecordTwin<'a> {
    account: &'a str,
}

/// The row that gives a bucket's name to `account`.
pub(crate) fn claimed_by(account: &AccountName) -> RowValue {
    let record = encode(&RecordTwin { account: account.as_str() });
    let weight = Weight { objects: 1, bytes: 0 };
    RowValue::Live { entry: Bytes::new(), record, weight, blobs: Vec::new() }
}

pub(crate) fn owner(live: Live<'_>) -> Result<AccountName, RecordError> {
    let twin: RecordTwin<'_> = decode("bucket", live.record)?;
    AccountName::parse(twin.account.as_bytes()).map_err(|_| RecordError::Broken("bucket"))
}
