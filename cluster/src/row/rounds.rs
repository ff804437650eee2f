//! The messages of a change.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use martlet_model::{Error, Result};
use martlet_protocol::{BlobRef, CarriedBody, Prepare, Promise, ReplicaError, RowState, RowValue, SealToken};
use martlet_register::{Asked, Ballot, Proposer, ReplicaSet, Reply, Step};
use martlet_ring::DeviceId;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::accept::Proposal;
use super::change::Seen;
use super::turn::Turn;
use super::{Access, Guard, Replicas};
use crate::cluster::Shared;
use crate::device::{Answered, Device};
use crate::random::bytes;

/// The first wait after a round that others disturbed; it doubles with every round, and a random part of it is taken.
const BACKOFF_MIN: Duration = Duration::from_millis(2);
const BACKOFF_DOUBLINGS_MAX: u32 = 7;

/// Whoever looks for what makes requests slow is told of a change that takes longer.
const SLOW: Duration = Duration::from_millis(500);

/// After so many rounds in which too few answered, nobody is waited for any more.
const SILENT_ROUNDS_MAX: u32 = 2;

/// The messages of a change.
pub(super) struct Rounds<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) access: &'a Access,
    body: Option<CarriedBody>,
    /// Held while this change is the only one of this proxy on its row.
    turn: Option<Turn>,
    replicas: Replicas,
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Who hasn't been asked to promise in this round.
    unasked: ReplicaSet,
    /// Who has answered to that.
    answered: ReplicaSet,
    /// What those who promised in this round have accepted.
    promised: Vec<Option<Ballot>>,
    accepts_pending: usize,
    /// What is to be accepted is known to be chosen already.
    pub(super) passes_seals: bool,
    trouble: Trouble,
    /// How many rounds ended because replicas were silent.
    timeouts: u32,
    round: u32,
    round_started: Instant,
    began: Instant,
    /// How long others had their turn.
    waited: Duration,
    pub(super) deadline: Instant,
}

/// Answers that a further round would only repeat.
#[derive(Default)]
struct Trouble {
    sealed: ReplicaSet,
    full: ReplicaSet,
    /// An accept was answered, or failed, so that it may have been stored.
    maybe_stored: ReplicaSet,
}

#[expect(
    clippy::large_enum_variant,
    reason = "it is moved once, and boxing would cost every change an allocation"
)]
enum Answer {
    Promise { from: usize, ballot: Ballot, outcome: Answered<Promise> },
    Accept { from: usize, ballot: Ballot, outcome: Answered<()> },
}

impl<'a> Rounds<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, access: &'a Access, body: Option<CarriedBody>) -> Self {
        let now = Instant::now();
        Self {
            shared,
            access,
            body,
            turn: None,
            replicas: Replicas::of(shared, &access.row),
            calls: FuturesUnordered::new(),
            unasked: ReplicaSet::EMPTY,
            answered: ReplicaSet::EMPTY,
            promised: Vec::new(),
            accepts_pending: 0,
            passes_seals: false,
            trouble: Trouble::default(),
            timeouts: 0,
            round: 0,
            round_started: now,
            began: now,
            waited: Duration::ZERO,
            deadline: now + shared.options.change_deadline,
        }
    }

    /// Changes of one proxy on one row would only disturb each other.
    pub(super) async fn take_turn(&mut self) -> Result<()> {
        let waiting = self.shared.turns.take(&self.access.row.row);
        let Ok(turn) = timeout_at(self.deadline, waiting).await else {
            tracing::debug!(row = ?self.access.row.row, "a change never had its turn");
            return Err(Error::Unavailable("too many changes of one row at once"));
        };
        self.turn = Some(turn);
        self.waited = self.began.elapsed();
        Ok(())
    }

    /// Asks a majority; the others only if one of these is slow or fails. That saves a third of the work.
    pub(super) fn prepare(&mut self, ballot: Ballot) {
        self.round += 1;
        self.round_started = Instant::now();
        self.unasked = self.shared.quorum().replicas();
        self.answered = ReplicaSet::EMPTY;
        self.promised.clear();
        for _ in 0..self.shared.majority() {
            self.ask_another(ballot);
        }
    }

    fn ask_another(&mut self, ballot: Ballot) -> bool {
        let next = self.replicas.order.iter().copied().find(|&index| self.unasked.contains(index));
        let Some(index) = next else { return false };
        self.unasked = self.unasked.without(ReplicaSet::EMPTY.with(index));
        let replica = self.replicas.devices[index].replica.clone();
        let request = Prepare { row: self.access.row.clone(), ballot };
        self.calls.push(Box::pin(async move {
            let outcome = replica.prepare(request).await;
            Answer::Promise { from: index, ballot, outcome }
        }));
        true
    }

    pub(super) fn accept(&mut self, ballot: Ballot, state: RowState, garbage: Vec<BlobRef>) {
        self.round_started = Instant::now();
        self.unasked = ReplicaSet::EMPTY;
        self.trouble = Trouble { maybe_stored: self.trouble.maybe_stored, ..Trouble::default() };
        let is_own = |body: &&CarriedBody| state.value.blobs().iter().any(|blob| blob.id == body.blob.id);
        let proposal = Arc::new(Proposal {
            row: self.access.row.clone(),
            ballot,
            body: self.body.as_ref().filter(is_own).cloned(),
            state,
            garbage,
            seal: if self.passes_seals { Some(SealToken::CHOSEN) } else { self.access.seal },
        });
        for &index in &self.replicas.order {
            let call = proposal.clone().send(self.shared.clone(), self.replicas.devices.clone(), index);
            self.accepts_pending += 1;
            self.calls.push(Box::pin(async move {
                let outcome = call.await;
                Answer::Accept { from: index, ballot, outcome }
            }));
        }
    }

    /// Awaits the next answer that makes a difference.
    pub(super) async fn wait(&mut self, proposer: &mut Proposer<RowValue>) -> Step<RowValue> {
        let options = &self.shared.options;
        loop {
            let hedge_at = self.round_started + options.hedge_delay;
            let until = (self.round_started + options.answer_deadline).min(self.deadline);
            tokio::select! {
                biased;
                Some(answer) = self.calls.next() => {
                    let step = self.take(proposer, answer);
                    if !matches!(step, Step::Wait) {
                        return step;
                    }
                }
                () = sleep_until(hedge_at), if !self.unasked.is_empty() => {
                    self.note_lateness();
                    while self.ask_another(proposer.ballot()) {}
                }
                () = sleep_until(until) => {
                    self.timeouts += 1;
                    return if self.deadline <= until || SILENT_ROUNDS_MAX <= self.timeouts {
                        Step::Done(proposer.give_up())
                    } else {
                        proposer.on_timeout()
                    };
                }
            }
        }
    }

    fn take(&mut self, proposer: &mut Proposer<RowValue>, answer: Answer) -> Step<RowValue> {
        match answer {
            Answer::Promise { from, ballot, outcome } => {
                self.replicas.devices[from].note(&outcome);
                if let (Ok(promise), true) = (&outcome, ballot == proposer.ballot()) {
                    self.promised.push(promise.accepted.as_ref().map(|accepted| accepted.ballot));
                }
                let reply = match outcome {
                    Ok(Promise { accepted, forgotten }) => Reply::Promised { accepted, forgotten },
                    Err(ReplicaError::Refused { seen }) => Reply::Refused { seen },
                    Err(_) => Reply::Failed,
                };
                if ballot == proposer.ballot() {
                    self.answered = self.answered.with(from);
                }
                let is_helpful = matches!(reply, Reply::Promised { .. });
                let step = proposer.on_reply(from, Asked::Prepare(ballot), reply);
                if !is_helpful && matches!(step, Step::Wait) && ballot == proposer.ballot() {
                    self.ask_another(ballot);
                }
                step
            }
            Answer::Accept { from, ballot, outcome } => {
                self.accepts_pending -= 1;
                self.replicas.devices[from].note(&outcome);
                learn(self.shared, &outcome);
                if ballot == proposer.ballot() {
                    self.trouble.note(from, &outcome);
                } else {
                    self.trouble.note_storing(from, &outcome);
                }
                let reply = match outcome {
                    Ok(()) => Reply::Accepted,
                    Err(ReplicaError::Refused { seen }) => Reply::Refused { seen },
                    Err(_) => Reply::Failed,
                };
                proposer.on_reply(from, Asked::Accept(ballot), reply)
            }
        }
    }

    fn note_lateness(&self) {
        let silent = self.shared.quorum().replicas().without(self.unasked.and(self.answered));
        silent.iter().for_each(|index| self.replicas.devices[index].note_lateness());
    }

    /// A request that got lost is worth another one, once.
    pub(super) fn may_ask_again(&mut self) -> bool {
        self.timeouts == 1 && self.round == 1 && Instant::now() < self.deadline
    }

    pub(super) fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// What this round has found.
    pub(super) fn seen<'s>(&self, ballot: Ballot, predecessor: Option<&'s RowState>) -> Seen<'s> {
        let highest = self.promised.iter().flatten().max().copied();
        let holders = self.promised.iter().filter(|accepted| **accepted == highest).count();
        let is_chosen = self.shared.majority() <= holders;
        Seen { ballot, predecessor, accepted: highest.unwrap_or(Ballot::ZERO), is_chosen }
    }

    /// These devices are asked before the others.
    pub(super) fn ask_first(&mut self, first: &[DeviceId]) {
        let Replicas { devices, order } = &mut self.replicas;
        order.sort_by_key(|&index| !first.contains(&devices[index].id));
    }

    /// Finds out why a table is sealed, if a replica said so.
    pub(super) async fn heed_seal(&mut self) -> Result<()> {
        if self.trouble.sealed.is_empty() {
            return Ok(());
        }
        // To find out, this very row may have to be settled.
        self.turn = None;
        self.access.guard.look_again(self.shared).await
    }

    /// Another round is needed: waits a little, unless it would only repeat what made it necessary.
    pub(super) async fn before_retry(&mut self) -> Result<()> {
        let quorum = self.shared.quorum();
        self.heed_seal().await?;
        if !quorum.survives(self.trouble.full) {
            self.hear_the_rest().await;
            let is_certain = self.accepts_pending == 0 && self.trouble.maybe_stored.is_empty();
            return Err(if is_certain { Error::OutOfSpace } else { Error::OutcomeUnknown });
        }
        let doublings = (self.round - 1).min(BACKOFF_DOUBLINGS_MAX);
        let most = u64::try_from((BACKOFF_MIN * (1 << doublings)).as_micros()).unwrap_or(u64::MAX);
        let random = u64::from_le_bytes(bytes(&*self.shared.random));
        sleep(Duration::from_micros(random % most)).await;
        Ok(())
    }

    /// Gives the accepts that are still under way a moment to be answered.
    async fn hear_the_rest(&mut self) {
        let until = Instant::now() + self.shared.options.hedge_delay;
        while self.accepts_pending > 0 {
            tokio::select! {
                answer = self.calls.next() => {
                    let Some(answer) = answer else { return };
                    if let Answer::Accept { from, outcome, .. } = answer {
                        self.accepts_pending -= 1;
                        self.trouble.note(from, &outcome);
                    }
                }
                () = sleep_until(until) => return,
            }
        }
    }

    /// Says what a change that was slow has waited for.
    pub(super) fn tell_if_slow(&self) {
        let took = self.began.elapsed();
        if SLOW <= took {
            let (row, waited, rounds, silences) =
                (&self.access.row.row, self.waited, self.round, self.timeouts);
            tracing::debug!(?row, ?took, ?waited, rounds, silences, "a change was slow");
        }
    }

    /// The answer is known. Replicas that have not accepted yet go on to do so, that they don't fall behind;
    /// and where one still has a seal that was lifted elsewhere, that is looked into.
    pub(super) fn leave_the_slow_behind(&mut self) {
        // Nearly always somebody has answered meanwhile, or only now gets to see the request.
        while let Some(Some(answer)) = self.calls.next().now_or_never() {
            if let Answer::Accept { from, outcome, .. } = answer {
                self.accepts_pending -= 1;
                self.replicas.devices[from].note(&outcome);
                learn(self.shared, &outcome);
                self.trouble.note(from, &outcome);
            }
        }
        let was_sealed = !self.trouble.sealed.is_empty();
        if self.accepts_pending == 0 && !was_sealed {
            return;
        }
        let Ok(permit) = self.shared.laggards.clone().try_acquire_owned() else { return };
        let calls = std::mem::take(&mut self.calls);
        let (shared, devices) = (self.shared.clone(), self.replicas.devices.clone());
        let guard = self.access.guard.clone();
        self.shared.background.spawn(async move {
            let is_sealed = follow(&shared, calls, &devices).await || was_sealed;
            if is_sealed && !matches!(guard, Guard::None) {
                drop(guard.look_again(&shared).await);
            }
            drop(permit);
        });
    }
}

/// Hears the answers that nobody waits for, and says whether a replica's table was sealed.
async fn follow(
    shared: &Shared,
    mut calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    devices: &[Arc<Device>],
) -> bool {
    let mut is_sealed = false;
    let answers = async {
        while let Some(answer) = calls.next().await {
            if let Answer::Accept { from, outcome, .. } = answer {
                devices[from].note(&outcome);
                learn(shared, &outcome);
                is_sealed |= outcome == Err(ReplicaError::Sealed);
            }
        }
    };
    // Who is slower than this is brought up to date by repair.
    drop(timeout(shared.options.copy_deadline, answers).await);
    is_sealed
}

/// Later ballots are above what one replica refused with, even if a majority had no objections:
/// else a replica whose floor is ahead of this proxy's clock would miss one write after the other.
fn learn(shared: &Shared, outcome: &Answered<()>) {
    if let Err(ReplicaError::Refused { seen }) = outcome {
        shared.next_ballot(*seen);
    }
}

impl Trouble {
    fn note(&mut self, from: usize, outcome: &Answered<()>) {
        match outcome {
            Err(ReplicaError::Sealed) => self.sealed = self.sealed.with(from),
            Err(ReplicaError::Full) => self.full = self.full.with(from),
            _ => self.note_storing(from, outcome),
        }
    }

    /// Also of an earlier round: what was stored then may still be taken up.
    fn note_storing(&mut self, from: usize, outcome: &Answered<()>) {
        match outcome {
            Err(
                ReplicaError::Sealed
                | ReplicaError::Full
                | ReplicaError::Refused { .. }
                | ReplicaError::MissingBlobs(_),
            ) => {}
            Ok(()) | Err(_) => self.maybe_stored = self.maybe_stored.with(from),
        }
    }
}
