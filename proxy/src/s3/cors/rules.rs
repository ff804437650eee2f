//! The rules of a bucket: which pages may send what.

use http::HeaderName;
use martlet_model::Error;

use crate::s3::refusal::Refusal;
use crate::s3::xml::{Element, Writer};

/// The most rules of a bucket.
const RULES_COUNT_MAX: usize = 100;
/// The longest name of a rule, in characters.
const ID_CHARACTERS_MAX: usize = 255;

/// In their order: the first that fits decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::s3) struct CorsRules(Vec<CorsRule>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::s3) struct CorsRule {
    id: Option<String>,
    pub(super) methods: Vec<CorsMethod>,
    origins: Vec<Wildcard>,
    headers: Vec<Wildcard>,
    pub(super) exposed: Vec<String>,
    pub(super) max_age_seconds: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::s3) enum CorsMethod {
    Get,
    Put,
    Post,
    Delete,
    Head,
}

/// A text in which one star stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wildcard(String);

/// The rule that allows a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed<'a> {
    pub(super) rule: &'a CorsRule,
    /// Whether the rule is for every origin, so that the browser needn't be told of its own.
    pub(super) every_origin: bool,
}

impl CorsRules {
    pub(in crate::s3) fn read(document: &[u8]) -> Result<Self, Refusal> {
        let root = Element::read(document, "CORSConfiguration")?;
        if !(1..=RULES_COUNT_MAX).contains(&root.children.len()) {
            return Err(Refusal::MalformedXml("CORSConfiguration must have 1 to 100 rules"));
        }
        root.children.iter().map(CorsRule::read).collect::<Result<_, _>>().map(Self)
    }

    /// The rules as they were stored, after they had been read once.
    pub(super) fn stored(document: &[u8]) -> Result<Self, Refusal> {
        Self::read(document).map_err(|_| Error::Damaged("the bucket's CORS rules").into())
    }

    pub(in crate::s3) fn write(&self) -> Writer {
        let mut xml = Writer::new("CORSConfiguration");
        for rule in &self.0 {
            xml.open("CORSRule");
            if let Some(id) = &rule.id {
                xml.text("ID", id);
            }
            for header in &rule.headers {
                xml.text("AllowedHeader", &header.0);
            }
            for method in &rule.methods {
                xml.word("AllowedMethod", method.as_str());
            }
            for origin in &rule.origins {
                xml.text("AllowedOrigin", &origin.0);
            }
            for header in &rule.exposed {
                xml.text("ExposeHeader", header);
            }
            if let Some(seconds) = rule.max_age_seconds {
                xml.word("MaxAgeSeconds", seconds);
            }
            xml.close("CORSRule");
        }
        xml
    }

    /// The first rule that lets a page of `origin` send such a request; `headers` are in lower case.
    pub(super) fn allow(&self, origin: &str, method: CorsMethod, headers: &[String]) -> Option<Allowed<'_>> {
        self.0.iter().find_map(|rule| {
            let by = rule.origins.iter().find(|allowed| allowed.fits(origin))?;
            let fits = |header: &String| rule.headers.iter().any(|allowed| allowed.fits(header));
            let is_allowed = rule.methods.contains(&method) && headers.iter().all(fits);
            is_allowed.then_some(Allowed { rule, every_origin: by.0 == "*" })
        })
    }
}

impl CorsRule {
    fn read(element: &Element) -> Result<Self, Refusal> {
        if element.name != "CORSRule" {
            return Err(Refusal::MalformedXml("CORSConfiguration has an unknown element"));
        }
        let mut rule = Self::default();
        for child in &element.children {
            let word = child.word()?;
            match child.name.as_str() {
                "ID" if rule.id.is_none() && word.chars().count() <= ID_CHARACTERS_MAX => {
                    rule.id = Some(word.to_owned());
                }
                "ID" => return Err(Refusal::Request("the ID of a CORS rule is too long, or there twice")),
                "AllowedMethod" => rule.methods.push(CorsMethod::parse(word).ok_or(BAD_METHOD)?),
                "AllowedOrigin" => rule.origins.push(Wildcard::read(word)?),
                "AllowedHeader" => rule.headers.push(Wildcard::read(&word.to_ascii_lowercase())?),
                "ExposeHeader" if word.contains('*') => {
                    return Err(Refusal::Request("ExposeHeader contains a wildcard, which is not supported"));
                }
                "ExposeHeader" if HeaderName::from_bytes(word.as_bytes()).is_ok() => {
                    rule.exposed.push(word.to_owned());
                }
                "ExposeHeader" => return Err(Refusal::Request("ExposeHeader is not the name of a header")),
                "MaxAgeSeconds" if rule.max_age_seconds.is_none() => {
                    let seconds =
                        word.parse().map_err(|_| Refusal::MalformedXml("MaxAgeSeconds is no number"))?;
                    rule.max_age_seconds = Some(seconds);
                }
                _ => return Err(Refusal::MalformedXml("CORSRule has an unknown element")),
            }
        }
        if rule.methods.is_empty() || rule.origins.is_empty() {
            return Err(Refusal::MalformedXml("CORSRule must have an AllowedMethod and an AllowedOrigin"));
        }
        Ok(rule)
    }
}

const BAD_METHOD: Refusal = Refusal::Request(
    "Found unsupported HTTP method in CORS config. Supported are GET, PUT, POST, DELETE and HEAD",
);

impl CorsMethod {
    const ALL: [Self; 5] = [Self::Get, Self::Put, Self::Post, Self::Delete, Self::Head];

    /// Methods are upper case, as in HTTP.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }
}

impl Wildcard {
    fn read(text: &str) -> Result<Self, Refusal> {
        if text.matches('*').count() > 1 {
            return Err(Refusal::Request(
                "AllowedOrigin or AllowedHeader can not have more than one wildcard",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn fits(&self, text: &str) -> bool {
        match self.0.split_once('*') {
            None => self.0 == text,
            Some((before, after)) => {
                text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inner: &str) -> Result<CorsRules, Refusal> {
        CorsRules::read(format!("<CORSConfiguration>{inner}</CORSConfiguration>").as_bytes())
    }

    fn rule(method: &str, origin: &str) -> String {
        format!(
            "<CORSRule><AllowedMethod>{method}</AllowedMethod><AllowedOrigin>{origin}</AllowedOrigin></CORSRule>"
        )
    }

    #[test]
    fn one_star_stands_for_anything() {
        let check = |pattern: &str, text: &str, expected| {
            assert_eq!(Wildcard(pattern.to_owned()).fits(text), expected, "{pattern} {text}");
        };
        check("*", "http://a", true);
        check("*", "", true);
        check("http://*.b", "http://a.b", true);
        check("http://*.b", "http://.b", true);
        check("http://*.b", "http://b", false);
        check("start*end", "startend", true);
        check("aba*aba", "aba", false);
        check("http://a", "http://a:80", false);
        check("http://a", "http://A", false);
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let both = rule("GET", "http://*") + &rule("PUT", "*");
        let rules = read(&both).unwrap();
        let by = |origin: &str, method| rules.allow(origin, method, &[]).map(|allowed| allowed.every_origin);
        assert_eq!(by("http://a", CorsMethod::Get), Some(false));
        assert_eq!(by("http://a", CorsMethod::Put), Some(true));
        assert_eq!(by("https://a", CorsMethod::Get), None);
        assert!(rules.allow("http://a", CorsMethod::Put, &["x-amz-acl".to_owned()]).is_none());
    }

    #[test]
    fn headers_are_the_same_in_every_case() {
        let header = "<AllowedHeader>X-Amz-*</AllowedHeader><AllowedHeader>a</AllowedHeader></CORSRule>";
        let rules = read(&rule("PUT", "*").replace("</CORSRule>", header)).unwrap();
        let allows = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            rules.allow("http://a", CorsMethod::Put, &names).is_some()
        };
        assert!(allows(&["x-amz-acl", "a"]) && allows(&[]) && !allows(&["x-amz-acl", "b"]));
    }

    #[test]
    fn what_is_written_is_read() {
        let document = rule("GET", "*").replace(
            "</CORSRule>",
            "<ID>i &lt;</ID><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>\
             <MaxAgeSeconds>30</MaxAgeSeconds></CORSRule>",
        );
        let rules = read(&document).unwrap();
        assert_eq!(CorsRules::read(rules.write().finish().as_bytes()).unwrap(), rules);
    }

    #[test]
    fn rules_that_mean_nothing_are_refused() {
        let malformed =
            |inner: &str| assert!(matches!(read(inner), Err(Refusal::MalformedXml(_))), "{inner}");
        malformed("");
        malformed("<Rule/>");
        malformed("<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>");
        malformed("<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>");
        malformed(&rule("GET", "*").repeat(RULES_COUNT_MAX + 1));
        malformed(&rule("GET", "*").replace("</CORSRule>", "<MaxAgeSeconds>-1</MaxAgeSeconds></CORSRule>"));
        malformed(&rule("GET", "*").replace("</CORSRule>", "<New/></CORSRule>"));
        let meaningless = |inner: &str| assert!(matches!(read(inner), Err(Refusal::Request(_))), "{inner}");
        meaningless(&rule("PATCH", "*"));
        meaningless(&rule("get", "*"));
        meaningless(&rule("GET", "http://*.*"));
        meaningless(&rule("GET", "*").replace("</CORSRule>", "<ExposeHeader>x-*</ExposeHeader></CORSRule>"));
        meaningless(&rule("GET", "*").replace("</CORSRule>", "<ExposeHeader>a b</ExposeHeader></CORSRule>"));
    }
}
