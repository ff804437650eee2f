//! Writes rows straight into the devices of a stopped cluster, where a client would take hours.
//!
//! It copies one row that the cluster has written itself, under other keys, to every device that the ring says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use martlet_model::{Clock, Timestamp};
use martlet_protocol::{
    Accept, ListRows, ListTables, ReadRow, Replica as _, RowKey, RowReply, RowValue, Scope, TableId,
    TableKind, Want,
};
use martlet_register::{Ballot, ProposerId, State};
use martlet_ring::{DeviceId, PlacementKey, Ring};
use martlet_storage_node::{
    CHECKPOINT_LOG_PAGES, ClusterId, Device, DeviceIdentity, DeviceOptions, GARBAGE_GRACE, RESERVE_BYTES,
    SystemFiles, SystemSteadyClock, UNFOLDED_BYTES_MAX,
};
use martlet_tests::cluster::Cluster;

use crate::target::device_folder;

/// Rows on their way to one device at once.
const AT_ONCE: usize = 1024;
/// The device refuses what is below its floor, which after a restart is a moment ahead of the clock.
const AHEAD_MICROS: u64 = 10_000_000;

/// The devices of a stopped cluster. They close when it is dropped.
pub(crate) struct Loader {
    ring: Ring,
    placement: PlacementKey,
    devices: BTreeMap<DeviceId, Device>,
    runtime: tokio::runtime::Runtime,
}

/// The one row of a table that is there.
pub(crate) struct Template {
    table: TableId,
    value: RowValue,
}

#[derive(Debug)]
struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "the machine's clock is what this clock is")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        Timestamp::from_micros(u64::try_from(since.as_micros()).expect("it is before the year 500000"))
    }
}

impl Loader {
    pub(crate) fn open(cluster: &Cluster) -> Self {
        let folder = cluster.folder.join("node-1");
        let ring = std::fs::read(folder.join("cluster.ring")).expect("the ring can be read");
        let ring = Ring::from_bytes(&ring).expect("it is a ring");
        let secrets = std::fs::read_to_string(folder.join("cluster.toml")).expect("the secrets can be read");
        let secrets: toml::Table = secrets.parse().expect("they are TOML");
        let secret = |name: &str| {
            let mut bytes = [0; 16];
            let digits = secrets[name].as_str().expect("a secret is a string");
            hex::decode_to_slice(digits, &mut bytes).expect("of hexadecimal digits");
            bytes
        };
        let open = |device: &martlet_ring::Device| {
            let node = u8::try_from(device.node.0).expect("nodes have small numbers");
            let options = DeviceOptions {
                identity: DeviceIdentity {
                    cluster: ClusterId(secret("cluster_id")),
                    device: device.id,
                    partition_bits: ring.partition_bits(),
                },
                wall: Arc::new(MachineClock),
                steady: Arc::new(SystemSteadyClock::start()),
                files: Arc::new(SystemFiles),
                vfs: None,
                garbage_grace: GARBAGE_GRACE,
                reserve_bytes: RESERVE_BYTES,
                checkpoint_log_pages: CHECKPOINT_LOG_PAGES,
                unfolded_bytes_max: UNFOLDED_BYTES_MAX,
            };
            let opened = Device::open(&device_folder(cluster, node, device.id.0), options);
            (device.id, opened.expect("the device can be opened"))
        };
        Self {
            devices: ring.devices().iter().map(open).collect(),
            placement: PlacementKey::new(secret("placement_key")),
            runtime: tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts"),
            ring,
        }
    }

    /// A row of the only table of this kind that has any, as some device has it.
    pub(crate) fn template(&self, kind: TableKind) -> Template {
        self.runtime.block_on(async {
            for device in self.devices.values() {
                let partitions = self.ring.partitions().collect();
                let request = ListTables { partitions, after: None, limit: 1000 };
                let tables = device.tables(request).await.expect("the device has tables").tables;
                let tables = tables.iter().filter(|counted| counted.table.kind() == kind);
                for table in tables.map(|counted| counted.table) {
                    if let Some(template) = self.template_of(device, table).await {
                        return template;
                    }
                }
            }
            panic!("no device has a row in a table of this kind");
        })
    }

    async fn template_of(&self, device: &Device, table: TableId) -> Option<Template> {
        let request = ListRows {
            table,
            partition: None,
            prefix: Bytes::new(),
            delimiter: None,
            after: None,
            before: None,
            limit: 1,
            scope: Scope::Counted,
        };
        let page = device.list(request).await.expect("the device lists");
        let martlet_protocol::ListedItem::Row(listed) = page.items.first()? else { return None };
        let row = RowKey { table, key: listed.key.clone() }.address(&self.placement);
        let reply = device.read(ReadRow { row, want: Want::Value }).await.expect("the device reads");
        let RowReply::Value { accepted, .. } = reply else { return None };
        Some(Template { table, value: accepted?.state.value })
    }

    /// Writes a copy of the template under every key. Ascending keys are the quickest.
    pub(crate) fn fill(&self, template: &Template, keys: impl Iterator<Item = Bytes>) {
        let ballot = Ballot { time: MachineClock.now().as_micros() + AHEAD_MICROS, proposer: ProposerId(1) };
        let accepts = keys.flat_map(|key| {
            let row = RowKey { table: template.table, key }.address(&self.placement);
            let state = State::first(ballot, Ballot::ZERO, template.value.clone());
            let accept = Accept { row, ballot, state, body: None, garbage: Vec::new(), seal: None };
            let devices = self.ring.devices_of_hash(accept.row.hash);
            devices.iter().map(move |device| (&self.devices[device], accept.clone()))
        });
        let accepts = accepts.map(|(device, accept)| async move {
            device.accept(accept).await.expect("the device accepts");
        });
        let filling = stream::iter(accepts).buffer_unordered(AT_ONCE * self.devices.len());
        self.runtime.block_on(filling.for_each(async |()| ()));
    }

    pub(crate) fn close(self) {
        self.runtime.block_on(async {
            for device in self.devices.values() {
                device.close().await.expect("the device closes");
            }
        });
    }
}
