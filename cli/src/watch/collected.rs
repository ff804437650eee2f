//! The figures of all parts of a process, and what they are called.
//!
//! `docs/operations.md` says which of them matter. A name that was published stays.

use martlet_cluster::ClusterFigures;
use martlet_meter::{Counter, Spread};
use martlet_proxy::traffic::Traffic;
use martlet_ring::DeviceId;
use martlet_storage_node::{DeviceFigures, DeviceState};

use super::exposition::{Exposition, Labels, Scale};
use super::{Watched, itself};
use crate::devices::OpenedDevice;
use crate::network::Network;

/// Everything at this moment.
pub(super) async fn collect(watched: &Watched) -> Exposition {
    let mut exposition = Exposition::default();
    itself::collect(&mut exposition);
    if let Some(gateway) = &watched.gateway {
        collect_traffic(&mut exposition, gateway.traffic());
    }
    #[expect(clippy::cast_precision_loss, reason = "rings aren't changed so often")]
    let version = watched.store.ring().version() as f64;
    exposition.gauge("martlet_ring_version", "Version of the ring that the process goes by", version);
    collect_cluster(&mut exposition, watched.store.figures());
    collect_health(&mut exposition, watched);
    if let Some(network) = &watched.network {
        collect_links(&mut exposition, network);
    }
    collect_devices(&mut exposition, watched).await;
    exposition
}

fn collect_traffic(exposition: &mut Exposition, traffic: &Traffic) {
    let (mut requests, mut answers, mut received, mut sent) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, figures) in traffic.operations() {
        let labels = || -> Labels {
            vec![("dialect", name.dialect.to_owned()), ("operation", name.operation.to_owned())]
        };
        requests.extend(figures.by_status_class().filter(|(_, count)| *count > 0).map(|(class, count)| {
            let mut labels = labels();
            labels.push(("status", class.to_owned()));
            (labels, count)
        }));
        answers.push((labels(), figures.answer_micros.spread()));
        received.push((labels(), figures.received_bytes.get()));
        sent.push((labels(), figures.sent_bytes.get()));
    }
    exposition.counters(
        "martlet_requests",
        "Requests that were answered, by the class of the status",
        requests,
    );
    exposition.histograms(
        (
            "martlet_request_seconds",
            "Time from a request's head to the beginning of its answer",
            Scale::Seconds,
        ),
        answers,
    );
    exposition.counters("martlet_received_bytes", "Bytes of requests' bodies", received);
    exposition.counters("martlet_sent_bytes", "Bytes of answers' bodies", sent);
    exposition.gauge(
        "martlet_requests_in_flight",
        "Requests that are being served",
        level(traffic.requests.get()),
    );
    exposition.gauge("martlet_connections", "Connections of clients", level(traffic.connections.get()));
}

fn collect_cluster(exposition: &mut Exposition, figures: &ClusterFigures) {
    let by_kind = |kinds: &[(&str, &Counter)], label: &'static str| {
        kinds.iter().map(|(kind, count)| (vec![(label, (*kind).to_owned())], count.get())).collect()
    };
    let failures = [
        ("row", &figures.rows_without_quorum),
        ("body_write", &figures.bodies_without_quorum),
        ("body_read", &figures.bodies_unreadable),
        ("listing", &figures.listings_without_quorum),
    ];
    exposition.counters(
        "martlet_quorum_failures",
        "Operations that too few devices answered, by what they were about",
        by_kind(&failures, "about"),
    );
    let mut counter = |name, help, counter: &Counter| exposition.counter(name, help, counter.get());
    counter(
        "martlet_changes_unknown",
        "Changes of which nobody knows whether they were made",
        &figures.changes_unknown,
    );
    counter(
        "martlet_counts_estimated",
        "Counts of tables of which one replica was believed, since a majority didn't agree in time",
        &figures.counts_estimated,
    );
    counter(
        "martlet_blobs_missed",
        "Blobs that a device missed when they were stored",
        &figures.blobs_missed,
    );
    counter("martlet_repaired_rows", "Rows that were brought level", &figures.rows_leveled);
    counter("martlet_repaired_blobs", "Copies of blobs that were missing or damaged", &figures.blobs_mended);
    counter(
        "martlet_lost_blobs",
        "Findings that no device has bytes that a row refers to",
        &figures.blobs_lost,
    );
    counter("martlet_scrubbed_bytes", "Bytes that the scrubber has read", &figures.scrubbed_bytes);
    counter(
        "martlet_scrubbed_damaged",
        "Damaged blobs that the scrubber has found",
        &figures.scrubbed_damaged,
    );
    let removed = [
        ("garbage", &figures.garbage_removed),
        ("orphan", &figures.orphans_removed),
        ("tombstone", &figures.tombstones_removed),
        ("expired", &figures.expired_removed),
        ("table", &figures.tables_cleared),
    ];
    exposition.counters(
        "martlet_removed",
        "What the workers have removed: blobs that were let go of or never referred to, tombstones, expired objects, \
         tables of deleted containers",
        by_kind(&removed, "kind"),
    );
}

fn collect_health(exposition: &mut Exposition, watched: &Watched) {
    let health = watched.store.device_health();
    let of_device = |device: DeviceId| vec![("device", device.0.to_string())];
    exposition.gauges(
        "martlet_device_trusted",
        "Whether a device of the ring answers this process: 1, or 0 while it is asked last",
        health.iter().map(|health| (of_device(health.device), flag(health.is_trusted))).collect(),
    );
    exposition.counters(
        "martlet_device_failures",
        "Questions of this process that a device of the ring didn't answer, or not in time",
        health.iter().map(|health| (of_device(health.device), health.failures)).collect(),
    );
}

fn collect_links(exposition: &mut Exposition, network: &Network) {
    let links = network.links();
    let up = links.iter().map(|(node, link)| (vec![("node", node.clone())], flag(link.is_connected())));
    exposition.gauges("martlet_link_up", "Whether a node is connected", up.collect());
    let connections = links.iter().flat_map(|(node, link)| {
        let figures = link.figures();
        [("opened", &figures.opened), ("ended", &figures.ended), ("failed", &figures.failed)]
            .map(|(event, count)| (vec![("node", node.clone()), ("event", event.to_owned())], count.get()))
    });
    exposition.counters(
        "martlet_link_connections",
        "Connections to a node: opened, ended, and attempts that failed",
        connections.collect(),
    );
}

/// The process's own devices.
async fn collect_devices(exposition: &mut Exposition, watched: &Watched) {
    let (mut up, mut refilling, mut present) = (Vec::new(), Vec::new(), Vec::new());
    for (id, opened) in watched.devices.iter() {
        let state = match opened.device() {
            Ok(device) => device.state().await.ok().map(|state| (device.figures().clone(), state)),
            Err(_) => None,
        };
        let is_filling = matches!(opened, OpenedDevice::Refilled(device) if !device.is_full());
        refilling.push((vec![("device", id.0.to_string())], flag(is_filling)));
        let is_up = state.as_ref().is_some_and(|(_, state)| !state.has_failed);
        up.push((vec![("device", id.0.to_string())], flag(is_up)));
        present.extend(state.map(|(figures, state)| (vec![("device", id.0.to_string())], figures, state)));
    }
    exposition.gauges("martlet_device_up", "Whether a device of this process works", up);
    let help =
        "Whether a device of this process is filled from its peers, and doesn't count for majorities yet";
    exposition.gauges("martlet_device_refilling", help, refilling);
    let spreads = |of: fn(&DeviceFigures) -> Spread| {
        present.iter().map(|(labels, figures, _)| (labels.clone(), of(figures))).collect::<Vec<_>>()
    };
    exposition.histograms(
        ("martlet_device_group_jobs", "Jobs that were written and synced at once", Scale::Plain),
        spreads(|figures| figures.group_jobs.spread()),
    );
    exposition.histograms(
        ("martlet_device_group_seconds", "Time that a group of jobs took", Scale::Seconds),
        spreads(|figures| figures.group_micros.spread()),
    );
    exposition.histograms(
        ("martlet_device_sync_seconds", "Time that the syncs of a group took", Scale::Seconds),
        spreads(|figures| figures.sync_micros.spread()),
    );
    let levels = |of: fn(&DeviceState) -> u64| {
        present.iter().map(|(labels, _, state)| (labels.clone(), level(of(state)))).collect::<Vec<_>>()
    };
    exposition.gauges(
        "martlet_device_free_bytes",
        "What the device's disk has left",
        levels(|state| state.free_bytes),
    );
    exposition.gauges(
        "martlet_device_garbage_blobs",
        "Blobs that were let go of and still take space",
        levels(|state| state.garbage_blobs),
    );
    let queues = present.iter().flat_map(|(labels, _, state)| {
        [("write", state.writes_queued), ("read", state.reads_queued), ("blob", state.blob_writes_queued)]
            .map(|(queue, length)| {
                let mut labels = labels.clone();
                labels.push(("queue", queue.to_owned()));
                (labels, level(length as u64))
            })
    });
    exposition.gauges(
        "martlet_device_queue",
        "Jobs that wait for one of the device's threads",
        queues.collect(),
    );
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

#[expect(clippy::cast_precision_loss, reason = "figures are shown to people")]
fn level(count: u64) -> f64 {
    count as f64
}
