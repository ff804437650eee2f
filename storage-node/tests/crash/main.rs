//! The device on a simulated disk, cut off from power at every moment.

mod chance;
mod check;
mod crash;
mod disk;
mod drive;
mod event;
mod model;
mod operation;
mod plan;
mod tree;

use crate::disk::Disk;
use crate::plan::{Plan, Shape};

#[test]
fn smoke() {
    let shape = Shape { rounds: 40, staged_bytes_max: 1_100_000, record_bytes_max: 9000 };
    let disk = Disk::empty();
    let start = std::time::Instant::now();
    let recording = drive::record(&disk, Plan::of(1, shape));
    eprintln!(
        "{} ops {} events created {} in {:?}",
        recording.plan.operations.len(),
        recording.log.len(),
        recording.created,
        start.elapsed()
    );
    recording.assert_answers();
    let start = std::time::Instant::now();
    let tree = disk.tree();
    let disk2 = Disk::new(&tree, disk.root());
    let device = drive::open(&disk2).unwrap();
    eprintln!("open {:?}", start.elapsed());
    let standing = recording.standing(recording.log.len());
    let rt = drive::runtime();
    rt.block_on(check::check(&device, &disk2, &standing, &recording.plan.operations)).unwrap();
    eprintln!("check {:?}", start.elapsed());
    rt.block_on(device.close()).unwrap();
    check::check_index(&disk2).unwrap();
    eprintln!("close {:?}", start.elapsed());
}
