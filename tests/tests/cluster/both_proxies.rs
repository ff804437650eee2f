//! Proxies are equal: whatever one of them did, the others know.

use std::time::Duration;

use martlet_tests::cluster::Cluster;
use martlet_tests::swift::Reply;

use crate::work::Work;

#[test]
fn what_goes_in_by_one_proxy_comes_out_by_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(folder.path());
    let seen = Work::begin(&cluster).rounds_for(Duration::from_secs(1));
    assert!(seen.len() >= 28, "a round through both proxies has 28 requests, not {}", seen.len());
}

#[test]
fn a_token_of_one_proxy_is_good_at_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(folder.path());
    let session = cluster.session(0);
    let elsewhere = session.through(cluster.endpoints()[1]);
    assert_eq!(elsewhere.put("box", b"").status(), 201);
    assert_eq!(session.put("box/a", b"one").status(), 201);
    assert_eq!(elsewhere.get("box/a"), Reply::Answer { status: 200, body: b"one".to_vec() });
}

#[test]
fn of_two_creations_through_two_proxies_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(folder.path());
    let sessions = [cluster.session(0), cluster.session(1)];
    assert_eq!(sessions[0].put("box", b"").status(), 201);
    for round in 0..20 {
        let key = format!("box/{round}");
        let create = |session: martlet_tests::swift::Session| {
            let key = key.clone();
            std::thread::spawn(move || session.create(&key, b"mine").status())
        };
        let racing: Vec<_> = sessions.iter().cloned().map(create).collect();
        let mut statuses: Vec<_> = racing.into_iter().map(|racing| racing.join().unwrap()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 412], "{key}");
    }
}
