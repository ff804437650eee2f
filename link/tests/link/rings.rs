//! Rings pass from one end of a link to the other, and requests say by which they were made.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use martlet_link::{
    Addressee, Admission, NodeLink, RingAuthority, RingHolder, RingOrder, RingReport, Rows, serve_node,
};
use martlet_protocol::{BlobId, BlobOwner, Block, NewBlob, Prepare, ReplicaError};
use martlet_ring::{Device, DeviceId, NodeId, Ring, ZoneId, build, edit};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::harness::{DEVICE, PATIENCE, ballot, devices, eventually, identity, memory, row};

/// Takes every ring that it hears of, and admits what was made by the one that it has.
#[derive(Debug)]
struct Holder {
    ring: watch::Sender<Arc<Ring>>,
    asked: Mutex<Vec<(u64, Rows)>>,
    in_flight: mpsc::Sender<Infallible>,
}

impl Holder {
    fn of(ring: &Ring) -> (Arc<Self>, mpsc::Receiver<Infallible>) {
        let (in_flight, gone) = mpsc::channel(1);
        let ring = watch::Sender::new(Arc::new(ring.clone()));
        (Arc::new(Self { ring, asked: Mutex::default(), in_flight }), gone)
    }

    fn version(&self) -> u64 {
        self.ring.borrow().version()
    }
}

impl RingHolder for Holder {
    fn current(&self) -> watch::Receiver<Arc<Ring>> {
        self.ring.subscribe()
    }

    fn hear(&self, ring: Ring) {
        self.ring.send_if_modified(|own| {
            let is_newer = own.version() < ring.version();
            if is_newer {
                *own = Arc::new(ring);
            }
            is_newer
        });
    }
}

#[async_trait]
impl RingAuthority for Holder {
    fn admit(&self, Addressee { ring: by, .. }: Addressee, rows: Rows) -> Result<Admission, ReplicaError> {
        self.asked.lock().unwrap().push((by, rows));
        let version = self.version();
        if by == version {
            Ok(Admission::counted(self.in_flight.clone()))
        } else {
            Err(ReplicaError::OtherRing { version })
        }
    }

    async fn obey(&self, order: RingOrder) -> Result<RingReport, String> {
        match order {
            RingOrder::Report => Ok(RingReport { version: self.version(), proposed: None }),
            order => Err(format!("not {order:?}")),
        }
    }
}

#[tokio::test]
async fn a_newer_ring_passes_from_the_node_to_its_client() {
    let rings = versions();
    let (node, _) = Holder::of(&rings[1]);
    let (client, _) = Holder::of(&rings[0]);
    let _link = link(&serve(&node).await, &client);
    eventually(|| client.version() == 2).await;
    assert_eq!(**client.ring.borrow(), rings[1]);
    // And again, whenever the node gets another one.
    node.hear(rings[2].clone());
    eventually(|| client.version() == 3).await;
}

#[tokio::test]
async fn a_newer_ring_passes_from_the_client_to_the_node() {
    let rings = versions();
    let (node, _) = Holder::of(&rings[0]);
    let (client, _) = Holder::of(&rings[1]);
    let _link = link(&serve(&node).await, &client);
    eventually(|| node.version() == 2).await;
    client.hear(rings[2].clone());
    eventually(|| node.version() == 3).await;
    assert_eq!(**node.ring.borrow(), rings[2]);
}

#[tokio::test]
async fn a_request_says_by_which_ring_it_was_made() {
    let rings = versions();
    let (node, _) = Holder::of(&rings[1]);
    let link = NodeLink::open(&serve(&node).await, &identity());
    let prepare = || Prepare { row: row("key"), ballot: ballot(1) };
    let refused = link.replica_by(1, DEVICE).prepare(prepare()).await;
    assert_eq!(refused, Err(ReplicaError::OtherRing { version: 2 }));
    link.replica_by(2, DEVICE).prepare(prepare()).await.unwrap();
    let of_row = Rows::Of(row("key").hash);
    assert_eq!(*node.asked.lock().unwrap(), [(1, of_row), (2, of_row)]);
    // What a device holds by itself doesn't depend on the ring.
    link.replica_by(1, DEVICE).tombstones(1).await.unwrap();
    link.replica_by(1, DEVICE).counters(Vec::new()).await.unwrap_err();
}

#[tokio::test]
async fn a_blob_that_ends_after_its_ring_is_refused_and_not_stored() {
    let rings = versions();
    let (node, _) = Holder::of(&rings[0]);
    let link = NodeLink::open(&serve(&node).await, &identity());
    let replica = link.replica_by(1, DEVICE);
    let blob = |number| NewBlob {
        id: BlobId([number; 16]),
        hash: row("key").hash,
        owner: BlobOwner::Row(row("key")),
    };
    let mut writers = Vec::new();
    for number in [1, 2] {
        let mut writer = replica.stage(blob(number)).await.unwrap();
        writer.write(Block::new(Bytes::from_static(b"bytes"))).await.unwrap();
        writers.push(writer);
    }
    writers.remove(0).finish().await.unwrap();
    node.hear(rings[1].clone());
    assert_eq!(writers.remove(0).finish().await, Err(ReplicaError::OtherRing { version: 2 }));
    let held = replica.held(None, 10).await.unwrap();
    assert_eq!(held.iter().map(|held| held.blob.id).collect::<Vec<_>>(), [BlobId([1; 16])]);
}

#[tokio::test]
async fn what_was_admitted_is_in_flight_until_it_is_answered() {
    let rings = versions();
    let (node, mut gone) = Holder::of(&rings[0]);
    let address = serve(&node).await;
    let link = NodeLink::open(&address, &identity());
    let prepare = Prepare { row: row("key"), ballot: ballot(1) };
    link.replica_by(1, DEVICE).prepare(prepare).await.unwrap();
    assert_eq!(Arc::strong_count(&node), 2, "the node's server has it");
    link.close();
    // The holder's own sender is the only one left.
    assert_eq!(node.in_flight.strong_count(), 1);
    assert!(gone.try_recv().is_err());
}

#[tokio::test]
async fn a_node_answers_orders_about_its_ring() {
    let rings = versions();
    let (node, _) = Holder::of(&rings[0]);
    let link = NodeLink::open(&serve(&node).await, &identity());
    let report = link.order(RingOrder::Report).await.unwrap();
    assert_eq!(report, Ok(RingReport { version: 1, proposed: None }));
    let refused = link.order(RingOrder::Commit(9)).await.unwrap();
    assert_eq!(refused, Err("not Commit(9)".to_owned()));
}

#[tokio::test]
async fn a_closed_link_answers_nothing_and_does_not_come_back() {
    let rings = versions();
    let (node, _) = Holder::of(&rings[0]);
    let link = NodeLink::open(&serve(&node).await, &identity());
    let replica = link.replica_by(1, DEVICE);
    replica.counters(Vec::new()).await.unwrap();
    link.close();
    let after = async {
        while replica.counters(Vec::new()).await.is_ok() {
            tokio::task::yield_now().await;
        }
        replica.counters(Vec::new()).await
    };
    let outcome = timeout(PATIENCE, after).await.unwrap();
    assert!(matches!(outcome, Err(ReplicaError::Unreachable(_))), "{outcome:?}");
}

async fn serve(holder: &Arc<Holder>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let node =
        martlet_link::Node { devices: devices(&memory()), identity: identity(), rings: Some(holder.clone()) };
    tokio::spawn(serve_node(listener, node, std::future::pending()));
    address
}

fn link(address: &str, holder: &Arc<Holder>) -> NodeLink {
    NodeLink::open_with_ring(address, &identity(), holder.clone())
}

/// Three versions of a ring; nothing moves between them.
fn versions() -> [Ring; 3] {
    let device = |id: u32| Device {
        id: DeviceId(id),
        node: NodeId(id),
        zone: ZoneId(id),
        weight: 1,
        address: String::new(),
    };
    let devices: Vec<_> = (1..=3).map(device).collect();
    let first = build(4, 3, devices.clone()).unwrap();
    let (second, _) = edit(&first, devices.clone()).unwrap();
    let (third, _) = edit(&second, devices).unwrap();
    [first, second, third]
}
