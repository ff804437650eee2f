//! Calls that are for the node itself.

use std::sync::Arc;

use martlet_protocol::ReplicaError;
use martlet_ring::Ring;

use crate::message::{Answer, Reply, Request};
use crate::ring::RingAuthority;

pub(super) async fn carry_out(rings: Option<&Arc<dyn RingAuthority>>, request: Request) -> Reply {
    let Some(rings) = rings else {
        return Err(ReplicaError::Invalid("the ring of this server isn't a cluster's"));
    };
    match request {
        Request::FetchRing => {
            let ring = rings.current().borrow().clone();
            Ok(Answer::RingFile(ring.to_bytes().into()))
        }
        Request::OfferRing(bytes) => match Ring::from_bytes(&bytes) {
            Ok(ring) => {
                rings.hear(ring);
                Ok(Answer::Done)
            }
            Err(_) => Err(ReplicaError::Invalid("a ring that is none")),
        },
        Request::OrderRing(order) => Ok(match rings.obey(order).await {
            Ok(report) => Answer::RingReport(report),
            Err(why) => Answer::RingRefused(why),
        }),
        _ => Err(ReplicaError::Invalid("a node was asked what is for a device")),
    }
}
