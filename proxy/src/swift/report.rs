//! What is said of many things that were done in one request: some figures, and what failed.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::{Map, Value};

use super::format::Format;
use super::listing::escape;

/// A report. Swift's clients look into it, whatever the status of the answer.
#[derive(Debug, Default)]
pub(super) struct Report {
    figures: Vec<(&'static str, Value)>,
    /// Names, percent-encoded, and what was wrong with each.
    errors: Vec<(String, String)>,
}

impl Report {
    pub(super) fn of_errors(errors: Vec<(String, String)>) -> Self {
        Self { figures: Vec::new(), errors }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.figures.push((name, value.into()));
        self
    }

    /// Writes it in one of Swift's forms; `root` is what the document is called in XML.
    pub(super) fn render(mut self, format: Format, root: &str) -> String {
        // So do Swift's: by name.
        self.figures.sort_by_key(|(name, _)| *name);
        match format {
            Format::Json => self.json(),
            Format::Xml | Format::TextXml => self.xml(root),
            Format::Plain => self.plain(),
        }
    }

    fn json(self) -> String {
        let mut document: Map<_, _> =
            self.figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let errors = self.errors.into_iter().map(|(name, status)| Value::from(vec![name, status]));
        document.insert("Errors".to_owned(), errors.collect());
        Value::Object(document).to_string()
    }

    fn plain(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.figures {
            let _infallible = writeln!(text, "{name}: {}", bare(value));
        }
        text.push_str("Errors:\n");
        for (name, status) in &self.errors {
            let _infallible = writeln!(text, "{name}, {status}");
        }
        text
    }

    fn xml(&self, root: &str) -> String {
        let mut xml = format!("<{root}>\n");
        for (name, value) in &self.figures {
            let tag = name.replace(' ', "_").to_lowercase();
            let _infallible = write!(xml, "<{tag}>");
            escape(&mut xml, &bare(value));
            let _infallible = writeln!(xml, "</{tag}>");
        }
        xml.push_str("<errors>\n");
        for (name, status) in &self.errors {
            xml.push_str("<object><name>");
            escape(&mut xml, name);
            xml.push_str("</name><status>");
            escape(&mut xml, status);
            xml.push_str("</status></object>\n");
        }
        let _infallible = writeln!(xml, "</errors>\n</{root}>");
        xml
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A status as it stands in a report: `404 Not Found`.
pub(super) fn status_line(status: u16) -> String {
    match status {
        499 => "499 Client Disconnect".to_owned(),
        status => StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |code| code.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report =
            Report::default().with("Number Deleted", 2).with("Response Body", "").with("Last", "a<b");
        report.errors.push(("/c/%22o".into(), "404 Not Found".into()));
        report
    }

    #[test]
    fn a_report_is_text() {
        let expected = "Last: a<b\nNumber Deleted: 2\nResponse Body: \nErrors:\n/c/%22o, 404 Not Found\n";
        assert_eq!(report().render(Format::Plain, "delete"), expected);
    }

    #[test]
    fn a_report_is_json() {
        let found: Value = serde_json::from_str(&report().render(Format::Json, "delete")).unwrap();
        assert_eq!(found["Number Deleted"], 2);
        assert_eq!(found["Response Body"], "");
        assert_eq!(found["Errors"], serde_json::json!([["/c/%22o", "404 Not Found"]]));
    }

    #[test]
    fn a_report_is_xml() {
        let expected = "<delete>\n<last>a&lt;b</last>\n<number_deleted>2</number_deleted>\n\
                        <response_body></response_body>\n<errors>\n\
                        <object><name>/c/%22o</name><status>404 Not Found</status></object>\n</errors>\n</delete>\n";
        assert_eq!(report().render(Format::TextXml, "delete"), expected);
    }

    #[test]
    fn statuses_have_their_names() {
        assert_eq!(status_line(404), "404 Not Found");
        assert_eq!(status_line(499), "499 Client Disconnect");
    }
}
