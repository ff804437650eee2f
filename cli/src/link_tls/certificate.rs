//! `martlet certificate`: a certificate for the links of a process, signed by the cluster's authority.

use std::path::PathBuf;

use super::{Authority, AuthorityError, TlsFiles};
use crate::files;
use crate::process;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder of the authority; if there is none yet, an authority is made in it.
    #[arg(long, value_name = "DIR")]
    authority: PathBuf,
    /// A host by which the others reach the process: a name or an address, without a port. May be said again.
    #[arg(long = "host", value_name = "HOST", required = true)]
    hosts: Vec<String>,
    /// The folder for certificate.pem and key.pem, which are replaced, and for authority.pem,
    /// to which the authority is added if it isn't there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<(), AuthorityError> {
    process::keep_files_private();
    let authority = if options.authority.exists() {
        Authority::read(&options.authority)?
    } else {
        let authority = Authority::generate()?;
        authority.write(&options.authority)?;
        println!("{}: a new authority", options.authority.display());
        authority
    };
    let mut credentials = authority.certify(&options.hosts)?;
    files::make_folder(&options.out)?;
    let out = TlsFiles::within(&options.out);
    credentials.authority = out.with_authority(&credentials.authority);
    out.write(&credentials)?;
    println!("{}: a certificate for {}", options.out.display(), options.hosts.join(" and "));
    Ok(())
}
