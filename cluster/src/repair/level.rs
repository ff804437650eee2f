//! Brings the replicas of one row to one state.

use std::sync::Arc;

use martlet_model::Result;
use martlet_protocol::{ReadRow, Replica, RowAddress, RowReply, RowState, Want};
use martlet_register::Ballot;
use martlet_ring::DeviceId;

use super::asking::ask_each;
use crate::cluster::Shared;
use crate::row::change::change_asking;
use crate::row::{Access, Guard, Verdict};

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its replicas agreed already.
    Agreed,
    /// It was proposed once more.
    Leveled,
    /// Somebody couldn't be asked, or others were faster.
    Undecided,
}

/// How the replicas of a row stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// All have accepted the same, or nothing.
    Full,
    /// All that answered have. The rest is unknown.
    Partial,
    /// They differ; these have the highest ballot.
    None { highest: Vec<DeviceId> },
}

/// Looks at a row once more, and proposes it as it is if its replicas differ.
///
/// A row is never copied: under a new ballot a majority says what its latest state is, and all replicas accept that,
/// also who has missed it, and who has something that was never chosen. Whoever writes it meanwhile
/// either comes before that, and is what is proposed, or after, and replaces it.
pub(super) async fn level(shared: &Arc<Shared>, row: &RowAddress) -> Outcome {
    match agreement(shared, row).await {
        Agreement::Full => Outcome::Agreed,
        Agreement::Partial => Outcome::Undecided,
        Agreement::None { highest } => match propose_again(shared, row, &highest).await {
            Ok(()) => Outcome::Leveled,
            Err(error) => {
                tracing::debug!(?row, %error, "a row is left for another pass");
                Outcome::Undecided
            }
        },
    }
}

/// Asks every replica for its ballot.
pub(super) async fn agreement(shared: &Shared, row: &RowAddress) -> Agreement {
    let questions: Vec<_> =
        shared.devices_of(row.hash).into_iter().map(|device| (device, row.clone())).collect();
    let ask = |replica: Arc<dyn Replica>, row| async move {
        replica.read(ReadRow { row, want: Want::Ballot }).await
    };
    let mut known: Vec<(Option<Ballot>, DeviceId)> = Vec::new();
    let mut is_complete = true;
    for (device, answer) in ask_each(questions, shared.options.answer_deadline, ask).await {
        match answer {
            Ok(RowReply::Ballot(ballot)) => known.push((ballot, device)),
            Ok(RowReply::Value { .. }) | Err(_) => is_complete = false,
        }
    }
    let differ = known.windows(2).any(|pair| pair[0].0 != pair[1].0);
    match known.iter().map(|(ballot, _)| *ballot).max() {
        Some(highest) if differ => {
            let of_highest = known.iter().filter(|(ballot, _)| *ballot == highest);
            Agreement::None { highest: of_highest.map(|(_, device)| *device).collect() }
        }
        _ if is_complete => Agreement::Full,
        _ => Agreement::Partial,
    }
}

/// Holders of the highest ballot are asked first. Without one, a majority that lost everything would take what only they
/// still have for never written; and where they are a majority, what they say is known to be chosen.
pub(super) async fn propose_again(
    shared: &Arc<Shared>,
    row: &RowAddress,
    holders: &[DeviceId],
) -> Result<()> {
    let access = Access { row: row.clone(), seal: None, guard: Guard::None, spared: None };
    // Where nothing is found, it is a tombstone that has been forgotten meanwhile.
    change_asking(shared, &access, holders, |_: Option<&RowState>| Verdict::Repeat { answer: () }).await
}
