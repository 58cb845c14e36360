//! FreeSWITCH's own reading of what we send, rule by rule from its 1.10.12 sources, so that a test
//! can see what a command would make it do.

/// One packet as `mod_event_socket.c` read_packet takes it apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The first line.
    pub(crate) command: Vec<u8>,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Option<Vec<u8>>,
    /// Whether parse_command would unload the module.
    pub(crate) unloads: bool,
}

impl Packet {
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let named = |(n, _): &&(Vec<u8>, Vec<u8>)| n.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().find(named).map(|(_, value)| &value[..])
    }

    /// The application's argument, from the header or else the body (`switch_ivr.c` 558-569).
    pub(crate) fn argument(&self) -> Option<&[u8]> {
        self.header("execute-app-arg").or_else(|| match self.header("content-type") {
            Some(b"text/plain") => self.body.as_deref(),
            _ => None,
        })
    }
}

fn until(bytes: &[u8], stop: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes.iter().position(|byte| stop(*byte)).unwrap_or(bytes.len());
    &bytes[..end]
}

fn c_string(bytes: &[u8]) -> &[u8] {
    until(bytes, |byte| byte == 0)
}

/// strip_cr: cuts at the first CR, or if there is none at the first LF.
fn strip_cr(line: &[u8]) -> &[u8] {
    if line.contains(&b'\r') { until(line, |b| b == b'\r') } else { until(line, |b| b == b'\n') }
}

fn lower_has(block: &[u8], word: &str) -> bool {
    memchr::memmem::find(&block.to_ascii_lowercase(), word.as_bytes()).is_some()
}

/// read_packet until the stream is used up.
pub(crate) fn packets(mut stream: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    loop {
        while let [b'\r' | b'\n', rest @ ..] = stream {
            stream = rest;
        }
        let mut line_feeds = 0;
        let Some(end) = stream.iter().position(|byte| {
            match byte {
                b'\n' => line_feeds += 1,
                b'\r' => {}
                _ => line_feeds = 0,
            }
            line_feeds == 2
        }) else {
            assert!(stream.is_empty(), "a packet without an end: {stream:?}");
            return packets;
        };
        let (block, rest) = stream.split_at(end + 1);
        stream = rest;
        packets.push(packet(c_string(block), &mut stream));
    }
}

fn packet(block: &[u8], stream: &mut &[u8]) -> Packet {
    let module = lower_has(block, "mod_event_socket");
    let mut packet = Packet {
        command: strip_cr(block).to_vec(),
        headers: Vec::new(),
        body: None,
        unloads: module && (lower_has(block, "unload") || lower_has(block, "reload")),
    };
    let mut rest = after_line(block);
    while let Some(line) = rest {
        rest = after_line(line);
        let line = strip_cr(line);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let value: Vec<u8> =
            line[colon + 1..].iter().skip_while(|b| **b == b' ').copied().collect();
        if line[..colon].eq_ignore_ascii_case(b"content-length") {
            let length: usize = std::str::from_utf8(&value).unwrap().parse().unwrap();
            let (body, tail) = stream.split_at(length);
            packet.body = Some(c_string(body).to_vec());
            *stream = tail;
        }
        assert!(!value.starts_with(b"ARRAY::"), "an array: {value:?}");
        assert!(!value.is_empty(), "an empty value deletes the header");
        packet.headers.push((line[..colon].to_vec(), value));
    }
    packet
}

/// Lines end at the first CR of the whole rest, or if there is none at the first LF.
fn after_line(block: &[u8]) -> Option<&[u8]> {
    let cr = block.iter().position(|byte| *byte == b'\r');
    let end = cr.or_else(|| block.iter().position(|byte| *byte == b'\n'))?;
    let rest = &block[end..];
    let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let rest = &rest[breaks..];
    (!rest.is_empty()).then_some(rest)
}

/// switch_channel_expand_variables. Panics where a variable or an API would be looked up; otherwise
/// the text with its escapes rewritten.
pub(crate) fn expand(text: &[u8]) -> Vec<u8> {
    let mut dollar = false;
    for byte in text {
        match byte {
            b'$' => dollar = true,
            b'{' if dollar => panic!("expanded: {:?}", String::from_utf8_lossy(text)),
            b'\\' => {}
            _ => dollar = false,
        }
    }
    let escaped = |pair: &[u8]| matches!(pair, [b'\\', b'\\' | b'n' | b's' | b't' | b'\'']);
    if !text.windows(2).any(escaped) {
        return text.to_vec();
    }
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'\\', [b'\'', after @ ..]) => rest = after,
            (b'\\', [b'\\' | b'$', after @ ..]) => {
                out.push(tail[0]);
                rest = after;
            }
            _ => out.push(*byte),
        }
    }
    out
}

/// cleanup_separated_string of `switch_utils.c`.
fn cleanup(part: &[u8], delim: u8) -> Vec<u8> {
    let part: Vec<u8> = part.iter().skip_while(|byte| **byte == b' ').copied().collect();
    let (mut out, mut end, mut quoted) = (Vec::new(), 0, false);
    let mut at = 0;
    while at < part.len() {
        let (byte, next) = (part[at], part.get(at + 1).copied().unwrap_or(0));
        let unescaped = match next {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b's' => b' ',
            other => other,
        };
        let plain = matches!(next, b'\'' | b'"' | b'\\') || (delim != 0 && next == delim);
        if byte == b'\\' && (plain || unescaped != next) {
            out.push(if plain { next } else { unescaped });
            end = out.len();
            at += 1;
        } else if byte == b'\'' && (quoted || part[at + 1..].contains(&b'\'')) {
            quoted = !quoted;
            if quoted {
                end = out.len();
            }
        } else {
            out.push(byte);
            if byte != b' ' || quoted {
                end = out.len();
            }
        }
        at += 1;
    }
    if end > 0 {
        out.truncate(end);
    }
    out
}

/// switch_separate_string.
pub(crate) fn separate(text: &[u8], delim: u8, most: usize) -> Vec<Vec<u8>> {
    let (text, delim) = match text {
        [b'^', b'^', delim, rest @ ..] if !rest.is_empty() => (rest, *delim),
        _ => (text, delim),
    };
    let blank = delim == b' ';
    let (mut parts, mut from, mut at, mut quoted) = (Vec::new(), 0, 0, false);
    while blank && text.get(at) == Some(&b' ') {
        at += 1;
    }
    while at < text.len() && parts.len() + 1 < most {
        let closes = text[at + 1..].contains(&b'\'');
        match text[at] {
            b'\\' => at += 1,
            b'\'' if quoted || blank || closes => quoted = !quoted,
            byte if byte == delim && !quoted => {
                parts.push(text[from..at].to_vec());
                while blank && text.get(at + 1) == Some(&b' ') {
                    at += 1;
                }
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if from < text.len() {
        parts.push(text[from..].to_vec());
    }
    parts.iter().map(|part| cleanup(part, if blank { 0 } else { delim })).collect()
}

/// switch_event_create_brackets: the variables in front, and what follows them.
pub(crate) fn brackets(
    text: &[u8],
    open: u8,
    close: u8,
    comma: u8,
) -> (Vec<(Vec<u8>, Vec<u8>)>, Vec<u8>) {
    assert_eq!(text.first(), Some(&open));
    let mut depth = 0;
    let end = text.iter().position(|byte| {
        depth += i32::from(*byte == open) - i32::from(*byte == close);
        depth == 0
    });
    let end = end.expect("brackets that do not close");
    let rest = &text[end + 1..];
    let next = rest.iter().find(|byte| **byte != b' ');
    assert_ne!(next, Some(&open), "more brackets than were meant");
    let pairs = separate(&text[1..end], comma, 1024);
    let pair = |pair: &Vec<u8>| {
        let mut halves = separate(pair, b'=', 2).into_iter();
        (halves.next().unwrap(), halves.next().unwrap_or_default())
    };
    (pairs.iter().map(pair).collect(), rest.to_vec())
}

/// What switch_core_session_exec does to an argument: expansion, then scope variables.
pub(crate) fn executed(argument: &[u8]) -> (Vec<(Vec<u8>, Vec<u8>)>, Vec<u8>) {
    let text = expand(argument);
    match &text[..] {
        [b'%', b'[', ..] => brackets(&text[1..], b'[', b']', b','),
        [b'%', delim, b'[', ..] => brackets(&text[2..], b'[', b']', *delim),
        _ => (Vec::new(), text),
    }
}
