//! The threads of a device.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use martlet_protocol::ReplicaError;

use super::{Admitted, BlobJob, Queues, ReaderJob, UpkeepJob};
use crate::disk::error::DiskError;
use crate::disk::health::Health;
use crate::disk::index;
use crate::disk::queue::Queue;
use crate::disk::reader::Reader;
use crate::disk::space;
use crate::disk::start::{self, OpenError, Started};
use crate::disk::writer::{
    Answer, GROUP_BYTES_MAX, GROUP_JOBS_MAX, Job, Reply, Work, Writer, report_checkpoint,
};
use crate::options::DeviceOptions;

/// Threads that answer reads, a device.
const READER_THREADS: usize = 2;

/// Threads that write blob files, a device.
const BLOB_THREADS: usize = 2;

/// Freed space that is given back at once.
const GIVE_BACK_MAX: usize = 256;

/// Stacks are small: jobs don't recurse.
const STACK_BYTES: usize = 512 * 1024;

/// The threads of a device, until they are joined.
#[derive(Debug)]
pub(crate) struct Threads {
    writer: JoinHandle<Writer>,
    others: Vec<JoinHandle<()>>,
}

/// Starts the threads of a device that has been opened.
pub(crate) fn start(
    started: Started,
    options: &DeviceOptions,
    queues: &Queues,
) -> Result<Threads, OpenError> {
    let name = |role: &str| format!("{}-{role}", options.identity.device.0);
    let mut others = Vec::new();
    for _ in 0..READER_THREADS {
        let (reader, queue) = (start::reader(&started, options)?, queues.readers.clone());
        others.push(spawn(name("read"), move || answer_reads(&reader, &queue))?);
    }
    for _ in 0..BLOB_THREADS {
        let queue = queues.blobs.clone();
        others.push(spawn(name("blob"), move || write_blobs(&queue))?);
    }
    let checkpoint_is_due = Arc::new(AtomicBool::new(false));
    let upkeep = Upkeep {
        reader: start::upkeep_reader(&started, options)?,
        health: started.health.clone(),
        queues: queues.clone(),
        checkpoint_is_due: checkpoint_is_due.clone(),
    };
    others.push(spawn(name("keep"), move || upkeep.work())?);
    let queues = queues.clone();
    let mut writer = started.writer;
    let log_pages_max = options.checkpoint_log_pages;
    let writer = spawn(name("write"), move || {
        write_groups(&mut writer, &queues, (log_pages_max, &checkpoint_is_due));
        writer
    })?;
    Ok(Threads { writer, others })
}

impl Threads {
    /// Waits until everything queued is carried out, and leaves the device in peace. The queues must be closed.
    pub(crate) fn finish(self) -> Result<(), DiskError> {
        for thread in self.others {
            // Jobs that panic are caught, so a thread can't end otherwise.
            let _ = thread.join();
        }
        match self.writer.join() {
            Ok(writer) => writer.finish(),
            Err(_) => Ok(()),
        }
    }
}

fn spawn<T: Send + 'static>(
    name: String,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, OpenError> {
    let spawned = thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(work);
    spawned.map_err(|source| OpenError::File { action: "start a thread", source })
}

fn answer_reads(reader: &Reader, queue: &Queue<ReaderJob>) {
    while let Some(job) = queue.pop() {
        let done = catch_unwind(AssertUnwindSafe(|| job(reader)));
        if done.is_err() {
            tracing::error!("a read has panicked");
            // It may have been within a transaction.
            if !reader.connection.is_autocommit() {
                let _ = reader.connection.execute_batch("ROLLBACK");
            }
        }
    }
}

fn write_blobs(queue: &Queue<BlobJob>) {
    while let Some(job) = queue.pop() {
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("writing a blob has panicked");
        }
    }
}

/// Works until the queue is closed; beyond so many pages of the log, a checkpoint is due.
fn write_groups(
    writer: &mut Writer,
    queues: &Queues,
    (log_pages_max, checkpoint_is_due): (u32, &AtomicBool),
) {
    loop {
        let (mut jobs_count, mut bytes) = (0, 0);
        let group = queues.writer.pop_group(|admitted: &Admitted| {
            let fits = jobs_count < GROUP_JOBS_MAX && bytes < GROUP_BYTES_MAX;
            jobs_count += 1;
            bytes += admitted.job.work.body_bytes();
            fits
        });
        if group.is_empty() {
            return;
        }
        let (jobs, rooms): (Vec<_>, Vec<_>) =
            group.into_iter().map(|admitted| (admitted.job, admitted.room)).unzip();
        if catch_unwind(AssertUnwindSafe(|| writer.carry_out(jobs))).is_err() {
            writer.has_panicked();
        }
        drop(rooms);
        if writer.log_pages() > log_pages_max && !checkpoint_is_due.swap(true, Ordering::Relaxed) {
            let _ = queues.upkeep.push(UpkeepJob::Checkpoint);
        }
    }
}

/// What isn't urgent, on a connection of its own.
struct Upkeep {
    reader: Reader,
    health: Arc<Health>,
    queues: Queues,
    /// One is queued or at work.
    checkpoint_is_due: Arc<AtomicBool>,
}

impl Upkeep {
    fn work(&self) {
        while let Some(job) = self.queues.upkeep.pop() {
            match job {
                UpkeepJob::Checkpoint => {
                    report_checkpoint(index::checkpoint(&self.reader.connection), &self.health);
                    self.checkpoint_is_due.store(false, Ordering::Relaxed);
                }
                UpkeepJob::GiveBack(answer) => self.give_back(answer),
            }
        }
    }

    /// Gives back what is noted, and has the notes removed.
    fn give_back(&self, answer: Answer) {
        let Reader { files, layout, segments, .. } = &self.reader;
        let given = self.health.check().and_then(|()| {
            let freed = self.reader.freed(GIVE_BACK_MAX).map_err(|error| error.of_read())?;
            space::give_back(files.as_ref(), layout, segments, &freed).map_err(|error| {
                self.health.fail(error.with_sources());
                ReplicaError::Failed(error.with_sources())
            })
        });
        match given {
            Ok(numbers) if numbers.is_empty() => answer.give(Ok(Reply::Done)),
            Ok(numbers) => {
                let job = Job::new(Work::GivenBack(numbers), answer);
                let _ = self.queues.writer.push(Admitted { job, room: None });
            }
            Err(error) => answer.give(Err(error)),
        }
    }
}
