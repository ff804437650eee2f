//! XML, in and out.

mod read;
mod write;

pub(super) use read::Element;
pub(super) use write::Writer;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[^\\x00]{0,40}") {
            let mut xml = Writer::new("Root");
            xml.text("Key", &text);
            let root = Element::read(xml.finish().as_bytes(), "Root").unwrap();
            prop_assert_eq!(root.children[0].exact_text().unwrap(), text);
        }

        #[test]
        fn no_document_brings_the_reader_down(document in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Element::read(&document, "Root");
        }

        #[test]
        fn nor_does_one_that_is_nearly_right(document in "(<|>|/|Root|Key|&|;|#|x|[0-9a-z ]|!|\\[|\\]|\\?|-|\"){0,40}") {
            let _ = Element::read(document.as_bytes(), "Root");
        }
    }
}
