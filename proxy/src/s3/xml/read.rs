//! Reading requests: small documents, bounded in every direction.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::Event;

use crate::s3::refusal::Refusal;

/// How deep elements may be nested.
const DEPTH_MAX: usize = 8;
/// How many elements a document may have: 10,000 parts with number, ETag and a checksum.
const ELEMENTS_COUNT_MAX: usize = 40_010;

/// An element: its name without prefix, the text in it, and the elements in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::s3) struct Element {
    pub(in crate::s3) name: String,
    pub(in crate::s3) text: String,
    pub(in crate::s3) children: Vec<Self>,
}

impl Element {
    /// The root of a document with that name. Document types, entities and processing instructions are refused.
    pub(in crate::s3) fn read(document: &[u8], root: &str) -> Result<Self, Refusal> {
        let text =
            std::str::from_utf8(document).map_err(|_| Refusal::MalformedXml("it is not valid UTF-8"))?;
        let element = Builder::default().build(text.trim_start_matches('\u{feff}'))?;
        if element.name != root {
            return Err(Refusal::MalformedXml("the root has another name"));
        }
        Ok(element)
    }

    /// The text, trimmed, of an element without elements in it.
    pub(in crate::s3) fn word(&self) -> Result<&str, Refusal> {
        Ok(self.exact_text()?.trim())
    }

    /// The text, to the byte, of an element without elements in it.
    pub(in crate::s3) fn exact_text(&self) -> Result<&str, Refusal> {
        if self.children.is_empty() {
            Ok(&self.text)
        } else {
            Err(Refusal::MalformedXml("there are elements where there should be text"))
        }
    }
}

#[derive(Default)]
struct Builder {
    /// The elements that are open, the root first.
    open: Vec<Element>,
    root: Option<Element>,
    count: usize,
}

impl Builder {
    fn build(mut self, document: &str) -> Result<Element, Refusal> {
        let mut reader = Reader::from_str(document);
        loop {
            let event = reader.read_event().map_err(|_| Refusal::MalformedXml("it is not well-formed"))?;
            match event {
                Event::Start(tag) => self.open(tag.local_name().as_ref())?,
                Event::Empty(tag) => {
                    self.open(tag.local_name().as_ref())?;
                    self.close()?;
                }
                Event::End(_) => self.close()?,
                Event::Text(text) => self.text(&text.xml_content(XmlVersion::Explicit1_0))?,
                Event::CData(text) => self.text(&text.xml_content(XmlVersion::Explicit1_0))?,
                Event::GeneralRef(reference) => {
                    let character = match reference.resolve_char_ref() {
                        Ok(Some(character)) => character,
                        Ok(None) => named(&reference)?,
                        Err(_) => return Err(Refusal::MalformedXml("a reference names no character")),
                    };
                    self.text(&Cow::Owned(character.to_string()))?;
                }
                Event::Comment(_) | Event::Decl(_) => {}
                Event::PI(_) | Event::DocType(_) => {
                    return Err(Refusal::MalformedXml("it has more than elements and text"));
                }
                Event::Eof => break,
            }
        }
        match self.root {
            Some(root) if self.open.is_empty() => Ok(root),
            _ => Err(Refusal::MalformedXml("it ends too early")),
        }
    }

    fn open(&mut self, name: &str) -> Result<(), Refusal> {
        self.count += 1;
        if self.root.is_some() || self.open.len() >= DEPTH_MAX || self.count > ELEMENTS_COUNT_MAX {
            return Err(Refusal::MalformedXml("it has too many elements"));
        }
        self.open.push(Element { name: name.to_owned(), ..Element::default() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refusal> {
        let closed = self.open.pop().ok_or(Refusal::MalformedXml("an element is closed twice"))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => self.root = Some(closed),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Refusal> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(Refusal::MalformedXml("there is text outside of the root")),
        }
        Ok(())
    }
}

/// The five entities that XML itself defines; there are no others.
fn named(entity: &str) -> Result<char, Refusal> {
    match entity {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(Refusal::MalformedXml("it has an entity")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_their_text() {
        let document = "<?xml version='1.0'?>\n<Delete xmlns='x'><!-- c --><a:Object xmlns:a='y'>\
                        <Key>a&amp;b&#x20;&#9;<![CDATA[<c>]]></Key></a:Object><Quiet/></Delete>\n";
        let root = Element::read(document.as_bytes(), "Delete").unwrap();
        assert_eq!(root.children[0].name, "Object");
        assert_eq!(root.children[0].children[0].exact_text().unwrap(), "a&b \t<c>");
        assert_eq!(root.children[1].word().unwrap(), "");
        assert!(root.children[0].word().is_err());
    }

    #[track_caller]
    fn check_refused(document: &str) {
        let outcome = Element::read(document.as_bytes(), "R");
        assert!(matches!(outcome, Err(Refusal::MalformedXml(_))), "{outcome:?}");
    }

    #[test]
    fn what_is_not_a_plain_document_is_refused() {
        for document in [
            "",
            "x",
            "<R>",
            "<R></S>",
            "</R>",
            "<S/>",
            "<R/><R/>",
            "<R/>x",
            "<R>&nope;</R>",
            "<R>&#0;</R>",
            "<R>&</R>",
            "<R><",
            "<?pi x?><R/>",
        ] {
            check_refused(document);
        }
        assert!(Element::read(b"<R>\xff</R>", "R").is_err());
    }

    #[test]
    fn entities_cannot_be_defined() {
        check_refused("<!DOCTYPE R [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><R>&b;</R>");
        check_refused("<!DOCTYPE R SYSTEM \"file:///etc/passwd\"><R/>");
    }

    #[test]
    fn depth_and_number_are_bounded() {
        check_refused(&format!("<R>{}{}</R>", "<a>".repeat(DEPTH_MAX), "</a>".repeat(DEPTH_MAX)));
        check_refused(&format!("<R>{}</R>", "<a/>".repeat(ELEMENTS_COUNT_MAX)));
    }
}
