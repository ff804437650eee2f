//! Swift's FormPost: a form with which a browser stores objects below a prefix.
//!
//! Source: "FormPost middleware" of the Swift documentation.
//!
//! What is signed, with lines parted by `\n`:
//!
//! ```text
//! /v1/<account>/<container>[/<prefix>]   the path that the form is posted to, decoded
//! <redirect>                             empty where the form has none
//! <max_file_size>
//! <max_file_count>
//! <expires>
//! ```

use bytes::Bytes;
use martlet_model::{ContainerId, Timestamp};

use crate::bearer::{Bearer, LinkKey};
use crate::link_signature::LinkSignature;

/// What of a form is signed, as it stands there; what the form leaves out is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct FormFields<'a> {
    pub redirect: &'a str,
    pub max_file_size: &'a str,
    pub max_file_count: &'a str,
    pub expires: &'a str,
    pub signature: &'a str,
}

/// Where the form is posted to.
#[derive(Clone, Copy, Debug)]
pub struct FormPlace<'a> {
    pub container: &'a ContainerId,
    /// What the path has after the container and a slash; `None`: it ends with the container's name.
    pub prefix: Option<&'a [u8]>,
}

/// A form whose signature is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What whoever sent the form may do.
    pub bearer: Bearer,
    /// An object's key is this and the name of its file.
    pub prefix: Bytes,
    /// The most bytes that one file may have.
    pub file_bytes_max: u64,
    /// The most files that the form may have.
    pub files_count_max: u64,
}

/// Why a form isn't accepted: the first three are malformed forms (400), the others are no good (401).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("max_file_size not an integer")]
    BadFileSize,
    #[error("max_file_count not an integer")]
    BadFileCount,
    #[error("expired not an integer")]
    BadExpires,
    #[error("form expired")]
    Expired,
    #[error("invalid signature")]
    InvalidSignature,
}

impl FormFields<'_> {
    /// Whether the form is good for the place. Compares in constant time.
    pub fn prove(
        &self,
        place: FormPlace<'_>,
        keys: &[LinkKey<'_>],
        now: Timestamp,
    ) -> Result<Form, FormError> {
        let files_count_max = number(self.max_file_count).ok_or(FormError::BadFileCount)?;
        let file_bytes_max = number(self.max_file_size).ok_or(FormError::BadFileSize)?;
        if number(self.expires).ok_or(FormError::BadExpires)? < now.as_seconds() {
            return Err(FormError::Expired);
        }
        let signature = LinkSignature::parse(self.signature).ok_or(FormError::InvalidSignature)?;
        signature.key_of(&self.message(place), keys).ok_or(FormError::InvalidSignature)?;
        let prefix = Bytes::copy_from_slice(place.prefix.unwrap_or_default());
        let bearer = Bearer::PutBelow { container: place.container.clone(), prefix: prefix.clone() };
        Ok(Form { bearer, prefix, file_bytes_max, files_count_max })
    }

    fn message(&self, place: FormPlace<'_>) -> Vec<u8> {
        let container = place.container;
        let head = format!("/v1/{}/{}", container.account, container.name);
        let slash: &[u8] = if place.prefix.is_some() { b"/" } else { b"" };
        let limits: [&str; 4] = [self.redirect, self.max_file_size, self.max_file_count, self.expires];
        let mut message = [head.as_bytes(), slash, place.prefix.unwrap_or_default()].concat();
        for (at, line) in limits.into_iter().enumerate() {
            message.push(b'\n');
            message.extend_from_slice(if at > 0 && line.is_empty() { b"0" } else { line.as_bytes() });
        }
        message
    }
}

/// Reads a number; what is left out is 0.
fn number(text: &str) -> Option<u64> {
    match text.trim() {
        "" => Some(0),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use martlet_model::{AccountName, ContainerName};
    use proptest::prelude::*;

    use super::*;
    use crate::bearer::KeyOf;

    const NOW: Timestamp = Timestamp::from_micros(1_512_508_000_000_000);
    const KEYS: [LinkKey<'static>; 2] =
        [LinkKey { of: KeyOf::Account, key: b"other" }, LinkKey { of: KeyOf::Container, key: b"mykey" }];
    // Signatures computed with Python's hmac and the key `mykey`.
    const FORM: FormFields<'static> = FormFields {
        redirect: "https://srv.com/some-page",
        max_file_size: "104857600",
        max_file_count: "10",
        expires: "1512508563",
        signature: "a6328d4b42f17ba9dc007361ffa10d301fd7cd1c4f5ee2efeef1acca9c0e55af",
    };

    fn container() -> ContainerId {
        let account = AccountName::parse(b"AUTH_account").unwrap();
        ContainerId { account, name: ContainerName::parse(b"container").unwrap() }
    }

    fn prove(form: FormFields<'_>, prefix: Option<&str>) -> Result<Form, FormError> {
        form.prove(FormPlace { container: &container(), prefix: prefix.map(str::as_bytes) }, &KEYS, NOW)
    }

    #[test]
    fn a_signed_form_stores_below_its_prefix() {
        let form = prove(FORM, Some("object_prefix")).unwrap();
        assert_eq!((form.file_bytes_max, form.files_count_max), (104_857_600, 10));
        let prefix = Bytes::from_static(b"object_prefix");
        assert_eq!(form.bearer, Bearer::PutBelow { container: container(), prefix });
    }

    #[test]
    fn every_digest_is_believed() {
        let sha1 = FormFields { redirect: "", signature: "6dd8c3f54899ef5770dce5b11d83506dc08506ce", ..FORM };
        assert!(prove(sha1, Some("object_prefix")).is_ok());
        let sha512 = FormFields {
            redirect: "",
            max_file_size: "100",
            max_file_count: "1",
            signature: "sha512:vM4mzZ-WHUzCsDBFdN-QjgLrO13H09dAubHi4nox-H6zDcCAe4CP9ebqPGgMUsoJrhkXQzjV6bzLTvOtHcwHJQ==",
            ..FORM
        };
        assert!(prove(sha512, None).is_ok());
        assert_eq!(prove(sha512, Some("")), Err(FormError::InvalidSignature));
    }

    #[test]
    fn nothing_that_is_signed_can_be_changed() {
        for form in [
            FormFields { redirect: "", ..FORM },
            FormFields { redirect: "https://evil.com", ..FORM },
            FormFields { max_file_size: "104857601", ..FORM },
            FormFields { max_file_count: "11", ..FORM },
            FormFields { expires: "1512508564", ..FORM },
            FormFields { signature: "", ..FORM },
        ] {
            assert_eq!(prove(form, Some("object_prefix")), Err(FormError::InvalidSignature), "{form:?}");
        }
        assert_eq!(prove(FORM, Some("object_prefi")), Err(FormError::InvalidSignature));
        assert_eq!(prove(FORM, None), Err(FormError::InvalidSignature));
    }

    #[test]
    fn what_is_no_number_is_named() {
        let check = |form, expected| assert_eq!(prove(form, None), Err(expected));
        check(FormFields { max_file_size: "big", ..FORM }, FormError::BadFileSize);
        check(FormFields { max_file_count: "-1", ..FORM }, FormError::BadFileCount);
        check(FormFields { expires: "1512508563.0", ..FORM }, FormError::BadExpires);
        check(FormFields { expires: "1512507999", ..FORM }, FormError::Expired);
        check(FormFields { expires: "", ..FORM }, FormError::Expired);
    }

    proptest! {
        #[test]
        fn no_unsigned_form_passes(a in ".{0,20}", b in "[0-9]{0,25}|.{0,9}", c in ".{0,90}", prefix in proptest::option::of(".{0,20}")) {
            let form = FormFields { redirect: &a, max_file_size: &b, max_file_count: &b, signature: &c, ..FORM };
            prop_assert!(prove(form, prefix.as_deref()).is_err());
        }
    }
}
