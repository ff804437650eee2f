//! `martlet health`: whether a process is ready, as its admin address says; for containers and scripts.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{self, ConfigError};

/// How long a process may take to answer.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    whose: Whose,
    /// Only ask whether the process lives.
    #[arg(long)]
    live: bool,
}

/// Which process is asked.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// The file of a proxy or node on this machine.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The admin address.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
}

/// Why a process isn't ready, or can't be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HealthError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the file names no admin address")]
    NoAddress,
    #[error("{address} doesn't answer")]
    NoAnswer { address: SocketAddr, source: io::Error },
    #[error("not ready: {0}")]
    NotReady(String),
}

/// Fails unless the process is ready.
pub(crate) fn run(options: &Options) -> Result<(), HealthError> {
    let address = match (&options.whose.admin, &options.whose.config) {
        (Some(address), _) => *address,
        (None, Some(config)) => config::admin_address(config)?.ok_or(HealthError::NoAddress)?,
        (None, None) => return Err(HealthError::NoAddress),
    };
    let address = reachable(address);
    let path = if options.live { "/healthcheck" } else { "/ready" };
    let answer = ask(address, path).map_err(|source| HealthError::NoAnswer { address, source })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) == Some("200") {
        println!("{}", body.trim());
        return Ok(());
    }
    Err(HealthError::NotReady(body.trim().to_owned()))
}

/// Who listens everywhere is reached by the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_DURATION_MAX)?;
    stream.set_read_timeout(Some(ANSWER_DURATION_MAX))?;
    stream.set_write_timeout(Some(ANSWER_DURATION_MAX))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_listens_everywhere_is_asked_over_the_loopback() {
        for (told, asked) in
            [("0.0.0.0:9400", "127.0.0.1:9400"), ("[::]:1", "[::1]:1"), ("10.0.0.1:9400", "10.0.0.1:9400")]
        {
            assert_eq!(reachable(told.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
