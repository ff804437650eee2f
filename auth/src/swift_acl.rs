//! Swift's container ACLs: the headers `X-Container-Read` and `X-Container-Write`.
//!
//! Source: "Access Control Lists (ACLs)" of the Swift documentation.
//!
//! An ACL is a list of elements with commas between, in any order but for the referrers, of which the last that
//! fits decides:
//!
//! | element | whom it lets in |
//! | --- | --- |
//! | `account` | every user of the account |
//! | `account:user`, `account:*`, `*:user`, `*:*` | that user, every user of the account, users of that name, all users |
//! | `.r:*`, `.r:host`, `.r:.domain` | everybody, or whoever comes from a page of that host, or of a host in that domain |
//! | `.r:-host`, `.r:-.domain` | not whoever comes from there, where an earlier element would have |
//! | `.rlistings` | whom a referrer element lets in may list the container as well |
//!
//! Accounts are named with or without [`ACCOUNT_PREFIX`].

use crate::identity::User;

/// What the names of accounts begin with, and the names of accounts in users' names don't.
pub const ACCOUNT_PREFIX: &str = "AUTH_";

/// Which of a container's two ACLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `X-Container-Read`: getting objects, and listing the container.
    Read,
    /// `X-Container-Write`: storing, changing and removing objects.
    Write,
}

/// A container's ACL for one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SwiftAcl {
    elements: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Element {
    /// `account`, `account:user`, or whatever else may be the name of a group.
    Users(String),
    /// `.r:…`
    Referrer(Referrer),
    /// `.rlistings`
    Listings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Referrer {
    /// Let in, or keep out.
    admits: bool,
    /// `*`, a host, or a domain that begins with a dot.
    place: String,
}

/// Why a text is no ACL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwiftAclError {
    #[error("Referrers not allowed in write ACL: '{0}'")]
    ReferrerInWrite(String),
    #[error("No host/domain value after referrer designation in ACL: '{0}'")]
    NoReferrer(String),
    #[error("Unknown designator '{designator}' in ACL: '{element}'")]
    UnknownDesignator { designator: String, element: String },
}

impl SwiftAcl {
    /// Reads the value of a header. [`SwiftAcl::text`] of it is what is stored and shown.
    pub fn parse(direction: Direction, raw: &str) -> Result<Self, SwiftAclError> {
        let elements = raw.split(',').map(str::trim).filter(|element| !element.is_empty());
        Ok(Self {
            elements: elements.map(|element| parse_element(direction, element)).collect::<Result<_, _>>()?,
        })
    }

    /// The ACL in its shortest form.
    pub fn text(&self) -> String {
        let elements: Vec<String> = self.elements.iter().map(Element::text).collect();
        elements.join(",")
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Whether the ACL names the user or the user's account.
    pub fn admits_user(&self, user: &User) -> bool {
        self.elements.iter().any(|element| match element {
            Element::Users(text) => names(text, user),
            Element::Referrer(_) | Element::Listings => false,
        })
    }

    /// Whether whoever comes from that page may read objects: `referer` is the header of that name, where there is one.
    pub fn admits_referrer(&self, referer: Option<&str>) -> bool {
        let host = referer.and_then(host).unwrap_or_else(|| UNKNOWN_HOST.to_owned());
        let deciding = self.elements.iter().rev().find_map(|element| match element {
            Element::Referrer(rule) if rule.fits(&host) => Some(rule.admits),
            _ => None,
        });
        deciding.unwrap_or(false)
    }

    /// Whether it lets in people whom it doesn't name.
    pub fn is_public(&self) -> bool {
        self.elements.iter().any(|element| match element {
            Element::Referrer(referrer) => referrer.admits,
            Element::Users(text) => text == "*:*",
            Element::Listings => false,
        })
    }

    /// Whether whom [`SwiftAcl::admits_referrer`] lets in may list the container as well.
    pub fn admits_listings(&self) -> bool {
        self.elements.contains(&Element::Listings)
    }
}

/// The host of a request that doesn't say where it comes from, or not understandably.
const UNKNOWN_HOST: &str = "unknown";
const REFERRER_DESIGNATORS: [&str; 4] = [".r", ".ref", ".referer", ".referrer"];
const LISTINGS: &str = ".rlistings";

fn parse_element(direction: Direction, element: &str) -> Result<Element, SwiftAclError> {
    let Some((designator, value)) = element.split_once(':') else {
        return Ok(if element == LISTINGS { Element::Listings } else { Element::Users(element.to_owned()) });
    };
    let (designator, value) = (designator.trim(), value.trim());
    if !designator.starts_with('.') {
        return Ok(Element::Users(element.to_owned()));
    }
    if !REFERRER_DESIGNATORS.contains(&designator) {
        let (designator, element) = (designator.to_owned(), element.to_owned());
        return Err(SwiftAclError::UnknownDesignator { designator, element });
    }
    if direction == Direction::Write {
        return Err(SwiftAclError::ReferrerInWrite(element.to_owned()));
    }
    let (admits, place) = match value.strip_prefix('-') {
        Some(place) => (false, place.trim()),
        None => (true, value),
    };
    let place = match place.strip_prefix('*') {
        Some(domain) if !domain.is_empty() => domain.trim(),
        _ => place,
    };
    if place.is_empty() || place == "." {
        return Err(SwiftAclError::NoReferrer(element.to_owned()));
    }
    Ok(Element::Referrer(Referrer { admits, place: place.to_owned() }))
}

impl Element {
    fn text(&self) -> String {
        match self {
            Self::Users(text) => text.clone(),
            Self::Referrer(Referrer { admits, place }) => {
                format!(".r:{}{place}", if *admits { "" } else { "-" })
            }
            Self::Listings => LISTINGS.to_owned(),
        }
    }
}

impl Referrer {
    fn fits(&self, host: &str) -> bool {
        let everybody = self.admits && self.place == "*";
        everybody || self.place == host || (self.place.starts_with('.') && host.ends_with(&self.place))
    }
}

/// Whether an element means the user.
fn names(element: &str, user: &User) -> bool {
    let account = short(user.account.as_str());
    match element.split_once(':') {
        None => short(element) == account,
        Some((of, name)) => (of == "*" || short(of) == account) && (name == "*" || name == user.name),
    }
}

/// The name of an account without its prefix.
pub(crate) fn short(account: &str) -> &str {
    account.strip_prefix(ACCOUNT_PREFIX).unwrap_or(account)
}

/// The host of a URL, in lower case and without user and port; `None`: it has none.
fn host(url: &str) -> Option<String> {
    let after_scheme = match url.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => url,
    };
    let authority = after_scheme.strip_prefix("//")?;
    let authority = authority.split(['/', '?', '#']).next()?;
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host_and_port.strip_prefix('[') {
        Some(literal) => literal.split(']').next()?,
        None => host_and_port.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|other| other.is_ascii_alphanumeric() || "+-.".contains(other))
}

#[cfg(test)]
mod tests {
    use martlet_model::AccountName;
    use proptest::prelude::*;

    use super::*;
    use crate::identity::Role;

    #[track_caller]
    fn cleaned(raw: &str, expected: &str) {
        assert_eq!(SwiftAcl::parse(Direction::Read, raw).unwrap().text(), expected, "{raw}");
    }

    fn read(raw: &str) -> SwiftAcl {
        SwiftAcl::parse(Direction::Read, raw).unwrap()
    }

    #[track_caller]
    fn admits(acl: &str, account: &str, name: &str, expected: bool) {
        let account = AccountName::parse(account.as_bytes()).unwrap();
        let user = User::new(account, name, Role::Member);
        assert_eq!(read(acl).admits_user(&user), expected, "{acl} {user:?}");
    }

    #[track_caller]
    fn from(acl: &str, referer: &str, expected: bool) {
        assert_eq!(read(acl).admits_referrer(Some(referer)), expected, "{acl} {referer}");
    }

    #[test]
    fn an_acl_is_shown_in_its_shortest_form() {
        for (raw, expected) in [
            ("bob, sue", "bob,sue"),
            ("bob , sue", "bob,sue"),
            ("bob,,,sue", "bob,sue"),
            (",", ""),
            ("", ""),
            (".referrer : *", ".r:*"),
            (".referer:*", ".r:*"),
            (".ref:*.example.com", ".r:.example.com"),
            (".r : - * .example.com", ".r:-.example.com"),
            (".r:-thief.example.com", ".r:-thief.example.com"),
            (".r:*, .rlistings", ".r:*,.rlistings"),
            ("bobs_account,sues_account:sue", "bobs_account,sues_account:sue"),
            (" test : tester ", "test : tester"),
        ] {
            cleaned(raw, expected);
        }
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for raw in [".r:", ".r:-", ".ref:*.", ".r:.", "ok,.r:-*."] {
            let refused = SwiftAcl::parse(Direction::Read, raw);
            assert!(matches!(refused, Err(SwiftAclError::NoReferrer(_))), "{raw}: {refused:?}");
        }
        let unknown = SwiftAcl::parse(Direction::Read, ".x:y").unwrap_err();
        assert_eq!(unknown.to_string(), "Unknown designator '.x' in ACL: '.x:y'");
    }

    #[test]
    fn a_write_acl_takes_no_referrer() {
        let refused = SwiftAcl::parse(Direction::Write, "bob,.r:*").unwrap_err();
        assert_eq!(refused.to_string(), "Referrers not allowed in write ACL: '.r:*'");
        assert!(SwiftAcl::parse(Direction::Write, "bob,sue:sue").is_ok());
    }

    #[test]
    fn accounts_and_users_are_named_with_and_without_the_prefix() {
        for acl in
            ["test", "AUTH_test", "test:tester", "AUTH_test:tester", "test:*", "*:tester", "*:*", "x,test"]
        {
            admits(acl, "AUTH_test", "tester", true);
        }
        for acl in [
            "test2",
            "test:tester2",
            "te",
            "*",
            "",
            "test:",
            ":tester",
            "AUTH_AUTH_test",
            ".r:*",
            "test: tester",
        ] {
            admits(acl, "AUTH_test", "tester", false);
        }
        admits("test", "test", "tester", true);
    }

    #[test]
    fn the_last_referrer_that_fits_decides() {
        from(".r:*,.r:-.thief.com", "http://www.thief.com/page", false);
        from(".r:*,.r:-.thief.com", "http://honest.com/page", true);
        from(".r:-.thief.com,.r:*", "http://www.thief.com/page", true);
        from(".r:.example.com,.r:-thief.example.com", "https://thief.example.com/", false);
        from(".r:.example.com,.r:-thief.example.com", "https://good.example.com/", true);
        from(".r:.example.com", "http://example.com/", false);
        from(".r:.example.com", "http://notexample.com/", false);
        from(".r:www.example.com", "http://www.example.com:8080/x?y", true);
        from(".r:www.example.com", "http://user@WWW.example.com", true);
        from(".r:www.example.com", "http://evil.org/www.example.com", false);
        from(".r:www.example.com", "http://evil.org/?//www.example.com", false);
        from(".r:www.example.com", "http://www.example.com@evil.org", false);
        from(".r:www.example.com", "www.example.com", false);
        from("bob", "http://www.example.com", false);
    }

    #[test]
    fn who_comes_from_nowhere_is_let_in_by_a_star_alone() {
        assert!(read(".r:*").admits_referrer(None));
        assert!(!read(".r:.example.com").admits_referrer(None));
        assert!(!read(".r:*,.r:-unknown").admits_referrer(None));
        assert!(!read("").admits_referrer(None));
    }

    #[test]
    fn listings_are_granted_apart() {
        assert!(!read(".r:*").admits_listings());
        assert!(read(".r:*,.rlistings").admits_listings());
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(raw in "[ a-z.:,*-]{0,40}|.{0,40}") {
            if let Ok(acl) = SwiftAcl::parse(Direction::Read, &raw) {
                prop_assert_eq!(SwiftAcl::parse(Direction::Read, &acl.text()), Ok(acl));
            }
        }

        #[test]
        fn no_referer_is_too_odd(acl in "(\\.r:[-*.a-z]{1,6},?){0,3}", referer in ".{0,60}|http://[@:a-z.\\[\\]]{0,20}") {
            if let Ok(acl) = SwiftAcl::parse(Direction::Read, &acl) {
                let _ = acl.admits_referrer(Some(&referer));
            }
        }
    }
}
