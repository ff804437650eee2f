//! Listing containers and objects: one question, one kind of page.

use bytes::Bytes;

/// What to list, in the order of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Only names that begin so.
    pub prefix: Bytes,
    /// Names that share the part up to the first delimiter after the prefix are shown as that part alone.
    pub delimiter: Option<Bytes>,
    /// Only names after this one; it needn't exist.
    /// Where it equals a common prefix, that prefix isn't shown again.
    pub marker: Option<Bytes>,
    /// Only names before this one.
    pub end_marker: Option<Bytes>,
    /// The most entries of the page, common prefixes included. Zero gives an empty page.
    pub limit: usize,
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub entries: Vec<ListEntry<T>>,
    /// Present exactly when there is more: the marker that continues, which is the page's last name or prefix.
    pub next: Option<Bytes>,
}

/// An entry of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListEntry<T> {
    Item(T),
    /// A common prefix, the delimiter included.
    Prefix(Bytes),
}

impl ListQuery {
    /// Everything, in pages of `limit`.
    pub fn all(limit: usize) -> Self {
        Self { prefix: Bytes::new(), delimiter: None, marker: None, end_marker: None, limit }
    }

    /// The common prefix under which `name` is shown, or `None`: it is shown itself.
    /// `name` begins with the query's prefix.
    pub fn common_prefix<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        let delimiter = self.delimiter.as_ref().filter(|delimiter| !delimiter.is_empty())?;
        let rest = name.get(self.prefix.len()..)?;
        let at = rest.windows(delimiter.len()).position(|window| window == &delimiter[..])?;
        name.get(..self.prefix.len() + at + delimiter.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefix: &'static str, delimiter: &'static str, name: &str, expected: Option<&str>) {
        let query = ListQuery {
            prefix: Bytes::from(prefix),
            delimiter: Some(Bytes::from(delimiter)),
            ..ListQuery::all(1)
        };
        assert_eq!(query.common_prefix(name.as_bytes()), expected.map(str::as_bytes));
    }

    #[test]
    fn common_prefixes() {
        check("", "/", "a/b/c", Some("a/"));
        check("a/", "/", "a/b/c", Some("a/b/"));
        check("a/", "/", "a/b", None);
        check("a", "/", "a/b", Some("a/"));
        check("", "//", "a/b//c", Some("a/b//"));
        check("", "", "a/b", None);
        check("", "/", "/a", Some("/"));
    }
}
