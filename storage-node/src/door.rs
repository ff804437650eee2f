//! Where async code meets a device's threads.
//!
//! Each kind of thread has one queue, and each queue a limit: whoever asks waits for a permit, asynchronously,
//! and the permit is given back when the work is done.

mod blob_stream;
mod blob_writer;
mod inspect;
mod memory;
mod replica;
mod threads;

use std::sync::Arc;

use martlet_protocol::{BlobId, ReplicaError};
use martlet_register::Ballot;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::clock::Clocks;
use crate::disk::error::DiskError;
use crate::disk::files::Files;
use crate::disk::health::Health;
use crate::disk::layout::Layout;
use crate::disk::queue::Queue;
use crate::disk::reader::Reader;
use crate::disk::registers::Registers;
use crate::disk::writer::{Answer, Job, Reply, Work};
use crate::figures::{DeviceFigures, DeviceState};
use crate::options::DeviceOptions;

pub(crate) use threads::{Threads, start};

/// Memory that jobs waiting for the writer may hold, in units of 4 KiB. A job takes one, and more with its body.
const WRITER_ROOM: u32 = 4096;
const WRITER_ROOM_UNIT_BYTES: usize = 4096;

/// Reads that wait for a thread.
const READER_ROOM: usize = 1024;

/// Pieces of large blobs that wait for a thread; each is about 1 MiB.
const BLOB_ROOM: usize = 16;

/// Work for the threads that write blob files. They need nothing but what comes along.
pub(crate) type BlobJob = Box<dyn FnOnce() + Send>;
pub(crate) type ReaderJob = Box<dyn FnOnce(&Reader) + Send>;

/// Work for the upkeep thread.
#[derive(Debug)]
pub(crate) enum UpkeepJob {
    /// Copies the index's log into the index.
    Checkpoint,
    /// Gives back what is noted as freed, and tells whoever waits.
    GiveBack(Answer),
}

/// A job for the writer, and the room that it takes.
#[derive(Debug)]
pub(crate) struct Admitted {
    job: Job,
    room: Option<OwnedSemaphorePermit>,
}

/// What the clients of a device share.
pub(crate) struct Door {
    pub(crate) options: DeviceOptions,
    pub(crate) layout: Layout,
    pub(crate) registers: Arc<Registers>,
    pub(crate) health: Arc<Health>,
    pub(crate) clocks: Clocks,
    pub(crate) figures: Arc<DeviceFigures>,
    pub(crate) queues: Queues,
    writer_room: Arc<Semaphore>,
    reader_room: Arc<Semaphore>,
    blob_room: Arc<Semaphore>,
}

#[derive(Clone)]
pub(crate) struct Queues {
    pub(crate) writer: Arc<Queue<Admitted>>,
    pub(crate) readers: Arc<Queue<ReaderJob>>,
    pub(crate) blobs: Arc<Queue<BlobJob>>,
    pub(crate) upkeep: Arc<Queue<UpkeepJob>>,
}

type Told = oneshot::Receiver<Result<Reply, ReplicaError>>;

impl Door {
    pub(crate) fn new(options: DeviceOptions, started: &crate::disk::start::Started, queues: Queues) -> Self {
        Self {
            options,
            layout: started.layout.clone(),
            registers: started.registers.clone(),
            health: started.health.clone(),
            clocks: started.clocks.clone(),
            figures: started.figures.clone(),
            queues,
            writer_room: Arc::new(Semaphore::new(WRITER_ROOM as usize)),
            reader_room: Arc::new(Semaphore::new(READER_ROOM)),
            blob_room: Arc::new(Semaphore::new(BLOB_ROOM)),
        }
    }

    pub(crate) fn files(&self) -> &Arc<dyn Files> {
        &self.options.files
    }

    /// Asks the writer, in its turn.
    async fn write(&self, work: Work) -> Result<Reply, ReplicaError> {
        self.health.check()?;
        let room = self.writer_room(&work).await?;
        let (answer, told) = answer();
        let job = Admitted { job: Job::new(work, answer), room: Some(room) };
        self.queues.writer.push(job).map_err(|_| closed())?;
        self.hear(told).await
    }

    async fn hear(&self, told: Told) -> Result<Reply, ReplicaError> {
        // No answer at all: the thread died with the job, or the device was closed.
        told.await.unwrap_or_else(|_| Err(self.health.check().err().unwrap_or_else(closed)))
    }

    async fn writer_room(&self, work: &Work) -> Result<OwnedSemaphorePermit, ReplicaError> {
        let units = 1 + work.body_bytes() / WRITER_ROOM_UNIT_BYTES;
        let units = u32::try_from(units).unwrap_or(WRITER_ROOM).min(WRITER_ROOM);
        self.writer_room.clone().acquire_many_owned(units).await.map_err(|_| closed())
    }

    /// How the device stands. The disk is asked, which takes as long as a read.
    pub(crate) async fn state(&self) -> Result<DeviceState, ReplicaError> {
        let ask = |reader: &Reader| Ok((reader.free_bytes()?, reader.garbage_count()?));
        let (free_bytes, garbage_blobs) = self.read(ask).await?;
        Ok(DeviceState {
            has_failed: self.health.has_failed(),
            writes_queued: self.queues.writer.len(),
            reads_queued: self.queues.readers.len(),
            blob_writes_queued: self.queues.blobs.len(),
            free_bytes,
            garbage_blobs,
        })
    }

    /// Runs `work` on a reader thread.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, ReplicaError> {
        self.begin_read(work).await?.await.map_err(|_| closed())?
    }

    /// The same, without waiting for the end.
    async fn begin_read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, DiskError> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, ReplicaError>>, ReplicaError> {
        let room = self.reader_room.clone().acquire_owned().await.map_err(|_| closed())?;
        let (tell, told) = oneshot::channel();
        let request = martlet_request::current();
        let job: ReaderJob = Box::new(move |reader| {
            let _entered = martlet_request::enter(request);
            // Nobody listens any more if the client has gone.
            let _ = tell.send(work(reader).map_err(|error| error.of_read()));
            drop(room);
        });
        self.queues.readers.push(job).map_err(|_| closed())?;
        Ok(told)
    }

    /// Runs `work` on a thread that writes blob files. What goes wrong there concerns the whole device,
    /// unless it is only full.
    async fn write_blob<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, ReplicaError> {
        self.begin_write_blob(work).await?.await.map_err(|_| closed())?
    }

    /// The same, without waiting for the end.
    async fn begin_write_blob<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, ReplicaError>>, ReplicaError> {
        self.health.check()?;
        let room = self.blob_room.clone().acquire_owned().await.map_err(|_| closed())?;
        let (tell, told) = oneshot::channel();
        let health = self.health.clone();
        let request = martlet_request::current();
        let job: BlobJob = Box::new(move || {
            let _entered = martlet_request::enter(request);
            let outcome = health.check().and_then(|()| work().map_err(|error| of_write(&error, &health)));
            let _ = tell.send(outcome);
            drop(room);
        });
        self.queues.blobs.push(job).map_err(|_| closed())?;
        Ok(told)
    }

    /// Asks for the next promise bound ahead of need. If there is no room, a later prepare will ask.
    fn request_bound(&self, ballot: Ballot) {
        if let Ok(room) = self.writer_room.clone().try_acquire_owned() {
            let job = Job::new(Work::RaiseBound(ballot), Answer::unheard());
            let _ = self.queues.writer.push(Admitted { job, room: Some(room) });
        }
    }

    /// Gives back what is noted as freed, in its time.
    fn give_back(&self) {
        let _ = self.queues.upkeep.push(UpkeepJob::GiveBack(Answer::unheard()));
    }

    /// Undoes the publication of a blob file that didn't get its row, and then does `after`.
    ///
    /// What can't be undone now, on a full or failed device, is left to the next start: `after` doesn't happen.
    fn withdraw(&self, id: BlobId, after: impl FnOnce() + Send + 'static) {
        let answer = Answer::new(move |outcome| outcome.map_or((), |_| after()));
        let job = Job::new(Work::WithdrawFile(id), answer);
        // Takes no room: it frees what an upload has taken.
        let _ = self.queues.writer.push(Admitted { job, room: None });
    }
}

impl Queues {
    pub(crate) fn new() -> Self {
        Self {
            writer: Arc::default(),
            readers: Arc::default(),
            blobs: Arc::default(),
            upkeep: Arc::default(),
        }
    }

    /// What is queued is still carried out.
    pub(crate) fn close(&self) {
        self.writer.close();
        self.readers.close();
        self.blobs.close();
        self.upkeep.close();
    }
}

/// Whatever a client still has queued is carried out; then the threads end.
impl Drop for Door {
    fn drop(&mut self) {
        self.queues.close();
    }
}

fn answer() -> (Answer, Told) {
    let (tell, told) = oneshot::channel();
    let answer = Answer::new(move |reply| {
        let _ = tell.send(reply);
    });
    (answer, told)
}

fn closed() -> ReplicaError {
    ReplicaError::Unreachable("the device is closed".to_owned())
}

/// A write that failed fails the device, unless there just was no room for it.
fn of_write(error: &DiskError, health: &Health) -> ReplicaError {
    if error.is_full() {
        return ReplicaError::Full;
    }
    health.fail(error.with_sources());
    health.check().err().unwrap_or(ReplicaError::Full)
}
