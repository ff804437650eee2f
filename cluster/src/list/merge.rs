//! What the devices' reports of one name amount to. Pure.

use bytes::Bytes;
use martlet_protocol::{ListedItem, ListedPrefix};
use martlet_register::Ballot;
use martlet_ring::{DeviceId, PlacementHash, Ring};

/// A report and who made it.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) from: DeviceId,
    pub(super) item: ListedItem,
}

/// What is known of a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// A majority agrees: this is chosen. `None`: a tombstone.
    Row { key: Bytes, entry: Option<Bytes> },
    /// A majority agrees on a live row below it.
    Prefix(Bytes),
    /// The replicas differ; the row must be read.
    DisputedRow(Bytes),
    /// No live row below it is certain. These, ascending, are worth reading.
    DisputedPrefix { prefix: Bytes, evidence: Vec<Bytes> },
    /// Nobody who should know says anything.
    Nothing,
}

impl Judgement {
    pub(super) fn is_disputed(&self) -> bool {
        matches!(self, Self::DisputedRow(_) | Self::DisputedPrefix { .. })
    }
}

/// Judges the reports of one name, and may take out of them what they hold.
pub(super) fn judge(ring: &Ring, reports: &mut [Report]) -> Judgement {
    // What a device still has of a partition that isn't its any more says nothing.
    let counts = |report: &Report| match &report.item {
        ListedItem::Row(row) => is_replica(ring, row.hash, report.from),
        ListedItem::Prefix(prefix) => is_replica(ring, prefix.hash, report.from),
    };
    let prefixes: Vec<ListedPrefix> =
        reports.iter().filter(|report| counts(report)).filter_map(prefix_of).collect();
    if !prefixes.is_empty() {
        return judge_prefix(ring, prefixes);
    }
    let ballots =
        |of: Ballot| reports.iter().filter(move |other| counts(other) && ballot_of(other) == of).count();
    let is_agreed = |report: &Report| counts(report) && ballots(ballot_of(report)) >= majority(ring);
    let agreed = reports.iter().position(is_agreed);
    let chosen = agreed.or_else(|| reports.iter().position(counts));
    match chosen.map(|index| &mut reports[index].item) {
        Some(ListedItem::Row(row)) => {
            let key = std::mem::take(&mut row.key);
            if agreed.is_some() {
                Judgement::Row { key, entry: row.entry.take() }
            } else {
                Judgement::DisputedRow(key)
            }
        }
        Some(ListedItem::Prefix(_)) | None => Judgement::Nothing,
    }
}

fn prefix_of(report: &Report) -> Option<ListedPrefix> {
    match &report.item {
        ListedItem::Prefix(prefix) => Some(prefix.clone()),
        ListedItem::Row(_) => None,
    }
}

fn ballot_of(report: &Report) -> Ballot {
    match &report.item {
        ListedItem::Row(row) => row.ballot,
        ListedItem::Prefix(prefix) => prefix.ballot,
    }
}

fn judge_prefix(ring: &Ring, mut prefixes: Vec<ListedPrefix>) -> Judgement {
    prefixes.sort_by(|one, other| (&one.key, one.ballot).cmp(&(&other.key, other.ballot)));
    let prefix = prefixes.first().map(|first| first.prefix.clone()).unwrap_or_default();
    let same = |one: &&[ListedPrefix]| one.len() >= majority(ring);
    let evidence = |listed: &ListedPrefix| -> (Bytes, Ballot) { (listed.key.clone(), listed.ballot) };
    if prefixes.chunk_by(|one, other| evidence(one) == evidence(other)).any(|chunk| same(&chunk)) {
        return Judgement::Prefix(prefix);
    }
    let mut keys: Vec<Bytes> = prefixes.into_iter().map(|listed| listed.key).collect();
    keys.dedup();
    Judgement::DisputedPrefix { prefix, evidence: keys }
}

fn is_replica(ring: &Ring, hash: PlacementHash, device: DeviceId) -> bool {
    ring.devices_of_hash(hash).contains(&device)
}

fn majority(ring: &Ring) -> usize {
    usize::from(ring.replicas()) / 2 + 1
}

#[cfg(test)]
mod tests {
    use martlet_register::ProposerId;
    use martlet_ring::{Device, NodeId, ZoneId, build};

    use martlet_protocol::ListedRow;

    use super::*;

    fn ring() -> Ring {
        let device = |id| Device {
            id: DeviceId(id),
            node: NodeId(id),
            zone: ZoneId(0),
            weight: 1,
            address: String::new(),
        };
        build(4, 3, (0..4).map(device).collect()).unwrap()
    }

    fn ballot(time: u64) -> Ballot {
        Ballot { time, proposer: ProposerId(1) }
    }

    /// The replicas of the hash that every row here has, and the device that isn't one.
    fn devices(ring: &Ring) -> ([DeviceId; 3], DeviceId) {
        let replicas = <[DeviceId; 3]>::try_from(ring.devices_of_hash(PlacementHash(0))).unwrap();
        let stranger = (0..4).map(DeviceId).find(|device| !replicas.contains(device)).unwrap();
        (replicas, stranger)
    }

    fn row(from: DeviceId, time: u64, entry: Option<&'static str>) -> Report {
        let entry = entry.map(Bytes::from);
        let row = ListedRow { key: "key".into(), hash: PlacementHash(0), ballot: ballot(time), entry };
        Report { from, item: ListedItem::Row(row) }
    }

    fn prefix(from: DeviceId, key: &'static str, time: u64) -> Report {
        let listed = ListedPrefix {
            prefix: "p/".into(),
            key: key.into(),
            hash: PlacementHash(0),
            ballot: ballot(time),
        };
        Report { from, item: ListedItem::Prefix(listed) }
    }

    #[test]
    fn a_majority_under_one_ballot_is_certain() {
        let ring = ring();
        let ([a, b, c], _) = devices(&ring);
        let shown = Judgement::Row { key: "key".into(), entry: Some("x".into()) };
        let gone = Judgement::Row { key: "key".into(), entry: None };
        assert_eq!(judge(&ring, &mut [row(a, 1, Some("x")), row(b, 1, Some("x"))]), shown);
        assert_eq!(
            judge(&ring, &mut [row(a, 2, Some("y")), row(b, 1, Some("x")), row(c, 1, Some("x"))]),
            shown
        );
        assert_eq!(judge(&ring, &mut [row(a, 2, None), row(b, 2, None), row(c, 1, Some("x"))]), gone);
    }

    #[test]
    fn the_highest_ballot_of_a_minority_is_not() {
        let ring = ring();
        let ([a, b, c], stranger) = devices(&ring);
        let disputed = Judgement::DisputedRow("key".into());
        assert_eq!(judge(&ring, &mut [row(a, 1, Some("x"))]), disputed);
        assert_eq!(judge(&ring, &mut [row(a, 2, None), row(b, 1, Some("x"))]), disputed);
        assert_eq!(judge(&ring, &mut [row(a, 1, None), row(b, 2, None), row(c, 3, None)]), disputed);
        assert_eq!(judge(&ring, &mut [row(a, 1, Some("x")), row(stranger, 1, Some("x"))]), disputed);
        assert_eq!(judge(&ring, &mut [row(stranger, 1, Some("x"))]), Judgement::Nothing);
    }

    #[test]
    fn a_prefix_needs_a_row_that_is_certain() {
        let ring = ring();
        let ([a, b, c], _) = devices(&ring);
        let shown = Judgement::Prefix("p/".into());
        assert_eq!(judge(&ring, &mut [prefix(a, "p/1", 1), prefix(b, "p/1", 1)]), shown);
        assert_eq!(judge(&ring, &mut [prefix(a, "p/0", 1), prefix(b, "p/1", 1), prefix(c, "p/1", 1)]), shown);
        let evidence = vec!["p/0".into(), "p/1".into()];
        let disputed = Judgement::DisputedPrefix { prefix: "p/".into(), evidence };
        assert_eq!(
            judge(&ring, &mut [prefix(b, "p/1", 1), prefix(a, "p/0", 1), prefix(c, "p/1", 2)]),
            disputed
        );
    }
}
