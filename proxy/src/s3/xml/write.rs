//! Writing answers.

use std::fmt::{Display, Write as _};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A document that grows from its beginning to its end.
#[derive(Debug)]
pub(in crate::s3) struct Writer {
    text: String,
    root: &'static str,
}

impl Writer {
    /// A document with that root, in S3's namespace.
    pub(in crate::s3) fn new(root: &'static str) -> Self {
        Self { text: format!("{DECLARATION}<{root} xmlns=\"{NAMESPACE}\">"), root }
    }

    /// An error, which is in no namespace.
    pub(in crate::s3) fn error() -> Self {
        Self::plain("Error")
    }

    /// A document with that root, in no namespace.
    pub(in crate::s3) fn plain(root: &'static str) -> Self {
        Self { text: format!("{DECLARATION}<{root}>"), root }
    }

    /// An element with attributes: `attributes` as they are written, the last without its value, which is `word`.
    pub(in crate::s3) fn open_with(&mut self, name: &str, attributes: &str, word: &str) -> &mut Self {
        // Writing to a string can't fail.
        let _ = write!(self.text, "<{name} {attributes}=\"{word}\">");
        self
    }

    pub(in crate::s3) fn open(&mut self, name: &str) -> &mut Self {
        self.tag("<", name)
    }

    pub(in crate::s3) fn close(&mut self, name: &str) -> &mut Self {
        self.tag("</", name)
    }

    /// An element with text in it.
    pub(in crate::s3) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.open(name);
        escape(value, &mut self.text);
        self.close(name)
    }

    /// An element with lines of text in it, which stay lines.
    pub(in crate::s3) fn lines(&mut self, name: &str, value: &str) -> &mut Self {
        self.open(name);
        for (at, line) in value.split('\n').enumerate() {
            if at > 0 {
                self.text.push('\n');
            }
            escape(line, &mut self.text);
        }
        self.close(name)
    }

    /// An element with a number or another word that needs no escaping in it.
    pub(in crate::s3) fn word(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.open(name);
        // Writing to a string can't fail.
        let _ = write!(self.text, "{value}");
        self.close(name)
    }

    /// Text that stands in the root itself.
    pub(in crate::s3) fn content(&mut self, value: &str) -> &mut Self {
        escape(value, &mut self.text);
        self
    }

    pub(in crate::s3) fn finish(mut self) -> String {
        let root = self.root;
        self.close(root);
        self.text
    }

    fn tag(&mut self, before: &str, name: &str) -> &mut Self {
        for piece in [before, name, ">"] {
            self.text.push_str(piece);
        }
        self
    }
}

/// Control characters can't be said in XML 1.0. Like S3, we write the references that XML 1.1 has for them;
/// clients that can have such keys ask for `encoding-type=url`.
fn escape(value: &str, text: &mut String) {
    let plain = |character: char| {
        !matches!(character, '&' | '<' | '>' | '"' | '\0'..='\x1f' | '\x7f' | '\u{fffe}' | '\u{ffff}')
    };
    if value.chars().all(plain) {
        text.push_str(value);
        return;
    }
    for character in value.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            _ if plain(character) => text.push(character),
            _ => {
                // Writing to a string can't fail.
                let _ = write!(text, "&#x{:X};", u32::from(character));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &str) {
        let mut text = String::new();
        escape(value, &mut text);
        assert_eq!(text, expected);
    }

    #[test]
    fn nothing_breaks_out_of_its_element() {
        check("a/b c", "a/b c");
        check("</Key><Key>&\"", "&lt;/Key&gt;&lt;Key&gt;&amp;&quot;");
        check("a\u{1}\r\n\tü", "a&#x1;&#xD;&#xA;&#x9;ü");
    }

    #[test]
    fn lines_stay_lines() {
        let mut xml = Writer::error();
        xml.lines("A", "<\n\r\n");
        assert_eq!(xml.finish(), format!("{DECLARATION}<Error><A>&lt;\n&#xD;\n</A></Error>"));
    }

    #[test]
    fn a_document_is_closed_at_its_end() {
        let mut xml = Writer::new("Root");
        xml.open("A").text("B", "<").word("C", 1).close("A");
        assert_eq!(
            xml.finish(),
            format!("{DECLARATION}<Root xmlns=\"{NAMESPACE}\"><A><B>&lt;</B><C>1</C></A></Root>")
        );
    }
}
