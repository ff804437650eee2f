//! `martlet status`: which devices answer, and whether that is enough.

use crate::join::{JoinError, Joined, Place, join};
use crate::process::{self, ProcessError};
use crate::reach::{answering, ask_all, without_majority};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
}

/// Why there is nothing to say, or nothing good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusError {
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{lost} of {partitions} partitions have no majority of their replicas")]
    NoMajority { lost: usize, partitions: usize },
}

/// Fails unless every partition has a majority.
pub(crate) fn run(options: &Options) -> Result<(), StatusError> {
    process::prepare()?.block_on(async {
        let joined = join(&options.place).await?;
        let outcome = report(&joined).await;
        joined.leave().await;
        outcome
    })
}

async fn report(joined: &Joined) -> Result<(), StatusError> {
    let ring = joined.store.ring();
    println!("Ring version {}, {} devices", ring.version(), ring.devices().len());
    let answers = ask_all(joined.replicas()).await;
    for device in ring.devices() {
        let what = match answers.iter().find(|(id, _)| *id == device.id) {
            Some((_, Ok(took))) => format!("answers in {:.1} ms", 1000.0 * took.as_secs_f64()),
            Some((_, Err(error))) => error.to_string(),
            None => "wasn't asked".to_owned(),
        };
        println!("{} on {} at {}: {what}", device.id, device.node, device.address);
    }
    match without_majority(&ring, &answering(&answers)) {
        0 => {
            println!("Every partition has a majority of its replicas.");
            Ok(())
        }
        lost => Err(StatusError::NoMajority { lost, partitions: ring.partition_count() }),
    }
}
