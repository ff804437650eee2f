//! Conditional requests: RFC 9110, section 13, already parsed.

use crate::content::ETagStyle;
use crate::object::ObjectInfo;
use crate::time::Timestamp;

/// What must hold of the present object. `style` says whose ETags the tags are, and how dates are shown:
/// S3 rounds an object's date down to the second, Swift rounds it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    pub style: ETagStyle,
    /// `If-Match`
    pub if_match: Match,
    /// `If-None-Match`
    pub if_none_match: Match,
    /// `If-Modified-Since`; ignored on writes, and where `If-None-Match` is given.
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`; ignored where `If-Match` is given.
    pub if_unmodified_since: Option<Timestamp>,
    /// The present object must have exactly this date, in whole seconds (S3's conditional delete). Of writes alone.
    pub if_modified_at: Option<Timestamp>,
    /// The present object must have exactly so many bytes (S3's conditional delete). Of writes alone.
    pub if_bytes: Option<u64>,
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Match {
    #[default]
    Unset,
    /// `*`: any present object.
    Any,
    /// One of these ETags, without quotes and weakness marks.
    OneOf(Vec<String>),
}

/// Which condition failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// A reader's copy is still good: 304.
    NotModified,
    /// 412.
    PreconditionFailed,
    /// `If-Match` on a key that doesn't exist: S3 says 404, Swift 412.
    NothingToMatch,
}

impl Conditions {
    pub fn none(style: ETagStyle) -> Self {
        Self {
            style,
            if_match: Match::Unset,
            if_none_match: Match::Unset,
            if_modified_since: None,
            if_unmodified_since: None,
            if_modified_at: None,
            if_bytes: None,
        }
    }

    pub fn is_none(&self) -> bool {
        *self == Self::none(self.style)
    }

    /// May the present object be read?
    pub fn check_read(&self, present: &ObjectInfo) -> Result<(), Unmet> {
        self.check_if_match(Some(present))?;
        match &self.if_none_match {
            Match::Unset => {
                if self
                    .if_modified_since
                    .is_some_and(|since| self.shown_seconds(present) <= since.as_seconds())
                {
                    return Err(Unmet::NotModified);
                }
            }
            tags if tags.includes(self.style, present) => return Err(Unmet::NotModified),
            Match::Any | Match::OneOf(_) => {}
        }
        Ok(())
    }

    /// May the present object (`None`: there is none) be replaced or removed?
    pub fn check_write(&self, present: Option<&ObjectInfo>) -> Result<(), Unmet> {
        self.check_if_match(present)?;
        let Some(present) = present else { return Ok(()) };
        let is_other_date =
            self.if_modified_at.is_some_and(|at| at.as_seconds() != present.modified.as_seconds());
        let is_other_size = self.if_bytes.is_some_and(|bytes| bytes != present.content.bytes);
        if is_other_date || is_other_size || self.if_none_match.includes(self.style, present) {
            return Err(Unmet::PreconditionFailed);
        }
        Ok(())
    }

    /// The object's date as its reader has seen it.
    fn shown_seconds(&self, present: &ObjectInfo) -> u64 {
        match self.style {
            ETagStyle::S3 => present.modified.as_seconds(),
            ETagStyle::Swift => present.modified.as_micros().div_ceil(1_000_000),
        }
    }

    fn check_if_match(&self, present: Option<&ObjectInfo>) -> Result<(), Unmet> {
        match (&self.if_match, present) {
            (Match::Unset, Some(present)) => match self.if_unmodified_since {
                Some(since) if self.shown_seconds(present) > since.as_seconds() => {
                    Err(Unmet::PreconditionFailed)
                }
                _ => Ok(()),
            },
            (Match::Unset, None) => Ok(()),
            (_, None) => Err(Unmet::NothingToMatch),
            (tags, Some(present)) if tags.includes(self.style, present) => Ok(()),
            _ => Err(Unmet::PreconditionFailed),
        }
    }
}

impl Match {
    fn includes(&self, style: ETagStyle, present: &ObjectInfo) -> bool {
        match self {
            Self::Unset => false,
            Self::Any => true,
            Self::OneOf(tags) => {
                let etag = present.content.etag(style);
                tags.contains(&etag)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Content, Digest, Md5};
    use crate::metadata::ObjectMetadata;

    fn object() -> ObjectInfo {
        let content = Content { bytes: 1, digest: Digest::Whole(Md5::of(b"a")) };
        ObjectInfo::new(content, ObjectMetadata::default(), Timestamp::from_micros(10_500_000))
    }

    fn conditions(if_match: Match, if_none_match: Match) -> Conditions {
        Conditions { if_match, if_none_match, ..Conditions::none(ETagStyle::S3) }
    }

    fn own() -> Match {
        Match::OneOf(vec![Md5::of(b"a").to_string()])
    }

    fn other() -> Match {
        Match::OneOf(vec!["other".to_owned()])
    }

    #[track_caller]
    fn check_read(conditions: &Conditions, expected: Result<(), Unmet>) {
        assert_eq!(conditions.check_read(&object()), expected);
    }

    #[track_caller]
    fn check_write(conditions: &Conditions, present: bool, expected: Result<(), Unmet>) {
        assert_eq!(conditions.check_write(present.then(object).as_ref()), expected);
    }

    #[test]
    fn reads() {
        check_read(&conditions(own(), Match::Unset), Ok(()));
        check_read(&conditions(Match::Any, Match::Unset), Ok(()));
        check_read(&conditions(other(), Match::Unset), Err(Unmet::PreconditionFailed));
        check_read(&conditions(Match::Unset, own()), Err(Unmet::NotModified));
        check_read(&conditions(Match::Unset, Match::Any), Err(Unmet::NotModified));
        check_read(&conditions(Match::Unset, other()), Ok(()));
    }

    #[test]
    fn dates_have_whole_seconds() {
        let since = |seconds: u64| Some(Timestamp::from_micros(seconds * 1_000_000));
        let modified =
            |seconds| Conditions { if_modified_since: since(seconds), ..Conditions::none(ETagStyle::S3) };
        let unmodified =
            |seconds| Conditions { if_unmodified_since: since(seconds), ..Conditions::none(ETagStyle::S3) };
        check_read(&modified(10), Err(Unmet::NotModified));
        check_read(&modified(9), Ok(()));
        check_read(&unmodified(10), Ok(()));
        check_read(&unmodified(9), Err(Unmet::PreconditionFailed));
        check_write(&unmodified(9), true, Err(Unmet::PreconditionFailed));
        check_write(&modified(10), true, Ok(()));
    }

    #[test]
    fn swift_shows_the_next_whole_second() {
        let unmodified = |seconds: u64| Conditions {
            if_unmodified_since: Some(Timestamp::from_micros(seconds * 1_000_000)),
            ..Conditions::none(ETagStyle::Swift)
        };
        check_write(&unmodified(10), true, Err(Unmet::PreconditionFailed));
        check_write(&unmodified(11), true, Ok(()));
        check_read(&unmodified(10), Err(Unmet::PreconditionFailed));
    }

    #[test]
    fn a_delete_may_name_the_date_and_the_size() {
        let at = |seconds: u64| Some(Timestamp::from_micros(seconds * 1_000_000));
        let date = |seconds| Conditions { if_modified_at: at(seconds), ..Conditions::none(ETagStyle::S3) };
        let size = |bytes| Conditions { if_bytes: Some(bytes), ..Conditions::none(ETagStyle::S3) };
        check_write(&date(10), true, Ok(()));
        check_write(&date(11), true, Err(Unmet::PreconditionFailed));
        check_write(&date(11), false, Ok(()));
        check_write(&size(1), true, Ok(()));
        check_write(&size(2), true, Err(Unmet::PreconditionFailed));
    }

    #[test]
    fn writes() {
        check_write(&conditions(Match::Unset, Match::Any), false, Ok(()));
        check_write(&conditions(Match::Unset, Match::Any), true, Err(Unmet::PreconditionFailed));
        check_write(&conditions(Match::Unset, own()), true, Err(Unmet::PreconditionFailed));
        check_write(&conditions(Match::Unset, other()), true, Ok(()));
        check_write(&conditions(own(), Match::Unset), true, Ok(()));
        check_write(&conditions(other(), Match::Unset), true, Err(Unmet::PreconditionFailed));
        check_write(&conditions(own(), Match::Unset), false, Err(Unmet::NothingToMatch));
    }
}
