//! Indexes that an older version has made.

use martlet_protocol::{Replica, TableCounters};
use rusqlite::Connection;

use crate::support::{Bench, accept, ballot, live, row, table};

#[tokio::test]
async fn an_index_of_version_1_is_taken_over_with_all_that_it_counts() {
    let bench = Bench::new();
    let device = bench.create();
    for number in 0..50 {
        let request = accept(&row(&format!("{number:04}")), ballot(10), live("entry", vec![]));
        device.accept(request).await.unwrap();
    }
    let counted = device.counters(vec![table(1)]).await.unwrap();
    device.close().await.unwrap();
    drop(device);
    let index = Connection::open(bench.path().join("index.db")).unwrap();
    // A closed index has nothing in the table that version 1 didn't have.
    let waiting: i64 = index.query_row("SELECT count(*) FROM changes", [], |row| row.get(0)).unwrap();
    assert_eq!(waiting, 0);
    index.execute_batch("DROP TABLE changes; PRAGMA user_version = 1").unwrap();
    drop(index);
    let device = bench.open().unwrap();
    assert_eq!(device.counters(vec![table(1)]).await.unwrap(), counted);
    device.accept(accept(&row("more"), ballot(10), live("entry", vec![]))).await.unwrap();
    device.close().await.unwrap();
    let device = bench.open().unwrap();
    let more = device.counters(vec![table(1)]).await.unwrap();
    let objects = |counters: &[TableCounters]| -> u64 {
        counters[0].partitions.iter().map(|counters| counters.weight.objects).sum()
    };
    assert_eq!(objects(&more), objects(&counted) + 1);
}
