//! A fast read of one row: one round, no write.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use martlet_model::{Error, Result};
use martlet_protocol::{BlobRef, ReadRow, Replica, ReplicaError, RowReply, RowState, RowValue, Want};
use martlet_register::{ReadReply, ReadStep, Reader, ReplicaSet};
use tokio::time::{Instant, sleep_until};

use super::change::resolve;
use super::{Access, Replicas};
use crate::cluster::Shared;
use crate::device::Answered;

/// A row as it was at a moment during the read.
pub(crate) struct Found {
    pub(crate) state: Option<RowState>,
    /// The bytes of the row's only blob, where they came along. Not checked yet.
    pub(crate) body: Option<Bytes>,
}

/// How much of the row is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    Value,
    /// The value, and the bytes if there are at most `bytes_max` in one blob.
    Body {
        bytes_max: u64,
    },
}

/// Reads a row's chosen state: the value from one replica, and from enough others the ballot alone.
pub(crate) async fn read(shared: &Arc<Shared>, access: &Access, depth: Depth) -> Result<Found> {
    let started = Instant::now();
    match read_once(shared, access, depth).await {
        // Replicas were silent rather than gone: a request that got lost is worth another one.
        Err(Error::Unavailable(_)) if shared.options.answer_deadline <= started.elapsed() => {
            read_once(shared, access, depth).await
        }
        outcome => outcome,
    }
}

async fn read_once(shared: &Arc<Shared>, access: &Access, depth: Depth) -> Result<Found> {
    let mut round = Round::new(shared, access, depth);
    let replicas = shared.quorum().replicas();
    let mut reader = Reader::start(shared.quorum(), replicas);
    round.ask_first();
    loop {
        let step = round.wait(&mut reader).await;
        match step {
            ReadStep::Wait => {}
            ReadStep::Ask { .. } => while round.ask_another(Want::Ballot) {},
            ReadStep::FetchValue { from, .. } => round.fetch(from),
            ReadStep::Chosen(state) => return Ok(round.found(state)),
            ReadStep::Resolve => {
                let state = resolve(shared, access).await?;
                return Ok(Found { state, body: None });
            }
            ReadStep::Unavailable => {
                shared.figures.rows_without_quorum.increment();
                return Err(Error::Unavailable("too few replicas of a row answered"));
            }
        }
    }
}

/// The row's state.
pub(crate) async fn read_value(shared: &Arc<Shared>, access: &Access) -> Result<Option<RowState>> {
    Ok(read(shared, access, Depth::Value).await?.state)
}

struct Round<'a> {
    shared: &'a Shared,
    access: &'a Access,
    depth: Depth,
    replicas: Replicas,
    calls: FuturesUnordered<BoxFuture<'static, (usize, Want, Answered<RowReply>)>>,
    unasked: ReplicaSet,
    answered: ReplicaSet,
    /// A body that came along, and whose.
    body: Option<(BlobRef, Bytes)>,
    /// The value is known to be chosen, and only one replica is asked for it.
    is_fetching: bool,
    started: Instant,
}

impl<'a> Round<'a> {
    fn new(shared: &'a Shared, access: &'a Access, depth: Depth) -> Self {
        Self {
            shared,
            access,
            depth,
            replicas: Replicas::of(shared, &access.row),
            calls: FuturesUnordered::new(),
            unasked: shared.quorum().replicas(),
            answered: ReplicaSet::EMPTY,
            body: None,
            is_fetching: false,
            started: Instant::now(),
        }
    }

    fn ask_first(&mut self) {
        self.ask_another(self.depth.want());
        for _ in 1..self.shared.majority() {
            self.ask_another(Want::Ballot);
        }
    }

    fn ask_another(&mut self, want: Want) -> bool {
        let next = self.replicas.order.iter().copied().find(|&index| self.unasked.contains(index));
        let Some(index) = next else { return false };
        self.unasked = self.unasked.without(ReplicaSet::EMPTY.with(index));
        self.ask(index, want);
        true
    }

    fn fetch(&mut self, index: usize) {
        self.is_fetching = true;
        self.ask(index, self.depth.want());
    }

    fn ask(&mut self, index: usize, want: Want) {
        let replica = self.replicas.devices[index].replica.clone();
        let request = ReadRow { row: self.access.row.clone(), want };
        self.calls.push(Box::pin(async move { (index, want, ask_one(&*replica, request).await) }));
    }

    async fn wait(&mut self, reader: &mut Reader<RowValue>) -> ReadStep<RowValue> {
        let options = &self.shared.options;
        let (hedge_at, until) = (self.started + options.hedge_delay, self.started + options.answer_deadline);
        loop {
            if self.calls.is_empty() && !self.ask_another(Want::Ballot) {
                return reader.on_timeout();
            }
            tokio::select! {
                biased;
                Some((from, want, outcome)) = self.calls.next() => {
                    self.replicas.devices[from].note(&outcome);
                    if outcome.is_ok() {
                        self.answered = self.answered.with(from);
                    }
                    let step = reader.on_reply(from, self.reply(want, outcome));
                    if !matches!(step, ReadStep::Wait) {
                        return step;
                    }
                }
                () = sleep_until(hedge_at), if !self.unasked.is_empty() => {
                    let silent = self.shared.quorum().replicas().without(self.unasked.and(self.answered));
                    silent.iter().for_each(|index| self.replicas.devices[index].note_lateness());
                    while self.ask_another(Want::Ballot) {}
                }
                // A majority differs, and the rest is silent: that is settled faster than the rest is awaited.
                () = sleep_until(hedge_at + options.hedge_delay), if self.could_be_settled() => {
                    return reader.on_timeout();
                }
                () = sleep_until(until) => return reader.on_timeout(),
            }
        }
    }

    fn could_be_settled(&self) -> bool {
        !self.is_fetching && self.unasked.is_empty() && self.shared.quorum().is_met_by(self.answered)
    }

    fn reply(&mut self, want: Want, outcome: Answered<RowReply>) -> ReadReply<RowValue> {
        match outcome {
            Ok(RowReply::Value { accepted, body }) if want != Want::Ballot => {
                let blobs = accepted.as_ref().map_or(&[][..], |accepted| accepted.state.value.blobs());
                if let ([blob], Some(body)) = (blobs, body) {
                    self.body = Some((*blob, body));
                }
                ReadReply::Value { accepted }
            }
            Ok(RowReply::Ballot(accepted)) => ReadReply::Ballot { accepted },
            Ok(RowReply::Value { .. }) | Err(_) => ReadReply::Failed,
        }
    }

    fn found(self, state: Option<RowState>) -> Found {
        let blobs = state.as_ref().map_or(&[][..], |state| state.value.blobs());
        let is_same = |(blob, _): &(BlobRef, Bytes)| blobs == [*blob];
        let body = self.body.filter(is_same).map(|(_, body)| body);
        Found { state, body }
    }
}

/// A replica that has the row, but whose copy of the bytes is damaged, still gives the row.
async fn ask_one(replica: &dyn Replica, request: ReadRow) -> Answered<RowReply> {
    let is_deep = matches!(request.want, Want::ValueAndBody { .. });
    let row = is_deep.then(|| request.row.clone());
    match (replica.read(request).await, row) {
        (Err(ReplicaError::Damaged(_) | ReplicaError::MissingBlobs(_)), Some(row)) => {
            replica.read(ReadRow { row, want: Want::Value }).await
        }
        (answer, _) => answer,
    }
}

impl Depth {
    fn want(self) -> Want {
        match self {
            Self::Value => Want::Value,
            Self::Body { bytes_max } => Want::ValueAndBody { bytes_max },
        }
    }
}
