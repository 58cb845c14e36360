//! The elements of an XML text of FreeSWITCH's, with their attributes.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Elements of one text at most: some 20,000 extensions.
const ELEMENTS_MAX: usize = 200_000;

/// One element, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: BTreeMap<String, String>,
    /// How many elements are around it.
    pub(super) depth: usize,
}

impl Element {
    pub(super) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }

    fn new(tag: &BytesStart<'_>, depth: usize) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let attributes = tag.attributes().flatten().map(|attribute| {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_or_else(|_| text(&attribute.value), |read| read.into_owned());
            (text(attribute.key.as_ref()), value)
        });
        Self { attributes: attributes.collect(), name: text(tag.name().as_ref()), depth }
    }
}

/// All elements in the order in which they begin; up to the place where it can't be read.
pub(super) fn elements(xml: &str) -> Vec<Element> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    let (mut all, mut depth) = (Vec::new(), 0_usize);
    while all.len() < ELEMENTS_MAX {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                all.push(Element::new(&tag, depth));
                depth += 1;
            }
            Ok(Event::Empty(tag)) => all.push(Element::new(&tag, depth)),
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_with_their_attributes_and_their_depth() {
        let xml = "<a x=\"1 &amp; &quot;2&quot;\"><b/>text<c y=''>z</c></a><d/>";
        let found = elements(xml);
        let shown: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.depth)).collect();
        assert_eq!(shown, [("a", 0), ("b", 1), ("c", 1), ("d", 0)]);
        assert_eq!(found[0].get("x"), Some("1 & \"2\""));
        assert_eq!(elements("<a><b"), elements("<a>"));
    }
}
