//! Users who come and go while the server runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use martlet_tests::client;
use martlet_tests::server::{Server, martlet};
use martlet_tests::swift::Session;

use crate::work::Work;

/// After so long a change is in force, whatever a proxy has kept.
const FORCE_DURATION_MAX: Duration = Duration::from_secs(5);

fn variables(printed: &str) -> BTreeMap<String, String> {
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Whether `aws` may list its buckets with these keys.
fn may_list(server: &Server, keys: &BTreeMap<String, String>) -> bool {
    let mut aws = client::command(server, "aws");
    aws.args(["s3", "ls"]).envs(keys);
    aws.output().expect("aws runs").status.success()
}

#[track_caller]
fn becomes(expected: bool, what: impl Fn() -> bool) {
    let deadline = Instant::now() + FORCE_DURATION_MAX;
    while what() != expected {
        assert!(Instant::now() < deadline, "the change isn't in force");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_user_is_made_listed_given_other_keys_and_removed_without_a_restart() {
    let work = Work::new();
    let server = Server::start(&work.data());
    let data = work.data().display().to_string();

    let keys = variables(&martlet(&format!("user add --data {data} team:ada --email ada@example.com")));
    assert!(!keys["AWS_SECRET_ACCESS_KEY"].contains([':', '/', '+', '@']));
    becomes(true, || may_list(&server, &keys));
    let session = Session::log_in(server.variable("ST_AUTH"), &keys["ST_USER"], &keys["ST_KEY"]);
    assert_eq!(session.put("box", b"").status(), 201);
    assert_eq!(session.put("box/key", b"hers").status(), 201);
    // The first user's account is another.
    assert!(!client::run(&server, "aws s3 ls").contains("box"));
    assert!(!client::attempt(&server, "aws s3 cp s3://box/key -").status.success());

    let listed = martlet(&format!("user list --data {data}"));
    assert!(listed.contains("team:ada") && listed.contains("ada@example.com"), "{listed}");
    assert!(
        !listed.contains(&keys["ST_KEY"]) && !listed.contains(&keys["AWS_SECRET_ACCESS_KEY"]),
        "a secret"
    );

    let others = variables(&martlet(&format!("user key --data {data} team:ada --replace")));
    becomes(true, || may_list(&server, &others));
    becomes(false, || may_list(&server, &keys));

    martlet(&format!("user remove --data {data} team:ada"));
    becomes(false, || may_list(&server, &others));
    becomes(true, || session.get("box/key").status() == 401);
    assert_eq!(martlet(&format!("user list --data {data}")), "");
}

#[test]
fn users_are_kept_through_a_restart_and_made_while_nothing_runs() {
    let work = Work::new();
    Server::start(&work.data()).terminate();
    let data = work.data().display().to_string();
    let keys = variables(&martlet(&format!("user add --data {data} team:ada")));
    let server = Server::start(&work.data());
    assert!(may_list(&server, &keys));
    assert!(martlet(&format!("fsck --data {data}")).contains("not fully redundant: 0"));
}
