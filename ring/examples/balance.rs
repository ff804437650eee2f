//! Prints how well rings balance and how little they move, for the models of section 3 of the architecture page.
//!
//! `cargo run -p martlet-ring --release --example balance`

#![expect(clippy::print_stdout, reason = "the table on standard output is what this program is for")]

use martlet_ring::{
    Balance, Device, DeviceId, Dispersion, NodeId, PlacementHash, Ring, RingError, ZoneId, build, edit,
    partition_bits_for,
};
use std::hint::black_box;
use std::time::Instant;

const REPLICAS: u8 = 3;

fn main() -> Result<(), RingError> {
    println!(
        "| model | partitions | load off fair | first off fair | after adding | adding, of ideal | \
         after removing | removing, of ideal | sharing | build, ms | edit, ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let equal: &[u32] = &[4000];
    let weighted: &[u32] = &[4000, 8000, 6000, 12_000, 16_000];
    measure("12 equal, 12 nodes, 1 zone", &devices(12, 1, 1, equal))?;
    measure("12 equal, 12 nodes, 3 zones", &devices(12, 1, 3, equal))?;
    measure("12 equal, 6 nodes, 3 zones", &devices(12, 2, 3, equal))?;
    measure("20 weighted 4 to 16, 20 nodes, 1 zone", &devices(20, 1, 1, weighted))?;
    measure("20 weighted 4 to 16, 20 nodes, 4 zones", &devices(20, 1, 4, weighted))?;
    measure("20 weighted 4 to 16, 10 nodes, 5 zones", &devices(20, 2, 5, weighted))?;
    measure("60 equal, 60 nodes, 1 zone", &devices(60, 1, 1, equal))?;
    measure("60 equal, 20 nodes, 5 zones", &devices(60, 3, 5, equal))?;
    measure("60 weighted 4 to 16, 20 nodes, 5 zones", &devices(60, 3, 5, weighted))?;
    measure("600 weighted 4 to 16, 100 nodes, 10 zones", &devices(600, 6, 10, weighted))?;
    let ring = build(12, REPLICAS, devices(60, 3, 5, weighted))?;
    println!("\nOne lookup among 2^12 partitions: {:.1} ns.", lookup_ns(&ring));
    Ok(())
}

/// The time of one lookup, all caches warm: partition and devices of a hash.
fn lookup_ns(ring: &Ring) -> f64 {
    const LOOKUPS: u32 = 10_000_000;
    let start = Instant::now();
    let mut seen = 0_u32;
    for lookup in 0..u64::from(LOOKUPS) {
        let hash = PlacementHash(lookup.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        seen ^= black_box(ring).devices_of_hash(hash)[0].0;
    }
    black_box(seen);
    start.elapsed().as_secs_f64() * 1e9 / f64::from(LOOKUPS)
}

/// `count` devices, `per_node` on each node, nodes dealt to `zones` in turn, weights in turn.
fn devices(count: u32, per_node: u32, zones: u32, weights: &[u32]) -> Vec<Device> {
    let weights = weights.iter().cycle();
    (0..count).zip(weights).map(|(id, &weight)| device(id, id / per_node, zones, weight)).collect()
}

fn device(id: u32, node: u32, zones: u32, weight: u32) -> Device {
    let address = format!("node-{node}:6200");
    Device { id: DeviceId(id), node: NodeId(node), zone: ZoneId(node % zones), weight, address }
}

/// The worst over adding one device to each zone in turn, and over removing each of the first devices in turn.
fn measure(model: &str, devices: &[Device]) -> Result<(), RingError> {
    let bits = partition_bits_for(REPLICAS, devices)?;
    let start = Instant::now();
    let ring = build(bits, REPLICAS, devices.to_vec())?;
    let build_ms = start.elapsed().as_millis();
    let zones: Vec<ZoneId> =
        (0..10).map(ZoneId).filter(|zone| devices.iter().any(|d| d.zone == *zone)).collect();
    let (mut added, mut removed) = (Figures::default(), Figures::default());
    let start = Instant::now();
    for &zone in &zones {
        let mut more = devices.to_vec();
        more.push(Device { zone, ..device(9000, 9000, 1, devices[0].weight) });
        added.record(&ring, more)?;
    }
    for gone in 0..10 {
        let mut fewer = devices.to_vec();
        fewer.remove(gone);
        removed.record(&ring, fewer)?;
    }
    let edit_ms = start.elapsed().as_millis() / (10 + zones.len() as u128);
    let (balance, first) = (off_fair(&ring), first_off_fair(&ring));
    let dispersion = Dispersion::of(&ring);
    let sharing = dispersion.sharing_zone + dispersion.sharing_node + added.sharing + removed.sharing;
    println!(
        "| {model} | 2^{bits} | {balance:.2} % | {first:.2} % | {:.2} % | {:.3}–{:.3} | {:.2} % | {:.3}–{:.3} | {sharing} | {build_ms} | {edit_ms} |",
        added.off_fair,
        added.of_ideal_min,
        added.of_ideal_max,
        removed.off_fair,
        removed.of_ideal_min,
        removed.of_ideal_max,
    );
    Ok(())
}

struct Figures {
    off_fair: f64,
    of_ideal_min: f64,
    of_ideal_max: f64,
    sharing: usize,
}

impl Default for Figures {
    fn default() -> Self {
        Self { off_fair: 0.0, of_ideal_min: f64::INFINITY, of_ideal_max: 0.0, sharing: 0 }
    }
}

impl Figures {
    fn record(&mut self, previous: &Ring, devices: Vec<Device>) -> Result<(), RingError> {
        let (ring, movement) = edit(previous, devices)?;
        let of_ideal = movement.of_ideal().unwrap_or(1.0);
        let dispersion = Dispersion::of(&ring);
        self.off_fair = self.off_fair.max(off_fair(&ring));
        self.of_ideal_min = self.of_ideal_min.min(of_ideal);
        self.of_ideal_max = self.of_ideal_max.max(of_ideal);
        self.sharing += dispersion.sharing_zone + dispersion.sharing_node + movement.unsettled;
        Ok(())
    }
}

/// The largest deviation of a device's load from its fair share, in percent of the share.
fn off_fair(ring: &Ring) -> f64 {
    let balance = Balance::of(ring);
    100.0 * balance.above_max().max(-balance.below_max())
}

/// The same of the partitions where a device comes first, against its part of the replicas that it holds.
fn first_off_fair(ring: &Ring) -> f64 {
    let off =
        |first: usize, replicas: usize| (f64::from(REPLICAS) * real(first) / real(replicas) - 1.0).abs();
    let balance = Balance::of(ring);
    100.0 * balance.devices.iter().map(|device| off(device.first, device.replicas)).fold(0.0, f64::max)
}

fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
