//! Bodies that are cut into several blobs.

use martlet_model::{ByteRange, NewObject, ObjectStore};
use martlet_testkit::conformance::steps::{chunked, create, new_object, noise, object, read, unconditional};

use crate::harness::{Cluster, Shape};

const BLOB_BYTES: u64 = 64 * 1024 * 1024;

#[tokio::test]
async fn a_large_body_is_cut_into_blobs_and_reads_as_one() {
    let cluster = Cluster::new(Shape { devices: 6, partition_bits: 5 });
    let id = create(&cluster.store, "large").await;
    let body = noise(1, 2 * 64 * 1024 * 1024 + 12_345);
    for (key, declared) in [("declared", Some(body.len() as u64)), ("undeclared", None)] {
        let key = object(&id, key);
        let new =
            NewObject { body: chunked(&body, 1_000_003), bytes: declared, ..new_object("", unconditional()) };
        cluster.store.put(&key, new).await.unwrap();
        assert!(read(&cluster.store, &key, None).await.unwrap() == body);
        let seam = ByteRange::Between { first: BLOB_BYTES - 3, last: BLOB_BYTES + 2 };
        let expected = body.slice(64 * 1024 * 1024 - 3..64 * 1024 * 1024 + 3);
        assert_eq!(read(&cluster.store, &key, Some(seam)).await.unwrap(), expected);
        assert_eq!(
            read(&cluster.store, &key, Some(ByteRange::Last(5))).await.unwrap(),
            body.slice(body.len() - 5..)
        );
    }
    cluster.store.idle().await;
    // Three blobs a body, three replicas each.
    let count: usize = cluster.replicas.iter().map(|replica| replica.blob_ids().len()).sum();
    assert_eq!(count, 18);
}
