//! `/info`: what this server can do, and how much of it.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use martlet_model::limits::{
    ACCOUNT_NAME_BYTES_MAX, CONTAINER_NAME_BYTES_MAX, LISTING_ENTRIES_MAX, OBJECT_KEY_BYTES_MAX,
    PART_BYTES_MIN, PART_NUMBER_MAX, PUT_BYTES_MAX, USER_METADATA_BYTES_MAX, USER_METADATA_COUNT_MAX,
};
use serde_json::json;

use super::answer;
use super::bulk;
use super::extract;
use super::headers::{HEADER_VALUE_BYTES_MAX, METADATA_NAME_BYTES_MAX, METADATA_VALUE_BYTES_MAX};
use super::heartbeat;
use super::slo;
use crate::{large, links, s3};

/// The name of the one storage policy. It is the name that Swift gives to its first.
pub(super) const STORAGE_POLICY: &str = "Policy-0";

/// Names nothing that isn't offered: a client takes a section (`slo`, `bulk_delete`, `tempurl`) for a promise.
pub(super) fn answer() -> Response {
    let capabilities = json!({
        "swift": {
            "version": env!("CARGO_PKG_VERSION"),
            "valid_api_versions": ["v1", "v1.0"],
            "account_autocreate": true,
            "allow_account_management": false,
            // An object that has ended is none, whoever asks: `X-Open-Expired` means nothing.
            "allow_open_expired": false,
            "account_listing_limit": LISTING_ENTRIES_MAX,
            "container_listing_limit": LISTING_ENTRIES_MAX,
            "max_account_name_length": ACCOUNT_NAME_BYTES_MAX,
            "max_container_name_length": CONTAINER_NAME_BYTES_MAX,
            "max_object_name_length": OBJECT_KEY_BYTES_MAX,
            "max_file_size": PUT_BYTES_MAX,
            "max_header_size": HEADER_VALUE_BYTES_MAX,
            "max_meta_name_length": METADATA_NAME_BYTES_MAX,
            "max_meta_value_length": METADATA_VALUE_BYTES_MAX,
            "max_meta_count": USER_METADATA_COUNT_MAX,
            "max_meta_overall_size": USER_METADATA_BYTES_MAX,
            "strict_cors_mode": true,
            "policies": [{ "name": STORAGE_POLICY, "aliases": STORAGE_POLICY, "default": true }],
        },
        "account_quotas": {},
        "container_quotas": {},
        "formpost": { "allowed_digests": martlet_auth::DIGESTS },
        "object_versioning": {},
        // The section by which clients of Swift's own v1 authentication learn of account ACLs.
        "tempauth": { "account_acls": true },
        "tempurl": {
            "methods": martlet_auth::temp_url::METHODS,
            "allowed_digests": martlet_auth::DIGESTS,
            "incoming_remove_headers": ["x-timestamp"],
            "incoming_allow_headers": [],
            "outgoing_remove_headers": ["x-object-meta-*"],
            "outgoing_allow_headers": ["x-object-meta-public-*"],
        },
        "versioned_writes": { "allowed_flags": ["x-versions-location", "x-history-location"] },
        "slo": {
            "max_manifest_segments": slo::SEGMENTS_COUNT_MAX,
            "max_manifest_size": slo::MANIFEST_BYTES_MAX,
            "min_segment_size": 1,
            "yield_frequency": heartbeat::BEAT_INTERVAL.as_secs(),
            "allow_async_delete": false,
        },
        "symlink": { "symloop_max": links::LINKS_COUNT_MAX, "static_links": true },
        "dlo": { "max_segments": large::SEGMENTS_COUNT_MAX },
        "bulk_upload": {
            "max_containers_per_extraction": extract::CONTAINERS_COUNT_MAX,
            "max_failed_extractions": extract::FAILURES_COUNT_MAX,
        },
        "s3api": {
            "max_bucket_listing": s3::PAGE_MAX,
            "max_parts_listing": s3::PARTS_PAGE_MAX,
            "max_upload_part_num": PART_NUMBER_MAX,
            "max_multi_delete_objects": s3::DELETED_KEYS_COUNT_MAX,
            "allow_multipart_uploads": true,
            "min_segment_size": PART_BYTES_MIN,
            "s3_acl": true,
        },
        "bulk_delete": {
            "max_deletes_per_request": bulk::NAMES_COUNT_MAX,
            "max_failed_deletes": bulk::FAILURES_COUNT_MAX,
        },
    });
    answer::whole(
        StatusCode::OK,
        HeaderMap::new(),
        "application/json; charset=UTF-8",
        capabilities.to_string(),
    )
}
