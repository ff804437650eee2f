//! The disk fails.

use bytes::Bytes;
use martlet_protocol::{BlobId, BlobOwner, NewBlob, RowAddress, RowKey, TableId, TableKind};
use martlet_ring::PlacementHash;

use crate::check::Finding;
use crate::disk::{Disk, Failure, FailureKind};
use crate::drive::{Standing, create};
use crate::operation::{Operation, StageEnd};
use crate::plan::Plan;
use crate::trial::{Trial, Tried, When};
use crate::workload::{FEW, SHORT, Workload, seed};

const BROKEN: Failure = Failure { number: 0, count: 1, kind: FailureKind::Broken };
const FULL: Failure = Failure { number: 0, count: 1, kind: FailureKind::Full };
const FULL_FOR_LONG: Failure = Failure { count: 40, ..FULL };
const LYING: Failure = Failure { number: 0, count: 1, kind: FailureKind::Lying };

#[test]
fn a_disk_that_fails_fails_the_device_and_takes_nothing_that_was_answered() {
    survives(seed() + 30_000, When::Working, BROKEN);
}

#[test]
fn a_disk_that_is_full_for_a_moment_refuses_what_it_has_no_room_for() {
    survives(seed() + 31_000, When::Working, FULL);
}

#[test]
fn a_disk_that_stays_full_takes_nothing_that_was_answered() {
    survives(seed() + 32_000, When::Working, FULL_FOR_LONG);
}

#[test]
fn a_disk_that_fails_while_a_device_is_opened_does_no_harm() {
    survives(seed() + 40_000, When::Opening, BROKEN);
    survives(seed() + 41_000, When::Opening, FULL);
}

/// The harness itself is put to the test.
#[test]
fn a_disk_that_lies_about_a_sync_is_found_out() {
    let found = (0..4)
        .find_map(|workload| every_failure(seed() + 50_000 + 1000 * workload, When::Working, LYING).err());
    eprintln!("{}", found.expect("a lost write is found").lines().next().unwrap_or_default());
}

#[test]
fn a_blob_file_whose_publication_fails_is_found_by_the_next_start() {
    let disk = Disk::empty();
    let device = create(&disk).unwrap();
    crate::drive::runtime().block_on(device.close()).unwrap();
    let row = RowAddress {
        row: RowKey { table: TableId::new(TableKind::Objects, [1; 15]), key: Bytes::from_static(b"film") },
        hash: PlacementHash(5),
    };
    let new = NewBlob { id: BlobId([9; 16]), hash: row.hash, owner: BlobOwner::Row(row) };
    let bytes = Bytes::from(vec![7; 1_100_000]);
    let plan = Plan::single(Operation::Stage { new, bytes, end: StageEnd::Finish }).then_put_one_row();
    let trial = Trial { content: &disk, standing: &Standing::default(), plan: &plan, when: When::Working };
    fail_at_every_number(&trial, BROKEN).unwrap();
    // No room for the blob's row, nor then for the note that its file is to be removed, but soon again.
    for count in 1..6 {
        fail_at_every_number(&trial, Failure { count, ..FULL }).unwrap();
    }
}

fn survives(seed: u64, when: When, failure: Failure) {
    match every_failure(seed, when, failure) {
        Ok(tried) => eprintln!("seed {seed}: {:?}, {} at once: {tried:?}", failure.kind, failure.count),
        Err(finding) => panic!("with MARTLET_SEED={}: seed {seed}: {finding}", crate::workload::seed()),
    }
}

/// A device that holds something works, or is only opened, on a disk that fails.
fn every_failure(seed: u64, when: When, failure: Failure) -> Result<Tried, Finding> {
    let workload = Workload::of(seed, SHORT);
    let standing = workload.standing();
    let plan = match when {
        When::Working => Plan::of_everything(seed, FEW, &standing.model).1,
        When::Opening => Plan::default(),
    };
    let plan = plan.then_put_one_row();
    fail_at_every_number(&Trial { content: &workload.disk, standing: &standing, plan: &plan, when }, failure)
}

/// Lets the disk fail at every number in turn, until the work is over before it does.
fn fail_at_every_number(trial: &Trial<'_>, failure: Failure) -> Result<Tried, Finding> {
    let mut tried = Tried::default();
    for number in 0.. {
        let failure = Failure { number, ..failure };
        if !trial.run(failure, &mut tried).map_err(|finding| format!("{failure:?}: {finding}"))? {
            break;
        }
    }
    if tried.failures == 0 { Err("nothing has failed".to_owned()) } else { Ok(tried) }
}
