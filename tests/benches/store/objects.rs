//! A container of millions of objects, which are written straight into the devices.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use martlet_protocol::TableKind;
use martlet_tests::connection::Connection;
use martlet_tests::files;

use crate::load::drive;
use crate::loader::Loader;
use crate::operations::make_container;
use crate::requests::{Body, Dialect, Page, Requests};
use crate::target::Target;

/// Objects before and after the container is filled, for scale.
const FEW: usize = 10_000;
const OBJECTS_PER_FOLDER: usize = 1000;
const LISTING_ENTRIES: usize = 1000;
const SMALL_BYTES: usize = 4096;
/// What a row takes on each of its devices, index and log; a little more than was measured.
const ROW_BYTES: usize = 320;
const REPLICAS: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Objects.
    #[arg(long, default_value_t = 10_000_000)]
    count: usize,
    /// How long each operation is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[arg(long, default_value_t = 4)]
    clients: usize,
}

pub(crate) fn run(target: &mut Target, options: &Options) {
    let disk_gib = options.count * ROW_BYTES * REPLICAS / (1 << 30);
    println!("{} objects take about {disk_gib} GiB of disk", options.count);
    make_container(target, "bench");
    let requests = Requests::new(target, Dialect::Swift);
    let mut connection = Connection::open(&target.addresses()[0]).expect("the server accepts");
    let template = requests.head("PUT", &format!("bench/{}", key(0)), &Body::none());
    assert!(connection.exchange(&template, b"").is_ok_and(|status| status == 201), "an object can be made");
    drop(connection);

    fill(target, 1..FEW);
    println!(
        "\n| objects | operation | clients | p50 ms | p99 ms | errors | server CPU ms each | of it proxies |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    measure_all(target, options, FEW);
    fill(target, FEW..options.count);
    measure_all(target, options, options.count);
}

fn fill(target: &mut Target, numbers: std::ops::Range<usize>) {
    let start = Instant::now();
    let loader = Loader::open(target.stopped());
    let template = loader.template(TableKind::Objects);
    let count = numbers.len();
    loader.fill(&template, numbers.map(|number| Bytes::from(key(number))));
    loader.close();
    eprintln!("{count} objects were written in {:.0} s", start.elapsed().as_secs_f64());
    target.start_again();
}

fn measure_all(target: &Target, options: &Options, count: usize) {
    let requests = Requests::new(target, Dialect::Swift);
    let nothing = Body::none();
    let page =
        |marker: &str| requests.page("bench", &Page { marker, entries: LISTING_ENTRIES, ..Page::default() });
    let spread = |number: usize| number.wrapping_mul(7_368_787) % count;
    let report = |name: &str, body: &Body, head: &(dyn Fn(usize) -> Vec<u8> + Sync)| {
        measure(target, options, &format!("| {count} | {name}"), (body, head));
    };
    report("list 1000, at the start", &nothing, &|number| page(&key(number % 1000)));
    report("list 1000, in the middle", &nothing, &|number| page(&key(count / 2 + number % 1000)));
    report("list 1000, at the end", &nothing, &|number| page(&key(count - 1001 - number % 1000)));
    report("list 1000, anywhere", &nothing, &|number| page(&key(spread(number))));
    report("list a prefix with 1000 keys", &nothing, &|number| {
        let prefix = folder(spread(number));
        requests.page("bench", &Page { prefix: &prefix, entries: LISTING_ENTRIES, ..Page::default() })
    });
    report("list 1000 common prefixes", &nothing, &|number| {
        let marker = folder(spread(number) / 2);
        let page = Page { marker: &marker, delimiter: "/", entries: LISTING_ENTRIES, ..Page::default() };
        requests.page("bench", &page)
    });
    let body = Body::new(files::bytes(1, SMALL_BYTES));
    let path = |number: usize| format!("bench/{}-{count}", key(spread(number)));
    report("PUT 4 KiB among them", &body, &|number| requests.head("PUT", &path(number), &body));
    report("GET 4 KiB of those", &nothing, &|number| requests.head("GET", &path(number % 100), &nothing));
    report("GET of an empty one", &nothing, &|number| {
        requests.head("GET", &format!("bench/{}", key(spread(number))), &nothing)
    });
    report("HEAD of the container", &nothing, &|_| requests.head("HEAD", "bench", &nothing));
    eprintln!("{count} objects: {}", target.memory());
}

/// Measures one request after the other, made by their numbers, and prints a line that begins with `title`.
fn measure(
    target: &Target,
    options: &Options,
    title: &str,
    (body, head): (&Body, &(dyn Fn(usize) -> Vec<u8> + Sync)),
) {
    let next = AtomicUsize::new(0);
    let before = target.cpu();
    let duration = Duration::from_secs(options.seconds);
    let outcome = drive(&target.addresses(), options.clients, Some(duration), |connection| {
        let head = head(next.fetch_add(1, Ordering::Relaxed));
        Some(connection.exchange(&head, &body.bytes).map(|status| status / 100 == 2))
    });
    let cpu = target.cpu() - before;
    let each_ms = |cpu: Duration| cpu.as_secs_f64() * 1e3 / outcome.latencies.len() as f64;
    println!(
        "{title} | {} | {:.2} | {:.2} | {} | {:.3} | {:.3} |",
        options.clients,
        outcome.percentile_ms(50),
        outcome.percentile_ms(99),
        outcome.errors,
        each_ms(cpu.all),
        each_ms(cpu.proxies),
    );
}

fn key(number: usize) -> String {
    format!("{}{number:09}", folder(number))
}

fn folder(number: usize) -> String {
    format!("folder-{:06}/", number / OBJECTS_PER_FOLDER)
}
