//! Counters and digests.

use martlet_protocol::{Replica, RowValue, TableCounters, Tombstone, Weight};

use crate::support::{Bench, accept, accept_with_body, ballot, bytes, row, row_in, table};

fn sum(counters: &TableCounters) -> Weight {
    counters.partitions.iter().fold(Weight::default(), |sum, part| Weight {
        objects: sum.objects + part.weight.objects,
        bytes: sum.bytes + part.weight.bytes,
    })
}

#[tokio::test]
async fn counters_follow_the_rows() {
    let bench = Bench::new();
    let device = bench.create();
    for number in 0..20 {
        let row = row(&format!("{number}"));
        device.accept(accept_with_body(&row, ballot(10), number, &bytes(100))).await.unwrap();
        device.accept(accept_with_body(&row, ballot(20), 100 + number, &bytes(50))).await.unwrap();
    }
    device.accept(accept(&row("0"), ballot(30), RowValue::Tombstone)).await.unwrap();
    let counters = device.counters(vec![table(1), table(2)]).await.unwrap();
    assert_eq!(sum(&counters[0]), Weight { objects: 19, bytes: 19 * 50 });
    assert_eq!(counters[1], TableCounters { table: table(2), partitions: vec![] });
    assert!(counters[0].partitions.is_sorted_by_key(|part| part.partition));
}

#[tokio::test]
async fn replicas_that_hold_the_same_rows_have_the_same_digest() {
    let (one, other) = (Bench::new(), Bench::new());
    let (one, other) = (one.create(), other.create());
    for number in 0..20 {
        let row = row(&format!("{number}"));
        one.accept(accept(&row, ballot(10), RowValue::Tombstone)).await.unwrap();
        one.accept(accept_with_body(&row, ballot(20), number, &bytes(9))).await.unwrap();
    }
    for number in (0..20).rev() {
        let row = row(&format!("{number}"));
        other.accept(accept_with_body(&row, ballot(20), number, &bytes(9))).await.unwrap();
    }
    let digests = one.counters(vec![table(1)]).await.unwrap();
    assert_eq!(other.counters(vec![table(1)]).await.unwrap(), digests);
    other.accept(accept(&row("3"), ballot(21), RowValue::Tombstone)).await.unwrap();
    assert_ne!(other.counters(vec![table(1)]).await.unwrap(), digests);
}

#[tokio::test]
async fn a_table_whose_rows_are_all_forgotten_counts_nothing() {
    let bench = Bench::new();
    let device = bench.create();
    let row = row_in(table(3), "a");
    device.accept(accept(&row, ballot(10), RowValue::Tombstone)).await.unwrap();
    assert_eq!(device.counters(vec![table(3)]).await.unwrap()[0].partitions.len(), 1);
    device.forget(vec![Tombstone { row, ballot: ballot(10) }]).await.unwrap();
    assert_eq!(device.counters(vec![table(3)]).await.unwrap()[0].partitions, []);
}
