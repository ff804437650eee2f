//! Blobs that come in and go out, block by block.

use futures_util::StreamExt as _;
use martlet_protocol::{Block, ReadBlob, Replica, ReplicaError};
use tokio::sync::{Semaphore, mpsc};

use super::session::{Session, tell};
use crate::frame::Kind;
use crate::limits::FRAME_BYTES_MAX;
use crate::message::{Addressee, Answer, Request, encode_block};
use crate::window::Window;

/// What the client sends of a blob.
#[derive(Debug)]
pub(super) enum Step {
    Block(Block),
    Finish,
}

/// Takes a blob in. Ended before its time, it abandons the blob.
pub(super) async fn stage(
    session: &Session,
    (id, to): (u64, Addressee),
    replica: &dyn Replica,
    upload: Request,
    steps: mpsc::Receiver<Step>,
) {
    let name = upload.name();
    let outcome = take_in(session, (id, to), replica, upload, steps).await;
    if let Some(outcome) = outcome {
        tell(to.device, name, outcome.as_ref().err());
        session.send(id, &outcome.map(|()| Answer::Done));
    }
    session.finish(id);
}

/// `None`: the client is gone.
async fn take_in(
    session: &Session,
    (id, to): (u64, Addressee),
    replica: &dyn Replica,
    upload: Request,
    mut steps: mpsc::Receiver<Step>,
) -> Option<Result<(), ReplicaError>> {
    let (hash, begun) = match upload {
        Request::Stage(blob) => (blob.hash, replica.stage(blob).await),
        Request::Restage(blob) => (blob.hash, replica.restage(blob).await),
        _ => return Some(Err(ReplicaError::Invalid("a call as a stream"))),
    };
    let mut writer = match begun {
        Ok(writer) => writer,
        Err(error) => return Some(Err(error)),
    };
    session.send(id, &Ok(Answer::Done));
    let mut window = Window::default();
    let mut give_credit = |taken| {
        if let Some(credit) = window.credit(taken) {
            let _ = session.outbox.push(Kind::Credit, id, credit);
        }
    };
    give_credit(0);
    loop {
        match steps.recv().await? {
            Step::Finish => {
                let _admission = match session.admit_end(to, hash) {
                    Ok(admission) => admission,
                    Err(refusal) => return Some(Err(refusal)),
                };
                return Some(writer.finish().await);
            }
            Step::Block(block) => {
                if let Err(error) = writer.write(block).await {
                    return Some(Err(error));
                }
                give_credit(1);
            }
        }
    }
}

/// Sends a blob out, as fast as the client takes it.
pub(super) async fn read(
    session: &Session,
    (id, to): (u64, Addressee),
    replica: &dyn Replica,
    request: ReadBlob,
    credit: &Semaphore,
) {
    let tell = |failure| tell(to.device, "read blob", failure);
    match replica.read_blob(request).await {
        Err(error) => {
            tell(Some(&error));
            session.send(id, &Err(error));
        }
        Ok(mut blocks) => {
            session.send(id, &Ok(Answer::Done));
            loop {
                // The end needs no credit, but waits for one: the client gives it with the last block.
                let Ok(one) = credit.acquire().await else { break };
                one.forget();
                let block = match blocks.next().await {
                    Some(Ok(block)) => encode_block(&block),
                    Some(Err(error)) => {
                        tell(Some(&error));
                        break session.send_after_blocks(id, &Err(error));
                    }
                    None => {
                        tell(None);
                        break session.send_after_blocks(id, &Ok(Answer::Done));
                    }
                };
                if block.len() > FRAME_BYTES_MAX {
                    let error = ReplicaError::Invalid("a block above the limit of the link");
                    break session.send_after_blocks(id, &Err(error));
                }
                let Ok(permit) = session.outbox.block_permit().await else { break };
                if session.outbox.push_block(id, block, permit).is_err() {
                    break;
                }
            }
        }
    }
    session.finish(id);
}
