//! How a person gets in: what `serve` prints, and the file that clients read.

use super::secrets::UserFile;

/// The region that clients are told; any name would do, since the signature carries it.
pub(crate) const REGION: &str = "us-east-1";

/// The content of `DIR/credentials.env`: variables that clients read by themselves.
/// Clients know one endpoint, the first; `MARTLET_ENDPOINTS` has them all.
pub(crate) fn environment(user: &UserFile, endpoints: &[String]) -> String {
    let endpoint = endpoints.first().map_or("", String::as_str);
    format!(
        "# For a shell: set -a; . ./credentials.env; set +a\n\
         AWS_ACCESS_KEY_ID={access_key}\n\
         AWS_SECRET_ACCESS_KEY={secret_key}\n\
         AWS_DEFAULT_REGION={REGION}\n\
         AWS_ENDPOINT_URL={endpoint}\n\
         ST_AUTH={endpoint}/auth/v1.0\n\
         ST_USER={name}\n\
         ST_KEY={swift_key}\n\
         MARTLET_ENDPOINTS={all}\n",
        all = endpoints.join(","),
        access_key = user.access_key,
        secret_key = user.secret_key,
        name = user.name,
        swift_key = user.swift_key,
    )
}

/// What a person reads who has just typed `martlet serve`.
pub(crate) fn greeting(user: &UserFile, endpoint: &str, environment_file: &str) -> String {
    let address = endpoint.trim_start_matches("http://");
    format!(
        "Martlet serves S3 and Swift at {endpoint}\n\
         \n\
         S3     access key  {access_key}\n\
         \x20      secret key  {secret_key}\n\
         \x20      region      {REGION}\n\
         Swift  auth URL    {endpoint}/auth/v1.0\n\
         \x20      user        {name}\n\
         \x20      key         {swift_key}\n\
         \n\
         To use it from another shell, paste:\n\
         \n\
         \x20 set -a; . {environment_file}; set +a\n\
         \x20 aws s3 mb s3://first && aws s3 cp README.md s3://first/ && aws s3 ls s3://first\n\
         \x20 s3cmd --host={address} --host-bucket={address} --no-ssl \
         --access_key=$AWS_ACCESS_KEY_ID --secret_key=$AWS_SECRET_ACCESS_KEY ls\n\
         \x20 swift upload second README.md && swift list second\n",
        access_key = user.access_key,
        secret_key = user.secret_key,
        name = user.name,
        swift_key = user.swift_key,
    )
}
