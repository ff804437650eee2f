//! What an operation through `martlet serve` costs: rate, latency, and CPU time of the server.
//!
//! ```sh
//! cargo build --release
//! cargo bench -p martlet-tests --bench serve -- --seconds 10 --clients 16
//! ```
//!
//! CPU time (user and system, of the whole server process) is the figure to compare: a busy machine disturbs it least.

#![expect(clippy::print_stdout, reason = "its table is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod connection;
mod load;
mod process;

use std::time::{Duration, Instant};

use martlet_tests::server::Server;
use martlet_tests::swift::Session;

use crate::load::{Load, Operation};

/// One line of the table.
struct Case {
    name: &'static str,
    operation: Operation,
    body_bytes: usize,
    clients: usize,
}

fn main() {
    let seconds = argument("--seconds").unwrap_or(5);
    let clients = argument("--clients").unwrap_or(16);
    let work = tempfile::tempdir().expect("a temporary folder can be made");
    let start = Instant::now();
    let server = Server::start(&work.path().join("data"));
    println!("start to ready: {:.2} s", start.elapsed().as_secs_f64());
    std::thread::sleep(Duration::from_secs(1));
    println!("resident, idle: {:.1} MiB", process::resident_mib(server.id()));
    let session = Session::open(&server);
    assert_eq!(session.put("bench", b"").status(), 201);

    let large_clients = clients.min(4);
    let cases = [
        Case { name: "PUT 4 KiB", operation: Operation::Put, body_bytes: 4 << 10, clients },
        Case { name: "GET 4 KiB", operation: Operation::Get, body_bytes: 4 << 10, clients },
        Case { name: "HEAD 4 KiB", operation: Operation::Head, body_bytes: 4 << 10, clients },
        Case { name: "LIST 1000", operation: Operation::List, body_bytes: 0, clients: large_clients },
        Case { name: "DELETE 4 KiB", operation: Operation::Delete, body_bytes: 4 << 10, clients },
        Case { name: "PUT 64 MiB", operation: Operation::Put, body_bytes: 64 << 20, clients: large_clients },
        Case { name: "GET 64 MiB", operation: Operation::Get, body_bytes: 64 << 20, clients: large_clients },
    ];
    println!(
        "\n| operation | clients | per second | MiB/s | p50 ms | p99 ms | server CPU ms per operation | per MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for case in &cases {
        run(&server, &session, case, Duration::from_secs(seconds as u64));
    }
    println!("\nresident, after the load: {:.1} MiB", process::resident_mib(server.id()));
}

fn run(server: &Server, session: &Session, case: &Case, duration: Duration) {
    let load = Load::new(server, session, case.operation, case.body_bytes);
    let before = process::cpu(server.id());
    let start = Instant::now();
    let mut latencies = load.run(case.clients, duration);
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), process::cpu(server.id()).saturating_sub(before));
    latencies.sort_unstable();
    let count = latencies.len();
    assert!(count > 0, "{}: nothing was done", case.name);
    let percentile = |share: usize| latencies[(count * share / 100).min(count - 1)].as_secs_f64() * 1e3;
    let mib = case.body_bytes as f64 / f64::from(1 << 20);
    let cpu_ms = cpu.as_secs_f64() * 1e3 / count as f64;
    let per_mib = if mib >= 1.0 { format!("{:.2}", cpu_ms / mib) } else { "-".to_owned() };
    println!(
        "| {} | {} | {:.0} | {:.0} | {:.2} | {:.2} | {cpu_ms:.3} | {per_mib} |",
        case.name,
        case.clients,
        count as f64 / elapsed,
        count as f64 * mib / elapsed,
        percentile(50),
        percentile(99),
    );
}

fn argument(name: &str) -> Option<usize> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)?.parse().ok()
}
