//! Keeps the rings of both ends the same, as far as each is willing.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use martlet_protocol::ReplicaError;
use martlet_ring::Ring;
use tokio::sync::watch;

use super::Lanes;
use crate::message::{Answer, Request};
use crate::ring::{RingHolder, RingOrder, RingReport};

/// The version that the node has said it has; 0: nothing was heard yet.
pub(super) type NodeVersion = watch::Sender<u64>;

/// Until the link is gone. Goes to work whenever the node tells its version, and whenever the own one changes.
pub(super) async fn keep(lanes: Weak<Lanes>, holder: Arc<dyn RingHolder>, mut node: watch::Receiver<u64>) {
    let mut own = holder.current();
    loop {
        let theirs = *node.borrow_and_update();
        let ours = own.borrow_and_update().clone();
        if theirs != 0 {
            let Some(lanes) = lanes.upgrade() else { return };
            if let Err(error) = level(&lanes, &*holder, theirs, &ours).await {
                tracing::debug!(%error, "rings can't be exchanged");
            }
        }
        let changed = tokio::select! {
            changed = node.changed() => changed,
            changed = own.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn level(
    lanes: &Arc<Lanes>,
    holder: &dyn RingHolder,
    theirs: u64,
    ours: &Arc<Ring>,
) -> Result<(), ReplicaError> {
    if ours.version() < theirs {
        let Answer::RingFile(bytes) = lanes.ask_node(Request::FetchRing).await? else {
            return Err(super::other_answer());
        };
        match Ring::from_bytes(&bytes) {
            Ok(ring) => holder.hear(ring),
            Err(error) => tracing::warn!(%error, "a node has sent a ring that is none"),
        }
    } else if theirs < ours.version() {
        lanes.ask_node(Request::OfferRing(Bytes::from(ours.to_bytes()))).await?;
    }
    Ok(())
}

/// Has the node carry out an order about its ring. `Err` of the inner result: it won't, and why.
pub(super) async fn order(
    lanes: &Arc<Lanes>,
    order: RingOrder,
) -> Result<Result<RingReport, String>, ReplicaError> {
    match lanes.ask_node(Request::OrderRing(order)).await? {
        Answer::RingReport(report) => Ok(Ok(report)),
        Answer::RingRefused(why) => Ok(Err(why)),
        _ => Err(super::other_answer()),
    }
}
