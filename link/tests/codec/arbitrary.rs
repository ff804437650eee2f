//! Any message that there can be.

use std::num::NonZeroU64;

use bytes::Bytes;
use martlet_link::message::{Addressee, Answer, Reply, Request};
use martlet_link::{RingOrder, RingReport};
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobOwner, BlobRef, BlobStanding, Block, CarriedBody, Checksum, Garbage,
    HeldBlob, InspectBlobs, InspectDepth, ListRows, ListTables, ListedItem, ListedPrefix, ListedRow, NewBlob,
    PartitionCounters, Prepare, Promise, ReadBlob, ReadRow, ReplicaError, RowAddress, RowKey, RowPage,
    RowReply, RowStanding, RowState, RowValue, Scope, SealToken, Survey, SurveyDepth, SurveyPage,
    SurveyedRow, TableCounters, TableId, TableKind, TablePage, Tombstone, Want, Weight,
};
use martlet_register::{ANCESTORS_MAX, Accepted, Ancestors, Ballot, ProposerId, State};
use martlet_request::RequestId;
use martlet_ring::{DeviceId, Partition, PlacementHash};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) fn addressee() -> impl Strategy<Value = Addressee> {
    let to = |(device, ring, request)| Addressee {
        device: DeviceId(device),
        ring,
        request: NonZeroU64::new(request).map(RequestId::new),
    };
    (any::<u32>(), any::<u64>(), any::<u64>()).prop_map(to)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

/// Short ones are copied, long ones shared.
fn body() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        bytes(),
        (8_000_usize..20_000, any::<u8>()).prop_map(|(count, byte)| vec![byte; count].into())
    ]
}

fn ballot() -> impl Strategy<Value = Ballot> {
    (any::<u64>(), any::<u64>()).prop_map(|(time, proposer)| Ballot { time, proposer: ProposerId(proposer) })
}

fn hash() -> impl Strategy<Value = PlacementHash> {
    any::<u64>().prop_map(PlacementHash)
}

fn table() -> impl Strategy<Value = TableId> {
    let kinds =
        [TableKind::System, TableKind::Containers, TableKind::Objects, TableKind::Uploads, TableKind::Parts];
    (prop::sample::select(kinds.to_vec()), any::<[u8; 15]>())
        .prop_map(|(kind, random)| TableId::new(kind, random))
}

fn row() -> impl Strategy<Value = RowAddress> {
    (table(), bytes(), hash()).prop_map(|(table, key, hash)| RowAddress { row: RowKey { table, key }, hash })
}

fn weight() -> impl Strategy<Value = Weight> {
    (any::<u64>(), any::<u64>()).prop_map(|(objects, bytes)| Weight { objects, bytes })
}

fn blob_id() -> impl Strategy<Value = BlobId> {
    any::<[u8; 16]>().prop_map(BlobId)
}

fn blob() -> impl Strategy<Value = BlobRef> {
    (blob_id(), hash(), any::<u64>(), any::<u64>()).prop_map(|(id, hash, bytes, sum)| BlobRef {
        id,
        hash,
        bytes,
        checksum: Checksum(sum),
    })
}

fn owner() -> impl Strategy<Value = BlobOwner> {
    prop_oneof![
        row().prop_map(BlobOwner::Row),
        (row(), row()).prop_map(|(part, object)| BlobOwner::PartOf { part, object }),
    ]
}

fn value() -> impl Strategy<Value = RowValue> {
    prop_oneof![
        Just(RowValue::Tombstone),
        (bytes(), bytes(), weight(), vec(blob(), 0..4))
            .prop_map(|(entry, record, weight, blobs)| RowValue::Live { entry, record, weight, blobs }),
    ]
}

fn ancestors() -> impl Strategy<Value = Ancestors> {
    vec(ballot(), 1..=ANCESTORS_MAX + 1).prop_map(|mut ballots| {
        ballots.sort();
        ballots.dedup();
        ballots.reverse();
        let horizon = ballots.pop().expect("there is one");
        Ancestors::from_parts(horizon, &ballots).expect("a lineage in order")
    })
}

fn state() -> impl Strategy<Value = RowState> {
    (ballot(), ancestors(), value()).prop_map(|(change, ancestors, value)| State { change, ancestors, value })
}

fn accepted() -> impl Strategy<Value = Accepted<RowValue>> {
    (ballot(), state()).prop_map(|(ballot, state)| Accepted { ballot, state })
}

fn token() -> impl Strategy<Value = SealToken> {
    any::<[u8; 16]>().prop_map(SealToken)
}

fn tombstone() -> impl Strategy<Value = Tombstone> {
    (row(), ballot()).prop_map(|(row, ballot)| Tombstone { row, ballot })
}

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        Just(Want::Ballot),
        Just(Want::Value),
        any::<u64>().prop_map(|bytes_max| Want::ValueAndBody { bytes_max }),
    ]
}

fn accept() -> impl Strategy<Value = Accept> {
    let carried = (blob(), body()).prop_map(|(blob, bytes)| CarriedBody { blob, bytes });
    (row(), ballot(), state(), option::of(carried), vec(blob(), 0..3), option::of(token())).prop_map(
        |(row, ballot, state, body, garbage, seal)| Accept { row, ballot, state, body, garbage, seal },
    )
}

fn list() -> impl Strategy<Value = ListRows> {
    let bounds = (option::of(bytes()), option::of(bytes()), option::of(bytes()));
    let scope = prop_oneof![Just(Scope::Counted), Just(Scope::All)];
    (table(), option::of(any::<u32>()), bytes(), bounds, any::<usize>(), scope).prop_map(
        |(table, partition, prefix, (delimiter, after, before), limit, scope)| ListRows {
            table,
            partition: partition.map(Partition),
            prefix,
            delimiter,
            after,
            before,
            limit,
            scope,
        },
    )
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let rows = prop_oneof![
        (row(), ballot()).prop_map(|(row, ballot)| Request::Prepare(Prepare { row, ballot })),
        accept().prop_map(Request::Accept),
        (row(), want()).prop_map(|(row, want)| Request::Read(ReadRow { row, want })),
        list().prop_map(Request::List),
        vec(table(), 0..4).prop_map(Request::Counters),
    ];
    let blobs =
        prop_oneof![
            (blob_id(), hash(), owner()).prop_map(|(id, hash, owner)| Request::Stage(NewBlob {
                id,
                hash,
                owner
            })),
            (blob_id(), any::<u32>(), any::<u32>())
                .prop_map(|(id, first, count)| Request::ReadBlob(ReadBlob { id, first, count })),
            vec(blob_id(), 0..4).prop_map(Request::SettleGarbage),
            vec(blob_id(), 0..4).prop_map(Request::Reclaim),
        ];
    let upkeep = prop_oneof![
        (table(), token()).prop_map(|(table, token)| Request::Seal(table, token)),
        (table(), token()).prop_map(|(table, token)| Request::Unseal(table, token)),
        any::<usize>().prop_map(|limit| Request::Garbage { limit }),
        (option::of(blob_id()), any::<usize>())
            .prop_map(|(after, limit)| Request::Unreferenced { after, limit }),
        any::<usize>().prop_map(|limit| Request::Tombstones { limit }),
        vec(tombstone(), 0..4).prop_map(Request::Forget),
    ];
    prop_oneof![rows, blobs, upkeep, repair_request(), ring_request()]
}

fn repair_request() -> impl Strategy<Value = Request> {
    let partitions = || vec(any::<u32>().prop_map(Partition), 0..4);
    let depth = prop::sample::select(&[SurveyDepth::Ballots, SurveyDepth::Blobs][..]);
    let closeness = prop::sample::select(&[InspectDepth::Index, InspectDepth::Bytes][..]);
    prop_oneof![
        partitions().prop_map(Request::Digests),
        (partitions(), option::of(table()), any::<usize>())
            .prop_map(|(partitions, after, limit)| Request::Tables(ListTables { partitions, after, limit })),
        (table(), partitions(), option::of(bytes()), any::<usize>(), depth).prop_map(
            |(table, partitions, after, limit, depth)| {
                Request::Survey(Survey { table, partitions, after, limit, depth })
            }
        ),
        (vec(blob_id(), 0..4), closeness)
            .prop_map(|(blobs, depth)| Request::Inspect(InspectBlobs { blobs, depth })),
        (option::of(blob_id()), any::<usize>()).prop_map(|(after, limit)| Request::Held { after, limit }),
        (blob_id(), hash(), owner()).prop_map(|(id, hash, owner)| Request::Restage(NewBlob {
            id,
            hash,
            owner
        })),
    ]
}

fn ring_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::FetchRing),
        bytes().prop_map(Request::OfferRing),
        Just(Request::OrderRing(RingOrder::Report)),
        bytes().prop_map(|ring| Request::OrderRing(RingOrder::Propose(ring))),
        any::<u64>().prop_map(|version| Request::OrderRing(RingOrder::Commit(version))),
        any::<u64>().prop_map(|version| Request::OrderRing(RingOrder::Withdraw(version))),
    ]
}

fn ring_answer() -> impl Strategy<Value = Answer> {
    let report = |(version, proposed)| Answer::RingReport(RingReport { version, proposed });
    prop_oneof![
        bytes().prop_map(Answer::RingFile),
        (any::<u64>(), option::of(any::<u64>())).prop_map(report),
        ".*".prop_map(Answer::RingRefused),
    ]
}

fn repair_answer() -> impl Strategy<Value = Answer> {
    let held = || (blob(), owner()).prop_map(|(blob, owner)| HeldBlob { blob, owner });
    let row = prop_oneof![
        (ballot(), vec(blob(), 0..3)).prop_map(|(ballot, blobs)| RowStanding::Live { ballot, blobs }),
        ballot().prop_map(|ballot| RowStanding::Tombstone { ballot }),
        Just(RowStanding::Damaged),
    ];
    let rows = (bytes(), hash(), row).prop_map(|(key, hash, standing)| SurveyedRow { key, hash, standing });
    let standing = prop_oneof![
        Just(BlobStanding::Absent),
        held().prop_map(BlobStanding::Held),
        held().prop_map(BlobStanding::Damaged),
        Just(BlobStanding::EntryDamaged),
    ];
    prop_oneof![
        vec(any::<u64>(), 0..6).prop_map(Answer::Digests),
        (vec(counters(), 0..3), option::of(table()))
            .prop_map(|(tables, through)| Answer::Tables(TablePage { tables, through })),
        (vec(rows, 0..4), option::of(bytes()))
            .prop_map(|(rows, through)| Answer::Survey(SurveyPage { rows, through })),
        vec(standing, 0..4).prop_map(Answer::Standings),
        vec(held(), 0..4).prop_map(Answer::Held),
    ]
}

fn item() -> impl Strategy<Value = ListedItem> {
    prop_oneof![
        (bytes(), hash(), ballot(), option::of(bytes())).prop_map(|(key, hash, ballot, entry)| {
            ListedItem::Row(ListedRow { key, hash, ballot, entry })
        }),
        (bytes(), bytes(), hash(), ballot()).prop_map(|(prefix, key, hash, ballot)| {
            ListedItem::Prefix(ListedPrefix { prefix, key, hash, ballot })
        }),
    ]
}

fn counters() -> impl Strategy<Value = TableCounters> {
    let partition = (any::<u32>(), weight(), any::<u64>()).prop_map(|(partition, weight, digest)| {
        PartitionCounters { partition: Partition(partition), weight, digest }
    });
    (table(), vec(partition, 0..4)).prop_map(|(table, partitions)| TableCounters { table, partitions })
}

fn answer() -> impl Strategy<Value = Answer> {
    let rows = prop_oneof![
        Just(Answer::Done),
        (option::of(accepted()), ballot())
            .prop_map(|(accepted, forgotten)| Answer::Promise(Promise { accepted, forgotten })),
        option::of(ballot()).prop_map(|ballot| Answer::Row(RowReply::Ballot(ballot))),
        (option::of(accepted()), option::of(body()))
            .prop_map(|(accepted, body)| Answer::Row(RowReply::Value { accepted, body })),
        (vec(item(), 0..6), option::of(bytes()))
            .prop_map(|(items, through)| Answer::Page(RowPage { items, through })),
    ];
    let upkeep = prop_oneof![
        vec(counters(), 0..3).prop_map(Answer::Counters),
        vec((blob(), row(), ballot()).prop_map(|(blob, row, ballot)| Garbage { blob, row, ballot }), 0..3)
            .prop_map(Answer::Garbage),
        vec((blob(), owner(), any::<u64>(), any::<bool>()), 0..3).prop_map(|facts| {
            let fact = |(blob, owner, known_for_seconds, predates_opening)| BlobFact {
                blob,
                owner,
                known_for_seconds,
                predates_opening,
            };
            Answer::Unreferenced(facts.into_iter().map(fact).collect())
        }),
        vec(tombstone(), 0..3).prop_map(Answer::Tombstones),
    ];
    prop_oneof![rows, upkeep, repair_answer(), ring_answer()]
}

fn error() -> impl Strategy<Value = ReplicaError> {
    prop_oneof![
        ballot().prop_map(|seen| ReplicaError::Refused { seen }),
        vec(blob_id(), 0..4).prop_map(ReplicaError::MissingBlobs),
        Just(ReplicaError::Sealed),
        Just(ReplicaError::Full),
        ".*".prop_map(ReplicaError::Damaged),
        ".*".prop_map(ReplicaError::Failed),
        ".*".prop_map(ReplicaError::Unreachable),
        prop::sample::select(&["", "a block after the last one", "wörter"][..])
            .prop_map(ReplicaError::Invalid),
        any::<u64>().prop_map(|version| ReplicaError::OtherRing { version }),
    ]
}

pub(crate) fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![3 => answer().prop_map(Ok), 1 => error().prop_map(Err)]
}

pub(crate) fn block() -> impl Strategy<Value = Block> {
    (any::<u64>(), body()).prop_map(|(sum, bytes)| Block { checksum: Checksum(sum), bytes })
}
