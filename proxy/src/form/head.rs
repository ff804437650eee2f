//! What a form and its parts say of themselves.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::FormError;

/// The longest boundary (RFC 2046).
const BOUNDARY_BYTES_MAX: usize = 70;

/// The headers of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHead {
    pub name: String,
    /// As the browser says it; some say it with every part.
    pub filename: Option<String>,
    pub content_type: Option<String>,
}

/// Whether a request says that its body is a form.
pub(super) fn boundary(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let (kind, parameters) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters_of(parameters).into_iter().find(|(name, _)| name == "boundary")?.1;
    ((1..=BOUNDARY_BYTES_MAX).contains(&boundary.len())).then_some(boundary)
}

impl PartHead {
    /// Reads the lines between a delimiter and the empty line.
    pub(super) fn read(lines: &[u8]) -> Result<Self, FormError> {
        let text =
            std::str::from_utf8(lines).map_err(|_| FormError::Malformed("a part's head is not UTF-8"))?;
        let mut disposition = None;
        let mut head = Self::default();
        for line in text.split("\r\n").filter(|line| !line.is_empty()) {
            let (name, value) =
                line.split_once(':').ok_or(FormError::Malformed("a part's head has no headers"))?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-disposition") && disposition.replace(value).is_some() {
                return Err(FormError::Malformed("a part has two dispositions"));
            }
            if name.eq_ignore_ascii_case("content-type") {
                head.content_type = Some(value.to_owned());
            }
        }
        let (kind, parameters) = disposition.and_then(|value| value.split_once(';')).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return Err(FormError::Malformed("a part is no form-data"));
        }
        let mut has_name = false;
        for (name, value) in parameters_of(parameters) {
            match name.as_str() {
                "name" => {
                    head.name = value;
                    has_name = true;
                }
                "filename" => head.filename = Some(value),
                _ => {}
            }
        }
        if has_name { Ok(head) } else { Err(FormError::Malformed("a part has no name")) }
    }
}

/// Reads `; name="value"; name=value`; names are folded to lower case.
///
/// Browsers leave a backslash as it is; only before a quote it isn't part of the value.
fn parameters_of(mut text: &str) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_start_matches([';', ' ', '\t']).trim().to_ascii_lowercase();
        let rest = rest.trim_start();
        let (value, after) = if let Some(quoted) = rest.strip_prefix('"') {
            unquoted(quoted)
        } else {
            let end = rest.find(';').unwrap_or(rest.len());
            (rest[..end].trim().to_owned(), &rest[end..])
        };
        parameters.push((name, value));
        text = after;
    }
    parameters
}

/// What stands before the closing quote, and what comes after it.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' if characters.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            _ => value.push(character),
        }
    }
    (value, "")
}
