//! The ring of a process: which one it is, what takes its place, and, on a node, by which rings devices may be asked.
//!
//! ```text
//! heard of, newer, moves nothing ─────────────────────────────► taken
//! proposed by `ring push`, and nothing lies in what it moves ──► agreed to ──committed, or heard of──► taken
//!                                                                    └──withdrawn──► forgotten
//! ```
//!
//! A ring that moves partitions is taken by a node only after all nodes, of the old ring and of the new one,
//! have agreed to it. From its agreement on, a node keeps everybody from these partitions: so nothing can be written
//! to them by the old ring any more when the first node takes the new one, and there is nothing in them to be moved.
//! `docs/decisions/0007-changing-the-ring-of-a-running-cluster.md` has the argument.

mod emptiness;
mod judgement;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use martlet_link::{Addressee, Admission, RingAuthority, RingHolder, RingOrder, RingReport, Rows};
use martlet_protocol::ReplicaError;
use martlet_ring::Ring;
use tokio::sync::{oneshot, watch};

use crate::devices::Replicas;
use crate::files::{self, FileError};

pub(crate) use self::judgement::moved_partitions;
use self::judgement::{Standing, Verdict};

/// Changes that may wait for their turn. What is heard of beyond that will be heard of again.
const JOBS_MAX: usize = 16;

/// What a process does with rings.
#[derive(Debug)]
pub(crate) enum Role {
    /// Takes whatever is newer, and keeps it in mind alone.
    Guest,
    /// Takes whatever is newer, and keeps it in the file.
    Proxy { file: PathBuf },
    /// Takes what it may, and keeps it in the file.
    Node { file: PathBuf, devices: Replicas },
}

/// The ring of this process. Its file is written by a thread of its own.
#[derive(Debug)]
pub(crate) struct RingKeeper {
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
    /// Proposals take turns.
    orders: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Shared {
    role: Role,
    standing: RwLock<Standing>,
    current: watch::Sender<Arc<Ring>>,
}

/// A change, and who waits to hear that it has been made.
#[derive(Debug)]
enum Job {
    Heard(Ring),
    Agree(Arc<Ring>, Told),
    Commit(u64, Told),
    Withdraw(u64, Told),
}

type Told = oneshot::Sender<Result<(), String>>;

impl RingKeeper {
    /// The ring that the process was started with, and what it had agreed to when it stopped.
    pub(crate) fn start(ring: Arc<Ring>, role: Role) -> Result<Arc<Self>, FileError> {
        let mut standing = Standing::new(ring.clone());
        if let Role::Node { file, .. } = &role {
            match files::read_ring(&proposal_file(file)) {
                Ok(proposed) => standing.agree(Arc::new(proposed)),
                Err(error) if error.is_absent() => {}
                Err(error) => return Err(error),
            }
        }
        let (jobs, inbox) = sync_channel(JOBS_MAX);
        let shared =
            Arc::new(Shared { role, standing: RwLock::new(standing), current: watch::Sender::new(ring) });
        let worker = shared.clone();
        // It ends with the last handle, whose sender goes with it.
        std::thread::spawn(move || worker.work(&inbox));
        Ok(Arc::new(Self { shared, jobs, orders: tokio::sync::Mutex::default() }))
    }

    /// Has the thread do it, and waits for that.
    async fn have_done(&self, job: impl FnOnce(Told) -> Job) -> Result<(), String> {
        let (tell, told) = oneshot::channel();
        self.jobs.try_send(job(tell)).map_err(|_| "too many changes at once".to_owned())?;
        told.await.unwrap_or_else(|_| Err("the node is stopping".to_owned()))
    }

    async fn consider(&self, bytes: &[u8]) -> Result<(), String> {
        let _turn = self.orders.lock().await;
        let Role::Node { devices, .. } = &self.shared.role else {
            return Err("only nodes are asked whether they agree".to_owned());
        };
        let ring = Ring::from_bytes(bytes).map_err(|error| error.to_string())?;
        let is_new = match self.shared.standing().consider(&ring)? {
            Verdict::Taken => return Ok(()),
            Verdict::AgreedBefore => false,
            Verdict::New => true,
        };
        let ring = Arc::new(ring);
        self.have_done(|tell| Job::Agree(ring.clone(), tell)).await?;
        let (moved, rest) = self.shared.standing_mut().await_the_rest();
        let outcome = match rest.await {
            Ok(()) => emptiness::check(devices, &moved, ring.partition_bits()).await,
            Err(error) => Err(error),
        };
        // What an earlier push has brought about isn't undone by one that fails.
        if outcome.is_err() && is_new {
            self.have_done(|tell| Job::Withdraw(ring.version(), tell)).await?;
        }
        outcome
    }
}

impl RingHolder for RingKeeper {
    fn current(&self) -> watch::Receiver<Arc<Ring>> {
        self.shared.current.subscribe()
    }

    fn hear(&self, ring: Ring) {
        if self.shared.current.borrow().version() < ring.version() {
            // A thread that can't keep up hears of it again.
            let _ = self.jobs.try_send(Job::Heard(ring));
        }
    }
}

#[async_trait]
impl RingAuthority for RingKeeper {
    fn admit(&self, to: Addressee, rows: Rows) -> Result<Admission, ReplicaError> {
        self.shared.standing().admit(to, rows)
    }

    async fn obey(&self, order: RingOrder) -> Result<RingReport, String> {
        match order {
            RingOrder::Report => {}
            RingOrder::Propose(bytes) => self.consider(&bytes).await?,
            RingOrder::Commit(version) => self.have_done(|tell| Job::Commit(version, tell)).await?,
            RingOrder::Withdraw(version) => self.have_done(|tell| Job::Withdraw(version, tell)).await?,
        }
        Ok(self.shared.standing().report())
    }
}

impl Shared {
    fn work(&self, inbox: &Receiver<Job>) {
        while let Ok(job) = inbox.recv() {
            match job {
                Job::Heard(ring) => self.hear(ring),
                Job::Agree(ring, tell) => {
                    // Nobody may be waiting any more; so with the others.
                    let _ = tell.send(self.agree(&ring));
                }
                Job::Commit(version, tell) => {
                    let _ = tell.send(self.commit(version));
                }
                Job::Withdraw(version, tell) => {
                    let _ = tell.send(self.withdraw(version));
                }
            }
        }
    }

    fn hear(&self, ring: Ring) {
        // Several links tell of the same ring.
        if ring.version() <= self.standing().report().version {
            return;
        }
        let is_bound_by_data = matches!(self.role, Role::Node { .. });
        let may_take = self.standing().may_take(&ring, is_bound_by_data);
        match may_take {
            Ok(()) => {
                if let Err(error) = self.take(Arc::new(ring)) {
                    tracing::error!("{error}");
                }
            }
            Err(why) => {
                if self.standing_mut().is_first_refusal(ring.version()) {
                    tracing::warn!(version = ring.version(), "a newer ring isn't taken: {why}");
                }
            }
        }
    }

    /// The file first: after a restart the partitions must be kept as they are now.
    fn agree(&self, ring: &Arc<Ring>) -> Result<(), String> {
        if let Role::Node { file, .. } = &self.role {
            let file = proposal_file(file);
            files::write_ring(&file, ring).map_err(|error| crate::with_sources(&error))?;
        }
        self.standing_mut().agree(ring.clone());
        Ok(())
    }

    fn commit(&self, version: u64) -> Result<(), String> {
        let agreed = self.standing().agreed(version)?;
        agreed.map_or(Ok(()), |ring| self.take(ring))
    }

    fn withdraw(&self, version: u64) -> Result<(), String> {
        if self.standing().report().proposed != Some(version) {
            return Ok(());
        }
        self.forget_proposal()?;
        self.standing_mut().forget_proposal();
        Ok(())
    }

    /// The file first: what was announced is never taken back by a restart.
    fn take(&self, ring: Arc<Ring>) -> Result<(), String> {
        if let Role::Proxy { file } | Role::Node { file, .. } = &self.role {
            files::write_ring(file, &ring).map_err(|error| crate::with_sources(&error))?;
        }
        self.standing_mut().take(ring.clone());
        self.forget_proposal()?;
        tracing::info!(version = ring.version(), "a newer ring is taken");
        self.current.send_replace(ring);
        Ok(())
    }

    fn forget_proposal(&self) -> Result<(), String> {
        let Role::Node { file, .. } = &self.role else { return Ok(()) };
        let file = proposal_file(file);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("can't remove {}: {error}", file.display()))
            }
            _ => Ok(()),
        }
    }

    fn standing(&self) -> RwLockReadGuard<'_, Standing> {
        self.standing.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn standing_mut(&self) -> RwLockWriteGuard<'_, Standing> {
        self.standing.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What a node has agreed to, beside its ring.
fn proposal_file(ring: &Path) -> PathBuf {
    ring.with_extension("ring.proposed")
}
