//! The log holds no secret, however much it tells.

use std::fs;
use std::process::Command;
use std::time::Duration;

use martlet_tests::cluster::{Cluster, Shape, martlet};
use martlet_tests::raw::{Answer, send_to};

use crate::s3::S3;

/// Every credential that was sent or is kept, with what it is.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, what: &str, secret: &str) -> String {
        assert!(secret.len() >= 8, "{what} is too short to be looked for: {secret}");
        self.0.push((what.to_owned(), secret.to_owned()));
        secret.to_owned()
    }
}

#[test]
fn no_secret_is_in_any_log_even_when_everything_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape::STANDARD);
    let processes = folder.path().join("processes.txt");
    let lines = fs::read_to_string(&processes).unwrap().replace('\t', "\tenv MARTLET_LOG=trace ");
    fs::write(&processes, lines).unwrap();
    cluster.launch_all();
    let mut secrets = Secrets::default();
    for line in fs::read_to_string(cluster.folder.join("proxy-1/cluster.toml")).unwrap().lines() {
        let kept = ["placement_key", "token_secret", "link_secret", "swift_key", "secret_key"];
        if let Some((name, value)) = line.split_once(" = ").filter(|(name, _)| kept.contains(name)) {
            secrets.add(name, value.trim_matches('"'));
        }
    }
    assert_eq!(secrets.0.len(), 5);
    send_swift_credentials(&cluster, &mut secrets);
    send_s3_credentials(&cluster, &mut secrets);
    let config = cluster.config("proxy-2");
    let added = martlet(&["user", "add", "--config", &config.to_string_lossy(), "team:ada"]);
    assert!(added.status.success());
    for line in String::from_utf8(added.stdout).unwrap().lines() {
        for name in ["AWS_SECRET_ACCESS_KEY=", "ST_KEY="] {
            if let Some(key) = line.strip_prefix(name) {
                secrets.add(name, key);
            }
        }
    }
    let added = secrets.0.iter().find(|(what, _)| what == "ST_KEY=").expect("the command tells the key");
    let login = format!("X-Auth-User: team:ada\r\nX-Auth-Key: {}\r\n", added.1);
    assert_eq!(send(&cluster, "GET", "/auth/v1.0", &login, "").status, 200);
    // A log is written a moment after the request.
    std::thread::sleep(Duration::from_millis(300));
    for process in ["proxy-1", "proxy-2", "node-1", "node-2", "node-3"] {
        let log = cluster.log(process);
        assert!(log.contains(" INFO "), "{process} logs nothing");
        for (what, secret) in &secrets.0 {
            assert!(!log.contains(secret.as_str()), "{what} is in the log of {process}");
        }
    }
    assert!(cluster.log("proxy-1").lines().filter(|line| line.contains("operation=")).count() > 10);
}

fn send_swift_credentials(cluster: &Cluster, secrets: &mut Secrets) {
    let (user, key) = (cluster.variable("ST_USER"), cluster.variable("ST_KEY"));
    for names in [("X-Auth-User", "X-Auth-Key"), ("X-Storage-User", "X-Storage-Pass")] {
        let login = format!("{}: {user}\r\n{}: {key}\r\n", names.0, names.1);
        let answer = send(cluster, "GET", "/auth/v1.0", &login, "");
        assert_eq!(answer.status, 200, "{answer:?}");
        secrets.add("a token", &header(&answer, "x-auth-token"));
    }
    let wrong = secrets.add("a wrong key", "notthekeyofthisuser");
    let refused =
        send(cluster, "GET", "/auth/v1.0", &format!("X-Auth-User: {user}\r\nX-Auth-Key: {wrong}\r\n"), "");
    assert_eq!(refused.status, 401);
    let wrong = secrets.add("a wrong token", "AUTH_tkmadeupbysomebody");
    assert_eq!(send(cluster, "GET", "/v1/AUTH_main", &format!("X-Auth-Token: {wrong}\r\n"), "").status, 401);

    let token = secrets.0.iter().find(|(what, _)| what == "a token").expect("there is one").1.clone();
    let token = format!("X-Auth-Token: {token}\r\n");
    assert_eq!(send(cluster, "PUT", "/v1/AUTH_main/box", &token, "").status, 201);
    assert_eq!(send(cluster, "PUT", "/v1/AUTH_main/box/key", &token, "body").status, 201);
    let key = secrets.add("the key of links", "averysecretkeyoflinks");
    let keys = format!("{token}X-Account-Meta-Temp-URL-Key: {key}\r\n");
    assert_eq!(send(cluster, "POST", "/v1/AUTH_main", &keys, "").status, 204);
    let signature = hmac(&key, "GET\n4000000000\n/v1/AUTH_main/box/key");
    let signature = secrets.add("a link's signature", &signature);
    let link = format!("/v1/AUTH_main/box/key?temp_url_sig={signature}&temp_url_expires=4000000000");
    assert_eq!(send(cluster, "GET", &link, "", "").status, 200);
    let wrong = secrets.add("a wrong signature of a link", &"0123456789abcdef".repeat(4));
    let link = format!("/v1/AUTH_main/box/key?temp_url_sig={wrong}&temp_url_expires=4000000000");
    assert_eq!(send(cluster, "GET", &link, "", "").status, 401);
    let wrong = secrets.add("a wrong signature of a form", &"fedcba9876543210".repeat(4));
    let fields = [
        ("redirect", ""),
        ("max_file_size", "9"),
        ("max_file_count", "1"),
        ("expires", "4000000000"),
        ("signature", &wrong),
    ];
    let answer = send_form(cluster, "/v1/AUTH_main/box/", &fields);
    assert_eq!(answer.status, 401, "{answer:?}");
}

fn send_s3_credentials(cluster: &Cluster, secrets: &mut Secrets) {
    let s3 = S3::of(cluster, 0);
    for (method, path) in [("PUT", "box/other"), ("GET", "box/key"), ("GET", "box/none")] {
        let link = s3.link(method, path);
        let (_, target) = link.split_at(s3.endpoint().len());
        let signature = target.split("X-Amz-Signature=").nth(1).expect("the link is signed");
        secrets.add("a link's signature", signature.split('&').next().unwrap_or(signature));
        assert!(send(cluster, method, target, "", "").status < 500);
    }
    let signature = secrets.add("a signature", &"89abcdef01234567".repeat(4));
    let header = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={signature}\r\nX-Amz-Date: 20260101T000000Z\r\n",
        cluster.variable("AWS_ACCESS_KEY_ID")
    );
    assert!(is_refused(&send(cluster, "GET", "/box/key", &header, "")));
    let signature = secrets.add("a signature of version 2", "c2lnbmF0dXJlb2Z2Mg");
    let header = format!("Authorization: AWS {}:{signature}=\r\n", cluster.variable("AWS_ACCESS_KEY_ID"));
    assert!(is_refused(&send(cluster, "GET", "/box/key", &header, "")));
    let query = format!(
        "/box/key?AWSAccessKeyId={}&Expires=4000000000&Signature={signature}%3D",
        cluster.variable("AWS_ACCESS_KEY_ID")
    );
    assert!(is_refused(&send(cluster, "GET", &query, "", "")));
    let signature = secrets.add("a form's signature", &"7654321089abcdef".repeat(4));
    let credential = format!("{}/20260101/us-east-1/s3/aws4_request", cluster.variable("AWS_ACCESS_KEY_ID"));
    let fields = [
        ("key", "formed"),
        ("policy", "eyJleHBpcmF0aW9uIjoiMjA5OS0wMS0wMVQwMDowMDowMFoiLCJjb25kaXRpb25zIjpbXX0="),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", &credential),
        ("x-amz-date", "20260101T000000Z"),
        ("x-amz-signature", &signature),
    ];
    let answer = send_form(cluster, "/box", &fields);
    assert!(is_refused(&answer), "{answer:?}");
}

fn send(cluster: &Cluster, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let address = cluster.endpoints()[0].trim_start_matches("http://");
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n"
    );
    send_to(address, format!("{head}{headers}\r\n{body}").as_bytes())
}

fn send_form(cluster: &Cluster, target: &str, fields: &[(&str, &str)]) -> Answer {
    use std::fmt::Write as _;
    let mut body = String::new();
    for (name, value) in fields {
        write!(body, "--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").unwrap();
    }
    body.push_str("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nbytes\r\n--edge--\r\n");
    send(cluster, "POST", target, "Content-Type: multipart/form-data; boundary=edge\r\n", &body)
}

fn is_refused(answer: &Answer) -> bool {
    [400, 403].contains(&answer.status)
}

fn header(answer: &Answer, name: &str) -> String {
    let named = answer.head.lines().filter_map(|line| line.split_once(": "));
    named
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.to_owned())
        .next()
        .expect("a header")
}

/// HMAC-SHA256, in hexadecimal digits.
fn hmac(key: &str, text: &str) -> String {
    let program =
        "import hmac, sys; print(hmac.new(sys.argv[1].encode(), sys.argv[2].encode(), 'sha256').hexdigest())";
    let told = Command::new("python3").args(["-c", program, key, text]).output().expect("python3 runs");
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}
