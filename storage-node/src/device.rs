//! One disk directory.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use martlet_protocol::ReplicaError;
use tokio::sync::oneshot;

use crate::disk::start::{self, OpenError};
use crate::disk::writer::Answer;
use crate::door::{self, Door, Queues, Threads, UpkeepJob};
use crate::figures::{DeviceFigures, DeviceState};
use crate::options::DeviceOptions;

/// One disk directory, opened. Cheap to clone; the last clone's end lets the threads finish what is queued.
#[derive(Clone)]
pub struct Device {
    pub(crate) door: Arc<Door>,
    threads: Arc<Mutex<Option<Threads>>>,
}

impl Device {
    /// Makes a device in a directory that holds none, and opens it.
    pub fn create(path: &Path, options: DeviceOptions) -> Result<Self, OpenError> {
        start::create(path, &options)?;
        Self::open(path, options)
    }

    /// Opens the device in a directory, after whatever has happened to it.
    pub fn open(path: &Path, options: DeviceOptions) -> Result<Self, OpenError> {
        let started = start::open(path, &options)?;
        let queues = Queues::new();
        let door = Arc::new(Door::new(options, &started, queues.clone()));
        let threads = door::start(started, &door.options, &queues)?;
        // What the last session has freed and not given back.
        let _ = queues.upkeep.push(UpkeepJob::GiveBack(Answer::unheard()));
        Ok(Self { door, threads: Arc::new(Mutex::new(Some(threads))) })
    }

    /// What it has done since it was opened.
    pub fn figures(&self) -> &Arc<DeviceFigures> {
        &self.door.figures
    }

    /// How it stands at the moment.
    pub async fn state(&self) -> Result<DeviceState, ReplicaError> {
        self.door.state().await
    }

    /// Carries out what is queued, refuses what comes later, and leaves the directory so that the next start is quick.
    pub async fn close(&self) -> Result<(), ReplicaError> {
        self.door.queues.close();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(threads) = threads else { return Ok(()) };
        let (tell, told) = oneshot::channel();
        let health = self.door.health.clone();
        let finish = move || {
            let finished = threads.finish().map_err(|error| {
                health.fail(error.with_sources());
                ReplicaError::Failed(error.with_sources())
            });
            let _ = tell.send(finished);
        };
        let spawned = thread::Builder::new().name("close".to_owned()).spawn(finish);
        spawned.map_err(|error| ReplicaError::Failed(error.to_string()))?;
        told.await.unwrap_or_else(|_| self.door.health.check())
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("identity", &self.door.options.identity)
            .field("path", &self.door.layout.root())
            .finish_non_exhaustive()
    }
}
