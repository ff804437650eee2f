//! Conditions of a statement.
//!
//! Source: "IAM JSON policy elements: Condition operators" of the AWS documentation.
//!
//! A condition compares one key's values in the request with the values in the policy.
//! It holds if any of the policy's values fits; one with `Not` in its name, if none does.
//! Where the request has no value, only the latter hold, and those that end in `IfExists`.

use jiff::Timestamp;

use super::key::Key;
use super::parse::MalformedPolicy;
use super::pattern::{Case, Pattern, Reading};
use crate::ip_range::IpRange;
use crate::request::Request;

const IF_EXISTS: &str = "IfExists";
const FOR_ALL_VALUES: &str = "ForAllValues:";
const FOR_ANY_VALUE: &str = "ForAnyValue:";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    key: Key,
    quantifier: Quantifier,
    /// Whether it holds where the request has no value for the key, whatever the test.
    if_exists: bool,
    pub(super) test: Test,
}

/// How many of the request's values must stand the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// The request has one value for the key, or none.
    Single,
    /// `ForAnyValue`: one at least.
    Any,
    /// `ForAllValues`: all that there are.
    All,
}

/// What a value is compared with, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// `String…` and `Arn…`.
    Text {
        sense: Sense,
        case: Case,
        patterns: Vec<Pattern>,
    },
    Number {
        comparison: Comparison,
        numbers: Vec<Number>,
    },
    /// Seconds since the epoch.
    Date {
        comparison: Comparison,
        dates: Vec<i64>,
    },
    Boolean(Vec<bool>),
    Address {
        sense: Sense,
        ranges: Vec<IpRange>,
    },
    /// `Null`: whether the request must have no value.
    Absent(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    Fits,
    FitsNot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equals,
    NotEquals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// A decimal number of millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(i128);

impl Condition {
    pub(super) fn parse(
        operator: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, MalformedPolicy> {
        let unknown = || MalformedPolicy::UnknownOperator(operator.to_owned());
        let (quantifier, name) = if let Some(name) = operator.strip_prefix(FOR_ALL_VALUES) {
            (Quantifier::All, name)
        } else if let Some(name) = operator.strip_prefix(FOR_ANY_VALUE) {
            (Quantifier::Any, name)
        } else {
            (Quantifier::Single, operator)
        };
        let (name, if_exists) = match name.strip_suffix(IF_EXISTS) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let test = Test::parse(name, values, variables)?.ok_or_else(unknown)?;
        // Asking for what isn't there, if it is there, makes no sense.
        if matches!(test, Test::Absent(_)) && (if_exists || quantifier != Quantifier::Single) {
            return Err(unknown());
        }
        Ok(Self { key: Key::parse(key)?, quantifier, if_exists, test })
    }

    pub(super) fn holds(&self, request: &Request<'_>) -> bool {
        let values = self.key.values(request);
        if let Test::Absent(absent) = self.test {
            return values.is_empty() == absent;
        }
        if values.is_empty() {
            return match self.quantifier {
                Quantifier::All => true,
                Quantifier::Any => self.if_exists,
                Quantifier::Single => self.if_exists || self.test.is_negative(),
            };
        }
        let mut stands = values.iter().map(|value| self.test.stands(value, request));
        match self.quantifier {
            Quantifier::All => stands.all(|stands| stands),
            Quantifier::Any => stands.any(|stands| stands),
            // A key that has several values: none of them may fit what must not.
            Quantifier::Single if self.test.is_negative() => stands.all(|stands| stands),
            Quantifier::Single => stands.any(|stands| stands),
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        let patterns = match &self.test {
            Test::Text { patterns, .. } => &patterns[..],
            _ => &[],
        };
        std::iter::once(&self.key).chain(patterns.iter().flat_map(Pattern::keys))
    }

    /// Whether it holds for those alone whom it names, or who come from an address that it names.
    pub(super) fn names_who(&self) -> bool {
        let strictly = !self.if_exists && self.quantifier != Quantifier::All;
        strictly
            && match &self.test {
                Test::Text { sense: Sense::Fits, patterns, .. } => {
                    self.key.names_caller() && patterns.iter().all(Pattern::is_fixed)
                }
                Test::Address { sense: Sense::Fits, ranges } => ranges.iter().all(is_narrow),
                _ => false,
            }
    }
}

/// What AWS still takes for a set of known addresses.
fn is_narrow(range: &IpRange) -> bool {
    range.prefix_bits() >= if range.is_ipv4() { 8 } else { 32 }
}

impl Test {
    /// `None`: there is no such operator.
    fn parse(name: &str, values: &[String], variables: bool) -> Result<Option<Self>, MalformedPolicy> {
        use Comparison::{Equals, GreaterThan, GreaterThanEquals, LessThan, LessThanEquals, NotEquals};
        use Sense::{Fits, FitsNot};
        let text = |sense, case, wildcards| {
            let reading = Reading { wildcards, variables };
            let patterns = values.iter().map(|value| Pattern::parse(value, reading));
            Ok(Self::Text { sense, case, patterns: patterns.collect::<Result<_, _>>()? })
        };
        let number = |comparison| Ok(Self::Number { comparison, numbers: all(values, Number::parse)? });
        let date = |comparison| Ok(Self::Date { comparison, dates: all(values, seconds)? });
        let address = |sense| Ok(Self::Address { sense, ranges: all(values, IpRange::parse)? });
        match name {
            "StringEquals" => text(Fits, Case::Counts, false),
            "StringNotEquals" => text(FitsNot, Case::Counts, false),
            "StringEqualsIgnoreCase" => text(Fits, Case::Ignored, false),
            "StringNotEqualsIgnoreCase" => text(FitsNot, Case::Ignored, false),
            "StringLike" | "ArnLike" | "ArnEquals" => text(Fits, Case::Counts, true),
            "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => text(FitsNot, Case::Counts, true),
            "NumericEquals" => number(Equals),
            "NumericNotEquals" => number(NotEquals),
            "NumericLessThan" => number(LessThan),
            "NumericLessThanEquals" => number(LessThanEquals),
            "NumericGreaterThan" => number(GreaterThan),
            "NumericGreaterThanEquals" => number(GreaterThanEquals),
            "DateEquals" => date(Equals),
            "DateNotEquals" => date(NotEquals),
            "DateLessThan" => date(LessThan),
            "DateLessThanEquals" => date(LessThanEquals),
            "DateGreaterThan" => date(GreaterThan),
            "DateGreaterThanEquals" => date(GreaterThanEquals),
            "Bool" => Ok(Self::Boolean(all(values, boolean)?)),
            "IpAddress" => address(Fits),
            "NotIpAddress" => address(FitsNot),
            "Null" => match &all(values, boolean)?[..] {
                [absent] => Ok(Self::Absent(*absent)),
                _ => Err(MalformedPolicy::BadValue(values.join(", "))),
            },
            _ => return Ok(None),
        }
        .map(Some)
    }

    /// Whether it is about what a value must not be.
    fn is_negative(&self) -> bool {
        match self {
            Self::Text { sense, .. } | Self::Address { sense, .. } => *sense == Sense::FitsNot,
            Self::Number { comparison, .. } | Self::Date { comparison, .. } => {
                *comparison == Comparison::NotEquals
            }
            Self::Boolean(_) | Self::Absent(_) => false,
        }
    }

    fn stands(&self, value: &str, request: &Request<'_>) -> bool {
        match self {
            Self::Text { sense, case, patterns } => {
                let value_of = |key: &Key| key.value(request).map(std::borrow::Cow::into_owned);
                sense.of(patterns.iter().any(|pattern| pattern.fits(value, *case, value_of)))
            }
            Self::Number { comparison, numbers } => comparison.of_any(Number::parse(value), numbers),
            Self::Date { comparison, dates } => comparison.of_any(seconds(value), dates),
            Self::Boolean(booleans) => boolean(value).is_some_and(|value| booleans.contains(&value)),
            Self::Address { sense, ranges } => {
                let address = value.parse().ok();
                sense.of(address.is_some_and(|address| ranges.iter().any(|range| range.contains(address))))
            }
            Self::Absent(_) => false,
        }
    }
}

impl Sense {
    fn of(self, fits: bool) -> bool {
        match self {
            Self::Fits => fits,
            Self::FitsNot => !fits,
        }
    }
}

impl Comparison {
    /// A value that is no number, or no date, equals nothing.
    fn of_any<T: Ord + Copy>(self, value: Option<T>, others: &[T]) -> bool {
        let Some(value) = value else { return self == Self::NotEquals };
        let mut others = others.iter().copied();
        match self {
            Self::Equals => others.any(|other| value == other),
            Self::NotEquals => others.all(|other| value != other),
            Self::LessThan => others.any(|other| value < other),
            Self::LessThanEquals => others.any(|other| value <= other),
            Self::GreaterThan => others.any(|other| value > other),
            Self::GreaterThanEquals => others.any(|other| value >= other),
        }
    }
}

impl Number {
    const DECIMALS: usize = 6;

    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) || fraction.len() > Self::DECIMALS {
            return None;
        }
        let millionths: i128 = format!("{whole}{fraction:0<width$}", width = Self::DECIMALS).parse().ok()?;
        Some(Self(if negative { -millionths } else { millionths }))
    }
}

/// Reads a date, `2013-05-24T00:00:00Z`, or seconds since the epoch.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let date = text.parse::<Timestamp>().ok();
    let day = || format!("{text}T00:00:00Z").parse::<Timestamp>().ok();
    date.or_else(day).map(Timestamp::as_second)
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn all<T>(values: &[String], parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, MalformedPolicy> {
    values.iter().map(|value| parse(value).ok_or_else(|| MalformedPolicy::BadValue(value.clone()))).collect()
}
