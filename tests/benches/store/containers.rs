//! An account of thousands of containers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use martlet_tests::files;

use crate::load::{Outcome, drive};
use crate::requests::{Body, Dialect, Page, Requests};
use crate::target::Target;

const LISTING_ENTRIES: usize = 1000;
const SMALL_BYTES: usize = 4096;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Containers.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// How long each operation is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[arg(long, default_value_t = 16)]
    clients: usize,
}

pub(crate) fn run(target: &mut Target, options: &Options) {
    let (count, clients) = (options.count, options.clients);
    let requests = Requests::new(target, Dialect::Swift);
    let nothing = Body::none();
    println!(
        "\n| {count} containers | clients | per second | p50 ms | p99 ms | errors | server CPU ms each |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let measure =
        |name: &str, limit: Option<usize>, body: &Body, head: &(dyn Fn(usize) -> Vec<u8> + Sync)| {
            let next = AtomicUsize::new(0);
            let duration = limit.is_none().then(|| Duration::from_secs(options.seconds));
            let (before, start) = (target.cpu(), Instant::now());
            let outcome = drive(&target.addresses(), clients, duration, |connection| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let is_left = limit.is_none_or(|limit| number < limit);
                is_left.then(|| Ok(connection.exchange(&head(number), &body.bytes)? / 100 == 2))
            });
            let cpu = (target.cpu() - before).all;
            print(name, clients, (start.elapsed(), cpu), &outcome);
        };
    measure("make a container", Some(count), &nothing, &|number| {
        requests.head("PUT", &container(number), &nothing)
    });
    measure("list 1000 containers of the account", None, &nothing, &|number| {
        let marker = container(number.wrapping_mul(7919) % count);
        requests.page("", &Page { marker: &marker, entries: LISTING_ENTRIES, ..Page::default() })
    });
    let body = Body::new(files::bytes(1, SMALL_BYTES));
    let path = |number: usize| format!("{}/object", container(number.wrapping_mul(7919) % count));
    measure("PUT 4 KiB, each in another container", Some(count), &body, &|number| {
        requests.head("PUT", &path(number), &body)
    });
    measure("GET 4 KiB, each in another container", None, &nothing, &|number| {
        requests.head("GET", &path(number), &nothing)
    });
    measure("HEAD of the account", None, &nothing, &|_| requests.head("HEAD", "", &nothing));
    println!("\n{}", target.memory());
    target.start_again();
}

fn print(name: &str, clients: usize, (elapsed, cpu): (Duration, Duration), outcome: &Outcome) {
    let count = outcome.latencies.len() as f64;
    println!(
        "| {name} | {clients} | {:.0} | {:.2} | {:.2} | {} | {:.3} |",
        count / elapsed.as_secs_f64(),
        outcome.percentile_ms(50),
        outcome.percentile_ms(99),
        outcome.errors,
        cpu.as_secs_f64() * 1e3 / count,
    );
}

fn container(number: usize) -> String {
    format!("container-{number:06}")
}
