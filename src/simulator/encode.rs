//! How FreeSWITCH writes values: percent-encoding in plain events (switch_utils.c,
//! `switch_url_encode`) and JSON strings whose bytes may not be UTF-8.

const HEX: &[u8; 16] = b"0123456789ABCDEF";
/// `SWITCH_URL_UNSAFE` of switch_utils.h.
const UNSAFE: &[u8] = b"\r\n #%&+:;<=>?@[\\]^`{|}\"";

/// Which bytes stand for themselves.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7F {
        plain[byte] = true;
        byte += 1;
    }
    let mut at = 0;
    while at < UNSAFE.len() {
        plain[UNSAFE[at] as usize] = false;
        at += 1;
    }
    plain
};

/// A `%` before two upper-case hex digits is left alone, so what is decoded can differ from what
/// was meant.
pub(super) fn percent(value: &[u8], out: &mut Vec<u8>) {
    for (index, byte) in value.iter().enumerate() {
        let looks_encoded = || {
            let next = value.get(index + 1..index + 3);
            *byte == b'%' && next.is_some_and(|two| two.iter().all(|b| HEX.contains(b)))
        };
        if PLAIN[usize::from(*byte)] || looks_encoded() {
            out.push(*byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
}

pub(super) fn json_string(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in value {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..b' ' => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)].to_ascii_lowercase());
            }
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// Headers written one after another, in the form that a connection asked for.
#[derive(Debug)]
pub(super) struct Headers {
    json: bool,
    bytes: Vec<u8>,
    length: usize,
    watched: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Headers {
    pub(super) fn new(json: bool) -> Self {
        let mut bytes = Vec::with_capacity(8 * 1024);
        if json {
            bytes.push(b'{');
        }
        Self { json, bytes, length: 0, watched: Vec::new() }
    }

    /// Remembers the values of the headers that `names` names, for filters.
    pub(super) fn watch<'a>(&mut self, names: impl Iterator<Item = &'a [u8]>) {
        self.watched = names.map(|n| (n.to_vec(), None)).collect();
    }

    /// The first value of each watched header, in the order in which they were named.
    pub(super) fn watched(&self) -> impl Iterator<Item = Option<&[u8]>> {
        self.watched.iter().map(|(_, value)| value.as_deref())
    }

    pub(super) fn add(&mut self, prefix: &str, name: &[u8], value: &[u8]) {
        for (watched, seen) in self.watched.iter_mut().filter(|(_, seen)| seen.is_none()) {
            let full = prefix.bytes().chain(name.iter().copied()).map(|b| b.to_ascii_lowercase());
            if full.eq(watched.iter().map(u8::to_ascii_lowercase)) {
                *seen = Some(value.to_vec());
            }
        }
        if self.json {
            self.add_json(prefix, name, value);
        } else {
            self.bytes.extend_from_slice(prefix.as_bytes());
            self.bytes.extend_from_slice(name);
            self.bytes.extend_from_slice(b": ");
            percent(value, &mut self.bytes);
            self.bytes.push(b'\n');
        }
    }

    fn add_json(&mut self, prefix: &str, name: &[u8], value: &[u8]) {
        if self.length > 0 {
            self.bytes.push(b',');
        }
        self.length += 1;
        json_string(&[prefix.as_bytes(), name].concat(), &mut self.bytes);
        self.bytes.push(b':');
        let Some(list) = value.strip_prefix(b"ARRAY::") else {
            return json_string(value, &mut self.bytes);
        };
        self.bytes.push(b'[');
        let mut rest = list;
        loop {
            let end = rest.windows(2).position(|two| two == b"|:");
            json_string(&rest[..end.unwrap_or(rest.len())], &mut self.bytes);
            let Some(end) = end else { break };
            self.bytes.push(b',');
            rest = &rest[end + 2..];
        }
        self.bytes.push(b']');
    }

    /// The event as its frame carries it, with the body that some events have.
    pub(super) fn finish(mut self, body: Option<&[u8]>) -> Vec<u8> {
        if let Some(body) = body {
            self.add("", b"Content-Length", body.len().to_string().as_bytes());
        }
        if self.json {
            if let Some(body) = body {
                self.add("", b"_body", body);
            }
            self.bytes.push(b'}');
        } else {
            self.bytes.push(b'\n');
            self.bytes.extend_from_slice(body.unwrap_or_default());
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_before_hex_digits_stays_and_every_other_is_encoded() {
        let mut out = Vec::new();
        percent("b%41%zz ä~'".as_bytes(), &mut out);
        assert_eq!(out, b"b%41%25zz%20%C3%A4~'");
    }

    #[test]
    fn a_list_is_a_list_in_json() {
        let mut headers = Headers::new(true);
        headers.add("variable_", b"x", b"ARRAY::a|:\"b\"");
        assert_eq!(headers.finish(None), br#"{"variable_x":["a","\"b\""]}"#);
    }
}
