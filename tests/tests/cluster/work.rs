//! A client's round of work through every proxy, and how long each request took.

use std::time::{Duration, Instant};

use martlet_tests::cluster::Cluster;
use martlet_tests::files;
use martlet_tests::swift::{Reply, Session};

use crate::s3::S3;

/// How long a request may take that is caught in the act when a node is lost.
pub(crate) const CAUGHT_MAX: Duration = Duration::from_secs(2);
/// A body that rides with its row, and one that is staged on its devices.
const BODIES_BYTES: [usize; 2] = [4_000, 2_500_000];

/// A request, as its client saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) what: String,
    pub(crate) status: u16,
    pub(crate) took: Duration,
}

/// Sessions at all proxies, over one container.
pub(crate) struct Work {
    swift: Vec<Session>,
    s3: Vec<S3>,
    rounds: u64,
}

impl Work {
    /// Makes the container `box`.
    pub(crate) fn begin(cluster: &Cluster) -> Self {
        let proxies = 0..cluster.endpoints().len();
        let swift: Vec<_> = proxies.clone().map(|proxy| cluster.session(proxy)).collect();
        assert_eq!(swift[0].put("box", b"").status(), 201);
        let s3 = proxies.map(|proxy| S3::of(cluster, proxy)).collect();
        Self { swift, s3, rounds: 0 }
    }

    /// Writes, reads, lists and deletes through both APIs of every proxy, each reading what another has written.
    /// Fails if an answer is wrong; gives what was seen.
    pub(crate) fn round(&mut self) -> Vec<Seen> {
        self.rounds += 1;
        let mut seen = Vec::new();
        for proxy in 0..self.swift.len() {
            let (writer, reader) = (&self.swift[proxy], &self.swift[(proxy + 1) % self.swift.len()]);
            let (s3_writer, s3_reader) = (&self.s3[proxy], &self.s3[(proxy + 1) % self.s3.len()]);
            for (size, body_bytes) in BODIES_BYTES.into_iter().enumerate() {
                let key = format!("{}-{proxy}-{size}", self.rounds);
                let body = files::bytes(self.rounds * 100 + proxy as u64, body_bytes);
                let path = format!("box/{key}");
                expect(&mut seen, format!("PUT {path}"), 201, || writer.put(&path, &body));
                let read = expect(&mut seen, format!("GET {path}"), 200, || s3_reader.get(&path));
                assert!(read == body, "{path} has other bytes");
                expect(&mut seen, format!("S3 PUT {path}"), 200, || s3_writer.put(&path, &body[1..]));
                let read = expect(&mut seen, format!("GET {path}"), 200, || reader.get(&path));
                assert!(read == body[1..], "{path} has other bytes");
                let listing = expect(&mut seen, "LIST".to_owned(), 200, || reader.get("box"));
                assert_eq!(String::from_utf8(listing).unwrap(), format!("{key}\n"));
                expect(&mut seen, format!("DELETE {path}"), 204, || writer.delete(&path));
                expect(&mut seen, format!("GET {path}"), 404, || reader.get(&path));
            }
        }
        seen
    }

    /// Rounds for so long.
    pub(crate) fn rounds_for(&mut self, duration: Duration) -> Vec<Seen> {
        let until = Instant::now() + duration;
        let mut seen = Vec::new();
        while Instant::now() < until {
            seen.extend(self.round());
        }
        seen
    }
}

/// Fails if a request took longer than `most`.
pub(crate) fn check_durations(seen: &[Seen], most: Duration) {
    let slowest = seen.iter().max_by_key(|seen| seen.took).expect("something was seen");
    assert!(slowest.took <= most, "{} took {:?}", slowest.what, slowest.took);
}

fn expect(seen: &mut Vec<Seen>, what: String, status: u16, request: impl FnOnce() -> Reply) -> Vec<u8> {
    let started = Instant::now();
    let reply = request();
    seen.push(Seen { what, status: reply.status(), took: started.elapsed() });
    let last = seen.last().expect("one was just added");
    assert_eq!(last.status, status, "{last:?}");
    match reply {
        Reply::Answer { body, .. } => body,
        Reply::Lost => Vec::new(),
    }
}
