//! `martlet`: the one binary.

#![expect(clippy::print_stdout, reason = "a command speaks to the person who typed it")]

mod absent;
mod admin;
mod clock;
mod config;
mod credentials;
mod devices;
mod files;
mod front;
mod fsck;
mod health;
mod init;
mod join;
mod keeper;
mod link_tls;
mod log;
mod network;
mod node;
mod process;
mod proxy;
mod reach;
mod refill;
mod ring;
mod secrets;
mod serve;
mod status;
mod user;
mod watch;
mod workers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::log::{Log, LogFormat};

/// Gives memory back to the system soon after a burst; docs/performance.md has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An object store that speaks OpenStack Swift and Amazon S3 over one namespace.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve both APIs from one process, over three devices below one folder.
    Serve(serve::Options),
    /// Make the folder of a cluster of several processes on this machine, for trying, testing and measuring.
    Init(init::Options),
    /// Serve both APIs over the storage nodes of a cluster.
    Proxy(proxy::Options),
    /// Serve devices to the proxies of a cluster.
    Node(node::Options),
    /// Make, show and change the ring, which says what lies where.
    Ring(ring::Options),
    /// Say which devices of a cluster answer, and whether that is enough.
    Status(status::Options),
    /// Say whether a process is ready to work.
    Health(health::Options),
    /// Make a certificate for the links of a process, signed by the cluster's authority.
    Certificate(link_tls::Options),
    /// Make, list and remove users, and change their keys.
    User(user::Options),
    /// Count, row by row and blob by blob, what isn't fully redundant.
    Fsck(fsck::Options),
}

impl Command {
    fn log_format(&self) -> LogFormat {
        match self {
            Self::Serve(options) => options.log_format,
            Self::Proxy(options) => config::log_format(&options.config),
            Self::Node(options) => config::log_format(&options.config),
            _ => LogFormat::Text,
        }
    }

    /// Does it go on until it is told to stop?
    fn serves(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Proxy(_) | Self::Node(_))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = if arguments.command.serves() { "info" } else { "warn" };
    let _log = Log::start(arguments.command.log_format(), level);
    let outcome: Result<(), Box<dyn std::error::Error>> = match arguments.command {
        Command::Serve(options) => serve::run(&options).map_err(Into::into),
        Command::Init(options) => init::run(&options).map_err(Into::into),
        Command::Proxy(options) => proxy::run(&options).map_err(Into::into),
        Command::Node(options) => node::run(&options).map_err(Into::into),
        Command::Ring(options) => ring::run(options).map_err(Into::into),
        Command::Status(options) => status::run(&options).map_err(Into::into),
        Command::Health(options) => health::run(&options).map_err(Into::into),
        Command::Certificate(options) => link_tls::run(&options).map_err(Into::into),
        Command::User(options) => user::run(&options).map_err(Into::into),
        Command::Fsck(options) => fsck::run(&options).map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

/// An error and everything that it comes from. Some errors tell their source themselves; nothing is told twice.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string().trim_end().to_owned();
    let mut source = error.source();
    while let Some(error) = source {
        let told = error.to_string();
        if !text.ends_with(told.trim_end()) {
            text = format!("{text}: {}", told.trim_end());
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Sample {
        #[error("the lid can't be opened")]
        Silent(#[source] io::Error),
        #[error("the lid can't be opened: {0}")]
        Telling(#[source] io::Error),
    }

    #[test]
    fn an_error_is_told_with_what_it_comes_from_and_nothing_twice() {
        let told = "the lid can't be opened: it is stuck";
        assert_eq!(with_sources(&Sample::Silent(io::Error::other("it is stuck\n"))), told);
        assert_eq!(with_sources(&Sample::Telling(io::Error::other("it is stuck\n"))), told);
    }
}
