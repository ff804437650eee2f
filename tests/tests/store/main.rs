//! The store over real devices keeps the contract, in one process and over the link.

#[cfg(test)]
mod disks;
#[cfg(test)]
mod repair;

#[cfg(test)]
mod contract {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use martlet_cluster::workers::{clear_dropped, collect_garbage, remove_tombstones};
    use martlet_link::{LinkIdentity, LinkSecret, NodeLink};
    use martlet_protocol::Replica;
    use martlet_ring::DeviceId;
    use martlet_testkit::conformance;
    use tokio::net::TcpListener;

    use crate::disks::{Disks, store};

    #[tokio::test(flavor = "multi_thread")]
    async fn three_devices_in_one_process_keep_the_contract() {
        let disks = Disks::make();
        conformance::all(&store(disks.replicas())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn three_nodes_behind_the_link_keep_the_contract() {
        let disks = Disks::make();
        let identity = LinkIdentity { cluster: [1; 16], secret: LinkSecret::new([2; 32]), tls: None };
        let mut replicas = BTreeMap::<DeviceId, Arc<dyn Replica>>::new();
        for (id, device) in disks.replicas() {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let node = BTreeMap::from([(id, device)]);
            tokio::spawn(martlet_link::serve(listener, node, identity.clone(), std::future::pending()));
            replicas.insert(id, NodeLink::open(&address, &identity).replica(id));
        }
        conformance::all(&store(replicas)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_contract_leaves_behind_is_cleared_away() {
        let disks = Disks::make();
        let store = store(disks.replicas());
        conformance::uploads::all(&store).await;
        store.idle().await;
        for _ in 0..3 {
            clear_dropped(&store, 1000).await.unwrap();
            for id in disks.ids() {
                collect_garbage(&store, id, 1000).await.unwrap();
                remove_tombstones(&store, id, 1000).await.unwrap();
            }
        }
        for (id, replica) in disks.replicas() {
            assert_eq!(replica.unreferenced(None, 10).await, Ok(Vec::new()), "device {id:?} keeps orphans");
            assert_eq!(replica.garbage(10).await, Ok(Vec::new()), "device {id:?} keeps garbage");
            assert_eq!(replica.tombstones(10).await, Ok(Vec::new()), "device {id:?} keeps tombstones");
        }
    }
}
