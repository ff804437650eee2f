//! Large objects: joining thousands of parts, and reading what is made of a thousand pieces.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use martlet_protocol::TableKind;
use martlet_tests::connection::Connection;
use martlet_tests::files;

use crate::loader::Loader;
use crate::operations::make_container;
use crate::requests::{Body, Dialect, Requests};
use crate::size::Size;
use crate::target::Target;

/// S3's smallest part.
const PART_BYTES: usize = 5 << 20;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Parts that an S3 upload is completed from. One is sent; the others' rows are written into the devices.
    #[arg(long, default_value_t = 10_000)]
    parts: u16,
    /// Segments of a static large object.
    #[arg(long, default_value_t = 1000)]
    segments: usize,
    #[arg(long, value_delimiter = ',', default_value = "64k,1m")]
    sizes: Vec<Size>,
    /// How often each object is read.
    #[arg(long, default_value_t = 5)]
    reads: usize,
}

pub(crate) fn run(target: &mut Target, options: &Options) {
    make_container(target, "bench");
    println!("\n| {} segments of | read | MiB/s | server CPU ms per MiB |", options.segments);
    println!("| --- | --- | --- | --- |");
    for size in &options.sizes {
        read_in_turns(target, options, *size);
    }
    join(target, options.parts);
}

/// A static large object and a plain one of the same length, read in turns.
fn read_in_turns(target: &Target, options: &Options, size: Size) {
    let requests = Requests::new(target, Dialect::Swift);
    let mut connection = Connection::open(&target.addresses()[0]).expect("the server accepts");
    let mut put = |path: &str, body: &Body| {
        let status = connection.exchange(&requests.head("PUT", path, body), &body.bytes);
        assert!(status.is_ok_and(|status| status == 201), "{path} can be made");
    };
    let segment = Body::new(files::bytes(1, size.0));
    let mut manifest = String::from("[");
    for number in 0..options.segments {
        put(&format!("bench/segment-{}-{number:05}", size.0), &segment);
        let separator = if number == 0 { "" } else { "," };
        // Writing to a string can't fail.
        let _ = write!(manifest, "{separator}{{\"path\":\"/bench/segment-{}-{number:05}\"}}", size.0);
    }
    put("bench/joined?multipart-manifest=put", &Body::new(format!("{manifest}]").into_bytes()));
    put("bench/plain", &Body::new(files::bytes(1, size.0 * options.segments)));
    let mib = size.mib() * options.segments as f64;
    for (name, path) in [("plain", "bench/plain"), ("joined", "bench/joined")].repeat(options.reads) {
        let (before, start) = (target.cpu(), Instant::now());
        let head = requests.head("GET", path, &Body::none());
        assert!(connection.exchange(&head, b"").is_ok_and(|status| status == 200), "{path} can be read");
        let (elapsed, cpu) = (start.elapsed().as_secs_f64(), (target.cpu() - before).all);
        println!("| {size} | {name} | {:.0} | {:.2} |", mib / elapsed, cpu.as_secs_f64() * 1e3 / mib);
    }
}

/// Completes an upload of so many parts.
fn join(target: &mut Target, parts: u16) {
    let requests = Requests::new(target, Dialect::S3Unsigned);
    let address = target.addresses().remove(0);
    let part = Body::new(files::bytes(1, PART_BYTES));
    let mut connection = Connection::open(&address).expect("the server accepts");
    let begin = requests.head("POST", "bench/many?uploads=", &Body::none());
    let (status, answer) = connection.fetch(&begin, b"").expect("an upload can be begun");
    assert_eq!(status, 200);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (_, upload) = answer.split_once("<UploadId>").expect("the answer has an upload's id");
    let upload = upload.split('<').next().unwrap_or_default().to_owned();
    let put = requests.head("PUT", &format!("bench/many?partNumber=1&uploadId={upload}"), &part);
    connection.send(&put).expect("the head is sent");
    connection.send(&part.bytes).expect("the part is sent");
    let head = connection.head().expect("the part is taken");
    assert_eq!(head.status, 200);
    let etag = head.header("etag:").expect("a part has an ETag").to_owned();
    drop(connection);

    let loader = Loader::open(target.stopped());
    let template = loader.template(TableKind::Parts);
    loader.fill(&template, (2..=parts).map(|number| Bytes::copy_from_slice(&number.to_be_bytes())));
    loader.close();
    target.start_again();
    std::thread::sleep(Duration::from_secs(1));

    let mut list = String::from("<CompleteMultipartUpload>");
    for number in 1..=parts {
        // Writing to a string can't fail.
        let _ = write!(list, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = Body::new((list + "</CompleteMultipartUpload>").into_bytes());
    let complete = requests.head("POST", &format!("bench/many?uploadId={upload}"), &list);
    let mut connection = Connection::open(&address).expect("the server accepts");
    let (before, start) = (target.cpu(), Instant::now());
    let (status, answer) = connection.fetch(&complete, &list.bytes).expect("an upload can be completed");
    let (elapsed, cpu) = (start.elapsed(), (target.cpu() - before).all);
    let answer = String::from_utf8_lossy(&answer);
    assert!(status == 200 && answer.contains("<ETag>"), "{status} {answer}");
    println!(
        "\n{parts} parts were joined in {:.3} s, with {:.0} ms of server CPU",
        elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e3
    );
    let look = requests.head("HEAD", "bench/many", &Body::none());
    connection.send(&look).expect("the head is sent");
    let head = connection.head().expect("the object is there");
    assert_eq!((head.status, head.length()), (200, usize::from(parts) * PART_BYTES));
}
