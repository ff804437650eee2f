//! Texts of a policy in which `*`, `?` and `${variable}` may stand for something.

use super::key::Key;
use super::parse::MalformedPolicy;

/// A text that may leave some of itself open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// The same for every request.
    Same(Vec<Token>),
    /// With variables.
    Open(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Tokens(Vec<Token>),
    /// `${key}` or `${key, 'default'}`
    Variable {
        key: Key,
        default: Option<String>,
    },
}

/// How the text of a pattern is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Whether `*` and `?` stand for other text.
    pub(super) wildcards: bool,
    /// Whether `${…}` does: in policies from the version of 2012 on.
    pub(super) variables: bool,
}

/// Whether capitals count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Counts,
    Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Character(char),
    /// `*`
    AnyText,
    /// `?`
    AnyCharacter,
}

impl Pattern {
    pub(super) fn parse(text: &str, reading: Reading) -> Result<Self, MalformedPolicy> {
        let mut pieces = Vec::new();
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if reading.variables
                && let Some(after) = rest.strip_prefix("${")
            {
                let (inside, after) =
                    after.split_once('}').ok_or_else(|| MalformedPolicy::BadVariable(text.to_owned()))?;
                rest = after;
                match inside {
                    "*" | "?" | "$" => tokens.extend(inside.chars().map(Token::Character)),
                    _ => {
                        pieces.push(Piece::Tokens(std::mem::take(&mut tokens)));
                        pieces.push(variable(inside)?);
                    }
                }
                continue;
            }
            rest = &rest[first.len_utf8()..];
            tokens.push(match first {
                '*' if reading.wildcards => Token::AnyText,
                '?' if reading.wildcards => Token::AnyCharacter,
                other => Token::Character(other),
            });
        }
        if pieces.is_empty() {
            return Ok(Self::Same(tokens));
        }
        pieces.push(Piece::Tokens(tokens));
        Ok(Self::Open(pieces))
    }

    /// Whether it fits; a variable without a value fits nothing.
    pub(super) fn fits(&self, text: &str, case: Case, value_of: impl Fn(&Key) -> Option<String>) -> bool {
        let pieces = match self {
            Self::Same(tokens) => return fits(tokens, text, case),
            Self::Open(pieces) => pieces,
        };
        let mut tokens = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Tokens(more) => tokens.extend_from_slice(more),
                Piece::Variable { key, default } => match value_of(key).or_else(|| default.clone()) {
                    Some(value) => tokens.extend(value.chars().map(Token::Character)),
                    None => return false,
                },
            }
        }
        fits(&tokens, text, case)
    }

    /// Whether it leaves nothing open, and is the same for everybody.
    pub(super) fn is_fixed(&self) -> bool {
        match self {
            Self::Same(tokens) => tokens.iter().all(|token| matches!(token, Token::Character(_))),
            Self::Open(_) => false,
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        let pieces: &[Piece] = match self {
            Self::Same(_) => &[],
            Self::Open(pieces) => pieces,
        };
        pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { key, .. } => Some(key),
            Piece::Tokens(_) => None,
        })
    }
}

/// What stands between `${` and `}`.
fn variable(inside: &str) -> Result<Piece, MalformedPolicy> {
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => {
            let default = default.trim();
            let quoted = default.strip_prefix('\'').and_then(|default| default.strip_suffix('\''));
            let quoted = quoted.ok_or_else(|| MalformedPolicy::BadVariable(inside.to_owned()))?;
            (key.trim(), Some(quoted.to_owned()))
        }
        None => (inside, None),
    };
    Ok(Piece::Variable { key: Key::parse(key)?, default })
}

/// Goes back to the last `*` alone, so that no pattern takes longer than its length times that of the text.
fn fits(tokens: &[Token], text: &str, case: Case) -> bool {
    let (mut at_token, mut rest) = (0, text);
    let mut last_star: Option<(usize, &str)> = None;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        match tokens.get(at_token) {
            Some(Token::AnyText) => {
                last_star = Some((at_token, rest));
                at_token += 1;
            }
            Some(Token::AnyCharacter) => (at_token, rest) = (at_token + 1, after),
            Some(Token::Character(character)) if case.is_same(*character, first) => {
                (at_token, rest) = (at_token + 1, after);
            }
            Some(Token::Character(_)) | None => {
                let Some((star, from)) = last_star else { return false };
                let mut characters = from.chars();
                characters.next();
                rest = characters.as_str();
                last_star = Some((star, rest));
                at_token = star + 1;
            }
        }
    }
    tokens[at_token..].iter().all(|token| *token == Token::AnyText)
}

impl Case {
    fn is_same(self, one: char, other: char) -> bool {
        one == other || (self == Self::Ignored && one.to_lowercase().eq(other.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, Reading { wildcards: true, variables: true }).unwrap()
    }

    #[track_caller]
    fn check(text: &str, other: &str, expected: bool) {
        let value_of = |key: &Key| (*key == Key::parse("aws:username").unwrap()).then(|| "t*m".to_owned());
        assert_eq!(pattern(text).fits(other, Case::Counts, value_of), expected, "{text} {other}");
    }

    #[test]
    fn a_pattern_fits_what_it_leaves_open() {
        check("", "", true);
        check("", "a", false);
        check("*", "", true);
        check("*", "a/b/c", true);
        check("a*c", "abbc", true);
        check("a*c", "abb", false);
        check("a?c", "aüc", true);
        check("a?c", "ac", false);
        check("*a*b*c*", "xxaxxbxxcxx", true);
        check("*a*b*c", "abcabcab", false);
        check("home/*", "home/", true);
        check("home/*", "Home/x", false);
    }

    #[test]
    fn a_variable_is_text_whatever_it_holds() {
        check("home/${aws:username}/*", "home/t*m/x", true);
        check("home/${aws:username}/*", "home/tom/x", false);
        check("${aws:userid}", "", false);
        check("${aws:userid, 'nobody'}", "nobody", true);
        check("${*}${?}${$}", "*?$", true);
        check("${*}", "a", false);
    }

    #[test]
    fn a_broken_variable_is_refused() {
        for text in ["${", "${aws:username", "${nothing}", "${}", "${aws:userid,nobody}"] {
            assert!(Pattern::parse(text, Reading { wildcards: true, variables: true }).is_err(), "{text}");
        }
        // Before 2012 there were none.
        let old = Pattern::parse("${aws", Reading { wildcards: true, variables: false }).unwrap();
        assert!(old.fits("${aws", Case::Counts, |_| None));
    }

    #[test]
    fn a_hostile_pattern_is_not_slow() {
        let stars = "*a".repeat(5_000);
        check(&stars, &"a".repeat(4_999), false);
    }

    /// The definition, without regard to time.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            Some(('?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
            Some((character, rest)) => text.first() == Some(character) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_fits_what_the_definition_fits(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let (by_definition, characters) =
                (pattern.chars().collect::<Vec<_>>(), text.chars().collect::<Vec<_>>());
            check(&pattern, &text, naive(&by_definition, &characters));
        }

        #[test]
        fn capitals_are_ignored_where_that_is_asked_for(text in "[a-zA-ZäöüÄÖÜßéÉ*?$/]{0,12}") {
            let plain = Pattern::parse(&text, Reading { wildcards: false, variables: false }).unwrap();
            prop_assert!(plain.fits(&text.to_lowercase(), Case::Ignored, |_| None));
        }
    }
}
