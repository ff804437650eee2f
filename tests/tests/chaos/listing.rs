//! A page of a listing, as either API gives it.

use crate::acts::{Outcome, Speaker, between};
use crate::clients::{Ask, Reply};
use crate::content::{Dialect, Tag};

/// Which page.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// With the container.
    pub(crate) prefix: String,
    /// A path, or nothing.
    pub(crate) after: String,
    pub(crate) limit: usize,
}

/// What it showed.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) entries: Vec<(String, Tag)>,
    /// The last path that the page is about; `None`: it goes to the end.
    pub(crate) through: Option<String>,
    pub(crate) status: u16,
}

impl Speaker<'_> {
    pub(crate) fn list(&self, query: &Query) -> Result<Shown, Outcome> {
        let (container, prefix) = query.prefix.split_once('/').expect("a prefix has a container");
        let after = query.after.split_once('/').map_or("", |(_, key)| key);
        let limit = query.limit;
        let path = match self.dialect {
            Dialect::S3 => {
                format!("{container}?list-type=2&max-keys={limit}&prefix={prefix}&start-after={after}")
            }
            Dialect::Swift => {
                format!("{container}?format=json&limit={limit}&prefix={prefix}&marker={after}")
            }
        };
        let answer = match self.send(Ask::get(path)) {
            Reply::Answer(answer) => answer,
            Reply::Lost => return Err(Outcome::Nothing { status: 0 }),
            Reply::NotSent => return Err(Outcome::NotSent),
        };
        let (status, text) = (answer.status, answer.text());
        let named = match (self.dialect, status) {
            (_, 408 | 500 | 502 | 503 | 504) => return Err(Outcome::Nothing { status }),
            (Dialect::S3, 200) => of_xml(&text),
            (Dialect::Swift, 200) => of_json(&text),
            _ => return Err(Outcome::Odd(format!("a listing is answered {status}: {text}"))),
        };
        let tagged =
            |(key, etag): (String, String)| Some((format!("{container}/{key}"), self.tags.of_etag(&etag)?));
        let entries: Option<Vec<_>> = named.into_iter().map(tagged).collect();
        let entries =
            entries.ok_or_else(|| Outcome::Odd(format!("a listing shows what nobody wrote: {text}")))?;
        let is_cut = match self.dialect {
            Dialect::S3 => text.contains("<IsTruncated>true</IsTruncated>"),
            Dialect::Swift => entries.len() == limit,
        };
        let through = entries.last().filter(|_| is_cut).map(|(path, _)| path.clone());
        Ok(Shown { entries, through, status })
    }
}

fn of_xml(text: &str) -> Vec<(String, String)> {
    let entries = text.split("<Contents>").skip(1);
    let named = |entry: &str| {
        let etag = between(entry, "<ETag>", "</ETag>")?.replace("&quot;", "");
        Some((between(entry, "<Key>", "</Key>")?.to_owned(), etag))
    };
    entries.map(|entry| named(entry).unwrap_or_default()).collect()
}

fn of_json(text: &str) -> Vec<(String, String)> {
    let entries: Vec<serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    let field = |entry: &serde_json::Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    // The hash of what was put together from parts stands under another name.
    let etag = |entry: &serde_json::Value| match entry["slo_etag"].as_str() {
        Some(etag) => etag.to_owned(),
        None => field(entry, "hash"),
    };
    entries.iter().map(|entry| (field(entry, "name"), etag(entry))).collect()
}
