//! What single operations cost.

use std::time::{Duration, Instant};

use martlet_tests::connection::Connection;

use crate::load::{Load, Operation, Work};
use crate::requests::{Body, Dialect, Requests};
use crate::size::Size;
use crate::target::Target;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_delimiter = ',', default_value = "put,get,head,list,delete,mixed")]
    operations: Vec<Operation>,
    /// Sizes of the objects. Of large ones (1m and more) only PUT and GET are measured.
    #[arg(long, value_delimiter = ',', default_value = "4k,64m")]
    sizes: Vec<Size>,
    #[arg(long, value_delimiter = ',', default_value = "swift")]
    dialects: Vec<Dialect>,
    /// Clients at once.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// The same where objects are large, and for listings.
    #[arg(long, default_value_t = 4)]
    large_clients: usize,
    /// How long each operation is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Small objects that are read and listed.
    #[arg(long, default_value_t = 10_000)]
    objects: usize,
    /// How often all is measured.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

pub(crate) fn run(target: &Target, options: &Options) {
    make_container(target, "bench");
    heading();
    let mut errors = 0;
    for _ in 0..options.rounds {
        for size in &options.sizes {
            for operation in &options.operations {
                let is_fitting = !size.is_large() || matches!(operation, Operation::Put | Operation::Get);
                for dialect in options.dialects.iter().filter(|_| is_fitting) {
                    errors += measure(target, options, *dialect, (*operation, *size));
                }
            }
        }
    }
    assert_eq!(errors, 0, "some operations failed");
}

/// Makes a container that both dialects know.
pub(crate) fn make_container(target: &Target, name: &str) {
    let requests = Requests::new(target, Dialect::Swift);
    let mut connection = Connection::open(&target.addresses()[0]).expect("the server accepts");
    let status = connection.exchange(&requests.head("PUT", name, &Body::none()), b"");
    assert!(status.is_ok_and(|status| [201, 202].contains(&status)), "the container can be made");
}

/// The table's first lines.
fn heading() {
    println!(
        "\n| operation | by | clients | per second | MiB/s | p50 ms | p99 ms | errors | server CPU ms per operation | of it proxies | per MiB | resident MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
}

fn measure(
    target: &Target,
    options: &Options,
    dialect: Dialect,
    (operation, size): (Operation, Size),
) -> usize {
    let requests = Requests::new(target, dialect);
    let load = Load::new(target, &requests, &Work { operation, size, objects: options.objects });
    let is_heavy = size.is_large() || operation == Operation::List;
    let clients = if is_heavy { options.large_clients } else { options.clients };
    let (before, start) = (target.cpu(), Instant::now());
    let outcome = load.run(clients, Duration::from_secs(options.seconds));
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), target.cpu() - before);
    let count = outcome.latencies.len();
    let each_ms = |cpu: Duration| cpu.as_secs_f64() * 1e3 / count as f64;
    let name = match operation {
        Operation::List => "LIST 1000".to_owned(),
        operation => format!("{} {size}", format!("{operation:?}").to_uppercase()),
    };
    let per_mib =
        if size.is_large() { format!("{:.2}", each_ms(cpu.all) / size.mib()) } else { "-".to_owned() };
    println!(
        "| {name} | {dialect:?} | {clients} | {:.0} | {:.0} | {:.2} | {:.2} | {} | {:.3} | {:.3} | {per_mib} | {:.0} |",
        count as f64 / elapsed,
        if operation == Operation::List { 0.0 } else { count as f64 * size.mib() / elapsed },
        outcome.percentile_ms(50),
        outcome.percentile_ms(99),
        outcome.errors,
        each_ms(cpu.all),
        each_ms(cpu.proxies),
        target.resident_mib(),
    );
    outcome.errors
}
