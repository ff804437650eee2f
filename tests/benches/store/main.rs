//! What Martlet costs: rates, latencies, CPU time and memory of all server processes, over HTTP.
//!
//! ```sh
//! cargo build --release
//! cargo bench -p martlet-tests --bench store -- operations --seconds 10 --clients 16
//! ```
//!
//! Without more it makes a cluster of three nodes and a proxy, as `martlet init` does; with `--serve` it is one process.
//! CPU time (user and system, of all server processes) is the figure to compare: a busy machine disturbs it least.

#![expect(clippy::print_stdout, reason = "its tables are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod containers;
mod load;
mod loader;
mod memory;
mod objects;
mod operations;
mod pieces;
mod requests;
mod size;
mod target;

use clap::{Parser, Subcommand};

use crate::target::{Target, TargetOptions};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    target: TargetOptions,
    #[command(subcommand)]
    measurement: Measurement,
    /// Cargo says so to every benchmark.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Measurement {
    /// What single operations cost.
    Operations(operations::Options),
    /// Whether memory stays within its bound under many large bodies at once.
    Memory(memory::Options),
    /// Large objects: joining thousands of parts, and reading what is made of a thousand pieces.
    Pieces(pieces::Options),
    /// A container of millions of objects, which are written straight into the devices.
    Objects(objects::Options),
    /// An account of thousands of containers.
    Containers(containers::Options),
}

fn main() {
    let arguments = Arguments::parse();
    let mut target = Target::start(&arguments.target);
    match arguments.measurement {
        Measurement::Operations(options) => operations::run(&target, &options),
        Measurement::Memory(options) => memory::run(&target, &options),
        Measurement::Pieces(options) => pieces::run(&mut target, &options),
        Measurement::Objects(options) => objects::run(&mut target, &options),
        Measurement::Containers(options) => containers::run(&mut target, &options),
    }
    println!("\nafter the load: {}", target.memory());
}
