//! `text/event-json` and the output of `uuid_dump UUID json`: one object whose values are texts or
//! lists of texts. FreeSWITCH puts raw bytes there that need not be UTF-8, and a name may repeat
//! (`switch_event.c` switch_event_serialize_json_obj). Becomes the lines of a plain event, but with
//! every `%` encoded, so that nothing is ambiguous.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The field that carries the event's body.
const BODY: &[u8] = b"_body";

/// The fields as encoded lines, and the body.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) lines: Bytes,
    pub(super) body: Bytes,
}

/// Reads one object; the error is serde's sentence with line and column.
pub(super) fn parse(json: &[u8]) -> Result<Fields, String> {
    let text = String::from_utf8_lossy(json);
    let mut reader = serde_json::Deserializer::from_str(&text);
    let mut fields = Collected::default();
    Object(&mut fields).deserialize(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(Fields { lines: fields.lines.into(), body: fields.body.into() })
}

#[derive(Default)]
struct Collected {
    lines: Vec<u8>,
    name: Vec<u8>,
    value: Vec<u8>,
    body: Vec<u8>,
}

impl Collected {
    fn keep(&mut self) {
        if self.name == BODY {
            self.body = std::mem::take(&mut self.value);
            return;
        }
        let nameable = |byte: &u8| !matches!(byte, b'\n' | b'\r' | b':');
        self.lines.extend(self.name.iter().copied().filter(nameable));
        self.lines.extend_from_slice(b": ");
        for byte in &self.value {
            match byte {
                b'%' => self.lines.extend_from_slice(b"%25"),
                b'\n' => self.lines.extend_from_slice(b"%0A"),
                b'\r' => self.lines.extend_from_slice(b"%0D"),
                _ => self.lines.push(*byte),
            }
        }
        self.lines.push(b'\n');
    }
}

struct Object<'a>(&'a mut Collected);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event as one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        loop {
            self.0.name.clear();
            if map.next_key_seed(Text(&mut self.0.name))?.is_none() {
                return Ok(());
            }
            self.0.value.clear();
            map.next_value_seed(Text(&mut self.0.value))?;
            self.0.keep();
        }
    }
}

/// Appends a text, a number or a list (in FreeSWITCH's `ARRAY::` form) to what it borrows.
struct Text<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.extend_from_slice(b"ARRAY::");
        let first = self.0.len();
        loop {
            let before = self.0.len();
            if before > first {
                self.0.extend_from_slice(b"|:");
            }
            if list.next_element_seed(Text(self.0))?.is_none() {
                self.0.truncate(before);
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(json: &[u8]) -> String {
        String::from_utf8(parse(json).unwrap().lines.to_vec()).unwrap()
    }

    #[test]
    fn fields_keep_order_repetition_and_exact_content() {
        let json = br#"{"A":"50%41\n","B":["x","y"],"A":"2","n":7,"o":{"p":1},"_body":"hi\r\n"}"#;
        assert_eq!(lines(json), "A: 50%2541%0A\nB: ARRAY::x|:y\nA: 2\nn: 7\no: \n");
        assert_eq!(parse(json).unwrap().body, "hi\r\n");
    }

    #[test]
    fn bytes_that_are_no_text_do_not_spoil_the_rest() {
        assert_eq!(lines(b"{\"A\":\"\xff\",\"B\":\"b\"}"), "A: \u{fffd}\nB: b\n");
    }

    #[test]
    fn what_is_no_object_is_refused_with_the_place() {
        for json in [&b""[..], b"[]", b"{\"a\":", b"{} x", b"{\"a\" 1}"] {
            assert!(parse(json).unwrap_err().contains("line"), "{json:?}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let deep = [b"{\"a\":".as_slice(), &b"[".repeat(100_000)].concat();
        assert!(parse(&deep).unwrap_err().contains("recursion"));
    }
}
