//! Attributes of files, as archives have them.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::tar::{GNU_ATTRIBUTE, LIBARCHIVE_ATTRIBUTE};

/// What an attribute of a file says of the object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attribute<'a> {
    ContentType,
    Metadata(&'a str),
}

/// Base64 with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What it says, and the value; `None`: nothing that Swift knows of.
pub(super) fn attribute<'a>(keyword: &'a str, value: &[u8]) -> Option<(Attribute<'a>, Vec<u8>)> {
    let (name, value) = if let Some(name) = keyword.strip_prefix(GNU_ATTRIBUTE) {
        (name, value.to_vec())
    } else {
        let name = keyword.strip_prefix(LIBARCHIVE_ATTRIBUTE)?;
        (name, BASE64.decode(value).unwrap_or_else(|_| value.to_vec()))
    };
    match name {
        "user.mime_type" => Some((Attribute::ContentType, value)),
        _ => Some((Attribute::Metadata(name.strip_prefix("user.meta.")?), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_attribute(keyword: &str, value: &str, expected: Option<(Attribute<'_>, &str)>) {
        let expected = expected.map(|(name, value)| (name, value.as_bytes().to_vec()));
        assert_eq!(attribute(keyword, value.as_bytes()), expected, "{keyword}");
    }

    #[test]
    fn some_attributes_of_files_are_metadata_of_objects() {
        use Attribute::{ContentType, Metadata};
        check_attribute("SCHILY.xattr.user.meta.Lunch", "a b", Some((Metadata("Lunch"), "a b")));
        check_attribute("SCHILY.xattr.user.mime_type", "text/css", Some((ContentType, "text/css")));
        check_attribute("LIBARCHIVE.xattr.user.mime_type", "dGV4dC9jc3M", Some((ContentType, "text/css")));
        check_attribute("LIBARCHIVE.xattr.user.meta.a", "not Base64!", Some((Metadata("a"), "not Base64!")));
        check_attribute("SCHILY.xattr.user.other", "x", None);
        check_attribute("SCHILY.xattr.security.selinux", "x", None);
    }
}
