//! Header values: kept as they came, decoded only when somebody asks, to bytes before text, because
//! they need not be UTF-8.

use std::borrow::Cow;
use std::fmt;

/// How FreeSWITCH writes an array into one value (`switch_event.c` switch_event_base_add_header).
const ARRAY: &[u8] = b"ARRAY::";
/// What stands between an array's items.
const ARRAY_SEPARATOR: &[u8] = b"|:";
/// What FreeSWITCH writes for an empty value (`switch_event.c` switch_event_serialize).
const UNDEFINED: &[u8] = b"_undef_";

/// One header value, borrowed from its frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    raw: &'a [u8],
    encoded: bool,
}

impl<'a> Value<'a> {
    /// A value of a plain event or of the `connect` reply: URL-encoded.
    pub const fn encoded(raw: &'a [u8]) -> Self {
        Self { raw, encoded: true }
    }

    /// A value that means its own bytes: of a command's reply, of a frame's head, of JSON.
    pub const fn exact(raw: &'a [u8]) -> Self {
        Self { raw, encoded: false }
    }

    /// The bytes as they came over the wire.
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The value's own bytes. FreeSWITCH leaves `%` alone before two upper-case hex digits
    /// (`switch_utils.c` switch_url_encode_opt), so a literal `%41` can't be told from an encoded
    /// `A`.
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if self.encoded { decode(self.raw) } else { Cow::Borrowed(self.raw) }
    }

    /// The value as text; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> Cow<'a, str> {
        match self.bytes() {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// Whether FreeSWITCH said that there is a header and no value.
    pub fn is_undefined(&self) -> bool {
        self.raw == UNDEFINED
    }

    /// The items of an array, or the one value that there is.
    pub fn items(&self) -> Vec<Vec<u8>> {
        let bytes = self.bytes();
        let Some(mut rest) = bytes.strip_prefix(ARRAY) else {
            return vec![bytes.into_owned()];
        };
        let mut items = Vec::new();
        while let Some(at) = memchr::memmem::find(rest, ARRAY_SEPARATOR) {
            let (item, tail) = rest.split_at(at);
            items.push(item.to_vec());
            rest = tail.get(ARRAY_SEPARATOR.len()..).unwrap_or_default();
        }
        items.push(rest.to_vec());
        items
    }

    /// The value as a number, when it is one.
    pub fn number<N: std::str::FromStr>(&self) -> Option<N> {
        std::str::from_utf8(self.raw).ok()?.trim().parse().ok()
    }
}

impl PartialEq<&str> for Value<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self.bytes() == *other.as_bytes()
    }
}

/// Shows the length only: a value may be a digit, a secret or a phone number.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.raw.len())
    }
}

const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Takes `%XX` apart; a `%` that is not followed by two hex digits stands for itself.
pub fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'%', raw) else {
        return Cow::Borrowed(raw);
    };
    let mut bytes = Vec::with_capacity(raw.len());
    let (plain, mut rest) = raw.split_at(first);
    bytes.extend_from_slice(plain);
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(byte),
            },
            _ => bytes.push(byte),
        }
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_escape_stands_for_itself() {
        for (raw, bytes) in [
            (&b"%2BOK%0A"[..], &b"+OK\n"[..]),
            (b"100%", b"100%"),
            (b"%4", b"%4"),
            (b"%4G%zz%-5", b"%4G%zz%-5"),
            (b"%%41", b"%A"),
            (b"a%C3%BCb%ff", b"a\xc3\xbcb\xff"),
            (b"plain", b"plain"),
        ] {
            assert_eq!(*decode(raw), *bytes, "{}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn an_exact_value_is_never_decoded() {
        assert_eq!(Value::exact(b"50%41").text(), "50%41");
        assert_eq!(Value::encoded(b"50%41").text(), "50A");
    }

    #[test]
    fn an_array_has_items_and_a_plain_value_is_its_own_only_item() {
        let items = Value::encoded(b"ARRAY%3A%3Aa b%7C%3Ac%7C%3A").items();
        assert_eq!(items, [b"a b".to_vec(), b"c".to_vec(), b"".to_vec()]);
        assert_eq!(Value::encoded(b"x|:y").items(), [b"x|:y".to_vec()]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_only_in_text() {
        let value = Value::encoded(b"%E9t%E9");
        assert_eq!(*value.bytes(), *b"\xe9t\xe9");
        assert_eq!(value.text(), "\u{fffd}t\u{fffd}");
    }
}
